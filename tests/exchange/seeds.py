"""Seeds: one seed is one course of exchanges, which no clock and no scheduler of the machine can change.

The exchange's own loop runs over the ledger's own code, on a database in memory and in time that is the seed's. Several
processes take calls; each may pause or die wherever it waits. Partners do whatever the port allows (``played.py``). At
last there is peace: everything works, halts are ended, and what nobody will ever know is decided by two persons, or
left. Then every conversion has ended or is in doubt, and the hub's books say what the partners' books say.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from purgatory.domain import model as breaking

from hub import clock, exchange
from hub.access import Role
from hub.channels import Channel
from hub.currencies import PartnerState
from hub.errors import SameApprover
from hub.exchange import Exchange, Patience
from hub.institutions import OPERATOR_CODE
from hub.ledger import commands, rows
from hub.ledger.commands import Party
from hub.ledger.orders import OWED, UNREFUSABLE
from hub.ledger.records import ACCEPTED, AccountKind, MovementKind
from hub.ledger.waiting import Answer, result
from hub.limits import Act
from hub.partners import Capabilities, Message, NotProven, Operation, Order, PartnerUnavailable, Status
from tests.conftest import Hub
from tests.exchange.doubles import Calls
from tests.exchange.played import MEMBERS, Books, Line
from tests.exchange.virtual import Loop, Time
from tests.exchange.virtual import run as run_on
from tests.hub.ledger.test_exchanges import conversion, network
from tests.properties import invariants
from tests.properties.world import START, Clock
from tests.simulation.doors import Door, hub_at, set_up
from tests.simulation.memory import Memory, at_once

PATIENCE = Patience(
    retry=timedelta(milliseconds=200),
    retry_max=timedelta(seconds=8),
    nightly=timedelta(seconds=10),
    lease=timedelta(seconds=15),
    give_up=timedelta(seconds=50),
    rest=timedelta(seconds=3),
)
CHAOS_S = 60  # in which new conversions begin
PEACE_S = 3_000  # in which everything has to end
PROCESSES = 2
COMPLETES = frozenset(ACCEPTED.values()) - {MovementKind.REVERSE}
SLEEPS = ("before connecting", "before reporting")  # where a process is often stopped for longer than its lease
ENDED = ("COMPLETED", "REFUSED", "REVERSED")


class Found(Exception):
    """A seed went wrong; it repeats it."""

    def __init__(self, seed: int, error: BaseException) -> None:
        super().__init__(f"seed {seed}: {error!r:.2000}\n(python -m tests.exchange {seed} repeats it)")
        self.seed = seed


@dataclass(frozen=True)
class World:
    """Where seeds begin."""

    database: Memory
    hub: Hub


async def found(hub: Hub) -> None:
    """A bank that the hub keeps the points of, and two partners; with a cap and a limit that are sometimes reached."""
    await network(hub)
    for member in MEMBERS:
        await hub.issue("BP", "BANK", member, "20000")
    await hub.institution("SHOP")
    await hub.cap("AIR", "400")
    await hub.limit("MILES-OUT", "1500", currency="MILE", act=Act.CONVERT)


@cache
def founded(*, holds: bool = False) -> World:
    """The world, made once; ``holds``: its airline holds points."""
    hub = set_up(Clock(START))
    door: Any = hub.engine
    at_once(_founded(hub, holds=holds))
    return World(door.database, hub)


async def _founded(hub: Hub, *, holds: bool) -> None:
    hub.second, _ = await hub.key(OPERATOR_CODE, Role.OPERATOR_ADMIN, person="second")
    await found(hub)
    if holds:
        told = commands.Connection("{}", 6, tuple(sorted(Operation)))
        await hub.do(commands.SetAdapterConfig(actor=hub.admin, currency="MILE", connection=told))


class Process:
    """One process of the hub: its exchange, and its door to the ledger. It is everything that the exchange is given."""

    def __init__(self, history: "History", calls: Calls) -> None:
        self.history = history
        self.is_dead = False
        self.is_ending = False
        self.door = history.door()
        self.calls = calls
        self._woken: list[tuple[asyncio.Event, tuple[Channel, ...]]] = []
        calls.point = self.point  # type: ignore[method-assign]
        everything: Any = self
        dice = random.Random(history.dice.random())
        self.exchange = Exchange(calls, everything, everything, everything, everything, everything, PATIENCE, dice)  # type: ignore[arg-type]
        self.exchange.start()

    async def point(self, name: str) -> None:
        """A process may stop here for a while, or for ever."""
        history = self.history
        if not (self.is_dead or self.is_ending or history.peace):
            draw, at = history.dice.random(), "reading" not in name and history.deadliness
            asleep = name in SLEEPS and history.sleepiness
            if draw < at:
                history.saw(f"killed {name}")
                self.is_dead = True
                history.begin_later()
            elif draw < 2 * at + asleep:
                history.saw(f"stopped {name}")
                await asyncio.sleep(history.dice.choice([0.1, 3, 20, 40]))
        while self.is_dead:
            await asyncio.get_running_loop().create_future()

    # --- the engine ---------------------------------------------------------------------------------------------------

    @property
    def configuration(self) -> Any:
        return self.door.configuration

    async def submit(self, batch: Sequence[commands.Command]) -> list[Answer]:
        await self.point("before reporting")
        answers = self.door.turn(batch)
        self.history.committed()
        await self.point("after reporting")
        return answers

    async def ask(self, command: commands.Command) -> Any:
        [answer] = await self.submit([command])
        return result(answer)

    # --- reading, updates, counting, connections ----------------------------------------------------------------------

    async def refresh(self) -> None:
        await self.point("before reading")
        self.door.configuration = self.history.configuration(self.door)

    @asynccontextmanager
    async def subscribe(self, *channels: Channel) -> AsyncIterator[AsyncIterator[None]]:
        woken = asyncio.Event()
        self._woken.append((woken, channels))

        async def told() -> AsyncIterator[None]:
            while True:
                await woken.wait()
                woken.clear()
                yield None

        yield told()

    def wake(self, announced: frozenset[Channel]) -> None:
        for woken, channels in self._woken:
            if not announced.isdisjoint(channels):
                woken.set()

    def called(self, status: Status) -> None:
        self.history.saw(f"called {status}")

    async def partner(self, currency: str, name: str, sealed: str, /) -> Line:
        await self.point("before connecting")
        books = self.history.books[currency]
        if books.down_until is not None and books.time.now() < books.down_until and not books.peace:
            raise PartnerUnavailable("down")
        return Line(books, self.point)


class History:
    """One seed's course of events; a ``sleepy`` one is of many processes that are stopped, and of nothing worse."""

    def __init__(self, seed: int, loop: Loop, memory: Memory, hub: Hub, time: Time, *, sleepy: bool = False) -> None:
        self.dice = random.Random(seed)
        self.memory, self.time, self._hub = memory, time, hub
        self.seen: Counter[str] = Counter()
        self.saw: Callable[[str], None] = lambda what: self.seen.update([what])
        self.peace = False
        self.deadliness = self.dice.choice([0, 0.005, 0.03])
        self.sleepiness = self.dice.choice([0, 0, 0.2])
        if sleepy:
            self.deadliness, self.sleepiness = 0, 0.4
        self.books = {code: Books.drawn(code, self.dice, time, self.saw, self.told) for code in ("MILE", "STAY")}
        self.processes: list[Process] = []
        self.beside: list[asyncio.Task[None]] = []
        self.operator = hub_at(self.door(), hub.admin, hub.second)
        self.keys = 0

    # --- what it runs on ----------------------------------------------------------------------------------------------

    def door(self) -> Door:
        door = Door(self.memory, self.time)  # type: ignore[arg-type]
        door.configuration = self._hub.engine.configuration
        return door

    def calls(self) -> Calls:
        return Calls(self.memory)

    def configuration(self, door: Door) -> Any:
        [head] = self.memory.rows["journal_head"].values()
        database: Any = self.memory
        return at_once(rows.refresh(database, door.configuration, head["configuration_version"]))

    def committed(self) -> None:
        announced = frozenset(self.memory.announced)
        self.memory.announced.clear()
        for process in self.processes:
            process.wake(announced)

    def begin(self) -> None:
        self.processes.append(Process(self, self.calls()))

    def begin_later(self) -> None:
        asyncio.get_running_loop().call_later(self.dice.uniform(0, 20), self.begin)

    def alive(self) -> list[Process]:
        return [process for process in self.processes if not process.is_dead]

    # --- what happens -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """All of it."""
        for code, books in self.books.items():
            await self._declare(code, books.capabilities)
        for _ in range(self.dice.randint(1, PROCESSES)):
            self.begin()
        for at in sorted(self.dice.uniform(0, CHAOS_S) for _ in range(self.dice.randint(4, 14))):
            await asyncio.sleep(max(0, at - asyncio.get_running_loop().time()))
            await self._something()
        await asyncio.sleep(self.dice.choice([0, 5, 60]))
        await self._make_peace()
        for _ in range(3):  # what two persons decide may ask for more
            await self._until_quiet()
            self.check()
            await self._decide()
        await self._until_quiet()
        self.check_end()
        for process in self.alive():
            await process.exchange.close()

    async def _declare(self, code: str, can: Capabilities) -> None:
        """The hub is told what a partner does."""
        told = commands.Connection("{}", 6, tuple(sorted(can.operations)), tuple(sorted(can.partial)))
        await self.operator.do(commands.SetAdapterConfig(actor=self._hub.admin, currency=code, connection=told))

    async def _something(self) -> None:
        dice = self.dice
        match dice.randrange(10):
            case 0:
                books = self.books[dice.choice(["MILE", "STAY"])]
                books.down_until = self.time.now() + timedelta(seconds=dice.choice([2, 20, 80]))
                self.saw("down")
            case 1:
                await self._close_window()
            case 2 if alive := self.alive():
                ending = dice.choice(alive)
                ending.is_ending = True
                await ending.exchange.close()
                ending.is_dead = True
                self.saw("ended")
                self.begin_later()
            case 3:
                code = dice.choice(["MILE", "STAY"])
                await self._set(code, dice.choice([*PartnerState, PartnerState.ACTIVE, PartnerState.ACTIVE]))
            case 4 | 5:
                await self._ask(dice.choice([self._redemption, self._transfer, self._issue])())
            case 6:
                await self._reverse()
            case _:
                for _ in range(dice.randint(1, 3)):
                    await self._convert()

    async def _convert(self) -> None:
        pair = self.dice.choice(["MILE>STAY", "MILE>STAY", "BP>MILE", "MILE>BP"])
        member = {"BP": "BANK", "MILE": "AIR", "STAY": "HOTEL"}
        source, target = (Party(member[code], self.dice.choice(MEMBERS)) for code in pair.split(">"))
        hosted = pair.startswith("BP")
        amount = 25 * self.dice.randint(1, 80) if hosted else 2 * self.dice.randint(1, 400)
        self.keys += 1
        await self._ask(conversion(self._hub, source, target, pair, str(amount), key=f"c{self.keys}"), pair)

    async def _ask(self, asked: commands.Keyed, what: str = "") -> None:
        outcome = await self.operator.try_(asked)
        name = what or type(asked).__name__
        self.saw(f"asked {name}" if outcome.refusal is None else outcome.refusal.code)
        self.committed()

    def _party(self, code: str) -> Party:
        return Party({"MILE": "AIR", "STAY": "HOTEL"}[code], self.dice.choice(MEMBERS))

    def _terms(self) -> dict[str, Any]:
        self.keys += 1
        code, amount = self.dice.choice(["MILE", "STAY"]), str(self.dice.randint(1, 800))
        return {"actor": self._hub.admin, "key": f"a{self.keys}", "currency": code, "amount": amount, "memo": None}

    def _redemption(self) -> commands.Redeem:
        terms = self._terms()
        return commands.Redeem(**terms, customer=self._party(terms["currency"]), merchant="SHOP")

    def _transfer(self) -> commands.Transfer:
        terms = self._terms()
        return commands.Transfer(**terms, source=self._party(terms["currency"]), target=self._party(terms["currency"]))

    def _issue(self) -> commands.Issue:
        terms = self._terms()
        return commands.Issue(**terms, to=self._party(terms["currency"]), earned_at=None, expires_at=None)

    async def _reverse(self) -> None:
        """Something that was done, or a part of it; all the same if it was reversed before, or is being."""
        rows = self.memory.rows
        reversals = {one["id"] for one in rows["movement"].values() if one["kind"] == MovementKind.ACCEPT_REVERSE}
        done = [row["id"] for row in rows["exchange"].values() if row["state"] == "COMPLETED"]
        if acts := [id for id in done if id not in reversals]:
            self.keys += 1
            part = self.dice.choice([None, None, str(self.dice.randint(1, 200))])
            actor, of = self._hub.admin, self.dice.choice(acts)
            await self._ask(commands.Reverse(actor=actor, key=f"r{self.keys}", id=of, amount=part, reason="returned"))

    async def _close_window(self) -> None:
        [window] = [one["id"] for one in self.memory.rows["settlement_window"].values() if one["status"] == "OPEN"]
        self.keys += 1
        await self.operator.do(commands.CloseWindow(actor=self._hub.admin, key=f"w{self.keys}", window=window))
        self.saw("window closed")
        self.committed()

    async def _set(self, code: str, state: PartnerState) -> None:
        change = commands.SetPartnerState(actor=self._hub.admin, currency=code, state=state, reason="so")
        await self.operator.do(change)
        self.saw(f"partner {state}")
        self.committed()

    def told(self, books: Books, message: Message) -> None:
        """A partner calls the hub: some process of it, or nobody if there is none."""
        if alive := self.alive():
            process = self.dice.choice(alive)
            if self.dice.random() < 0.05:
                message = Message("POST", "/", (), message.body)
            self.beside.append(asyncio.create_task(self._heard(process, books, message)))

    async def _heard(self, process: Process, books: Books, message: Message) -> None:
        of = process.configuration.currency(books.code)
        if of is None:
            return
        with suppress(NotProven, PartnerUnavailable):
            await process.exchange.heard(of, message)
            self.saw("heard")

    # --- peace --------------------------------------------------------------------------------------------------------

    async def _make_peace(self) -> None:
        self.peace = True
        for code, books in self.books.items():
            books.peace = True
            await self._set(code, PartnerState.ACTIVE)
        self.begin()

    async def _until_quiet(self) -> None:
        """Until nothing is under way but what nobody will ever know."""
        async with asyncio.timeout(PEACE_S):
            while not all(self._waits_for_persons(row) for row in self._open()):
                await asyncio.sleep(5)
                await self._go_on()
        await asyncio.sleep(30)  # what is at a call puts it back
        for task in self.beside:
            if task.done():
                task.result()

    async def _go_on(self) -> None:
        """The operator lets partners go on that an answer from before the peace has halted."""
        known = [of for process in self.alive() for of in process.configuration.currencies.values()]
        for code in sorted({of.code for of in known if of.partner is PartnerState.HALTED}):
            await self._set(code, PartnerState.ACTIVE)

    def _open(self) -> list[Any]:
        return [row for row in self.memory.rows["exchange"].values() if row["order_reference"] is not None]

    def _books_of(self, reference: str) -> tuple[Books, Any]:
        [order] = [one for one in self.memory.rows["partner_order"].values() if one["reference"] == reference]
        return self.books[order["currency"]], order

    def _waits_for_persons(self, row: Any) -> bool:
        """Whether the partner never tells, can neither be asked nor be told again, or will not do what is owed."""
        reference = row["order_reference"]
        books, order = self._books_of(reference)
        kept, can = books.kept.get(reference), books.capabilities
        never = reference in books.muted or (not can.status and not can.idempotent)
        lost = kept is None and not can.idempotent  # and so is not sent again
        refused = kept is not None and kept.outcome is Status.REFUSED and order["undoes"] not in books.over
        waits = (lost or refused) and row["state"] in OWED
        return bool(row["in_doubt"]) and (never or waits)

    async def _decide(self) -> None:
        """Two persons look at the partner's books, and say what they found."""
        for row in self._open():
            if self.dice.random() < 0.2:
                self.saw("left in doubt")
                continue
            books, order = self._books_of(row["order_reference"])
            if row["state"] in UNREFUSABLE:
                books.by_hand(_asked(order))
            elif row["state"] in OWED:  # a capture: if it was not done, its people end the hold
                books.end_hold(order["undoes"])
            actor, second = self._hub.admin, self._hub.second
            done = books.done[order["reference"]] > 0
            said = commands.AddEvidence(actor=actor, exchange=row["id"], done=done, text="Seen in its books.")
            await self.operator.do(said)
            proposal = max(one["id"] for one in self.memory.rows["exchange_evidence"].values())
            alone = commands.ApproveEvidence(actor=actor, exchange=row["id"], proposal=proposal)
            refused = await self.operator.try_(alone)
            assert isinstance(refused.refusal, SameApprover)
            await self.operator.do(commands.ApproveEvidence(actor=second, exchange=row["id"], proposal=proposal))
            self.saw(f"decided {row['state']} {done}")
            self.committed()

    # --- checks -------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The tables agree with themselves, and with the partners' books but for what is under way."""
        tables = self.memory.state()
        invariants.check_tables(tables)
        twice = [(one, times) for books in self.books.values() for one, times in books.done.items() if times > 1]
        assert not twice, f"done twice: {twice}"
        self._check_orders(tables)
        told: Counter[str] = Counter()
        on_its_way: Counter[str] = Counter()
        conversions = {row["id"]: row for row in tables["conversion"]}
        reversed_ones = self._reversed(tables)
        for row in tables["exchange"]:
            reference = row["order_reference"]
            under_way = "IN_DOUBT" if row["in_doubt"] else "PENDING"
            if (made := conversions.get(row["id"])) is not None:
                stands = "REVERSED" if row["id"] in reversed_ones else row["state"]
                assert made["status"] == (stands if reference is None else under_way)
            if reference is None:
                continue
            books, order = self._books_of(reference)
            told[books.code] += books.done[reference] * self._moved(order)
            if row["taken"] is not None and not row["taken"].endswith("-H"):  # what is held is not
                [taken] = [one for one in tables["partner_order"] if one["reference"] == row["taken"]]
                on_its_way[taken["currency"]] += taken["amount"]
        of = {(row["kind"], row["currency"]): invariants.balance(row) for row in tables["account"]}
        for code, books in self.books.items():
            assert of.get((AccountKind.PARTNER, code), 0) + told[code] == books.net, f"{code} is not conserved"
            assert of.get((AccountKind.TRANSIT, code), 0) == on_its_way[code], f"{code} in transit"

    def _check_orders(self, tables: Any) -> None:
        """Partners are asked for nothing that they do not declare."""
        orders = {row["reference"]: row for row in tables["partner_order"]}
        for row in orders.values():
            can = self.books[row["currency"]].capabilities
            assert row["operation"] in can.operations
            if row["operation"] == Operation.REVERSE and Operation.REVERSE not in can.partial:
                assert row["amount"] == orders[row["undoes"]]["amount"], "a part"

    def _reversed(self, tables: Any) -> set[int]:
        """The acts that were taken back as a whole; none was taken back further."""
        movements = {row["id"]: row for row in tables["movement"]}
        back: Counter[int] = Counter()
        for row in tables["movement"]:
            if row["kind"] == MovementKind.REVERSE:
                back[movements[row["subject_id"]]["subject_id"]] += row["amount"]
        whole = set()
        for row in tables["movement"]:
            act = row["subject_id"]
            if row["kind"] in COMPLETES and act in back:
                assert back[act] <= row["amount"], "more was taken back than was done"
                if back[act] == row["amount"]:
                    whole.add(act)
        return whole

    def _moved(self, order: Any) -> int:
        """By how much an order changes what a partner's members have."""
        operation = order["operation"]
        if operation == Operation.REVERSE:
            _, undone = self._books_of(order["undoes"])
            return -self._moved({**undone, "amount": order["amount"]})
        if operation in (Operation.HOLD, Operation.RELEASE):
            return 0
        return -order["amount"] if operation in (Operation.DEBIT, Operation.CAPTURE) else int(order["amount"])

    def check_end(self) -> None:
        """Every conversion has ended, or is in doubt because nobody knows."""
        self.check()
        for row in self.memory.rows["exchange"].values():
            if row["order_reference"] is None:
                assert row["state"] in ENDED
                self.saw(row["state"])
            else:
                assert self._waits_for_persons(row)
                self.saw("IN_DOUBT")
        waiting = {key[1] for key in self.memory.rows["partner_call"]}
        assert waiting == {row["order_reference"] for row in self._open()}
        [head] = self.memory.rows["journal_head"].values()
        invariants.check_chain(list(self.memory.rows["journal_entry"].values()), head)


