"""One course of the matrix: an act that needs partners, a fault at each of some steps, and the process gone at one
point; then nothing else is wrong, until the act has ended or two persons decide, and everybody's books agree.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Any

from hub.currencies import PartnerState
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.orders import UNDER_WAY, ExchangeState
from hub.ledger.records import AccountKind
from hub.partners import Message, Operation
from tests.exchange import seeds
from tests.exchange.played import MEMBERS, Books
from tests.exchange.scripted import PARTNERS, WELL, Fault, Script, ScriptedLine, Step
from tests.exchange.seeds import History, Process
from tests.exchange.virtual import Loop, Time, run
from tests.hub.ledger.test_exchanges import conversion
from tests.properties import invariants
from tests.properties.world import START
from tests.simulation.doors import Death, Killed
from tests.simulation.memory import Memory

STOPPED_S, PAUSED_S = 30, 10  # longer than a lease of the seeds; and shorter, but longer than absence is doubted
QUIET_S = 40  # in which whoever was stopped comes back, and whatever is told late comes
LATER = Fault(pending_s=60, refused=True)  # of the order that is under way when one who was stopped comes back
AL, LI, HAN = Party("AIR", MEMBERS[0]), Party("AIR", MEMBERS[1]), Party("HOTEL", MEMBERS[0])
ALICE = Party("BANK", MEMBERS[0])


@dataclass(frozen=True)
class Way:
    """An act that needs partners. ``moves``: by how much each currency's customer has more when it is complete.
    ``meanwhile``: what happens once it is accepted. ``after``: the way of an act that was completed before. ``holds``:
    whether the airline holds points."""

    command: Callable[[History], commands.Keyed]
    moves: dict[str, int]
    meanwhile: Callable[[History], Sequence[commands.Command]] = lambda history: ()
    after: str | None = None
    holds: bool = False


def _converts(source: Party, target: Party, pair: str, amount: int) -> Callable[[History], commands.Keyed]:
    return lambda history: conversion(history.operator, source, target, pair, str(amount))


def _redeems(history: History) -> commands.Keyed:
    return commands.Redeem(
        actor=history.operator.admin, key="a", currency="MILE", amount="60", memo=None, customer=AL, merchant="SHOP"
    )


def _transfers(history: History) -> commands.Keyed:
    return commands.Transfer(
        actor=history.operator.admin, key="a", currency="MILE", amount="60", memo=None, source=AL, target=LI
    )


def _issues(history: History) -> commands.Keyed:
    actor = history.operator.admin
    return commands.Issue(
        actor=actor, key="a", currency="MILE", amount="60", memo=None, to=AL, earned_at=None, expires_at=None
    )


def _reverses(history: History) -> commands.Keyed:
    [of] = history.memory.rows["exchange"].values()
    return commands.Reverse(actor=history.operator.admin, key="r", id=of["id"], amount=None, reason="returned")


WAYS = {
    "from a partner to another": Way(_converts(AL, HAN, "MILE>STAY", 200), {"MILE": -200, "STAY": 300}),  # 200 × 3/2
    "from the hub to a partner": Way(_converts(ALICE, AL, "BP>MILE", 500), {"BP": -500, "MILE": 20}),  # 500 / 25
    "from a partner to the hub": Way(_converts(AL, ALICE, "MILE>BP", 20), {"MILE": -20, "BP": 400}),  # 20 × 20
    "from a partner to who has left": Way(
        _converts(AL, ALICE, "MILE>BP", 20),
        {"MILE": -20},
        lambda history: [
            commands.CloseCustomer(actor=history.operator.admin, key="bye", customer=ALICE, reason="leaves")
        ],
    ),
    "redeemed": Way(_redeems, {"MILE": -60}),
    "transferred": Way(_transfers, {"MILE": 0}),
    "issued": Way(_issues, {"MILE": 60}),
    "from a partner that holds to another": Way(
        _converts(AL, HAN, "MILE>STAY", 200), {"MILE": -200, "STAY": 300}, holds=True
    ),
    "reversed": Way(_reverses, {"MILE": 200, "STAY": -300}, after="from a partner to another"),
}


class Place(Enum):
    """Where in a step the process is gone."""

    BEFORE_INTENT = "before the intent is committed"
    BEFORE_CALL = "after the intent, before the call"
    BEFORE_RESULT = "after the call, before the result"
    BEFORE_ANSWER = "after the result is committed, before anybody is told"


class How(Enum):
    """How the process is gone."""

    KILLED = "killed"
    STOPPED = "stopped for longer than its lease"
    PAUSED = "stopped, and back within its lease"


STOPS = (How.STOPPED, How.PAUSED)


@dataclass(frozen=True)
class Cell:
    """One course. ``script``: the fault at each step, the last one is the cell's. ``gone``: at which point of the
    course the process is, counted from its beginning; ``death``: at which point of the batch that accepts."""

    way: str
    partner: str
    script: tuple[tuple[Step, str], ...] = ()
    how: How | None = None
    gone: int | None = None
    death: Death | None = None

    def __str__(self) -> str:
        faults = "; ".join(f"{step!r}: {name}" for step, name in self.script) or "nothing wrong"
        gone = f"; {self.how.value} at point {self.gone}" if self.how is not None else ""
        dies = "" if self.death is None else f"; accepted by who dies {self.death.value}"
        return f"{self.way}, partners {self.partner}: {faults}{gone}{dies}"


class Wrong(Exception):
    """A cell went wrong; its name says which."""

    def __init__(self, cell: Cell, error: BaseException) -> None:
        super().__init__(f"{cell}: {error!r:.2000}")
        self.cell = cell


@dataclass(frozen=True)
class Point:
    """A place where a process waited. ``state``: what anybody could know after its end; ``place``: by step."""

    number: int
    name: str
    state: tuple[Any, ...]
    under_way: Step | None
    placed: frozenset[Step]
    struck: frozenset[Step]


class Watched(Process):
    """A process that may be gone at one point."""

    history: "Course"
    back: asyncio.Event  # of who is stopped

    async def point(self, name: str) -> None:
        await self.history.pass_(self, name)

    async def partner(self, currency: str, name: str, sealed: str, /) -> Any:
        await self.point("before connecting")
        return self.history.connected(self, currency)


class Course(History):
    """One cell's course of events."""

    def __init__(self, cell: Cell, loop: Loop, time: Time) -> None:
        self.cell = cell
        self.way = WAYS[cell.way]
        later = LATER if cell.how in STOPS else WELL
        tested = {step.state for step, _ in cell.script}
        self.script = Script(dict(cell.script), lambda step: WELL if step.state in tested or step.asked else later)
        self.points: list[Point] = []
        self.gone = False
        world = seeds.founded(holds=self.way.holds)
        start = started(cell.way)
        memory = start.memory if cell.death is not None else accepted(cell.way)
        super().__init__(0, loop, memory.copy(), world.hub, time)
        self.books = {code: self._partner(code, start.books.get(code)) for code in self.books}
        self.peace = True

    def _partner(self, code: str, of: Books | None) -> Books:
        books = Books(code, self.dice, self.time, PARTNERS[self.cell.partner], self.saw, self.told, {})
        books.members = dict.fromkeys(MEMBERS, 3000)
        books.peace = True
        if of is not None:
            books.members, books.kept, books.done = dict(of.members), dict(of.kept), Counter(of.done)
            books.net, books.undone, books.over = of.net, Counter(of.undone), set(of.over)
        return books

    def begin(self) -> None:
        self.processes.append(Watched(self, self.calls()))

    def connected(self, process: Process, code: str) -> ScriptedLine:
        """A currency's partner, for the order that is under way."""
        sent = self.under_way()
        if sent is not None:
            self.script.connect(sent._replace(asked=sent in self.script.struck), self.time.now())
        return ScriptedLine(self.books[code], self.script, process.point)

    def told(self, books: Books, message: Message) -> None:
        if alive := [process for process in self.alive() if not process.is_ending]:
            self.beside.append(asyncio.create_task(self._heard(alive[0], books, message)))

    # --- where it is --------------------------------------------------------------------------------------------------

    def exchange(self) -> Any:
        """The last exchange's row, if it was begun."""
        rows = self.memory.rows["exchange"].values()
        return (
            max(rows, key=lambda row: row["id"])
            if len(rows) > len(started(self.cell.way).memory.rows["exchange"])
            else None
        )

    def under_way(self) -> Step | None:
        """What is asked of a partner."""
        row = self.exchange()
        if row is None or row["order_reference"] is None:
            return None
        reference = row["order_reference"]
        if reference not in self.script.sent:
            _, order = self._books_of(reference)
            self.script.sent[reference] = Step(ExchangeState(row["state"]), Operation(order["operation"]))
        return self.script.sent[reference]

    async def pass_(self, process: Watched, name: str) -> None:
        """Come by a point: it is noted, and the process may be gone there."""
        if not self.gone:
            self.note(name)
            if self.cell.gone == len(self.points):
                self._be_gone(process)
        while process.is_dead:
            await asyncio.get_running_loop().create_future()
        if process.is_ending:  # it is stopped
            await process.back.wait()

    def note(self, name: str) -> None:
        rows = self.memory.rows
        [head] = rows["journal_head"].values()
        call = next(iter(rows["partner_call"].values()), None)
        known = None if call is None else (call["leased_until"] is None, call["sent_at"] is None, call["status"])
        kept = frozenset(one for books in self.books.values() for one in books.kept)
        struck = frozenset(self.script.struck)
        under_way = self.under_way()
        state = (head["batch"], known, kept, struck, len(rows["partner_incident"]))
        self.points.append(
            Point(len(self.points) + 1, name, state, under_way, frozenset(self.script.sent.values()), struck)
        )

    def _be_gone(self, process: Watched) -> None:
        self.gone = True
        self.begin()
        if self.cell.how is How.KILLED:
            process.is_dead = True
        else:
            process.is_ending, process.back = True, asyncio.Event()
            seconds = STOPPED_S if self.cell.how is How.STOPPED else PAUSED_S
            asyncio.get_running_loop().call_later(seconds, self._come_back, process)

    def _come_back(self, process: Watched) -> None:
        process.is_ending = False
        process.back.set()

    # --- what happens -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        if self.cell.death is not None:
            await self._accept(self.cell.death)
        self.begin()
        await self._until_quiet()
        self.check_case()
        while self._open():  # what two persons decide may ask for more
            self.check()
            await self._decide()
            await self._until_quiet()
        self.check_end()
        for process in self.alive():
            await process.exchange.close()

    async def _accept(self, death: Death) -> None:
        """Ask whoever dies of it, and again."""
        command, door = self.way.command(self), self.door()
        try:
            door.turn([command], death)
        except Killed:
            assert (self.exchange() is None) == (death is not Death.COMMITTED), "half a batch"
        [again] = door.turn([command])
        assert isinstance(again, Outcome)
        assert again.replayed == (death is Death.COMMITTED)
        before = started(self.cell.way).memory
        assert len(self.memory.rows["exchange"]) == len(before.rows["exchange"]) + 1

    async def _until_quiet(self) -> None:
        ending = asyncio.create_task(self._end_halts())
        async with asyncio.timeout(seeds.PEACE_S):
            while not all(self._waits_for_persons(row) for row in self._open()):  # noqa: ASYNC110 - time is not real
                await asyncio.sleep(5)
        await asyncio.sleep(QUIET_S if self.cell.how in STOPS or self.script.is_late else 1)
        ending.cancel()
        for task in self.beside:
            if task.done():
                task.result()

    async def _end_halts(self) -> None:
        """The operator has looked."""
        while True:
            await asyncio.sleep(10)
            for code in self.books:
                of = self.configuration(self.operator.engine).currency(code)  # type: ignore[arg-type]
                if of.partner is PartnerState.HALTED:
                    await self._set(code, PartnerState.ACTIVE)

    # --- checks -------------------------------------------------------------------------------------------------------

    def check_case(self) -> None:
        """What has not ended is in doubt, and is asked for by somebody."""
        row = self.exchange()
        state = ExchangeState(row["state"])
        if state in UNDER_WAY:
            assert row["in_doubt"]
            assert [key[1] for key in self.memory.rows["partner_call"]] == [row["order_reference"]]
            assert self._waits_for_persons(row), "it could have been known"

    def check_end(self) -> None:
        """All of it is done, or nothing; everywhere, and once."""
        super().check_end()
        state, moves = ExchangeState(self.exchange()["state"]), self.way.moves
        done = state is ExchangeState.COMPLETED
        start, began = started(self.cell.way), accepted(self.cell.way)
        for code, moved in moves.items():
            had = start.books.get(code)
            net = 0 if had is None else had.net
            books = self.books.get(code)
            change = _hosted(self.memory, code) - _hosted(start.memory, code) if books is None else books.net - net
            assert change == (moved if done else 0), f"{code} changed by {change}"
        assert not _sum(self.memory, "debits_pending"), "money is still pending"
        owed = _sum(self.memory, "debits_posted") - _sum(start.memory, "debits_posted")
        assert owed == (_sum(began, "debits_pending") if done else 0), f"{owed} are owed"


