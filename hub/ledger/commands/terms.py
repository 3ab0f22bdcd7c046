"""Terms, and who agrees to them. The steps after the proposal are the same for every kind."""

from datetime import datetime

from hub.ledger.commands.command import Command
from hub.ledger.commands.currencies import MoneyText


class ProposeAcceptanceTerms(Command, frozen=True, kw_only=True):
    currency: str
    merchant: str
    price: MoneyText
    fee_fixed: MoneyText | None
    fee_per_point: MoneyText | None
    fee_percent: str | None
    fee_cap: MoneyText | None
    starts: datetime | None
    ends: datetime | None


class ProposeGrantTerms(Command, frozen=True, kw_only=True):
    currency: str
    grantor: str
    price: MoneyText
    starts: datetime | None
    ends: datetime | None
    prepaid_only: bool = False


class ProposeUnitValue(Command, frozen=True, kw_only=True):
    currency: str
    value: MoneyText
    starts: datetime | None
    ends: datetime | None


class AcceptTerms(Command, frozen=True, kw_only=True):
    id: int | None


class ApproveTerms(Command, frozen=True, kw_only=True):
    id: int | None


class RejectTerms(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawTerms(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
