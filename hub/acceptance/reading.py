"""Disputes and acceptances as they are looked at, from one reader's snapshot. A dispute is open to whoever sees one of
the two institutions of its line from within; whether a report may be seen is the caller's to ask.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, and_, literal, or_, select

from hub import ids, lookups, tables
from hub.acceptance.disputes import (
    UNENDED,
    Dispute,
    DisputeStatus,
    DisputeStep,
    Statement,
    statement_of,
)
from hub.acceptance.reports import Acceptance, Standing, deadline, standing, standing_acceptance
from hub.ledger import dispute_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Window
from hub.reading import Reader

_acceptance, _dispute, _step = tables.acceptance, tables.dispute, tables.dispute_step
_entry = tables.journal_entry


class Stands(msgspec.Struct, frozen=True):
    """How a report stands, until when its lines may be disputed, and the acceptance that counts."""

    standing: Standing
    until: datetime
    acceptance: Acceptance | None


async def stands(reader: Reader, window: Window, institution: int) -> Stands | None:
    """How an institution's report of a window stands; None: the window is open, or the institution is the operator,
    whose report nobody accepts."""
    configuration = reader.configuration
    if window.closed_in is None or window.closed_at is None or institution == configuration.operator.id:
        return None
    same = and_(_acceptance.c.window_id == window.id, _acceptance.c.institution_id == institution)
    found = await dispute_rows.acceptances(reader.connection, same)
    accepted = standing_acceptance(found, configuration.acceptance_keys)
    going_on = and_(
        _dispute.c.window_id == window.id,
        _dispute.c.institution_id == institution,
        _dispute.c.status.in_([status.value for status in UNENDED]),
    )
    disputed = bool(await dispute_rows.disputes(reader.connection, going_on, most=1))
    until = deadline(configuration.dispute_terms.values(), window.closed_in, window.closed_at)
    return Stands(standing(accepted, disputed, until, reader.at), until, accepted)


async def disputes(
    reader: Reader,
    window: int | None,
    institution: int | None,
    status: DisputeStatus | None,
    before: int | None,
    rows_max: int,
) -> list[Dispute]:
    """Disputes that are open to the viewer, the newest first, from before an identifier on; only those of a window, of
    an institution that opened them, or that stand so, if these are given."""
    where: list[ColumnElement[bool]] = [] if before is None else [_dispute.c.id < before]
    where += [] if window is None else [_dispute.c.window_id == window]
    where += [] if institution is None else [_dispute.c.institution_id == institution]
    where += [] if status is None else [_dispute.c.status == status.value]
    if not reader.viewer.sees_all:
        seen = [id for id in reader.configuration.institutions if reader.sees(id)]
        where.append(or_(_dispute.c.payer_id.in_(seen), _dispute.c.payee_id.in_(seen)))
    return await dispute_rows.disputes(reader.connection, and_(literal(True), *where), most=rows_max)


async def dispute(reader: Reader, id: int) -> Dispute | None:
    """A dispute, if it is open to the viewer."""
    found = await dispute_rows.disputes(reader.connection, _dispute.c.id == id)
    return found[0] if found and reader.sees(found[0].line.payer, found[0].line.payee) else None


async def history(reader: Reader, of: int) -> list[tuple[DisputeStep, datetime, Statement]]:
    """A dispute's steps, in order, with their times and what was said."""
    found = await dispute_rows.steps(reader.connection, _step.c.dispute_id == of)
    said = await lookups.memos(reader, [step.id for step in found])
    times = await _times(reader, {ids.batch_of(step.id) for step in found})
    return [(step, times[ids.batch_of(step.id)], statement_of(said.get(step.id, ""))) for step in found]


async def _times(reader: Reader, batches: Collection[int]) -> dict[int, datetime]:
    found = await reader.connection.execute(
        select(_entry.c.batch, _entry.c.at).where(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch.in_(batches))
    )
    return {row.batch: row.at for row in found}
