"""Prepaid blocks as they are looked at, from one reader's snapshot. A block is open to whoever sees one of its two
sides from within: its holder or the issuer of its points."""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Table, and_, case, func, literal, or_, select, tuple_

from hub import statements, tables
from hub.ids import batch_of
from hub.ledger import journal, prepaid_rows
from hub.ledger.journal import JOURNAL_ID
from hub.prepaid import Block, BlockStatus, Draw, Liability, Notice, Step, StepKind, liability
from hub.reading import Reader

_block, _step, _draw, _notice = tables.prepaid_block, tables.prepaid_step, tables.prepaid_draw, tables.prepaid_notice
_entry, _leg, _window = tables.journal_entry, tables.leg, tables.settlement_window


class Stock(msgspec.Struct, frozen=True):
    """What a holder may still draw of a currency, and when it is told that this is low."""

    holder: int
    currency: str
    left: int
    notice: Notice | None


class PastDraw(msgspec.Struct, frozen=True):
    """A draw, or what came back, with its time."""

    draw: Draw
    at: datetime


async def blocks(
    reader: Reader,
    currency: str | None,
    holder: int | None,
    status: BlockStatus | None,
    before: int | None,
    rows_max: int,
) -> list[Block]:
    """Blocks that the viewer sees, the newest first, from before block ``before`` on."""
    where = [_visible(reader)]
    if currency is not None:
        where.append(_block.c.currency == currency)
    if holder is not None:
        where.append(_block.c.holder_id == holder)
    if status is not None:
        where.append(_block.c.status == status.value)
    if before is not None:
        where.append(_block.c.id < before)
    return await prepaid_rows.blocks(reader.connection, and_(*where), most=rows_max)


async def block(reader: Reader, id: int) -> Block | None:
    """A block, if the viewer sees it."""
    found = await prepaid_rows.blocks(reader.connection, and_(_block.c.id == id, _visible(reader)))
    return found[0] if found else None


async def steps(reader: Reader, block: int) -> list[tuple[Step, datetime]]:
    """What was done about a block, with the times."""
    found = await prepaid_rows.steps(reader.connection, _step.c.block_id == block)
    at = _entry.c.batch.in_({batch_of(one.id) for one in found})
    times = await reader.connection.execute(
        select(_entry.c.batch, _entry.c.at).where(_entry.c.journal_id == JOURNAL_ID, at)
    )
    by_batch = {row.batch: row.at for row in times}
    return [(one, by_batch[batch_of(one.id)]) for one in found]


async def draws(reader: Reader, block: int, after: tuple[int, int] | None, rows_max: int) -> list[PastDraw]:
    """What was drawn out of a block and brought back to it, the first one first, after a movement and a place."""
    place = tuple_(_draw.c.movement_id, _draw.c.place)
    more: ColumnElement[bool] = literal(True) if after is None else place > tuple_(*map(literal, after))
    of_entry = and_(_entry.c.journal_id == _draw.c.journal_id, _entry.c.batch == journal.batch_of(_draw.c.movement_id))
    found = await reader.connection.execute(
        select(_draw, _entry.c.at)
        .select_from(_draw)
        .join(_entry, of_entry)
        .where(_draw.c.journal_id == JOURNAL_ID, _draw.c.block_id == block, more)
        .order_by(_draw.c.movement_id, _draw.c.place)
        .limit(rows_max)
    )
    return [PastDraw(Draw(row.movement_id, row.place, row.block_id, row.units), row.at) for row in found]


