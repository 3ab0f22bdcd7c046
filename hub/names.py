"""Names: who is behind an identifier, what names a customer, and who is one person elsewhere; from a reader's snapshot.

Whether the viewer may see it is for the caller to ask (``Reader.sees``), as in ``hub.lookups``.
"""

from collections.abc import Collection

from sqlalchemy import and_, literal, select

from hub import tables
from hub.ledger import people
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Binding, Customer, Link
from hub.reading import Reader

_binding = tables.binding


async def owner(reader: Reader, institution: int, identifier: str) -> Customer | None:
    """Whom an identifier names now."""
    table = tables.identifier
    of = select(table.c.id).where(
        table.c.journal_id == JOURNAL_ID, table.c.institution_id == institution, table.c.text == identifier
    )
    last = await people.bindings(reader.connection, _binding.c.identifier_id == of.scalar_subquery(), most=1)
    return next((one.customer for one in last.values() if one.ended is None), None)


async def bindings_page(reader: Reader, customer: int, before: int | None, rows_max: int) -> list[Binding]:
    """What has named a customer, the newest first, from before ``before`` on."""
    where = _binding.c.customer_id == customer
    if before is not None:
        where = and_(where, _binding.c.id < before)
    return list((await people.bindings(reader.connection, where, most=rows_max)).values())


async def binding(reader: Reader, id: int) -> Binding | None:
    """A binding."""
    return (await people.bindings(reader.connection, _binding.c.id == id)).get(id)


async def identifiers(reader: Reader, of: Collection[int]) -> dict[int, list[Binding]]:
    """The bindings that name customers now, by customer, in the order in which they were made."""
    by_customer: dict[int, list[Binding]] = {}
    if of:
        ending = _binding.alias()
        is_ended = select(literal(1)).where(ending.c.journal_id == JOURNAL_ID, ending.c.ends_id == _binding.c.id)
        active = await people.bindings(reader.connection, and_(_binding.c.customer_id.in_(of), ~is_ended.exists()))
        for one in reversed(active.values()):
            by_customer.setdefault(one.customer.id, []).append(one)
    return by_customer


async def links_of(reader: Reader, customer: int) -> list[Link]:
    """All links of a customer, in the order in which they were proposed; whether a link is open to the viewer is for
    the caller to ask: at either side."""
    found = await people.links(reader.connection, people.of_customers([customer]))
    return list(found.values())


async def link(reader: Reader, id: int) -> Link | None:
    """A link."""
    return (await people.links(reader.connection, tables.customer_link.c.link_id == id)).get(id)
