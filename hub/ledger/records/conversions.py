"""Quotes and conversions."""

from datetime import datetime
from enum import StrEnum

import msgspec

from hub.ledger.records.people import Customer
from hub.rates import Figures


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A firm offer: figures pinned to a rate version until ``expires_at``, for one use."""

    id: int
    credential: int
    for_institution: int
    rate: int
    source: Customer
    target: Customer
    figures: Figures
    expires_at: datetime
    used_by: int | None = None
    cancelled: bool = False


class ConversionStatus(StrEnum):
    """The outward states; a conversion between hosted currencies is completed when it is accepted."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    REVERSED = "REVERSED"
    IN_DOUBT = "IN_DOUBT"


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one currency that became points of another."""

    id: int
    status: ConversionStatus
    at: datetime
    credential: int
    for_institution: int
    rate: int
    quote: int | None
    source: Customer
    target: Customer
    figures: Figures
    window: int
    completed_at: datetime | None
