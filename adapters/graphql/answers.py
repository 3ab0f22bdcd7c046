"""What another hub's answers mean. Only what it says in its own words counts: an act, a refusal, or that it did not
look at the request. Everything else is unknown."""

from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from adapters.amounts import WrongAnswer
from adapters.http_json.wire import Heard
from hub.errors import InvalidAmount
from hub.partners import Answer, Operation, Reason, Status
from hub.points import parse

T = TypeVar("T")

NOT_ADMITTED: Final = frozenset({"UNAUTHENTICATED", "FORBIDDEN"})  # before anything is done, and until somebody acts
_TYPES: Final = {
    Operation.DEBIT: "Transfer",
    Operation.CREDIT: "Transfer",
    Operation.REVERSE: "Reversal",
    Operation.HOLD: "Hold",
    Operation.CAPTURE: "Hold",
    Operation.RELEASE: "Hold",
}
# Where an act is; it need not be over, if another system keeps the points of the other hub's currency.
_ACT_IS: Final = {
    None: Status.SUCCEEDED,
    "COMPLETED": Status.SUCCEEDED,
    "PENDING": Status.PENDING,
    "IN_DOUBT": Status.PENDING,
    "REFUSED": Status.REFUSED,
}
_HOLD_IS: Final = {Operation.CAPTURE: "CAPTURED", Operation.RELEASE: "RELEASED"}
_REASONS: Final = {
    "INSUFFICIENT_POINTS": Reason.INSUFFICIENT_POINTS,
    "NOT_FOUND": Reason.NO_SUCH_MEMBER,
    "FROZEN": Reason.MEMBER_BLOCKED,
    "SUSPENDED": Reason.MEMBER_BLOCKED,
    "CUSTOMER_CLOSED": Reason.MEMBER_BLOCKED,
    "LIMIT_EXCEEDED": Reason.LIMIT_EXCEEDED,
    "INVALID_AMOUNT": Reason.INVALID_AMOUNT,
    "TRANSFER_FORBIDDEN": Reason.NOT_SUPPORTED,
    "PARTNER_UNAVAILABLE": Reason.NOT_SUPPORTED,  # it does not keep the points itself
    "NOT_HOSTED": Reason.NOT_SUPPORTED,
    "EXCEEDS_ORIGINAL": Reason.EXCEEDS_ORIGINAL,
    "ALREADY_REVERSED": Reason.EXCEEDS_ORIGINAL,
    "EXCEEDS_HELD": Reason.EXCEEDS_ORIGINAL,
    "HOLD_RESOLVED": Reason.EXCEEDS_ORIGINAL,
    "HOLD_EXPIRED": Reason.EXCEEDS_ORIGINAL,
}


class Points(msgspec.Struct, frozen=True):
    """An amount, as decimal text."""

    amount: str
    currency: str


class Done(msgspec.Struct, frozen=True, rename="camel"):
    """An act or a hold; each says only some of it."""

    id: str
    points: Points
    posted_at: datetime | None = None
    created_at: datetime | None = None
    status: str | None = None
    captured: str | None = None


class Detail(msgspec.Struct, frozen=True):
    """A figure or name behind a refusal."""

    key: str
    value: str


class Refused(msgspec.Struct, frozen=True):
    """Its refusal."""

    reason: str
    message: str
    details: list[Detail]


class NotAdmitted(Exception):
    """It did not look at the request: the key is not valid, or may not do that. The message is its code."""


def found(heard: Heard) -> Any:
    """What was asked for, out of an answer.

    Raises:
        NotAdmitted: the key is not valid or has not the right.
        WrongAnswer: it is not an answer, or one that says that something failed.
    """
    document = heard.document
    if heard.fault is not None or not isinstance(document, dict):
        raise WrongAnswer(f"The answer with HTTP {heard.http} was not read: {heard.fault or 'it is no object'}.")
    if errors := document.get("errors"):
        codes = [_code(error) for error in errors] if isinstance(errors, list) else []
        if codes and NOT_ADMITTED.issuperset(codes):
            raise NotAdmitted(str(codes[0]))
        raise WrongAnswer(f"It says with HTTP {heard.http} that it failed: {codes[:3]}.")
    data = document.get("data")
    if not 200 <= heard.http <= 299 or not isinstance(data, dict) or "found" not in data:
        raise WrongAnswer(f"The answer with HTTP {heard.http} has nothing of what was asked for.")
    return data["found"]


