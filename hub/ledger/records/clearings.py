"""Clearings of a currency."""

from datetime import datetime
from enum import StrEnum

import msgspec


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
