"""Deliveries: what endpoints are told, from the moment it is made until it was taken in or given up.

An event waits (PENDING) until its endpoint has answered with success (DELIVERED) or all attempts have failed (DEAD). A
process that is about to send it holds a lease: others leave it alone until that has run out, so a process that dies
delays it and loses nothing. What was sent and not recorded is sent again under the same identifier. An event is not
sent before the earlier ones of its subject are delivered or dead.

Everything takes a connection with a transaction open, except ``Deliveries``, which opens one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.channels import Channel
from hub.db import Database, driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.reading import Reader

LEASE: Final = timedelta(seconds=60)  # longer than any attempt takes, recording included
KEPT: Final = timedelta(days=30)  # what was delivered; what is dead is kept
PURGED_AT_ONCE: Final = 5_000

_event = tables.webhook_event


class DeliveryStatus(StrEnum):
    """Where an event is on its way."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event for one endpoint."""

    id: int
    webhook: int
    type: str
    subject: str
    payload: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """An event that this process is to send now. ``turn`` tells its lease from those before and after it."""

    id: int
    webhook: int
    payload: str
    attempts: int
    turn: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending a claimed event. ``due_at``: when it is sent again, if it is."""

    claim: Claim
    at: datetime
    status: DeliveryStatus
    due_at: datetime | None
    http_status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as its endpoint's people see it. ``due_at``: when it is sent next, while it waits."""

    id: int
    webhook: int
    type: str
    payload: str
    happened_at: datetime
    status: DeliveryStatus
    due_at: datetime
    attempts: int
    attempted_at: datetime | None
    http_status: int | None
    error: str | None


_ADD = f"""
INSERT INTO webhook_event (journal_id, id, webhook_id, type, subject, payload, happened_at, status, due_at, claims,
                           attempts)
SELECT {JOURNAL_ID}, e.*, 'PENDING', now(), 0, 0
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) e
"""

# What is due now at endpoints, of each so much at most, and not behind an earlier event of its subject.
_CLAIM = f"""
WITH due AS (
    SELECT e.id FROM unnest($2::bigint[], $3::int[]) room (webhook_id, places)
    CROSS JOIN LATERAL (
        SELECT w.id FROM webhook_event w
        WHERE w.journal_id = {JOURNAL_ID} AND w.webhook_id = room.webhook_id AND w.status = 'PENDING' AND w.due_at <= $1
          AND (w.leased_until IS NULL OR w.leased_until <= $1)
          AND NOT EXISTS (SELECT FROM webhook_event b
                          WHERE b.journal_id = {JOURNAL_ID} AND b.webhook_id = w.webhook_id AND b.subject = w.subject
                            AND b.status = 'PENDING' AND b.id < w.id)
        ORDER BY w.due_at, w.id LIMIT room.places FOR UPDATE SKIP LOCKED
    ) e
)
UPDATE webhook_event w SET leased_until = $4, claims = w.claims + 1
FROM due WHERE w.journal_id = {JOURNAL_ID} AND w.id = due.id
RETURNING w.id, w.webhook_id, w.payload, w.attempts, w.claims
"""

_NEXT = f"""
SELECT min(n.at) FROM unnest($2::bigint[]) told (webhook_id)
CROSS JOIN LATERAL (
    SELECT w.due_at AS at FROM webhook_event w
    WHERE w.journal_id = {JOURNAL_ID} AND w.webhook_id = told.webhook_id AND w.status = 'PENDING' AND w.due_at > $1
    ORDER BY w.due_at LIMIT 1
) n
"""

_RECORD = f"""
UPDATE webhook_event w
SET status = r.status, attempts = w.attempts + 1, attempted_at = r.at, http_status = r.http_status, error = r.error,
    due_at = coalesce(r.due_at, w.due_at), leased_until = NULL
FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::int[], $7::text[])
    r (id, turn, at, status, due_at, http_status, error)
WHERE w.journal_id = {JOURNAL_ID} AND w.id = r.id AND w.claims = r.turn AND w.status = 'PENDING'
"""

# What is being sent now is left alone: it has its attempt.
_REPLAY = f"""
UPDATE webhook_event w SET status = 'PENDING', due_at = now(), attempts = 0, leased_until = NULL
WHERE w.journal_id = {JOURNAL_ID} AND w.webhook_id = $1 AND ($2::bigint IS NULL OR w.id = $2)
  AND ($3::timestamptz IS NULL OR w.happened_at >= $3)
  AND (w.status <> 'PENDING' OR w.leased_until IS NULL OR w.leased_until <= now())
RETURNING w.id
"""

