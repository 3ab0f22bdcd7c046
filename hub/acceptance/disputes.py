"""Disputes: an institution does not agree with a line of its report, and what became of that.

A dispute is of one line by one of the two institutions that it is between, and there is one at most, ever. Nothing of
the window changes by it. It is answered, then decided by two persons of the operator's, or withdrawn by who opened it.
One that is upheld corrects the line by an amount: the payee gives back in the window that is open then.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from hub.ledger.records import Purpose

LINES_MAX: Final = 1_000  # disputed by one command
REFERENCES_MAX: Final = 20


class DisputeReason(StrEnum):
    """Why a line is disputed."""

    AMOUNT = "AMOUNT"
    UNKNOWN = "UNKNOWN"
    DUPLICATE = "DUPLICATE"
    PARTY = "PARTY"
    PERIOD = "PERIOD"
    OTHER = "OTHER"


class DisputeStatus(StrEnum):
    """Where a dispute stands."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    RESOLVED = "RESOLVED"


class DisputeOutcome(StrEnum):
    """How a dispute has ended."""

    UPHELD = "UPHELD"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class DisputeStepKind(StrEnum):
    """What happens to a dispute."""

    OPENED = "OPENED"
    ANSWERED = "ANSWERED"
    NOTED = "NOTED"
    WITHDRAWN = "WITHDRAWN"
    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"


UNENDED: Final = frozenset({DisputeStatus.OPEN, DisputeStatus.ANSWERED})


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """A money leg as a report's line. ``amount``: millionths that ``payer`` owes ``payee``."""

    movement: int
    leg: int
    window: int
    payer: int
    payee: int
    currency: str
    amount: int
    purpose: Purpose


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """``institution`` disputes a line. ``expected``: what the line should be, in millionths, if it says so;
    ``proposal``: the step by which an end is proposed; ``corrected``: what was given back."""

    id: int
    at: datetime
    credential: int
    institution: int
    line: ReportLine
    reason: DisputeReason
    expected: int | None
    status: DisputeStatus = DisputeStatus.OPEN
    outcome: DisputeOutcome | None = None
    proposal: int | None = None
    corrected: int = 0

    @property
    def other(self) -> int:
        """The other institution of the line."""
        return self.line.payee if self.institution == self.line.payer else self.line.payer

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status in UNENDED


class DisputeStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the dispute ``of``. ``amount``: by how much the line is, or is to be, corrected."""

    id: int
    of: int
    kind: DisputeStepKind
    credential: int
    outcome: DisputeOutcome | None = None
    amount: int | None = None
    movement: int | None = None


class Statement(msgspec.Struct, frozen=True):
    """What somebody says of a dispute, and where evidence of it is. It may name people, so it can be erased."""

    text: str
    references: tuple[str, ...] = ()


def corrected(disputes: Mapping[int, Dispute], line: tuple[int, int]) -> int:
    """By how much a line, named by movement and leg, has been corrected."""
    return sum(one.corrected for one in disputes.values() if (one.line.movement, one.line.leg) == line)


_statements = msgspec.json.Decoder(Statement)


def memo_of(said: Statement) -> str:
    """A statement as it is kept."""
    return msgspec.json.encode(said).decode()


def statement_of(memo: str) -> Statement:
    """The statement that is kept; what was erased is empty."""
    return _statements.decode(memo) if memo else Statement("")