def _sum(memory: Memory, column: str) -> int:
    return sum(row[column] for row in memory.rows["account"].values() if row["kind"] == AccountKind.POSITION)


def _hosted(memory: Any, code: str) -> int:
    rows = memory.rows["account"].values()
    return sum(
        invariants.balance(row) for row in rows if (row["kind"], row["currency"]) == (AccountKind.CUSTOMER, code)
    )


@dataclass(frozen=True)
class Start:
    """Where an act is asked for."""

    memory: Memory
    books: dict[str, Books]


@cache
def started(way: str) -> Start:
    """Where the acts of a way begin."""
    after = WAYS[way].after
    if after is None:
        return Start(seeds.founded(holds=WAYS[way].holds).database, {})
    done = play(Cell(after, next(iter(PARTNERS))))
    return Start(done.memory, done.books)


@cache
def accepted(way: str) -> Memory:
    """Where the courses of a way begin: it is accepted, and nothing is asked yet."""
    made = Course(Cell(way, next(iter(PARTNERS)), death=Death.COMMITTED), loop := Loop(), _time(loop, way))
    loop.close()
    door = made.door()
    for command in (WAYS[way].command(made), *WAYS[way].meanwhile(made)):
        [outcome] = door.turn([command])
        assert isinstance(outcome, Outcome)
        assert outcome.refusal is None
    return made.memory


def _time(loop: Loop, way: str) -> Time:
    return Time(loop, START + timedelta(days=1 if WAYS[way].after is None else 2))


def play(cell: Cell) -> Course:
    """One cell's course, to its end.

    Raises:
        Wrong: with the cell and what was wrong.
    """
    loop = Loop()
    course = Course(cell, loop, _time(loop, cell.way))
    try:
        with seeds.timed(course.time):
            run(loop, course.run())
    except Exception as error:
        raise Wrong(cell, error) from error
    return course
