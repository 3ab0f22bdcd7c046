"""A destination that says "system error": what became of the credit is unknown, and what was given for it stays where
it is until evidence comes; over the real wire, with a source that holds points and with one that only debits."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from adapters.orders import units_of
from adapters.simulator.rules import Programme
from hub.audit import audit
from hub.ledger import commands
from hub.ledger.records import Conversion
from hub.partners import Answer, Capabilities, Operation, Order
from tests.adapters.example import Airline, Configuration
from tests.conftest import Hub
from tests.exchange.world import AL, AT_ONCE, HAN, Quick, World, world
from tests.properties import invariants


class Holding(Quick):
    holds = True


class _Doubt:
    """A conversion whose credit ended in a system error, after which nobody can be asked."""

    def __init__(self, at: World, made: Conversion) -> None:
        self.world, self.made = at, made

    async def decide(self, *, done: bool) -> str:
        """Two persons say what they found in the hotel's books."""
        hub = self.world.hub
        await hub.do(commands.AddEvidence(actor=hub.admin, exchange=self.made.id, done=done, text="Their statement."))
        [proposal] = await hub.sql("SELECT id FROM exchange_evidence WHERE exchange_id = $1", self.made.id)
        approval = commands.ApproveEvidence(actor=hub.second, exchange=self.made.id, proposal=proposal["id"])
        await hub.do(approval)
        return await self.world.settled(self.made)


async def doubtful(at: World, key: str) -> _Doubt:
    """200 MILE = 300 STAY, of whose credit the hotel says that its system failed, and nothing more when it is asked."""
    await at.hotel.script("ERROR_DONE" if key == "done" else "ERROR_NOT_DONE", operation="CREDIT")
    await at.hotel.script("ERROR_NOT_DONE", operation="STATUS", next=10_000)
    made = await at.convert(AL, HAN, "MILE>STAY", "200", key=key)
    await at.until(made, "IN_DOUBT")
    await at.asked_again(3)
    assert await at.status(made) == "IN_DOUBT"  # however often it is asked, nothing is given back by itself
    return _Doubt(at, made)


@pytest.fixture
async def found(hub: Hub) -> AsyncIterator[Hub]:
    yield hub
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def members(at: World) -> tuple[str, int, str]:
    """What the airline's member can spend, what the airline holds of hers, and what the hotel's has."""
    member = at.airline.store.member("M-1")
    assert member is not None
    return await at.airline.available(), member.held, await at.hotel.available()


async def operations(at: World, of: Conversion) -> list[str]:
    rows = await at.hub.sql("SELECT operation FROM partner_order WHERE exchange_id = $1 ORDER BY id", of.id)
    return [row["operation"] for row in rows]


@pytest.mark.parametrize("holds", [True, False])
async def test_a_system_error_at_the_destination_is_unknown_until_evidence_comes(found: Hub, *, holds: bool) -> None:
    async with world(found, kind=Holding() if holds else Quick()) as at:
        success = await doubtful(at, "done")
        assert await members(at) == ("99800.00", 20_000 if holds else 0, "300.00")
        assert await success.decide(done=True) == "COMPLETED"  # settled
        assert await members(at) == ("99800.00", 0, "300.00")
        assert await operations(at, success.made) == (["HOLD", "CREDIT", "CAPTURE"] if holds else ["DEBIT", "CREDIT"])

        await at.hotel.http.delete("/sandbox/script")
        failure = await doubtful(at, "not done")
        assert await members(at) == ("99600.00", 20_000 if holds else 0, "300.00")
        assert await failure.decide(done=False) == ("REFUSED" if holds else "REVERSED")  # released
        assert await members(at) == ("99800.00", 0, "300.00")
        assert (await operations(at, failure.made))[2:] == ["RELEASE" if holds else "REVERSE"]

        await at.hotel.http.delete("/sandbox/script")
        await at.hotel.script("ERROR_DONE", operation="CREDIT")  # and the partner can be asked: that is evidence too
        asked = await at.convert(AL, HAN, "MILE>STAY", "200", key="asked")
        assert await at.settled(asked) == "COMPLETED"
        await at.hotel.script("REFUSED", operation="CREDIT", reason="MEMBER_BLOCKED")
        refused = await at.convert(AL, HAN, "MILE>STAY", "200", key="refused")
        assert await at.settled(refused) == ("REFUSED" if holds else "REVERSED")
        assert await members(at) == ("99600.00", 0, "600.00")


