"""Statements: what moved on a customer's account, line by line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, literal, select, union_all

from hub import tables
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.records import AccountKind, MovementKind
from hub.reading import Reader

_account, _leg, _movement = tables.account, tables.leg, tables.movement


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a customer's statement: a side of leg ``n`` of a movement, with the account's balance after it."""

    movement: int
    n: int
    is_credit: bool
    kind: MovementKind
    at: datetime
    currency: str
    amount: int
    balance: int
    memo: str | None


async def statement(
    reader: Reader, owner: int, currency: str, after: tuple[int, int] | None, rows_max: int
) -> list[Entry]:
    """The entries of a customer's account, newest first, from before (movement, n) ``after`` on."""
    account = await reader.connection.scalar(
        select(_account.c.id).where(
            _account.c.journal_id == JOURNAL_ID,
            _account.c.owner_id == owner,
            _account.c.currency == currency,
            _account.c.kind == AccountKind.CUSTOMER,
        )
    )
    if account is None:
        return []
    sides = []
    for is_credit in (False, True):
        mine = _leg.c.credit_account_id if is_credit else _leg.c.debit_account_id
        side = _side(is_credit).where(mine == account)
        if after is not None:
            movement, n = after
            # The first condition is the index's; the second cuts within the movement.
            side = side.where(_leg.c.movement_id <= movement, (_leg.c.movement_id < movement) | (_leg.c.n < literal(n)))
        side = side.order_by(_leg.c.movement_id.desc(), _leg.c.n.desc()).limit(rows_max)
        sides.append(select(side.subquery()))
    return await _entries(reader, union_all(*sides).subquery(), rows_max)


async def entry(reader: Reader, movement: int, n: int, is_credit: bool) -> tuple[Entry, int] | None:
    """One entry of a customer's statement, and the customer."""
    side = _side(is_credit).where(_leg.c.movement_id == movement, _leg.c.n == n).subquery()
    found = await _entries(reader, side, 1)
    if not found:
        return None
    mine = _leg.c.credit_account_id if is_credit else _leg.c.debit_account_id
    owner = await reader.connection.scalar(
        select(_account.c.owner_id)
        .join(_leg, and_(_leg.c.journal_id == _account.c.journal_id, mine == _account.c.id))
        .where(
            _leg.c.journal_id == JOURNAL_ID,
            _leg.c.movement_id == movement,
            _leg.c.n == n,
            _account.c.kind == AccountKind.CUSTOMER,
        )
    )
    return None if owner is None else (found[0], owner)


def _side(is_credit: bool) -> Select[Any]:
    return select(
        _leg.c.movement_id,
        _leg.c.n,
        _leg.c.amount,
        (_leg.c.credit_after if is_credit else _leg.c.debit_after).label("balance"),
        (_leg.c.credit_account_id if is_credit else _leg.c.debit_account_id).label("account_id"),
        literal(is_credit).label("is_credit"),
    ).where(_leg.c.journal_id == JOURNAL_ID)


async def _entries(reader: Reader, side: Any, rows_max: int) -> list[Entry]:
    memo, journal_entry = tables.memo, tables.journal_entry
    found = await reader.connection.execute(
        select(side, _account.c.currency, _movement.c.kind, memo.c.text, journal_entry.c.at)
        .join(_account, and_(_account.c.journal_id == JOURNAL_ID, _account.c.id == side.c.account_id))
        .join(_movement, and_(_movement.c.journal_id == JOURNAL_ID, _movement.c.id == side.c.movement_id))
        .join(
            journal_entry,
            and_(journal_entry.c.journal_id == JOURNAL_ID, journal_entry.c.batch == batch_of(side.c.movement_id)),
        )
        .outerjoin(memo, and_(memo.c.journal_id == JOURNAL_ID, memo.c.movement_id == side.c.movement_id))
        .order_by(side.c.movement_id.desc(), side.c.n.desc())
        .limit(rows_max)
    )
    return [
        Entry(
            movement=row.movement_id,
            n=row.n,
            is_credit=row.is_credit,
            kind=MovementKind(row.kind),
            at=row.at,
            currency=row.currency,
            amount=row.amount,
            balance=row.balance,
            memo=row.text,
        )
        for row in found
    ]
