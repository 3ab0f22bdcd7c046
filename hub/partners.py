"""The port: what the hub asks of a partner's own points system, and what it believes of the answers.

A partner is reached through an adapter, which turns *orders* into calls of that system and its words into *answers*.
An order is written down before it is sent and has a reference of ours, which is the same however often it is sent. An
answer is one of five: the points moved, they did not and will not, they will, nobody knows, or the partner has never
heard of the reference. Whatever is unclear is unknown: an adapter never guesses, and the hub asks again.

``judge`` holds each answer against its order as strictly as the hub's edge holds what a client asks. Nothing here knows
a wire, a database or the ledger.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import msgspec
from pydantic import BaseModel

from hub.points import AMOUNT_MAX, render

REFERENCE_MAX = 40  # characters of a reference of ours: capital letters, digits and hyphens
ENTRY_POINTS = "points_hub.adapters"
CLOCK_SKEW = timedelta(minutes=5)  # by which a partner's clock may differ from ours
ANSWER_S_MAX = 40  # that is waited for an answer, whatever an adapter says; the lease of a call lasts longer than two
HOLD_LASTS = timedelta(days=7)  # a partner's hold, at least; counted from when its order was written down
HOLD_SPARE = timedelta(days=3)  # for which it lasts on when the next is asked, which is given up before


class Operation(StrEnum):
    """What an order does to a member's points."""

    DEBIT = "DEBIT"  # take them
    CREDIT = "CREDIT"  # give them
    HOLD = "HOLD"  # promise them, until they are captured or released
    CAPTURE = "CAPTURE"  # take what an earlier order holds
    RELEASE = "RELEASE"  # free what an earlier order holds
    REVERSE = "REVERSE"  # undo an earlier debit or credit


FOLLOWING = frozenset({Operation.CAPTURE, Operation.RELEASE, Operation.REVERSE})  # these are of an earlier order
HOLDING = frozenset(
    {Operation.HOLD, Operation.CAPTURE, Operation.RELEASE}
)  # a partner does all of these, or holds nothing


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked of a partner.

    ``reference``: ours, unique for ever; what the partner tells repeated orders by. ``amount`` is in smallest units of
    ``currency``, which has ``scale`` decimals. ``member``: as the partner knows its customer. ``of``: the reference of
    the earlier order, of operations that follow one, and ``partner_of`` the partner's own for it, if it gave one.
    ``asked_at``: when it was written down, the same however often it is sent.
    """

    reference: str
    operation: Operation
    member: str
    amount: int
    currency: str
    scale: int
    asked_at: datetime
    of: str | None = None
    partner_of: str | None = None

    @property
    def decimal(self) -> str:
        """The amount in whole points, as decimal text with all of the currency's digits."""
        return render(self.amount, self.scale)

    @property
    def held_until(self) -> datetime:
        """Until when a hold has to last at least, the same however often it is sent. After that nobody needs it."""
        return self.asked_at + HOLD_LASTS


class Status(StrEnum):
    """What is known of an order."""

    SUCCEEDED = "SUCCEEDED"  # done, for good
    REFUSED = "REFUSED"  # not done, and never will be under this reference
    PENDING = "PENDING"  # taken, and not yet done or refused
    UNKNOWN = "UNKNOWN"  # nobody can tell
    ABSENT = "ABSENT"  # certainly not done so far: the partner took nothing, or knows no such reference


