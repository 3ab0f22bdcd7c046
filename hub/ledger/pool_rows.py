"""Pool rows: the pools of a batch and, of their members, those that it names, read under the journal's lock.

Whose accounts are loaded is a pool by their mark; whose is to be opened is asked along with the account. For batches
without a pool nothing more is asked.
"""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger import rows
from hub.ledger.arrays import array
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.records import AccountKind, Mark, Membership, Pool, PoolAct, PoolKind, PoolRight

_MEMBERS = f"""
SELECT DISTINCT ON (pool_id, customer_id) id, pool_id, customer_id, rights, credential_id FROM pool_member
WHERE journal_id = {JOURNAL_ID} AND pool_id = ANY($1::text::bigint[]) AND customer_id = ANY($2::text::bigint[])
ORDER BY pool_id, customer_id, id DESC
"""


async def pools(connection: AsyncConnection, driver: Any, book: Book, needs: Needs, pooled: Collection[int]) -> None:
    """The pools among the batch's customers, ``pooled`` among them, and those of their members that it names
    or whose contributions it reverses."""
    wanted = {account.owner for account in book.accounts.values() if account.marks and account.marks & Mark.POOL}
    wanted.update(pooled)
    wanted.update(_untold(book, needs))
    if not wanted:
        return
    book.pools.update(await by_id(connection, wanted))
    members = {book.customers[one].id for one in needs.members if one in book.customers} | needs.givers
    if book.pools and members:
        for row in await driver.fetch(_MEMBERS, array(book.pools), array(members)):
            membership = membership_of(row)
            book.members[membership.pool, membership.member] = membership


def _untold(book: Book, needs: Needs) -> Iterable[int]:
    """Who is credited by a quote or an exchange without having had the currency before, so that no account tells
    whether it is a pool."""
    configuration = book.configuration
    offers = [book.quotes[id] for id in needs.quotes & book.quotes.keys()]
    credited = [(offer.rate, offer.target.id) for offer in offers]
    credited += [(made.rate, made.target.id) for made in book.conversions.values()]
    for rate, customer in credited:
        code = configuration.currencies[configuration.rates[rate].target].code
        if (AccountKind.CUSTOMER, customer, code) not in book.accounts:
            yield customer


async def by_id(connection: AsyncConnection, wanted: Collection[int]) -> dict[int, Pool]:
    """Pools by their identifier."""
    table = tables.pool
    found = (
        await connection.execute(select(table).where(table.c.journal_id == JOURNAL_ID, table.c.id.in_(wanted)))
    ).all()
    people = await rows.customers(connection, {id for row in found for id in (row.id, row.owner_id)})
    return {
        row.id: Pool(row.id, PoolKind(row.kind), people[row.id], people[row.owner_id], row.credential_id)
        for row in found
    }


async def pool_acts(connection: AsyncConnection, memberships: Collection[int]) -> dict[int, PoolAct]:
    """What was done to pools, by the membership that it began, changed or ended."""
    table = tables.pool_member
    found = (
        await connection.execute(
            select(table.c.id, table.c.pool_id).where(table.c.journal_id == JOURNAL_ID, table.c.id.in_(memberships))
        )
    ).all()
    done = await by_id(connection, {row.pool_id for row in found}) if found else {}
    return {row.id: PoolAct(row.id, done[row.pool_id]) for row in found}


def membership_of(row: Any) -> Membership:
    """A membership from its row."""
    rights = row["rights"]
    return Membership(
        row["id"],
        row["pool_id"],
        row["customer_id"],
        None if rights is None else msgspec.json.decode(rights, type=tuple[PoolRight, ...]),
        row["credential_id"],
    )
