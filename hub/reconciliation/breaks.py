"""Breaks as records: what of one day does not agree between the hub and a partner, and what became of it. Pure values.

A break is of one reference on one business day, however many sides disagree in however many ways: its type is the
gravest of them, and its sides are shown beside each other. Amounts of sides are in smallest units of the partner's
scale and signed as the member sees them: what was taken is below zero, also if by undoing a credit. ``difference`` is
in smallest units of the currency.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from hub.partners import Operation, Status

BREAKS_MAX = 10_000  # of one day; beyond that the wrong day, or the wrong file, was compared


class Source(StrEnum):
    """Who says what happened."""

    HUB = "HUB"
    JOURNAL = "JOURNAL"  # what the partner's adapter lists of a day
    FILE = "FILE"  # what the partner sent


class BreakType(StrEnum):
    """In what the sides disagree, the gravest first."""

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    STATUS = "STATUS"
    DUPLICATE = "DUPLICATE"
    UNIT = "UNIT"
    AMOUNT = "AMOUNT"
    MEMBER = "MEMBER"
    DATE = "DATE"


class BreakStatus(StrEnum):
    """Where a break stands."""

    OPEN = "OPEN"
    PROPOSED = "PROPOSED"  # one person has said how it is to end
    MATCHED_LATER = "MATCHED_LATER"  # a later run of the day did not find it any more
    CORRECTED = "CORRECTED"
    WRITTEN_OFF = "WRITTEN_OFF"
    ACCEPTED = "ACCEPTED"


class Ending(StrEnum):
    """How persons end a break."""

    CORRECTION = "CORRECTION"  # the hub's books follow the partner's
    WRITE_OFF = "WRITE_OFF"  # the same, and the difference is the issuer's loss or gain
    ACCEPT = "ACCEPT"  # nothing is posted


UNENDED = frozenset({BreakStatus.OPEN, BreakStatus.PROPOSED})
ENDED_AS = {
    Ending.CORRECTION: BreakStatus.CORRECTED,
    Ending.WRITE_OFF: BreakStatus.WRITTEN_OFF,
    Ending.ACCEPT: BreakStatus.ACCEPTED,
}


class StepKind(StrEnum):
    """What happened to a break."""

    FOUND = "FOUND"
    CHANGED = "CHANGED"  # a later run found it with other figures, or again
    MATCHED = "MATCHED"  # a later run did not find it
    ASSIGNED = "ASSIGNED"
    NOTED = "NOTED"
    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the three says of a reference. ``rows``: how often it lists it; 0: not at all. ``amount``: the sum of
    what it says was done. ``at``: when, by the hub when it was asked."""

    source: Source
    rows: int
    operation: Operation | None = None
    amount: int = 0
    unit: str | None = None
    status: Status | None = None
    at: datetime | None = None
    partner_reference: str | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong. ``difference``: what the partner's books have more than the hub's; None: that is not clear,
    because the partner's sides disagree, count in other units, list a reversal that the hub did not ask for, or the hub
    does not know yet what became of it."""

    type: BreakType
    difference: int | None
    sides: tuple[Side, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A break that a run has found. ``members``: whom the sides name, if that says more than the reference."""

    reference: str
    figures: Figures
    members: str = ""


class SideSum(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the three lists of a day: how many rows, what was taken and given by those that say it was done, in
    smallest units of the partner's scale (of reversals that the hub did not ask for, nobody knows which), and SHA-256
    of what was read, in hexadecimal."""

    source: Source
    rows: int
    taken: int
    given: int
    digest: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of one day, as it came out. ``day`` is of ISO 8601. ``matched``: orders on which all agree;
    ``opened``: breaks that are new or back; ``unchanged``: found before, and open; ``settled``: found again as persons
    have ended them; ``vanished``: open before and not found any more."""

    id: int
    at: datetime
    credential: int
    currency: str
    day: str
    scale: int
    sides: tuple[SideSum, ...]
    matched: int
    opened: int
    unchanged: int
    settled: int
    vanished: int

    @property
    def open(self) -> int:
        """How many breaks of the day were open after it."""
        return self.opened + self.unchanged

    @property
    def sources(self) -> frozenset[Source]:
        """Which sides it compared."""
        return frozenset(side.source for side in self.sides)


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """A break as it stands. ``owner``: a credential of the person who looks after it. ``proposal``: the step by which
    its end is proposed."""

    id: int
    at: datetime
    run: int
    currency: str
    day: str
    scale: int
    reference: str
    figures: Figures
    status: BreakStatus = BreakStatus.OPEN
    owner: int | None = None
    proposal: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody and nothing has ended it."""
        return self.status in UNENDED


class BreakStep(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a break's history. ``figures``: of FOUND and CHANGED. ``ending``: of PROPOSED and APPROVED.
    ``adjusted``: by how much, signed, an approved end has posted in ``movement``."""

    id: int
    of: int
    kind: StepKind
    credential: int
    run: int | None = None
    figures: Figures | None = None
    owner: int | None = None
    ending: Ending | None = None
    adjusted: int | None = None
    movement: int | None = None
