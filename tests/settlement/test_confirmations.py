"""Confirmations: what a bank moved is what was due, after a default and when a part has been paid too."""

from datetime import UTC, datetime

import pytest

from hub.ledger.records import Net, NetView, Window, WindowStatus
from hub.payment_references import reference_of
from settlement.confirmations import Due, Outcome, Payment, match

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
WINDOW = 77
CODES = {1: "BANK", 2: "SHOP", 3: "MALL"}


def view(window: int, institution: int, net: int, due: int) -> NetView:
    """A member's net in CNY, and what of it the bank has still to move; both in whole yuan."""
    of = Net(window, institution, "CNY", 0, 0, net * 10**6)
    return NetView(of, None, 0, 0, confirmed=False, paid=False, due=due * 10**6)


def due_of(*nets: NetView) -> Due:
    windows = {
        id: Window(id=id, model="default", number=id, ordinal=id, status=WindowStatus.SETTLING, opened_at=AT)
        for id in {one.net.window for one in nets}
    }
    return Due(windows, {id: [one for one in nets if one.net.window == id] for id in windows}, CODES)


def outcomes(due: Due, *payments: tuple[int, int, str]) -> list[Outcome]:
    rows = [
        Payment(number, reference_of(window, institution, "CNY"), "CNY", amount)
        for number, (window, institution, amount) in enumerate(payments, 1)
    ]
    return [row.outcome for row in match(rows, due).rows]


@pytest.mark.parametrize(("amount", "outcome"), [("28", Outcome.MATCHED), ("40", Outcome.DIFFERS)])
def test_a_pay_out_that_was_cut_is_paid_by_what_is_left_of_it(amount: str, outcome: Outcome) -> None:
    # BANK did not pay its 40, and SHOP's 40 were cut by 12: 28 are due
    due = due_of(view(WINDOW, 1, -40, 0), view(WINDOW, 2, 40, 28))
    assert outcomes(due, (WINDOW, 2, amount)) == [outcome]


def test_what_was_declared_unpaid_or_is_paid_is_not_due() -> None:
    due = due_of(view(WINDOW, 1, -40, 0), view(WINDOW, 2, 40, 28))
    assert outcomes(due, (WINDOW, 1, "-40"), (WINDOW, 2, "28")) == [Outcome.NOT_DUE, Outcome.MATCHED]


def test_a_window_waits_for_what_is_due_before_it_and_not_for_what_is_not_paid() -> None:
    before = (view(WINDOW, 1, -40, 0), view(WINDOW, 2, 40, 28))
    due = due_of(*before, view(WINDOW + 1, 3, -5, -5))
    assert outcomes(due, (WINDOW + 1, 3, "-5")) == [Outcome.NOT_DUE]
    assert outcomes(due, (WINDOW, 2, "28"), (WINDOW + 1, 3, "-5")) == [Outcome.MATCHED, Outcome.MATCHED]
