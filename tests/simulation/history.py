"""Histories: one seed is one course of events, which no clock and no scheduler of the machine can change.

Clients ask several processes, which take batches in turns. Requests are lost on the way, or their answers are; they
come twice, late, in another order, or changed under the same key; processes are killed at every point of a batch, and
time jumps to where something ends. After each batch that commits, the tables must agree with themselves, with the
journal and with the model; at the end every answered request is there exactly once, and nothing else.
"""

import pickle
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hub.access import Role
from hub.errors import Fault
from hub.institutions import OPERATOR_CODE
from hub.ledger import commands
from hub.ledger.commands import Keyed
from hub.ledger.decide import Outcome
from hub.ledger.records import AccountKind, MovementKind
from hub.ledger.waiting import Answer
from tests.conftest import Hub
from tests.properties import comparing, invariants
from tests.properties.acting import Acting
from tests.properties.model.model import Model
from tests.properties.world import CURRENCIES, START, Clock
from tests.simulation.doors import Death, Door, Killed, Sent, hub_at, set_up
from tests.simulation.memory import Memory, at_once

ROUNDS = 4
PROCESSES = 2
VARIANTS = 8  # worlds to begin in
WARM = 20  # what has been asked there
BATCH_MAX = 8


class Found(Exception):
    """A history went wrong; its seed repeats it."""

    def __init__(self, seed: int, error: BaseException) -> None:
        super().__init__(f"seed {seed}: {error!r:.2000}\n(pytest tests/simulation --seed {seed} repeats it)")
        self.seed = seed


@dataclass
class Request:
    """What a client wants, and what it was told."""

    command: commands.Command
    ask_model: Any
    answers: list[Answer] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        return bool(self.answers)


@dataclass(frozen=True)
class World:
    """Where histories begin."""

    database: Memory
    clock: Clock
    hub: Hub
    model: bytes
    window: int

    def model_of_its_own(self) -> Model:
        """A model that a history may change."""
        found: Model = pickle.loads(self.model)
        return found


@cache
def founded(variant: int) -> World:
    """A world in which some things have been done, and some are promised."""
    clock = Clock(START)
    hub = set_up(clock)
    drawing = Acting(hub, clock, -1 - variant)  # not a history's seed, or its keys would come again
    door: Any = hub.engine
    at_once(_found(drawing, hub, clock))
    for _ in range(WARM):
        command, ask_model = drawing.draw()
        [answer] = door.turn([command])
        drawing.model.pass_time(clock.now)
        drawing.judge(command, answer, *ask_model())
    [window] = door.database.rows["settlement_window"]
    return World(door.database, clock, hub, pickle.dumps(drawing.model), window[1])


async def _found(drawing: Acting, hub: Hub, clock: Clock) -> None:
    hub.second, _ = await hub.key(OPERATOR_CODE, Role.OPERATOR_ADMIN, person="second")
    await drawing.found(hub, clock)
    for code in CURRENCIES:
        await drawing.keep(code)


