"""Settlement windows, and what the bank moved."""

from hub.ledger.commands.command import Keyed


class CloseWindow(Keyed, frozen=True, kw_only=True):
    """``due``: because a cut-off has come."""

    window: int | None
    due: bool = False

    later = ("due",)


class ConfirmSettlement(Keyed, frozen=True, kw_only=True):
    window: int | None
    institution: str
    currency: str
    amount: str
    value_date: str | None
    reference: str
