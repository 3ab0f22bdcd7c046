"""FX rates: their versions, proposed and approved."""

from datetime import date, datetime

from hub.ledger.commands.command import Command


class ProposeFxRate(Command, frozen=True, kw_only=True):
    """``rate``: how much of ``quote`` one ``base`` is."""

    base: str
    quote: str
    rate: str
    source: str
    quoted_on: date
    starts: datetime | None = None
    ends: datetime | None = None


class ApproveFxRate(Command, frozen=True, kw_only=True):
    id: int | None


class RejectFxRate(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawFxRate(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