class Reason(StrEnum):
    """Why a partner refuses, in the hub's words."""

    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    NO_SUCH_MEMBER = "NO_SUCH_MEMBER"
    MEMBER_BLOCKED = "MEMBER_BLOCKED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    INVALID_AMOUNT = "INVALID_AMOUNT"
    NOT_SUPPORTED = "NOT_SUPPORTED"  # it does not do such operations
    EXCEEDS_ORIGINAL = (
        "EXCEEDS_ORIGINAL"  # more than is left of the earlier order; nothing is, of a hold that has ended
    )
    OTHER = "OTHER"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner answers to an order, as its adapter understood it; what it did not say is None.

    ``reference``: ours, as it repeats it. ``partner_reference``: its own. ``amount`` in smallest units of the order's
    currency, ``unit`` the partner's word for it, ``at`` when it did it. ``code`` and ``message``: its own words, for
    people. ``halts``: nothing more may be asked of it until the operator says so. ``asked``: False of a refusal of the
    adapter's own, which says nothing of what was sent before.
    """

    status: Status
    reference: str | None = None
    partner_reference: str | None = None
    amount: int | None = None
    unit: str | None = None
    at: datetime | None = None
    reason: Reason | None = None
    code: str | None = None
    message: str | None = None
    halts: bool = False
    asked: bool = True


class Settling(StrEnum):
    """When a partner does what it is asked."""

    REAL_TIME = "REAL_TIME"
    NIGHTLY = "NIGHTLY"  # in batches: every order is pending for hours


class Echo(StrEnum):
    """What a partner says in every answer that something was done; if it is missing, the answer is not believed."""

    REFERENCE = "REFERENCE"
    PARTNER_REFERENCE = "PARTNER_REFERENCE"
    AMOUNT = "AMOUNT"
    UNIT = "UNIT"
    TIME = "TIME"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner can do, as data. The conformance suite proves each of it, and that the rest is refused.

    ``partial``: of which operations that follow an earlier order a part may be asked. ``status``: whether it can be
    asked by our reference. ``journal``: whether it lists a day. ``lookup``: the JSON Schema of the fields by which it
    finds a member, each with ``x-labels`` in ``en`` and ``zh-CN``; None: it finds nobody. ``idempotent``: whether a
    reference that is sent again is done once; where it is not, an unknown order is only ever asked for. ``unit``: its
    word for its points, which have ``scale`` decimals. ``minimum`` and ``maximum``: of one order, in smallest units of
    that scale. ``absent_after_s``: how long after an order was sent it may still say wrongly that it does not know it.
    ``answers_within_s``: how long is waited for an answer, at most ANSWER_S_MAX; after that it is unknown.
    """

    operations: frozenset[Operation]
    unit: str
    scale: int = 0
    partial: frozenset[Operation] = frozenset()
    status: bool = True
    journal: bool = False
    lookup: Mapping[str, Any] | None = None
    settling: Settling = Settling.REAL_TIME
    echoes: frozenset[Echo] = frozenset({Echo.REFERENCE, Echo.AMOUNT})
    idempotent: bool = True
    minimum: int = 1
    maximum: int = AMOUNT_MAX
    absent_after_s: int = 60
    answers_within_s: int = 10


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, as a partner finds it. ``available``: what it can spend, in smallest units of the capabilities'
    scale, if the partner tells; ``may_spend`` and ``may_earn``: whether the partner would let it."""

    reference: str
    available: int | None = None
    may_spend: bool = True
    may_earn: bool = True


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a partner's journal: what it did on a day, under our reference if it was for us. ``amount`` is in
    smallest units of the capabilities' scale."""

    reference: str | None
    partner_reference: str | None
    operation: Operation
    member: str
    amount: int
    unit: str
    status: Status
    at: datetime


class Partner(Protocol):
    """One partner system, connected. Methods are called by several tasks at once, and never inside a transaction.

    Nothing raises for what a partner did or failed to do: ``perform`` and ``status`` answer, UNKNOWN if need be. What
    they raise all the same counts as UNKNOWN too. A call that is cancelled is unknown.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; does not change while it is connected."""

    async def perform(self, order: Order) -> Answer:
        """Send an order, for the first time or again. An operation that it does not do is refused NOT_SUPPORTED."""

    async def status(self, order: Order) -> Answer:
        """What has become of an order that was sent; ABSENT if the partner does not know it."""

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        """The member that the fields name, or None.

        Raises:
            PartnerUnavailable: it cannot be asked now.
        """

    def journal(self, day: date) -> AsyncIterator[Entry]:
        """What it did on a day of its own calendar, in its order.

        Raises:
            PartnerUnavailable: it cannot be asked now.
        """

    async def close(self) -> None:
        """Let go of connections; what is under way is unknown."""


class PartnerUnavailable(Exception):
    """The partner cannot be asked now."""


