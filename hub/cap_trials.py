"""Cap trials: what a cap on an institution's exposure would have done, had it been there.

The exposure is gone through again from the legs of money that touch the institution's subtree, from the beginning of
every window that was not settled at the start of the period, with the arithmetic of the ledger itself; so at each act
it is what it was then, to the millionth. Each act is held against the cap as things went: an act that would have been
refused stays in the figures of those after it, because nobody can say what these would have been without it.
"""

from bisect import bisect
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import literal

from hub.db import driver_of
from hub.ids import PLACES_BITS
from hub.institutions import pays_through, settlement_path
from hub.ledger import rows
from hub.ledger.book import UNPOSTED, Book
from hub.ledger.draft import Draft
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Phase, Position, Purpose, Window, WindowStatus
from hub.reading import Reader

TOLD_MAX: Final = 100  # acts that are named
_ACT = frozenset({Purpose.SETTLEMENT, Purpose.FEE})
_PURPOSES = ", ".join(str(int(one)) for one in (*sorted(_ACT), Purpose.ROUNDING, Purpose.PAYMENT, Purpose.DEFAULT))
_BILLS = frozenset({MovementKind.BILL, MovementKind.CREDIT})  # what is owed to the operator is not refused
_OF_POSITIONS = _ACT | {Purpose.ROUNDING}

# The legs in question, in order, as the journal has them; $1: from which movement on, $2: accounts of the subtree.
_LEGS = f"""
SELECT l.movement_id, l.phase, l.purpose, l.amount, l.window_id, m.kind, m.subject_id, e.at,
       d.kind AS debit_kind, d.owner_id AS debit, c.kind AS credit_kind, c.owner_id AS credit
FROM leg l
JOIN movement m ON m.journal_id = {JOURNAL_ID} AND m.id = l.movement_id
JOIN journal_entry e ON e.journal_id = {JOURNAL_ID} AND e.batch = l.movement_id >> {PLACES_BITS}
JOIN account d ON d.journal_id = {JOURNAL_ID} AND d.id = l.debit_account_id
JOIN account c ON c.journal_id = {JOURNAL_ID} AND c.id = l.credit_account_id
WHERE l.journal_id = {JOURNAL_ID} AND l.movement_id >= $1 AND l.purpose IN ({_PURPOSES})
  AND (l.debit_account_id = ANY($2::bigint[]) OR l.credit_account_id = ANY($2::bigint[]))
"""
_ORDER = " ORDER BY l.movement_id, l.n"
_OUTSIDE = f"""
  AND (l.phase <> {int(Phase.POSTED)}
       OR d.kind = {int(AccountKind.RECEIVABLE)} OR c.kind = {int(AccountKind.RECEIVABLE)})
"""
_ACCOUNTS = f"""
SELECT id FROM account WHERE journal_id = {JOURNAL_ID} AND owner_id = ANY($1::bigint[]) AND currency = $2
  AND kind IN ({int(AccountKind.POSITION)}, {int(AccountKind.SETTLEMENT)}, {int(AccountKind.RECEIVABLE)})
"""
_STANDING = f"""
SELECT subtree, apart, gross FROM position
WHERE journal_id = {JOURNAL_ID} AND window_id = {UNPOSTED} AND institution_id = $1 AND currency = $2
"""
_PAGE_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Beyond:
    """An act that worsened the exposure beyond the cap: what the exposure was after it."""

    movement: int
    kind: MovementKind
    at: datetime
    exposure: int


@dataclass(slots=True)
class Trial:
    """``since``: from when on. ``exposure``: now; ``peak``: the most that it was, first at ``peak_at``; millionths.
    ``refused``: how many acts would have been, of which the first ones are told."""

    since: datetime
    exposure: int = 0
    peak: int = 0
    peak_at: datetime | None = None
    refused: int = 0
    acts: list[Beyond] = field(default_factory=list)

    def see(self, exposure: int, at: datetime) -> None:
        """Take what the exposure was."""
        if exposure > self.peak:
            self.peak, self.peak_at = exposure, at


