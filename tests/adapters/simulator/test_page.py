"""The simulator's page in a real browser; skipped where Debian's chromium is not installed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.adapters.conftest import Playing, playing

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
expect.set_options(timeout=20_000)
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}: apt-get install chromium")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that fails its test if anything is wrong in its console; a request that was refused is not."""
    context = await browser.new_context()
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield page
    await context.close()
    assert [text for text in wrong if "status of 400" not in text] == []


async def test_the_page_shows_what_happens_without_being_asked(simulator: Playing, page: Page) -> None:
    await page.goto(f"{simulator.url}/?lang=en")
    await expect(page.locator("#members")).to_contain_text("1000.00")
    await expect(page.locator("#orders")).to_contain_text("No orders yet.")
    told = (await simulator.order("DEBIT", "9.22", member="M-1")).json()
    assert told["code"] == "INTERNAL"
    await expect(page.locator("#orders tr")).to_contain_text(["PH-1"])
    await expect(page.locator("#orders")).to_contain_text("done")
    await expect(page.locator("#members")).to_contain_text("990.78")  # 1000 - 9.22
    await expect(page.locator("#incidents")).to_contain_text("HTTP 500, although it was done")


async def test_a_script_is_set_and_ended_on_the_page(simulator: Playing, page: Page) -> None:
    await page.goto(f"{simulator.url}/?lang=en")
    await page.fill("#script-form [name=next]", "2")
    await page.select_option("#script-form [name=operation]", "DEBIT")
    await page.select_option("#script-form [name=behaviour]", "REFUSED")
    await page.select_option("#script-form [name=reason]", "LIMIT_EXCEEDED")
    await page.click("#script-form button")
    await expect(page.locator("#scripts")).to_contain_text("limit exceeded")
    assert (await simulator.order()).json()["code"] == "LIMIT_EXCEEDED"
    await page.click("#clear")
    await expect(page.locator("#scripts")).to_contain_text("It behaves.")
    assert (await simulator.order()).json()["code"] == "00"


async def test_members_are_enrolled_on_the_page_and_mistakes_are_explained(simulator: Playing, page: Page) -> None:
    await page.goto(f"{simulator.url}/?lang=en")
    await page.fill("#member-form [name=member]", "<b>M-2</b>")
    await page.fill("#member-form [name=familyName]", "欧阳")
    await page.fill("#member-form [name=available]", "1.005")
    await page.click("#member-form button")
    await expect(page.locator("#problem")).to_contain_text("at most 2 decimals")
    await page.fill("#member-form [name=available]", "5")
    await page.check("#member-form [name=blocked]")
    await page.click("#member-form button")
    await expect(page.locator("#members")).to_contain_text("<b>M-2</b>")  # as text, not as markup
    await expect(page.locator("#members")).to_contain_text("nothing: blocked")
    await expect(page.locator("#problem")).to_be_empty()


async def test_the_page_speaks_chinese(simulator: Playing, page: Page) -> None:
    await page.goto(f"{simulator.url}/?lang=en")
    await page.click("#language")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.locator("h1")).to_have_text("合作方模拟器")
    await expect(page.locator("#members")).to_contain_text("消费 · 累积")
    untranslated = await page.locator("main").inner_text()
    for english in ("Members", "orders", "Refused", "too few", "debit"):
        assert english not in untranslated


async def test_a_night_is_asked_for_on_the_page(page: Page) -> None:
    async with playing() as simulator:
        await simulator.enroll()
        await simulator.script("PENDING_THEN_SUCCESS", ms=600_000)
        await simulator.order()
        await page.goto(f"{simulator.url}/?lang=en")
        await expect(page.locator("#orders")).to_contain_text("pending")
        await page.click("#night")
        await expect(page.locator("#orders")).to_contain_text("done")
        assert await simulator.available() == "990.00"


async def test_the_page_says_when_the_simulator_is_gone(page: Page) -> None:
    async with playing() as simulator:
        await page.goto(f"{simulator.url}/?lang=en")
        await expect(page.locator("#connection")).to_have_text("up to date")
        await page.route("**/sandbox/state", lambda route: route.fulfill(status=200, body="no json"))
        await expect(page.locator("#connection")).to_have_text("The simulator does not answer.")
