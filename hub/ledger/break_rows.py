"""Break rows: runs of reconciliation and breaks as the database has them, and what a batch must know of them. Other
batches ask nothing.
"""

from collections.abc import Collection

import msgspec
from sqlalchemy import ColumnElement, RowMapping, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.orders import exchange_of
from hub.ledger.rows import with_time
from hub.reconciliation.breaks import Break, BreakStatus, BreakStep, Ending, Figures, Run, SideSum, StepKind

_run, _break, _step, _entry = (
    tables.reconciliation,
    tables.reconciliation_break,
    tables.break_step,
    tables.journal_entry,
)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's row says beyond its currency and day."""

    scale: int
    sides: tuple[SideSum, ...]
    matched: int
    opened: int
    unchanged: int
    settled: int
    vanished: int


_documents = msgspec.json.Decoder(Document)
_figures = msgspec.json.Decoder(Figures)


def document_of(run: Run) -> str:
    """The document of a run's row."""
    fields = {name: getattr(run, name) for name in Document.__struct_fields__}
    return msgspec.json.encode(Document(**fields)).decode()


def figures_of(text: str) -> Figures:
    """The figures in a column.

    Raises:
        msgspec.DecodeError: they are none.
    """
    return _figures.decode(text)


def document(text: str) -> Document:
    """The document in a column.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _documents.decode(text)


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The breaks that the batch names, and those of the days that it reconciles with their last runs; the proposals
    that stand, and what it takes to post."""
    where: ColumnElement[bool] = _break.c.id.in_(needs.breaks)
    for currency, day in needs.reconciled:
        where = or_(where, and_(_break.c.currency == currency, _break.c.day == day))
        for run in await runs(connection, and_(_run.c.currency == currency, _run.c.day == day), most=1):
            book.runs[currency, day] = run
    book.breaks = {one.id: one for one in await breaks(connection, where)}
    proposals = [one.proposal for one in book.breaks.values() if one.proposal is not None]
    if proposals:
        book.break_proposals = {step.of: step for step in await steps(connection, _step.c.id.in_(proposals))}
    for id in needs.breaks & book.breaks.keys():
        found = book.breaks[id]
        needs.issuer(found.currency)
        if (exchange := exchange_of(found.reference)) is not None and needs.money:
            needs.exchanges.add(exchange)


async def runs(connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None) -> list[Run]:
    """Runs that meet a condition on their table, the newest first."""
    statement = with_time(_run).where(where).order_by(_run.c.id.desc()).limit(most)
    return [_run_of(row) for row in (await connection.execute(statement)).mappings()]


def _run_of(row: RowMapping) -> Run:
    told = document(row["document"])
    return Run(
        id=row["id"],
        at=row["at"],
        credential=row["credential_id"],
        currency=row["currency"],
        day=row["day"],
        **{name: getattr(told, name) for name in Document.__struct_fields__},
    )


async def breaks(connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None) -> list[Break]:
    """Breaks that meet a condition on their table, the newest first."""
    statement = with_time(_break).where(where).order_by(_break.c.id.desc()).limit(most)
    return [
        Break(
            id=row["id"],
            at=row["at"],
            run=row["run_id"],
            currency=row["currency"],
            day=row["day"],
            scale=row["scale"],
            reference=row["reference"],
            figures=figures_of(row["figures"]),
            status=BreakStatus(row["status"]),
            owner=row["owner_id"],
            proposal=row["proposal_id"],
        )
        for row in (await connection.execute(statement)).mappings()
    ]


async def steps(connection: AsyncConnection, where: ColumnElement[bool]) -> list[BreakStep]:
    """Steps that meet a condition on their table, in order."""
    found = await connection.execute(select(_step).where(_step.c.journal_id == JOURNAL_ID, where).order_by(_step.c.id))
    return [
        BreakStep(
            id=row.id,
            of=row.break_id,
            kind=StepKind(row.kind),
            credential=row.credential_id,
            run=row.run_id,
            figures=None if row.figures is None else figures_of(row.figures),
            owner=row.owner_id,
            ending=None if row.ending is None else Ending(row.ending),
            adjusted=row.adjusted,
            movement=row.movement_id,
        )
        for row in found
    ]


async def adjusted(connection: AsyncConnection, currency: str, references: Collection[str] | None) -> dict[str, int]:
    """What ends of breaks have posted, by reference, in smallest units of the currency and signed; of all of a
    currency's references, or of these."""
    statement = (
        select(_break.c.reference, _step.c.adjusted)
        .select_from(_break)
        .join(_step, and_(_step.c.journal_id == _break.c.journal_id, _step.c.break_id == _break.c.id))
        .where(_break.c.journal_id == JOURNAL_ID, _break.c.currency == currency, _step.c.movement_id.is_not(None))
    )
    if references is not None:
        statement = statement.where(_break.c.reference.in_(references))
    sums: dict[str, int] = {}
    for row in await connection.execute(statement):
        sums[row.reference] = sums.get(row.reference, 0) + row.adjusted
    return sums
