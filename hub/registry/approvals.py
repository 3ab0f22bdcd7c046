"""The steps by which a version comes into force, whatever its terms are: proposed, accepted, approved, or ended. Pure.

Who proposes agrees; each other party whose consent is needed accepts; then a person of the operator's approves who did
not propose. Approvals are serial, because commands are. Who a party is, and who may see or end a version, is for the
terms to say; these functions are given it.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from hub.access import Credential
from hub.errors import InvalidInput, NotAccepted, RateOverlap
from hub.institutions import is_below
from hub.ledger import resolve
from hub.ledger.book import Book
from hub.registry import checks
from hub.versions import Version, VersionStatus

V = TypeVar("V", bound=Version)


def speaks_for(book: Book, asking: Credential, institution: int) -> bool:
    """Whether the caller speaks for an institution as one of its administrators, or of those above it. The operator is
    above everybody and speaks for nobody else, whatever its people's roles are."""
    if asking.institution == book.configuration.operator.id:
        return not asking.operates and institution == asking.institution
    return is_below(book.configuration.institutions, institution, asking.institution)


def consents(book: Book, asking: Credential, institution: int) -> bool:
    """Whether the caller's word is the institution's consent. The operator's is only for itself, because who keeps its
    consent keeps it from the operator too."""
    return speaks_for(book, asking, institution) or (asking.operates and institution == asking.institution)


def check_dates(starts: datetime | None, ends: datetime | None, at: datetime) -> None:
    """Pass if a version can be proposed at ``at`` for these dates.

    Raises:
        InvalidInput: it would start in the past, or end before it starts.
    """
    if starts is not None and starts < at:
        raise InvalidInput(effectiveFrom=starts.isoformat())
    if ends is not None and ends <= (starts or at):
        raise InvalidInput(effectiveUntil=ends.isoformat())


def propose(version: V, asking: Credential, awaiting: tuple[StrEnum, ...], others: Iterable[Version]) -> V:
    """The version on record as proposed by who asks; ``others``: all versions of its subject, whatever became of
    them."""
    return replace(
        version,
        version=max((other.version for other in others), default=0) + 1,
        awaiting=awaiting,
        proposed_by=asking.person,
        proposed_by_credential=asking.id,
        proposed_by_institution=asking.institution,
    )


def accept(version: V, asking: Credential, sides: Collection[StrEnum]) -> V:
    """The version with the consent of the ``sides`` for which the caller speaks.

    Raises:
        InvalidInput: it is not proposed any more, or does not await the caller.
    """
    given = [step for step in sides if step in version.awaiting]
    if version.status is not VersionStatus.PROPOSED or not given:
        raise InvalidInput(status=version.status.value, awaiting=",".join(version.awaiting))
    return replace(
        version,
        awaiting=tuple(step for step in version.awaiting if step not in given),
        accepted_by=(*version.accepted_by, asking.person),
    )


def approve(version: V, asking: Credential, at: datetime, approved: Collection[Version], *, operator: StrEnum) -> V:
    """The version as approved at ``at`` by the caller, who acts for the operator; ``approved``: the others of its
    subject that are; ``operator``: the step that this is.

    Raises:
        NotAccepted: a party's consent is missing.
        SameApprover: the caller proposed it, or somebody of the caller's name at another institution.
        InvalidInput: it is not proposed any more, or its start or end is past.
        RateOverlap: another approved version of the subject starts at the same instant.
    """
    if version.status is not VersionStatus.PROPOSED:
        raise InvalidInput(status=version.status.value)
    waiting = [step for step in version.awaiting if step is not operator]
    if waiting:
        raise NotAccepted(awaiting=",".join(waiting))
    resolve.another_person(asking, version.proposed_by)
    starts = version.starts
    if starts is None:
        starts, taken = at, {other.starts for other in approved}
        while starts in taken:  # approved by the same batch
            starts += timedelta(microseconds=1)
    elif starts < at:
        raise InvalidInput(effectiveFrom=starts.isoformat())
    if version.ends is not None and version.ends <= starts:
        raise InvalidInput(effectiveUntil=version.ends.isoformat())
    if any(other.starts == starts for other in approved):
        raise RateOverlap(effectiveFrom=starts.isoformat())
    return replace(version, status=VersionStatus.APPROVED, starts=starts, awaiting=(), decided_by=asking.person)


def reject(version: V, asking: Credential, reason: str) -> V:
    """A proposal that is ended.

    Raises:
        InvalidInput: it is not proposed any more, or no reason is given.
    """
    return _end(version, asking, reason, VersionStatus.PROPOSED, VersionStatus.REJECTED)


def withdraw(version: V, asking: Credential, reason: str) -> V:
    """An approved version that is ended; what was done under it stands.

    Raises:
        InvalidInput: it is not approved, or no reason is given.
    """
    return _end(version, asking, reason, VersionStatus.APPROVED, VersionStatus.WITHDRAWN)


def _end(version: V, asking: Credential, reason: str, needed: VersionStatus, ending: VersionStatus) -> V:
    checks.name("reason", reason)
    if version.status is not needed:
        raise InvalidInput(status=version.status.value)
    return replace(version, status=ending, awaiting=(), decided_by=asking.person, reason=reason)
