"""A destination that says "system error": what became of the credit is unknown, and what was given for it stays where
it is until evidence comes; over the real wire, with a source that holds points and with one that only debits."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from adapters.simulator.rules import Programme
from hub.audit import audit
from hub.ledger import commands
from hub.ledger.records import Conversion
from tests.conftest import Hub
from tests.exchange.world import AL, AT_ONCE, HAN, Quick, World, eventually, world
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
    called = len(at.counted.statuses)

    async def asked_again() -> bool | None:
        return True if len(at.counted.statuses) >= called + 3 else None

    await eventually(asked_again)
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
