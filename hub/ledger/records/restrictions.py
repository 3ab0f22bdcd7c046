"""What was taken away and missing, freezes of accounts, and cancellations."""

from datetime import datetime
from enum import IntEnum

import msgspec

from hub.ledger.records.people import Customer


class Missing(msgspec.Struct, frozen=True):
    """What a movement was to take from a customer and could not, in smallest units: ``debt`` is owed from then on,
    ``written_off`` is given up."""

    movement: int
    debt: int
    written_off: int


class RestrictionKind(IntEnum):
    """What was done to a customer's accounts as such."""

    FREEZE = 1
    UNFREEZE = 2
    CLOSE = 3


class Restriction(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history of a customer's restrictions; ``currency`` is empty for all of the customer's accounts.

    ``for_institution``: who has it so, and may end it.
    """

    id: int
    kind: RestrictionKind
    at: datetime
    credential: int
    for_institution: int
    customer: Customer
    currency: str


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """Issues that were reversed together, by the reversals after ``id`` and up to ``last``. ``amount``: the points that
    these reversed, of which ``debt`` and ``written_off`` were not there any more."""

    id: int
    last: int
    at: datetime
    credential: int
    for_institution: int
    currency: str
    issues: int
    amount: int
    debt: int
    written_off: int
