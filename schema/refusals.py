"""Refusals: an expected no, as data. One table says under which reason each of the core's refusals is shown."""

from enum import StrEnum
from typing import TypeVar

import strawberry

from hub import errors
from hub.ledger.decide import Outcome
from schema.enums import publish
from schema.messages import Language, message

T = TypeVar("T")


class RefusalReason(StrEnum):
    """Why the hub refuses; machines read it."""

    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    ABOVE_MAXIMUM = "ABOVE_MAXIMUM"
    NOT_A_MULTIPLE = "NOT_A_MULTIPLE"
    AMOUNT_TOO_SMALL = "AMOUNT_TOO_SMALL"
    INVALID_AMOUNT = "INVALID_AMOUNT"
    NO_RATE = "NO_RATE"
    RATE_CYCLE = "RATE_CYCLE"
    RATE_OVERLAP = "RATE_OVERLAP"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    SAME_APPROVER = "SAME_APPROVER"
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    QUOTE_USED = "QUOTE_USED"
    QUOTE_CANCELLED = "QUOTE_CANCELLED"
    TOO_MANY_QUOTES = "TOO_MANY_QUOTES"
    SLIPPAGE = "SLIPPAGE"
    TRANSFER_FORBIDDEN = "TRANSFER_FORBIDDEN"
    CASHOUT_FORBIDDEN = "CASHOUT_FORBIDDEN"
    FROZEN = "FROZEN"
    SUSPENDED = "SUSPENDED"
    POINTS_EXPIRED = "POINTS_EXPIRED"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    HOLD_RESOLVED = "HOLD_RESOLVED"
    EXCEEDS_HELD = "EXCEEDS_HELD"
    FREEZE_RESOLVED = "FREEZE_RESOLVED"
    EXCEEDS_DEBT = "EXCEEDS_DEBT"
    POINTS_UNRESOLVED = "POINTS_UNRESOLVED"
    CUSTOMER_CLOSED = "CUSTOMER_CLOSED"
    NOT_A_MEMBER = "NOT_A_MEMBER"
    POOL_RIGHT_MISSING = "POOL_RIGHT_MISSING"
    EXCEEDS_ORIGINAL = "EXCEEDS_ORIGINAL"
    ALREADY_REVERSED = "ALREADY_REVERSED"
    NOT_FOUND = "NOT_FOUND"
    DUPLICATE = "DUPLICATE"
    ALREADY_BOUND = "ALREADY_BOUND"
    ORG_CYCLE = "ORG_CYCLE"
    UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY"
    INVALID_INPUT = "INVALID_INPUT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    WINDOW_CLOSED = "WINDOW_CLOSED"
    WINDOW_ORDER = "WINDOW_ORDER"
    PAY_OUT_WAITS = "PAY_OUT_WAITS"
    PARTNER_REFUSED = "PARTNER_REFUSED"
    PARTNER_UNAVAILABLE = "PARTNER_UNAVAILABLE"
    NOT_HOSTED = "NOT_HOSTED"
    REVERSAL_PENDING = "REVERSAL_PENDING"
    CURRENCY_MOVING = "CURRENCY_MOVING"
    RETRY_LATER = "RETRY_LATER"
    REPORT_ACCEPTED = "REPORT_ACCEPTED"
    DISPUTE_TOO_LATE = "DISPUTE_TOO_LATE"
    FX_RATE_MISSING = "FX_RATE_MISSING"
    INSUFFICIENT_PREPAID = "INSUFFICIENT_PREPAID"


