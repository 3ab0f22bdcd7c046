"""The engine: group commit. Commands gather while the last batch commits; the next one takes what has gathered.

One turn is one transaction: lock the journal's head, drain the queue, load, decide each command in order, store,
commit, then answer. Of a long batch the database writes the first rows while the next commands are decided, and the
last ones while all of them are hashed. Batches of all processes are serial because each begins with that lock; what can
be done before it is (``waiting``). No timer: under low load a command commits at once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout

from hub.configuration import Configuration
from hub.db import DRIVER_ERRORS, Database, driver_of
from hub.errors import Fault, InvalidAmount, InvalidInput, NotSetUp, RetryLater, Unexpected
from hub.ledger import journal, rows
from hub.ledger.applying import apply
from hub.ledger.beside import beside
from hub.ledger.commands import Command, malformed
from hub.ledger.decide import Outcome, Outcomes, decide, remember
from hub.ledger.lapse import ACCOUNTS_OF_DRAFT, lapses
from hub.ledger.load import load
from hub.ledger.memory import Memory
from hub.ledger.needs import Needs
from hub.ledger.records import Lapsed
from hub.ledger.store import Batch
from hub.ledger.waiting import Answer, Item, Ticket, Waiting, result

log = structlog.get_logger()

FEW_COMMANDS = 256  # of whose rows any plan is good
YOUNG_BATCHES = 1 << 16  # after which the database has looked at its tables by itself
OUTAGE_S_MAX = 20  # how long a batch waits for a database that does not answer
_OUTAGES = (OSError, TimeoutError, SQLAlchemyTimeout, *DRIVER_ERRORS)
# SQLSTATE: connection lost; no memory, disk or connection left; shutting down or starting up; failed over to a replica.
_OUTAGE_STATES = ("08", "53", "57P", "25006")
STRETCH = 125  # commands that are decided while the database writes the rows of those before them
# For whoever runs an engine. A batch makes hundreds of thousands of objects and no cycles; at the usual threshold the
# collector walked them all while they were in use, and took half of a batch's time.
COLLECTOR = (100_000, 50, 100)
TRIES_MAX = 2  # of a batch that the database refuses, before it is halved


class Observer(Protocol):
    """Who counts what the engine does. Asked once for a request or a batch, never for a row, so it may not wait."""

    def waiting(self, commands: int) -> None:
        """So many commands are in the queue now."""

    def committed(self, commands: int, seconds: float) -> None:
        """A batch has committed; ``seconds`` from taking the journal's lock to the end of the commit."""

    def refused(self, code: str, commands: int) -> None:
        """So many commands were refused for this reason, for the first time or again."""

    def lapsed(self, lots: int, holds: int) -> None:
        """A batch has ended so many lots and holds whose time was over."""


class _Unobserved:
    """Counts nothing."""

    def waiting(self, commands: int) -> None: ...

    def committed(self, commands: int, seconds: float) -> None: ...

    def refused(self, code: str, commands: int) -> None: ...

    def lapsed(self, lots: int, holds: int) -> None: ...


