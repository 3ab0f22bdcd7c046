"""How a report stands with its institution: accepted by its signature, disputed, or accepted by silence. Pure.

An institution may dispute lines until the deadline, so many days after its window closed. Afterwards silence is
acceptance; a signature is taken then, too, because it says more than silence. While a dispute goes on, a report is not
accepted in either way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from hub import ids
from hub.acceptance.keys import AcceptanceKey

DAYS: Final = 10  # where the operator has said nothing
DAYS_MAX: Final = 365


@dataclass(frozen=True, slots=True)
class DisputeTerms:
    """For how many days after its closing the lines of a window may be disputed: of windows that close in a later batch
    than the one that says so, and until other terms are set."""

    id: int
    days: int
    set_by: str


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """An institution has accepted its report: the digest of the report, and the JWS over it as it was sent."""

    id: int
    at: datetime
    window: int
    institution: int
    digest: str
    kid: str
    jws: str
    credential: int


class Standing(StrEnum):
    """How a report stands with its institution."""

    AWAITED = "AWAITED"
    DISPUTED = "DISPUTED"
    ACCEPTED = "ACCEPTED"
    ACCEPTED_BY_SILENCE = "ACCEPTED_BY_SILENCE"


def deadline(terms: Iterable[DisputeTerms], closed_in: int, closed_at: datetime) -> datetime:
    """The first instant at which lines of a window that closed in this batch cannot be disputed any more."""
    in_force = [one for one in terms if ids.batch_of(one.id) < closed_in]
    days = max(in_force, key=lambda one: one.id).days if in_force else DAYS
    return closed_at + timedelta(days=days)


def standing_acceptance(acceptances: Iterable[Acceptance], keys: Mapping[str, AcceptanceKey]) -> Acceptance | None:
    """The first of a report's acceptances whose key is believed for it."""
    believed = (one for one in acceptances if one.kid in keys and keys[one.kid].is_believed(one.at))
    return min(believed, key=lambda one: one.id, default=None)


def standing(accepted: Acceptance | None, disputed: bool, until: datetime, at: datetime) -> Standing:
    """How a report stands at ``at``. ``disputed``: a dispute of one of its lines has not ended."""
    if disputed:
        return Standing.DISPUTED
    if accepted is not None:
        return Standing.ACCEPTED
    return Standing.AWAITED if at < until else Standing.ACCEPTED_BY_SILENCE
