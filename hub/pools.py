"""Pools as they are read: who is in one, and what is left of what each member has put in."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, or_, select

from hub import tables
from hub.db import driver_of
from hub.ledger import pool_rows, rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.lots import origin_of
from hub.ledger.records import Customer, Membership, Pool
from hub.reading import Reader

_MEMBERS = f"""
SELECT * FROM (
    SELECT DISTINCT ON (customer_id) * FROM pool_member
    WHERE journal_id = {JOURNAL_ID} AND pool_id = $1 AND customer_id > $2 ORDER BY customer_id, id DESC
) latest
WHERE rights IS NOT NULL ORDER BY customer_id LIMIT $3
"""

Contributions = dict[int, dict[str, int]]  # by member and currency, in smallest units


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a pool and its rights there."""

    customer: Customer
    membership: Membership


async def pool(reader: Reader, id: int) -> Pool | None:
    """The pool that is this customer."""
    return (await pool_rows.by_id(reader.connection, {id})).get(id)


async def members(reader: Reader, pool: int, after: int, rows_max: int) -> list[Member]:
    """A pool's members by their identifier, from after ``after`` on."""
    driver = driver_of(reader.connection)
    memberships = [pool_rows.membership_of(row) for row in await driver.fetch(_MEMBERS, pool, after, rows_max)]
    people = await rows.customers(reader.connection, {one.member for one in memberships})
    return [Member(people[one.member], one) for one in memberships]


async def contributions(reader: Reader, of: Collection[int]) -> dict[int, Contributions]:
    """What is left in pools of what was put into them, by pool; held points are in it."""
    account, lot = tables.account, tables.lot
    found = await reader.connection.execute(
        select(account.c.owner_id, account.c.currency, lot.c.expires_at, lot.c.origin, lot.c.amount, lot.c.held)
        .join(lot, and_(lot.c.journal_id == account.c.journal_id, lot.c.account_id == account.c.id))
        .where(
            account.c.journal_id == JOURNAL_ID,
            account.c.owner_id.in_(of),
            or_(lot.c.expires_at > reader.at, lot.c.held > 0),
        )
    )
    by_pool: dict[int, Contributions] = {}
    for row in found:
        giver = origin_of(row.origin).giver
        if giver is not None:
            given = by_pool.setdefault(row.owner_id, {}).setdefault(giver, {})
            amount = row.amount if row.expires_at > reader.at else row.held
            given[row.currency] = given.get(row.currency, 0) + amount
    return by_pool