def understood(heard: Heard, operation: Operation, scale: int, reserve: str) -> Answer:
    """What became of an order, its amount in smallest units of ``scale`` decimals. ABSENT is of this sending.
    ``reserve``: the reserve's reference, by which a refusal shows that it is not the member who is missing."""
    try:
        told = found(heard)
        kind = told.get("__typename") if isinstance(told, dict) else None
        if kind == "Refused":
            return _refusal(convert(told, Refused), operation, reserve)
        if kind != _TYPES[operation]:
            raise WrongAnswer(f"It answers a {operation.value} by {str(kind)[:60]!r}.")
        return _done(convert(told, Done), operation, scale)
    except NotAdmitted as error:
        return not_admitted(error)
    except WrongAnswer as error:
        return Answer(status=Status.UNKNOWN, message=str(error))


def not_admitted(error: NotAdmitted) -> Answer:
    """Nothing was done, and nothing will be until somebody has seen to the key."""
    return Answer(status=Status.ABSENT, code=str(error), message="It does not admit the key.", halts=True)


def units(amount: str, scale: int) -> int:
    """An amount of the answer's, in smallest units.

    Raises:
        WrongAnswer: it is no decimal of so many digits.
    """
    try:
        return parse(amount, scale)
    except InvalidAmount:
        raise WrongAnswer(f"The amount {amount[:60]!r} is none of {scale} decimals.") from None


def convert(value: object, to: type[T]) -> T:
    """A part of an answer, as it should be.

    Raises:
        WrongAnswer: it is otherwise.
    """
    try:
        return msgspec.convert(value, to)
    except msgspec.ValidationError as error:
        raise WrongAnswer(f"The answer is otherwise than it should be: {error}") from None


def _done(done: Done, operation: Operation, scale: int) -> Answer:
    if _TYPES[operation] != "Hold":
        status = _ACT_IS.get(done.status, Status.UNKNOWN)
        if status is not Status.SUCCEEDED:
            reason = Reason.OTHER if status is Status.REFUSED else None
            return Answer(status=status, partner_reference=done.id, reason=reason, code=done.status)
    elif done.status != _HOLD_IS.get(operation, done.status):
        raise WrongAnswer(f"After a {operation.value} the hold is {str(done.status)[:60]}.")
    amount = done.captured if operation is Operation.CAPTURE else done.points.amount
    if amount is None:
        raise WrongAnswer("It does not say how much was captured.")
    return Answer(
        status=Status.SUCCEEDED,
        partner_reference=done.id,
        amount=units(amount, scale),
        unit=done.points.currency,
        # A hold says when it was made, and not when it was captured or released.
        at=done.created_at if operation is Operation.HOLD else done.posted_at,
    )


def _refusal(no: Refused, operation: Operation, reserve: str) -> Answer:
    if no.reason == "RETRY_LATER":
        return Answer(status=Status.ABSENT, code=no.reason, message=no.message)
    if no.reason == "IDEMPOTENCY_CONFLICT":
        # Something was done or refused under our reference, as it was sent before or by somebody else.
        return Answer(status=Status.UNKNOWN, code=no.reason, message=no.message)
    reason = _REASONS.get(no.reason, Reason.OTHER)
    if operation is Operation.CREDIT and reason is Reason.INSUFFICIENT_POINTS:
        reason = Reason.OTHER  # the reserve's, not the member's
    if reason is Reason.NO_SUCH_MEMBER:
        of_the_reserve = any(detail.key == "reference" and detail.value == reserve for detail in no.details)
        if of_the_reserve or operation not in (Operation.DEBIT, Operation.CREDIT, Operation.HOLD):
            reason = Reason.OTHER
    return Answer(status=Status.REFUSED, reason=reason, code=no.reason, message=no.message)


def _code(error: object) -> str | None:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else None
