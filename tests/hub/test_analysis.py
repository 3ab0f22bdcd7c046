"""Analysis: each act's points are counted once, whatever they are divided by, reversals where what they undo was."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from hub import analysis, ids, postgres
from hub.access import Role
from hub.analysis import Dimension, Flow
from hub.audit import audit
from hub.currencies import ExpiryKind
from hub.errors import InvalidInput, TooManyParts
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.points import normalise, render
from tests.conftest import Hub, Pass
from tests.hub.agreed import acceptance, agree
from tests.hub.audited import tampered

FIGURES = ("issued", "converted_in", "redeemed", "converted_out", "expired", "adjusted")


@dataclass(frozen=True)
class Fact:
    """What an act did to a currency's circulation, by the book of whoever asked for it."""

    currency: str
    figure: str
    units: int
    institution: str
    acting: str
    day: str
    level: int
    zone: str | None = None
    merchant: str | None = None
    product: str | None = None
    channel: str | None = None


class Book:
    """Acts of customers of two branches of a bank and of another bank, and what they come to."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.keys = count(1)
        self.facts: list[Fact] = []
        self.zones: dict[str, str | None] = {"WEST": "Delta", "EAST": None, "HKB": None}
        self.made: list[tuple[int, int, list[Fact]]] = []  # what may be reversed: of how much

    async def found(self) -> "Book":
        hub = self.hub
        for code, parent in (("BANK", "HUB"), ("EAST", "BANK"), ("WEST", "BANK"), ("HKB", "HUB")):
            await hub.institution(code, parent=parent)
        for code in ("TEA", "CAFE"):
            await hub.institution(code)
        await hub.currency("BP", "BANK", time_zone="Asia/Shanghai")
        await hub.currency("HK", "HKB", scale=2, unit_value="0.037", money="HKD", time_zone="Asia/Shanghai")
        await hub.rate("BP", "HK", "7:10")
        await hub.rate("HK", "BP", "9:10")
        await hub.do(commands.SetZones(actor=hub.admin, institution="WEST", zones=("Delta", "North"), starts=None))
        return self

    def key(self) -> str:
        return f"a{next(self.keys)}"

    async def day(self) -> str:
        [[day]] = await self.hub.sql("SELECT to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') FROM journal_head")
        return str(day)

    async def note(self, made: Any, amount: int, *facts: Fact) -> None:
        day = await self.day()
        known = [replace(fact, day=day, zone=self.zones[fact.institution]) for fact in facts]
        self.facts += known
        self.made.append((made.id, amount, known))

    async def issue(self, currency: str, home: str, amount: int, channel: str | None, product: str | None) -> None:
        scale = 100 if currency == "HK" else 1
        made = await self.hub.do(
            commands.Issue(
                actor=self.hub.admin,
                key=self.key(),
                currency=currency,
                to=Party(home, "c"),
                amount=f"{amount}",
                earned_at=None,
                expires_at=None,
                memo=None,
                channel=channel,
                product=product,
            )
        )
        fact = Fact(currency, "issued", amount * scale, home, issuer(currency), "", level(home))
        await self.note(made, amount * scale, replace(fact, channel=channel, product=product))

    async def redeem(self, currency: str, home: str, amount: int, merchant: str, product: str | None) -> None:
        scale = 100 if currency == "HK" else 1
        made = await self.hub.do(
            commands.Redeem(
                actor=self.hub.admin,
                key=self.key(),
                currency=currency,
                customer=Party(home, "c"),
                merchant=merchant,
                amount=f"{amount}",
                memo=None,
                channel="pos",
                product=product,
            )
        )
        fact = Fact(currency, "redeemed", amount * scale, home, home, "", level(home), None, merchant, product, "pos")
        await self.note(made, amount * scale, fact)

    async def convert(self, source: str, target: str, home: str, away: str, amount: int, channel: str | None) -> None:
        made = await self.hub.do(
            commands.Convert(
                actor=self.hub.admin,
                key=self.key(),
                source=Party(home, "c"),
                target=Party(away, "c"),
                source_currency=source,
                target_currency=target,
                amount=f"{amount}",
                minimum_target=None,
                channel=channel,
            )
        )
        figures = made.figures
        out = Fact(source, "converted_out", figures.source, home, home, "", level(home), channel=channel)
        came = Fact(target, "converted_in", figures.target, away, home, "", level(away), channel=channel)
        await self.note(made, figures.target, out, came)

    async def reverse(self, place: int, part: int) -> None:
        """Take ``part`` of an act back, in credited points: it counts as less of what it was."""
        id, amount, facts = self.made.pop(place)
        scale = 2 if facts[-1].currency == "HK" else 0
        await self.hub.do(
            commands.Reverse(
                actor=self.hub.admin, key=self.key(), id=id, amount=normalise(render(part, scale)), reason="wrong"
            )
        )
        day = await self.day()
        for fact in facts:
            back = replace(fact, units=-(fact.units * part // amount), day=day, zone=self.zones[fact.institution])
            self.facts.append(back)

    async def flows(self, *by: Dimension, starts: datetime | None = None, until: datetime | None = None) -> list[Flow]:
        async with self.hub.reading.open(self.hub.admin) as reader:
            currencies = list(reader.configuration.currencies.values())
            return await analysis.flows(reader, currencies, by, starts, until)

    def expected(self, *by: str) -> Counter[tuple[object, ...]]:
        summed: Counter[tuple[object, ...]] = Counter()
        for fact in self.facts:
            key = (fact.currency, *(getattr(fact, name) for name in by))
            summed[(*key, fact.figure)] += fact.units
        return Counter({key: units for key, units in summed.items() if units})


def issuer(currency: str) -> str:
    return "HKB" if currency == "HK" else "BANK"


def level(home: str) -> int:
    return {"EAST": 2, "WEST": 2, "HKB": 1}[home]


def found(hub: Hub, by: Sequence[Dimension], flows: Sequence[Flow]) -> Counter[tuple[object, ...]]:
    """The same as ``Book.expected``, of what was read."""
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    institutions = (Dimension.INSTITUTION, Dimension.ACTING, Dimension.MERCHANT)
    summed: Counter[tuple[object, ...]] = Counter()
    for flow in flows:
        named = [
            codes[value] if dimension in institutions and isinstance(value, int) else value
            for dimension, value in zip(by, flow.key, strict=True)
        ]
        for figure in FIGURES:
            summed[(flow.currency, *named, figure)] += getattr(flow, figure)
    return Counter({key: units for key, units in summed.items() if units})


async def test_every_division_has_the_figures_of_the_acts_and_the_same_totals(hub: Hub, pass_: Pass) -> None:
    book, dice = await Book(hub).found(), random.Random(44)
    for home, currency in (("EAST", "BP"), ("WEST", "BP"), ("HKB", "HK")):
        await book.issue(currency, home, 100_000, None, None)
    book.made.clear()  # these are spent from
    for _ in range(4):
        for _ in range(20):
            home = dice.choice(["EAST", "WEST"])
            what = dice.choice(["issue", "redeem", "out", "in", "reverse"])
            amount = dice.randint(10, 500)
            if what == "issue":
                await book.issue("BP", home, amount, dice.choice([None, "web", "pos"]), dice.choice([None, "card"]))
            elif what == "redeem":
                await book.redeem("BP", home, amount, dice.choice(["TEA", "CAFE"]), dice.choice([None, "cup"]))
            elif what == "out":
                await book.convert("BP", "HK", home, "HKB", amount, dice.choice([None, "web"]))
            elif what == "in":
                await book.convert("HK", "BP", "HKB", home, amount, dice.choice([None, "app"]))
            elif book.made:
                place = dice.randrange(len(book.made))
                await book.reverse(place, book.made[place][1] // dice.choice([1, 2, 3]))
        pass_(timedelta(hours=dice.randint(9, 30)))
    divisions = [
        [],
        [Dimension.INSTITUTION],
        [Dimension.LEVEL],
        [Dimension.ZONE],
        [Dimension.ACTING],
        [Dimension.MERCHANT],
        [Dimension.PRODUCT],
        [Dimension.CHANNEL],
        [Dimension.DAY],
        [Dimension.CHANNEL, Dimension.PRODUCT, Dimension.INSTITUTION, Dimension.DAY],
    ]
    whole = await book.flows()
    assert [flow.currency for flow in whole] == ["BP", "HK"]
    for by in divisions:
        flows = await book.flows(*by)
        names = [dimension.value.lower() for dimension in by]
        assert found(hub, by, flows) == book.expected(*names), by
        for total in whole:  # money too, though each part is rounded
            parts = [flow for flow in flows if flow.currency == total.currency]
            assert sum(part.circulation for part in parts) == total.circulation
            assert sum(part.liability for part in parts) == total.liability
    held = await hub.sql("SELECT currency, sum(credits_posted - debits_posted) FROM account WHERE kind = 1 GROUP BY 1")
    assert {flow.currency: flow.circulation for flow in whole} == dict(held)
    # 0.05 CNY a point, and 0.037 HKD one of two decimals: in millionths, never added
    assert whole[0].liability == whole[0].circulation * 50_000
    assert whole[1].liability == (whole[1].circulation * 370 * 2 + 1) // 2
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_period_counts_what_was_posted_in_it(hub: Hub, pass_: Pass) -> None:
    book = await Book(hub).found()
    await book.issue("BP", "EAST", 100, "web", None)
    pass_(timedelta(days=40))
    [[later]] = await hub.sql("SELECT at + interval '20 days' FROM journal_head")
    await book.redeem("BP", "EAST", 30, "TEA", "cup")
    [before], [after] = await book.flows(until=later), await book.flows(starts=later)
    assert (before.issued, before.redeemed, before.circulation) == (100, 0, 100)
    assert (after.issued, after.redeemed, after.circulation) == (0, 30, -30)
    assert (before.liability, after.liability) == (5_000_000, -1_500_000)  # at 0.05 CNY
    months = await book.flows(Dimension.MONTH)
    assert len(months) == 2
    assert str(months[0].key[0]) < str(months[1].key[0])
    [last] = await book.flows(Dimension.YEAR, Dimension.PRODUCT, starts=later)
    assert last.key == (str(months[1].key[0])[:4], "cup")


async def test_what_ends_is_breakage_and_what_a_freeze_removes_is_not(hub: Hub, pass_: Pass) -> None:
    await hub.institution("BANK")
    await hub.currency("YP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=1)
    await hub.issue("YP", "BANK", "c", "80")
    frozen = await hub.do(
        commands.FreezePoints(
            actor=hub.admin, key="f", currency="YP", customer=Party("BANK", "c"), amount="10", reason="returned"
        )
    )
    await hub.do(
        commands.ResolveFreeze(
            actor=hub.admin, key="r", freeze=frozen.id, outcome=commands.FreezeOutcome.REMOVE, reason="refunded"
        )
    )
    pass_(timedelta(days=70))
    await hub.issue("YP", "BANK", "c", "5")
    # Before it, what is over goes.
    await hub.do(
        commands.Transfer(
            actor=hub.admin,
            key="t",
            currency="YP",
            source=Party("BANK", "c"),
            target=Party("BANK", "d"),
            amount="2",
            memo=None,
        )
    )
    async with hub.reading.open(hub.admin) as reader:
        [flow] = await analysis.flows(reader, list(reader.configuration.currencies.values()), [])
    assert (flow.issued, flow.expired, flow.adjusted, flow.circulation) == (85, 70, -10, 5)


async def test_names_are_bounded_and_so_are_the_parts_of_figures(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    book = await Book(hub).found()
    for channel, product in (("c" * 65, None), (None, "p" * 65)):
        with pytest.raises(InvalidInput):
            await book.issue("BP", "EAST", 1, channel, product)
    for product in ("a", "b", "c"):
        await book.issue("BP", "EAST", 1, None, product)
    monkeypatch.setattr(analysis, "PARTS_MAX", 2)
    with pytest.raises(TooManyParts):
        await book.flows(Dimension.PRODUCT)


async def test_labels_are_sealed_by_the_journal(hub: Hub, postgres_server: postgres.Server) -> None:
    book = await Book(hub).found()
    await book.issue("BP", "EAST", 1, "web", "card")
    for statement, codes in (
        ("UPDATE act_label SET product = 'gold card'", {"ENTRY_CONTENT"}),
        ("DELETE FROM act_label", {"ENTRY_CONTENT"}),
        ("UPDATE act_label SET act_id = act_id + 1000", {"ENTRY_CONTENT", "ACT_LABEL"}),
    ):
        async with tampered(postgres_server, hub) as connection:
            await connection.exec_driver_sql(statement)
            assert {finding.code for finding in (await audit(connection)).findings} == codes


async def test_points_by_the_version_that_priced_them_sum_to_the_whole(hub: Hub) -> None:
    for code in ("BANK", "AIR", "TEA"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR")
    shop, _ = await hub.key("TEA", Role.INSTITUTION_ADMIN)
    al = Party("BANK", "al")

    def redeem(key: str, amount: str) -> commands.Redeem:
        terms: dict[str, Any] = {"currency": "BP", "customer": al, "merchant": "TEA", "memo": None}
        return commands.Redeem(actor=hub.admin, key=key, amount=amount, **terms)

    async def convert(key: str, amount: str) -> str:
        pair = {"source_currency": "BP", "target_currency": "MILE"}
        terms: dict[str, Any] = {"source": al, "target": Party("AIR", "al"), **pair}
        command = commands.Convert(actor=hub.admin, key=key, amount=amount, minimum_target=None, **terms)
        return ids.text(ids.RATE, (await hub.do(command)).rate)

    await hub.issue("BP", "BANK", "al", "1000")
    await hub.do(redeem("plain", "30"))
    one = await agree(hub, acceptance(hub, "TEA", "0.04"), shop)
    first = await hub.do(redeem("first", "100"))
    await hub.rate("BP", "MILE", "1:2")
    slow = await convert("slow", "20")
    two = await agree(hub, acceptance(hub, "TEA", "0.03", fee_percent="1"), shop)
    await hub.do(redeem("second", "250"))
    await hub.rate("BP", "MILE", "1:1")
    fast = await convert("fast", "50")
    # What is taken back when the second version is in force was priced by the first.
    await hub.do(commands.Reverse(actor=hub.admin, key="back", id=first.id, amount="40", reason="returned"))
    async with hub.reading.open(hub.admin) as reader:
        of = reader.configuration.currencies[reader.configuration.currency_codes["BP"]]
        parts = await analysis.flows(reader, [of], [Dimension.VERSION])
        [whole] = await analysis.flows(reader, [of], [])
    out = {flow.key[0]: (flow.issued, flow.redeemed, flow.converted_out) for flow in parts}
    assert out == {
        None: (1000, 30, 0),
        one.name: (0, 60, 0),  # 100 - 40
        two.name: (0, 250, 0),
        slow: (0, 0, 20),
        fast: (0, 0, 50),
    }
    for figure in (*FIGURES, "liability"):
        assert sum(getattr(flow, figure) for flow in parts) == getattr(whole, figure), figure
