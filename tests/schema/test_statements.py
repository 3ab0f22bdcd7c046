"""Statements as the API tells them: the same figures in every language, on pages, and as CSV."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import statements
from hub.access import Role
from hub.currencies import PointCurrency
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import MovementKind
from hub.spreadsheets import harmless
from hub.statements import Entry, Span, Statement
from schema import sheets
from schema.faults import BadInput
from schema.labels import LABELS, label
from schema.sheets import COLUMNS, sheet
from tests.schema.conftest import Client

STATEMENT = """query S($customer: CustomerInput!, $currency: String!, $from: DateTime!, $until: DateTime!) {
  statement(customer: $customer, currency: $currency, from: $from, until: $until) {
    from until opening credits debits closing byKind { kind label credits debits count } csvUrl
    customer { reference } currency { code }
    entries(first: 2) { edges { node { id kind points { amount } direction balanceAfter postedAt memo sequence } }
      pageInfo { hasNextPage endCursor } } } }"""
ENTRIES = """query E($customer: CustomerInput!, $from: DateTime!, $until: DateTime!, $after: String) {
  statement(customer: $customer, currency: "BP", from: $from, until: $until) {
    entries(first: 2, after: $after) { edges { node { id balanceAfter } } pageInfo { hasNextPage endCursor } } } }"""
BALANCE = """query B($customer: CustomerInput!, $currency: String!, $at: DateTime!) {
  balanceAt(customer: $customer, currency: $currency, at: $at) { at total held available } }"""
MOVEMENTS = """query M($customer: CustomerInput!, $from: DateTime, $until: DateTime) {
  movements(customer: $customer, currency: "BP", from: $from, until: $until) { edges { node { balanceAfter } } } }"""
ALICE = {"institution": "BANK", "reference": "alice"}
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "connect.md"
LONG_AGO = "2000-01-01T00:00:00Z"


def spelled(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Story:
    """alice of BANK's gets 100.5, 20.25 and 3, and gives 50 to bob; ``at`` are the times."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.bank = client.caller(client.hub.admin)
        self.at: list[datetime] = []

    async def begin(self) -> "Story":
        hub = self.client.hub
        await hub.institution("BANK")
        await hub.institution("OTHER")
        await hub.currency("BP", "BANK", scale=2)
        await hub.currency("NONE", "BANK")
        await self.issue("1", "100.5", "=1+1")
        await self.issue("2", "20.25", "welcome, 你好")
        await self.do(
            commands.Transfer(
                actor=hub.admin,
                key="t",
                currency="BP",
                source=Party("BANK", "alice"),
                target=Party("BANK", "bob"),
                amount="50",
                memo=None,
            )
        )
        await self.issue("3", "3", None)
        return self

    async def issue(self, key: str, amount: str, memo: str | None) -> None:
        hub = self.client.hub
        to = Party("BANK", "alice")
        await self.do(
            commands.Issue(
                actor=hub.admin,
                key=key,
                currency="BP",
                to=to,
                amount=amount,
                earned_at=None,
                expires_at=None,
                memo=memo,
            )
        )

    async def do(self, command: commands.Command) -> None:
        self.at.append((await self.client.hub.do(command)).at)

    def asked(self, first: int = 0, end: int = 3) -> dict[str, Any]:
        """From the first act on, before the one at ``end``."""
        return {
            "customer": ALICE,
            "currency": "BP",
            "from": spelled(self.at[first]),
            "until": spelled(self.at[end]),
        }


@pytest.fixture
async def story(client: Client) -> Story:
    return await Story(client).begin()


