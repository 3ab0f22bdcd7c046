"""What was done in the model, and is promised in it."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.properties.model.purses import Part, Who
from tests.properties.model.terms import Currency

LARGEST = 10**15
UseKey = tuple[int, Any, str]  # limit, for whom it counts, period
Money = tuple[str, str, int]  # payer, payee, millionths


class Refused(Exception):
    """Raised to undo what an act began."""


@dataclass(frozen=True)
class Way:
    """How points are spent: over which channel, and by which member if they are a pool's."""

    channel: str | None = None
    by: Who | None = None


@dataclass(frozen=True)
class Figures:
    source: int
    target: int
    bonus: int
    fee: int
    settlement: int
    eligible: tuple[int, ...]
    residue: Fraction


@dataclass
class Offer:
    rate_id: int
    giver: Who
    taker: Who
    figures: Figures
    until: datetime
    used: bool = False
    cancelled: bool = False


@dataclass
class Act:
    """What was done: points and money by side, and how much of it was reversed. ``total``: credited points.

    ``spent``: what the giver's points were, in the order of use; ``made``: what the taker's became; ``repaid``: how
    many of these went into a debt at once; ``counted``: what it counts under limits; ``clipped``: of an issue of
    which not all was granted, the limit's version and what was asked for.
    """

    kind: str
    total: int
    currency: Currency
    giver: Who | None
    taker: Who | None
    given: tuple[Currency, int]
    money: list[Money]  # the settlement, then the fee
    homes: set[str]
    spent: list[Part] = field(default_factory=list)
    made: list[Part] = field(default_factory=list)
    repaid: int = 0
    counted: list[tuple[UseKey, int]] = field(default_factory=list)
    clipped: tuple[int, int] | None = None
    rate_id: int = 0
    eligible: tuple[int, ...] = ()
    reversed: int = 0

    @property
    def only_of(self) -> Who | None:
        """Whose points alone can be taken back from the taker; None: any. Out of a pool only the giver's own can."""
        return self.giver if self.kind == "contribute" else None


@dataclass
class Promise:
    """A hold or a freeze, and what it pins. ``shortfall``: what was to be frozen and was not there."""

    who: Who
    currency: Currency
    amount: int
    until: datetime
    pins: list[Part]
    frozen: bool = False
    shortfall: int = 0
    status: str = "HELD"
    captured: int = 0


@dataclass
class Pool:
    """Whose points members share, each with its rights."""

    owner: Who
    rights: dict[Who, frozenset[str]]


@dataclass
class Kept:
    """What stands under a key."""

    command: Any
    reason: str | None
    details: dict[str, str] = field(default_factory=dict)
    number: int | None = None


def cut(text: str, scale: int) -> int | None:
    """Whole units of a plain positive decimal; None if it is none, too long or too large."""
    whole, point, digits = text.partition(".")
    if (
        not (text.isascii() and whole.isdigit())
        or (point and not digits.isdigit())
        or (len(whole) > 1 and whole[0] == "0")
    ):
        return None
    units = Fraction(text) * 10**scale
    return int(units) if units.denominator == 1 and 0 < units <= LARGEST else None
