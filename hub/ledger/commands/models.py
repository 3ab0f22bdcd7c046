"""Settlement models: their versions, proposed and approved."""

from datetime import datetime

import msgspec

from hub.ledger.commands.command import Command
from hub.models import ModelKind


class CalendarTerms(msgspec.Struct, frozen=True):
    """Cut-offs as ``16:30``, days of the week from 1 for Monday, holidays as ``2026-10-01``."""

    zone: str
    cut_offs: tuple[str, ...]
    weekdays: tuple[int, ...]
    holidays: tuple[str, ...] = ()


class ProposeModel(Command, frozen=True, kw_only=True):
    """The default has neither members nor currencies."""

    code: str
    name: str
    kind: ModelKind
    members: tuple[str, ...]
    currencies: tuple[str, ...]
    calendar: CalendarTerms | None = None
    settle_in: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None


class ApproveModel(Command, frozen=True, kw_only=True):
    id: int | None


class RejectModel(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawModel(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
