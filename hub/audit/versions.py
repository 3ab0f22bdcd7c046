"""Versions as the rows of configuration make them: proposed first, with terms that stay, approved by two persons."""

from dataclasses import replace

from hub.audit.findings import Findings
from hub.configuration import Change, Configuration
from hub.versions import Version, VersionStatus

_LIFE = ("status", "awaiting", "accepted_by", "decided_by", "reason")


def check(
    findings: Findings,
    code: str,
    name: str,
    row: Change,
    before: Version | None,
    after: Version,
    configuration: Configuration,
) -> None:
    """Hold the next change of a version against the one before it, under the configuration before it."""
    if before is None:
        if after.status is not VersionStatus.PROPOSED:
            findings.add(code, f"{name} came into force without a proposal.")
        return
    if after.status is VersionStatus.APPROVED:
        by = configuration.credentials.get(row.credential)
        proposer = (before.proposed_by_institution, before.proposed_by)
        was_proposed = before.status is VersionStatus.PROPOSED and len(before.awaiting) <= 1
        if not was_proposed or by is None or (by.institution, by.person) == proposer:
            findings.add(code, f"{name} was not approved by a second person.")
    starts = after.starts if before.starts is None else before.starts  # a start may be that of the approval
    if replace(before, starts=starts, **{name: getattr(after, name) for name in _LIFE}) != after:
        findings.add(code, f"The terms of {name} were changed.")
