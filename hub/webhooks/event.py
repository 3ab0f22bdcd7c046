"""An event, and the words of the API that it tells things in.

An event is thin: identifiers, codes, a status and amounts as text. What people are called, and what was noted, stand in
tables out of which they can be erased, so none of it is in an event; whoever may know asks for it by identifier.
Invariant: an event is told to institutions that could ask the API for what it tells, and those above them.

``place`` orders all events: it is the number of what the journal appended, or for what only changed the last number of
its batch. Events of one ``subject`` are told in this order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from hub import ids
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger.records import Customer
from hub.money import format_millionths
from hub.points import render
from hub.webhooks.endpoints import EventType

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, once for all who are told. ``homes``: whose it is; None: everybody's. ``own``: what is added for
    one institution alone."""

    type: EventType
    place: int
    at: datetime
    subject: str
    homes: tuple[int, ...] | None
    data: Data
    own: Mapping[int, Data] | None = None

    def payload(self, institution: int) -> str:
        """The body that ``institution`` is sent."""
        data = self.data if self.own is None else self.data | self.own.get(institution, {})
        return _ENCODER.encode(
            {
                "type": self.type.value,
                "timestamp": self.at,
                "subject": self.subject,
                "sequence": str(self.place),
                "data": data,
            }
        ).decode()


_ENCODER = msgspec.json.Encoder()


class Words:
    """How the API says what records hold."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration

    def code(self, institution: int) -> str:
        """An institution's code."""
        return self.configuration.institutions[institution].code

    def currency(self, code: str) -> PointCurrency:
        """The point currency of a code."""
        return self.configuration.currencies[self.configuration.currency_codes[code]]

    def points(self, units: int, of: PointCurrency) -> Data:
        """So many smallest units of a currency."""
        return {"amount": render(units, of.scale), "currency": of.code}

    def party(self, customer: Customer) -> Data:
        """A customer, by what the hub calls it."""
        return {"institution": self.code(customer.institution), "customer": ids.text(ids.CUSTOMER, customer.id)}


def money(millionths: int, currency: str) -> Data:
    """So many millionths of a currency's major unit."""
    return {"amount": format_millionths(millionths, currency), "currency": currency}
