"""Issues: what people ask of issues and of the records for which they were made."""

from collections.abc import Collection

from sqlalchemy import select

from hub import tables
from hub.ledger import rows
from hub.ledger.commands import is_storable
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Cancellation, Movement
from hub.reading import Reader

_record = tables.issue_record


async def issues(reader: Reader, currency: str, record: str, after: int | None, rows_max: int) -> list[Movement]:
    """The issues of a currency that were made for a record, the oldest first, from after ``after`` on."""
    if not is_storable(record):
        return []
    page = select(_record.c.movement_id).where(
        _record.c.journal_id == JOURNAL_ID,
        _record.c.currency == currency,
        _record.c.record == record,
        _record.c.movement_id > (after or 0),
    )
    wanted = tables.movement.c.id.in_(page.order_by(_record.c.movement_id).limit(rows_max))
    return list((await rows.movements(reader.connection, wanted)).values())


async def records(reader: Reader, of: Collection[int]) -> dict[int, str]:
    """What issues were made for, by issue."""
    if not of:
        return {}
    found = await reader.connection.execute(
        select(_record.c.movement_id, _record.c.record).where(
            _record.c.journal_id == JOURNAL_ID, _record.c.movement_id.in_(of)
        )
    )
    return {row.movement_id: row.record for row in found}


async def cancellation(reader: Reader, id: int) -> Cancellation | None:
    """A cancellation of a record's issues."""
    return (await rows.cancellations(reader.connection, tables.cancellation.c.id == id)).get(id)