async def trial(reader: Reader, node: int, currency: str, cap: int, since: datetime | None) -> Trial:
    """What a cap of so many millionths would have done from ``since`` on; None, or an instant to come: from the
    opening of the first window that is not settled."""
    every = list((await rows.windows(reader.connection, literal(True))).values())
    if since is None or since > reader.at:
        since = min((one.opened_at for one in every if one.status is not WindowStatus.SETTLED), default=reader.at)
    past = _Past(reader, node, currency, since, every)
    await past.begin()
    made = Trial(since)
    async for step in past.course():
        if step.at < since:
            continue
        made.see(step.before, since)  # what there was when the period began, at the first step of it
        made.see(step.after, step.at)
        if step.is_bound and step.after > cap and step.after > step.before:
            made.refused += 1
            if made.refused <= TOLD_MAX:
                made.acts.append(Beyond(step.movement, step.kind, step.at, step.after))
    made.exposure = past.exposure
    made.see(made.exposure, since)
    return made


@dataclass(frozen=True, slots=True)
class _Step:
    """What one movement did to the exposure. ``is_bound``: a cap is held against it; what completes over partners was
    held against it when it was accepted, and what bills or settles never is."""

    movement: int
    kind: MovementKind
    at: datetime
    before: int
    after: int
    is_bound: bool


