"""People: who is behind identifiers, and who is linked with whom, read back from rows.

A binding changes, so nothing of it is remembered between batches (``memory``): only a name that no customer is enrolled
under is looked up among identifiers, each time. Functions take a connection with a transaction open.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, and_, any_, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ids import PLACES_BITS
from hub.ledger import account_rows, rows
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.needs import Needs
from hub.ledger.records import Binding, Customer, Identifier, Link, LinkStatus, Step

_binding, _identifier, _link, _entry = tables.binding, tables.identifier, tables.customer_link, tables.journal_entry

# Identifiers with the last row of their history; if that binds one, with its owner, the owner's reference and, if there
# is one, the owner's account of the currency named beside the identifier. Its mark says if the owner is a pool, so that
# it is asked for those without one alone.
_OWNERS = f"""
SELECT wanted.institution_id, wanted.text, i.id AS identifier_id, b.id AS binding_id, b.ends_id, b.credential_id,
       b.for_institution_id, b.customer_id, e.at, r.reference, m.marks,
       CASE WHEN a.id IS NULL
            THEN EXISTS (SELECT FROM pool p WHERE p.journal_id = {JOURNAL_ID} AND p.id = b.customer_id) END AS pooled,
       a.id, a.kind, a.owner_id, a.currency, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending,
       a.aged, a.marks
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS wanted (institution_id, text, currency)
CROSS JOIN LATERAL (
    SELECT id FROM identifier
    WHERE journal_id = {JOURNAL_ID} AND institution_id = wanted.institution_id AND text = wanted.text LIMIT 1
) i
CROSS JOIN LATERAL (
    SELECT * FROM binding WHERE journal_id = {JOURNAL_ID} AND identifier_id = i.id ORDER BY id DESC LIMIT 1
) b
CROSS JOIN LATERAL (
    SELECT at FROM journal_entry WHERE journal_id = {JOURNAL_ID} AND batch = b.id >> {PLACES_BITS} LIMIT 1
) e
LEFT JOIN LATERAL (
    SELECT reference FROM customer_reference
    WHERE journal_id = {JOURNAL_ID} AND customer_id = b.customer_id AND b.ends_id IS NULL LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT * FROM account
    WHERE journal_id = {JOURNAL_ID} AND owner_id = b.customer_id AND currency = wanted.currency AND kind = 1
        AND b.ends_id IS NULL LIMIT 1
) a ON true
LEFT JOIN customer_mark m ON m.journal_id = {JOURNAL_ID} AND m.customer_id = b.customer_id
"""
_ACCOUNT_AT = 12


async def load_owners(driver: Any, book: Book, names: Collection[tuple[int, str, str]]) -> set[int]:
    """Look names (institution, text, currency) up among identifiers, with their owners' accounts; answers the pools
    among the owners without one."""
    accounts, pooled = [], set()
    for row in await driver.fetch(_OWNERS, *zip(*names, strict=True)):
        home, name, number, id, ends, credential, acting, owner, at, reference, marks, is_pool = row[:_ACCOUNT_AT]
        of = book.identifiers[home, name] = Identifier(number, home, name)
        if ends is not None:
            continue
        customer = Customer(owner, home, reference)
        if marks:
            book.customer_marks[owner] = marks
        book.take_binding(Binding(identifier=of, customer=customer, made=Step(id, at, credential, acting)))
        if row[_ACCOUNT_AT] is not None:
            accounts.append(tuple(row[_ACCOUNT_AT:]))
        elif is_pool:
            pooled.add(owner)
    account_rows.take(book, accounts)
    return pooled


async def load_links(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The links that commands name, and all links of the customers for whom they matter."""
    people = needs.linked | {book.customers[name].id for name in needs.linked_named if name in book.customers}
    if needs.links:
        for link in (await links(connection, _link.c.link_id.in_(needs.links))).values():
            book.take_link(link)
            people.update((link.a.id, link.b.id))
    if people:
        for link in (await links(connection, of_customers(people))).values():
            book.take_link(link)


def of_customers(people: Collection[int]) -> ColumnElement[bool]:
    """That a row is of a link of one of these customers; each row of a link names both sides."""
    return or_(
        *(
            side == any_(literal(list(people), ARRAY(BigInteger)))
            for side in (_link.c.a_customer_id, _link.c.b_customer_id)
        )
    )


async def links(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Link]:
    """Links that meet a condition on their rows, which all or none of a link meet; by identifier, in order."""
    entry_of = and_(_entry.c.journal_id == _link.c.journal_id, _entry.c.batch == batch_of(_link.c.id))
    found = (
        await connection.execute(
            select(_link, _entry.c.at)
            .select_from(_link)
            .join(_entry, entry_of)
            .where(_link.c.journal_id == JOURNAL_ID)
            .where(where)
            .order_by(_link.c.id)
        )
    ).all()
    people = await rows.customers(connection, {id for row in found for id in (row.a_customer_id, row.b_customer_id)})
    changes: dict[int, list[tuple[LinkStatus, Step]]] = {}
    for row in found:
        step = Step(row.id, row.at, row.credential_id, row.for_institution_id)
        changes.setdefault(row.link_id, []).append((LinkStatus(row.status), step))
    return {
        row.id: Link(
            id=row.id, a=people[row.a_customer_id], b=people[row.b_customer_id], changes=tuple(changes[row.id])
        )
        for row in found
        if row.id == row.link_id
    }


async def bindings(
    connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None
) -> dict[int, Binding]:
    """Bindings whose rows meet a condition, by identifier, the newest first."""
    ending, ended = _binding.alias("ending"), _entry.alias("ended")
    found = (
        await connection.execute(
            select(
                _binding,
                _entry.c.at,
                _identifier.c.text,
                ending.c.id.label("ended_by"),
                ending.c.credential_id.label("ended_credential_id"),
                ending.c.for_institution_id.label("ended_for_id"),
                ended.c.at.label("until"),
            )
            .select_from(_binding)
            .join(_entry, and_(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch == batch_of(_binding.c.id)))
            .outerjoin(
                _identifier,
                and_(_identifier.c.journal_id == JOURNAL_ID, _identifier.c.id == _binding.c.identifier_id),
            )
            .outerjoin(ending, and_(ending.c.journal_id == JOURNAL_ID, ending.c.ends_id == _binding.c.id))
            .outerjoin(ended, and_(ended.c.journal_id == JOURNAL_ID, ended.c.batch == batch_of(ending.c.id)))
            .where(_binding.c.journal_id == JOURNAL_ID, _binding.c.ends_id.is_(None))
            .where(where)
            .order_by(_binding.c.id.desc())
            .limit(most)
        )
    ).all()
    people = await rows.customers(connection, {row.customer_id for row in found})
    return {
        row.id: Binding(
            identifier=Identifier(row.identifier_id, row.institution_id, row.text),
            customer=people[row.customer_id],
            made=Step(row.id, row.at, row.credential_id, row.for_institution_id),
            ended=None
            if row.ended_by is None
            else Step(row.ended_by, row.until, row.ended_credential_id, row.ended_for_id),
        )
        for row in found
    }
