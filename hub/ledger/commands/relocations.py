"""Relocations: a currency's balances go to another keeper."""

from datetime import datetime

from hub.ledger.commands.command import Command, Connection
from hub.ledger.opening import Holder


class ProposeRelocation(Command, frozen=True, kw_only=True):
    """``connection``: of the adapter; where the hub is to keep the balances there is none. ``starts_at`` None: as soon
    as it is approved."""

    currency: str
    adapter: str
    connection: Connection | None
    starts_at: datetime | None
    reason: str


class ApproveRelocation(Command, frozen=True, kw_only=True):
    id: int | None


class CancelRelocation(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class FixBalances(Command, frozen=True, kw_only=True):
    """Let no balance of the currency change any more, once nothing is under way."""

    id: int | None


class RecordBalances(Command, frozen=True, kw_only=True):
    """What the partner has of the points of all customers after ``after`` up to ``through``, of whom these have some,
    in the hub or there; asked by the hub itself. ``digest``: of the partner's file, if it is one. ``last``: there are
    no more; then ``control`` is the partner's own total, if it told one."""

    relocation: int
    round: int
    after: int
    through: int
    holders: tuple[Holder, ...]
    last: bool
    control: int | None = None
    digest: str | None = None


class AcceptDifferences(Command, frozen=True, kw_only=True):
    """``differing``: of how many customers, and ``more`` and ``less`` by how much, as decimal text, so that nobody
    accepts what he has not read."""

    id: int | None
    differing: int
    more: str
    less: str


class CompleteRelocation(Command, frozen=True, kw_only=True):
    id: int | None


class Relocate(Command, frozen=True, kw_only=True):
    """Move the points of the customers after ``after`` up to ``through``; asked by the hub itself. ``last``: there are
    no more."""

    relocation: int
    after: int
    through: int
    last: bool
