"""Acts with points, and their reversal."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from hub.ledger.commands.command import Keyed, Party
from hub.ledger.commands.currencies import MoneyText


class ReversalShortfall(StrEnum):
    """What becomes of points that are to be taken back and are not there: the reversal is refused, or it takes what
    there is and the rest is owed, or given up."""

    REFUSE = "REFUSE"
    DEBT = "DEBT"
    WRITE_OFF = "WRITE_OFF"


class Issue(Keyed, frozen=True, kw_only=True):
    """``grantor``: who issues, and pays for it; None: the issuer."""

    currency: str
    to: Party
    amount: str
    earned_at: datetime | None
    expires_at: datetime | None
    memo: str | None
    record: str | None = None
    channel: str | None = None
    product: str | None = None
    grantor: str | None = None

    later: ClassVar[tuple[str, ...]] = ("record", "channel", "product", "grantor")


class Transfer(Keyed, frozen=True, kw_only=True):
    """``by``: the member who spends, where ``source`` is a pool; so of the other acts that spend."""

    currency: str
    source: Party
    target: Party
    amount: str
    memo: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class Redeem(Keyed, frozen=True, kw_only=True):
    currency: str
    customer: Party
    merchant: str
    amount: str
    memo: str | None
    channel: str | None = None
    by: Party | None = None
    product: str | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by", "product")


class RedeemBasket(Keyed, frozen=True, kw_only=True):
    """``amount`` paid with ``currencies`` in this order; ``leaves_rest``: what they do not reach for is paid in another
    way."""

    customer: Party
    merchant: str
    amount: MoneyText
    currencies: tuple[str, ...]
    leaves_rest: bool
    memo: str | None


class Reverse(Keyed, frozen=True, kw_only=True):
    """``amount`` in credited points; None: the rest."""

    id: int | None
    amount: str | None
    reason: str
    shortfall: ReversalShortfall = ReversalShortfall.REFUSE

    later: ClassVar[tuple[str, ...]] = ("shortfall",)


class CancelRecord(Keyed, frozen=True, kw_only=True):
    """Reverse what is left of every issue of ``currency`` that was made for ``record``."""

    currency: str
    record: str
    shortfall: ReversalShortfall
    reason: str
