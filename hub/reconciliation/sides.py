"""Sides: the hub's orders and the partner's journal, laid down as files for matching."""

import csv
import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.currencies import PointCurrency
from hub.db import driver_of
from hub.errors import PartnerUnavailable
from hub.expiry import start_of
from hub.ids import PLACES_BITS
from hub.ledger.journal import JOURNAL_ID
from hub.partners import CLOCK_SKEW, Entry, Partner
from hub.partners import PartnerUnavailable as Unavailable
from hub.reconciliation.matching import EPOCH, Frame

DAY: Final = timedelta(days=1)
LATE_DAYS_MAX: Final = 7  # after its day, until which an order of it may have been done and is looked for there
REFERENCE_MAX: Final = 100  # characters of a partner's, of a journal's row

# Orders of a currency whose identifiers lie between $2 and $3, or whose references are among $4, as matching takes
# them. An order is final once an answer has ended it; that a refund was refused ends nothing. $5 is by how much amounts
# are multiplied, $6 the zone of the days, $7 and $8 from when and until when an order is the day's own, $9 by how much
# a partner's clock may differ. What a reversal does to the member is told by the operation of the order that it undoes.
_ORDERS: Final = f"""
SELECT o.reference, o.operation, o.amount * $5::bigint,
    CASE WHEN s.status = 'SUCCEEDED' THEN 'SUCCEEDED' WHEN s.id IS NOT NULL THEN 'REFUSED'
        WHEN x.in_doubt THEN 'UNKNOWN' ELSE 'PENDING' END,
    (extract(epoch FROM e.at) * 1000000)::bigint,
    (extract(epoch FROM date_trunc('day', e.at - $9::interval, $6)) * 1000000)::bigint,
    (extract(epoch FROM (date_trunc('day', (coalesce(a.at, now()) + $9::interval) AT TIME ZONE $6) + interval '1 day')
        AT TIME ZONE $6) * 1000000)::bigint,
    e.at >= $7::timestamptz AND e.at < $8::timestamptz, r.reference, u.operation
FROM partner_order o
JOIN journal_entry e ON e.journal_id = o.journal_id AND e.batch = o.id >> {PLACES_BITS}
JOIN exchange x ON x.journal_id = o.journal_id AND x.id = o.exchange_id
LEFT JOIN exchange_step s ON s.journal_id = o.journal_id AND s.exchange_id = o.exchange_id
    AND s.order_reference = o.reference AND s.status IN ('SUCCEEDED', 'REFUSED', 'ABSENT') AND NOT s.in_doubt
LEFT JOIN journal_entry a ON a.journal_id = s.journal_id AND a.batch = s.id >> {PLACES_BITS}
LEFT JOIN partner_order u ON u.journal_id = o.journal_id AND u.reference = o.undoes AND o.operation = 'REVERSE'
LEFT JOIN customer_reference r ON r.journal_id = o.journal_id AND r.customer_id = o.customer_id
WHERE o.journal_id = {JOURNAL_ID} AND o.currency = $1
"""
_OF_DAYS: Final = f"{_ORDERS} AND o.id >= $2 AND o.id < $3 AND $4::text[] IS NULL"
_NAMED: Final = f"{_ORDERS} AND o.reference = ANY ($4::text[]) AND $2::bigint < $3::bigint"
_BATCHES: Final = f"""
SELECT coalesce(min(batch), 0), coalesce(max(batch) + 1, 1) FROM journal_entry
WHERE journal_id = {JOURNAL_ID} AND at >= $1 AND at < $2
"""
_LAST_ANSWER: Final = f"""
SELECT max(a.at) FROM partner_order o
JOIN journal_entry e ON e.journal_id = o.journal_id AND e.batch = o.id >> {PLACES_BITS}
JOIN exchange_step s ON s.journal_id = o.journal_id AND s.exchange_id = o.exchange_id
    AND s.order_reference = o.reference AND s.status = 'SUCCEEDED'
JOIN journal_entry a ON a.journal_id = s.journal_id AND a.batch = s.id >> {PLACES_BITS}
WHERE o.journal_id = {JOURNAL_ID} AND o.currency = $1 AND o.id >= $2 AND o.id < $3 AND a.at >= $4
"""


def frame_of(of: PointCurrency, day: date, unit: str) -> Frame:
    """A day of the currency's calendar, from its midnight to the next."""
    start, end = start_of(day, of.time_zone), start_of(day + DAY, of.time_zone)
    before, after = start_of(day - DAY, of.time_zone), start_of(day + 2 * DAY, of.time_zone)
    return Frame(micros(start), micros(end), micros(before), micros(after), unit)