_PURGE = f"""
DELETE FROM webhook_event WHERE journal_id = {JOURNAL_ID} AND id IN (
    SELECT id FROM webhook_event
    WHERE journal_id = {JOURNAL_ID} AND status = 'DELIVERED' AND happened_at < $1
    ORDER BY id LIMIT {PURGED_AT_ONCE}
)
"""

_WAITING = f"""
SELECT count(*) FROM unnest($1::bigint[]) told (webhook_id)
JOIN webhook_event w ON w.journal_id = {JOURNAL_ID} AND w.webhook_id = told.webhook_id AND w.status = 'PENDING'
"""


async def announce(driver: Any) -> None:
    """Wake whoever sends, after the commit."""
    await driver.execute("SELECT pg_notify($1, '')", Channel.WEBHOOKS)


async def add(driver: Any, made: Sequence[NewEvent]) -> None:
    """Have events sent, from the commit on.

    Raises:
        UniqueViolationError: one of them was made before.
    """
    columns = zip(*((e.id, e.webhook, e.type, e.subject, e.payload, e.happened_at) for e in made), strict=True)
    await driver.execute(_ADD, *(list(column) for column in columns))
    await announce(driver)


async def claim(driver: Any, at: datetime, room: Mapping[int, int]) -> list[Claim]:
    """Take leases of what is due at ``at``; ``room``: how many events of which endpoint at most. What another process
    is looking at this very moment is passed over."""
    found = await driver.fetch(_CLAIM, at, list(room), list(room.values()), at + LEASE)
    claims = [Claim(row["id"], row["webhook_id"], row["payload"], row["attempts"], row["claims"]) for row in found]
    return sorted(claims, key=lambda one: one.id)


async def next_due(driver: Any, after: datetime, webhooks: Sequence[int]) -> datetime | None:
    """When something is due next after an instant."""
    found: datetime | None = await driver.fetchval(_NEXT, after, list(webhooks))
    return found


async def record(driver: Any, attempts: Sequence[Attempt]) -> None:
    """Put on record what came of attempts; of a lease that has run out and was taken by another, nothing."""
    columns = zip(
        *((a.claim.id, a.claim.turn, a.at, a.status.value, a.due_at, a.http_status, a.error) for a in attempts),
        strict=True,
    )
    await driver.execute(_RECORD, *(list(column) for column in columns))


async def purge(driver: Any, before: datetime) -> bool:
    """Forget some of what happened before an instant and was delivered; whether there may be more."""
    tag: str = await driver.execute(_PURGE, before)
    return int(tag.removeprefix("DELETE ")) == PURGED_AT_ONCE


async def waiting(driver: Any, webhooks: Sequence[int]) -> int:
    """How many events wait at these endpoints."""
    found: int = await driver.fetchval(_WAITING, list(webhooks))
    return found


class Deliveries:
    """The deliveries of one process's hub, for who has some sent again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replay(self, webhook: int, id: int | None, since: datetime | None) -> int:
        """Send events of an endpoint again, whatever came of them: one, or all that happened since an instant. Answers
        how many. What is being sent at this moment is not counted."""
        async with self._database.beside() as connection:
            driver = driver_of(connection)
            found = await driver.fetch(_REPLAY, webhook, id, since)
            if found:
                await announce(driver)
        return len(found)


async def page(
    connection: AsyncConnection, webhook: int, status: DeliveryStatus | None, before: int | None, rows_max: int
) -> list[Delivery]:
    """An endpoint's events, the newest first, from before ``before`` on; only those of ``status`` if it is given."""
    conditions = [_event.c.journal_id == JOURNAL_ID, _event.c.webhook_id == webhook]
    if before is not None:
        conditions.append(_event.c.id < before)
    if status is not None:
        conditions.append(_event.c.status == literal_column(f"'{status.value}'"))  # an index may have it as condition
    found = await connection.execute(select(_event).where(*conditions).order_by(_event.c.id.desc()).limit(rows_max))
    return [_delivery(row) for row in found.mappings()]


async def delivery(reader: Reader, id: int) -> Delivery | None:
    """One event."""
    found = await reader.connection.execute(select(_event).where(_event.c.journal_id == JOURNAL_ID, _event.c.id == id))
    row = found.mappings().first()
    return None if row is None else _delivery(row)


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(
        id=row["id"],
        webhook=row["webhook_id"],
        type=row["type"],
        payload=row["payload"],
        happened_at=row["happened_at"],
        status=DeliveryStatus(row["status"]),
        due_at=row["due_at"],
        attempts=row["attempts"],
        attempted_at=row["attempted_at"],
        http_status=row["http_status"],
        error=row["error"],
    )
