"""Plans by which fees are split."""

from datetime import datetime

import msgspec

from hub.ledger.commands.command import Command
from hub.shares import Act


class ShareTerms(msgspec.Struct, frozen=True):
    """One share: of a level, or of an institution by its code; in percent, or a fixed amount."""

    level: int | None
    institution: str | None
    percent: str | None
    amount: str | None


class ProposeSharePlan(Command, frozen=True, kw_only=True):
    shares: tuple[ShareTerms, ...]
    act: Act | None = None
    source: str | None = None
    target: str | None = None
    institution: str | None = None
    zone: str | None = None
    money: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None


class ApproveSharePlan(Command, frozen=True, kw_only=True):
    id: int | None


class RejectSharePlan(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawSharePlan(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
