"""Customers: what they are, what they are called, with whom they are one person."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Customer(msgspec.Struct, frozen=True):
    """A customer; ``reference`` is None once it was erased."""

    id: int
    institution: int
    reference: str | None


class Profile(msgspec.Struct, frozen=True):
    """What a customer's institution says of it, from then on: its type, and the groups that it is in."""

    id: int
    customer: int
    type: str | None
    groups: tuple[str, ...]
    credential: int


class Identifier(msgspec.Struct, frozen=True):
    """A card, number or telephone of an institution's, and whom it names now: a binding, or nobody. ``text`` is None
    once it was erased."""

    id: int
    institution: int
    text: str | None

    @property
    def masked(self) -> str:
        """All that is ever shown of it: the last four characters, and of a short one none."""
        return masked(self.text or "")


def masked(text: str) -> str:
    """The last four characters of an identifier; none of one that has fewer than eight."""
    return f"****{text[-4:] if len(text) >= 8 else ''}"


class Step(msgspec.Struct, frozen=True):
    """One row of a history: when it was made, by whom, and for which institution."""

    id: int
    at: datetime
    credential: int
    for_institution: int


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier names a customer, from one step until another."""

    identifier: Identifier
    customer: Customer
    made: Step
    ended: Step | None = None

    @property
    def id(self) -> int:
        """Of the step that made it."""
        return self.made.id


class LinkStatus(StrEnum):
    """The life of a link. Only an active one says anything."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    REJECTED = "REJECTED"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Customers of two institutions who are one person, by the word of both; ``changes`` is its whole life."""

    id: int
    a: Customer
    b: Customer
    changes: tuple[tuple[LinkStatus, Step], ...]

    @property
    def status(self) -> LinkStatus:
        """Where it is in its life."""
        return self.changes[-1][0]

    def other(self, customer: int) -> Customer:
        """Who is linked with one of its customers."""
        return self.b if customer == self.a.id else self.a
