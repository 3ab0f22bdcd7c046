"""The book: what is owed, what is reserved, and drafts taken in or dropped. No database."""

from datetime import timedelta
from fractions import Fraction

import pytest

from hub.configuration import Configuration, with_changes
from hub.errors import InvalidAmount, LimitExceeded
from hub.institutions import DebitCap, Institution, Kind, Placement, Status
from hub.ledger.book import Book, Draft
from hub.ledger.records import (
    Account,
    AccountKind,
    Customer,
    Leg,
    Position,
    Purpose,
    Quote,
    Window,
    WindowStatus,
)
from hub.points import COUNTER_MAX
from hub.rates import Figures
from tests.hub.test_rates import NOW

HUB, GROUP, BANK, STORE, AIR = 1, 2, 3, 4, 5
CNY = 1_000_000
CLOSED, OPEN = 100, 200


def node(number: int, parent: int | None) -> Institution:
    placements = () if parent is None else (Placement(1, parent),)
    return Institution(number, f"I{number}", "n", Kind.OTHER, Status.ACTIVE, parent, placements, (), True)


def configuration(*caps: tuple[int, int]) -> Configuration:
    nodes = [node(HUB, None), node(GROUP, HUB), node(BANK, GROUP), node(STORE, GROUP), node(AIR, HUB)]
    limits = [DebitCap(900 + of, of, "CNY", amount) for of, amount in caps]
    return with_changes(Configuration(), 1, [*nodes, *limits])


def book(*caps: tuple[int, int]) -> Book:
    made = Book(1000, NOW, configuration(*caps))
    for number, (id, status) in enumerate(((CLOSED, WindowStatus.CLOSED), (OPEN, WindowStatus.OPEN)), start=1):
        made.windows[id] = Window(id=id, model="default", number=number, status=status, opened_at=NOW)
    return made


def pay(draft: Draft, payer: int, payee: int, amount: int) -> None:
    draft.money(draft.new_id(), payer, payee, "CNY", amount, Purpose.SETTLEMENT)


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


def test_money_changes_what_is_owed_at_both_ends_up_to_the_operator() -> None:
    draft = Draft(book())
    pay(draft, BANK, AIR, 7)
    assert draft.positions == {
        (OPEN, BANK, "CNY"): -7,
        (OPEN, GROUP, "CNY"): -7,
        (OPEN, AIR, "CNY"): 7,
        (OPEN, HUB, "CNY"): 0,
    }


def test_an_act_inside_a_subtree_leaves_its_exposure_and_is_not_capped_there() -> None:
    made = book((GROUP, 0))
    draft = Draft(made)
    pay(draft, BANK, STORE, 7)
    draft.check_caps()
    assert draft.positions[OPEN, GROUP, "CNY"] == 0


@pytest.mark.parametrize(("amount", "passes"), [(100, True), (101, False)])
@pytest.mark.parametrize("level", [BANK, GROUP])
def test_a_cap_at_any_level_is_inclusive(level: int, amount: int, passes: bool) -> None:
    draft = Draft(book((level, 100)))
    pay(draft, BANK, AIR, amount)
    if passes:
        draft.check_caps()
        return
    with pytest.raises(LimitExceeded) as refused:
        draft.check_caps()
    assert refused.value.details == {
        "institution": f"I{level}",
        "currency": "CNY",
        "cap": "0.0001",
        "exposure": "0.000101",
    }


def test_an_act_that_improves_an_exposure_is_never_refused_for_a_cap() -> None:
    made = book((BANK, 10))
    made.positions[OPEN, BANK, "CNY"] = Position(subtree=-500)  # the cap was set afterwards
    draft = Draft(made)
    pay(draft, AIR, BANK, 3)
    draft.check_caps()
    worse = Draft(made)
    pay(worse, BANK, AIR, 1)
    with pytest.raises(LimitExceeded):
        worse.check_caps()


def test_the_two_payments_of_one_act_count_together() -> None:
    draft = Draft(book((BANK, 100)))
    pay(draft, BANK, AIR, 60)
    pay(draft, BANK, HUB, 41)
    with pytest.raises(LimitExceeded):
        draft.check_caps()


def test_what_is_owed_to_it_is_cover_for_what_it_pays() -> None:
    made = book((BANK, 0))
    made.positions[OPEN, BANK, "CNY"] = Position(subtree=50)
    draft = Draft(made)
    pay(draft, BANK, AIR, 50)
    draft.check_caps()  # 50 - 50: it owes nothing
    pay(draft, BANK, AIR, 1)
    with pytest.raises(LimitExceeded):
        draft.check_caps()


def test_a_node_pays_itself_nothing_and_nothing_is_no_leg() -> None:
    draft = Draft(book())
    pay(draft, BANK, BANK, 5)
    pay(draft, BANK, AIR, 0)
    assert (draft.legs, draft.positions) == ([], {})


def test_a_dropped_draft_changes_nothing_and_its_numbers_are_used_again() -> None:
    made = book()
    before = made.next_id
    draft = Draft(made)
    pay(draft, BANK, AIR, 5)
    draft.enroll(BANK, "x")
    assert made.next_id == before
    assert (made.accounts, made.customers, made.positions) == ({}, {}, {})
    again = Draft(made)
    assert again.new_id() == before


def test_a_draft_taken_in_is_seen_by_the_next() -> None:
    made = book((BANK, 100))
    first = Draft(made)
    pay(first, BANK, AIR, 80)
    first.check_caps()
    posted = made.apply(first)
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
        made.apply(draft)
    assert (giver.debits, taker.credits) == (0, COUNTER_MAX - 10)  # nothing of it was taken in
    draft.legs[1] = (1, Leg(giver, taker, 4, Purpose.POINTS, None))
    made.apply(draft)
    assert taker.credits == COUNTER_MAX


def test_a_customers_account_cannot_be_taken_below_zero_by_any_code() -> None:
    made = book()
    giver, taker = Account(50, 1, 7, "BP", credits=5, pending_debits=1), Account(51, 2, 8, "BP")
    draft = Draft(made)
    draft.legs.append((1, Leg(giver, taker, 5, Purpose.POINTS, None)))
    with pytest.raises(AssertionError):
        made.apply(draft)


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