async def test_points_whose_hold_ended_meanwhile_are_taken_once_or_wait_for_a_person(found: Hub) -> None:
    """A source that breaks its word: its holds are void at once."""
    async with world(found, AT_ONCE, Holding(), programme=Programme(hold_for=timedelta(0))) as at:
        made = await at.convert(AL, HAN, "MILE>STAY", "200", key="there")
        assert await at.settled(made) == "COMPLETED"
        assert await operations(at, made) == ["HOLD", "CREDIT", "CAPTURE", "DEBIT"]
        assert await members(at) == ("99800.00", 0, "300.00")
        await at.airline.script("REFUSED", operation="DEBIT", reason="INSUFFICIENT_POINTS")  # she has spent them
        spent = await at.convert(AL, HAN, "MILE>STAY", "200", key="spent")
        await at.until(spent, "IN_DOUBT")
        [exchange] = await found.sql("SELECT state FROM exchange WHERE id = $1", spent.id)
        assert exchange["state"] == "COLLECTING"
        assert await _Doubt(at, spent).decide(done=True) == "COMPLETED"


class _Changed(Airline):
    """Once it has sent an order it refuses, by its configuration alone, what it is asked next, until that is over."""

    def __init__(self, configuration: Configuration, before: Capabilities, after: Capabilities) -> None:
        super().__init__(configuration)
        self.capabilities, self._after, self.is_over = before, after, False

    async def perform(self, order: Order) -> Answer:
        if order.operation in (Operation.DEBIT, Operation.HOLD, Operation.CAPTURE) and not self.is_over:
            units = units_of(order, self.capabilities)
            self.capabilities = self._after
            if isinstance(units, Answer):
                return units
        return await super().perform(order)


class _Changing(Quick):
    def __init__(self, *, holds: bool, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.holds, self._before, self._after, self.made = holds, before, after, list[_Changed]()

    def connect(self, configuration: Configuration) -> Airline:
        before = msgspec.structs.replace(super().connect(configuration).capabilities, **self._before)
        self.made.append(_Changed(configuration, before, msgspec.structs.replace(before, **self._after)))
        return self.made[-1]

    def change_back(self) -> None:
        for one in self.made:
            one.is_over = True


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (_Changing(holds=False, before={"status": False}, after={"maximum": 1}), ["DEBIT", "CREDIT"]),
        (_Changing(holds=False, before={"status": False}, after={"operations": frozenset()}), ["DEBIT", "CREDIT"]),
        (
            _Changing(holds=True, before={}, after={"operations": frozenset({Operation.DEBIT, Operation.CREDIT})}),
            ["HOLD", "CREDIT", "CAPTURE"],
        ),
    ],
    ids=["beyond its bounds by now", "not done by now", "owed, and not done by now"],
)
async def test_what_our_own_side_refuses_by_now_says_nothing_of_what_was_sent(
    found: Hub, kind: _Changing, asked: list[str]
) -> None:
    async with world(found, AT_ONCE, kind) as at:
        if not kind.holds:
            await at.airline.script("ERROR_DONE", operation="DEBIT")  # taken, and nobody can be asked
        made = await at.convert(AL, HAN, "MILE>STAY", "200")
        await at.until(made, "IN_DOUBT")
        await at.asked_again(3)
        assert await at.status(made) == "IN_DOUBT"
        kind.change_back()
        assert await at.settled(made) == "COMPLETED"
        assert await operations(at, made) == asked
        assert await members(at) == ("99800.00", 0, "300.00")


async def test_points_that_are_still_held_are_not_taken_beside_their_hold(found: Hub) -> None:
    async with world(found, AT_ONCE, Holding()) as at:
        await at.airline.script("REFUSED", operation="CAPTURE", reason="MEMBER_BLOCKED")
        made = await at.convert(AL, HAN, "MILE>STAY", "200")
        await at.until(made, "IN_DOUBT")
        assert await operations(at, made) == ["HOLD", "CREDIT", "CAPTURE"]
        assert await members(at) == ("99800.00", 20_000, "300.00")
        assert await _Doubt(at, made).decide(done=False) == "COMPLETED"  # its people have ended the hold: a plain debit
        assert await operations(at, made) == ["HOLD", "CREDIT", "CAPTURE", "DEBIT"]
