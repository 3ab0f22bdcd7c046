"""Act: one movement with all rows that belong to it, as the replay meets it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub import ids
from hub.audit.originals import Original
from hub.configuration import Configuration
from hub.ledger.records import Phase, Piece
from hub.shares import Part


@dataclass(frozen=True, slots=True)
class Pinned:
    """A hold that is open: its row, its account, and what of which lots it pins."""

    row: Any
    account: int
    pins: list[Piece]


@dataclass(frozen=True, slots=True)
class Act:
    """``entries``: what its legs changed in lots, by the leg's number. ``configuration``: the one then in force.

    ``conversion``: that of a CONVERT. ``original``: what a REVERSE takes back, ``before`` of it having been reversed
    earlier. ``hold``: the open one that it is about. ``owing``: the numbers of the legs that touch a debt; ``missing``:
    what could not be taken, owed and written off. ``over_partners``: whether it is of an exchange; ``parts``: whom the
    fee of a redemption goes to; ``drawn``: what a grant says that it drew on prepaid blocks.
    """

    moved: Any
    legs: list[Any]
    entries: dict[int, list[Any]]
    at: datetime | None
    configuration: Configuration
    conversion: Any = None
    original: Original | None = None
    before: int = 0
    hold: Pinned | None = None
    owing: frozenset[int] = frozenset()
    missing: tuple[int, int] = (0, 0)
    over_partners: bool = False
    parts: tuple[Part, ...] = ()
    drawn: int = 0

    @property
    def name(self) -> str:
        """How findings call it."""
        return ids.text(ids.ENTRY, self.moved["id"])

    @property
    def after(self) -> int:
        """How much of the original is reversed with it."""
        amount: int = self.moved["amount"]
        return self.before + amount

    @property
    def plain(self) -> list[Any]:
        """Its legs but those that touch a debt."""
        return [leg for leg in self.legs if leg[1] not in self.owing] if self.owing else self.legs

    def taken(self) -> list[Piece]:
        """What its posted legs took out of lots, in order; but not for debts."""
        return [_piece(entry, -entry[_AMOUNT]) for entry in self._entries() if entry[_AMOUNT] < 0]

    def given(self, n: int | None = None) -> list[Piece]:
        """What its posted legs, or one of them, put into lots, in order."""
        entries = self._entries() if n is None else self.entries.get(n, ())
        return [_piece(entry, entry[_AMOUNT]) for entry in entries if entry[_AMOUNT] > 0]

    def pinned(self, phase: Phase) -> list[Piece]:
        """What its legs of this phase pin in lots, or free there."""
        legs = {leg[1] for leg in self.legs if leg[2] == phase}
        return [_piece(entry, abs(entry[_HELD])) for entry in self._entries() if entry[1] in legs and entry[_HELD]]

    def _entries(self) -> Iterator[Any]:
        for n in sorted(self.entries.keys() - self.owing):
            yield from self.entries[n]


def sums(pieces: Iterable[Piece]) -> Counter[tuple[datetime, str]]:
    """How much the pieces are of each lot."""
    found: Counter[tuple[datetime, str]] = Counter()
    for piece in pieces:
        found[piece.expires_at, piece.origin] += piece.amount
    return found


_AMOUNT, _HELD = 7, 8  # places in an entry


def _piece(entry: Any, amount: int) -> Piece:
    return Piece(entry[4], entry[6], entry[5], amount)
