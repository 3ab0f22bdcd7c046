"""Traces: what shows that reports of a closed window were there, though the rows of them are gone.

Reports are made on demand, so a closed window may have none; but each of these comes after them: a report of a later
window of the same model, which is chained to them; a supplement, which names one; an acceptance, which is signed over
one; a dispute of a line, and a payment that was confirmed, before which the edges have them made. The database's owner
can take all of these away as well: what says more is a copy in a member's hands.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from sqlalchemy import Select, and_, func, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger.journal import JOURNAL_ID

_window, _report, _supplement = tables.settlement_window, tables.settlement_report, tables.settlement_supplement


class Trace(StrEnum):
    """One of them; its value completes a sentence on the window."""

    LATER = "a later window of its model has some"
    REPORT = "another of its reports is there"
    SUPPLEMENT = "it has supplements"
    ACCEPTED = "some were accepted"
    DISPUTED = "lines of them were disputed"
    CONFIRMED = "payments of it were confirmed"


WAIVABLE: Final = frozenset({Trace.DISPUTED, Trace.CONFIRMED})
"""What programs let happen without reports before they had them made first."""


async def traces(connection: AsyncConnection, of: Collection[int] | None = None) -> Mapping[int, tuple[Trace, ...]]:
    """What shows of windows, by default of all, that reports of them were made; of those of which anything does."""
    owed, paid = tables.obligation, tables.obligation_payment
    followed = []
    for table in (_report, _supplement):
        last = (
            select(_window.c.model, func.max(_window.c.number).label("number"))
            .join(table, and_(table.c.journal_id == _window.c.journal_id, table.c.window_id == _window.c.id))
            .where(_window.c.journal_id == JOURNAL_ID)
            .group_by(_window.c.model)
            .subquery()
        )
        followed.append(
            select(_window.c.id.label("window"), literal(Trace.LATER.name).label("trace"))
            .join(last, and_(last.c.model == _window.c.model, last.c.number > _window.c.number))
            .where(_window.c.journal_id == JOURNAL_ID)
        )
    named = [
        select(table.c.window_id, literal(trace.name)).where(table.c.journal_id == JOURNAL_ID)
        for table, trace in (
            (_report, Trace.REPORT),
            (_supplement, Trace.SUPPLEMENT),
            (tables.acceptance, Trace.ACCEPTED),
            (tables.dispute, Trace.DISPUTED),
            (tables.confirmation, Trace.CONFIRMED),
        )
    ]
    obliged: Select[tuple[int, str]] = (
        select(owed.c.window_id, literal(Trace.CONFIRMED.name))
        .join(paid, and_(paid.c.journal_id == owed.c.journal_id, paid.c.obligation_id == owed.c.id))
        .where(owed.c.journal_id == JOURNAL_ID)
    )
    found = union(*followed, *named, obliged).subquery()
    where = () if of is None else (found.c.window.in_(of),)
    shown: dict[int, set[Trace]] = {}
    for window, name in await connection.execute(select(found.c.window, found.c.trace).where(*where)):
        shown.setdefault(window, set()).add(Trace[name])
    return {window: tuple(sorted(those, key=list(Trace).index)) for window, those in shown.items()}
