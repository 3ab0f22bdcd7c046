"""The kinds of adapter that are installed, by the entry points of their distributions."""

from importlib.metadata import EntryPoint, entry_points

from hub.partners import ENTRY_POINTS


def kinds() -> dict[str, EntryPoint]:
    """Every installed kind by its name; each is loaded by whoever uses it."""
    return {point.name: point for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda one: one.name)}


def version_of(point: EntryPoint) -> str:
    """The distribution that brings a kind, and its version."""
    return "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
