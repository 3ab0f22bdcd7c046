"""Prices, bills and credit notes."""

from datetime import datetime

from hub.bills import Usage
from hub.ledger.commands.command import Command, Keyed
from hub.ledger.commands.currencies import MoneyText


class ProposeFeeSchedule(Command, frozen=True, kw_only=True):
    """All prices are in one money; None: nothing is asked for that."""

    institution: str
    membership: MoneyText | None
    per_movement: MoneyText | None
    per_point: MoneyText | None
    vat_percent: str
    gross: bool
    starts: datetime | None
    ends: datetime | None


class AcceptFeeSchedule(Command, frozen=True, kw_only=True):
    id: int | None


class ApproveFeeSchedule(Command, frozen=True, kw_only=True):
    id: int | None


class RejectFeeSchedule(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawFeeSchedule(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class Bill(Command, frozen=True, kw_only=True):
    """Bill a month that is over, for everybody; said by the hub itself, which has counted what was ``used``."""

    period: str
    zone: str
    used: tuple[Usage, ...]


class CreditInvoice(Keyed, frozen=True, kw_only=True):
    """Give back ``amount`` of an invoice, with its VAT; None: what is left of it."""

    invoice: int | None
    amount: str | None
    reason: str