async def test_a_statement_of_a_past_period(story: Story) -> None:
    """Of 100.50, +20.25, -50, +3 the second and the third: 100.50 + 20.25 - 50.00 = 70.75."""
    asked = story.asked(1, 3)
    told = await story.bank.ask(STATEMENT, **asked)
    lines = [edge["node"] for edge in told["entries"]["edges"]]
    customer = (await story.bank.ask('{ customer(institution: "BANK", reference: "alice") { id } }'))["id"]
    urls = {name: asked[name].replace(":", "%3A") for name in ("from", "until")}
    assert {name: told[name] for name in told if name != "entries"} == {
        "from": asked["from"],
        "until": asked["until"],
        "opening": "100.50",
        "credits": "20.25",
        "debits": "50.00",
        "closing": "70.75",
        "byKind": [
            {"kind": "ISSUE", "label": "Issue", "credits": "20.25", "debits": "0.00", "count": 1},
            {"kind": "TRANSFER", "label": "Transfer", "credits": "0.00", "debits": "50.00", "count": 1},
        ],
        "csvUrl": f"https://hub.example/statements/{customer}/BP.csv?from={urls['from']}&until={urls['until']}",
        "customer": {"reference": "alice"},
        "currency": {"code": "BP"},
    }
    assert [(one["kind"], one["direction"], one["points"]["amount"], one["balanceAfter"]) for one in lines] == [
        ("ISSUE", "CREDIT", "20.25", "120.75"),
        ("TRANSFER", "DEBIT", "50.00", "70.75"),
    ]
    assert [one["postedAt"] for one in lines] == [spelled(at) for at in story.at[1:3]]
    assert int(lines[0]["sequence"]) < int(lines[1]["sequence"])
    assert told["entries"]["pageInfo"]["hasNextPage"] is False


async def test_two_languages_differ_in_labels_alone(story: Story) -> None:
    english = await story.bank.ask(STATEMENT, **story.asked())
    chinese = await story.client.caller(story.client.hub.admin, "zh").ask(STATEMENT, **story.asked())
    labels = [[one.pop("label") for one in told["byKind"]] for told in (english, chinese)]
    assert labels == [["Issue", "Transfer"], ["发放", "转赠"]]
    assert english == chinese


