"""Freezes of points, accounts and customers, debts, and customers who leave."""

from enum import StrEnum

from hub.ledger.commands.command import Keyed, Party


class FreezeOutcome(StrEnum):
    """What becomes of a freeze: its points are free again, or they are taken away."""

    RELEASE = "RELEASE"
    REMOVE = "REMOVE"


class FreezePoints(Keyed, frozen=True, kw_only=True):
    currency: str
    customer: Party
    amount: str
    reason: str


class ResolveFreeze(Keyed, frozen=True, kw_only=True):
    freeze: int | None
    outcome: FreezeOutcome
    reason: str


class FreezeAccount(Keyed, frozen=True, kw_only=True):
    """``currency`` None: all accounts of the customer, also those that are opened later."""

    customer: Party
    currency: str | None
    reason: str


class UnfreezeAccount(Keyed, frozen=True, kw_only=True):
    """``currency`` None: the end of a freeze of all accounts, not of freezes of single ones."""

    customer: Party
    currency: str | None
    reason: str


class CloseCustomer(Keyed, frozen=True, kw_only=True):
    customer: Party
    reason: str


class WriteOffDebt(Keyed, frozen=True, kw_only=True):
    """``amount`` None: all that is owed."""

    customer: Party
    currency: str
    amount: str | None
    reason: str
