"""Invoice rows: invoices, credit notes and billed months, read back. Batches that make none ask nothing."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.bills import BillLine, Item, Totals
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.records import Billing, Invoice

_invoice, _line, _billing = tables.invoice, tables.invoice_line, tables.billing


async def invoices(
    connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None
) -> dict[int, Invoice]:
    """Invoices and credit notes that meet a condition on their table, with their lines, the last first."""
    found = (
        await connection.execute(
            select(_invoice)
            .where(_invoice.c.journal_id == JOURNAL_ID, where)
            .order_by(_invoice.c.id.desc())
            .limit(most)
        )
    ).all()
    lines = await _lines(connection, [row.id for row in found])
    return {
        row.id: Invoice(
            id=row.id,
            number=row.number,
            billing=row.billing_id,
            of=row.of_id,
            institution=row.institution_id,
            schedule=row.schedule_id,
            money=row.money,
            totals=Totals(row.net, row.vat, row.gross),
            lines=tuple(lines.get(row.id, ())),
        )
        for row in found
    }


async def _lines(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[BillLine]]:
    by_invoice: dict[int, list[BillLine]] = {}
    if not of:
        return by_invoice
    found = await connection.execute(
        select(_line)
        .where(_line.c.journal_id == JOURNAL_ID, _line.c.invoice_id.in_(of))
        .order_by(_line.c.invoice_id, _line.c.n)
    )
    for row in found:
        line = BillLine(Item(row.item), row.currency, row.quantity, row.price, row.amount)
        by_invoice.setdefault(row.invoice_id, []).append(line)
    return by_invoice


async def billings(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Billing]:
    """Billed months that meet a condition on their table, in order."""
    found = await connection.execute(
        select(_billing).where(_billing.c.journal_id == JOURNAL_ID, where).order_by(_billing.c.id)
    )
    return {
        row.id: Billing(
            id=row.id,
            credential=row.credential_id,
            period=row.period,
            zone=row.zone,
            starts=row.starts_at,
            ends=row.ends_at,
        )
        for row in found
    }


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The last invoice's number, until when months are billed, and the invoices that the batch credits."""
    last = select(func.max(_invoice.c.number)).where(_invoice.c.journal_id == JOURNAL_ID)
    book.invoice_number = await connection.scalar(last) or 0
    until = select(func.max(_billing.c.ends_at)).where(_billing.c.journal_id == JOURNAL_ID)
    book.billed_until = await connection.scalar(until)
    if not needs.invoices:
        return
    book.invoices = await invoices(connection, _invoice.c.id.in_(needs.invoices))
    needs.institutions.update(one.institution for one in book.invoices.values())
    book.credited = await credited(connection, book.invoices)


async def credited(connection: AsyncConnection, of: Collection[int]) -> dict[int, int]:
    """What was credited of invoices, gross, in millionths."""
    if not of:
        return {}
    found = await connection.execute(
        select(_invoice.c.of_id, func.sum(_invoice.c.gross).label("gross"))
        .where(_invoice.c.journal_id == JOURNAL_ID, _invoice.c.of_id.in_(of))
        .group_by(_invoice.c.of_id)
    )
    return {row.of_id: int(row.gross) for row in found}
