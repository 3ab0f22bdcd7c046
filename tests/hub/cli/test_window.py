"""Closing a window on the host: nothing is closed that could not be reported, and what is closed is said to be."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from hub.institutions import Kind
from hub.ledger import commands
from hub.money import format_millionths
from settlement.publish import Keys, Reports
from tests.conftest import Hub
from tests.hub.cli.here import says_why
from tests.hub.cli.test_output import redirected
from tests.hub.programs import run


async def traded(hub: Hub) -> None:
    """A redemption at a shop, so that the open window has a line."""
    await hub.institution("BANK", Kind.BANK)
    await hub.institution("SHOP", Kind.MERCHANT)
    await hub.currency("PTS", "BANK")
    await hub.issue("PTS", "BANK", "alice", "500")
    alice = commands.Party("BANK", "alice")
    await hub.do(
        commands.Redeem(
            actor=hub.admin, key="r", customer=alice, merchant="SHOP", currency="PTS", amount="500", memo=None
        )
    )


async def statuses(hub: Hub) -> list[str]:
    return [row["status"] for row in await hub.sql("SELECT status FROM settlement_window ORDER BY number")]


def garbage(signing: Path) -> None:
    (signing / "current.pem").write_text("garbage")


def open_to_others(signing: Path) -> None:
    (signing / "current.pem").chmod(0o644)


def folder(signing: Path) -> None:
    (signing / "current.pem").unlink()
    (signing / "current.pem").mkdir(0o700)


@pytest.mark.parametrize(
    ("spoil", "words", "sentence"),
    [
        (garbage, (), "no unencrypted Ed25519 private key"),
        (open_to_others, (), "can be reached by others"),
        (folder, (), "is no regular file"),
        (None, ("--lines", "/nonexistent/x"), "/nonexistent/x: No such file or directory"),
    ],
)
async def test_without_a_key_or_a_place_for_the_lines_the_window_stays_open(
    hub: Hub, tmp_path: Path, spoil: Callable[[Path], None] | None, words: tuple[str, ...], sentence: str
) -> None:
    Keys(tmp_path / "hub" / "signing").current()
    if spoil is not None:
        spoil(tmp_path / "hub" / "signing")
    close = partial(run, tmp_path / "hub", "window", "close", *words, HUB_DATABASE_URL=hub.addresses.server)
    says_why(await asyncio.to_thread(close), sentence)
    assert await statuses(hub) == ["OPEN"]


async def test_a_window_whose_reports_are_outstanding_is_said_to_be_closed(hub: Hub, tmp_path: Path) -> None:
    await traded(hub)
    words = ("window", "close", "--json", "--lines", "/dev/full")
    done = await asyncio.to_thread(partial(run, tmp_path / "hub", *words, HUB_DATABASE_URL=hub.addresses.server))
    assert done.returncode == 4, done.stderr
    told = json.loads(done.stdout)
    assert (told["number"], told["status"], told["reports"]) == (1, "CLOSED", "OUTSTANDING")
    assert done.stderr.startswith("points-hub: Window 1 of default is closed, but its reports or lines are outstanding")
    assert "settlementReport" in done.stderr
    assert "A file cannot be written: No space left on device" in done.stderr
    assert await statuses(hub) == ["CLOSED", "OPEN"]
    [window] = await hub.sql("SELECT id FROM settlement_window WHERE number = 1")
    assert await Reports(hub.database, Keys(tmp_path / "hub" / "signing"), "Hub").ensure(window["id"]) is False
    [reports] = await hub.sql("SELECT count(*) FROM settlement_report")
    assert reports["count"] == 3  # the bank's, the shop's and the summary


async def test_a_window_that_is_closed_is_said_to_be_though_nothing_can_be_shown_of_it(
    hub: Hub, tmp_path: Path
) -> None:
    words = ("window", "close", "--json")
    close = partial(redirected, tmp_path / "hub", "> /dev/full", *words, HUB_DATABASE_URL=hub.addresses.server)
    done = await asyncio.to_thread(close)
    assert done.returncode == 4
    assert done.stderr.startswith("points-hub: Window 1 of default is closed and its reports are signed. The output ")
    assert await statuses(hub) == ["SETTLED", "OPEN"]


async def test_lines_take_the_place_of_what_is_in_the_file_only_if_the_window_closes(hub: Hub, tmp_path: Path) -> None:
    await traded(hub)
    lines, key = tmp_path / "lines", tmp_path / "hub" / "signing" / "current.pem"
    lines.write_text("of yesterday")
    Keys(key.parent).current()
    words = ("window", "close", "--json", "--lines", str(lines))
    close = partial(run, tmp_path / "hub", *words, HUB_DATABASE_URL=hub.addresses.server)
    key.chmod(0o644)
    assert (await asyncio.to_thread(close)).returncode == 3
    assert lines.read_text() == "of yesterday"
    key.chmod(0o600)
    done = await asyncio.to_thread(close)
    assert json.loads(done.stdout)["reports"] == "SIGNED"
    [line] = lines.read_bytes().splitlines()
    assert json.loads(line)["kind"] == "redeem"


async def test_a_window_that_was_paid_without_reports_gets_its_first_by_the_operators_word(
    hub: Hub, tmp_path: Path
) -> None:
    await traded(hub)
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=window))
    [owed] = await hub.sql(f"SELECT net FROM window_net WHERE net < 0 AND window_id = {window}")
    paid = commands.ConfirmSettlement(
        actor=hub.admin,
        key="pay",
        window=window,
        institution="BANK",
        currency="CNY",
        amount=format_millionths(owed["net"], "CNY"),
        value_date=None,
        reference="paid",
    )
    await hub.do(paid)  # as programs did that did not have the reports made before

    async def signed(number: str) -> subprocess.CompletedProcess[str]:
        words = ("window", "sign", number)
        return await asyncio.to_thread(partial(run, tmp_path / "hub", *words, HUB_DATABASE_URL=hub.addresses.server))

    assert (await signed("1")).stdout == "The reports of window 1 are signed.\n"
    [reports] = await hub.sql("SELECT count(*) FROM settlement_report")
    assert reports["count"] == 3
    assert (await signed("9")).returncode == 3