async def stocks(reader: Reader, of: int | None) -> list[Stock]:
    """What may still be drawn by each holder of each currency that the viewer sees, or by one holder."""
    of_one = literal(True) if of is None else _block.c.holder_id == of
    usable = or_(_block.c.valid_until.is_(None), _block.c.valid_until > reader.at)
    left = func.sum(case((usable, _block.c.units - _block.c.drawn - _block.c.refunded), else_=0)).label("units")
    found = await reader.connection.execute(
        select(_block.c.holder_id, _block.c.currency, left)
        .where(_block.c.journal_id == JOURNAL_ID, _block.c.status == BlockStatus.SOLD.value, _visible(reader), of_one)
        .group_by(_block.c.holder_id, _block.c.currency)
    )
    lefts = {(row.holder_id, row.currency): int(row.units) for row in found}
    told = literal(True) if of is None else _notice.c.holder_id == of
    notices = await prepaid_rows.standing(reader.connection, told)
    seen = {key: one for key, one in notices.items() if key in lefts or reader.sees(key[0])}
    codes = {id: node.code for id, node in reader.configuration.institutions.items()}
    keys = sorted(lefts.keys() | seen.keys(), key=lambda key: (codes[key[0]], key[1]))
    return [Stock(holder, code, lefts.get((holder, code), 0), seen.get((holder, code))) for holder, code in keys]


async def liabilities(
    reader: Reader, issuers: Collection[int], at: datetime | None
) -> dict[tuple[str, str], Liability]:
    """What these issuers were paid ahead and still owed points for at an instant, now by default, by point currency and
    money. ``reader`` sees all that was posted by then."""
    codes = [of.code for of in reader.configuration.currencies.values() if of.issuer in issuers]
    end = (await statements.span(reader.connection, None, None if at is None else statements.just_after(at))).end
    return await _liabilities(reader, end, at or reader.at, _block.c.currency.in_(codes))


async def paid_ahead(reader: Reader, before: datetime) -> dict[tuple[str, str], Liability]:
    """The same of all issuers just before an instant, of those blocks whose sale was settled by then."""
    end = (await statements.span(reader.connection, None, before)).end
    settled = (
        select(_leg.c.movement_id)
        .join(_window, and_(_window.c.journal_id == _leg.c.journal_id, _window.c.id == _leg.c.window_id))
        .where(_leg.c.journal_id == JOURNAL_ID, _leg.c.movement_id == _block.c.sold_id, _window.c.settled_at < before)
    )
    return await _liabilities(reader, end, before - timedelta(microseconds=1), settled.exists())


async def _liabilities(
    reader: Reader, end: int, then: datetime, where: ColumnElement[bool]
) -> dict[tuple[str, str], Liability]:
    """By point currency and money, what is owed at an instant for the blocks that were sold before an identifier and
    meet a condition."""
    found = await prepaid_rows.blocks(reader.connection, and_(_block.c.sold_id < end, where))
    drawn = await _sums(reader, _draw, _draw.c.movement_id < end)
    refunded = await _sums(reader, _step, _step.c.kind == StepKind.REFUNDED.value, _step.c.movement_id < end)
    sums: dict[tuple[str, str], Liability] = {}
    for one in found:
        as_then = msgspec.structs.replace(one, drawn=drawn.get(one.id, 0), refunded=refunded.get(one.id, 0))
        key, part = (one.currency, one.money), liability(as_then, then)
        sums[key] = part if key not in sums else _added(sums[key], part)
    return dict(sorted(sums.items()))


async def _sums(reader: Reader, table: Table, *where: ColumnElement[bool]) -> dict[int, int]:
    """Sums of a table's units by block."""
    found = await reader.connection.execute(
        select(table.c.block_id, func.sum(table.c.units))
        .where(table.c.journal_id == JOURNAL_ID, *where)
        .group_by(table.c.block_id)
    )
    return {block: int(units) for block, units in found}


def _added(one: Liability, other: Liability) -> Liability:
    return Liability(**{name: getattr(one, name) + getattr(other, name) for name in Liability.__struct_fields__})


def _visible(reader: Reader) -> ColumnElement[bool]:
    configuration = reader.configuration
    if reader.viewer.sees_all:
        return literal(True)
    holders = [node for node in configuration.institutions if reader.sees(node)]
    codes = [of.code for of in configuration.currencies.values() if reader.sees(of.issuer)]
    return or_(_block.c.holder_id.in_(holders), _block.c.currency.in_(codes))
