"""Positions as the money legs make them, and what they come to on the way up.

What the hub owes each institution and its subtree, window by window, is added up again along the settlement paths of
the configuration in force. What acts, closings and payments make of it is for ``money``, ``closings`` and ``payments``.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from hub.audit.accounts import Key
from hub.audit.findings import Findings
from hub.audit.obligations import Obligations, PairKey
from hub.configuration import Configuration
from hub.institutions import sets_off
from hub.ledger.book import UNPOSTED
from hub.ledger.records import WindowStatus
from hub.models import DEFAULT_MODEL, IN_PAIRS, ModelKind

Place = tuple[int, str]  # institution, currency


@dataclass(slots=True)
class Window:
    """A window as the journal makes it."""

    id: int
    model: str
    number: int
    ordinal: int
    status: str
    opened_at: datetime
    changed_in: int
    closed_at: datetime | None = None
    closed_in: int | None = None
    settled_at: datetime | None = None
    due_at: datetime | None = None  # the cut-off that had come when it was closed
    levels: bool = True
    together: bool = True


class Positions:
    """``sums``: debits, credits and what is owed to the subtree, what of it settles apart and what that owes, in
    millionths, by window, institution and currency. ``live``: windows that are not settled, in order. ``pots``: what is
    put up, owed and claimed, by the account that holds it. ``gross``: where each act is paid at once, what each has
    been paid less what it has."""

    def __init__(self, findings: Findings) -> None:
        self.sums: dict[tuple[int, int, str], list[int]] = {}
        self.windows: dict[int, Window] = {}
        self.live: list[Window] = []
        self.pots: Counter[Key] = Counter()
        self.gross: Counter[tuple[int, int, str]] = Counter()
        self.obligations = Obligations(findings)
        self._paths: dict[tuple[int, int], tuple[int, ...]] = {}

    def open_window(self) -> int:
        """The window that was opened last."""
        return max((one.id for one in self.windows.values() if one.status == WindowStatus.OPEN), default=0)

    def open_path(self, configuration: Configuration, institution: int) -> tuple[int, ...]:
        """The institution and all above it, as they stand for the money of the default's open window."""
        opened = (one.id for one in self.live if one.model == DEFAULT_MODEL and one.status == WindowStatus.OPEN)
        return self.path(configuration, institution, next(opened, 0))

    def forget_paths(self) -> None:
        """The tree has changed."""
        self._paths.clear()

    def is_next(self, window: int) -> bool:
        """Whether a window is the first of its model that is not settled."""
        model = self.windows[window].model if window in self.windows else None
        return next((one.id for one in self.live if one.model == model), None) == window

    def is_gross(self, configuration: Configuration, window: int) -> bool:
        """Whether a window's acts are paid at once."""
        of = self.windows.get(window)
        return of is not None and self.obligations.kind(configuration, of.model) is ModelKind.IMMEDIATE_GROSS

    def in_pairs(self, configuration: Configuration, window: int) -> bool:
        """Whether each two of a window's participants owe one another by themselves."""
        of = self.windows.get(window)
        return of is not None and self.obligations.kind(configuration, of.model) in IN_PAIRS

    def path(self, configuration: Configuration, start: int, window: int) -> tuple[int, ...]:
        """The institution and all above it as they stand for a window's money; ends where the rows make no sense."""
        found = self._paths.get((start, window))
        if found is None:
            ordinal = self.windows[window].ordinal if window in self.windows else 0
            path: list[int] = []
            node: int | None = start
            while node is not None and node not in path:
                path.append(node)
                institution = configuration.institutions.get(node)
                placements = () if institution is None else institution.placements
                node = next((placed.parent for placed in reversed(placements) if placed.window <= ordinal), None)
            found = self._paths[start, window] = tuple(path)
        return found

    def parent(self, configuration: Configuration, node: int, window: int) -> int | None:
        """To whom a node's net of a window goes; None: it settles with the hub."""
        path = self.path(configuration, node, window)
        of = self.windows.get(window)
        if len(path) <= 2 or of is None or not of.levels:
            return None
        both = (configuration.institutions.get(one) for one in path[:2])
        return path[1] if all(one is None or sets_off(one, of.ordinal) for one in both) else None

    def top(self, configuration: Configuration, node: int, window: int) -> int:
        """Who settles what a node's money of a window becomes a part of."""
        while (parent := self.parent(configuration, node, window)) is not None:
            node = parent
        return node

    def sum(self, window: int, node: int, currency: str) -> list[int]:
        """The sums of a place, to be changed."""
        key = (window, node, currency)
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = [0, 0, 0, 0, 0]
        return found

    def held(self, window: int, node: int, currency: str) -> int:
        """What an account holds of a window by its node's acts, in millionths: what they owe it, less what of that was
        paid at once."""
        key = (window, node, currency)
        debits, credits, *_ = self.sums.get(key, (0, 0))
        return credits - debits - self.gross[key]

    def adjust(self, configuration: Configuration, window: int, node: int, currency: str, change: int) -> None:
        """Carry a change of what is owed to a node up to all above it; above who settles apart, its debt by itself."""
        path = self.path(configuration, node, window)
        if self.is_gross(configuration, window):
            path = path[: path.index(self.top(configuration, node, window))]
        for above in path:
            self.sum(window, above, currency)[2] += change
        place = None if self.in_pairs(configuration, window) else self._apart(configuration, path, window)
        if place is not None:
            sums = self.sum(window, path[place], currency)
            after = sums[2] - sums[3]
            owed = max(0, -after) - max(0, change - after)
            self._count_apart(window, path[place + 1 : -1], currency, change, owed)

    def _apart(self, configuration: Configuration, path: tuple[int, ...], window: int) -> int | None:
        """Where in a path somebody below a member settles with the hub by itself."""
        of = self.windows.get(window)
        if configuration.apart and of is not None and of.levels:
            for place in range(len(path) - 2):
                if self.parent(configuration, path[place], window) is None:
                    return place
        return None

    def _count_apart(self, window: int, above: tuple[int, ...], currency: str, change: int, owed: int) -> None:
        """Count what settles apart below these, and what of it is owed."""
        for node in above:
            sums = self.sum(window, node, currency)
            sums[3] += change
            sums[4] += owed

    def outside(
        self,
        configuration: Configuration,
        of: int,
        start: int,
        currency: str,
        change: int,
        beside: tuple[int, ...] = (),
    ) -> None:
        """Carry a change of what somebody owes outside of all windows up to all above it, but not to those beside."""
        path = self.path(configuration, start, of)
        for node in path:
            if node not in beside:
                self.sum(UNPOSTED, node, currency)[2] += change
        place = self._apart(configuration, path, of)
        if place is not None and path[place] not in beside:
            self._count_apart(UNPOSTED, path[place + 1 : -1], currency, change, -change)

    def owed(self, configuration: Configuration, pair: PairKey, before: int, after: int) -> None:
        """Carry a change of what the first of a pair is owed by the second up to all above both."""
        window, first, second, currency = pair
        for node, was, now in ((first, before, after), (second, -before, -after)):
            above = self.path(configuration, node, window)[:-1]
            self._count_apart(window, above, currency, now - was, max(0, -now) - max(0, -was))

    def exposure(self, node: int, currency: str) -> int:
        """What a node's subtree owes now (``Book.exposure``)."""
        counted = [self.sums.get((w.id, node, currency)) for w in self.live]
        counted.append(self.sums.get((UNPOSTED, node, currency)))
        return sum(max(0, found[3] - found[2]) + found[4] for found in counted if found is not None)

    def settling(self, window: int, batch: int) -> None:
        """Take that some of a window is paid, or borne."""
        if window in self.windows:
            self.windows[window].status, self.windows[window].changed_in = WindowStatus.SETTLING, batch
