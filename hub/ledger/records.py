"""Records: what the ledger keeps and gives back, as plain frozen values.

Points are in smallest units of their currency, money in millionths. The same records come fresh out of a batch and
again out of the database, so an answer and its replay are one thing.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum, IntFlag, StrEnum
from typing import Final

import msgspec

from hub.rates import Figures


class AccountKind(IntEnum):
    """What an account is for. Customers, issuance and breakage hold points, the others money."""

    CUSTOMER = 1
    ISSUANCE = 2  # the contra account of a point currency, owned by its issuer
    BREAKAGE = 3  # points that expired
    POSITION = 4  # what the hub owes an institution in the open window
    SETTLEMENT = 5  # its rounded nets of closed windows, until they are paid
    BANK = 6  # the settlement bank, kept by the operator
    ROUNDING = 7  # what rounding nets leaves, owned by the operator
    DEBT = 8  # points that a customer owes, because they were taken away after they were spent
    PARTNER = 9  # the contra account of what came out of, less what went into, the system of a currency's partner
    TRANSIT = 10  # points that a partner has taken, and that are not yet anything else


class MovementKind(IntEnum):
    """The acts that post legs."""

    ISSUE = 1
    TRANSFER = 2
    REDEEM = 3
    CONVERT = 4
    REVERSE = 5
    CLOSE = 6
    SETTLE = 7
    HOLD = 8
    CAPTURE = 9
    RELEASE = 10
    EXPIRE = 11
    FREEZE = 12
    WRITE_OFF = 13
    CLEAR = 14
    REMOVE = 15
    CONTRIBUTE = 20  # a member's points into a pool
    WITHDRAW = 21  # what is left of them, back to a member that leaves
    ACCEPT = 30  # a conversion begins that needs a partner: what it will post is pending
    ARRIVE = 31  # the source's partner has taken the points
    DECLINE = 32  # a partner refused, and nothing was changed
    REFUND = 33  # a partner refused, and the source's has given the points back
    ACCEPT_REDEEM = 34  # as ACCEPT, of a redemption
    ACCEPT_REVERSE = 35  # of a reversal
    ACCEPT_TRANSFER = 36  # of a transfer
    ACCEPT_ISSUE = 37  # of an issue


# What begins over partners, and the act that it is once they have done their part.
ACCEPTED: Final[Mapping[MovementKind, MovementKind]] = {
    MovementKind.ACCEPT: MovementKind.CONVERT,
    MovementKind.ACCEPT_REDEEM: MovementKind.REDEEM,
    MovementKind.ACCEPT_REVERSE: MovementKind.REVERSE,
    MovementKind.ACCEPT_TRANSFER: MovementKind.TRANSFER,
    MovementKind.ACCEPT_ISSUE: MovementKind.ISSUE,
}


class Purpose(IntEnum):
    """Why a leg was posted."""

    POINTS = 1
    SETTLEMENT = 2
    FEE = 3
    CLOSING = 4
    ROUNDING = 5
    PAYMENT = 6


class Phase(IntEnum):
    """What a leg changes: what was posted, or what is pending. A pending leg holds points; a voided one ends that."""

    POSTED = 1
    PENDING = 2
    VOIDED = 3


class Mark(IntFlag):
    """What an account is marked with: whether it, or its customer, is frozen, whether its customer owes points, and
    whether its customer has left, or is a pool."""

    FROZEN = 1
    CUSTOMER_FROZEN = 2
    DEBT = 4
    CLOSED = 8
    POOL = 16


class Account:
    """One account with its cumulative counters; the batch that holds it under the journal's lock may change it.

    ``aged``: how much of the balance is in lots; the rest never ends. ``marks``: of ``Mark``.
    """

    __slots__ = (
        "aged",
        "credits",
        "currency",
        "debits",
        "id",
        "kind",
        "marks",
        "owner",
        "pending_credits",
        "pending_debits",
    )

    def __init__(
        self,
        id: int,
        kind: int,
        owner: int,
        currency: str,
        debits: int = 0,
        credits: int = 0,
        pending_debits: int = 0,
        pending_credits: int = 0,
        aged: int = 0,
        marks: int = 0,
    ) -> None:
        self.id = id
        self.kind = kind
        self.owner = owner
        self.currency = currency
        self.debits = debits
        self.credits = credits
        self.pending_debits = pending_debits
        self.pending_credits = pending_credits
        self.aged = aged
        self.marks = marks

    @property
    def balance(self) -> int:
        """Posted credits less posted debits."""
        return self.credits - self.debits

    @property
    def available(self) -> int:
        """What may be spent: the balance less what is held."""
        return self.credits - self.debits - self.pending_debits


class Customer(msgspec.Struct, frozen=True):
    """A customer; ``reference`` is None once it was erased."""

    id: int
    institution: int
    reference: str | None


class Profile(msgspec.Struct, frozen=True):
    """What a customer's institution says of it, from then on: its type, and the groups that it is in."""

    id: int
    customer: int
    type: str | None
    groups: tuple[str, ...]
    credential: int


