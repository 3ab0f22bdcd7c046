"""Pools and their members."""

from hub.ledger.commands.command import Command, Keyed, Party
from hub.ledger.records import PoolKind, PoolRight


class CreatePool(Keyed, frozen=True, kw_only=True):
    pool: Party
    kind: PoolKind
    owner: Party


class JoinPool(Command, frozen=True, kw_only=True):
    """``by``: the member that lets it in; so of the other commands on members."""

    pool: Party
    member: Party
    rights: tuple[PoolRight, ...]
    by: Party


class SetPoolRights(Command, frozen=True, kw_only=True):
    pool: Party
    member: Party
    rights: tuple[PoolRight, ...]
    by: Party


class LeavePool(Keyed, frozen=True, kw_only=True):
    """``by`` None: the member itself."""

    pool: Party
    member: Party
    by: Party | None


class ContributeToPool(Keyed, frozen=True, kw_only=True):
    pool: Party
    member: Party
    currency: str
    amount: str
    memo: str | None
    channel: str | None
