"""What the hub believes of a partner's answer, and what it does not."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from hub.partners import Answer, Capabilities, Echo, Judged, Operation, Order, Reason, Status, for_order, judge

ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = ASKED + timedelta(seconds=2)
ORDER = Order(
    reference="PH-1-D",
    operation=Operation.DEBIT,
    member="M-1",
    amount=12_345,
    currency="MILE",
    scale=2,
    asked_at=ASKED,
)
AIRLINE = Capabilities(operations=frozenset({Operation.DEBIT, Operation.CREDIT}), unit="MILES", scale=2)
DONE = Answer(status=Status.SUCCEEDED, reference="PH-1-D", amount=12_345, unit="MILES", at=ASKED)


def judged(answer: Answer, capabilities: Capabilities = AIRLINE) -> Judged:
    return judge(ORDER, answer, capabilities, NOW)


def test_an_order_shows_its_amount_in_whole_points() -> None:
    assert ORDER.decimal == "123.45"


@pytest.mark.parametrize(
    "answer",
    [
        DONE,
        msgspec.structs.replace(DONE, unit=None, at=None),
        msgspec.structs.replace(DONE, at=(ASKED + timedelta(hours=8)).replace(tzinfo=timezone(timedelta(hours=8)))),
        Answer(status=Status.REFUSED, reason=Reason.INSUFFICIENT_POINTS),
        Answer(status=Status.PENDING),
        Answer(status=Status.UNKNOWN, message="A gateway was in the way."),
        Answer(status=Status.ABSENT),
    ],
)
def test_what_fits_the_order_is_believed_as_it_is(answer: Answer) -> None:
    assert judged(answer) == Judged(answer)


@pytest.mark.parametrize(
    ("changed", "of"),
    [
        ({"reference": "PH-2-D"}, "reference"),
        ({"reference": None}, "REFERENCE"),
        ({"amount": 1_234_500}, "1234500"),
        ({"amount": 12_345.0}, "12345.0"),
        ({"amount": None}, "AMOUNT"),
        ({"unit": "KM"}, "KM"),
        ({"at": ASKED.replace(tzinfo=None)}, "zone"),
        ({"at": ASKED - timedelta(minutes=6)}, "before it was asked"),
        ({"at": NOW + timedelta(minutes=6)}, "still to come"),
        ({"status": Status.REFUSED}, "without a reason"),
    ],
)
def test_what_contradicts_the_order_is_unknown_and_an_incident(changed: dict[str, object], of: str) -> None:
    found = judged(msgspec.structs.replace(DONE, **changed, code="00", message="ok"))
    assert found.answer == Answer(status=Status.UNKNOWN, code="00", message="ok")
    assert found.incident is not None
    assert of in found.incident


@pytest.mark.parametrize(
    "status", [Status.REFUSED, Status.PENDING, Status.UNKNOWN, Status.ABSENT], ids=lambda status: status.value
)
def test_no_answer_about_another_order_is_believed_whatever_it_says(status: Status) -> None:
    about_another = Answer(status=status, reference="PH-9-C", reason=Reason.OTHER)
    assert judged(about_another).answer.status is Status.UNKNOWN


@pytest.mark.parametrize("echo", list(Echo))
def test_what_a_partner_always_says_must_be_there(echo: Echo) -> None:
    capabilities = msgspec.structs.replace(AIRLINE, echoes=frozenset({echo}))
    bare = Answer(status=Status.SUCCEEDED)
    whole = msgspec.structs.replace(DONE, partner_reference="A-77")
    assert judged(bare, capabilities).incident == f"It does not say {echo.value}."
    assert judged(whole, capabilities).incident is None


def test_a_partner_that_halts_stays_halted_whatever_else_it_says() -> None:
    assert judged(msgspec.structs.replace(DONE, amount=1, halts=True)).answer.halts


@pytest.mark.parametrize(
    ("scale", "told", "amount"),
    [(2, 12_345, 12_345), (0, 12_300, 123), (3, 12_345, 123_450), (0, 12_345, None), (1, 12_345, None)],
)
def test_an_amount_in_the_partners_decimals_becomes_the_currencys_or_is_unknown(
    scale: int, told: int, amount: int | None
) -> None:
    """123.45 of two decimals is 123.450 of three, and no amount of one or none; 123.00 is 123."""
    of = msgspec.structs.replace(ORDER, scale=scale)
    found = for_order(msgspec.structs.replace(DONE, amount=told, halts=False), of, AIRLINE)
    assert found.amount == amount
    assert found.status is (Status.UNKNOWN if amount is None else Status.SUCCEEDED)
