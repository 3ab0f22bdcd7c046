"""Versions: each step of terms' and rates' lives follows from the one before, and is somebody's who may have taken it.

What was proposed is never edited; consent is added, and taken by nobody twice; who approves is another person than who
proposed, for the operator, when all others have agreed; an end has a reason.
"""

from dataclasses import replace

from hub.access import Credential, person_key
from hub.audit.findings import Findings
from hub.configuration import Change
from hub.rates import Rate
from hub.versions import Version, VersionStatus


def check(findings: Findings, change: Change, before: Version | None, after: Version, by: Credential | None) -> None:
    """Compare a version with what it was before a change by the credential ``by``."""
    follows = by is not None and (_is_proposal(after, by) if before is None else _follows(before, after, by))
    if not follows:
        findings.add("VERSION", f"The {change.noun} {after.id:x} came to {after.status} in a way that there is not.")


def _is_proposal(after: Version, by: Credential) -> bool:
    return (
        after.status is VersionStatus.PROPOSED
        and bool(after.awaiting)
        and (after.proposed_by, after.proposed_by_credential) == (by.person, by.id)
        and (after.proposed_by_institution, after.accepted_by, after.decided_by) == (by.institution, (), None)
    )


def _follows(before: Version, after: Version, by: Credential) -> bool:
    life: tuple[str, ...] = ("status", "starts", "awaiting", "accepted_by", "decided_by", "reason")
    if isinstance(before, Rate) and after.status is VersionStatus.WITHDRAWN:
        life = (*life, "cancels_quotes")
    if replace(after, **{name: getattr(before, name) for name in life}) != before:
        return False  # the terms themselves
    match before.status, after.status:
        case VersionStatus.PROPOSED, VersionStatus.PROPOSED:
            agreed = (*before.accepted_by, by.person)
            rest = (after.accepted_by, after.starts, after.decided_by) == (agreed, before.starts, None)
            return rest and set(after.awaiting) < set(before.awaiting)
        case VersionStatus.PROPOSED, VersionStatus.APPROVED:
            other = person_key(by.person) != person_key(before.proposed_by)
            starts = after.starts is not None and before.starts in (None, after.starts)
            return other and by.operates and starts and len(before.awaiting) == 1 and _is_decided(before, after, by)
        case (VersionStatus.PROPOSED, VersionStatus.REJECTED) | (VersionStatus.APPROVED, VersionStatus.WITHDRAWN):
            return bool(after.reason) and after.starts == before.starts and _is_decided(before, after, by)
        case VersionStatus.WITHDRAWN, VersionStatus.WITHDRAWN if isinstance(before, Rate) and isinstance(after, Rate):
            cancels = bool(after.cancels_quotes) and not before.cancels_quotes
            return cancels and bool(after.reason) and after.starts == before.starts and _is_decided(before, after, by)
    return False


def _is_decided(before: Version, after: Version, by: Credential) -> bool:
    return (after.decided_by, after.awaiting, after.accepted_by) == (by.person, (), before.accepted_by)