class History(Acting):
    """One seed's course of events."""

    def __init__(self, seed: int) -> None:
        world = founded(seed % VARIANTS)
        self.database = world.database.copy()
        clock = Clock(world.clock.now)
        self.processes = [Door(self.database, clock) for _ in range(PROCESSES)]
        for process in self.processes:  # they have been there since before it; who is killed reads it again
            process.configuration = world.hub.engine.configuration
        super().__init__(hub_at(self.processes[0], world.hub.admin, world.hub.second), clock, seed)
        self.model = world.model_of_its_own()
        self.model.met.clear()
        self.model.pass_time(clock.now)
        self.requests: list[Request] = []
        self.windows[1] = world.window
        self.codes = {id: one.code for id, one in world_institutions(seed % VARIANTS).items()}

    def run(self) -> None:
        """All of it."""
        for _ in range(ROUNDS):
            self.clients()
            for process in self.dice.sample(self.processes, len(self.processes)):
                if process.queue:
                    self.serve(process)
            if self.dice.random() < 0.4:
                self.clock.jump(self.jump())
                self.saw("jump")
            if self.dice.random() < 0.2:
                self.beside()
        self.insist()
        self.check_end()

    # --- clients -----------------------------------------------------------------------------------------------------

    def clients(self) -> None:
        """New requests, and those again that were not answered."""
        for _ in range(self.dice.randint(1, 6)):
            request = Request(*self.draw())
            self.requests.append(request)
            self.send(request)
        for request in self.requests:
            if isinstance(request.command, Keyed) and not request.answered and self.dice.random() < 0.2:
                self.send(request)
                self.saw("again")
        if self.kept and self.dice.random() < 0.15:
            twisted = self.twist(self.kept[self.dice.choice(list(self.kept))].command)
            self.dice.choice(self.processes).queue.append(Sent(twisted, Request(twisted, None)))

    def send(self, request: Request) -> None:
        """To some process, some place in its queue, once or twice or not at all."""
        keyed = isinstance(request.command, Keyed)
        times = self.dice.choice([1, 1, 1, 1, 0, 2]) if keyed else 1
        self.saw({0: "lost", 1: "sent", 2: "doubled"}[times])
        for _ in range(times):
            queue = self.dice.choice(self.processes).queue
            queue.insert(self.dice.randint(0, len(queue)), Sent(request.command, request))

    def insist(self) -> None:
        """At last every request with a key gets its answer."""
        for process in self.processes:
            while process.queue:
                self.serve(process, faults=False)
        for request in self.requests:
            if isinstance(request.command, Keyed) and not request.answered:
                self.processes[0].queue.append(Sent(request.command, request))
        while self.processes[0].queue:
            self.serve(self.processes[0], faults=False)

    # --- processes ---------------------------------------------------------------------------------------------------

    def serve(self, process: Door, *, faults: bool = True) -> None:
        """One batch of a process, which may not survive it."""
        count = self.dice.randint(1, BATCH_MAX)
        taken = [process.queue.popleft() for _ in range(min(count, len(process.queue)))]
        death = self.dice.choice(list(Death)) if faults and self.dice.random() < 0.15 else None
        before = self.database.rows
        try:
            answers = process.turn([sent.command for sent in taken], death)
            delivered = True
        except Killed as killed:
            process.start()
            self.saw(f"killed {death}")
            if killed.answers is None:
                assert self.database.rows is before, "half a batch"
                return
            answers, delivered = killed.answers, False
        self.model.pass_time(self.clock.now)
        done = 0
        for sent, answer in zip(taken, answers, strict=True):
            assert not isinstance(answer, Fault), (sent.command, answer)
            done += self.settle(sent, answer)
            if delivered and (not faults or self.dice.random() < 0.85):
                sent.request.answers.append(answer)
        if done or not self.is_unchanged(before):
            self.check()

    def settle(self, sent: Sent, answer: Outcome) -> int:
        """Hold one committed answer against the model, which does what was done for the first time."""
        command, request = sent.command, sent.request
        if not isinstance(command, Keyed) or command.key not in self.kept:
            return self.judge(command, answer, *request.ask_model())
        if self.kept[command.key].command == command:
            self.check_replay(command, answer)
        else:
            assert answer.refusal is not None
            assert answer.refusal.code == "IDEMPOTENCY_CONFLICT"
            self.saw("conflict")
        return 0

    def beside(self) -> None:
        """What the operator does meanwhile: configure, close the window, sweep."""
        match self.dice.randrange(4):
            case 0:
                number, key = self.model.window, self.key()
                command = commands.CloseWindow(actor=self.actor, key=key, window=self.windows[number])
                at_once(self.do(command))
                self.model.close()
                [opened] = [r for r in self.database.rows["settlement_window"].values() if r["status"] == "OPEN"]
                self.windows[number + 1] = opened["id"]
                self.saw("close")
            case 1:
                accounts = self.database.rows["account"].values()
                customers = tuple(row["id"] for row in accounts if row["kind"] == AccountKind.CUSTOMER)
                at_once(self.do(commands.Lapse(actor=self.actor, accounts=customers)))
                assert self.check() == 0, "the sweep left something"
                self.saw("sweep")
            case _:
                at_once(self.configure())
                self.model.pass_time(self.clock.now)
                self.saw("configured")
        self.check()

    # --- checks ------------------------------------------------------------------------------------------------------

    def check(self) -> int:
        """The tables agree with themselves and with the model."""
        tables = self.database.state()
        invariants.check_tables(tables)
        return comparing.compare(self.model, tables, self.codes, self.windows)

    def is_unchanged(self, before: dict[str, Any]) -> bool:
        """Whether all is as it was. What was refused or done before changes nothing, but for what time had done to the
        accounts that it touched."""
        after = self.database.rows
        moved = [row for key, row in after["movement"].items() if key not in before["movement"]]
        if moved:
            assert {row["kind"] for row in moved} <= {MovementKind.EXPIRE, MovementKind.RELEASE}
            return False
        assert all(after[name] == before[name] for name in invariants.STATE)
        self.saw("unchanged")
        return True

    def check_end(self) -> None:
        """Every answer is the one that stands, and what stands was done exactly once."""
        self.check()
        [head] = self.database.rows["journal_head"].values()
        invariants.check_chain(list(self.database.rows["journal_entry"].values()), head)
        for request in self.requests:
            if isinstance(request.command, Keyed):
                kept = self.kept[request.command.key]
                assert request.answered
                for answer in request.answers:
                    assert isinstance(answer, Outcome)
                    assert getattr(answer.result, "id", None) == kept.number
                    assert (answer.refusal and answer.refusal.code) == kept.reason
        outcomes = {row["key"]: row for row in self.database.rows["outcome"].values()}
        assert self.kept.keys() <= outcomes.keys()
        acts = Counter(
            row["subject_id"] if row["kind"] == MovementKind.CONVERT else row["id"]
            for row in self.database.rows["movement"].values()
        )
        acts.update(row["id"] for name in ("restriction", "pool_member") for row in self.database.rows[name].values())
        for key, kept in self.kept.items():
            row = outcomes[key]
            assert (row["refusal"], row["subject_id"]) == (kept.reason, kept.number)
            assert kept.reason is not None or acts[kept.number] == 1
        by_key = [row["subject_id"] for row in outcomes.values() if row["refusal"] is None]
        assert len(set(by_key)) == len(by_key)


@cache
def world_institutions(variant: int) -> Any:
    """The institutions of a world; none are made in a history."""
    door: Any = founded(variant).hub.engine
    return door.configuration.institutions


def run(seed: int) -> Counter[str]:
    """One history; answers what it met.

    Raises:
        Found: with the seed and what was wrong.
    """
    history = History(seed)
    try:
        history.run()
    except Exception as error:
        raise Found(seed, error) from error
    return Counter(history.seen) + history.model.met
