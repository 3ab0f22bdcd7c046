"""Customers: what they are called, with whom they are one person, and what they are."""

from hub.ledger.commands.command import Command, Keyed, Party


class EnrollCustomer(Command, frozen=True, kw_only=True):
    customer: Party


class BindIdentifier(Keyed, frozen=True, kw_only=True):
    """``identifier``: the identifier in the place of a reference, at its institution."""

    identifier: Party
    customer: Party


class UnbindIdentifier(Keyed, frozen=True, kw_only=True):
    identifier: Party
    reason: str


class ProposeLink(Keyed, frozen=True, kw_only=True):
    """``a`` is whose institution asks."""

    a: Party
    b: Party
    evidence: str | None


class AcceptLink(Keyed, frozen=True, kw_only=True):
    id: int | None


class EndLink(Keyed, frozen=True, kw_only=True):
    id: int | None
    reason: str


class SetCustomerProfile(Command, frozen=True, kw_only=True):
    """``groups``: paths such as ``retail/gold``, which is in ``retail`` as well."""

    customer: Party
    customer_type: str | None
    groups: tuple[str, ...]