async def test_lines_come_on_pages_the_oldest_first(story: Story) -> None:
    until, seen, after = spelled(story.at[3] + timedelta(microseconds=1)), [], None
    while True:
        asked = {"customer": ALICE, "from": LONG_AGO, "until": until, "after": after}
        page = (await story.bank.ask(ENTRIES, **asked))["entries"]
        seen += [edge["node"]["balanceAfter"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["100.50", "120.75", "70.75", "73.75"]


async def test_movements_of_a_period_are_the_newest_first(story: Story) -> None:
    async def told(**bounds: str) -> list[str]:
        page = await story.bank.ask(MOVEMENTS, customer=ALICE, **bounds)
        return [edge["node"]["balanceAfter"] for edge in page["edges"]]

    assert await told() == ["73.75", "70.75", "120.75", "100.50"]
    assert await told(**{"from": spelled(story.at[1]), "until": spelled(story.at[3])}) == ["70.75", "120.75"]
    assert await told(until=spelled(story.at[1])) == ["100.50"]
    assert await told(**{"from": spelled(story.at[3])}) == ["73.75"]
    assert await told(until=LONG_AGO) == []


async def test_a_balance_of_a_past_instant(story: Story) -> None:
    async def total(at: str, currency: str = "BP") -> str:
        told = await story.bank.ask(BALANCE, customer=ALICE, currency=currency, at=at)
        assert (told["at"], told["held"], told["available"]) == (at, told["held"], told["total"])
        return str(told["total"])

    assert [await total(spelled(at)) for at in story.at] == ["100.50", "120.75", "70.75", "73.75"]
    assert await total(LONG_AGO) == await total("0001-01-01T00:00:00Z") == "0.00"
    assert await total(spelled(story.at[3]), "NONE") == "0"  # never had any


async def test_who_does_not_see_the_customer_is_told_as_little_as_of_nobody(story: Story) -> None:
    key, _ = await story.client.hub.key("OTHER", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
    other = story.client.caller(key)
    nobody = {"institution": "BANK", "reference": "nobody"}
    for caller, customer, currency in (
        (other, ALICE, "BP"),
        (other, nobody, "BP"),
        (story.bank, nobody, "BP"),
        (story.bank, {"institution": "BANK", "reference": "a\0b"}, "BP"),
        (story.bank, ALICE, "NOPE"),
        (story.bank, {"institution": "NOPE", "reference": "alice"}, "BP"),
    ):
        asked = {"customer": customer, "currency": currency}
        assert await caller.ask(STATEMENT, **{**story.asked(), **asked}) is None
        assert await caller.ask(BALANCE, at=LONG_AGO, **asked) is None


async def test_what_is_not_past_or_ends_before_it_begins_is_refused(story: Story) -> None:
    future = spelled(datetime.now(UTC) + timedelta(minutes=1))
    assert await story.bank.codes(STATEMENT, **(story.asked() | {"until": future})) == ["NOT_PAST"]
    assert await story.bank.codes(BALANCE, customer=ALICE, currency="BP", at=future) == ["NOT_PAST"]
    last = "9999-12-31T23:59:59.999999Z"
    assert await story.bank.codes(BALANCE, customer=ALICE, currency="BP", at=last) == ["NOT_PAST"]
    assert await story.bank.codes(STATEMENT, **story.asked(3, 0)) == ["BAD_INPUT"]
    empty = await story.bank.ask(STATEMENT, **story.asked(1, 1))
    assert (empty["opening"], empty["closing"], empty["byKind"]) == ("100.50", "100.50", [])


# --- as CSV -----------------------------------------------------------------------------------------------------------

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
MADE = Statement(7, Span(), 10_050, 7_075)
TRANSFER = (5 << 20) + 3
ROWS = [
    Entry(4 << 20, 0, True, MovementKind.ISSUE, START + timedelta(seconds=1), 2_025, 12_075, '=SUM(A1), "x"\r\n你好'),
    Entry(TRANSFER, 1, False, MovementKind.TRANSFER, START + timedelta(days=1, microseconds=5), 5_000, 7_075, None),
]


async def two_pages() -> AsyncIterator[list[Entry]]:
    for row in ROWS:
        yield [row]


async def spell(currency: PointCurrency, labels: Any) -> bytes:
    return b"".join([piece async for piece in sheet(MADE, START, END, currency, two_pages(), labels)])


@pytest.fixture
async def points(story: Story) -> PointCurrency:
    of = story.client.hub.engine.configuration.currency("BP")
    assert of is not None
    return of


async def test_a_sheet_is_a_header_the_opening_the_lines_and_the_closing(points: PointCurrency) -> None:
    text = (await spell(points, None)).decode()
    assert text == (
        "posted_at,id,kind,direction,amount,balance_after,memo,sequence\r\n"
        "2026-01-01T00:00:00Z,,OPENING,,,100.50,,\r\n"
        '2026-01-01T00:00:01Z,mv_8000001,ISSUE,CREDIT,20.25,120.75,"\'=SUM(A1), ""x""\r\n你好",4194304\r\n'
        "2026-01-02T00:00:00.000005Z,mv_a000062,TRANSFER,DEBIT,50.00,70.75,,5242883\r\n"
        "2026-02-01T00:00:00Z,,CLOSING,,,70.75,,\r\n"
    )
    assert len(list(csv.reader(io.StringIO(text, newline="")))) == 5


async def test_sheets_in_two_languages_differ_in_words_alone(points: PointCurrency) -> None:
    plain, english, chinese = [
        list(csv.reader(io.StringIO((await spell(points, labels)).decode("utf-8-sig"), newline="")))
        for labels in (None, "en", "zh")
    ]
    assert chinese[0] == ["入账时间", "明细编号", "类型", "方向", "积分数", "余额", "备注", "序号"]
    assert [row[2] for row in chinese[1:]] == ["期初余额", "发放", "转赠", "期末余额"]
    assert [row[3] for row in english] == ["Direction", "", "Credit", "Debit", ""]
    words = {label(word, language): word for word in LABELS for language in ("en", "zh")}
    for told in (english, chinese):
        assert [[words.get(cell, cell) for cell in row] for row in told] == plain


async def test_a_sheet_for_people_is_known_as_utf_8_to_their_spreadsheets(points: PointCurrency) -> None:
    assert (await spell(points, "zh")).startswith(b"\xef\xbb\xbf")
    assert (await spell(points, None)).startswith(b"posted_at")


@pytest.mark.parametrize(
    "memo", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", "'=1"]
)
def test_a_memo_that_could_be_a_formula_is_made_text(memo: str) -> None:
    assert harmless(memo) == f"'{memo}"


@pytest.mark.parametrize("memo", ["", "a=1", "'a", "12", "你好", " -"])
def test_any_other_memo_stays_as_it_is(memo: str) -> None:
    assert harmless(memo) == memo


async def test_a_sheet_is_made_piece_by_piece(points: PointCurrency) -> None:
    """A piece comes before the next page is asked for."""
    asked: list[int] = []

    async def endless() -> AsyncIterator[list[Entry]]:
        while True:
            asked.append(len(asked))
            yield ROWS * 250

    pieces = sheet(MADE, START, END, points, endless(), None)
    for expected in ([], [0], [0, 1], [0, 1, 2]):
        assert len(await anext(pieces)) < 100_000
        assert asked == expected


async def test_the_partners_guide_shows_what_is_answered(client: Client) -> None:
    hub = client.hub
    for code in ("BANK", "SHOP"):
        await hub.institution(code)
    await hub.currency("NORTH", "BANK")
    party = Party("BANK", "6217-0001")
    more: dict[str, Any] = {"actor": hub.admin, "currency": "NORTH"}
    memo = "card, January"
    await hub.do(commands.Issue(key="i", to=party, amount="60000", earned_at=None, expires_at=None, memo=memo, **more))
    await hub.do(commands.Redeem(key="r", customer=party, merchant="SHOP", amount="1500", memo=None, **more))
    [(document, shown, table)] = re.findall(
        r"```graphql\n(.*?)```\n```json\n(.*?)```.*?```csv\n(.*?)```", GUIDE.read_text(), re.S
    )
    caller = client.caller(hub.admin)
    now = (await caller.ask("{ hub { time } }"))["time"]
    until, at = "2026-02-01T00:00:00+08:00", "2026-01-31T23:59:59+08:00"
    assert document.count(until) == document.count(at) == 1
    told = await caller.ask(document.replace(until, now).replace(at, now).replace("2026-01-01", "2000-01-01"))
    told["statement"]["csvUrl"] = "…"
    assert told == json.loads(shown)

    account = (await hub.sql("SELECT id FROM account WHERE kind = 1"))[0][0]
    currency = hub.engine.configuration.currency("NORTH")
    assert currency is not None
    made = Statement(account, Span(), 0, 58_500)
    pieces = sheet(made, START, END, currency, statements.pages(hub.database, made), None)
    rows = list(csv.reader(io.StringIO(b"".join([piece async for piece in pieces]).decode(), newline="")))
    expected = list(csv.reader(io.StringIO(table)))
    assert [row[2:7] for row in rows] == [row[2:7] for row in expected]
    assert rows[0] == expected[0]


def test_labels_are_in_one_of_two_languages() -> None:
    assert [sheets.language(asked) for asked in (None, "en", "zh")] == [None, "en", "zh"]
    for wrong in ("", "fr", "zh-CN", "EN"):
        with pytest.raises(BadInput):
            sheets.language(wrong)


def test_every_word_of_a_statement_has_a_label() -> None:
    words = {*COLUMNS, "OPENING", "CLOSING", "CREDIT", "DEBIT", *MovementKind.__members__}
    assert words == LABELS.keys()
    assert all(english and chinese and english != chinese for english, chinese in LABELS.values())
