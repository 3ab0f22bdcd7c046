"""Prepaid blocks: bought, drawn on by grants, brought back to, handed back; and what the audit finds."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import billing, postgres, prepaids
from hub.access import Role
from hub.audit import audit
from hub.bills import Usage
from hub.books.balances import trial_balance
from hub.errors import (
    Forbidden,
    InsufficientLiquidity,
    InsufficientPrepaid,
    InvalidAmount,
    InvalidInput,
    LimitExceeded,
    NotAccepted,
    NotFound,
    NotHosted,
)
from hub.ledger import commands
from hub.ledger.commands import MoneyText
from hub.prepaid import BlockStatus, Liability
from settlement.publish import Reports
from tests.conftest import Hub, Pass
from tests.hub.agreed import agree, grant
from tests.hub.audited import check_every
from tests.hub.ledger.test_exchanges import REMOTE, owed
from tests.hub.ledger.test_granting import issue
from tests.settlement.test_publish import keys, lines_of, reports, verified

__all__ = ["keys", "reports"]  # fixtures

CNY = 1_000_000


class World:
    """BANK sells BP to TEL, whose terms say 0.03 CNY for a point beyond its blocks; SHOP is below TEL."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.bank = self.tel = self.shop = 0

    async def set_up(self) -> None:
        for code, parent in (("BANK", None), ("TEL", None), ("SHOP", "TEL")):
            await self.hub.institution(code, parent=parent)
        await self.hub.currency("BP", "BANK")
        self.bank, _ = await self.hub.key("BANK", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
        self.tel, _ = await self.hub.key("TEL", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
        self.shop, _ = await self.hub.key("SHOP", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
        await agree(self.hub, grant(self.hub, "TEL", "0.03"), self.tel)

    def offer(self, points: str, price: str, until: datetime | None = None, **more: Any) -> commands.OfferBlock:
        usual: dict[str, Any] = {"actor": self.bank, "currency": "BP", "holder": "TEL", "until": until}
        return commands.OfferBlock(**{**usual, "points": points, "price": MoneyText(price, "CNY"), **more})

    async def buy(self, points: str, price: str, until: datetime | None = None) -> Any:
        offered = await self.hub.do(self.offer(points, price, until))
        return await self.hub.do(commands.AcceptBlock(actor=self.tel, id=offered.id))

    async def standing(self) -> list[tuple[int, int]]:
        """What of each block is drawn, and handed back."""
        return [tuple(row) for row in await self.hub.sql("SELECT drawn, refunded FROM prepaid_block ORDER BY id")]

    async def draws(self, movement: int) -> list[tuple[int, int]]:
        statement = "SELECT block_id, units FROM prepaid_draw WHERE movement_id = $1 ORDER BY place"
        return [tuple(row) for row in await self.hub.sql(statement, movement)]


@pytest.fixture
async def world(hub: Hub) -> AsyncIterator[World]:
    made = World(hub)
    await made.set_up()
    yield made
    async with hub.database.snapshot() as connection:
        findings = (await audit(connection)).findings
        assert findings == ()


async def test_a_grant_draws_on_the_oldest_blocks_first_and_what_is_taken_back_returns_to_the_very_blocks(
    world: World, postgres_server: postgres.Server
) -> None:
    hub = world.hub
    told = commands.SetPrepaidNotice(actor=world.tel, currency="BP", holder="TEL", points="40")
    assert (await hub.do(told)).low  # 0 < 40
    first, second = await world.buy("100", "2.50"), await world.buy("50", "1.00")
    assert await owed(hub) == {"TEL": -3_500_000, "BANK": 3_500_000}  # 2.50 + 1.00, at once and once

    one = await hub.do(issue(hub, "one", "80", "TEL", actor=world.tel))
    assert (one.value, await world.draws(one.id)) == (0, [(first.id, 80)])
    two = await hub.do(issue(hub, "two", "30", "SHOP", actor=world.shop))  # below TEL, by TEL's terms
    assert (two.value, await world.draws(two.id)) == (0, [(first.id, 20), (second.id, 10)])
    three = await hub.do(issue(hub, "three", "100", "TEL", actor=world.tel))
    assert (three.value, await world.draws(three.id)) == (1_800_000, [(second.id, 40)])  # (100 - 40) × 0.03
    assert await owed(hub) == {"TEL": -5_300_000, "BANK": 5_300_000}  # what was drawn is owed by nobody
    assert await world.standing() == [(100, 0), (50, 0)]

    # Of the 100 the 60 that were billed come back first, and then 15 of the 40 that were drawn.
    back = await hub.do(commands.Reverse(actor=world.tel, key="back", id=three.id, amount="50", reason="returned"))
    assert (back.value, await world.draws(back.id)) == (1_500_000, [])  # 50 × 0.03
    rest = await hub.do(commands.Reverse(actor=world.tel, key="rest", id=three.id, amount="25", reason="returned"))
    assert (rest.value, await world.draws(rest.id)) == (300_000, [(second.id, -15)])  # 10 × 0.03
    of_two = await hub.do(commands.Reverse(actor=world.shop, key="of two", id=two.id, amount=None, reason="returned"))
    assert await world.draws(of_two.id) == [(second.id, -10), (first.id, -20)]  # what was drawn last, first
    assert await world.standing() == [(80, 0), (25, 0)]
    assert await owed(hub) == {"TEL": -3_500_000, "BANK": 3_500_000}

    # 45 are left: 20 of the first, 25 of the second. Handing 10 of the second back is worth 10/50 of 1.00.
    asked = await hub.do(commands.ProposeRefund(actor=world.tel, id=second.id, points="10"))
    taken = commands.AcceptRefund(actor=world.bank, id=second.id, proposal=asked.proposal)
    with pytest.raises(Forbidden):
        await hub.do(commands.AcceptRefund(actor=world.tel, id=second.id, proposal=asked.proposal))
    handed = await hub.do(taken)
    assert (handed.refunded, handed.left) == (10, 15)
    assert await owed(hub) == {"TEL": -3_300_000, "BANK": 3_300_000}
    with pytest.raises(NotFound):
        await hub.do(taken)  # once
    turned = await hub.do(commands.ProposeRefund(actor=world.bank, id=first.id, points=None))
    ended = commands.DeclineRefund(actor=world.tel, id=first.id, proposal=turned.proposal, reason="we need them")
    assert (await hub.do(ended)).proposal is None

    # Told: low at once, not any more with the first block, low when 40 were left or fewer, and each crossing once.
    notices = await hub.sql("SELECT threshold, low, units_left FROM prepaid_notice ORDER BY id")
    assert [tuple(row) for row in notices] == [
        (40, True, 0),
        (40, False, 100),
        (40, True, 0),  # 150 - 80 = 70, - 30 = 40 is not below 40, - 40 = 0 is
        (40, False, 45),  # 0 + 15 is still low; + 30 = 45
        (40, True, 35),  # 45 - 10
    ]
    await check_every(
        {
            "a draw that is not there": ("DELETE FROM prepaid_draw WHERE units = 20", "PREPAID_DRAW"),
            "a draw of another block": (
                f"UPDATE prepaid_draw SET block_id = {second.id} WHERE units = 80",
                "PREPAID_DRAW",
            ),
            "a draw that comes back to another block": (
                f"UPDATE prepaid_draw SET block_id = {first.id} WHERE units = -15",
                "PREPAID_DRAW",
            ),
            "a draw of more": ("UPDATE prepaid_draw SET units = 41 WHERE units = 40", "TERMS_FIGURES"),
            "a block of more points": (f"UPDATE prepaid_block SET units = 200 WHERE id = {first.id}", "PREPAID_DRAW"),
            "a block at another price": (
                f"UPDATE prepaid_block SET value = value + 1 WHERE id = {first.id}",
                "PREPAID_FIGURES",
            ),
            "a block that the issuer has not offered": (
                f"UPDATE prepaid_block SET credential_id = {world.tel} WHERE id = {first.id}",
                "PREPAID_BLOCK",
            ),
            "more left than is": (f"UPDATE prepaid_block SET drawn = 0 WHERE id = {first.id}", "PREPAID_STANDING"),
            "taken by another": (
                f"UPDATE prepaid_step SET credential_id = {world.bank} WHERE kind = 'SOLD'",
                "PREPAID_STEP",
            ),
            "handed back by one side": (
                f"UPDATE prepaid_step SET credential_id = {world.tel} WHERE kind = 'REFUNDED'",
                "PREPAID_STEP",
            ),
            "nobody told": ("DELETE FROM prepaid_notice WHERE units_left = 35", "PREPAID_NOTICE"),
            "told nothing at once": ("UPDATE prepaid_notice SET low = false WHERE units_left = 0", "PREPAID_NOTICE"),
            "billed though drawn": (f"UPDATE movement SET value = 1 WHERE id = {one.id}", "TERMS_FIGURES"),
            "paid back though brought back": (f"UPDATE movement SET value = 1 WHERE id = {of_two.id}", "REVERSAL"),
        },
        hub,
        postgres_server,
    )


async def test_blocks_are_offered_and_taken_by_their_two_sides_alone_and_nothing_is_granted_beyond_them_if_so_agreed(
    world: World, pass_: Pass
) -> None:
    hub, soon = world.hub, datetime.now(UTC) + timedelta(hours=1)
    await hub.currency("RP", "BANK", **REMOTE)
    for refused, why in (
        (world.offer("10", "1", actor=world.tel), Forbidden),  # its issuer's word
        (world.offer("10", "1", actor=hub.admin), Forbidden),  # and nobody's for it
        (world.offer("10", "1", holder="BANK"), InvalidInput),
        (world.offer("10", "1", until=datetime(2020, 1, 1, tzinfo=UTC)), InvalidInput),
        (world.offer("10", "1.001"), InvalidAmount),  # no whole fen
        (world.offer("0", "1"), InvalidAmount),
        (world.offer("10", "0"), InvalidAmount),
        (world.offer("0.5", "1"), InvalidAmount),
        (world.offer("10", "1", holder="NOBODY"), NotFound),
        (world.offer("10", "1", currency="RP"), NotHosted),  # a partner keeps them
    ):
        with pytest.raises(why):
            await hub.do(refused)
    offered = await hub.do(world.offer("50", "1.00", soon))
    assert (offered.status, await owed(hub)) == (BlockStatus.OFFERED, {})  # nothing is owed for an offer
    for actor, missing in ((world.bank, Forbidden), (hub.admin, Forbidden), (world.shop, NotFound)):
        with pytest.raises(missing):
            await hub.do(commands.AcceptBlock(actor=actor, id=offered.id))
    await hub.cap("TEL", "0.99")
    with pytest.raises(LimitExceeded):
        await hub.do(commands.AcceptBlock(actor=world.tel, id=offered.id))
    await hub.cap("TEL", None)
    cover: dict[str, Any] = {"currency": "CNY", "line": "0.99", "haircut_percent": "0", "fund": "0", "due_days": 1}
    await hub.do(commands.SetCover(actor=hub.admin, institution="TEL", needed=True, **cover))
    with pytest.raises(InsufficientLiquidity):  # a block is a debt like any other until the window is paid
        await hub.do(commands.AcceptBlock(actor=world.tel, id=offered.id))
    eased = {**cover, "line": "2"}
    await hub.do(commands.SetCover(actor=hub.admin, institution="TEL", needed=True, **eased))
    proposals = [one.proposal for one in hub.engine.configuration.covers.values() if one.proposal is not None]
    await hub.do(commands.ApproveCover(actor=hub.second, id=proposals[0].id))
    await hub.do(commands.AcceptBlock(actor=world.tel, id=offered.id))
    with pytest.raises(InvalidInput):
        await hub.do(commands.AcceptBlock(actor=world.tel, id=offered.id))  # once
    other = await hub.do(world.offer("5", "1.00"))
    ended = await hub.do(commands.DeclineBlock(actor=world.tel, id=other.id, reason="too dear"))
    assert ended.status is BlockStatus.DECLINED
    with pytest.raises(InvalidInput):
        await hub.do(commands.ProposeRefund(actor=world.tel, id=other.id, points=None))
    of_shop = await hub.do(world.offer("5", "1.00", holder="SHOP"))
    with pytest.raises(NotAccepted):  # the terms that it grants by are TEL's, so that nothing would draw on it
        await hub.do(commands.AcceptBlock(actor=world.shop, id=of_shop.id))

    # From here on nothing is granted beyond the blocks: of two grants of 30 in one batch the second finds 20 left.
    await agree(hub, grant(hub, "TEL", "0.03", prepaid_only=True), world.tel)
    answers = await hub.batch([issue(hub, f"both {n}", "30", "TEL", actor=world.tel) for n in range(2)])
    assert [getattr(one, "refusal", None) is None for one in answers] == [True, False]
    refusal = getattr(answers[1], "refusal")  # noqa: B009
    assert isinstance(refusal, InsufficientPrepaid)
    assert refusal.details == {"currency": "BP", "left": "20", "requested": "30"}
    with pytest.raises(InsufficientPrepaid):
        await hub.do(commands.ProposeRefund(actor=world.bank, id=offered.id, points="21"))
    everything = await hub.do(commands.ProposeRefund(actor=world.bank, id=offered.id, points=None))
    await hub.do(issue(hub, "last", "19", "TEL", actor=world.tel))
    left = commands.AcceptRefund(actor=world.tel, id=offered.id, proposal=everything.proposal)
    assert (await hub.do(left)).refunded == 1  # all that is left by now
    assert await owed(hub) == {"TEL": -980_000, "BANK": 980_000}  # 1.00 - 1/50 of it
    with pytest.raises(InsufficientPrepaid):
        await hub.do(issue(hub, "none", "1", "TEL", actor=world.tel))

    # Who moves below the holder grants on its blocks in the same batch; a block that is over is drawn on no more, and
    # handed back.
    short = await world.buy("10", "0.50", soon)
    await hub.institution("KIOSK")
    kiosk = issue(hub, "kiosk", "4", "KIOSK")
    moved = commands.MoveInstitution(actor=hub.admin, code="KIOSK", parent="TEL")
    assert [getattr(one, "refusal", one) for one in await hub.batch([moved, kiosk])] == [None, None]
    assert (await world.standing())[-1] == (4, 0)
    pass_(timedelta(hours=1))
    with pytest.raises(InsufficientPrepaid):
        await hub.do(issue(hub, "over", "1", "TEL", actor=world.tel))
    late = await hub.do(commands.ProposeRefund(actor=world.tel, id=short.id, points=None))
    await hub.do(commands.AcceptRefund(actor=world.bank, id=short.id, proposal=late.proposal))
    assert await owed(hub) == {"TEL": -1_180_000, "BANK": 1_180_000}  # 0.98 + 0.50 - 6/10 of it


async def test_two_processes_that_draw_on_the_last_points_of_a_block_draw_each_of_them_once(world: World) -> None:
    hub = world.hub
    await agree(hub, grant(hub, "TEL", "0.03", prepaid_only=True), world.tel)
    await world.buy("7", "0.07")
    await world.buy("10", "0.10")
    other = hub.beside(batch_max=3)
    try:
        grants = [issue(hub, f"g{n}", "2", "TEL", actor=world.tel) for n in range(12)]
        doors = (hub, other)
        outcomes = await asyncio.gather(*(doors[n % 2].try_(one) for n, one in enumerate(grants)))
    finally:
        await other.close()
    refused = [one.refusal for one in outcomes if one.refusal is not None]
    assert [type(one) for one in refused] == [InsufficientPrepaid] * 4  # 17 points are 8 grants of 2
    assert await world.standing() == [(7, 0), (9, 0)]
    assert await hub.balance("BP", "TEL", "al") == 16


async def test_what_was_prepaid_is_on_no_bill_and_in_no_line_and_the_books_explain_it(
    world: World, reports: Reports
) -> None:
    hub = world.hub
    block = await world.buy("100", "2.50")
    await hub.do(issue(hub, "whole", "60", "TEL", actor=world.tel))
    beyond = await hub.do(issue(hub, "part", "50", "TEL", actor=world.tel))
    await hub.do(commands.Reverse(actor=world.tel, key="back", id=beyond.id, amount="5", reason="returned"))
    async with hub.database.snapshot() as connection:
        day = timedelta(days=1)
        used = await billing.used(connection, datetime.now(UTC) - day, datetime.now(UTC) + day)
    tel = hub.engine.configuration.institution_codes["TEL"]
    assert used == (Usage(tel, "BP", 1, 10),)  # one act, of which 10 points were not prepaid
    assert await owed(hub) == {"TEL": -2_650_000, "BANK": 2_650_000}  # 2.50 + 10 × 0.03 - 5 × 0.03

    closed = await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window()))
    lines = [json.loads(line) for line in await lines_of(hub, reports, closed, "TEL")]
    assert [(one["kind"], one["from"], one["points"], one["amount"], one.get("price")) for one in lines] == [
        ("prepay", "TEL", [{"amount": "100", "currency": "BP"}], "2.50", None),
        ("issue", "TEL", [{"amount": "10", "currency": "BP"}], "0.30", "0.03"),  # what was drawn is in no line
        ("reverse", "BANK", [{"amount": "5", "currency": "BP"}], "0.15", None),
    ]
    for code in ("TEL", "BANK", "HUB"):
        assert (await verified(hub, reports, closed, code)).findings == ()
    async with hub.reading.open(hub.admin) as reader:
        bank = reader.configuration.institution_codes["BANK"]
        found = await prepaids.liabilities(reader, {bank}, None)
        assert await prepaids.liabilities(reader, {tel}, None) == {}
        before = await prepaids.liabilities(reader, {bank}, block.at)
        balances = await trial_balance(reader, datetime.now(UTC).date())
    assert before == {}
    received = Liability(received=2_500_000, refunded=0, recognised=2_500_000, lapsed=0, liability=0)
    assert found == {("BP", "CNY"): received}  # 60 + 40 of 100 were granted
    sums: Counter[str] = Counter()
    for line in balances:
        sums[line.currency] += line.closing
    assert set(sums.values()) == {0}