class Engine:
    """One process's door to the ledger. ``clock``: a test's, to be at the end of a lot or a hold to the microsecond."""

    def __init__(
        self,
        database: Database,
        *,
        queue_max: int = 20_000,
        batch_max: int = 1_000,
        observer: Observer | None = None,
        clock: journal.Clock = journal.as_told,
    ) -> None:
        self._database = database
        self._clock = clock
        self._observer: Observer = observer or _Unobserved()
        self._queue_max = queue_max
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._committed = 0  # commands
        self._beside: set[asyncio.Task[None]] = set()
        self.configuration = Configuration()
        self.memory = Memory()
        self._waiting = Waiting(batch_max, self.memory)

    @property
    def queue_depth(self) -> int:
        """Commands that wait."""
        return self._waiting.commands

    async def submit(self, commands: Sequence[Command]) -> list[Answer]:
        """The answers to ``commands``, in their order, each after its batch has committed.

        Each command stands alone. When the queue cannot take all of them, or the engine is closing, none is looked at
        and each is answered ``RetryLater``, which is never kept; nor is the refusal of a malformed text.
        """
        wrong = {place: refusal for place, one in enumerate(commands) if (refusal := malformed(one)) is not None}
        good = [one for place, one in enumerate(commands) if place not in wrong] if wrong else commands
        answers = await self._queued(good) if good else []
        if not wrong:
            return answers
        self._observer.refused(InvalidInput.code, len(wrong))
        rest = iter(answers)
        return [Outcome(refusal=wrong[place]) if place in wrong else next(rest) for place in range(len(commands))]

    async def ask(self, command: Command) -> Any:
        """The result of one command.

        Raises:
            Refusal, Fault: it has none.
        """
        [answer] = await self.submit([command])
        return result(answer)

    async def _queued(self, commands: Sequence[Command]) -> list[Answer]:
        if self._closed or self._waiting.commands + len(commands) > self._queue_max:
            self._observer.refused(RetryLater.code, len(commands))
            return [Outcome(refusal=RetryLater())] * len(commands)
        ticket = Ticket(commands)
        self._waiting.put(ticket)
        self._waiting.foresee(self.configuration)
        self._observer.waiting(self._waiting.commands)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        await ticket.done
        return [answer for answer in ticket.answers if answer is not None]

    async def look(self, command: Command) -> Answer:
        """What ``command`` would come to now; nothing is kept, locked or promised."""
        if (wrong := malformed(command)) is not None:
            return Outcome(refusal=wrong)
        async with self._database.snapshot() as connection:
            head = await journal.look(connection, self._clock)
            if head is None:
                raise NotSetUp
            current = await rows.refresh(connection, self.configuration, head.configuration_version)
            self.take(current)
            needs = Needs(current, self.memory)
            needs.add(command)
            book, known = await load(connection, driver_of(connection), head, [command], needs)
            for due in lapses(book):
                apply(book, due)
            try:
                return decide(book, known, command)
            except Fault as fault:
                return fault

    def take(self, configuration: Configuration) -> None:
        """Take a configuration that was read, if it is newer than the one that is known."""
        if configuration.version > self.configuration.version:
            self.configuration = configuration

    async def close(self) -> None:
        """Take nothing more, and answer what is queued."""
        self._closed = True
        if self._running is not None:
            await self._running
        await asyncio.gather(*self._beside)

    async def _run(self) -> None:
        try:
            while self._waiting.commands:
                await self._turn()
        finally:
            self._running = None
            if self._waiting.commands and not self._closed:
                self._running = asyncio.create_task(self._run())

    def _drain(self, into: list[Item]) -> tuple[Needs, int]:
        foreseen = self._waiting.drain(into)
        self._observer.waiting(self._waiting.commands)
        return foreseen

    def grown_to(self, batch: int, commands: int) -> None:
        """Have the statistics refreshed beside the batches while the journal is young: each time that it has doubled,
        once more than a few commands have gone through this door. Later the database looks by itself."""
        self._committed += commands
        if batch <= YOUNG_BATCHES and batch & (batch - 1) == 0 and self._committed >= FEW_COMMANDS:
            self._beside.add(task := asyncio.create_task(self._refresh_statistics()))
            task.add_done_callback(self._beside.discard)

    async def _refresh_statistics(self) -> None:
        try:
            async with self._database.write() as connection:
                await journal.refresh_statistics(connection)
        except Exception as error:
            log.warning("statistics not refreshed", error=repr(error))

    def give(self, items: Sequence[Item], answers: Sequence[Answer]) -> None:
        """Give every caller its answers, and count the refusals among them."""
        refusals: Counter[str] = Counter()
        for (ticket, place), answer in zip(items, answers, strict=True):
            if isinstance(answer, Outcome) and answer.refusal is not None:
                refusals[answer.refusal.code] += 1
            ticket.answer(place, answer)
        for code, commands in refusals.items():
            self._observer.refused(code, commands)

    async def _turn(self) -> None:
        items: list[Item] = []
        attempt = _Attempt(self, items)
        try:
            await attempt.run()
        except Exception as error:
            log.warning("batch failed", commands=len(items), error=repr(error))
            if not items:
                self._drain(items)
            await self._recover(items, attempt)

    async def _recover(self, items: list[Item], failed: "_Attempt") -> None:
        """Retry a failed batch whole, then in halves: only what fails alone is answered as a fault of the hub's.

        The failure may have hidden a commit, so the journal is asked first whether the batch is in it. While the
        database cannot be reached nothing is wrong with the batch: it waits, and after some seconds is answered
        RETRY_LATER, which keeps every key as good as it was.
        """
        tries, until = 0, time.monotonic() + OUTAGE_S_MAX
        while True:
            try:
                if await failed.has_committed():
                    failed.answer()
                    return
                if tries == TRIES_MAX:
                    break
                failed = _Attempt(self, items, filled=True)
                await failed.run()
                return
            except Exception as error:
                log.warning("batch failed again", commands=len(items), error=repr(error))
                if tries < TRIES_MAX and not is_outage(error):
                    tries += 1
                elif time.monotonic() > until:
                    answers = [_unanswerable(ticket.commands[place]) for ticket, place in items]
                    self.give(items, answers)
                    return
                await asyncio.sleep(0.2)
        if len(items) > 1:
            middle = len(items) // 2
            for half in (items[:middle], items[middle:]):
                await self._recover(half, _Attempt(self, half, filled=True))
            return
        for ticket, place in items:
            log.error("command failed", command=type(ticket.commands[place]).__name__)
            ticket.answer(place, Unexpected())


