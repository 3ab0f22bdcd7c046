"""The journal: one hash-chained entry per batch, over the canonical rows that the batch appended.

The head is one row; whoever locks it writes the next batch. An entry's content is the SHA-256 of the batch's rows,
table by table in a fixed order, each row as JSON of its hashed columns; its hash binds that to its number, its time and
the entry before. So an auditor rebuilds the chain from the tables alone. Counters, references, identifiers and memos
are not hashed: counters are derived, the others may be erased.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Table, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.db import driver_of
from hub.ids import PLACES_BITS

JOURNAL_ID = 1
GENESIS = bytes(32)

Row = tuple[Any, ...]
Clock = Callable[[datetime], datetime]  # what the hub takes the time to be, given the database's


def as_told(now: datetime) -> datetime:
    """The clock of every hub: the database's time as it is."""
    return now


@dataclass(frozen=True, slots=True)
class Hashed:
    """A table's part in an entry: the hashed columns, in order, how its rows are ordered, and which batch one is of."""

    table: Table
    columns: tuple[Column[Any], ...]
    order: tuple[Column[Any], ...]
    batch: ColumnElement[int]


def batch_of(column: Column[Any]) -> ColumnElement[int]:
    """The batch that made an identifier, in SQL; the number is no parameter, because ``>>`` takes an integer."""
    return column.op(">>", return_type=column.type)(literal_column(str(PLACES_BITS)))


def _hashed(table: Table, names: str, order: str, batch: ColumnElement[int] | None = None) -> Hashed:
    columns = tuple(table.c[name] for name in names.split())
    ordering = tuple(table.c[name] for name in order.split())
    return Hashed(table, columns, ordering, batch_of(ordering[0]) if batch is None else batch)


_WINDOW_CLOSED_IN = (
    select(tables.settlement_window.c.closed_in)
    .where(
        tables.settlement_window.c.journal_id == tables.window_net.c.journal_id,
        tables.settlement_window.c.id == tables.window_net.c.window_id,
    )
    .scalar_subquery()
)

