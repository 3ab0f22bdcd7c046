"""Cases: what there is to know of an exchange, for the operator: its steps, what was asked of partners and how often,
what of their answers was not believed, and what persons put into its file.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import and_, select

from hub import ids, lookups, tables
from hub.ledger import exchange_rows
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.orders import Evidence, Exchange, Step
from hub.partners import Operation, Status
from hub.reading import Reader

_order, _call, _incident = tables.partner_order, tables.partner_call, tables.partner_incident
_entry = tables.journal_entry


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An order, and where it stands. ``status`` and what follows it are of the last attempt, while there is no final
    answer; ``due_at``: when it is asked for next."""

    reference: str
    operation: Operation
    currency: str
    amount: int
    asked_at: datetime
    attempts: int | None
    due_at: datetime | None
    status: Status | None
    code: str | None
    message: str | None


class Incident(msgspec.Struct, frozen=True):
    """An answer that was not believed, and why."""

    reference: str
    at: datetime
    text: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The file of one exchange. Each step and each piece of evidence comes with its time; evidence with its text."""

    exchange: Exchange
    orders: list[Asked]
    steps: list[tuple[Step, datetime]]
    incidents: list[Incident]
    evidence: list[tuple[Evidence, datetime, str]]


async def exchanges(reader: Reader, of: Collection[int]) -> dict[int, Exchange]:
    """Where exchanges stand, by their conversions."""
    return await exchange_rows.exchanges(reader.connection, tables.exchange.c.id.in_(of)) if of else {}


async def in_doubt(reader: Reader, after: int | None, rows_max: int) -> list[Exchange]:
    """Exchanges of whose order nobody knows what became, the oldest first, from after ``after`` on."""
    table = tables.exchange
    page = (
        select(table.c.id)
        .where(table.c.journal_id == JOURNAL_ID, table.c.in_doubt, table.c.id > (after or 0))
        .order_by(table.c.id)
        .limit(rows_max)
    )
    return list((await exchange_rows.exchanges(reader.connection, table.c.id.in_(page))).values())


async def case(reader: Reader, exchange: Exchange) -> Case:
    """Everything of one exchange."""
    connection = reader.connection
    found = await connection.execute(
        select(_order, _call.c.attempts, _call.c.due_at, _call.c.status, _call.c.code, _call.c.message, _entry.c.at)
        .select_from(_order)
        .join(_entry, and_(_entry.c.journal_id == _order.c.journal_id, _entry.c.batch == batch_of(_order.c.id)))
        .outerjoin(_call, and_(_call.c.journal_id == _order.c.journal_id, _call.c.reference == _order.c.reference))
        .where(_order.c.journal_id == JOURNAL_ID, _order.c.exchange_id == exchange.id)
        .order_by(_order.c.id)
    )
    orders = [
        Asked(
            reference=row.reference,
            operation=Operation(row.operation),
            currency=row.currency,
            amount=row.amount,
            asked_at=row.at,
            attempts=row.attempts,
            due_at=row.due_at,
            status=None if row.status is None else Status(row.status),
            code=row.code,
            message=row.message,
        )
        for row in found
    ]
    wrong = await connection.execute(
        select(_incident)
        .where(_incident.c.journal_id == JOURNAL_ID, _incident.c.reference.in_([one.reference for one in orders]))
        .order_by(_incident.c.at)
    )
    steps = (await exchange_rows.steps(connection, {exchange.id})).get(exchange.id, [])
    said = await exchange_rows.evidence(connection, tables.exchange_evidence.c.exchange_id == exchange.id)
    times = await _times(reader, {step.id for step in steps} | said.keys())
    texts = await lookups.memos(reader, said)
    return Case(
        exchange=exchange,
        orders=orders,
        steps=[(step, times[step.id]) for step in steps],
        incidents=[Incident(row.reference, row.at, row.text) for row in wrong],
        evidence=[(one, times[one.id], texts.get(one.id, "")) for one in said.values()],
    )


async def _times(reader: Reader, of: Collection[int]) -> dict[int, datetime]:
    """When the batches were that made these identifiers."""
    batches = {id: ids.batch_of(id) for id in of}
    found = await reader.connection.execute(
        select(_entry.c.batch, _entry.c.at).where(
            _entry.c.journal_id == JOURNAL_ID, _entry.c.batch.in_(set(batches.values()))
        )
    )
    at = {row.batch: row.at for row in found}
    return {id: at[batch] for id, batch in batches.items()}
