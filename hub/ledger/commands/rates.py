"""Rates, and who agrees to them."""

from datetime import datetime

import msgspec

from hub.ledger.commands.command import Command
from hub.ledger.commands.currencies import MoneyText
from hub.rates import Funding, Life


class BonusTerms(msgspec.Struct, frozen=True):
    percent: str | None
    cap: str | None
    per_block: str | None
    block: str | None
    funded_by: Funding
    starts: datetime | None
    ends: datetime | None


class ProposeRate(Command, frozen=True, kw_only=True):
    source: str
    target: str
    numerator: str
    denominator: str
    minimum: str | None
    maximum: str | None
    step: str | None
    fee_fixed: MoneyText | None
    fee_per_point: MoneyText | None
    fee_percent: str | None
    fee_cap: MoneyText | None
    bonuses: tuple[BonusTerms, ...]
    settlement_price: MoneyText | None
    starts: datetime | None
    ends: datetime | None
    life: Life = Life.TARGET_POLICY
    allows_cashout: bool = False
    outflow_limit: str | None = None


class AcceptRate(Command, frozen=True, kw_only=True):
    id: int | None


class ApproveRate(Command, frozen=True, kw_only=True):
    id: int | None


class RejectRate(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawRate(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
    cancel_quotes: bool
