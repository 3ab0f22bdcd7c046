"""The programme's rules: what is done, what is refused and why."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from adapters.simulator.problems import Problem
from adapters.simulator.rules import Asked, Member, Original, Programme, Refused, decide, read_order
from hub.partners import FOLLOWING, Operation, Reason, Status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LI = Member("M-1", "Li", balance=10_000, held=4_000, may_spend=True, may_earn=True)
ORDINARY = Programme()
WHOLE = Programme(partial=frozenset())


def asked(operation: Operation, units: int | None = 1_000) -> Asked:
    return Asked("PH-2", operation, "M-1", "10.00", units, "PH-1" if operation in FOLLOWING else None)


def original(operation: Operation, *, left: int = 1_000, status: Status = Status.SUCCEEDED, **more: object) -> Original:
    return Original(operation, str(more.get("member", "M-1")), status, 1_000, left, None)


@pytest.mark.parametrize(
    ("order", "before", "change"),
    [
        (asked(Operation.DEBIT), None, -1_000),
        (asked(Operation.CREDIT), None, 1_000),
        (asked(Operation.HOLD), None, 0),
        (asked(Operation.CAPTURE), original(Operation.HOLD), -1_000),
        (asked(Operation.CAPTURE, 300), original(Operation.HOLD), -300),
        (asked(Operation.RELEASE), original(Operation.HOLD), 0),
        (asked(Operation.REVERSE), original(Operation.DEBIT), 1_000),
        (asked(Operation.REVERSE, 1), original(Operation.CREDIT, left=1), -1),
    ],
)
def test_an_order_changes_the_balance(order: Asked, before: Original | None, change: int) -> None:
    assert decide(Programme(), order, LI, before, NOW) == change


@dataclass
class Case:
    reason: Reason
    order: Asked
    member: Member | None = LI
    before: Original | None = None
    programme: Programme = ORDINARY


HELD = original(Operation.HOLD)
ENDED = Original(Operation.HOLD, "M-1", Status.SUCCEEDED, 1_000, 1_000, NOW)
BLOCKED = Member("M-1", "Li", 10_000, 0, may_spend=False, may_earn=False)


@pytest.mark.parametrize(
    "case",
    [
        Case(Reason.INSUFFICIENT_POINTS, asked(Operation.DEBIT, 6_001)),  # 10,000 - 4,000 held
        Case(Reason.INSUFFICIENT_POINTS, asked(Operation.HOLD, 6_001)),
        Case(Reason.INSUFFICIENT_POINTS, asked(Operation.REVERSE), Member("M-1", "Li", 999, 0, True, True),
             original(Operation.CREDIT)),
        Case(Reason.NO_SUCH_MEMBER, asked(Operation.CREDIT), None),
        Case(Reason.MEMBER_BLOCKED, asked(Operation.DEBIT), BLOCKED),
        Case(Reason.MEMBER_BLOCKED, asked(Operation.HOLD), BLOCKED),
        Case(Reason.MEMBER_BLOCKED, asked(Operation.CREDIT), BLOCKED),
        Case(Reason.LIMIT_EXCEEDED, asked(Operation.CREDIT, 101), programme=Programme(maximum=100)),
        Case(Reason.INVALID_AMOUNT, asked(Operation.CREDIT, None)),
        Case(Reason.NOT_SUPPORTED, asked(Operation.HOLD), programme=Programme(operations=frozenset({Operation.DEBIT}))),
        Case(Reason.NOT_SUPPORTED, asked(Operation.CAPTURE, 999), before=HELD, programme=WHOLE),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.CAPTURE, 1_001), before=HELD),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.CAPTURE), before=original(Operation.HOLD, left=999)),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.RELEASE), before=None),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.CAPTURE), before=original(Operation.DEBIT)),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.REVERSE), before=HELD),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.CAPTURE), before=original(Operation.HOLD, member="M-2")),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.CAPTURE), before=original(Operation.HOLD, status=Status.PENDING)),
        Case(Reason.EXCEEDS_ORIGINAL, asked(Operation.CAPTURE), before=ENDED),
    ],
    ids=lambda case: f"{case.reason}-{case.order.operation}",
)  # fmt: skip
def test_an_order_is_refused(case: Case) -> None:
    with pytest.raises(Refused) as refused:
        decide(case.programme, case.order, case.member, case.before, NOW)
    assert refused.value.reason is case.reason
    assert str(refused.value).endswith(".")


def test_a_hold_can_be_captured_until_the_instant_at_which_it_ends() -> None:
    open_still = Original(Operation.HOLD, "M-1", Status.SUCCEEDED, 1_000, 1_000, NOW + timedelta(microseconds=1))
    assert decide(Programme(), asked(Operation.CAPTURE), LI, open_still, NOW) == -1_000


ORDER = '{"reference": "PH-1", "operation": "DEBIT", "member": "M-1", "amount": "10.5", "unit": "MILES"}'


def test_an_order_is_read_in_smallest_units() -> None:
    assert read_order(ORDER.encode(), Programme()) == Asked("PH-1", Operation.DEBIT, "M-1", "10.5", 1_050, None)


@pytest.mark.parametrize("amount", ["0", "-1", "1.005", "1e3", "12,5", "10000000000000.01"])
def test_an_amount_that_is_none_of_the_programme_s_is_not_guessed(amount: str) -> None:
    assert read_order(ORDER.replace("10.5", amount).encode(), Programme()).units is None


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        ("no json", "NOT_JSON", None),
        ("[1]", "NOT_JSON", None),
        ("[" * 100_000, "NOT_JSON", None),
        (ORDER.replace("10.5", "\\ud800"), "WRONG_VALUE", "amount"),
        (ORDER.replace('"10.5"', "10.5"), "AMOUNT_NOT_TEXT", "amount"),
        (ORDER.replace('"10.5"', "NaN"), "NOT_JSON", None),
        (ORDER.replace('"10.5"', "true"), "WRONG_TYPE", "amount"),
        (ORDER.replace('"M-1"', "7"), "WRONG_TYPE", "member"),
        (ORDER.replace('"M-1"', '""'), "WRONG_VALUE", "member"),
        (ORDER.replace('"member": "M-1", ', ""), "MISSING_FIELD", "member"),
        (ORDER.replace("DEBIT", "debit"), "WRONG_VALUE", "operation"),
        (ORDER.replace("MILES", "KM"), "WRONG_VALUE", "unit"),
        (ORDER.replace("PH-1", "P" * 41), "WRONG_VALUE", "reference"),
        (ORDER.replace("DEBIT", "CAPTURE"), "WRONG_VALUE", "of"),
        (ORDER.replace("}", ', "of": "PH-0"}'), "WRONG_VALUE", "of"),
        (ORDER.replace("}", ', "of": "\\ud800"}'), "WRONG_VALUE", "of"),
        (ORDER.replace("}", ', "currency": "X"}'), "UNKNOWN_FIELD", "currency"),
    ],
)
def test_what_is_no_order_is_explained(raw: str, code: str, field: str | None) -> None:
    with pytest.raises(Problem) as problem:
        read_order(raw.encode(), Programme())
    assert (problem.value.code, problem.value.field) == (code, field)
    assert len(str(problem.value)) > 20
