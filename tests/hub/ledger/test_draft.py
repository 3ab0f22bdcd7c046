"""Drafts: what one command would change, kept or dropped. No database."""

import pytest

from hub.errors import LimitExceeded
from hub.ledger.draft import Draft
from hub.ledger.records import Position
from tests.hub.ledger.books import AIR, BANK, GROUP, HUB, OPEN, STORE, book, pay


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


def test_a_draft_is_plain_until_it_is_asked_for_what_few_commands_have() -> None:
    draft = Draft(book())
    pay(draft, BANK, AIR, 7)
    draft.enroll(BANK, "x")
    assert draft.is_plain
    assert draft.holds == []
    assert not draft.is_plain
