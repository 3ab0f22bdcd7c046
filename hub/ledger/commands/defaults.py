"""Nets that are not paid. None has a key: a net is declared unpaid once, and a bank's reference recorded once."""

from hub.ledger.commands.command import Command


class ProposeDefault(Command, frozen=True, kw_only=True):
    window: int | None
    institution: str
    currency: str
    reason: str


class ApproveDefault(Command, frozen=True, kw_only=True):
    id: int | None


class RejectDefault(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class CoverDefaults(Command, frozen=True, kw_only=True):
    window: int | None
    currency: str


class RepayDefault(Command, frozen=True, kw_only=True):
    id: int | None
    amount: str
    value_date: str | None
    reference: str
