"""Pools, their members and what these did."""

from enum import StrEnum

import msgspec

from hub.ledger.records.people import Customer


class PoolKind(StrEnum):
    """Whose points a pool's are: a family's, or a company's."""

    FAMILY = "FAMILY"
    CORPORATE = "CORPORATE"


class PoolRight(StrEnum):
    """What a member may do in a pool: put its own points in, spend what is there, let members in and out."""

    CONTRIBUTE = "CONTRIBUTE"
    SPEND = "SPEND"
    MANAGE = "MANAGE"


class Pool(msgspec.Struct, frozen=True):
    """A customer whose points its members share. ``id`` is also the customer's; ``owner`` has all rights, always."""

    id: int
    kind: PoolKind
    customer: Customer
    owner: Customer
    credential: int


class Membership(msgspec.Struct, frozen=True):
    """A member's rights in a pool from then on; None: it has left."""

    id: int
    pool: int
    member: int
    rights: tuple[PoolRight, ...] | None
    credential: int


class PoolAct(msgspec.Struct, frozen=True):
    """What was done to a pool: the membership ``id`` began, changed or ended."""

    id: int
    pool: Pool
