"""Freezes: what people ask of restrictions, and of what was missing when points were taken away. Freezes of amounts are
holds (``hub.holdings``)."""

from collections.abc import Collection

from sqlalchemy import select

from hub import tables
from hub.ledger import rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Missing, Movement, MovementKind, Restriction
from hub.reading import Reader

_restriction, _movement = tables.restriction, tables.movement


async def missing(reader: Reader, of: Collection[int]) -> dict[int, Missing]:
    """What movements could not take, by movement; nothing of those that took all."""
    return await rows.missing(reader.connection, of) if of else {}


async def restriction(reader: Reader, id: int) -> Restriction | None:
    """A freeze or an unfreezing of accounts, or a customer's leaving."""
    return (await rows.restrictions(reader.connection, _restriction.c.id == id)).get(id)


async def restrictions(reader: Reader, customer: int, after: int | None, rows_max: int) -> list[Restriction]:
    """The history of a customer's restrictions, the newest first, from before ``after`` on."""
    page = select(_restriction.c.id).where(
        _restriction.c.journal_id == JOURNAL_ID, _restriction.c.customer_id == customer
    )
    if after is not None:
        page = page.where(_restriction.c.id < after)
    wanted = _restriction.c.id.in_(page.order_by(_restriction.c.id.desc()).limit(rows_max))
    return sorted((await rows.restrictions(reader.connection, wanted)).values(), key=lambda one: -one.id)


async def cleared(reader: Reader, of: Collection[int]) -> dict[int, list[Movement]]:
    """What was cleared when customers left, by restriction, ordered by currency."""
    found: dict[int, list[Movement]] = {}
    if of:
        where = _movement.c.subject_id.in_(of) & (_movement.c.kind == MovementKind.CLEAR)
        for moved in (await rows.movements(reader.connection, where)).values():
            found.setdefault(moved.subject or 0, []).append(moved)
    return found