def micros(at: datetime) -> int:
    """An instant, in microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


async def orders(connection: AsyncConnection, of: PointCurrency, day: date, factor: int, path: Path) -> str:
    """Lay down the orders of a day and its neighbours, amounts multiplied by ``factor``; answers the digest of them."""
    first, last = await _identifiers(connection, of, day - DAY, day + 2 * DAY)
    return await _copy(connection, _OF_DAYS, of, day, factor, path, first, last, None)


async def named_orders(
    connection: AsyncConnection, of: PointCurrency, day: date, factor: int, path: Path, references: Collection[str]
) -> None:
    """Lay down the orders that have these references, whenever they were asked."""
    await _copy(connection, _NAMED, of, day, factor, path, 0, 1, list(references))


async def last_day(connection: AsyncConnection, of: PointCurrency, day: date, today: date) -> date:
    """Until which day what was asked on ``day`` has been done, as far as it is looked for."""
    first, last = await _identifiers(connection, of, day, day + DAY)
    late = start_of(day + 2 * DAY, of.time_zone)
    found = await driver_of(connection).fetchval(_LAST_ANSWER, of.code, first, last, late)
    if found is None:
        return min(day + DAY, today)
    answered = date.fromordinal(day.toordinal() + (found - start_of(day, of.time_zone)) // DAY + 1)
    return min(answered, day + LATE_DAYS_MAX * DAY, today)


async def journal(partner: Partner, of: PointCurrency, days: Iterable[date], over: date, path: Path) -> str:
    """Lay down what the partner's journal lists of some days of its calendar; answers the digest of it. What was not
    done for us is left out. Days after ``over`` may not be over for the partner: one that it cannot list then is left
    out as well.

    Raises:
        PartnerUnavailable: the journal cannot be read now.
    """
    digest = hashlib.sha256()
    with path.open("w", newline="", encoding="utf-8") as target:
        written = csv.writer(_Digested(target, digest), lineterminator="\n")
        for day in days:
            try:
                async for entry in partner.journal(day):
                    if entry.reference is not None:
                        written.writerow(_row(entry))
            except Unavailable as error:
                if day <= over:
                    told = str(error)[:200]
                    raise PartnerUnavailable(currency=of.code, journal=day.isoformat(), because=told) from None
    return digest.hexdigest()


def _row(entry: Entry) -> list[object]:
    """An entry as matching takes it."""
    names = (entry.reference or "", entry.partner_reference or "", entry.operation.value, entry.member)
    return [*map(_plain, names), entry.amount, _plain(entry.unit), entry.status.value, micros(entry.at)]


def adjustments(posted: Mapping[str, int], factor: int, path: Path) -> None:
    """Lay down what ends of breaks have posted."""
    with path.open("w", newline="", encoding="utf-8") as target:
        csv.writer(target, lineterminator="\n").writerows((name, sum * factor) for name, sum in posted.items())


class _Digested:
    """A file whose contents are digested as they are written."""

    def __init__(self, target: Any, digest: Any) -> None:
        self._target = target
        self._digest = digest

    def write(self, text: str) -> int:
        self._digest.update(text.encode())
        written: int = self._target.write(text)
        return written


def _plain(text: str) -> str:
    """A partner's text as a file can hold it: printable, and bounded."""
    return (text if text.isprintable() else ascii(text))[:REFERENCE_MAX]


async def _identifiers(connection: AsyncConnection, of: PointCurrency, first: date, end: date) -> tuple[int, int]:
    """Between which identifiers lies what was written down from the one day on to before the other."""
    bounds = (start_of(first, of.time_zone), start_of(end, of.time_zone))
    least, most = await driver_of(connection).fetchrow(_BATCHES, *bounds)
    return least << PLACES_BITS, most << PLACES_BITS


async def _copy(
    connection: AsyncConnection, query: str, of: PointCurrency, day: date, factor: int, path: Path, *which: Any
) -> str:
    first, last, references = which
    start, end = start_of(day, of.time_zone), start_of(day + DAY, of.time_zone)
    digest = hashlib.sha256()
    driver = driver_of(connection)
    given = (of.code, first, last, references, factor, of.time_zone, start, end, CLOCK_SKEW)
    with path.open("wb") as target:

        async def take(data: bytes) -> None:
            digest.update(data)
            target.write(data)

        await driver.copy_from_query(query, *given, output=take, format="csv")
    return digest.hexdigest()
