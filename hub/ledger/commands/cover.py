"""Cover: the terms on which institutions owe, and what is put up and taken back. None has a key: a bank's reference is
recorded once."""

from hub.cover import Pot
from hub.ledger.commands.command import Command


class SetCover(Command, frozen=True, kw_only=True):
    institution: str
    currency: str
    needed: bool
    line: str
    haircut_percent: str
    fund: str
    due_days: int


class ApproveCover(Command, frozen=True, kw_only=True):
    id: int | None


class RejectCover(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class RecordCoverEntry(Command, frozen=True, kw_only=True):
    """``amount``: above zero what the bank received, below zero what it paid."""

    institution: str
    currency: str
    pot: Pot
    amount: str
    value_date: str | None
    reference: str


class ApproveCoverEntry(Command, frozen=True, kw_only=True):
    id: int | None


class RejectCoverEntry(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
