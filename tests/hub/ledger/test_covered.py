"""What has to be covered, on the book of ``books``: no database."""

import pytest

from hub.configuration import with_changes
from hub.cover import Cover, CoverTerms
from hub.errors import InsufficientLiquidity
from hub.ledger.book import Book
from hub.ledger.covered import check_cover
from hub.ledger.draft import Draft
from hub.ledger.records import Account, AccountKind, Position
from tests.hub.ledger.books import AIR, BANK, CNY, GROUP, OPEN, STORE, book, pay


def covered(collateral: int, **terms: int) -> Book:
    """GROUP has put up so much, and has to."""
    made = book()
    cover = Cover(900, GROUP, "CNY", CoverTerms(needed=True, **terms))
    made.configuration = with_changes(made.configuration, 2, [cover])
    key = (AccountKind.COLLATERAL, GROUP, "CNY")
    made.accounts[key] = Account(901, AccountKind.COLLATERAL, GROUP, "CNY", 0, collateral)
    return made


def test_an_exposure_grows_as_far_as_collateral_and_line_reach() -> None:
    of = covered(100 * CNY, line=10 * CNY, haircut=200_000)  # 10 + 80
    enough, over = Draft(of), Draft(of)
    pay(enough, BANK, AIR, 90 * CNY)
    check_cover(enough)
    pay(over, BANK, AIR, 90 * CNY + 1)
    with pytest.raises(InsufficientLiquidity) as refused:
        check_cover(over)
    assert refused.value.details == {
        "institution": "I2",
        "currency": "CNY",
        "exposure": "90.000001",
        "cover": "90.00",
        "collateral": "100.00",
        "line": "10.00",
    }


def test_what_improves_an_exposure_that_nothing_covers_is_never_refused() -> None:
    of = covered(0)
    of.positions[OPEN, GROUP, "CNY"] = Position(subtree=-50 * CNY)
    draft = Draft(of)
    pay(draft, AIR, BANK, 10 * CNY)
    check_cover(draft)
    worse = Draft(of)
    pay(worse, BANK, AIR, 1)
    with pytest.raises(InsufficientLiquidity):
        check_cover(worse)


def test_what_stays_below_the_covered_one_and_what_others_owe_is_not_asked_for() -> None:
    draft = Draft(covered(0))
    pay(draft, BANK, STORE, 10 * CNY)  # both below GROUP
    pay(draft, AIR, BANK, 5 * CNY)
    check_cover(draft)
    free = covered(0)
    free.configuration = with_changes(free.configuration, 3, [Cover(900, GROUP, "CNY", CoverTerms(line=1))])
    draft = Draft(free)
    pay(draft, BANK, AIR, 10 * CNY)
    check_cover(draft)  # it need not be covered
