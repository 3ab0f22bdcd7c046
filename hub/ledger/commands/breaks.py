"""Days of partners' that were compared, and the breaks that were found."""

from hub.ledger.commands.command import Command
from hub.reconciliation.breaks import Ending, Found, SideSum


class Reconcile(Command, frozen=True, kw_only=True):
    """What a run of reconciliation has found; said by the hub itself. ``after``: the day's last run when it began."""

    currency: str
    day: str
    after: int | None
    scale: int
    sides: tuple[SideSum, ...]
    matched: int
    found: tuple[Found, ...]


class AssignBreak(Command, frozen=True, kw_only=True):
    """``owner``: a person of the operator's; None: nobody."""

    id: int | None
    owner: str | None


class NoteBreak(Command, frozen=True, kw_only=True):
    id: int | None
    text: str


class ProposeBreakEnd(Command, frozen=True, kw_only=True):
    id: int | None
    ending: Ending
    text: str


class ApproveBreakEnd(Command, frozen=True, kw_only=True):
    """``proposal``: which one, so that nobody approves what he has not read."""

    id: int | None
    proposal: int | None
