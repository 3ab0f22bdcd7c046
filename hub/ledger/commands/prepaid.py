"""Prepaid blocks: offered, taken, handed back, and when their holder is told that little is left. None has a key: each
step is taken once, because a block goes on from where it stands."""

from datetime import datetime

from hub.ledger.commands.command import Command
from hub.ledger.commands.currencies import MoneyText


class OfferBlock(Command, frozen=True, kw_only=True):
    """``price``: of all of it."""

    currency: str
    holder: str
    points: str
    price: MoneyText
    until: datetime | None


class AcceptBlock(Command, frozen=True, kw_only=True):
    id: int | None


class DeclineBlock(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class ProposeRefund(Command, frozen=True, kw_only=True):
    """``points`` None: all that is left then."""

    id: int | None
    points: str | None


class AcceptRefund(Command, frozen=True, kw_only=True):
    id: int | None
    proposal: int | None


class DeclineRefund(Command, frozen=True, kw_only=True):
    id: int | None
    proposal: int | None
    reason: str


class SetPrepaidNotice(Command, frozen=True, kw_only=True):
    """``points`` None: no notice."""

    currency: str
    holder: str
    points: str | None
