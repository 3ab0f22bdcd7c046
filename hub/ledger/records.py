"""Records: what the ledger keeps and gives back, as plain frozen values.

Points are in smallest units of their currency, money in millionths. The same records come fresh out of a batch and
again out of the database, so an answer and its replay are one thing.
"""

from datetime import datetime
from enum import IntEnum, StrEnum

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


MONEY_KINDS = frozenset({AccountKind.POSITION, AccountKind.SETTLEMENT, AccountKind.BANK, AccountKind.ROUNDING})


class MovementKind(IntEnum):
    """The acts that post legs."""

    ISSUE = 1
    TRANSFER = 2
    REDEEM = 3
    CONVERT = 4
    REVERSE = 5
    CLOSE = 6
    SETTLE = 7


class Purpose(IntEnum):
    """Why a leg was posted."""

    POINTS = 1
    SETTLEMENT = 2
    FEE = 3
    CLOSING = 4
    ROUNDING = 5
    PAYMENT = 6


class Phase(IntEnum):
    """Whether a leg is posted; pending ones come with holds and remote partners."""

    POSTED = 1


class Account:
    """One account with its cumulative counters; the batch that holds it under the journal's lock may change it."""

    __slots__ = ("credits", "currency", "debits", "id", "kind", "owner", "pending_credits", "pending_debits")

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
    ) -> None:
        self.id = id
        self.kind = kind
        self.owner = owner
        self.currency = currency
        self.debits = debits
        self.credits = credits
        self.pending_debits = pending_debits
        self.pending_credits = pending_credits

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


class Leg(msgspec.Struct, frozen=True):
    """An amount from account ``debit`` to ``credit``, both of one currency. Money legs name their window."""

    debit: Account
    credit: Account
    amount: int
    purpose: Purpose
    window: int | None


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
