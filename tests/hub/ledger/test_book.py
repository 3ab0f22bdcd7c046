"""The book: what is owed, and what is reserved. No database."""

from datetime import timedelta
from fractions import Fraction

from hub.ledger.records import Customer, Position, Quote
from hub.rates import Figures
from tests.hub.ledger.books import AIR, BANK, CLOSED, CNY, GROUP, OPEN, book
from tests.hub.test_rates import NOW


def test_exposure_is_what_each_unsettled_window_owes_and_one_does_not_pay_for_another() -> None:
    made = book()
    made.positions[CLOSED, GROUP, "CNY"] = Position(subtree=-70 * CNY)
    made.positions[OPEN, GROUP, "CNY"] = Position(subtree=30 * CNY)
    assert made.exposure(GROUP, "CNY") == 70 * CNY  # not 40: what it is owed now is not paid yet
    made.positions[OPEN, GROUP, "CNY"].subtree = -5 * CNY
    assert made.exposure(GROUP, "CNY") == 75 * CNY
    assert made.exposure(GROUP, "CNY", {OPEN: 10 * CNY}) == 70 * CNY
    assert made.exposure(GROUP, "USD") == 0
    assert made.exposure(AIR, "CNY") == 0


def test_open_quotes_reserve_under_their_own_rates_cap_until_they_expire() -> None:
    made = book()
    who = Customer(7, BANK, "x")

    def offer(id: int, rate: int, seconds: int, counted: int) -> Quote:
        return Quote(
            id=id,
            credential=1,
            for_institution=BANK,
            rate=rate,
            source=who,
            target=who,
            figures=Figures(10, 10, 0, 0, 0, (counted, 99), Fraction(0)),
            expires_at=NOW + timedelta(seconds=seconds),
        )

    made.open_quotes[7] = {1: offer(1, 6, 1, 10), 2: offer(2, 6, 5, 20), 3: offer(3, 6, 0, 40), 4: offer(4, 8, 5, 80)}
    assert made.reserved(7, 6, 0) == 30  # 10 + 20; the third is over, the fourth another rate's
    assert made.reserved(8, 6, 0) == 0
