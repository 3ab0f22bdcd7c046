"""Rows to records: how the ledger's tables are read back into the values that batches make.

Every function takes a connection with a transaction open, and answers by identifier; what is not there is left out.
"""

from collections.abc import Collection, Iterable
from fractions import Fraction
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BigInteger, ColumnElement, RowMapping, Select, and_, any_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.configuration import Change, Configuration, decode, with_changes
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.records import (
    Basket,
    Cancellation,
    Clearing,
    ClearingScope,
    ClearingStatus,
    Conversion,
    ConversionStatus,
    Customer,
    FeeShare,
    Hold,
    HoldKind,
    HoldStatus,
    Missing,
    Movement,
    MovementKind,
    Restriction,
    RestrictionKind,
)
from hub.rates import Figures

_entry = tables.journal_entry


async def refresh(connection: AsyncConnection, configuration: Configuration, version: int) -> Configuration:
    """The configuration brought up to ``version``, from the changes since."""
    if configuration.version == version:
        return configuration
    change = tables.configuration_change
    found = await connection.execute(
        select(change)
        .where(change.c.journal_id == JOURNAL_ID, change.c.version > configuration.version)
        .order_by(change.c.version)
    )
    nouns = [decode(Change(r.version, r.noun, r.key, r.document, r.credential_id)) for r in found]
    return with_changes(configuration, version, nouns)


@cache
def _with_references() -> Select[Any]:
    """Customers with their references; put together once, and not for every batch."""
    customer, reference = tables.customer, tables.customer_reference
    of = and_(reference.c.journal_id == customer.c.journal_id, reference.c.customer_id == customer.c.id)
    return (
        select(customer.c.id, customer.c.institution_id, reference.c.reference)
        .outerjoin(reference, of)
        .where(customer.c.journal_id == JOURNAL_ID)
    )


async def customers(connection: AsyncConnection, wanted: Collection[int]) -> dict[int, Customer]:
    """Customers by identifier; an erased reference is None. They go as one array: a rate's open quotes may name more
    customers than a statement may have parameters."""
    if not wanted:
        return {}
    among = tables.customer.c.id == any_(literal(list(wanted), ARRAY(BigInteger)))
    found = await connection.execute(_with_references().where(among))
    return {row.id: Customer(row.id, row.institution_id, row.reference) for row in found}


async def people_of(connection: AsyncConnection, found: Iterable[RowMapping]) -> dict[int, Customer]:
    wanted = {row[side] for row in found for side in ("from_customer_id", "to_customer_id")} - {None}
    return await customers(connection, wanted)


@cache
def with_time(table: Any) -> Select[Any]:
    """Rows of ``table`` with the time of their batch; put together once for each table."""
    batch = batch_of(table.c.id)
    return (
        select(table, _entry.c.at)
        .select_from(table)
        .join(_entry, and_(_entry.c.journal_id == table.c.journal_id, _entry.c.batch == batch))
        .where(table.c.journal_id == JOURNAL_ID)
    )


async def movements(
    connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None
) -> dict[int, Movement]:
    """Movements that meet a condition on their table, in order."""
    table, priced = tables.movement, tables.act_terms
    statement = (
        with_time(table)
        .add_columns(priced.c.terms_id)
        .outerjoin(priced, and_(priced.c.journal_id == table.c.journal_id, priced.c.movement_id == table.c.id))
        .where(where)
        .order_by(table.c.id)
        .limit(most)
    )
    found = (await connection.execute(statement)).mappings().all()
    people = await people_of(connection, found)
    return {
        row["id"]: Movement(
            id=row["id"],
            kind=MovementKind(row["kind"]),
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            currency=row["currency"],
            amount=row["amount"],
            source=people.get(row["from_customer_id"]),
            target=people.get(row["to_customer_id"]),
            merchant=row["merchant_id"],
            money=row["money"],
            value=row["value"],
            fee=row["fee"],
            subject=row["subject_id"],
            earned_at=row["earned_at"],
            expires_at=row["expires_at"],
            terms=row["terms_id"],
        )
        for row in found
    }


async def holds(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Hold]:
    """Holds and freezes that meet a condition on their table, in order."""
    table = tables.hold
    found = (await connection.execute(with_time(table).where(where).order_by(table.c.id))).mappings().all()
    people = await customers(connection, {row["customer_id"] for row in found})
    return {
        row["id"]: Hold(
            id=row["id"],
            kind=HoldKind(row["kind"]),
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            customer=people[row["customer_id"]],
            currency=row["currency"],
            amount=row["amount"],
            shortfall=row["shortfall"],
            expires_at=row["expires_at"],
            status=HoldStatus(row["status"]),
            captured=row["captured"],
            resolved_by=row["resolved_by"],
        )
        for row in found
    }


async def fee_shares(
    connection: AsyncConnection, configuration: Configuration, of: Collection[int]
) -> dict[int, list[FeeShare]]:
    """What plans made of the fees of movements, by movement, in the order of the shares. Without plans there is
    nothing to ask."""
    if not of or not configuration.share_plans:
        return {}
    table = tables.fee_share
    found = await connection.execute(
        select(table)
        .where(table.c.journal_id == JOURNAL_ID, table.c.movement_id.in_(of))
        .order_by(table.c.movement_id, table.c.place)
    )
    by_movement: dict[int, list[FeeShare]] = {}
    for row in found:
        one = FeeShare(row.movement_id, row.place, row.plan_id, row.institution_id, row.amount, row.n)
        by_movement.setdefault(one.movement, []).append(one)
    return by_movement