class Message(msgspec.Struct, frozen=True):
    """What came to us over HTTP from somebody who may be the partner. ``path`` is the request's target as it came, with
    its query; ``headers`` have names of lower case, each line its own; ``body`` is as it came, not decoded."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class NotProven(Exception):
    """Nothing proves that the message is the partner's, that it is of now, or that it says something of an order."""


@runtime_checkable
class Listener(Protocol):
    """A partner that also calls us, to tell what became of an order. A connected ``Partner`` may be one."""

    def understand(self, message: Message, now: datetime) -> tuple[str, Answer]:
        """Our reference that the message speaks of, and what it says of it, with its amount in smallest units of the
        capabilities' scale: hand it to ``for_order`` and then to ``judge``, as if it had been asked for. The same
        message again says the same, so it is harmless to whoever takes answers as they are meant.

        Raises:
            NotProven: its signature is missing, wrong or of another time than ``now``, or it is malformed.
        """


def for_order(answer: Answer, order: Order, capabilities: Capabilities) -> Answer:
    """An answer whose amount is in smallest units of the capabilities' scale, in those of the order's currency; if that
    has not so many decimals, nobody can tell what moved."""
    if answer.amount is None:
        return answer
    amount, rest = divmod(answer.amount * 10**order.scale, 10**capabilities.scale)
    if rest:
        told = f"The amount {render(answer.amount, capabilities.scale)} has more than {order.scale} decimals."
        return Answer(status=Status.UNKNOWN, reference=answer.reference, code=answer.code, message=told)
    return msgspec.structs.replace(answer, amount=amount)


class Kind(Protocol):
    """A kind of adapter. Found by name among the entry points of the group ``points_hub.adapters``, each of which is
    such an object.

    ``configuration`` is what a currency is registered with: its fields are shown as JSON Schema, and those of type
    ``SecretStr`` are kept encrypted and never shown again.
    """

    @property
    def configuration(self) -> type[BaseModel]:
        """The model of its configuration."""

    def connect(self, configuration: Any) -> Partner:
        """A partner by a configuration that is of the model. Nothing is asked of the partner before its first order;
        called within a running event loop."""


class Judged(msgspec.Struct, frozen=True):
    """An answer as far as the hub believes it; ``incident``: what was wrong with it, for people."""

    answer: Answer
    incident: str | None = None


def judge(order: Order, answer: Answer, capabilities: Capabilities, now: datetime) -> Judged:
    """Hold an answer against its order. One that contradicts it, or lacks what the partner always says, is UNKNOWN and
    an incident: it may speak of another order, or another amount may have moved. ``now``: when it came."""
    wrong = _wrong(order, answer, capabilities, now)
    if wrong is None:
        return Judged(answer)
    doubtful = Answer(status=Status.UNKNOWN, code=answer.code, message=answer.message, halts=answer.halts)
    return Judged(doubtful, wrong)


def _wrong(order: Order, answer: Answer, capabilities: Capabilities, now: datetime) -> str | None:
    if answer.reference not in (None, order.reference):
        return f"It answers to the reference {answer.reference!r}."
    if answer.amount is not None and (type(answer.amount) is not int or answer.amount != order.amount):
        return f"It speaks of {answer.amount!r} smallest units instead of {order.amount}."
    if answer.unit not in (None, capabilities.unit):
        return f"It counts in {answer.unit!r} instead of {capabilities.unit!r}."
    if answer.at is not None:
        if answer.at.utcoffset() is None:
            return "Its time has no zone."
        if not order.asked_at - CLOCK_SKEW <= answer.at <= now + CLOCK_SKEW:
            return f"It did so at {answer.at.isoformat()}, which is before it was asked or still to come."
    if answer.status is Status.REFUSED and answer.reason is None:
        return "It refuses without a reason."
    if answer.status is Status.SUCCEEDED:
        said = {
            Echo.REFERENCE: answer.reference,
            Echo.PARTNER_REFERENCE: answer.partner_reference,
            Echo.AMOUNT: answer.amount,
            Echo.UNIT: answer.unit,
            Echo.TIME: answer.at,
        }
        missing = sorted(echo.value for echo in capabilities.echoes if said[echo] is None)
        if missing:
            return f"It does not say {', '.join(missing)}."
    return None
