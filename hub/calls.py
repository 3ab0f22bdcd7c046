"""Calls: the orders that partners have not answered for good, as the database keeps them: which are due, who is at one,
and when it is asked for next.

Several processes take calls at once; each call is one process's until its lease ends. Taking one is durable before
anything is sent, so that whoever comes after a crash knows that it may have been.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub import ids
from hub.db import Database, driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.orders import ExchangeState, exchange_of
from hub.partners import Operation, Status

TEXT_MAX = 500  # of what is kept of a partner's own words

_ORDERED = """t.*, o.exchange_id, o.operation, o.currency, o.customer_id, o.amount, o.undoes, o.partner_undoes,
       e.at AS asked_at, x.state, x.in_doubt, r.reference AS member"""
_JOINED = f"""
JOIN partner_order o ON o.journal_id = {JOURNAL_ID} AND o.reference = t.reference
JOIN exchange x ON x.journal_id = {JOURNAL_ID} AND x.id = o.exchange_id
JOIN journal_entry e ON e.journal_id = {JOURNAL_ID} AND e.batch = o.id >> {ids.PLACES_BITS}
LEFT JOIN customer_reference r ON r.journal_id = {JOURNAL_ID} AND r.customer_id = o.customer_id
"""
_TAKE = f"""
WITH due AS (
    SELECT reference, greatest(sent_at, leased_until) AS sent_at FROM partner_call
    WHERE journal_id = {JOURNAL_ID} AND due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
      AND (currency <> ALL($4::text[]) OR (currency = ANY($5::text[]) AND due_at <= $6))
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE partner_call c SET attempts = c.attempts + 1, leased_until = $2, sent_at = coalesce(due.sent_at, $1)
    FROM due WHERE c.journal_id = {JOURNAL_ID} AND c.reference = due.reference
    RETURNING c.reference, c.attempts, c.status, c.leased_until, due.sent_at
)
SELECT {_ORDERED}
FROM taken t {_JOINED}
"""
_LOOK = f"""
SELECT {_ORDERED}
FROM (
    SELECT reference, attempts, status, leased_until, sent_at FROM partner_call
    WHERE journal_id = {JOURNAL_ID} AND reference = $1
) t
{_JOINED}
"""
_PUT_BACK = f"""
UPDATE partner_call SET leased_until = NULL, due_at = $2, sent_at = $3, status = $4, code = $5, message = $6
WHERE journal_id = {JOURNAL_ID} AND reference = $1 AND attempts = $7
"""
_LET_GO = f"""
UPDATE partner_call SET leased_until = NULL, sent_at = $3
WHERE journal_id = {JOURNAL_ID} AND reference = $1 AND attempts = $2
"""
_NEXT = f"""
SELECT min(greatest(due_at, coalesce(leased_until, due_at))) FROM partner_call
WHERE journal_id = {JOURNAL_ID} AND currency <> ALL($1::text[])
"""
_HURRY = f"UPDATE partner_call SET due_at = $2 WHERE journal_id = {JOURNAL_ID} AND reference = $1 AND due_at > $2"
_INCIDENT = f"""
INSERT INTO partner_incident (journal_id, reference, attempt, at, text) VALUES ({JOURNAL_ID}, $1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """An order that somebody is at. ``sent_at``: when it was first sent, as far as is known; None: it never was.
    Whoever did not put it back may have sent it until its lease ended. ``attempt``: which one this is, and so whose it
    is; ``leased_until``: for how long. ``member`` is None once the customer's reference was erased."""

    reference: str
    attempt: int
    status: Status | None
    sent_at: datetime | None
    leased_until: datetime | None
    exchange: int
    operation: Operation
    currency: str
    customer: int
    amount: int
    of: str | None
    partner_of: str | None
    asked_at: datetime
    state: ExchangeState
    in_doubt: bool
    member: str | None


async def take(
    database: Database,
    at: datetime,
    lease: timedelta,
    most: int,
    paused: Collection[str] = (),
    halted: Collection[str] = (),
    give_up: timedelta = timedelta(0),
) -> list[Call]:
    """Take up to ``most`` calls that are due at ``at``, for ``lease``; none of currencies that are ``paused``, but for
    those that are ``halted`` what has been due for ``give_up``."""
    async with database.beside() as connection:
        driver = driver_of(connection)
        found = await driver.fetch(_TAKE, at, at + lease, most, list(paused), list(halted), at - give_up)
    return [_call(row) for row in found]


async def look(database: Database, reference: str) -> Call | None:
    """The call of an order that has no final answer; none, if the text, which may be a stranger's, is no reference of
    ours: the database does not take every text."""
    if exchange_of(reference) is None:
        return None
    async with database.beside() as connection:
        driver = driver_of(connection)
        row = await driver.fetchrow(_LOOK, reference)
    return None if row is None else _call(row)


def _call(row: Any) -> Call:
    return Call(
        reference=row["reference"],
        attempt=row["attempts"],
        status=None if row["status"] is None else Status(row["status"]),
        sent_at=row["sent_at"],
        leased_until=row["leased_until"],
        exchange=row["exchange_id"],
        operation=Operation(row["operation"]),
        currency=row["currency"],
        customer=row["customer_id"],
        amount=row["amount"],
        of=row["undoes"],
        partner_of=row["partner_undoes"],
        asked_at=row["asked_at"],
        state=ExchangeState(row["state"]),
        in_doubt=row["in_doubt"],
        member=row["member"],
    )


async def put_back(
    database: Database,
    call: Call,
    due_at: datetime,
    sent_at: datetime | None,
    status: Status,
    code: str | None,
    message: str | None,
) -> None:
    """Have a call taken again at ``due_at``, by whoever comes first; nothing, if somebody took it meanwhile."""
    words = (None if text is None else text[:TEXT_MAX].replace("\x00", " ") for text in (code, message))
    async with database.beside() as connection:
        driver = driver_of(connection)
        await driver.execute(_PUT_BACK, call.reference, due_at, sent_at, status.value, *words, call.attempt)


async def let_go(database: Database, calls: Sequence[Call], at: datetime) -> None:
    """End leases: nobody is at these calls any more. Each may have been sent until ``at``."""
    async with database.beside() as connection:
        driver = driver_of(connection)
        for call in calls:
            await driver.execute(_LET_GO, call.reference, call.attempt, at)


async def hurry(database: Database, reference: str, at: datetime) -> None:
    """Have a call taken at ``at``, if it would be later."""
    async with database.beside() as connection:
        driver = driver_of(connection)
        await driver.execute(_HURRY, reference, at)


async def note_incident(database: Database, call: Call, at: datetime, text: str) -> None:
    """Keep why an answer was not believed."""
    async with database.beside() as connection:
        driver = driver_of(connection)
        await driver.execute(_INCIDENT, call.reference, call.attempt, at, text[:TEXT_MAX].replace("\x00", " "))


async def next_due(database: Database, paused: Collection[str] = ()) -> datetime | None:
    """When the next call is due; None: there is none."""
    async with database.beside() as connection:
        driver = driver_of(connection)
        found: Any = await driver.fetchval(_NEXT, list(paused))
    return found if isinstance(found, datetime) else None
