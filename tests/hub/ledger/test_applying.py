"""Applying: drafts are taken into the book whole, or not at all. No database."""

import pytest

from hub.errors import InvalidAmount, LimitExceeded
from hub.ledger.applying import apply
from hub.ledger.draft import Draft
from hub.ledger.records import Account, AccountKind, Leg, Purpose
from hub.points import COUNTER_MAX
from tests.hub.ledger.books import AIR, BANK, book, pay


def test_a_draft_taken_in_is_seen_by_the_next() -> None:
    made = book((BANK, 100))
    first = Draft(made)
    pay(first, BANK, AIR, 80)
    first.check_caps()
    posted = apply(made, first)
    assert [(leg.amount, debit, credit) for _, _, leg, debit, credit in posted] == [(80, -80, 80)]
    second = Draft(made)
    pay(second, BANK, AIR, 80)
    with pytest.raises(LimitExceeded):  # the cap that let 2 × 80 through elsewhere
        second.check_caps()
    assert second.account(AccountKind.POSITION, BANK, "CNY") is first.account(AccountKind.POSITION, BANK, "CNY")


def test_counters_hold_what_the_database_can_and_no_more() -> None:
    made = book()
    giver = made.accounts[1, 7, "BP"] = Account(50, 1, 7, "BP", debits=0, credits=COUNTER_MAX)
    taker = made.accounts[1, 8, "BP"] = Account(51, 1, 8, "BP", debits=0, credits=COUNTER_MAX - 10)
    draft = Draft(made)
    draft.legs.append((1, Leg(giver, taker, 6, Purpose.POINTS, None)))
    draft.legs.append((1, Leg(giver, taker, 5, Purpose.POINTS, None)))
    with pytest.raises(InvalidAmount):
        apply(made, draft)
    assert (giver.debits, taker.credits) == (0, COUNTER_MAX - 10)  # nothing of it was taken in
    draft.legs[1] = (1, Leg(giver, taker, 4, Purpose.POINTS, None))
    apply(made, draft)
    assert taker.credits == COUNTER_MAX


def test_a_customers_account_cannot_be_taken_below_zero_by_any_code() -> None:
    made = book()
    giver, taker = Account(50, 1, 7, "BP", credits=5, pending_debits=1), Account(51, 2, 8, "BP")
    draft = Draft(made)
    draft.legs.append((1, Leg(giver, taker, 5, Purpose.POINTS, None)))
    with pytest.raises(AssertionError):
        apply(made, draft)
