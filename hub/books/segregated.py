"""Segregated accounts against the books: what the hub keeps for its members, day by day, beside what banks say.

The books' side is that of the trial balance: collateral, what was recovered, liquidity, and the default fund, as they
stood when a day of the books ended, a payment counting on its value date. What was paid ahead for points counts as soon
as the window of the sale is settled, because then the money has moved. Nothing is netted: each account has its figure,
and what of the books has no account is shown without one.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from hub import ids, prepaids, tables
from hub.books.balances import DAY, OF_BANK, locks
from hub.books.banking import BankAccount, BankBalance, BankPurpose
from hub.db import driver_of
from hub.expiry import start_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, Phase
from hub.reading import Reader
from hub.statements import span

_KINDS = {
    AccountKind.COLLATERAL: BankPurpose.COLLATERAL,
    AccountKind.RECOVERED: BankPurpose.COLLATERAL,
    AccountKind.FUND: BankPurpose.FUND,
    AccountKind.LIQUIDITY: BankPurpose.LIQUIDITY,
}
_Held = Counter[tuple[BankPurpose, str, int]]  # by purpose, currency and institution
_balance = tables.bank_balance

_COUNTERS = f"""
SELECT id, kind, owner_id, currency, credits_posted - debits_posted AS held FROM account
WHERE journal_id = {JOURNAL_ID} AND kind = ANY($1::smallint[])
"""
# What these accounts were moved by in the books of later days.
_LATER = f"""
SELECT side.account_id, sum(CASE WHEN side.is_credit THEN l.amount ELSE -l.amount END)
FROM leg l
JOIN journal_entry e ON e.journal_id = {JOURNAL_ID} AND e.batch = l.movement_id >> {ids.PLACES_BITS}
{OF_BANK}
CROSS JOIN LATERAL (VALUES (l.debit_account_id, false), (l.credit_account_id, true)) AS side (account_id, is_credit)
WHERE l.journal_id = {JOURNAL_ID} AND l.movement_id >= $4 AND l.phase = {int(Phase.POSTED)}
  AND side.account_id = ANY($5::bigint[]) AND {DAY} > $6
GROUP BY side.account_id
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the books say of one purpose and currency at the end of a day, and the bank; millionths. ``account`` None:
    no account is registered for it; ``said`` None: no statement of the day was taken. ``institution`` None: of all who
    have no account of their own."""

    purpose: BankPurpose
    currency: str
    institution: int | None
    booked: int
    account: BankAccount | None
    said: BankBalance | None

    @property
    def difference(self) -> int | None:
        """What the bank has more than the books; None: it has said nothing."""
        return None if self.said is None else self.said.amount - self.booked


async def compare(reader: Reader, day: date) -> list[Comparison]:
    """The comparisons of a day that is over, by purpose, currency and institution. Whoever asks sees all of the hub."""
    books = reader.configuration.books
    held = await _held(reader, day)
    banks = [one for one in books.banks if one.holds(day)]
    said = await _said(reader, day)
    found: list[Comparison] = []
    for account in banks:
        own = [other.institution for other in banks if other.subject[:2] == account.subject[:2]]
        booked = _booked(held, account.subject, own)
        statement = said.get((account.number, account.currency))
        found.append(Comparison(*account.subject, booked, account, statement))
    common = {account.subject[:2] for account in banks if account.institution is None}
    for purpose, currency in sorted({key[:2] for key in held} - common):
        own = [other.institution for other in banks if other.subject[:2] == (purpose, currency)]
        if booked := _booked(held, (purpose, currency, None), own):
            found.append(Comparison(purpose, currency, None, booked, None, None))
    return sorted(found, key=lambda one: (one.purpose, one.currency, one.institution or 0))


def _booked(held: _Held, subject: tuple[BankPurpose, str, int | None], own: Collection[int | None]) -> int:
    """What is held of a subject: an institution's, or that of all but those with an account of their ``own``."""
    purpose, currency, institution = subject
    if institution is not None:
        return held[purpose, currency, institution]
    return sum(units for key, units in held.items() if key[:2] == (purpose, currency) and key[2] not in own)


async def _held(reader: Reader, day: date) -> _Held:
    books = reader.configuration.books
    driver = driver_of(reader.connection)
    ends = start_of(day + timedelta(days=1), books.time_zone)
    first = (await span(reader.connection, ends, None)).first
    accounts = await driver.fetch(_COUNTERS, [int(kind) for kind in _KINDS])
    numbers = [row["id"] for row in accounts]
    later = dict(await driver.fetch(_LATER, books.time_zone, *locks(books), first, numbers, day))
    held: _Held = Counter()
    for row in accounts:
        key = (_KINDS[AccountKind(row["kind"])], row["currency"], row["owner_id"])
        held[key] += int(row["held"]) - int(later.get(row["id"], 0))
    for (currency, money), paid in (await prepaids.paid_ahead(reader, ends)).items():
        issuer = reader.configuration.currencies[reader.configuration.currency_codes[currency]].issuer
        held[BankPurpose.PREPAID, money, issuer] += paid.liability
    return Counter({key: units for key, units in held.items() if units})


async def _said(reader: Reader, day: date) -> dict[tuple[str, str], BankBalance]:
    """What banks said of a day, by number and currency: of each account the last that was taken."""
    key = (_balance.c.number, _balance.c.currency)
    found = await reader.connection.execute(
        select(_balance)
        .ext(distinct_on(*key))
        .where(_balance.c.journal_id == JOURNAL_ID, _balance.c.day == day.isoformat())
        .order_by(*key, _balance.c.id.desc())
    )
    return {
        (row.number, row.currency): BankBalance(
            id=row.id,
            file=row.file_id,
            number=row.number,
            currency=row.currency,
            day=date.fromisoformat(row.day),
            amount=row.amount,
            statement=row.statement,
        )
        for row in found
    }
