"""Versions: terms that come into force by consent and approval, and which of them is in force at an instant.

A version is never edited; its life is a row for each step. Which one is in force is computed: of the approved ones
whose validity holds the instant, the one that started last, so that one for some days overrides, and afterwards the one
before is back. What this file does not do: bring one into force (``hub.registry.approvals``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar


class VersionStatus(StrEnum):
    """A version's life; only an APPROVED one is ever in force."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What all versions have. ``version``: numbered from 1 among those of the same subject. ``awaiting``: whose word
    it still needs, each kind of terms with steps of its own. ``starts`` is None until approval, if it starts then. What
    has a default is put on record by the proposal (``hub.registry.approvals.propose``)."""

    id: int
    starts: datetime | None
    ends: datetime | None
    version: int = 0
    status: VersionStatus = VersionStatus.PROPOSED
    awaiting: tuple[StrEnum, ...] = ()
    proposed_by: str = ""
    proposed_by_credential: int = 0
    proposed_by_institution: int = 0
    accepted_by: tuple[str, ...] = ()
    decided_by: str | None = None
    reason: str | None = None

    def holds(self, at: datetime) -> bool:
        """Whether its validity contains ``at``."""
        return self.starts is not None and self.starts <= at and (self.ends is None or at < self.ends)


V = TypeVar("V", bound=Version)


def in_force(versions: Iterable[V], at: datetime) -> V | None:
    """The version in force at ``at`` of one subject's approved ``versions``: the one that started last."""
    best: V | None = None
    for one in versions:
        if one.holds(at) and (best is None or best.starts is None or (one.starts or at) > best.starts):
            best = one
    return best


def with_version(approved: tuple[V, ...], one: V) -> tuple[V, ...]:
    """One subject's approved versions after ``one`` has become what it is."""
    others = tuple(other for other in approved if other.id != one.id)
    return (*others, one) if one.status is VersionStatus.APPROVED else others
