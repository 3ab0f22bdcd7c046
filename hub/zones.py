"""Economic zones: to which an institution belongs, from which instant on. Pure.

Zones stand across the tree and move no money. Versions are a history: one begins at its effective date, never in the
past, and one that has begun is never changed. An institution may be in several zones; its figures are counted in the
first one, so that every figure is counted once.
"""

from datetime import datetime

from hub.institutions import Institution


def zones_at(institution: Institution, at: datetime) -> tuple[str, ...]:
    """The zones of an institution at an instant, that in which it is counted first."""
    begun = [version for version in institution.zone_versions if version.starts <= at]
    return begun[-1].zones if begun else institution.zones


def counted_in(institution: Institution, at: datetime) -> str | None:
    """The zone in which an institution's figures of an instant are counted; None: it is in no zone."""
    zones = zones_at(institution, at)
    return zones[0] if zones else None


def changes_between(institution: Institution, after: datetime, until: datetime) -> list[datetime]:
    """The instants in (after, until] from which on it is counted in another version's zone, in order."""
    return [version.starts for version in institution.zone_versions if after < version.starts <= until]
