"""A process that is stopped longer than its lease sends nothing afterwards."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec

from hub.ledger.commands import Party
from tests.exchange.played import MEMBERS
from tests.exchange.seeds import History, founded, timed
from tests.exchange.virtual import Loop, Time, run
from tests.hub.ledger.test_exchanges import conversion
from tests.properties.world import START

STOPPED_S = 40  # longer than a lease of the seeds


async def stopped(history: History) -> None:
    """One process takes the order and stops before it sends it; meanwhile it is found never to have come."""
    history.peace = True
    for books in history.books.values():
        books.peace = True
        books.capabilities = msgspec.structs.replace(books.capabilities, idempotent=False, status=True)
    history.begin()
    [first] = history.processes
    connect = first.partner

    async def slowly(*of: Any) -> Any:
        first.partner = connect  # type: ignore[method-assign]
        await asyncio.sleep(STOPPED_S)
        return await connect(*of)

    first.partner = slowly  # type: ignore[method-assign]
    source, target = Party("AIR", MEMBERS[0]), Party("HOTEL", MEMBERS[0])
    await history.operator.do(conversion(history.operator, source, target, "MILE>STAY", "200"))
    await asyncio.sleep(10)
    history.begin()
    await asyncio.sleep(10 * STOPPED_S)


def test_whoever_was_stopped_longer_than_its_lease_sends_nothing() -> None:
    world, loop = founded(), Loop()
    time = Time(loop, START + timedelta(days=1))
    history = History(0, loop, world.database.copy(), world.hub, time)
    with timed(time):
        run(loop, stopped(history))
    assert history.books["MILE"].done.total() == 0  # it was refused, because nobody had sent it
    history.check_end()
