"""Business dates: the value date of a payment, but never after posting and never in a locked period."""

from datetime import UTC, date, datetime

import pytest

from hub.books.terms import Books, LedgerAccount, PeriodLock, business_date

MON, TUE, WED, THU = (date(2026, 3, day) for day in (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("posted", "value", "locked", "counted"),
    [
        (WED, None, None, WED),
        (WED, MON, None, MON),
        (WED, THU, None, WED),  # the bank says that it moves tomorrow
        (WED, MON, MON, TUE),
        (WED, MON, TUE, WED),
        (WED, TUE, MON, TUE),
        (WED, None, TUE, WED),
    ],
)
def test_a_business_date(posted: date, value: date | None, locked: date | None, counted: date) -> None:
    assert business_date(posted, value, locked) == counted


def test_an_account_of_a_currency_goes_before_that_of_all() -> None:
    every, cny = LedgerAccount("BANK", None, "1000", "Banks"), LedgerAccount("BANK", "CNY", "1001", "Bank CNY")
    books = Books(1, accounts=(every, cny))
    assert (books.account("BANK", "CNY"), books.account("BANK", "USD")) == (cny, every)
    assert books.account("POSITION", "CNY") is None


def test_the_last_lock_is_in_force() -> None:
    at = datetime(2026, 3, 5, tzinfo=UTC)
    assert Books(1).locked is None
    assert Books(1, locks=(PeriodLock(MON, 1, at, "ann"), PeriodLock(TUE, 2, at, "ann"))).locked == TUE
