"""What time ends: sweeps of lots and holds, and clearings."""

from datetime import datetime

from hub.ledger.commands.command import Command, Keyed
from hub.ledger.records import ClearingScope


class Lapse(Command, frozen=True, kw_only=True):
    """Settle what time has done to these accounts; asked by the hub itself, for what nobody touches."""

    accounts: tuple[int, ...]


class ClearPoints(Keyed, frozen=True, kw_only=True):
    """Order a clearing. ``earned_before`` None: 1 January of the year before; ``starts_at`` None: at once."""

    currency: str
    scope: ClearingScope
    earned_before: datetime | None
    starts_at: datetime | None
    reason: str


class CancelClearing(Command, frozen=True, kw_only=True):
    """End a clearing; what it has cleared stays cleared."""

    id: int | None


class Clear(Command, frozen=True, kw_only=True):
    """Work off a clearing's accounts after ``after`` up to ``through``, of which these have points; asked by the hub
    itself. ``last``: there are no more."""

    clearing: int
    after: int
    through: int
    accounts: tuple[int, ...]
    last: bool