HASHED: tuple[Hashed, ...] = (
    _hashed(tables.configuration_change, "version noun key document credential_id", "version"),
    _hashed(tables.customer, "id institution_id", "id"),
    _hashed(tables.customer_profile, "id customer_id type groups credential_id", "id"),
    _hashed(tables.pool, "id kind owner_id credential_id", "id"),
    _hashed(tables.pool_member, "id pool_id customer_id rights credential_id", "id"),
    _hashed(tables.pool_use, "movement_id customer_id", "movement_id"),
    _hashed(tables.account, "id kind owner_id currency", "id"),
    _hashed(tables.outcome, "id institution_id key request refusal details subject_id", "id"),
    _hashed(
        tables.movement,
        "id kind credential_id for_institution_id currency amount from_customer_id to_customer_id merchant_id money"
        " value fee subject_id earned_at expires_at",
        "id",
    ),
    _hashed(tables.act_terms, "movement_id terms_id", "movement_id"),
    _hashed(
        tables.leg,
        "movement_id n phase purpose debit_account_id credit_account_id amount debit_after credit_after window_id",
        "movement_id n",
    ),
    _hashed(tables.fee_share, "movement_id place plan_id institution_id amount n", "movement_id place"),
    _hashed(
        tables.lot_entry,
        "movement_id n place account_id expires_at origin earned_at amount held",
        "movement_id n place",
    ),
    _hashed(
        tables.hold,
        "id kind credential_id for_institution_id customer_id currency amount shortfall expires_at",
        "id",
    ),
    _hashed(tables.missing, "movement_id debt written_off", "movement_id"),
    _hashed(tables.restriction, "id kind credential_id for_institution_id customer_id currency", "id"),
    _hashed(
        tables.cancellation,
        "id last_id credential_id for_institution_id currency issues amount debt written_off",
        "id",
    ),
    _hashed(
        tables.basket,
        "id last_id credential_id for_institution_id customer_id merchant_id money amount rest",
        "id",
    ),
    _hashed(
        tables.clearing,
        "id credential_id for_institution_id currency scope earned_before starts_at reason",
        "id",
    ),
    _hashed(
        tables.quote,
        "id credential_id for_institution_id rate_id from_customer_id to_customer_id source target bonus fee settlement"
        " eligible residue expires_at",
        "id",
    ),
    _hashed(
        tables.conversion,
        "id credential_id for_institution_id rate_id quote_id from_customer_id from_institution_id to_customer_id"
        " to_institution_id source target bonus fee settlement eligible residue window_id",
        "id",
    ),
    _hashed(
        tables.exchange_step,
        "id exchange_id state in_doubt credential_id order_reference status reason code partner_reference",
        "id",
    ),
    _hashed(
        tables.partner_order,
        "id reference exchange_id operation currency customer_id amount undoes partner_undoes",
        "id",
    ),
    _hashed(tables.exchange_evidence, "id exchange_id order_reference kind done credential_id", "id"),
    _hashed(
        tables.relocation,
        "id credential_id for_institution_id currency leaves adapter connection starts_at reason",
        "id",
    ),
    _hashed(
        tables.relocation_step,
        "id relocation_id act credential_id round customers ours theirs differing digest",
        "id",
    ),
    _hashed(tables.opening_balance, "id relocation_id round customer_id ours theirs lots", "id"),
    _hashed(tables.settlement_window, "id model number opened_at", "id"),
    _hashed(
        tables.window_net,
        "window_id institution_id currency debits credits net",
        "window_id currency institution_id",
        _WINDOW_CLOSED_IN,
    ),
    _hashed(
        tables.net_exchange,
        "movement_id window_id institution_id currency net rate_id into_currency value",
        "movement_id",
    ),
    _hashed(tables.obligation, "id window_id debtor_id creditor_id currency amount", "id"),
    _hashed(tables.obligation_payment, "movement_id obligation_id value_date reference", "movement_id"),
    _hashed(tables.internal_account, "id parent_id institution_id", "id"),
    _hashed(
        tables.confirmation,
        "movement_id window_id institution_id currency amount value_date reference",
        "movement_id",
    ),
    _hashed(tables.billing, "id credential_id period zone starts_at ends_at", "id"),
    _hashed(tables.invoice, "id number billing_id of_id institution_id schedule_id money net vat gross", "id"),
    _hashed(tables.invoice_line, "invoice_id n item currency quantity price amount", "invoice_id n"),
    _hashed(tables.confirmation_file, "id credential_id digest payments last_id", "id"),
    _hashed(tables.limit_entry, "movement_id n limit_id subject_id period amount", "movement_id n"),
    _hashed(tables.clipping, "movement_id version_id requested", "movement_id"),
    _hashed(tables.act_label, "act_id channel product", "act_id"),
    _hashed(
        tables.binding, "id credential_id for_institution_id institution_id identifier_id customer_id ends_id", "id"
    ),
    _hashed(
        tables.customer_link,
        "id link_id status credential_id for_institution_id a_customer_id a_institution_id b_customer_id"
        " b_institution_id",
        "id",
    ),
    _hashed(tables.reconciliation, "id credential_id currency day document", "id"),
    _hashed(tables.reconciliation_break, "id run_id currency day scale reference", "id"),
    _hashed(
        tables.break_step,
        "id break_id kind credential_id run_id figures owner_id ending adjusted movement_id",
        "id",
    ),
    _hashed(tables.acceptance, "id credential_id window_id institution_id digest kid jws", "id"),
    _hashed(
        tables.dispute,
        "id credential_id institution_id window_id movement_id n payer_id payee_id currency amount purpose reason"
        " expected",
        "id",
    ),
    _hashed(tables.dispute_step, "id dispute_id kind credential_id outcome amount movement_id", "id"),
    _hashed(
        tables.cover_entry,
        "id credential_id institution_id pot currency amount value_date reference",
        "id",
    ),
    _hashed(tables.cover_decision, "id entry_id status credential_id movement_id", "id"),
    _hashed(tables.settlement_default, "id credential_id window_id institution_id currency amount", "id"),
    _hashed(tables.default_step, "id default_id kind credential_id amount value_date reference movement_id", "id"),
    _hashed(tables.prepaid_block, "id credential_id holder_id currency units money value valid_until", "id"),
    _hashed(tables.prepaid_step, "id block_id kind credential_id units movement_id", "id"),
    _hashed(tables.prepaid_draw, "movement_id place block_id units", "movement_id place"),
    _hashed(
        tables.prepaid_notice,
        "id credential_id holder_id currency threshold low units_left movement_id",
        "id",
    ),
    _hashed(tables.bank_file, "id credential_id digest balances", "id"),
    _hashed(tables.bank_balance, "id file_id number currency day amount statement", "id"),
)

