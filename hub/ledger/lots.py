"""Lots: points of one account that end together. Pure.

Points are merged into one lot when they end at the same instant and have the same origin. Points that never end and
have no origin are in no lot, so an account without ageing points costs nothing here. Spending takes the lot that ends
first, of those the one that was earned first, then the one that was made first, and last what has no lot.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from hub.expiry import NEVER
from hub.ledger.records import Piece
from hub.points import share

LotKey = tuple[int, datetime, str]  # account, expires at, origin


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What keeps points apart from others that end with them.

    ``was``: the currencies that they were before, and when they would have ended there, so that points which come back
    get no second life. ``earned``: the day, where the end does not tell it. ``giver``: the customer who put them into a
    pool. ``part``: which of the customer's accounts of the currency they are in, if it is not the main one.
    """

    was: dict[str, datetime] = {}
    earned: str | None = None
    giver: int | None = None
    part: str | None = None


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Origin)
NO_ORIGIN = ""
MAIN = ""  # the part that points are in which nothing puts into another


def origin_text(origin: Origin) -> str:
    """An origin as the ledger keeps it; none is the empty text."""
    text = _ENCODER.encode(origin).decode()
    return NO_ORIGIN if text == "{}" else text


def origin_of(text: str) -> Origin:
    """An origin from its text."""
    return Origin() if text == NO_ORIGIN else _DECODER.decode(text)


def part_of(origin: str) -> str:
    """The part of the account that points of this origin are in; the main one has no name."""
    return MAIN if origin == NO_ORIGIN else origin_of(origin).part or MAIN


class Lot:
    """One lot as a batch sees it. ``id`` orders lots by their making. ``known``: it was read or made whole; of one that
    is not, ``amount`` is only what this batch adds."""

    __slots__ = ("account", "amount", "earned_at", "expires_at", "held", "id", "known", "origin")

    def __init__(
        self,
        account: int,
        expires_at: datetime,
        origin: str,
        earned_at: datetime,
        id: int,
        amount: int = 0,
        held: int = 0,
        *,
        known: bool = True,
    ) -> None:
        self.account = account
        self.expires_at = expires_at
        self.origin = origin
        self.earned_at = earned_at
        self.id = id
        self.amount = amount
        self.held = held
        self.known = known

    @property
    def key(self) -> LotKey:
        """What identifies it."""
        return self.account, self.expires_at, self.origin

    @property
    def free(self) -> int:
        """What of it no hold pins."""
        return self.amount - self.held

    def copy(self) -> "Lot":
        """The same lot, to be changed."""
        return Lot(
            self.account,
            self.expires_at,
            self.origin,
            self.earned_at,
            self.id,
            self.amount,
            self.held,
            known=self.known,
        )

    def piece(self, amount: int) -> Piece:
        """``amount`` of it."""
        return Piece(self.expires_at, self.earned_at, self.origin, amount)


def in_order(lots: Iterable[Lot]) -> list[Lot]:
    """Lots in the order of spending."""
    return sorted(lots, key=lambda one: (one.expires_at, one.earned_at, one.id))


def take(lots: Iterable[Lot], amount: int, at: datetime) -> tuple[Piece, ...]:
    """The pieces that ``amount`` is spent from, in order; what they lack comes from points without a lot."""
    pieces = []
    for lot in in_order(lots):
        if not amount:
            break
        part = min(amount, lot.free) if lot.expires_at > at else 0
        if part > 0:
            pieces.append(lot.piece(part))
            amount -= part
    return tuple(pieces)


def total(pieces: Iterable[Piece]) -> int:
    """How much the pieces are together."""
    return sum(piece.amount for piece in pieces)


def middle(pieces: Sequence[Piece], whole: int, before: int, after: int, *, backwards: bool) -> tuple[Piece, ...]:
    """The pieces of an amount ``whole`` between its units ``before`` and ``after``, counted in the order of use or from
    its end; what has no lot was used last."""
    parts: list[tuple[Piece | None, int]] = [(piece, piece.amount) for piece in pieces]
    parts.append((None, whole - total(pieces)))
    found, passed = [], 0
    for piece, amount in reversed(parts) if backwards else parts:
        part = min(after, passed + amount) - max(before, passed)
        passed += amount
        if piece is not None and part > 0:
            found.append(msgspec.structs.replace(piece, amount=part))
    return tuple(found)


def shared(pieces: Sequence[Piece], whole: int, into: int) -> list[int]:
    """``into`` units shared over pieces of ``whole``, in their order: each cumulative share is rounded down, so that
    they sum to ``into`` once the pieces are the whole."""
    parts, passed = [], 0
    for piece in pieces:
        before, passed = share(passed, whole, into), passed + piece.amount
        parts.append(share(passed, whole, into) - before)
    return parts


def merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The pieces with those of one lot together, in their order; points without a lot are left out, because they need
    none."""
    found: dict[tuple[datetime, str], Piece] = {}
    for piece in pieces:
        if not piece.amount or (piece.expires_at == NEVER and piece.origin == NO_ORIGIN):
            continue
        before = found.get((piece.expires_at, piece.origin))
        if before is not None:
            piece = Piece(
                piece.expires_at, min(before.earned_at, piece.earned_at), piece.origin, before.amount + piece.amount
            )
        found[piece.expires_at, piece.origin] = piece
    return tuple(found.values())
