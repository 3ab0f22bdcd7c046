"""Versions: which one is in force, and what becomes of the approved ones when one changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.versions import Version, VersionStatus, in_force, with_version

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def approved(id: int, starts: datetime, ends: datetime | None = None) -> Version:
    """An approved version."""
    return Version(id=id, starts=starts, ends=ends, version=id, status=VersionStatus.APPROVED)


def test_some_days_override_and_the_one_before_is_back_after_them() -> None:
    base, campaign = approved(1, NOW), approved(2, NOW + DAY, NOW + 2 * DAY)
    found = [in_force((campaign, base), NOW + days * DAY / 2) for days in (-1, 0, 1, 2, 3, 4)]
    assert found == [None, base, base, campaign, campaign, base]


def test_only_approved_versions_are_kept_for_coming_into_force() -> None:
    one, other = approved(1, NOW), approved(2, NOW + DAY)
    assert with_version((one,), other) == (one, other)
    assert with_version((one,), replace(other, status=VersionStatus.PROPOSED)) == (one,)
    assert with_version((one, other), replace(one, status=VersionStatus.WITHDRAWN)) == (other,)
    assert with_version((one,), replace(one, reason="again")) == (replace(one, reason="again"),)  # never twice
