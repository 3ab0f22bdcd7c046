"""Cover rows: what was put up and taken back as the database has it, and what a batch must know of it."""

from sqlalchemy import ColumnElement, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.cover import CoverEntry, EntryStatus, Pot
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.needs import Needs

_entry, _decision, _journal = tables.cover_entry, tables.cover_decision, tables.journal_entry


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The entries that the batch decides on, and those with a bank's reference that it records; of all of these the
    institutions, and what stands in the way of taking something back."""
    named = or_(
        _entry.c.id.in_(needs.cover_entries),
        tuple_(_entry.c.currency, _entry.c.reference).in_(needs.cover_references),
    )
    book.cover_entries = {one.id: one for one in await entries(connection, named)}
    needs.institutions.update(one.institution for one in book.cover_entries.values())
    needs.default_currencies.update(one.currency for one in book.cover_entries.values())


async def entries(
    connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None
) -> list[CoverEntry]:
    """Entries that meet a condition on their table, the newest first."""
    made, decided = _journal.alias("made"), _journal.alias("decided")
    statement = (
        select(
            _entry,
            made.c.at,
            _decision.c.id.label("decision"),
            _decision.c.status,
            _decision.c.credential_id.label("decided_by"),
            _decision.c.movement_id,
            decided.c.at.label("decided_at"),
        )
        .select_from(_entry)
        .join(made, and_(made.c.journal_id == _entry.c.journal_id, made.c.batch == batch_of(_entry.c.id)))
        .outerjoin(_decision, and_(_decision.c.journal_id == _entry.c.journal_id, _decision.c.entry_id == _entry.c.id))
        .outerjoin(
            decided,
            and_(decided.c.journal_id == _decision.c.journal_id, decided.c.batch == batch_of(_decision.c.id)),
        )
        .where(_entry.c.journal_id == JOURNAL_ID, where)
        .order_by(_entry.c.id.desc())
        .limit(most)
    )
    return [
        CoverEntry(
            id=row["id"],
            at=row["at"],
            credential=row["credential_id"],
            institution=row["institution_id"],
            pot=Pot(row["pot"]),
            currency=row["currency"],
            amount=row["amount"],
            value_date=row["value_date"],
            reference=row["reference"],
            status=EntryStatus(row["status"] or EntryStatus.PROPOSED),
            decision=row["decision"],
            decided_by=row["decided_by"],
            decided_at=row["decided_at"],
            movement=row["movement_id"],
        )
        for row in (await connection.execute(statement)).mappings()
    ]
