"""What partners answer, and what persons say of it."""

from hub.ledger.commands.command import Command
from hub.partners import Reason, Status


class ReportOrder(Command, frozen=True, kw_only=True):
    """What has become of an order, as a partner answered; said by the hub itself. ABSENT: it was certainly not done,
    and is not asked for any more."""

    reference: str
    status: Status
    reason: Reason | None = None
    code: str | None = None
    partner_reference: str | None = None


class AddEvidence(Command, frozen=True, kw_only=True):
    """``done``: the outcome that is proposed for the order under way; None: a note."""

    exchange: int | None
    done: bool | None
    text: str


class ApproveEvidence(Command, frozen=True, kw_only=True):
    """Have the last proposal count as the partner's answer. ``proposal``: which one, so that nobody approves what he
    has not read."""

    exchange: int | None
    proposal: int | None
