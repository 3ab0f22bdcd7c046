"""Settlement windows, and what the bank moved."""

import msgspec

from hub.ledger.commands.command import Command, Keyed


class CloseWindow(Keyed, frozen=True, kw_only=True):
    """``due``: because a cut-off has come."""

    window: int | None
    due: bool = False

    later = ("due",)


class ConfirmSettlement(Keyed, frozen=True, kw_only=True):
    """``counterparty``: with whom, where each two have netted by themselves."""

    window: int | None
    institution: str
    currency: str
    amount: str
    value_date: str | None
    reference: str
    counterparty: str | None = None

    later = ("counterparty",)


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A net that the bank moved: as in ``ConfirmSettlement``."""

    window: int
    institution: str
    currency: str
    amount: str
    value_date: str | None
    reference: str
    counterparty: str | None = None


class ConfirmFile(Command, frozen=True, kw_only=True):
    """All payments of a bank's file, or none. ``digest``: SHA-256 of the file, which is taken once."""

    digest: str
    payments: tuple[Payment, ...]
