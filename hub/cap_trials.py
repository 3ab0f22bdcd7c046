"""Cap trials: what a cap on an institution's exposure would have done, had it been there.

The exposure is gone through again from the legs of money that touch the institution's subtree, from the beginning of
every window that was not settled at the start of the period, with the arithmetic of the ledger itself; so at each act
it is what it was then, to the millionth. A net is settled from when it took effect, which what the bank moved of other
currencies may decide (``hub.confirmations``). Each act is held against the cap as things went: an act that would have
been refused stays in the figures of those after it, because nobody can say what these would have been without it.
"""

from bisect import bisect
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import literal

from hub import tables, unpaid_nets
from hub.db import driver_of
from hub.defaults import Default, DefaultStep, DefaultStepKind
from hub.errors import NotTried
from hub.ids import PLACES_BITS
from hub.institutions import settlement_path
from hub.ledger import default_rows, window_rows
from hub.ledger.book import UNPOSTED, Book
from hub.ledger.draft import Draft
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Net, Phase, Position, Purpose, Window, WindowStatus
from hub.ledger.unpaid import still_due
from hub.obligation_lookups import in_pairs
from hub.reading import Reader
from hub.windows import parent_of

_Key = tuple[int, int, str]  # of a net: window, institution, currency
TOLD_MAX: Final = 100  # acts that are named
_ACT = frozenset({Purpose.SETTLEMENT, Purpose.FEE})
_PURPOSES = ", ".join(str(int(one)) for one in (*sorted(_ACT), Purpose.ROUNDING, Purpose.DEFAULT, Purpose.EXCHANGE))
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
_TIMES = f"SELECT batch, at FROM journal_entry WHERE journal_id = {JOURNAL_ID} AND batch = ANY($1::bigint[])"
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
    opening of the first window that is not settled.

    Raises:
        NotTried: a window of the period is of a model that nets in pairs or pays at once; what each two owed one
            another at every instant is not gone through again.
    """
    every = list((await window_rows.windows(reader.connection, literal(True))).values())
    if since is None or since > reader.at:
        since = min((one.opened_at for one in every if one.status is not WindowStatus.SETTLED), default=reader.at)
    _check_models(reader, every, since)
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


def _check_models(reader: Reader, every: list[Window], since: datetime) -> None:
    for one in every:
        if in_pairs(reader.configuration, one.model) and (one.settled_at is None or one.settled_at >= since):
            raise NotTried(model=one.model)


@dataclass(frozen=True, slots=True)
class _End:
    """A net takes effect as settled, with a movement: of its ``amount`` nothing is left in its window."""

    movement: int
    window: int
    node: int
    amount: int


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
        self._opened = [one.id for one in every]  # by ordinal, and so by identifier
        nodes, ordinals = reader.configuration.institutions, {one.ordinal for one in live}
        self._below = {one for one in nodes for ordinal in ordinals if node in settlement_path(nodes, one, ordinal)}
        self._accounts: list[int] = []
        self._ends: list[_End] = []

    @property
    def exposure(self) -> int:
        """What the subtree owes at this point of the course."""
        return self._book.exposure(self._node, self._currency)

    async def begin(self) -> None:
        """Find which legs matter, and what was owed outside of all windows before them."""
        await self._load_ends()
        driver = driver_of(self._reader.connection)
        self._accounts = [row["id"] for row in await driver.fetch(_ACCOUNTS, [*self._below], self._currency)]
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

    async def _load_ends(self) -> None:
        """Find with which movements the nets that count in the exposure took effect as settled."""
        connection, configuration = self._reader.connection, self._reader.configuration
        listed = await window_rows.payable_nets(connection, self._book.windows)
        settled = await _Settled.load(self._reader, self._book.windows)
        for id, window in self._book.windows.items():
            nets = {(net.institution, net.currency): net for net in listed.get(id, ())}
            for node in self._below:
                net = nets.get((node, self._currency))
                top = node
                while (above := parent_of(configuration, window, top)) is not None:
                    top = above
                came = 0 if net is None else net.payable if top == node else net.net
                if net is None or not came or (top != node and node != self._node):
                    continue
                mine = [one for one in nets.values() if one.institution == top and one.payable]
                of_top = nets.get((top, self._currency))
                if of_top is None or not (of_top.net or of_top.payable) or not mine:  # it came to nothing in a set-off
                    after = window.number + 1
                    following = (one for one in self._book.settled_windows.values() if one.model == window.model)
                    movement = next((one.id for one in following if one.number == after), None)
                else:
                    movement = settled.with_all(mine if window.together else [of_top])
                if movement is not None:
                    amount = came if top != node else still_due(settled.defaults.values(), net)
                    self._ends.append(_End(movement, id, node, amount))
        self._ends.sort(key=lambda end: end.movement)

    async def course(self) -> AsyncIterator[_Step]:
        """Every movement that touches the exposure, in order."""
        driver = driver_of(self._reader.connection)
        batches = [end.movement >> PLACES_BITS for end in self._ends]
        times = {row["batch"]: row["at"] for row in await driver.fetch(_TIMES, batches)}
        ends, group = deque(self._ends), list[Any]()
        async for leg in driver.cursor(f"{_LEGS}{_ORDER}", self._first, self._accounts, prefetch=_PAGE_ROWS):
            if group and leg["movement_id"] != group[0]["movement_id"]:
                yield self._take(group)
                group = []
            while ends and ends[0].movement < leg["movement_id"]:
                yield self._end(ends[0], times[ends.popleft().movement >> PLACES_BITS])
            group.append(leg)
        if group:
            yield self._take(group)
        for end in ends:
            yield self._end(end, times[end.movement >> PLACES_BITS])

    def _end(self, end: _End, at: datetime) -> _Step:
        before, draft = self.exposure, Draft(self._book)
        if parent_of(self._book.configuration, self._book.windows[end.window], end.node) is None:
            draft.count_money(end.window, end.node, self._currency, -end.amount)
            self._apply(draft)
        else:
            self._book.position((end.window, end.node, self._currency)).subtree -= end.amount
        return _Step(end.movement, MovementKind.SETTLE, at, before, self.exposure, is_bound=False)

    def _apply(self, draft: Draft) -> None:
        for key, change in draft.positions.items():
            self._book.position(key).subtree += change
        for key, (apart, gross) in draft.aparts.items():
            position = self._book.position(key)
            position.apart += apart
            position.gross += gross

    def _take(self, legs: list[Any]) -> _Step:
        before, draft = self.exposure, Draft(self._book)
        for leg in legs:
            self._count(draft, leg)
        self._apply(draft)
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
        """The window that was the newest at a movement."""
        return self._opened[bisect(self._opened, movement) - 1]


class _Settled:
    """With which movements nothing of a net was due any more."""

    def __init__(
        self, paid: dict[_Key, int], defaults: dict[int, Default], steps: dict[int, list[DefaultStep]]
    ) -> None:
        self._paid = paid
        self.defaults = defaults
        self._steps = steps

    @classmethod
    async def load(cls, reader: Reader, windows: Collection[int]) -> Self:
        """Those of the nets of windows."""
        confirmed = await window_rows.confirmations(reader.connection, windows)
        of_them = tables.settlement_default.c.window_id.in_(windows)
        defaults = await default_rows.defaults(reader.connection, reader.configuration, of_them)
        steps = await unpaid_nets.steps(reader, defaults) if defaults else {}
        return cls({(one.window, one.institution, one.currency): one.movement for one in confirmed}, defaults, steps)

    def with_all(self, nets: list[Net]) -> int | None:
        """The last of these movements; None: something is due."""
        found = [self._with(net) for net in nets]
        return None if None in found else max(one for one in found if one is not None)

    def _with(self, net: Net) -> int | None:
        """That of one net: it was paid, declared unpaid, or cut to nothing."""
        paid = self._paid.get((net.window, net.institution, net.currency))
        if paid is not None or still_due(self.defaults.values(), net):
            return paid
        kind = DefaultStepKind.DECLARED if net.payable < 0 else DefaultStepKind.CUT
        return max(
            step.movement
            for default in self.defaults.values()
            if (default.window, default.currency) == (net.window, net.currency)
            and (net.payable > 0 or default.institution == net.institution)
            for step in self._steps[default.id]
            if step.kind is kind and step.movement is not None
        )
