"""Refusals and faults."""

import msgspec
import pytest

from hub import errors
from hub.errors import REFUSALS, Fault, Refusal, stored

# The contract's enum, written out: a code stands in the database for ever.
CODES = [
    "INSUFFICIENT_POINTS",
    "INSUFFICIENT_LIQUIDITY",
    "LIMIT_EXCEEDED",
    "BELOW_MINIMUM",
    "ABOVE_MAXIMUM",
    "NOT_A_MULTIPLE",
    "AMOUNT_TOO_SMALL",
    "INVALID_AMOUNT",
    "NO_RATE",
    "RATE_CYCLE",
    "RATE_OVERLAP",
    "NOT_ACCEPTED",
    "SAME_APPROVER",
    "QUOTE_EXPIRED",
    "QUOTE_USED",
    "QUOTE_CANCELLED",
    "TOO_MANY_QUOTES",
    "SLIPPAGE",
    "TRANSFER_FORBIDDEN",
    "CASHOUT_FORBIDDEN",
    "FROZEN",
    "SUSPENDED",
    "POINTS_EXPIRED",
    "HOLD_EXPIRED",
    "HOLD_RESOLVED",
    "EXCEEDS_HELD",
    "FREEZE_RESOLVED",
    "EXCEEDS_DEBT",
    "POINTS_UNRESOLVED",
    "CUSTOMER_CLOSED",
    "NOT_A_MEMBER",
    "POOL_RIGHT_MISSING",
    "EXCEEDS_ORIGINAL",
    "ALREADY_REVERSED",
    "NOT_FOUND",
    "DUPLICATE",
    "ALREADY_BOUND",
    "ORG_CYCLE",
    "UNKNOWN_CURRENCY",
    "INVALID_INPUT",
    "IDEMPOTENCY_CONFLICT",
    "WINDOW_CLOSED",
    "WINDOW_ORDER",
    "PAY_OUT_WAITS",
    "PARTNER_REFUSED",
    "PARTNER_UNAVAILABLE",
    "NOT_HOSTED",
    "REVERSAL_PENDING",
    "CURRENCY_MOVING",
    "REPORT_ACCEPTED",
    "FX_RATE_MISSING",
    "DISPUTE_TOO_LATE",
    "INSUFFICIENT_PREPAID",
    "RETRY_LATER",
]


def test_every_code_has_one_refusal_and_there_are_no_others() -> None:
    assert sorted(REFUSALS) == sorted(CODES)
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Refusal)]
    assert len(classes) - 1 == len(CODES)  # less Refusal itself: no two share a code


@pytest.mark.parametrize("code", CODES)
def test_a_stored_refusal_comes_back_the_same(code: str) -> None:
    first = REFUSALS[code](amount=12, currency="BP", name="中文", **{"from": "x"})
    kept = msgspec.json.encode(first.details).decode()
    again = stored(code, msgspec.json.decode(kept, type=dict[str, str]))
    assert type(again) is type(first)
    assert again.details == first.details == {"amount": "12", "currency": "BP", "name": "中文", "from": "x"}
    assert (again.code, again.retryable, str(again)) == (first.code, first.retryable, str(first))


@pytest.mark.parametrize(
    "noun", [*REFUSALS.values(), *(one for one in Fault.__subclasses__() if one.__module__ == errors.__name__)]
)
def test_every_error_is_a_sentence(noun: type[Refusal | Fault]) -> None:
    assert noun.__doc__
    assert noun.__doc__[0].isupper()
    assert noun.__doc__.endswith(".")


def test_what_cannot_change_by_waiting_is_not_retryable() -> None:
    assert {code for code, noun in REFUSALS.items() if noun.retryable} == {
        "INSUFFICIENT_POINTS",
        "INSUFFICIENT_LIQUIDITY",
        "INSUFFICIENT_PREPAID",
        "LIMIT_EXCEEDED",
        "NO_RATE",
        "NOT_ACCEPTED",
        "TOO_MANY_QUOTES",
        "SLIPPAGE",
        "FROZEN",
        "POINTS_UNRESOLVED",
        "SUSPENDED",
        "WINDOW_ORDER",
        "FX_RATE_MISSING",
        "PAY_OUT_WAITS",
        "PARTNER_UNAVAILABLE",
        "REVERSAL_PENDING",
        "CURRENCY_MOVING",
        "RETRY_LATER",
    }


def test_a_refusal_says_its_sentence_and_its_details() -> None:
    assert str(errors.BelowMinimum(minimum="1000")) == "The amount is below the rate's minimum. (minimum=1000)"
    assert str(errors.QuoteUsed()) == "The quote has been used."
