"""Doors: processes of the hub in the simulation. Each has its own memory and configuration, takes batches by turns, and
may die at every point of one."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from hub.access import hash_secret
from hub.configuration import Configuration
from hub.ids import batch_of
from hub.institutions import OPERATOR_CODE
from hub.ledger import engine, lapse, load, rows
from hub.ledger import memory as remembering
from hub.ledger.book import Book
from hub.ledger.commands import Command
from hub.ledger.draft import Draft
from hub.ledger.needs import Needs
from hub.ledger.store import Batch
from hub.ledger.waiting import Answer
from hub.registry import credentials, institutions
from hub.windows import first_window
from tests.conftest import Hub
from tests.properties.world import Clock
from tests.simulation.memory import Memory, at_once


class Death(Enum):
    """Where a process is killed."""

    LOADED = "between loading and deciding"
    DECIDED = "between deciding and committing"
    COMMITTED = "between committing and answering"


class Killed(Exception):
    """The process is gone. ``answers``: what it would have said, if its batch committed."""

    def __init__(self, answers: list[Answer] | None) -> None:
        super().__init__()
        self.answers = answers


@dataclass
class Sent:
    """A request in a process's queue."""

    command: Command
    request: Any  # whose it is


class Door:
    """One process. What ``turn`` does is what ``hub.ledger.engine`` does in one, without waiting."""

    def __init__(self, database: Memory, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.queue: deque[Sent] = deque()
        self.start()

    def start(self) -> None:
        """Begin anew: a process that was killed has forgotten everything."""
        self.queue.clear()
        self.configuration = Configuration()
        self.memory = remembering.Memory()

    def turn(self, commands: Sequence[Command], death: Death | None = None) -> list[Answer]:
        """The answers to one batch.

        Raises:
            Killed: as it was to be.
        """
        database: Any = self.database
        head = self.database.head(self.clock, datetime.max)
        current = at_once(rows.refresh(database, self.configuration, head.configuration_version))
        self.configuration = current
        needs = Needs(current, self.memory)
        for command in commands:
            needs.add(command)
        book, known = at_once(load.load(database, database, head, commands, needs))
        if death is Death.LOADED:
            raise Killed(None)
        batch = Batch(book)
        for due in lapse.lapses(book):
            batch.take(due, current.host.id)
        answers = [engine.decide_in(batch, known, command, None) for command in commands]
        if death is Death.DECIDED:
            raise Killed(None)
        self.database.commit(batch, head)
        if death is Death.COMMITTED:
            raise Killed(answers)
        if batch.version is not None:
            self.configuration = replace(book.configuration, version=batch.version)
        return answers

    async def submit(self, commands: Sequence[Command]) -> list[Answer]:
        """The same for who asks an engine."""
        return self.turn(commands)


def set_up(clock: Clock) -> Hub:
    """A hub in memory, as ``hub.setup`` makes one in a database."""
    database = Memory()
    database.begin(clock.now)
    head = database.head(clock, datetime.max)
    book = Book(head.batch + 1, head.at, Configuration())
    draft = Draft(book)
    operator = institutions.root(draft, OPERATOR_CODE, "Points Hub")
    first = credentials.first(draft, operator, "root", hash_secret("secret"))
    credentials.host(draft, operator)
    first_window(draft)
    batch = Batch(book)
    batch.take(draft, first.id)
    database.commit(batch, head)
    assert batch_of(first.id) == 1
    return hub_at(Door(database, clock), first.id)


def hub_at(door: Door, admin: int, second: int = 0) -> Hub:
    """A hub's view through a door: its commands, and nothing that reads."""
    nothing: Any = None
    process: Any = door
    return Hub(nothing, nothing, process, nothing, admin, "secret", second)
