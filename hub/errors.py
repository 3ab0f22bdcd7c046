"""Refusals, faults and failures: everything the hub says no with.

A ``Refusal`` is a business answer: it is stored under the request's idempotency key and shown as data. A ``Fault`` is
none: the request was never an act (no key, no right), so nothing is stored and the caller gets an error. Any other
``Failure`` is of the program as a whole, and is told to the person who runs it.
A class is one noun, its ``code`` is stable for ever (it stands in the database), its docstring is its sentence and its
details are its data. How a code is shown, and in which language, is the edge's affair.
"""

from collections.abc import Mapping
from typing import ClassVar


class Failure(Exception):
    """It cannot be done."""

    def __init__(self, sentence: str | None = None) -> None:
        """``sentence`` is fit for people and holds no secret; None: the docstring."""
        super().__init__(sentence or self.__doc__)


class NotSetUp(Failure):
    """The hub is not set up: run 'points-hub init' first."""


class Refusal(Failure):
    """The act is refused."""

    code: ClassVar[str]
    retryable: ClassVar[bool] = False  # the same request may succeed later under a new key

    def __init__(self, **details: object) -> None:
        super().__init__(self.__doc__)
        self.details: dict[str, str] = {key: str(value) for key, value in details.items()}

    def __str__(self) -> str:
        listed = ", ".join(f"{key}={value}" for key, value in self.details.items())
        return f"{self.__doc__} ({listed})" if listed else str(self.__doc__)


class InsufficientPoints(Refusal):
    """The customer has fewer points available than the act needs."""

    code = "INSUFFICIENT_POINTS"
    retryable = True


class InsufficientLiquidity(Refusal):
    """The payer's cover does not reach for the act."""

    code = "INSUFFICIENT_LIQUIDITY"
    retryable = True


class InsufficientPrepaid(Refusal):
    """What is left of the prepaid points does not reach."""

    code = "INSUFFICIENT_PREPAID"
    retryable = True


class LimitExceeded(Refusal):
    """The act would go beyond a limit: on what an institution may owe, or on what is issued, moved, spent or held."""

    code = "LIMIT_EXCEEDED"
    retryable = True


class BelowMinimum(Refusal):
    """The amount is below the rate's minimum."""

    code = "BELOW_MINIMUM"


class AboveMaximum(Refusal):
    """The amount is above the rate's maximum."""

    code = "ABOVE_MAXIMUM"


class NotAMultiple(Refusal):
    """The amount is not a multiple of the rate's step."""

    code = "NOT_A_MULTIPLE"


class AmountTooSmall(Refusal):
    """The amount is too small to be worth one unit."""

    code = "AMOUNT_TOO_SMALL"


class InvalidAmount(Refusal):
    """The amount is not positive, has more digits than its currency, or is too large."""

    code = "INVALID_AMOUNT"


class NoRate(Refusal):
    """No rate is in force between the two currencies."""

    code = "NO_RATE"
    retryable = True


class RateCycle(Refusal):
    """With this rate points would multiply around a cycle of currencies."""

    code = "RATE_CYCLE"


class RateOverlap(Refusal):
    """Another approved version of the same terms starts at the same instant."""

    code = "RATE_OVERLAP"


class NotAccepted(Refusal):
    """Somebody whose consent is needed has not accepted it, or the merchant does not take the points."""

    code = "NOT_ACCEPTED"
    retryable = True


class SameApprover(Refusal):
    """Who proposed it cannot approve it as well."""

    code = "SAME_APPROVER"


class QuoteExpired(Refusal):
    """The quote's time is over."""

    code = "QUOTE_EXPIRED"


class QuoteUsed(Refusal):
    """The quote has been used."""

    code = "QUOTE_USED"


class QuoteCancelled(Refusal):
    """The quote was cancelled when its rate was withdrawn."""

    code = "QUOTE_CANCELLED"


class TooManyQuotes(Refusal):
    """The customer has as many open quotes for this pair as are allowed."""

    code = "TOO_MANY_QUOTES"
    retryable = True


class Slippage(Refusal):
    """The conversion would credit less than the caller's minimum."""

    code = "SLIPPAGE"
    retryable = True


class TransferForbidden(Refusal):
    """Points of this currency cannot pass to another customer."""

    code = "TRANSFER_FORBIDDEN"


class CashoutForbidden(Refusal):
    """Points of this currency cannot become cash."""

    code = "CASHOUT_FORBIDDEN"


class Frozen(Refusal):
    """The points are frozen."""

    code = "FROZEN"
    retryable = True


class Suspended(Refusal):
    """An institution that the act needs is suspended or closed."""

    code = "SUSPENDED"
    retryable = True


class PointsExpired(Refusal):
    """The points would come back to a currency in which their time is over."""

    code = "POINTS_EXPIRED"


class HoldExpired(Refusal):
    """The hold's time is over."""

    code = "HOLD_EXPIRED"


class HoldResolved(Refusal):
    """The hold has been captured or released."""

    code = "HOLD_RESOLVED"


