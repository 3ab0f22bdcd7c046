"""Movements and their legs, with the pieces of lots that these take."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Final

import msgspec

from hub.ledger.records.accounts import Account
from hub.ledger.records.people import Customer


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
    ADJUST = 38  # a difference between a partner's books and the hub's, at the end of a break
    RESERVE = 39  # the source's partner holds the points
    RELOCATE = 40  # a customer's points go to the partner who keeps them from now on, or come back from it
    RECOGNISE = 41  # points that a partner has and the hub did not know of
    DERECOGNISE = 42  # points that the hub knew of and a partner does not have
    DELIVER = 43  # the target's partner has given the points, and the source's still holds what they are for
    BILL = 60  # an invoice of the operator's, for a month
    CREDIT = 61  # what is given back of one
    CORRECT = 64  # a line of a closed window was disputed, and its payee gives back
    COVER = 70  # the bank moved what an institution puts up, or takes back
    UNPAID = 71  # a net becomes a receivable
    DRAW_COLLATERAL = 72  # the debtor's collateral bears it
    DRAW_FUND = 73  # the default fund does
    CUT = 74  # those who are to be paid do
    REPAY = 75  # the debtor has paid after all
    EXCHANGE_NET = 80  # a net becomes one of another currency
    PAY = 81  # what an act made one participant owe another is paid at once
    PREPAY = 90  # a block of points is sold ahead
    PREPAY_REFUND = 91  # what was left of one is handed back


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
    LEVEL = 7  # a net that a parent takes over
    COVER = 20  # what is put up, or taken back
    DEFAULT = 21  # what is not paid, who bears it, and what comes back
    EXCHANGE = 40  # a net into another currency


class Phase(IntEnum):
    """What a leg changes: what was posted, or what is pending. A pending leg holds points; a voided one ends that."""

    POSTED = 1
    PENDING = 2
    VOIDED = 3


class Piece(msgspec.Struct, frozen=True):
    """Some points of a lot: when they are gone (``hub.expiry.NEVER``: not), when they were earned, and their origin
    (``hub.ledger.lots.Origin`` as text)."""

    expires_at: datetime
    earned_at: datetime
    origin: str
    amount: int


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
    """An atomic group of legs and the act that made it. ``subject``: what it reverses, converts or closes.
    ``terms``: the version of terms that it was priced by, of an act that has some (``hub.terms``)."""

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
    terms: int | None = None


class Label(msgspec.Struct, frozen=True):
    """Over which channel an act came and of which product it was, as far as that was said."""

    act: int
    channel: str | None
    product: str | None


def homes_of(movement: Movement) -> list[int]:
    """The institutions to whom an act is open: its customers', its merchant and who acted."""
    homes = [party.institution for party in (movement.source, movement.target) if party is not None]
    if movement.merchant is not None:
        homes.append(movement.merchant)
    return [*homes, movement.for_institution]
