"""The programme's rules, pure: whether an order is done, and by how much it changes the member's balance.

Amounts are whole smallest units of the programme's unit. Nothing is ever taken that is not there, and the orders that
follow another never exceed it together.
"""

from datetime import datetime, timedelta

import msgspec

from adapters.simulator.problems import WrongValue
from adapters.simulator.reading import Body
from hub.errors import InvalidAmount
from hub.partners import FOLLOWING, REFERENCE_MAX, Operation, Reason, Status
from hub.points import AMOUNT_MAX, parse_positive, render

_PRECEDING = {
    Operation.CAPTURE: (Operation.HOLD,),
    Operation.RELEASE: (Operation.HOLD,),
    Operation.REVERSE: (Operation.DEBIT, Operation.CREDIT),
}


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """The points programme that is played. ``maximum``: of one order; ``hold_for``: after that a hold is void;
    ``pending_ms``: how long a pending order takes; ``late_ms``: by how much a late callback is late; ``nightly``:
    None, or when on each day (UTC, "02:00") pending orders are done, or "asked": only when asked to; ``magic``:
    whether amounts are read as scripts."""

    unit: str = "MILES"
    scale: int = 2
    operations: frozenset[Operation] = frozenset(Operation)
    partial: frozenset[Operation] = FOLLOWING
    maximum: int = AMOUNT_MAX
    hold_for: timedelta = timedelta(days=7)
    pending_ms: int = 3_000
    late_ms: int = 30_000
    nightly: str | None = None
    magic: bool = True


class Asked(msgspec.Struct, frozen=True):
    """An order as it was asked. ``units``: None where the amount is none of this programme's."""

    reference: str
    operation: Operation
    member: str
    amount: str
    units: int | None
    of: str | None


class Member(msgspec.Struct, frozen=True):
    """A member and its balance, of which ``held`` is promised."""

    reference: str
    family_name: str
    balance: int
    held: int
    may_spend: bool
    may_earn: bool

    @property
    def available(self) -> int:
        """What can be spent."""
        return self.balance - self.held


class Original(msgspec.Struct, frozen=True):
    """The earlier order that another follows, and how much of it nothing has followed yet."""

    operation: Operation
    member: str
    status: Status
    units: int
    left: int
    expires_at: datetime | None


class Refused(Exception):
    """The programme refuses the order."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def read_order(raw: bytes, programme: Programme) -> Asked:
    """An order out of a request's body.

    Raises:
        Problem: it is none.
    """
    body = Body(raw)
    reference = body.text("reference")
    if len(reference) > REFERENCE_MAX:
        raise WrongValue(f"'reference' has at most {REFERENCE_MAX} characters.", "reference")
    operation = body.word("operation", Operation.__members__)
    member, amount, unit, of = body.text("member"), body.text("amount"), body.text("unit"), body.maybe("of", str)
    body.end()
    if unit != programme.unit:
        raise WrongValue(f"'unit' is {programme.unit} here.", "unit")
    if (of is None) is (operation in FOLLOWING):
        need = "names the earlier order that this one follows" if of is None else "is only for orders that follow one"
        raise WrongValue(f"'of' {need}.", "of")
    return Asked(reference, operation, member, amount, units_of(amount, programme), of)


def units_of(amount: str, programme: Programme) -> int | None:
    """A positive amount in smallest units, or None."""
    try:
        return parse_positive(amount, programme.scale)
    except InvalidAmount:
        return None


def decide(programme: Programme, asked: Asked, member: Member | None, original: Original | None, now: datetime) -> int:
    """By how many smallest units the member's balance changes.

    Raises:
        Refused: the order is not done, and never will be.
    """
    if asked.operation not in programme.operations:
        raise Refused(Reason.NOT_SUPPORTED, f"This programme does no {asked.operation}.")
    if asked.units is None:
        digits = f"more than zero, with at most {programme.scale} decimals"
        raise Refused(Reason.INVALID_AMOUNT, f"An amount is {digits}, such as {render(12_345, programme.scale)}.")
    if member is None:
        raise Refused(Reason.NO_SUCH_MEMBER, f"There is no member {asked.member}.")
    if asked.units > programme.maximum:
        raise Refused(Reason.LIMIT_EXCEEDED, f"At most {render(programme.maximum, programme.scale)} in one order.")
    if asked.operation in FOLLOWING:
        return _follow(programme, asked, asked.units, member, original, now)
    if not (member.may_earn if asked.operation is Operation.CREDIT else member.may_spend):
        raise Refused(Reason.MEMBER_BLOCKED, f"Member {member.reference} is blocked for this.")
    if asked.operation is Operation.CREDIT:
        return asked.units
    _spend(programme, member, asked.units)
    return -asked.units if asked.operation is Operation.DEBIT else 0


def _follow(
    programme: Programme, asked: Asked, units: int, member: Member, original: Original | None, now: datetime
) -> int:
    if original is None or original.operation not in _PRECEDING[asked.operation] or original.member != asked.member:
        wanted = " or ".join(_PRECEDING[asked.operation])
        raise Refused(Reason.EXCEEDS_ORIGINAL, f"{asked.of} is no {wanted} of member {asked.member}.")
    if original.status is not Status.SUCCEEDED:
        raise Refused(Reason.EXCEEDS_ORIGINAL, f"{asked.of} is {original.status}: nothing of it was done.")
    if original.expires_at is not None and original.expires_at <= now:
        raise Refused(Reason.EXCEEDS_ORIGINAL, f"The hold {asked.of} ended at {original.expires_at.isoformat()}.")
    if units > original.left:
        left = render(original.left, programme.scale)
        raise Refused(Reason.EXCEEDS_ORIGINAL, f"Of {asked.of} only {left} is left.")
    if units != original.units and asked.operation not in programme.partial:
        raise Refused(Reason.NOT_SUPPORTED, f"This programme does a {asked.operation} of the whole only.")
    if asked.operation is Operation.RELEASE:
        return 0
    if asked.operation is Operation.CAPTURE:
        return -units
    if original.operation is Operation.DEBIT:
        return units
    _spend(programme, member, units)
    return -units


def _spend(programme: Programme, member: Member, units: int) -> None:
    if units > member.available:
        available = render(member.available, programme.scale)
        raise Refused(Reason.INSUFFICIENT_POINTS, f"Member {member.reference} has {available} to spend.")
