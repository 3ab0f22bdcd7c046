"""Exchange rows: what a batch must know of exchanges that go on, read under the journal's lock. Other batches ask
nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.configuration import Configuration
from hub.currencies import HOSTED
from hub.ledger import fees, rows, window_rows
from hub.ledger.book import Book
from hub.ledger.exchanges import deals
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.needs import Needs
from hub.ledger.orders import Deal, Evidence, EvidenceKind, Exchange, ExchangeState, Payment, PlacedOrder, Step
from hub.ledger.records import FeeShare, Movement, MovementKind
from hub.partners import Operation, Reason, Status

_order, _step, _evidence = tables.partner_order, tables.exchange_step, tables.exchange_evidence


_exchange, _entry = tables.exchange, tables.journal_entry
_WITH_ORDER = (
    select(_exchange, *(column.label(f"asked_{column.name}") for column in _order.c), _entry.c.at.label("asked_at"))
    .outerjoin(
        _order, and_(_order.c.journal_id == _exchange.c.journal_id, _order.c.reference == _exchange.c.order_reference)
    )
    .outerjoin(_entry, and_(_entry.c.journal_id == _order.c.journal_id, _entry.c.batch == batch_of(_order.c.id)))
    .where(_exchange.c.journal_id == JOURNAL_ID)
    .order_by(_exchange.c.id)
)


async def exchanges(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Exchange]:
    """Exchanges that meet a condition on their table, with the order that is under way."""
    found = (await connection.execute(_WITH_ORDER.where(where))).mappings().all()
    return {
        row["id"]: Exchange(
            id=row["id"],
            state=ExchangeState(row["state"]),
            order=_ordered(row) if row["asked_id"] is not None else None,
            in_doubt=row["in_doubt"],
            taken=row["taken"],
            partner_taken=row["partner_taken"],
            window=row["window_id"],
            refusal=row["refusal"],
            details=None if row["details"] is None else msgspec.json.decode(row["details"], type=dict[str, str]),
        )
        for row in found
    }


def _ordered(row: Any) -> PlacedOrder:
    return PlacedOrder(
        id=row["asked_id"],
        reference=row["asked_reference"],
        exchange=row["asked_exchange_id"],
        operation=Operation(row["asked_operation"]),
        currency=row["asked_currency"],
        customer=row["asked_customer_id"],
        amount=row["asked_amount"],
        at=row["asked_at"],
        of=row["asked_undoes"],
        partner_of=row["asked_partner_undoes"],
    )


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> dict[int, Movement]:
    """The exchanges that the batch goes on with, their conversions, and the last proposals on what is in doubt; of acts
    that it reverses, whether partners are at that already, and what they did. Answers what accepted exchanges that are
    no conversions."""
    movement = tables.movement.c
    if needs.originals:
        pending = and_(movement.subject_id.in_(needs.originals), movement.kind == MovementKind.ACCEPT_REVERSE)
        needs.exchanges.update(await rows.movements(connection, pending))
        book.done.update(await _done(connection, needs.originals))
    if not needs.exchanges:
        return {}
    book.exchanges = await exchanges(connection, tables.exchange.c.id.in_(needs.exchanges))
    book.conversions = await rows.conversions(connection, tables.conversion.c.id.in_(book.exchanges))
    under_way = {
        one.order.reference: one.id for one in book.exchanges.values() if one.order is not None and one.in_doubt
    }
    about = _evidence.c.order_reference.in_(under_way)
    for said in (await evidence(connection, about)).values() if under_way else ():
        if said.kind is EvidenceKind.PROPOSAL:
            book.proposals[said.exchange] = said
    others = {one.id for one in book.exchanges.values() if one.is_under_way} - book.conversions.keys()
    accepted = await rows.movements(connection, movement.id.in_(others)) if others else {}
    reversed_ones = {one.subject for one in accepted.values() if one.subject is not None}
    if unknown := reversed_ones - needs.originals:
        needs.originals.update(unknown)
        book.done.update(await _done(connection, unknown))
    return accepted


async def _done(connection: AsyncConnection, of: Collection[int]) -> dict[str, str | None]:
    """The orders of exchanges that partners did, with their own references of them."""
    succeeded = and_(_step.c.exchange_id.in_(of), _step.c.status == Status.SUCCEEDED.value)
    found = await connection.execute(
        select(_step.c.order_reference, _step.c.partner_reference).where(_step.c.journal_id == JOURNAL_ID, succeeded)
    )
    return {row.order_reference: row.partner_reference for row in found}


async def load_deals(connection: AsyncConnection, book: Book, needs: Needs, accepted: Mapping[int, Movement]) -> None:
    """What these exchanges are about, and whose accounts and windows that takes. The originals are there."""
    configuration = book.configuration
    chosen = await rows.fee_shares(connection, configuration, {*book.conversions, *accepted})
    for made in book.conversions.values():
        payer = configuration.currencies[configuration.rates[made.rate].source].issuer
        fee = fees.chosen(chosen.get(made.id, ()), payer) or fees.unshared(configuration, payer, made.figures.fee)
        book.deals[made.id] = deals.of_conversion(configuration, made, fee)
    for movement in accepted.values():
        window = await _window_of(connection, book, movement.id)
        if movement.kind is MovementKind.ACCEPT_REVERSE:
            book.deals[movement.id] = deals.of_reversal(book, movement, window)
        else:
            book.deals[movement.id] = deals.of_act(
                configuration, movement, window, _fee(configuration, movement, chosen)
            )
    if strange := {deal.window for deal in book.deals.values()} - book.windows.keys():
        book.settled_windows.update(await window_rows.windows(connection, tables.settlement_window.c.id.in_(strange)))
    for deal in book.deals.values():
        _need(book, needs, deal)


def _fee(
    configuration: Configuration, accepted: Movement, chosen: Mapping[int, Sequence[FeeShare]]
) -> tuple[Payment, ...]:
    """Whom the merchant of a redemption that was accepted pays its fee."""
    if accepted.merchant is None or not accepted.fee:
        return ()
    split = fees.chosen(chosen.get(accepted.id, ()), accepted.merchant)
    return split or fees.unshared(configuration, accepted.merchant, accepted.fee)


def _need(book: Book, needs: Needs, deal: Deal) -> None:
    for end in (deal.gives, deal.takes):
        if end is None:
            continue
        of = deals.currency(book, end)
        needs.institutions.add(of.issuer)
        if end is deal.gives:
            needs.people.add(end.customer.id)
        if of.adapter == HOSTED and end is deal.gives:
            needs.holds.add(deal.id)
        elif of.adapter == HOSTED:
            needs.owners.add(end.customer.id)
    for one in deal.payments:
        needs.institutions.update((one.payer, one.payee))


async def _window_of(connection: AsyncConnection, book: Book, movement: int) -> int:
    """The window that was the newest at a movement. Of one model it is not settled if an earlier one is not."""
    before = [window for window in book.windows if window < movement]
    if not before or book.configuration.models:
        before = list(await window_rows.windows(connection, tables.settlement_window.c.id < movement))
    return max(before)


async def steps(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[Step]]:
    """The histories of exchanges, in order."""
    found = await connection.execute(
        select(_step).where(_step.c.journal_id == JOURNAL_ID, _step.c.exchange_id.in_(of)).order_by(_step.c.id)
    )
    by_exchange: dict[int, list[Step]] = {}
    for row in found:
        by_exchange.setdefault(row.exchange_id, []).append(
            Step(
                id=row.id,
                exchange=row.exchange_id,
                state=ExchangeState(row.state),
                in_doubt=row.in_doubt,
                credential=row.credential_id,
                order=row.order_reference,
                status=None if row.status is None else Status(row.status),
                reason=None if row.reason is None else Reason(row.reason),
                code=row.code,
                partner_reference=row.partner_reference,
            )
        )
    return by_exchange


async def evidence(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Evidence]:
    """What persons said that meets a condition on its table, in order."""
    found = await connection.execute(
        select(_evidence).where(_evidence.c.journal_id == JOURNAL_ID).where(where).order_by(_evidence.c.id)
    )
    return {
        row.id: Evidence(
            id=row.id,
            exchange=row.exchange_id,
            order=row.order_reference,
            kind=EvidenceKind(row.kind),
            done=row.done,
            credential=row.credential_id,
        )
        for row in found
    }
