"""Windows, nets and what the bank moved, positions and exposures."""

from datetime import datetime
from enum import StrEnum

import msgspec

from hub.institutions import CapProposal


class WindowStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement window of a model, whose windows ``number`` counts; ``ordinal`` counts those of all models, as they
    were opened: what the tree is for a window's money goes by it. ``due_at``: the cut-off that it was closed for, None:
    it was closed by somebody. ``closed_in``: the batch that closed it. ``levels``: whether nets go from level to level;
    in the first windows of an old hub everybody settles with the hub itself. ``together``: whether a participant's
    payments in several currencies take effect at once; in what an old hub was being paid each did by itself."""

    id: int
    model: str
    number: int
    ordinal: int
    status: WindowStatus
    opened_at: datetime
    closed_at: datetime | None = None
    settled_at: datetime | None = None
    closed_in: int | None = None
    due_at: datetime | None = None
    levels: bool = True
    together: bool = True


class Net(msgspec.Struct, frozen=True):
    """What an institution's own acts of a window come to, exactly; and in whole minor units its ``net``: of these acts
    and of its children's nets. ``exchanged``: what exchanges brought into the currency, less what they took out of
    it."""

    window: int
    institution: int
    currency: str
    debits: int
    credits: int
    net: int
    exchanged: int = 0

    @property
    def payable(self) -> int:
        """What is to be paid of one that settles with the hub, signed like a net."""
        return self.net + self.exchanged


class NetExchange(msgspec.Struct, frozen=True, kw_only=True):
    """A net that settles with the hub became ``value`` in the currency ``into``, by a version of an FX rate."""

    movement: int
    window: int
    institution: int
    currency: str
    net: int
    rate: int
    into: str
    value: int


class NetView(msgspec.Struct, frozen=True):
    """A net as people see it: to whom it goes (None: it settles with the hub), what the children bring, apart by sign,
    whether it is settled, whether the bank has moved it, which in several currencies is less, and what the bank has
    still to move for it. ``exchanges``: of it, and into it; ``obligations``: where each two net by themselves, of what
    it is the sum."""

    net: Net
    parent: int | None
    below_debits: int
    below_credits: int
    confirmed: bool
    paid: bool
    due: int
    exchanges: tuple[NetExchange, ...] = ()
    obligations: tuple["ObligationView", ...] = ()


class Obligation(msgspec.Struct, frozen=True):
    """What one participant of a window owes another, and pays to it: the net of the two, more than zero, in millionths
    and whole minor units."""

    id: int
    window: int
    debtor: int
    creditor: int
    currency: str
    amount: int


class ObligationPayment(msgspec.Struct, frozen=True):
    """The bank moved an obligation's amount from its debtor to its creditor."""

    obligation: int
    movement: int
    value_date: str | None
    reference: str


class ObligationView(msgspec.Struct, frozen=True):
    """An obligation as people see it: whether the bank has moved it, and whether all that the two owe one another of
    the window, in all currencies, has been, so that it is final."""

    obligation: Obligation
    paid: bool
    confirmed: bool


class InternalAccount(msgspec.Struct, frozen=True):
    """Whose accounts of kind INTERNAL these are, in all currencies: a node's under one of its parents."""

    id: int
    parent: int
    institution: int


class Confirmation(msgspec.Struct, frozen=True):
    """The bank moved a net."""

    window: int
    institution: int
    currency: str
    movement: int
    amount: int
    value_date: str | None
    reference: str


class ConfirmationFile(msgspec.Struct, frozen=True, kw_only=True):
    """A bank's file that was taken: SHA-256 of it, and how many payments it confirmed, in movements from ``id`` up to
    ``last``."""

    id: int
    credential: int
    digest: str
    payments: int
    last: int


class Position:
    """The counters of one window, institution and currency: own debits and credits of acts, and what the hub owes the
    subtree of this window and has not settled; of that, what those below who settle apart come to, and owe
    (``hub.ledger.apart``)."""

    __slots__ = ("apart", "credits", "debits", "gross", "subtree")

    def __init__(self, debits: int = 0, credits: int = 0, subtree: int = 0, apart: int = 0, gross: int = 0) -> None:
        self.debits = debits
        self.credits = credits
        self.subtree = subtree
        self.apart = apart
        self.gross = gross


class PairPosition:
    """What two participants owe one another by the acts of a window, exactly, in one currency: the one of the lower
    identifier the other (``debits``), and the other it (``credits``)."""

    __slots__ = ("credits", "debits")

    def __init__(self, debits: int = 0, credits: int = 0) -> None:
        self.debits = debits
        self.credits = credits


class Exposure(msgspec.Struct, frozen=True):
    """What an institution's subtree owes in a currency, and the cap on it; millionths."""

    institution: int
    currency: str
    own: int
    subtree: int
    exposure: int
    cap: int | None
    proposal: CapProposal | None = None
