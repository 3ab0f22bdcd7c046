"""Baskets: amounts of money that were paid with points of several currencies at once."""

from datetime import datetime

import msgspec

from hub.ledger.records.movements import Movement
from hub.ledger.records.people import Customer


class Basket(msgspec.Struct, frozen=True, kw_only=True):
    """One that was paid by the ``redemptions``, which have their identifiers after ``id`` and up to ``last``.
    ``amount`` and ``rest``, what of it was not paid, in millionths of ``money``."""

    id: int
    last: int
    at: datetime
    credential: int
    for_institution: int
    customer: Customer
    merchant: int
    money: str
    amount: int
    rest: int
    redemptions: tuple[Movement, ...]
