"""Holds: points promised until an instant."""

from datetime import datetime
from typing import ClassVar

from hub.ledger.commands.command import Keyed, Party


class HoldPoints(Keyed, frozen=True, kw_only=True):
    currency: str
    customer: Party
    amount: str
    expires_at: datetime
    memo: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class CaptureHold(Keyed, frozen=True, kw_only=True):
    """``amount`` None: all. To ``target`` or ``merchant``; to neither: burned."""

    hold: int | None
    amount: str | None
    target: Party | None
    merchant: str | None


class ReleaseHold(Keyed, frozen=True, kw_only=True):
    hold: int | None
