"""Prepaid rows: blocks and what was done with them as the database has them, and what a batch must know of them."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, RowMapping, and_, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.rows import with_time
from hub.prepaid import Block, BlockStatus, Draw, Notice, Step, StepKind

_block, _step, _draw, _notice = tables.prepaid_block, tables.prepaid_step, tables.prepaid_draw, tables.prepaid_notice


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The blocks that the batch names, or brings points back to, with the proposals that stand; all blocks that may be
    drawn on of their holders and of whoever grants; and how low these stand."""
    named = needs.blocks | {one.block for original in book.originals.values() for one in original.draws}
    book.blocks = {one.id: one for one in await blocks(connection, _block.c.id.in_(named))} if named else {}
    proposals = [one.proposal for one in book.blocks.values() if one.proposal is not None]
    if proposals:
        book.block_proposals = {one.of: one for one in await steps(connection, _step.c.id.in_(proposals))}
    for id in needs.blocks & book.blocks.keys():
        needs.issuer(book.blocks[id].currency)
        needs.institutions.add(book.blocks[id].holder)
    stocks = needs.stocks | {(one.holder, one.currency) for one in book.blocks.values()}
    wanted: list[ColumnElement[bool]] = []
    if stocks:
        wanted.append(tuple_(_block.c.holder_id, _block.c.currency).in_(stocks))
    if needs.moving and needs.stocks:  # who moves in this batch may come to grant by others' terms
        wanted.append(_block.c.currency.in_({currency for _, currency in needs.stocks}))
    if not wanted:
        return
    usable = and_(
        _block.c.status == BlockStatus.SOLD.value,
        _block.c.drawn + _block.c.refunded < _block.c.units,
        or_(_block.c.valid_until.is_(None), _block.c.valid_until > book.at),
    )
    for one in await blocks(connection, and_(usable, or_(*wanted))):
        book.blocks.setdefault(one.id, one)
    stocks |= {(one.holder, one.currency) for one in book.blocks.values()}
    book.prepaid_notices = await standing(connection, tuple_(_notice.c.holder_id, _notice.c.currency).in_(stocks))


async def blocks(connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None) -> list[Block]:
    """Blocks that meet a condition on their table, the newest first."""
    statement = with_time(_block).where(where).order_by(_block.c.id.desc()).limit(most)
    return [_block_of(row) for row in (await connection.execute(statement)).mappings()]


def _block_of(row: RowMapping) -> Block:
    return Block(
        id=row["id"],
        at=row["at"],
        credential=row["credential_id"],
        holder=row["holder_id"],
        currency=row["currency"],
        units=row["units"],
        money=row["money"],
        value=row["value"],
        until=row["valid_until"],
        status=BlockStatus(row["status"]),
        sold=row["sold_id"],
        drawn=row["drawn"],
        refunded=row["refunded"],
        proposal=row["proposal_id"],
    )


async def steps(connection: AsyncConnection, where: ColumnElement[bool]) -> list[Step]:
    """Steps that meet a condition on their table, in order."""
    found = await connection.execute(select(_step).where(_step.c.journal_id == JOURNAL_ID, where).order_by(_step.c.id))
    return [
        Step(
            id=row.id,
            of=row.block_id,
            kind=StepKind(row.kind),
            credential=row.credential_id,
            units=row.units,
            movement=row.movement_id,
        )
        for row in found
    ]


async def draws(connection: AsyncConnection, movements: Collection[int]) -> dict[int, tuple[Draw, ...]]:
    """What movements drew, or brought back, in order."""
    found = await connection.execute(
        select(_draw)
        .where(_draw.c.journal_id == JOURNAL_ID, _draw.c.movement_id.in_(movements))
        .order_by(_draw.c.movement_id, _draw.c.place)
    )
    by_movement: dict[int, tuple[Draw, ...]] = {}
    for row in found:
        made = Draw(row.movement_id, row.place, row.block_id, row.units)
        by_movement[made.movement] = (*by_movement.get(made.movement, ()), made)
    return by_movement


async def notices(connection: AsyncConnection, where: ColumnElement[bool]) -> list[Notice]:
    """Notices that meet a condition on their table, in order."""
    found = await connection.execute(
        select(_notice).where(_notice.c.journal_id == JOURNAL_ID, where).order_by(_notice.c.id)
    )
    return [_notice_of(row) for row in found.mappings()]


async def standing(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[tuple[int, str], Notice]:
    """The last notice of each holder and currency that meets a condition on their table."""
    key = (_notice.c.holder_id, _notice.c.currency)
    found = await connection.execute(
        select(_notice)
        .ext(distinct_on(*key))
        .where(_notice.c.journal_id == JOURNAL_ID, where)
        .order_by(*key, _notice.c.id.desc())
    )
    made = [_notice_of(row) for row in found.mappings()]
    return {(one.holder, one.currency): one for one in made}


def _notice_of(row: RowMapping) -> Notice:
    return Notice(
        id=row["id"],
        credential=row["credential_id"],
        holder=row["holder_id"],
        currency=row["currency"],
        threshold=row["threshold"],
        low=row["low"],
        left=row["units_left"],
        movement=row["movement_id"],
    )