REASONS: dict[type[errors.Refusal], RefusalReason] = {
    errors.InsufficientPoints: RefusalReason.INSUFFICIENT_POINTS,
    errors.InsufficientLiquidity: RefusalReason.INSUFFICIENT_LIQUIDITY,
    errors.LimitExceeded: RefusalReason.LIMIT_EXCEEDED,
    errors.BelowMinimum: RefusalReason.BELOW_MINIMUM,
    errors.AboveMaximum: RefusalReason.ABOVE_MAXIMUM,
    errors.NotAMultiple: RefusalReason.NOT_A_MULTIPLE,
    errors.AmountTooSmall: RefusalReason.AMOUNT_TOO_SMALL,
    errors.InvalidAmount: RefusalReason.INVALID_AMOUNT,
    errors.NoRate: RefusalReason.NO_RATE,
    errors.RateCycle: RefusalReason.RATE_CYCLE,
    errors.RateOverlap: RefusalReason.RATE_OVERLAP,
    errors.NotAccepted: RefusalReason.NOT_ACCEPTED,
    errors.SameApprover: RefusalReason.SAME_APPROVER,
    errors.QuoteExpired: RefusalReason.QUOTE_EXPIRED,
    errors.QuoteUsed: RefusalReason.QUOTE_USED,
    errors.QuoteCancelled: RefusalReason.QUOTE_CANCELLED,
    errors.TooManyQuotes: RefusalReason.TOO_MANY_QUOTES,
    errors.Slippage: RefusalReason.SLIPPAGE,
    errors.TransferForbidden: RefusalReason.TRANSFER_FORBIDDEN,
    errors.CashoutForbidden: RefusalReason.CASHOUT_FORBIDDEN,
    errors.Frozen: RefusalReason.FROZEN,
    errors.Suspended: RefusalReason.SUSPENDED,
    errors.PointsExpired: RefusalReason.POINTS_EXPIRED,
    errors.HoldExpired: RefusalReason.HOLD_EXPIRED,
    errors.HoldResolved: RefusalReason.HOLD_RESOLVED,
    errors.ExceedsHeld: RefusalReason.EXCEEDS_HELD,
    errors.FreezeResolved: RefusalReason.FREEZE_RESOLVED,
    errors.ExceedsDebt: RefusalReason.EXCEEDS_DEBT,
    errors.PointsUnresolved: RefusalReason.POINTS_UNRESOLVED,
    errors.CustomerClosed: RefusalReason.CUSTOMER_CLOSED,
    errors.NotAMember: RefusalReason.NOT_A_MEMBER,
    errors.PoolRightMissing: RefusalReason.POOL_RIGHT_MISSING,
    errors.ExceedsOriginal: RefusalReason.EXCEEDS_ORIGINAL,
    errors.AlreadyReversed: RefusalReason.ALREADY_REVERSED,
    errors.NotFound: RefusalReason.NOT_FOUND,
    errors.Duplicate: RefusalReason.DUPLICATE,
    errors.AlreadyBound: RefusalReason.ALREADY_BOUND,
    errors.OrgCycle: RefusalReason.ORG_CYCLE,
    errors.UnknownCurrency: RefusalReason.UNKNOWN_CURRENCY,
    errors.InvalidInput: RefusalReason.INVALID_INPUT,
    errors.IdempotencyConflict: RefusalReason.IDEMPOTENCY_CONFLICT,
    errors.WindowClosed: RefusalReason.WINDOW_CLOSED,
    errors.WindowOrder: RefusalReason.WINDOW_ORDER,
    errors.PayOutWaits: RefusalReason.PAY_OUT_WAITS,
    errors.FxRateMissing: RefusalReason.FX_RATE_MISSING,
    errors.PartnerRefused: RefusalReason.PARTNER_REFUSED,
    errors.PartnerUnavailable: RefusalReason.PARTNER_UNAVAILABLE,
    errors.NotHosted: RefusalReason.NOT_HOSTED,
    errors.ReversalPending: RefusalReason.REVERSAL_PENDING,
    errors.CurrencyMoving: RefusalReason.CURRENCY_MOVING,
    errors.RetryLater: RefusalReason.RETRY_LATER,
    errors.ReportAccepted: RefusalReason.REPORT_ACCEPTED,
    errors.DisputeTooLate: RefusalReason.DISPUTE_TOO_LATE,
    errors.InsufficientPrepaid: RefusalReason.INSUFFICIENT_PREPAID,
}

publish(
    RefusalReason,
    "RefusalReason",
    "Why an act is refused. More may come: treat one that you do not know as a refusal that is final.",
    **{reason.name: str(refusal.__doc__) for refusal, reason in REASONS.items()},
)


@strawberry.type(description="A figure or a name that belongs to a refusal, such as available=80.")
class RefusalDetail:
    key: str = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="Its value, as text.")


@strawberry.type(description="The act was refused, and nothing was changed.")
class Refused:
    reason: RefusalReason = strawberry.field(description="Why, for machines.")
    message: str = strawberry.field(description="Why, for people, in the language of Accept-Language.")
    retryable: bool = strawberry.field(
        description="Whether the same may succeed later under a new key; RETRY_LATER under the same."
    )
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")
    details: list[RefusalDetail] = strawberry.field(description="The figures and names behind it, by key.")


def refused(refusal: errors.Refusal, language: Language, *, replayed: bool = False) -> Refused:
    reason = REASONS[type(refusal)]
    details = sorted(refusal.details.items())
    return Refused(
        reason=reason,
        message=message(reason.name, language, refusal.details),
        retryable=refusal.retryable,
        replayed=replayed,
        details=[RefusalDetail(key=key, value=value) for key, value in details],
    )


def refusal_of(outcome: Outcome, language: Language) -> Refused | None:
    """The refusal that an outcome is, if it is one."""
    if outcome.refusal is None:
        return None
    return refused(outcome.refusal, language, replayed=outcome.replayed)


def result_of(outcome: Outcome, kind: type[T]) -> T:
    """The result of an outcome that is no refusal.

    Raises:
        TypeError: it is of another kind than its command answers.
    """
    if isinstance(outcome.result, kind):
        return outcome.result
    raise TypeError(f"{type(outcome.result).__name__} is no {kind.__name__}")
