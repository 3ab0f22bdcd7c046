"""Freezes: what people ask of freezes, of restrictions, and of what was missing when points were taken away."""

from collections.abc import Collection

from sqlalchemy import select

from hub import tables
from hub.ledger import rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Hold, HoldKind, Missing, Movement, MovementKind, Restriction
from hub.reading import Reader

_hold, _restriction, _movement = tables.hold, tables.restriction, tables.movement


async def freeze(reader: Reader, id: int) -> Hold | None:
    """A freeze of an amount."""
    found = (await rows.holds(reader.connection, _hold.c.id == id)).get(id)
    return found if found is not None and found.kind is HoldKind.FREEZE else None


async def freezes(reader: Reader, customer: int, currency: str | None, after: int | None, rows_max: int) -> list[Hold]:
    """A customer's freezes, the newest first, from before ``after`` on."""
    conditions = [_hold.c.customer_id == customer, _hold.c.kind == HoldKind.FREEZE]
    if currency is not None:
        conditions.append(_hold.c.currency == currency)
    if after is not None:
        conditions.append(_hold.c.id < after)
    page = (
        select(_hold.c.id)
        .where(_hold.c.journal_id == JOURNAL_ID, *conditions)
        .order_by(_hold.c.id.desc())
        .limit(rows_max)
    )
    found = await rows.holds(reader.connection, _hold.c.id.in_(page))
    return sorted(found.values(), key=lambda one: -one.id)


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
