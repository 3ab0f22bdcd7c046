"""Runs and breaks as they are looked at, from one reader's snapshot; whether the viewer may see them is the caller's to
ask, but for pages, which show what is open to the viewer.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, and_, literal, select

from hub import ids, lookups, tables
from hub.ledger import break_rows
from hub.ledger.journal import JOURNAL_ID
from hub.reading import Reader
from hub.reconciliation.breaks import Break, BreakStatus, BreakStep, BreakType, Run

_run, _break, _step, _entry = (
    tables.reconciliation,
    tables.reconciliation_break,
    tables.break_step,
    tables.journal_entry,
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which breaks are asked for; None: whichever. ``owner``: a person."""

    currency: str | None = None
    day: str | None = None
    status: BreakStatus | None = None
    type: BreakType | None = None
    owner: str | None = None


def _open_to(reader: Reader) -> list[str] | None:
    """The currencies whose issuer the viewer sees from within; None: all."""
    if reader.viewer.sees_all:
        return None
    return [of.code for of in reader.configuration.currencies.values() if reader.sees(of.issuer)]


async def runs(reader: Reader, currency: str | None, day: str | None, before: int | None, rows_max: int) -> list[Run]:
    """Runs that are open to the viewer, the newest first, from before an identifier on."""
    where: list[ColumnElement[bool]] = [] if before is None else [_run.c.id < before]
    where += [_run.c.currency == currency] if currency is not None else []
    where += [_run.c.day == day] if day is not None else []
    if (codes := _open_to(reader)) is not None:
        where.append(_run.c.currency.in_(codes))
    return await break_rows.runs(reader.connection, and_(literal(True), *where), most=rows_max)


async def run(reader: Reader, id: int) -> Run | None:
    """A run, if it is open to the viewer."""
    found = await break_rows.runs(reader.connection, _run.c.id == id)
    return found[0] if found and _sees(reader, found[0].currency) else None


async def breaks(reader: Reader, wanted: Wanted, before: int | None, rows_max: int) -> list[Break]:
    """Breaks that are open to the viewer, the newest first, from before an identifier on."""
    where: list[ColumnElement[bool]] = [] if before is None else [_break.c.id < before]
    for column in ("currency", "day", "status", "type"):
        value = getattr(wanted, column)
        where += [_break.c[column] == str(value)] if value is not None else []
    if wanted.owner is not None:
        mine = [one.id for one in reader.configuration.credentials.values() if one.person == wanted.owner]
        where.append(_break.c.owner_id.in_(mine))
    if (codes := _open_to(reader)) is not None:
        where.append(_break.c.currency.in_(codes))
    return await break_rows.breaks(reader.connection, and_(literal(True), *where), most=rows_max)


async def break_(reader: Reader, id: int) -> Break | None:
    """A break, if it is open to the viewer."""
    found = await break_rows.breaks(reader.connection, _break.c.id == id)
    return found[0] if found and _sees(reader, found[0].currency) else None


def _sees(reader: Reader, currency: str) -> bool:
    of = reader.configuration.currency(currency)
    return of is not None and reader.sees(of.issuer)


async def history(reader: Reader, of: int) -> list[tuple[BreakStep, datetime, str]]:
    """A break's steps, in order, with their times and what was said; that of the first is whom the sides name."""
    found = await break_rows.steps(reader.connection, _step.c.break_id == of)
    said = await lookups.memos(reader, [of, *(step.id for step in found)])
    times = await _times(reader, {ids.batch_of(step.id) for step in found})
    texts = {step.id: said.get(step.id, "") for step in found}
    if found:
        texts[found[0].id] = said.get(of, "")
    return [(step, times[ids.batch_of(step.id)], texts[step.id]) for step in found]


async def _times(reader: Reader, batches: Collection[int]) -> dict[int, datetime]:
    found = await reader.connection.execute(
        select(_entry.c.batch, _entry.c.at).where(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch.in_(batches))
    )
    return {row.batch: row.at for row in found}