class _Past:
    """The exposure of one node as it was, movement by movement."""

    def __init__(self, reader: Reader, node: int, currency: str, since: datetime, every: list[Window]) -> None:
        self._reader, self._node, self._currency = reader, node, currency
        self._book = Book(0, reader.at, reader.configuration)
        live = [one for one in every if one.settled_at is None or one.settled_at >= since]
        self._book.windows = {one.id: one for one in live}
        self._book.settled_windows = {one.id: one for one in every}
        self._opened = [one.id for one in every]  # by number, and so by identifier
        nodes, numbers = reader.configuration.institutions, {one.number for one in live}
        self._below = {one for one in nodes for number in numbers if node in settlement_path(nodes, one, number)}
        self._accounts: list[int] = []
        # Where the node's net became a part of somebody's: by window, its net, that one, and what is due of that one.
        self._nets: dict[int, int] = {}
        self._tops: dict[int, int] = {}
        self._due: dict[int, int] = {}

    @property
    def exposure(self) -> int:
        """What the subtree owes at this point of the course."""
        return self._book.exposure(self._node, self._currency)

    async def begin(self) -> None:
        """Find which legs matter, and what was owed outside of all windows before them."""
        await self._load_nets()
        driver = await driver_of(self._reader.connection)
        owners = [*self._below, *set(self._tops.values())]
        self._accounts = [row["id"] for row in await driver.fetch(_ACCOUNTS, owners, self._currency)]
        stood = await driver.fetchrow(_STANDING, self._node, self._currency) or (0, 0, 0)
        draft = Draft(self._book)
        for leg in await driver.fetch(f"{_LEGS}{_OUTSIDE}", self._first, self._accounts):
            self._count_outside(draft, leg)
        key = (UNPOSTED, self._node, self._currency)
        apart, gross = draft.aparts.get(key, (0, 0))
        changed = (draft.positions.get(key, 0), apart, gross)
        subtree, apart, gross = (now - change for now, change in zip(stood, changed, strict=True))
        self._book.positions[key] = Position(0, 0, subtree, apart, gross)

    @property
    def _first(self) -> int:
        return min(self._book.windows, default=1 << 62)

    async def _load_nets(self) -> None:
        """The nets of the node that others settle. Nodes that settle by themselves need none."""
        nodes = self._reader.configuration.institutions
        listed = await rows.nets(self._reader.connection, self._book.windows)
        for id, window in self._book.windows.items():
            top = self._node
            while window.levels and (above := pays_through(nodes, top, window.number)) is not None:
                top = above
            mine = {net.institution: net.net for net in listed.get(id, ()) if net.currency == self._currency}
            if top != self._node and mine.get(self._node):
                self._nets[id], self._tops[id], self._due[id] = mine[self._node], top, mine.get(top, 0)

    async def course(self) -> AsyncIterator[_Step]:
        """Every movement that touches the exposure, in order."""
        driver = await driver_of(self._reader.connection)
        closings = [id for id, due in sorted(self._due.items()) if not due]  # settled when they closed
        group: list[Any] = []
        async for leg in driver.cursor(f"{_LEGS}{_ORDER}", self._first, self._accounts, prefetch=_PAGE_ROWS):
            if group and leg["movement_id"] != group[0]["movement_id"]:
                self._close(closings, group[0]["movement_id"])
                yield self._take(group)
                group = []
            group.append(leg)
        if group:
            self._close(closings, group[0]["movement_id"])
            yield self._take(group)
        self._close(closings, 1 << 63)

    def _close(self, closings: list[int], before: int) -> None:
        """Settle the nets of windows that came to nothing where they were set off: with the next window's opening."""
        while closings:
            following = next((id for id in self._opened if id > closings[0]), before)
            if following >= before:
                return
            self._settle(closings.pop(0))

    def _settle(self, window: int) -> None:
        self._book.position((window, self._node, self._currency)).subtree -= self._nets[window]

    def _take(self, legs: list[Any]) -> _Step:
        before, draft = self.exposure, Draft(self._book)
        for leg in legs:
            self._count(draft, leg)
        for key, change in draft.positions.items():
            self._book.position(key).subtree += change
        for key, (apart, gross) in draft.aparts.items():
            position = self._book.position(key)
            position.apart += apart
            position.gross += gross
        first = legs[0]
        kind = MovementKind(first["kind"])
        is_act = kind not in _BILLS and any(leg["purpose"] in _ACT for leg in legs)
        is_promised = any(leg["phase"] == Phase.VOIDED for leg in legs)
        return _Step(first["movement_id"], kind, first["at"], before, self.exposure, is_act and not is_promised)

    def _count(self, draft: Draft, leg: Any) -> None:
        """What one leg changes, as the ledger counts it (``Draft.money``, ``hub.windows``, ``hub.ledger.defaults``)."""
        window, amount = leg["window_id"], leg["amount"]
        if leg["phase"] != Phase.POSTED:
            self._count_outside(draft, leg)
            return
        if window not in self._book.windows:
            if leg["purpose"] == Purpose.DEFAULT:
                self._count_outside(draft, leg)
            return
        for side, kind, change in (
            (leg["debit"], leg["debit_kind"], -amount),
            (leg["credit"], leg["credit_kind"], amount),
        ):
            moves = AccountKind.POSITION if leg["purpose"] in _OF_POSITIONS else AccountKind.SETTLEMENT
            if kind == moves and side in self._below:
                draft.count_money(window, side, self._currency, change)
            if kind == AccountKind.SETTLEMENT and side == self._tops.get(window):
                self._due[window] += change
                if not self._due[window]:
                    self._settle(window)
        if leg["purpose"] == Purpose.DEFAULT:
            self._count_outside(draft, leg)

    def _count_outside(self, draft: Draft, leg: Any) -> None:
        """What one leg changes of what is owed in no window."""
        amount = leg["amount"]
        if leg["phase"] != Phase.POSTED:
            of = self._open_at(leg["movement_id"] if leg["phase"] == Phase.PENDING else leg["subject_id"])
            change = -amount if leg["phase"] == Phase.PENDING else amount
            if leg["debit"] in self._below:
                beside = frozenset(self._book.path(leg["credit"], of))
                draft.count_unposted(leg["debit"], self._currency, change, of, beside)
            return
        for side, kind, change in (
            (leg["debit"], leg["debit_kind"], -amount),
            (leg["credit"], leg["credit_kind"], amount),
        ):
            if kind == AccountKind.RECEIVABLE and side in self._below:
                draft.count_unposted(side, self._currency, change, leg["window_id"])

    def _open_at(self, movement: int) -> int:
        """The window that was open at a movement."""
        return self._opened[bisect(self._opened, movement) - 1]
