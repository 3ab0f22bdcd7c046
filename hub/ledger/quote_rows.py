"""Quotes in the database: read as records, and loaded into a batch's book with what bonus caps have counted."""

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.records import Quote
from hub.ledger.rows import figures_of, people_of


async def quotes(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Quote]:
    """Quotes that meet a condition on their table."""
    statement = select(tables.quote).where(tables.quote.c.journal_id == JOURNAL_ID).where(where)
    found = (await connection.execute(statement)).mappings().all()
    people = await people_of(connection, found)
    return {
        row["id"]: Quote(
            id=row["id"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            rate=row["rate_id"],
            source=people[row["from_customer_id"]],
            target=people[row["to_customer_id"]],
            figures=figures_of(row),
            expires_at=row["expires_at"],
            used_by=row["used_by"],
            cancelled=row["cancelled"],
        )
        for row in found
    }


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """Quotes to execute, with their customers' accounts; and open quotes of rates that are withdrawn."""
    quote = tables.quote
    if needs.quotes_of_rates:
        book.quotes.update(
            await quotes(
                connection,
                and_(
                    quote.c.rate_id.in_(needs.quotes_of_rates),
                    quote.c.expires_at > book.at,
                    quote.c.used_by.is_(None),
                ),
            )
        )
    wanted = await quotes(connection, quote.c.id.in_(needs.quotes)) if needs.quotes else {}
    book.quotes.update(wanted)
    currencies = book.configuration.currencies
    for offer in wanted.values():
        rate = book.configuration.rates[offer.rate]
        needs.institutions.update((currencies[rate.source].issuer, currencies[rate.target].issuer))
        needs.owners.update((offer.source.id, offer.target.id))
        needs.people.add(offer.source.id)
        if not currencies[rate.source].transferable and offer.source.id != offer.target.id:
            needs.linked.add(offer.source.id)


async def load_offers(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """Open quotes, and what bonus caps have counted, of the customers that convert or ask for quotes."""
    people = needs.people | {book.customers[one].id for one in needs.spenders if one in book.customers}
    if not people:
        return
    quote, use = tables.quote, tables.bonus_use
    open_ones = await quotes(
        connection,
        and_(
            quote.c.from_customer_id.in_(people),
            quote.c.expires_at > book.at,
            quote.c.used_by.is_(None),
            quote.c.cancelled.is_(False),
        ),
    )
    for offer in open_ones.values():
        book.open_quotes.setdefault(offer.source.id, {})[offer.id] = offer
    found = await connection.execute(select(use).where(use.c.journal_id == JOURNAL_ID, use.c.customer_id.in_(people)))
    book.bonus_used.update({(row.rate_id, row.bonus, row.customer_id): row.used for row in found})
