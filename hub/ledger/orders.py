"""Exchanges and what they ask of partners, as records: plain frozen values like all of ``records``.

An exchange is the way of an act one or both of whose ends a partner keeps. It has the act's identifier, and at most one
order under way. An order is written down in the transaction that makes it necessary, and is sent
afterwards; its reference tells the exchange it is of.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from hub.ledger.records import Customer, MovementKind, Purpose
from hub.partners import Operation, Reason, Status


class ExchangeState(StrEnum):
    """Where an exchange is. The next order is written down with the answer to the one before, so that it never rests
    between two of them."""

    DEBITING = "DEBITING"  # the source's partner is to take the points
    HOLDING = "HOLDING"  # the source's partner is to hold them
    CREDITING = "CREDITING"  # the target's partner is to give them
    CAPTURING = "CAPTURING"  # who holds them is to take them: they were given
    COLLECTING = "COLLECTING"  # the hold was over, and who held them is to take them all the same
    RELEASING = "RELEASING"  # who holds them is to free them: they are not given
    REFUNDING = "REFUNDING"  # the source's partner is to give them back
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"  # nothing was changed
    REVERSED = "REVERSED"  # what was taken was given back


class Asking(msgspec.Struct, frozen=True):
    """What is asked in a state: ``operation``, unless an earlier order is reversed instead, under a reference that ends
    in ``letter``. ``is_owed``: another partner relies on it, so that it is never given up."""

    letter: str
    operation: Operation
    is_owed: bool = False


ASKED: Final[Mapping[ExchangeState, Asking]] = {
    ExchangeState.DEBITING: Asking("D", Operation.DEBIT),
    ExchangeState.HOLDING: Asking("H", Operation.HOLD),
    ExchangeState.CREDITING: Asking("C", Operation.CREDIT),
    ExchangeState.CAPTURING: Asking("T", Operation.CAPTURE, is_owed=True),
    ExchangeState.COLLECTING: Asking("L", Operation.DEBIT, is_owed=True),
    ExchangeState.RELEASING: Asking("F", Operation.RELEASE, is_owed=True),
    ExchangeState.REFUNDING: Asking("R", Operation.CREDIT, is_owed=True),
}
UNDER_WAY = frozenset(ASKED)
OWED = frozenset(state for state, asking in ASKED.items() if asking.is_owed)
# In these a refusal is no end and opens no other way: what was promised is still due, and a person has to see to it.
UNREFUSABLE = OWED - {ExchangeState.CAPTURING}


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Points at one end of an exchange: ``amount`` smallest units of ``currency``, of a customer's. ``undoes``: the
    order by which they came to this end before, if the exchange takes that back; ``partner_undoes``: the partner's own
    reference of it; ``is_whole``: whether it takes back all of it."""

    currency: str
    customer: Customer
    amount: int
    undoes: str | None = None
    partner_undoes: str | None = None
    is_whole: bool = False


class ShareOf(msgspec.Struct, frozen=True):
    """A share of a plan: its version, the place among its shares, and whose it is."""

    plan: int
    place: int
    institution: int


class Payment(msgspec.Struct, frozen=True):
    """Money that an institution owes another for an act; millionths. ``share``: by which it does, or gives back, if it
    is of a fee that a plan splits."""

    payer: int
    payee: int
    amount: int
    purpose: Purpose
    share: ShareOf | None = None


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange is about. ``kind``: of the movement that completes it; ``source`` and ``target``: whom that
    names; ``gives`` and ``takes``: whose points go, and whose come, if there is such an end; ``money``: what
    ``payments`` are in, of which ``value`` and ``fee`` speak; ``window``: the one that was open when it was accepted.
    ``reverses``: the act that it takes back, of which ``before`` was taken back before it, in credited points."""

    id: int
    kind: MovementKind
    credential: int
    for_institution: int
    window: int
    source: Customer | None = None
    target: Customer | None = None
    gives: End | None = None
    takes: End | None = None
    money: str | None = None
    value: int | None = None
    fee: int | None = None
    payments: tuple[Payment, ...] = ()
    merchant: int | None = None
    terms: int | None = None
    reverses: int | None = None
    before: int = 0

    @property
    def stated(self) -> End:
        """The end by which the deal is named on its way: what is given, or if nothing is, what comes."""
        end = self.gives or self.takes
        if end is None:
            raise ValueError("a deal without an end")
        return end


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it was written down; ``amount`` in smallest units of ``currency``. ``of``: the reference of the order
    that it undoes, ``partner_of`` the partner's own for that."""

    id: int
    reference: str
    exchange: int
    operation: Operation
    currency: str
    customer: int
    amount: int
    at: datetime
    of: str | None = None
    partner_of: str | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an exchange's history: the state that it came into, and the answer that brought it there.

    ``order``: what was answered, None where it began. ``credential``: who said so: the host for a partner, or the
    second of two persons who decided by evidence.
    """

    id: int
    exchange: int
    state: ExchangeState
    in_doubt: bool
    credential: int
    order: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    code: str | None = None
    partner_reference: str | None = None


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """Where an exchange stands. ``order``: the one under way. ``in_doubt``: nobody knows what became of it. ``taken``:
    the debit or the hold that succeeded, with the partner's reference of it. ``window``: the one that its money was
    posted in. ``refusal``: the code of why it came to nothing, with its details."""

    id: int
    state: ExchangeState
    order: PlacedOrder | None
    in_doubt: bool = False
    taken: str | None = None
    partner_taken: str | None = None
    window: int | None = None
    refusal: str | None = None
    details: dict[str, str] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended."""
        return self.state in UNDER_WAY

    @property
    def is_held(self) -> bool:
        """Whether what is given was held first."""
        return self.taken == reference_of(self.id, ExchangeState.HOLDING)


class EvidenceKind(StrEnum):
    """What a person puts into the file of an exchange."""

    NOTE = "NOTE"
    PROPOSAL = "PROPOSAL"  # of what became of the order that is under way
    APPROVAL = "APPROVAL"  # of the last proposal, by another person


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of an exchange's order that is in doubt. ``done``: of a proposal, whether the partner did what
    was asked; of an approval, what was approved."""

    id: int
    exchange: int
    order: str
    kind: EvidenceKind
    done: bool | None
    credential: int


_REFERENCE = re.compile(r"PH-([0-9A-F]{1,16})-[A-Z][0-9]{0,3}")


def reference_of(exchange: int, state: ExchangeState) -> str:
    """The reference of the order that an exchange asks in a state: it asks each once, however often it sends it."""
    return f"PH-{exchange:X}-{ASKED[state].letter}"


def exchange_of(reference: str) -> int | None:
    """The exchange that a reference is of; None where it is none of ours."""
    match = _REFERENCE.fullmatch(reference)
    number = 0 if match is None else int(match[1], 16)
    return number if 0 < number < 1 << 63 else None
