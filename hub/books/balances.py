"""Trial balances: where the accounts of each kind stood when a day of the books began and ended, and what moved.

A balance is what the counters say now, less what has moved since; so a day is read from its own legs and those after
it, and a young day costs little. Everything is in smallest units of a point currency, or in millionths of money. In
each currency a day's debits are its credits, and the balances, credits less debits, sum to zero.
"""

from dataclasses import dataclass
from datetime import date

from hub import ids
from hub.books.terms import Books
from hub.db import driver_of
from hub.expiry import start_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, Phase
from hub.reading import Reader
from hub.statements import span


@dataclass(frozen=True, slots=True)
class Line:
    """The accounts of one kind and currency over a day."""

    kind: AccountKind
    currency: str
    opening: int
    debits: int
    credits: int

    @property
    def closing(self) -> int:
        """The balance at the end of the day."""
        return self.opening - self.debits + self.credits


# What the bank said of a movement that it made: of nets, of cover, and of what debtors paid later.
OF_BANK = f"""
LEFT JOIN (
    SELECT movement_id, value_date, reference FROM confirmation WHERE journal_id = {JOURNAL_ID}
    UNION ALL
    SELECT movement_id, value_date, reference FROM obligation_payment WHERE journal_id = {JOURNAL_ID}
    UNION ALL
    SELECT decision.movement_id, entry.value_date, entry.reference
    FROM cover_decision decision
    JOIN cover_entry entry ON entry.journal_id = decision.journal_id AND entry.id = decision.entry_id
    WHERE decision.journal_id = {JOURNAL_ID} AND decision.movement_id IS NOT NULL
    UNION ALL
    SELECT movement_id, value_date, reference FROM default_step
    WHERE journal_id = {JOURNAL_ID} AND movement_id IS NOT NULL AND reference IS NOT NULL
) c ON c.movement_id = l.movement_id
"""
# The day in whose books a leg is (``hub.books.terms.business_date``): that of posting, or of a payment its value date
# if that is earlier; but none that was locked when it was posted. $1: the books' time zone; $2, $3: from which batch
# on which day was the last locked one.
DAY = """greatest(
    least((e.at AT TIME ZONE $1)::date, c.value_date::date),
    (SELECT max(lock.day) + 1 FROM unnest($2::bigint[], $3::date[]) AS lock (batch, day) WHERE lock.batch < e.batch)
)"""
_MOVED = f"""
SELECT a.kind, a.currency,
    sum(of.amount) FILTER (WHERE of.day = $5 AND NOT side.is_credit),
    sum(of.amount) FILTER (WHERE of.day = $5 AND side.is_credit),
    sum(of.amount) FILTER (WHERE of.day > $5 AND NOT side.is_credit),
    sum(of.amount) FILTER (WHERE of.day > $5 AND side.is_credit)
FROM (
    SELECT l.debit_account_id, l.credit_account_id, l.amount, {DAY} AS day
    FROM leg l
    JOIN journal_entry e ON e.journal_id = {JOURNAL_ID} AND e.batch = l.movement_id >> {ids.PLACES_BITS}
    {OF_BANK}
    WHERE l.journal_id = {JOURNAL_ID} AND l.movement_id >= $4 AND l.phase = {int(Phase.POSTED)}
) of
CROSS JOIN LATERAL (VALUES (of.debit_account_id, false), (of.credit_account_id, true)) AS side (account_id, is_credit)
JOIN account a ON a.journal_id = {JOURNAL_ID} AND a.id = side.account_id
WHERE of.day >= $5
GROUP BY a.kind, a.currency
"""
_COUNTERS = f"""
SELECT kind, currency, sum(credits_posted - debits_posted) FROM account WHERE journal_id = {JOURNAL_ID}
GROUP BY kind, currency ORDER BY currency, kind
"""


async def trial_balance(reader: Reader, day: date) -> list[Line]:
    """The lines of a day that is not yet to come, by currency and kind. Whoever asks sees all of the hub."""
    books = reader.configuration.books
    first = (await span(reader.connection, start_of(day, books.time_zone), None)).first
    driver = driver_of(reader.connection)
    moved = {
        (kind, currency): [int(value or 0) for value in sums]
        for kind, currency, *sums in await driver.fetch(_MOVED, books.time_zone, *locks(books), first, day)
    }
    lines = []
    for kind, currency, now in await driver.fetch(_COUNTERS):
        debits, credits, debits_after, credits_after = moved.get((kind, currency), (0, 0, 0, 0))
        opening = int(now) - (credits_after - debits_after) - (credits - debits)
        lines.append(Line(AccountKind(kind), currency, opening, debits, credits))
    return lines


def locks(books: Books) -> tuple[list[int], list[date]]:
    """From which batch on which day was the last locked one."""
    return [one.batch for one in books.locks], [one.through for one in books.locks]
