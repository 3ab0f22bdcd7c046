"""Invoices: reading them, for whoever they are."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import and_, literal

from hub import tables
from hub.ledger import invoice_rows
from hub.ledger.records import Billing, Invoice
from hub.reading import Reader

_invoice, _billing = tables.invoice, tables.billing


async def page(
    reader: Reader, institutions: Collection[int] | None, period: str | None, after: int | None, rows_max: int
) -> Sequence[Invoice]:
    """Invoices and credit notes of ``institutions`` (None: of all), the last first, from before ``after`` on; with
    ``period`` only a month's invoices."""
    conditions: list[Any] = []
    if institutions is not None:
        conditions.append(_invoice.c.institution_id.in_(institutions))
    if after is not None:
        conditions.append(_invoice.c.id < after)
    if period is not None:
        of = await invoice_rows.billings(reader.connection, _billing.c.period == period)
        conditions.append(_invoice.c.billing_id.in_(of))
    found = await invoice_rows.invoices(reader.connection, and_(literal(True), *conditions), most=rows_max)
    return list(found.values())


async def by_ids(reader: Reader, wanted: Collection[int]) -> dict[int, Invoice]:
    """Invoices and credit notes by identifier."""
    return await invoice_rows.invoices(reader.connection, _invoice.c.id.in_(wanted)) if wanted else {}


async def billings(reader: Reader, wanted: Collection[int]) -> dict[int, Billing]:
    """Billed months by identifier."""
    return await invoice_rows.billings(reader.connection, _billing.c.id.in_(wanted)) if wanted else {}


async def credited(reader: Reader, of: Collection[int]) -> dict[int, int]:
    """What was credited of invoices, gross, in millionths."""
    return await invoice_rows.credited(reader.connection, of)