def _asked(row: Any) -> Order:
    """An order's row, as far as people at a partner need it."""
    member = MEMBERS[0]  # whoever it is: the sum counts
    operation = Operation(row["operation"])
    return Order(
        reference=row["reference"],
        operation=operation,
        member=member,
        amount=row["amount"],
        currency=row["currency"],
        scale=0,
        asked_at=START,
        of=row["undoes"],
    )


@contextmanager
def timed(time: Time) -> Iterator[None]:
    """The seed's time, wherever the exchange and its breakers ask for it; and nobody is told of what went wrong."""

    def seconds() -> float:
        return time.now().timestamp()

    with pytest.MonkeyPatch.context() as patch, structlog.testing.capture_logs():
        patch.setattr(clock, "now", time.now)
        patch.setattr(exchange, "time", seconds)
        patch.setattr(breaking, "time", SimpleNamespace(time=seconds))
        yield


def play(seed: int, *, sleepy: bool = False) -> History:
    """One seed's course, to its end."""
    world, loop = founded(), Loop()
    time = Time(loop, START + timedelta(days=1))
    history = History(seed, loop, world.database.copy(), world.hub, time, sleepy=sleepy)
    with timed(time):
        run_on(loop, history.run())
    return history


def run(seed: int, *, sleepy: bool = False) -> Counter[str]:
    """One seed; answers what it met.

    Raises:
        Found: with the seed and what was wrong.
    """
    try:
        return play(seed, sleepy=sleepy).seen
    except Exception as error:
        raise Found(seed, error) from error
