"""Relocations and opening balances as records: plain frozen values like all of ``records``.

A relocation takes a currency's balances from the hub to a partner, or back. Points are in smallest units of the
currency.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from hub.currencies import HOSTED


class RelocationStatus(StrEnum):
    """The life of a relocation. It halts the currency from its time on once it is approved; that is not posted."""

    PROPOSED = "PROPOSED"  # the adapter's configuration was checked, and nothing has changed yet
    APPROVED = "APPROVED"  # by another person; from its time on nothing new is begun
    FIXED = "FIXED"  # nothing is under way any more, and no balance changes from here on
    COMPARED = "COMPARED"  # the partner's balance of every customer is on record
    MOVING = "MOVING"  # there is no way back: account after account is moved
    DONE = "DONE"
    CANCELLED = "CANCELLED"


ENDED = frozenset({RelocationStatus.DONE, RelocationStatus.CANCELLED})


class Relocation(msgspec.Struct, frozen=True, kw_only=True):
    """A currency's way to another keeper of its balances. ``leaves`` and ``adapter``: who keeps them before and after.
    ``connection``: how the adapter reaches the partner, as JSON (``hub.ledger.commands.Connection``).

    ``round``: how often the partner's balances were read from the beginning; the last round counts. ``reached``: the
    last customer who was read in it, or moved. Of its ``customers`` the hub has ``ours`` and the partner ``theirs``;
    those of ``differing`` ones differ, the partner has ``more`` of some and ``less`` of others. ``digest``: SHA-256 of
    the file that is read in this round, in hexadecimal, if it is one. ``accepted_by``: the first person to accept
    differences; ``accepted``: a second one did too. ``moved``: how many points are.
    """

    id: int
    at: datetime
    credential: int
    for_institution: int
    currency: str
    leaves: str
    adapter: str
    connection: str
    starts_at: datetime
    reason: str
    status: RelocationStatus = RelocationStatus.PROPOSED
    approved_by: int | None = None
    round: int = 0
    reached: int = 0
    customers: int = 0
    ours: int = 0
    theirs: int = 0
    differing: int = 0
    more: int = 0
    less: int = 0
    digest: str | None = None
    accepted_by: int | None = None
    accepted: bool = False
    moved: int = 0
    ended_at: datetime | None = None

    @property
    def comes_home(self) -> bool:
        """Whether the hub is to keep the balances."""
        return self.adapter == HOSTED


class RelocationAct(StrEnum):
    """What is done to a relocation."""

    PROPOSE = "PROPOSE"
    APPROVE = "APPROVE"
    FIX = "FIX"
    READ = "READ"  # the partner's balances from the beginning, out of one file or asked member by member
    COMPARE = "COMPARE"
    ACCEPT = "ACCEPT"  # the differences, by one of two persons
    COMPLETE = "COMPLETE"
    FINISH = "FINISH"
    CANCEL = "CANCEL"


class RelocationStep(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a relocation's history: what was done, by whom, and how the relocation stood afterwards."""

    id: int
    act: RelocationAct
    relocation: Relocation
    credential: int


class OpeningLot(msgspec.Struct, frozen=True):
    """Some of a customer's points, as a partner keeps them: when they end and were earned, if it says so."""

    units: int
    expires_at: datetime | None = None
    earned_at: datetime | None = None


class OpeningBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub and the partner have of one customer's points. ``lots``: of the partner's, if it told them."""

    id: int
    relocation: int
    round: int
    customer: int
    ours: int
    theirs: int
    lots: tuple[OpeningLot, ...] = ()


class Holder(msgspec.Struct, frozen=True):
    """A customer and what a partner has of its points."""

    customer: int
    units: int
    lots: tuple[OpeningLot, ...] = ()
