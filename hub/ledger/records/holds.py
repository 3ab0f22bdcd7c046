"""Holds and freezes of points, and what ended by itself."""

from datetime import datetime
from enum import IntEnum, StrEnum

import msgspec

from hub.ledger.records.people import Customer


class HoldKind(IntEnum):
    """Why points are pending: promised until an instant, frozen until somebody decides, or on their way to a partner
    until it is known that they arrived."""

    HOLD = 1
    FREEZE = 2
    EXCHANGE = 3


class HoldStatus(StrEnum):
    """A hold's life; it is resolved once."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a customer that are not to be spent. ``id`` is also that of the movement that made them pending.

    ``captured``: what was taken of ``amount`` when it was resolved. ``shortfall``: what was to be frozen and was not
    there. ``resolved_by``: the movement that ended it.
    """

    id: int
    kind: HoldKind
    at: datetime
    credential: int
    for_institution: int
    customer: Customer
    currency: str
    amount: int
    shortfall: int
    expires_at: datetime
    status: HoldStatus = HoldStatus.HELD
    captured: int = 0
    resolved_by: int | None = None

    def status_at(self, at: datetime) -> HoldStatus:
        """The status at ``at``: a hold whose time is over is expired, whether or not that was posted."""
        return HoldStatus.EXPIRED if self.status is HoldStatus.HELD and self.expires_at <= at else self.status


class Lapsed(msgspec.Struct, frozen=True):
    """What time took of one customer's account: ``units`` points out of ``lots`` lots, and ``holds`` holds."""

    account: int
    currency: str
    lots: int
    units: int
    holds: int


class HoldAct(msgspec.Struct, frozen=True):
    """What was done to a hold: the movement ``id`` made, captured or released it."""

    id: int
    hold: Hold