class PoolKind(StrEnum):
    """Whose points a pool's are: a family's, or a company's."""

    FAMILY = "FAMILY"
    CORPORATE = "CORPORATE"


class PoolRight(StrEnum):
    """What a member may do in a pool: put its own points in, spend what is there, let members in and out."""

    CONTRIBUTE = "CONTRIBUTE"
    SPEND = "SPEND"
    MANAGE = "MANAGE"


class Pool(msgspec.Struct, frozen=True):
    """A customer whose points its members share. ``id`` is also the customer's; ``owner`` has all rights, always."""

    id: int
    kind: PoolKind
    customer: Customer
    owner: Customer
    credential: int


class Membership(msgspec.Struct, frozen=True):
    """A member's rights in a pool from then on; None: it has left."""

    id: int
    pool: int
    member: int
    rights: tuple[PoolRight, ...] | None
    credential: int


class PoolAct(msgspec.Struct, frozen=True):
    """What was done to a pool: the membership ``id`` began, changed or ended."""

    id: int
    pool: Pool


class Piece(msgspec.Struct, frozen=True):
    """Some points of a lot: when they are gone (``hub.expiry.NEVER``: not), when they were earned, and their origin
    (``hub.ledger.lots.Origin`` as text)."""

    expires_at: datetime
    earned_at: datetime
    origin: str
    amount: int


class Identifier(msgspec.Struct, frozen=True):
    """A card, number or telephone of an institution's, and whom it names now: a binding, or nobody. ``text`` is None
    once it was erased."""

    id: int
    institution: int
    text: str | None

    @property
    def masked(self) -> str:
        """All that is ever shown of it: the last four characters, and of a short one none."""
        return masked(self.text or "")


def masked(text: str) -> str:
    """The last four characters of an identifier; none of one that has fewer than eight."""
    return f"****{text[-4:] if len(text) >= 8 else ''}"


class Step(msgspec.Struct, frozen=True):
    """One row of a history: when it was made, by whom, and for which institution."""

    id: int
    at: datetime
    credential: int
    for_institution: int


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier names a customer, from one step until another."""

    identifier: Identifier
    customer: Customer
    made: Step
    ended: Step | None = None

    @property
    def id(self) -> int:
        """Of the step that made it."""
        return self.made.id


class LinkStatus(StrEnum):
    """The life of a link. Only an active one says anything."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    REJECTED = "REJECTED"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Customers of two institutions who are one person, by the word of both; ``changes`` is its whole life."""

    id: int
    a: Customer
    b: Customer
    changes: tuple[tuple[LinkStatus, Step], ...]

    @property
    def status(self) -> LinkStatus:
        """Where it is in its life."""
        return self.changes[-1][0]

    def other(self, customer: int) -> Customer:
        """Who is linked with one of its customers."""
        return self.b if customer == self.a.id else self.a


class Leg(msgspec.Struct, frozen=True):
    """An amount from account ``debit`` to ``credit``, both of one currency. Money legs name their window.

    ``taken`` and ``given``: the lots that the amount comes out of, in the order in which they were used, and goes into;
    what they do not account for never ends and has no lot.
    """

    debit: Account
    credit: Account
    amount: int
    purpose: Purpose
    window: int | None = None
    phase: Phase = Phase.POSTED
    taken: tuple[Piece, ...] = ()
    given: tuple[Piece, ...] = ()


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """An atomic group of legs and the act that made it. ``subject``: what it reverses, converts or closes."""

    id: int
    kind: MovementKind
    at: datetime
    credential: int
    for_institution: int
    currency: str
    amount: int
    source: Customer | None = None
    target: Customer | None = None
    merchant: int | None = None
    money: str | None = None
    value: int | None = None
    fee: int | None = None
    subject: int | None = None
    earned_at: datetime | None = None
    expires_at: datetime | None = None


def homes_of(movement: Movement) -> list[int]:
    """The institutions to whom an act is open: its customers', its merchant and who acted."""
    homes = [party.institution for party in (movement.source, movement.target) if party is not None]
    if movement.merchant is not None:
        homes.append(movement.merchant)
    return [*homes, movement.for_institution]


class HoldKind(IntEnum):
    """Why points are pending: promised until an instant, frozen until somebody decides, or on their way to a partner
    until it is known that they arrived."""

    HOLD = 1
    FREEZE = 2
    EXCHANGE = 3


class HoldStatus(StrEnum):
    """A hold's life; it is resolved once."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a customer that are not to be spent. ``id`` is also that of the movement that made them pending.

    ``captured``: what was taken of ``amount`` when it was resolved. ``shortfall``: what was to be frozen and was not
    there. ``resolved_by``: the movement that ended it.
    """

    id: int
    kind: HoldKind
    at: datetime
    credential: int
    for_institution: int
    customer: Customer
    currency: str
    amount: int
    shortfall: int
    expires_at: datetime
    status: HoldStatus = HoldStatus.HELD
    captured: int = 0
    resolved_by: int | None = None

    def status_at(self, at: datetime) -> HoldStatus:
        """The status at ``at``: a hold whose time is over is expired, whether or not that was posted."""
        return HoldStatus.EXPIRED if self.status is HoldStatus.HELD and self.expires_at <= at else self.status


