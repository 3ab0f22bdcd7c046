"""What is believed of another hub's answers: its own words, and nothing else."""

from typing import Any

import pytest

from adapters.graphql.answers import understood
from adapters.http_json.wire import Heard
from hub.partners import Answer, Operation, Reason, Status

TRANSFER = {
    "__typename": "Transfer", "id": "t1", "postedAt": "2026-03-01T12:00:00Z",
    "points": {"amount": "12.50", "currency": "JADE"},
}  # fmt: skip
HOLD = {
    "__typename": "Hold", "id": "h1", "createdAt": "2026-03-01T12:00:00Z", "status": "CAPTURED", "captured": "10",
    "points": {"amount": "10", "currency": "JADE"},
}  # fmt: skip


def hear(document: Any, operation: Operation = Operation.DEBIT, http: int = 200, fault: str | None = None) -> Answer:
    return understood(Heard(http, document, fault), operation, 2, "RESERVE")


def told(found: Any, operation: Operation = Operation.DEBIT) -> Answer:
    return hear({"data": {"found": found}}, operation)


def refused(reason: str, operation: Operation = Operation.DEBIT, **details: str) -> Answer:
    listed = [{"key": key, "value": value} for key, value in details.items()]
    return told({"__typename": "Refused", "reason": reason, "message": "No.", "details": listed}, operation)


def test_a_transfer_is_done_exactly_as_it_says() -> None:
    answer = told(TRANSFER)
    assert (answer.status, answer.amount, answer.unit) == (Status.SUCCEEDED, 1_250, "JADE")
    assert (answer.partner_reference, str(answer.at)) == ("t1", "2026-03-01 12:00:00+00:00")


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("INSUFFICIENT_POINTS", Reason.INSUFFICIENT_POINTS),
        ("NOT_FOUND", Reason.NO_SUCH_MEMBER),
        ("FROZEN", Reason.MEMBER_BLOCKED),
        ("SUSPENDED", Reason.MEMBER_BLOCKED),
        ("CUSTOMER_CLOSED", Reason.MEMBER_BLOCKED),
        ("LIMIT_EXCEEDED", Reason.LIMIT_EXCEEDED),
        ("INVALID_AMOUNT", Reason.INVALID_AMOUNT),
        ("TRANSFER_FORBIDDEN", Reason.NOT_SUPPORTED),
        ("ALREADY_REVERSED", Reason.EXCEEDS_ORIGINAL),
        ("SOMETHING_OF_A_LATER_VERSION", Reason.OTHER),
    ],
)
def test_a_refusal_is_in_the_hubs_words(reason: str, ours: Reason) -> None:
    answer = refused(reason)
    assert (answer.status, answer.reason, answer.code) == (Status.REFUSED, ours, reason)


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("COMPLETED", Status.SUCCEEDED),
        ("PENDING", Status.PENDING),
        ("IN_DOUBT", Status.PENDING),
        ("REFUSED", Status.REFUSED),
        ("SOMETHING_OF_A_LATER_VERSION", Status.UNKNOWN),
    ],
)
def test_an_act_that_waits_for_a_third_system_is_not_done(status: str, ours: Status) -> None:
    answer = told(TRANSFER | {"status": status})
    assert answer.status is ours
    assert (answer.reason is Reason.OTHER) == (ours is Status.REFUSED)


@pytest.mark.parametrize(
    "answer",
    [
        refused("INSUFFICIENT_POINTS", Operation.CREDIT),
        refused("NOT_FOUND", Operation.DEBIT, institution="AIR", reference="RESERVE"),
        refused("NOT_FOUND", Operation.REVERSE),
    ],
    ids=["reserve is empty", "reserve is missing", "act is missing"],
)
def test_what_is_not_the_members_is_not_laid_to_the_member(answer: Answer) -> None:
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.OTHER)


def test_what_was_not_looked_at_was_not_done() -> None:
    assert refused("RETRY_LATER").status is Status.ABSENT


def test_a_key_of_ours_that_was_used_for_something_else_says_nothing_of_the_order() -> None:
    assert refused("IDEMPOTENCY_CONFLICT").status is Status.UNKNOWN


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "FORBIDDEN"])
def test_who_is_not_admitted_has_done_nothing_and_stops(code: str) -> None:
    answer = hear({"data": None, "errors": [{"message": "x", "extensions": {"code": code}}]}, http=401)
    assert (answer.status, answer.halts, answer.code) == (Status.ABSENT, True, code)


@pytest.mark.parametrize(
    "answer",
    [
        hear({"data": {"found": TRANSFER}}, http=500),
        hear(None, http=502, fault="it is no JSON, or an object in it names something twice"),
        hear([]),
        hear({}),
        hear({"data": {"other": TRANSFER}}),
        hear({"data": {"found": TRANSFER}, "errors": [{"message": "x", "extensions": {"code": "INTERNAL"}}]}),
        hear({"data": None, "errors": "FORBIDDEN"}),
        hear({"errors": [{"extensions": {"code": "FORBIDDEN"}}, {"extensions": {"code": "INTERNAL"}}]}),
        hear({"errors": [{"extensions": {"code": "DEADLINE_EXCEEDED"}}]}, http=504),
        told(None),
        told(TRANSFER | {"__typename": "Reversal"}),
        told(TRANSFER | {"points": {"amount": "12.505", "currency": "JADE"}}),
        told(TRANSFER | {"points": {"amount": 12.5, "currency": "JADE"}}),
        told(TRANSFER | {"points": {"amount": "1e3", "currency": "JADE"}}),
        told(TRANSFER | {"id": None}),
        told(HOLD | {"status": "RELEASED"}, Operation.CAPTURE),
        told(HOLD, Operation.RELEASE),
        told(HOLD | {"captured": None}, Operation.CAPTURE),
        told({"__typename": "Refused", "reason": None, "message": "", "details": []}),
    ],
)
def test_everything_else_is_unknown(answer: Answer) -> None:
    assert (answer.status, answer.amount, answer.reason) == (Status.UNKNOWN, None, None)


def test_a_capture_is_what_was_captured_and_has_no_time() -> None:
    answer = told(HOLD | {"captured": "4.00"}, Operation.CAPTURE)
    assert (answer.status, answer.amount, answer.at) == (Status.SUCCEEDED, 400, None)
