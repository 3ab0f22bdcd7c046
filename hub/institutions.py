"""Institutions: the tree of who takes part, and the caps on what a subtree may owe.

Invariants: one root (the operator), no cycles, codes are unique and never change. A move takes effect for rights at
once and for money with the next window (``placements``), so that one window's money knows one path. Nothing here asks
who may change the tree; ``hub.access`` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

OPERATOR_CODE = "HUB"


class Kind(StrEnum):
    """What an institution is to its customers; it has no effect on money."""

    OPERATOR = "OPERATOR"
    ALLIANCE = "ALLIANCE"
    BANK = "BANK"
    TELECOM = "TELECOM"
    AIRLINE = "AIRLINE"
    MERCHANT = "MERCHANT"
    BRANCH = "BRANCH"
    DEPARTMENT = "DEPARTMENT"
    STORE = "STORE"
    OTHER = "OTHER"


class Status(StrEnum):
    """SUSPENDED: nothing is done with it. CLOSED: nothing new, but what is promised (a quote, a reversal) is kept."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Placement:
    """Under whom an institution's money stands, from the window of ordinal ``window`` on, of whatever model."""

    window: int
    parent: int


@dataclass(frozen=True, slots=True)
class SetOff:
    """Whether an institution's nets may be set off against each other, from the window of ordinal ``window`` on."""

    window: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class ZoneVersion:
    """The economic zones of an institution from an instant on."""

    starts: datetime
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Institution:
    """One node of the tree. ``parent`` is None for the operator only. ``zones``: those that it was made with, until the
    first of its ``zone_versions``, which stand by their starts. ``set_off``: empty while it always was allowed."""

    id: int
    code: str
    name: str
    kind: Kind
    status: Status
    parent: int | None
    placements: tuple[Placement, ...]
    zones: tuple[str, ...]
    auto_enroll: bool
    zone_versions: tuple[ZoneVersion, ...] = ()
    set_off: tuple[SetOff, ...] = ()


@dataclass(frozen=True, slots=True)
class CapProposal:
    """A higher cap, or none at all, that waits for a second person."""

    id: int
    amount: int | None
    person: str
    institution: int  # the person's
    at: datetime


@dataclass(frozen=True, slots=True)
class DebitCap:
    """The most that an institution's subtree may owe in one currency, in millionths; ``amount`` None: no cap.

    ``set_by``: the person whose word brought it to what it is; None in what was set before that was recorded.
    ``rejected``: why the last proposal was, if it was.
    """

    id: int
    institution: int
    currency: str
    amount: int | None
    set_by: str | None = None
    proposal: CapProposal | None = None
    rejected: str | None = None


def ancestry(institutions: Mapping[int, Institution], start: int) -> Iterator[Institution]:
    """``start`` and all above it, up to the operator, as the tree stands now."""
    node: int | None = start
    while node is not None:
        institution = institutions[node]
        yield institution
        node = institution.parent


def is_below(institutions: Mapping[int, Institution], node: int, top: int) -> bool:
    """Whether ``node`` is ``top`` or stands below it."""
    return any(institution.id == top for institution in ancestry(institutions, node))


def status_of(institutions: Mapping[int, Institution], node: int) -> Status:
    """The worst status of a node and of those above it: a suspended bank suspends its branches."""
    found = {institution.status for institution in ancestry(institutions, node)}
    if Status.SUSPENDED in found:
        return Status.SUSPENDED
    return Status.CLOSED if Status.CLOSED in found else Status.ACTIVE


def placed_below(institution: Institution, window: int) -> int | None:
    """The parent for the money of the window of ordinal ``window``; None for the operator, which has none."""
    return next((placed.parent for placed in reversed(institution.placements) if placed.window <= window), None)


def settlement_path(institutions: Mapping[int, Institution], start: int, window: int) -> list[int]:
    """``start`` and all above it as they stand for the money of the window of ordinal ``window``."""
    path, node = [start], placed_below(institutions[start], window)
    while node is not None:
        path.append(node)
        node = placed_below(institutions[node], window)
    return path


def member_of(path: Sequence[int]) -> int:
    """The member on a settlement path: who stands directly below the operator, or the operator itself."""
    return path[-2] if len(path) > 1 else path[0]


def pays_through(institutions: Mapping[int, Institution], node: int, window: int) -> int | None:
    """To whom a node's net of the window of ordinal ``window`` goes; None: it settles with the hub itself, as a member
    does, which is the operator or stands directly below it, and as a legal entity that forbids set-off and each of its
    children do."""
    parent = placed_below(institutions[node], window)
    if parent is None or institutions[parent].parent is None:
        return None
    return parent if all(sets_off(institutions[one], window) for one in (node, parent)) else None


def sets_off(institution: Institution, window: int) -> bool:
    """Whether what an institution and its children owe and are owed in the window of ordinal ``window`` is set off."""
    return next((version.allowed for version in reversed(institution.set_off) if version.window <= window), True)