class Lapsed(msgspec.Struct, frozen=True):
    """What time took of one customer's account: ``units`` points out of ``lots`` lots, and ``holds`` holds."""

    account: int
    currency: str
    lots: int
    units: int
    holds: int


class HoldAct(msgspec.Struct, frozen=True):
    """What was done to a hold: the movement ``id`` made, captured or released it."""

    id: int
    hold: Hold


class ClearingScope(StrEnum):
    """Which points a clearing takes."""

    ALL = "ALL"
    EARNED_BEFORE = "EARNED_BEFORE"


class ClearingStatus(StrEnum):
    """A clearing's life. It is SCHEDULED until its time has come; that is not posted."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a currency that are to be cleared from ``starts_at`` on, account by account in the order of their
    identifiers.

    ``reached``: the last account that was looked at. Of the ``accounts`` that had points, ``cleared`` units went to
    breakage; ``pinned`` ones would have too, and stay because they are held or frozen; ``ageless`` ones stay because
    nobody knows when they were earned.
    """

    id: int
    at: datetime
    credential: int
    for_institution: int
    currency: str
    scope: ClearingScope
    earned_before: datetime | None
    starts_at: datetime
    reason: str
    status: ClearingStatus = ClearingStatus.RUNNING
    reached: int = 0
    accounts: int = 0
    cleared: int = 0
    pinned: int = 0
    ageless: int = 0
    ended_at: datetime | None = None

    def status_at(self, at: datetime) -> ClearingStatus:
        """The status at ``at``."""
        waits = self.status is ClearingStatus.RUNNING and at < self.starts_at
        return ClearingStatus.SCHEDULED if waits else self.status


class Missing(msgspec.Struct, frozen=True):
    """What a movement was to take from a customer and could not, in smallest units: ``debt`` is owed from then on,
    ``written_off`` is given up."""

    movement: int
    debt: int
    written_off: int


class RestrictionKind(IntEnum):
    """What was done to a customer's accounts as such."""

    FREEZE = 1
    UNFREEZE = 2
    CLOSE = 3


class Restriction(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history of a customer's restrictions; ``currency`` is empty for all of the customer's accounts.

    ``for_institution``: who has it so, and may end it.
    """

    id: int
    kind: RestrictionKind
    at: datetime
    credential: int
    for_institution: int
    customer: Customer
    currency: str


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """Issues that were reversed together, by the reversals after ``id`` and up to ``last``. ``amount``: the points that
    these reversed, of which ``debt`` and ``written_off`` were not there any more."""

    id: int
    last: int
    at: datetime
    credential: int
    for_institution: int
    currency: str
    issues: int
    amount: int
    debt: int
    written_off: int


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A firm offer: figures pinned to a rate version until ``expires_at``, for one use."""

    id: int
    credential: int
    for_institution: int
    rate: int
    source: Customer
    target: Customer
    figures: Figures
    expires_at: datetime
    used_by: int | None = None
    cancelled: bool = False


class ConversionStatus(StrEnum):
    """The outward states; a conversion between hosted currencies is completed when it is accepted."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    REVERSED = "REVERSED"
    IN_DOUBT = "IN_DOUBT"


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one currency that became points of another."""

    id: int
    status: ConversionStatus
    at: datetime
    credential: int
    for_institution: int
    rate: int
    quote: int | None
    source: Customer
    target: Customer
    figures: Figures
    window: int
    completed_at: datetime | None


class WindowStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement window of a model; ``closed_in``: the batch that closed it."""

    id: int
    model: str
    number: int
    status: WindowStatus
    opened_at: datetime
    closed_at: datetime | None = None
    settled_at: datetime | None = None
    closed_in: int | None = None


class Net(msgspec.Struct, frozen=True):
    """What an institution's own acts of a window come to; debits and credits exact, ``net`` in whole minor units."""

    window: int
    institution: int
    currency: str
    debits: int
    credits: int
    net: int


class Confirmation(msgspec.Struct, frozen=True):
    """The bank moved a net."""

    window: int
    institution: int
    currency: str
    movement: int
    amount: int
    value_date: str | None
    reference: str


class Position:
    """The counters of one window, institution and currency: own debits and credits of acts, and what the hub owes the
    subtree of this window and has not settled."""

    __slots__ = ("credits", "debits", "subtree")

    def __init__(self, debits: int = 0, credits: int = 0, subtree: int = 0) -> None:
        self.debits = debits
        self.credits = credits
        self.subtree = subtree


class Exposure(msgspec.Struct, frozen=True):
    """What an institution's subtree owes in a currency, and the cap on it; millionths."""

    institution: int
    currency: str
    own: int
    subtree: int
    exposure: int
    cap: int | None