def is_outage(error: Exception) -> bool:
    """Whether the database could not be reached, as opposed to not liking what it was asked."""
    cause: BaseException | None = error
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        cause = error.orig
    state = getattr(cause, "sqlstate", None)
    return isinstance(cause, _OUTAGES) or (isinstance(state, str) and state.startswith(_OUTAGE_STATES))


def _unanswerable(command: Command) -> Answer:
    """What is said when it is not known whether a command was done: a keyed one can be asked again."""
    return Outcome(refusal=RetryLater()) if command.keyed else Unexpected()


def decide_in(batch: Batch, known: Outcomes, command: Command, digest: bytes | None) -> Answer:
    """Decide one command and take its outcome in. A fault of ``decide`` itself is that command's alone, because it has
    changed nothing; a failure to take an outcome in is the batch's."""
    try:
        outcome = decide(batch.book, known, command, digest)
    except Fault as fault:
        return fault
    except Exception:
        log.exception("command failed", command=type(command).__name__)
        return Unexpected()
    try:
        batch.add(command, outcome)
    except InvalidAmount as refusal:
        outcome = Outcome(refusal=refusal, home=outcome.home, digest=outcome.digest)
        batch.add(command, outcome)
    remember(known, command, outcome)
    return outcome


async def _settle(batch: Batch, driver: Any) -> None:
    """Take in what time has done to the loaded accounts; much of it is written while the rest is decided."""
    due, host, full = lapses(batch.book), batch.book.configuration.host.id, False
    while True:
        async with beside(batch.write_ahead(driver)) if full else nullcontext():
            draft = next(due, None)
            if draft is not None:
                batch.take(draft, host)
        if draft is None:
            return
        full = len(draft.movements) >= ACCOUNTS_OF_DRAFT


class _Attempt:
    """One try at committing a batch."""

    def __init__(self, engine: Engine, items: list[Item], *, filled: bool = False) -> None:
        self._engine = engine
        self._items = items
        self._filled = filled
        self._answers: list[Answer] = []
        self._batch = 0
        self._hash: bytes | None = None
        self._locked_s = 0.0
        self._lapsed: list[Lapsed] = []

    async def run(self) -> None:
        """Commit the batch and answer it.

        Raises:
            Exception: whatever stopped it; ``has_committed`` says whether it is in the journal nevertheless.
        """
        engine = self._engine
        engine._waiting.foresee(engine.configuration)  # here, because nobody waits for the lock yet
        async with engine._database.write() as connection:
            head = await journal.lock(connection, engine._clock)
            if head is None:
                raise NotSetUp
            self._locked_s = time.perf_counter()
            needs, foreseen = (None, 0) if self._filled else engine._drain(self._items)
            await journal.make_room(connection, head.batch + 1)
            current = await rows.refresh(connection, engine.configuration, head.configuration_version)
            engine.take(current)
            driver = driver_of(connection)
            commands = [ticket.commands[place] for ticket, place in self._items]
            if needs is None or needs.configuration is not current:
                needs, foreseen = Needs(current, engine.memory), 0
            for command in commands[foreseen:]:
                needs.add(command)
            book, known = await load(connection, driver, head, commands, needs)
            batch = Batch(book)
            self._batch, self._lapsed = book.batch, book.lapsed
            await _settle(batch, driver)
            for start in range(0, len(commands), STRETCH):
                async with beside(batch.write_ahead(driver)) if start else nullcontext():
                    for ticket, place in self._items[start : start + STRETCH]:
                        self._answers.append(decide_in(batch, known, ticket.commands[place], ticket.digests[place]))
            self._hash = await batch.save(driver, head)
        if batch.version is not None:
            engine.take(replace(book.configuration, version=batch.version))
        if self._hash is not None:
            engine.grown_to(self._batch, len(self._items))
        self.answer()

    async def has_committed(self) -> bool:
        """Whether the journal holds this batch. Asked behind the journal's lock, because a transaction whose connection
        was lost may still be committing."""
        if self._hash is None:
            return False
        async with self._engine._database.write() as connection:
            await journal.lock(connection)
            return await journal.entry_hash(connection, self._batch) == self._hash

    def answer(self) -> None:
        """Give every caller its answers: the batch has committed."""
        self._engine._observer.committed(len(self._items), time.perf_counter() - self._locked_s)
        if self._lapsed:
            lots, holds = sum(one.lots for one in self._lapsed), sum(one.holds for one in self._lapsed)
            self._engine._observer.lapsed(lots, holds)
        self._engine.give(self._items, self._answers)
