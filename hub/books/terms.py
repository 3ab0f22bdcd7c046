"""The terms of the books: which days they have, which period is locked, and how accounts are called elsewhere. Pure.

Configuration, so every change is journalled and an auditor knows what was in force at each act.

Three dates: an act is *posted* at its batch's time; what it does with money counts from its *value date*, which the
bank says of a payment, otherwise the day of posting; its *business date* is the day whose books it is in: the value
date, but never a day after posting, and never one of a period that was locked when it was posted.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hub.books.banking import BankAccount


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """What accounts of a kind are called in the operator's general ledger; ``currency``: of one currency alone."""

    kind: str  # of hub.ledger.records.AccountKind, by name
    currency: str | None
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class PeriodLock:
    """The books of every day up to ``through`` were closed in ``batch``, by a person."""

    through: date
    batch: int
    at: datetime
    person: str


@dataclass(frozen=True, slots=True)
class Books:
    """``time_zone`` (IANA): whose days are those of the books. ``locks``: in the order of their days. ``accounts``: the
    general ledger's, at most one for a kind and currency. ``banks``: segregated accounts, of which no two are for the
    same on one day."""

    id: int
    time_zone: str = "UTC"
    locks: tuple[PeriodLock, ...] = ()
    accounts: tuple[LedgerAccount, ...] = ()
    banks: tuple[BankAccount, ...] = ()

    @property
    def locked(self) -> date | None:
        """The last day of the locked period, if there is one."""
        return self.locks[-1].through if self.locks else None

    def bank(self, number: str, currency: str, day: date) -> BankAccount | None:
        """The segregated account of a number and currency, if it is compared on a day."""
        found = (one for one in self.banks if (one.number, one.currency) == (number, currency) and one.holds(day))
        return next(found, None)

    def account(self, kind: str, currency: str) -> LedgerAccount | None:
        """What an account is called: as those of its kind and currency, otherwise as those of its kind."""
        mine = {one.currency: one for one in self.accounts if one.kind == kind}
        return mine.get(currency) or mine.get(None)


def business_date(posted: date, value: date | None, locked: date | None) -> date:
    """The day in whose books an act is that was posted on ``posted``, when ``locked`` was the last locked day."""
    counted = posted if value is None else min(posted, value)
    return counted if locked is None else max(counted, locked + timedelta(days=1))
