"""The hub's own comparisons: each day once, again while something is open, and by one process of several."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.currencies import PartnerState
from hub.ledger import commands
from hub.reconciliation.daily import AGAIN_AFTER, Daily
from hub.reconciliation.reconciling import Shelf
from tests.conftest import Hub
from tests.hub.reconciliation.conftest import Day
from tests.hub.reconciliation.writing import Row, write

AFTER = timedelta(hours=2)


def daily(day: Day, shelf: Path, door: Hub | None = None) -> Daily:
    hub = door or day.hub
    return Daily(hub.database, hub.engine, hub.reading, day.registry, Shelf(shelf), AFTER)


async def runs(day: Day) -> list[str]:
    return [row["day"] for row in await day.hub.sql("SELECT day FROM reconciliation ORDER BY id")]


async def test_a_day_is_compared_once_when_it_has_been_over_for_a_while(day: Day) -> None:
    await day.credit(10)
    one, ending = daily(day, day.folder), asyncio.Event()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await one.turn(datetime.now(UTC), ending) == 0  # the day is not over, and the one before it had no currency
    assert await one.turn(tomorrow, ending) == 1
    assert await one.turn(tomorrow, ending) == 0
    assert await runs(day) == [day.day.isoformat()]


async def test_two_processes_compare_it_once(day: Day) -> None:
    await day.credit(10)
    other = day.hub.beside()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    turns = (
        daily(day, day.folder).turn(tomorrow, asyncio.Event()),
        daily(day, day.folder, other).turn(tomorrow, asyncio.Event()),
    )
    await asyncio.gather(*turns)
    await other.close()
    assert await runs(day) == [day.day.isoformat()]


async def test_what_is_open_is_looked_at_again_the_next_day(day: Day) -> None:
    reference = await day.credit(10)
    day.plant("UPDATE orders SET amount = '9.00' WHERE reference = ?", reference)
    one, ending = daily(day, day.folder), asyncio.Event()
    now = datetime.now(UTC)
    assert await one.turn(now + timedelta(days=1), ending) == 1
    # The run was kept now, so by the clock of this turn that was before today began: it counts as yesterday's.
    day.plant("UPDATE orders SET amount = '10.00' WHERE reference = ?", reference)
    assert await one.turn(now + timedelta(days=2), ending) == 2  # with the day after it
    assert (await day.breaks())[reference]["status"] == "MATCHED_LATER"
    assert await day.history(reference) == ["FOUND", "MATCHED"]


async def test_a_file_on_the_shelf_is_taken_and_a_wrong_one_tried_again_later(day: Day) -> None:
    reference = await day.credit(10)
    shelf = Shelf(day.folder / "shelf")
    given = write(day.folder / "given.csv", [Row(reference, datetime.now(UTC))], "STAY", day.day)
    shelf.keep("MILE", day.day, given)
    one, ending = daily(day, shelf.folder), asyncio.Event()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await one.turn(tomorrow, ending) == 0
    shelf.keep("MILE", day.day, write(given, [Row(reference, datetime.now(UTC))], "MILE", day.day))
    assert await one.turn(tomorrow, ending) == 0  # not at once again
    assert await one.turn(tomorrow + AGAIN_AFTER, ending) == 1
    [row] = await day.hub.sql("SELECT document FROM reconciliation")
    assert '"source":"FILE"' in row["document"]


async def test_a_halted_partner_is_left_alone(day: Day) -> None:
    halt = commands.SetPartnerState(actor=day.hub.admin, currency="MILE", state=PartnerState.HALTED, reason="r")
    await day.hub.do(halt)
    assert await daily(day, day.folder).turn(datetime.now(UTC) + timedelta(days=1), asyncio.Event()) == 0


async def test_it_ends_when_it_is_asked_to(day: Day) -> None:
    ending = asyncio.Event()
    running = asyncio.create_task(daily(day, day.folder).run(ending))
    ending.set()
    await asyncio.wait_for(running, 30)