_ENCODER = msgspec.json.Encoder()


def content_of(rows: Mapping[str, Sequence[Row]]) -> bytes:
    """SHA-256 of a batch's rows by table name; tables without rows count for nothing."""
    digest = hashlib.sha256()
    for hashed in HASHED:
        if of_table := rows.get(hashed.table.name):
            digest.update(_ENCODER.encode((str(hashed.table.name), of_table)))
    return digest.digest()


def hash_of(previous: bytes, batch: int, at: datetime, content: bytes) -> bytes:
    """The hash of an entry, which the next one carries as its ``previous``."""
    return hashlib.sha256(previous + batch.to_bytes(8, "big") + at.isoformat().encode() + content).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry, and the time for the next: the database's, later than any before. ``last``: the last one's."""

    batch: int
    hash: bytes
    at: datetime
    configuration_version: int
    last: datetime


# Each batch and each look begins with one of them, so they are the driver's.
_LOOK = f"""
SELECT batch, hash, at, configuration_version, clock_timestamp() AS now
FROM journal_head WHERE journal_id = {JOURNAL_ID}
"""
_LOCK = f"{_LOOK} FOR UPDATE"


async def lock(connection: AsyncConnection, clock: Clock = as_told) -> Head | None:
    """Lock the head until the transaction ends; None: the hub is not set up. What is read after this, in statements of
    their own under READ COMMITTED, is current and stays so."""
    return _head(await driver_of(connection).fetchrow(_LOCK), clock)


async def look(connection: AsyncConnection, clock: Clock = as_told) -> Head | None:
    """The head without its lock, for reading."""
    return _head(await driver_of(connection).fetchrow(_LOOK), clock)


async def catch_up(connection: AsyncConnection) -> None:
    """Wait for the batch that holds the head's lock, if there is one.

    Snapshots that are taken after this transaction hold every batch whose time is before this call. It is an update, if
    of nothing, because whoever waits for the lock behind an update reads the clock again; it may be lost in a crash, so
    the lock is not kept for the disk.
    """
    head = tables.journal_head
    await connection.execute(select(func.set_config("synchronous_commit", "off", True)))
    await connection.execute(head.update().where(head.c.journal_id == JOURNAL_ID).values(batch=head.c.batch))


def _head(row: Mapping[Any, Any] | None, clock: Clock) -> Head | None:
    if row is None:
        return None
    at = max(clock(row["now"]), row["at"] + timedelta(microseconds=1))
    return Head(row["batch"], bytes(row["hash"]), at, row["configuration_version"], row["at"])


async def entry_hash(connection: AsyncConnection, batch: int) -> bytes | None:
    """The hash of an entry, if it was committed."""
    found = await connection.scalar(
        select(tables.journal_entry.c.hash).where(
            tables.journal_entry.c.journal_id == JOURNAL_ID, tables.journal_entry.c.batch == batch
        )
    )
    return None if found is None else bytes(found)


PARTITION_BATCHES = 1 << 18  # batches in one partition of the legs


async def make_room(connection: AsyncConnection, batch: int) -> None:
    """Open the next partition of the legs when the present one is half full, long before it is needed."""
    if batch % PARTITION_BATCHES == PARTITION_BATCHES // 2:
        await connection.execute(select(func.open_leg_partition(batch + PARTITION_BATCHES)))


async def refresh_statistics(connection: AsyncConnection) -> None:
    """Let the database look at its tables: until it has, it does not know which part of a key is selective."""
    await connection.execute(select(func.refresh_statistics()))


async def begin(connection: AsyncConnection) -> Head:
    """Make the head of an empty journal, and lock it. The transaction's other statements write the first batch.

    Raises:
        IntegrityError: the hub is set up already.
    """
    now = await connection.scalar(select(func.clock_timestamp()))
    await connection.execute(
        tables.journal_head.insert().values(
            journal_id=JOURNAL_ID, batch=0, hash=GENESIS, at=now, configuration_version=0
        )
    )
    head = await lock(connection)
    if head is None:
        raise AssertionError("the head was just made")
    return head
