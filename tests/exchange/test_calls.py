"""Calls: whose one is, and since when its order may have been sent."""

from datetime import timedelta

import pytest

from hub import calls, clock
from hub.partners import Status
from tests.conftest import Hub
from tests.hub.ledger.test_exchanges import AL, HAN, begun, network

LEASE = timedelta(seconds=90)


async def taken(hub: Hub) -> tuple[calls.Call, calls.Call]:
    """The call of one order, as one process has it whose lease ended, and as the next one has."""
    await network(hub)
    await begun(hub, AL, HAN, "MILE>STAY", "200")
    now = clock.now() + timedelta(seconds=1)
    [first] = await calls.take(hub.database, now, LEASE, 10)
    [second] = await calls.take(hub.database, now + LEASE, LEASE, 10)
    return first, second


async def test_an_order_may_have_been_sent_until_the_lease_ended_of_whoever_did_not_put_it_back(hub: Hub) -> None:
    first, second = await taken(hub)
    assert first.sent_at is None
    assert first.leased_until is not None
    assert second.sent_at == first.leased_until


@pytest.mark.parametrize("text", ["", "PH-1-C", "a\0b", "PH-1-C\0", "PH-1-C\n", "\ud800", "x" * 1_000], ids=ascii)
async def test_nobody_has_a_reference_that_is_none_of_ours(hub: Hub, text: str) -> None:
    assert await calls.look(hub.database, text) is None


async def test_whose_lease_ended_puts_nothing_back_and_ends_no_lease(hub: Hub) -> None:
    first, second = await taken(hub)
    await calls.put_back(hub.database, first, clock.now(), None, Status.ABSENT, None, None)
    await calls.let_go(hub.database, [first], clock.now())
    found = await calls.look(hub.database, first.reference)
    assert found is not None
    assert found.leased_until == second.leased_until
    assert found.sent_at == second.sent_at


async def test_of_who_is_halted_only_what_has_waited_for_long_is_taken(hub: Hub) -> None:
    await network(hub)
    await begun(hub, AL, HAN, "MILE>STAY", "200")
    now, hour = clock.now() + timedelta(seconds=1), timedelta(hours=1)
    assert await calls.take(hub.database, now, LEASE, 10, ["MILE"], ["MILE"], hour) == []
    assert await calls.take(hub.database, now + hour, LEASE, 10, ["MILE"], [], hour) == []  # it is only left alone
    [taken] = await calls.take(hub.database, now + hour, LEASE, 10, ["MILE"], ["MILE"], hour)
    assert taken.sent_at is None
