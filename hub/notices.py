"""Notices: that points of a customer will end, said once for each end, some days before (the currency's policy).

They are data for partners, who tell their customers; the hub writes to nobody. A notice has the amount that was there
when it was made, and is not made again when that changes: what is there now is the customer's balance.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, select, tuple_

from hub import tables
from hub.currencies import PointCurrency
from hub.db import Database, driver_of
from hub.expiry import day_of, start_of
from hub.ledger import rows
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Customer
from hub.reading import Reader
from hub.sweeping import Rest

PAGE = 5_000
_notice, _customer = tables.expiry_notice, tables.customer
NoticeKey = tuple[datetime, int, datetime]  # noticed at, account, expires at

# A page of the next ends of accounts, in the order of their ends, and what of them is new and of these currencies.
_NEXT = f"""
WITH page AS MATERIALIZED (
    SELECT DISTINCT expires_at, account_id FROM (
        SELECT expires_at, account_id FROM lot
        WHERE journal_id = {JOURNAL_ID} AND expires_at <= $1 AND (expires_at, account_id) > ($2, $3)
        ORDER BY expires_at, account_id LIMIT {PAGE}
    ) l
), made AS (
    INSERT INTO expiry_notice (journal_id, account_id, expires_at, currency, customer_id, amount, noticed_at)
    SELECT {JOURNAL_ID}, p.account_id, p.expires_at, a.currency, a.owner_id,
           (SELECT sum(l.amount) FROM lot l WHERE l.journal_id = {JOURNAL_ID} AND l.account_id = p.account_id
                                              AND l.expires_at = p.expires_at),
           now()
    FROM page p
    JOIN account a ON a.journal_id = {JOURNAL_ID} AND a.id = p.account_id
    JOIN unnest($4::text[], $5::timestamptz[]) AS wanted (currency, horizon)
        ON wanted.currency = a.currency AND p.expires_at <= wanted.horizon
    WHERE p.expires_at > now()
      AND NOT EXISTS (SELECT FROM expiry_notice n WHERE n.journal_id = {JOURNAL_ID} AND n.account_id = p.account_id
                                                    AND n.expires_at = p.expires_at)
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM page) AS looked_at,
       (SELECT expires_at FROM page ORDER BY expires_at DESC, account_id DESC LIMIT 1) AS expires_at,
       (SELECT account_id FROM page ORDER BY expires_at DESC, account_id DESC LIMIT 1) AS account_id
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """That ``amount`` units (as of ``noticed_at``) of a customer's points are gone from ``expires_at`` on."""

    account: int
    customer: Customer
    currency: str
    amount: int
    expires_at: datetime
    noticed_at: datetime

    @property
    def key(self) -> NoticeKey:
        """Its place in the order of notices."""
        return self.noticed_at, self.account, self.expires_at


def horizon(of: PointCurrency, at: datetime, days: int) -> datetime:
    """The end of points whose last day is ``days`` after the day of ``at``, by the currency's calendar."""
    return start_of(day_of(at, of.time_zone) + timedelta(days=days + 1), of.time_zone)


async def notify(database: Database, engine: Engine, at: datetime, rest: Rest | None = None) -> int:
    """Make the notices that are due at ``at`` and were not made; answers how many. A currency whose policy has no
    days of notice has none. Each page is a transaction of its own."""
    wanted = {
        of.code: horizon(of, at, of.policy.notice_days)
        for of in engine.configuration.currencies.values()
        if of.policy.notice_days
    }
    made, after, number = 0, at, 0
    while wanted:
        began = time.monotonic()
        async with database.write() as connection:
            driver = driver_of(connection)
            row = await driver.fetchrow(_NEXT, max(wanted.values()), after, number, list(wanted), list(wanted.values()))
        made += row["made"]
        if row["looked_at"] == 0 or (rest is not None and not await rest(time.monotonic() - began)):
            break
        after, number = row["expires_at"], row["account_id"]
    return made


async def of_currency(
    reader: Reader,
    currency: str,
    homes: Sequence[int] | None,
    since: datetime | None,
    after: NoticeKey | None,
    rows_max: int,
) -> list[Notice]:
    """A currency's notices in the order in which they were made, of customers of ``homes`` (None: of all)."""
    conditions = [_notice.c.journal_id == JOURNAL_ID, _notice.c.currency == currency]
    if since is not None:
        conditions.append(_notice.c.noticed_at >= since)
    if after is not None:
        key = tuple_(_notice.c.noticed_at, _notice.c.account_id, _notice.c.expires_at)
        conditions.append(key > after)
    statement = select(_notice).where(*conditions)
    if homes is not None:
        same = and_(_customer.c.journal_id == _notice.c.journal_id, _customer.c.id == _notice.c.customer_id)
        statement = statement.join(_customer, same).where(_customer.c.institution_id.in_(homes))
    order = (_notice.c.noticed_at, _notice.c.account_id, _notice.c.expires_at)
    found = (await reader.connection.execute(statement.order_by(*order).limit(rows_max))).all()
    people = await rows.customers(reader.connection, {row.customer_id for row in found})
    return [
        Notice(row.account_id, people[row.customer_id], row.currency, row.amount, row.expires_at, row.noticed_at)
        for row in found
    ]
