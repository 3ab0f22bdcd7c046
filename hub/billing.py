"""Billing: counting what was done in a month, and having it billed; the months that are due.

What is counted is over and never changes, so it is read before and beside the batch that bills it. That batch bills a
month once, whoever else counted it too and whatever was cut off before: there is nothing to take up again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.bills import Month, Usage, month_of, months_over
from hub.configuration import Configuration
from hub.errors import Duplicate
from hub.ids import first_of
from hub.ledger import commands
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Billing, MovementKind
from hub.reading import Reading

# What is charged for: each act once, when it is done. What takes one back is free.
BILLED: Final = (
    MovementKind.ISSUE,
    MovementKind.TRANSFER,
    MovementKind.REDEEM,
    MovementKind.CONVERT,
    MovementKind.CAPTURE,
)
_movement, _entry, _draw = tables.movement, tables.journal_entry, tables.prepaid_draw


async def used(connection: AsyncConnection, starts: datetime, ends: datetime) -> tuple[Usage, ...]:
    """What was done in [``starts``, ``ends``), by the institution for which it was, and the point currency. What was
    drawn on prepaid blocks is paid for: it is not counted, and an act of nothing else neither."""
    first, last = await _first(connection, starts), await _first(connection, ends)
    if first is None:
        return ()
    conditions = _of(_movement.c.id, first, last)
    prepaid = select(_draw.c.movement_id, func.sum(_draw.c.units).label("units")).where(
        _draw.c.journal_id == JOURNAL_ID, *(_of(_draw.c.movement_id, first, last))
    )
    drawn = prepaid.group_by(_draw.c.movement_id).subquery()
    units = _movement.c.amount - func.coalesce(drawn.c.units, 0)
    found = await connection.execute(
        select(_movement.c.for_institution_id, _movement.c.currency, func.count(), func.sum(units))
        .select_from(_movement)
        .outerjoin(drawn, drawn.c.movement_id == _movement.c.id)
        .where(_movement.c.journal_id == JOURNAL_ID, _movement.c.kind.in_(BILLED), units > 0, *conditions)
        .group_by(_movement.c.for_institution_id, _movement.c.currency)
        .order_by(_movement.c.for_institution_id, _movement.c.currency)
    )
    return tuple(Usage(institution, currency, acts, int(units)) for institution, currency, acts, units in found)


def _of(column: Column[int], first: int, last: int | None) -> list[ColumnElement[bool]]:
    """That an identifier is of a batch from ``first`` on and before ``last``."""
    return [column >= first_of(first), *([] if last is None else [column < first_of(last)])]


async def _first(connection: AsyncConnection, at: datetime) -> int | None:
    """The first batch at or after an instant."""
    found: int | None = await connection.scalar(
        select(func.min(_entry.c.batch)).where(_entry.c.journal_id == JOURNAL_ID, _entry.c.at >= at)
    )
    return found


async def bill(reading: Reading, engine: Engine, month: Month, zone: str) -> Billing:
    """Bill a month of days in ``zone``.

    Raises:
        InvalidInput: the month is not over.
        Duplicate: it is billed, or a later one is.
        Fault: the queue is full, or the hub is closing.
    """
    host = (await reading.refresh()).host.id
    async with reading.open(host) as reader:
        over = month.ends(zone) <= reader.at
    counted: tuple[Usage, ...] = ()
    if over:
        async with reading.open(host, past=month.ends(zone)) as reader:
            counted = await used(reader.connection, month.starts(zone), month.ends(zone))
    made = await engine.ask(commands.Bill(actor=host, period=str(month), zone=zone, used=counted))
    if not isinstance(made, Billing):
        raise TypeError(f"{type(made).__name__} is no billing")
    return made


def due(configuration: Configuration, billed_until: datetime | None, at: datetime, zone: str) -> Iterator[Month]:
    """The months that are over and not billed, in order: from the one on in which prices were first agreed."""
    starts = [one.starts for versions in configuration.charging.values() for one in versions if one.starts is not None]
    if not starts:
        return
    before = min(starts) if billed_until is None else billed_until
    last = month_of(before, zone)
    previous = Month(last.year - (last.month == 1), (last.month - 2) % 12 + 1)
    yield from months_over(previous, at, zone)


async def bill_due(reading: Reading, engine: Engine, zone: str) -> list[Billing]:
    """Bill all months that are due; what somebody else bills meanwhile is billed."""
    configuration = await reading.refresh()
    if not configuration.charging:
        return []
    async with reading.open(configuration.host.id) as reader:
        until = await reader.connection.scalar(
            select(func.max(tables.billing.c.ends_at)).where(tables.billing.c.journal_id == JOURNAL_ID)
        )
        at = reader.at
    made = []
    for month in due(configuration, until, at, zone):
        try:
            made.append(await bill(reading, engine, month, zone))
        except Duplicate:
            continue
    return made