async def missing(connection: AsyncConnection, of: Collection[int]) -> dict[int, Missing]:
    """What movements could not take, by movement."""
    table = tables.missing
    found = await connection.execute(select(table).where(table.c.journal_id == JOURNAL_ID, table.c.movement_id.in_(of)))
    return {row.movement_id: Missing(row.movement_id, row.debt, row.written_off) for row in found}


async def restrictions(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Restriction]:
    """Restrictions that meet a condition on their table, in order."""
    table = tables.restriction
    found = (await connection.execute(with_time(table).where(where).order_by(table.c.id))).mappings().all()
    people = await customers(connection, {row["customer_id"] for row in found})
    return {
        row["id"]: Restriction(
            id=row["id"],
            kind=RestrictionKind(row["kind"]),
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            customer=people[row["customer_id"]],
            currency=row["currency"],
        )
        for row in found
    }


async def standing_restrictions(connection: AsyncConnection, of: Collection[int]) -> dict[int, Restriction]:
    """The last restriction of each customer, for each currency and for all together."""
    table = tables.restriction
    last = (
        select(func.max(table.c.id))
        .where(table.c.journal_id == JOURNAL_ID, table.c.customer_id == any_(literal(list(of), ARRAY(BigInteger))))
        .group_by(table.c.customer_id, table.c.currency)
    )
    return await restrictions(connection, table.c.id.in_(last))


async def cancellations(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Cancellation]:
    """Cancellations that meet a condition on their table."""
    found = (await connection.execute(with_time(tables.cancellation).where(where))).mappings().all()
    return {
        row["id"]: Cancellation(
            id=row["id"],
            last=row["last_id"],
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            currency=row["currency"],
            issues=row["issues"],
            amount=row["amount"],
            debt=row["debt"],
            written_off=row["written_off"],
        )
        for row in found
    }


async def baskets(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[int, Basket]:
    """Baskets that meet a condition on their table, with what paid for them."""
    found = (await connection.execute(with_time(tables.basket).where(where))).mappings().all()
    if not found:
        return {}
    moved, redeemed = tables.movement.c, {MovementKind.REDEEM}
    within = or_(*(moved.id.between(row["id"] + 1, row["last_id"]) for row in found))
    done = await movements(connection, and_(within, moved.kind.in_(redeemed)))
    people = await customers(connection, {row["customer_id"] for row in found})
    return {
        row["id"]: Basket(
            id=row["id"],
            last=row["last_id"],
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            customer=people[row["customer_id"]],
            merchant=row["merchant_id"],
            money=row["money"],
            amount=row["amount"],
            rest=row["rest"],
            redemptions=tuple(one for id, one in done.items() if row["id"] < id <= row["last_id"]),
        )
        for row in found
    }


async def clearings(
    connection: AsyncConnection, where: ColumnElement[bool], *, newest_first: bool = False, most: int | None = None
) -> dict[int, Clearing]:
    """Clearings that meet a condition on their table, in order."""
    identifier = tables.clearing.c.id
    order = identifier.desc() if newest_first else identifier
    statement = with_time(tables.clearing).where(where).order_by(order).limit(most)
    return {
        row["id"]: Clearing(
            id=row["id"],
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            currency=row["currency"],
            scope=ClearingScope(row["scope"]),
            earned_before=row["earned_before"],
            starts_at=row["starts_at"],
            reason=row["reason"],
            status=ClearingStatus(row["status"]),
            reached=row["reached"],
            accounts=row["accounts"],
            cleared=row["cleared"],
            pinned=row["pinned"],
            ageless=row["ageless"],
            ended_at=row["ended_at"],
        )
        for row in (await connection.execute(statement)).mappings()
    }


def figures_columns(amounts: Figures) -> tuple[int, int, int, int, int, str, str]:
    """Figures as the columns source, target, bonus, fee, settlement, eligible and residue."""
    return (
        amounts.source,
        amounts.target,
        amounts.bonus,
        amounts.fee,
        amounts.settlement,
        msgspec.json.encode(amounts.eligible).decode(),
        str(amounts.residue),
    )


def figures_of(row: RowMapping) -> Figures:
    return Figures(
        source=row["source"],
        target=row["target"],
        bonus=row["bonus"],
        fee=row["fee"],
        settlement=row["settlement"],
        eligible=msgspec.json.decode(row["eligible"], type=tuple[int, ...]),
        residue=Fraction(row["residue"]),
    )


async def conversions(
    connection: AsyncConnection, where: ColumnElement[bool], *, newest_first: bool = False, most: int | None = None
) -> dict[int, Conversion]:
    """Conversions that meet a condition on their table, in order."""
    identifier = tables.conversion.c.id
    order = identifier.desc() if newest_first else identifier
    statement = with_time(tables.conversion).where(where).order_by(order).limit(most)
    found = (await connection.execute(statement)).mappings().all()
    people = await people_of(connection, found)
    return {
        row["id"]: Conversion(
            id=row["id"],
            status=ConversionStatus(row["status"]),
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            rate=row["rate_id"],
            quote=row["quote_id"],
            source=people[row["from_customer_id"]],
            target=people[row["to_customer_id"]],
            figures=figures_of(row),
            window=row["window_id"],
            completed_at=row["completed_at"],
        )
        for row in found
    }