class ExceedsHeld(Refusal):
    """More was asked than is held."""

    code = "EXCEEDS_HELD"


class FreezeResolved(Refusal):
    """The freeze has been released, or its points removed."""

    code = "FREEZE_RESOLVED"


class ExceedsDebt(Refusal):
    """More was asked than is owed."""

    code = "EXCEEDS_DEBT"


class PointsUnresolved(Refusal):
    """The customer holds points that have to be resolved first."""

    code = "POINTS_UNRESOLVED"
    retryable = True


class CustomerClosed(Refusal):
    """The customer has left."""

    code = "CUSTOMER_CLOSED"


class NotAMember(Refusal):
    """Who acts in the pool is no member of it."""

    code = "NOT_A_MEMBER"


class PoolRightMissing(Refusal):
    """The member has not this right in the pool."""

    code = "POOL_RIGHT_MISSING"


class ExceedsOriginal(Refusal):
    """All reversals together would exceed the original."""

    code = "EXCEEDS_ORIGINAL"


class AlreadyReversed(Refusal):
    """Nothing of the original is left to reverse."""

    code = "ALREADY_REVERSED"


class NotFound(Refusal):
    """What the request names does not exist."""

    code = "NOT_FOUND"


class Duplicate(Refusal):
    """It exists already."""

    code = "DUPLICATE"


class AlreadyBound(Refusal):
    """The identifier is bound to a customer."""

    code = "ALREADY_BOUND"


class OrgCycle(Refusal):
    """The institution would stand below itself."""

    code = "ORG_CYCLE"


class UnknownCurrency(Refusal):
    """No currency has this code."""

    code = "UNKNOWN_CURRENCY"


class InvalidInput(Refusal):
    """The request's values do not fit together."""

    code = "INVALID_INPUT"


class IdempotencyConflict(Refusal):
    """The idempotency key was used for another request."""

    code = "IDEMPOTENCY_CONFLICT"


class WindowClosed(Refusal):
    """The settlement window is closed."""

    code = "WINDOW_CLOSED"


class WindowOrder(Refusal):
    """Settlement windows are settled in the order of their numbers."""

    code = "WINDOW_ORDER"
    retryable = True


class PayOutWaits(Refusal):
    """Somebody has not paid in what is to be paid out; who bears it has to be found first."""

    code = "PAY_OUT_WAITS"
    retryable = True


class FxRateMissing(Refusal):
    """No FX rate is in force by which a net could be exchanged."""

    code = "FX_RATE_MISSING"
    retryable = True


class PartnerRefused(Refusal):
    """The partner's system refused."""

    code = "PARTNER_REFUSED"


class PartnerUnavailable(Refusal):
    """The partner's system cannot be reached."""

    code = "PARTNER_UNAVAILABLE"
    retryable = True


class ReportAccepted(Refusal):
    """The institution has accepted the report with its signature."""

    code = "REPORT_ACCEPTED"


class DisputeTooLate(Refusal):
    """The time in which lines of this window can be disputed is over."""

    code = "DISPUTE_TOO_LATE"


class NotHosted(Refusal):
    """A partner keeps the points, and does not do this over the hub."""

    code = "NOT_HOSTED"


class ReversalPending(Refusal):
    """A reversal of the act is under way, and has to end first."""

    code = "REVERSAL_PENDING"
    retryable = True


class CurrencyMoving(Refusal):
    """The currency's balances are on their way to another keeper; nothing new is begun until they have arrived."""

    code = "CURRENCY_MOVING"
    retryable = True


class RetryLater(Refusal):
    """The hub is too busy: the request was not looked at, and can be sent again under the same key."""

    code = "RETRY_LATER"
    retryable = True


REFUSALS: dict[str, type[Refusal]] = {refusal.code: refusal for refusal in Refusal.__subclasses__()}


def stored(code: str, details: Mapping[str, str]) -> Refusal:
    """The refusal that was stored as ``code`` with ``details``."""
    return REFUSALS[code](**details)


class Fault(Failure):
    """The request cannot be looked at."""

    def __init__(self, **details: object) -> None:
        super().__init__(self.__doc__)
        self.details: dict[str, str] = {key: str(value) for key, value in details.items()}


class Unauthenticated(Fault):
    """The key is missing, unknown, expired or revoked."""


class Forbidden(Fault):
    """The key's roles do not allow this operation."""


class NotPast(Fault):
    """The instant is not past yet."""


class NotMapped(Fault):
    """Accounts that moved have no place in the general ledger: name them first."""


class TooManyParts(Fault):
    """The figures would have too many parts: ask for a shorter period, or divide them by less."""


class NotTried(Fault):
    """In the period there is a window that is not settled by common nets, and on these no cap is tried."""


class ReportsGone(Fault):
    """Reports of the window were there and are gone; none is signed anew."""


class Unexpected(Fault):
    """The request failed for a reason that is the hub's own; one with a key can be sent again under it."""
