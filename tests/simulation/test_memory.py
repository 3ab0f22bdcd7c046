"""The database in memory does what PostgreSQL does: one history on both, with the same answers and the same rows."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from hub import tables
from hub.configuration import Configuration
from hub.errors import Fault
from hub.ledger.commands import Command
from hub.ledger.engine import Engine
from hub.ledger.waiting import Answer
from tests.conftest import Hub, driver_url
from tests.properties.test_ledger_machine import Machine
from tests.properties.world import START, Clock
from tests.simulation.doors import Door
from tests.simulation.memory import Memory

STEPS = 120
# What the ledger does not write in batches.
_NOT_OURS = {"signing_key", "settlement_report", "settlement_supplement"}


class Twice:
    """An engine, and a door to memory that is asked the same at the same time."""

    def __init__(self, engine: Engine, database: Memory, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._door = Door(database, self._same_time)  # type: ignore[arg-type]
        self.answers = 0

    def _same_time(self, _database: datetime) -> datetime:
        return self._clock.told[-1]

    @property
    def configuration(self) -> Configuration:
        return self._engine.configuration

    async def submit(self, commands: Sequence[Command]) -> list[Answer]:
        real = await self._engine.submit(commands)
        for one, other in zip(real, self._door.turn(commands), strict=True):
            assert plain(one) == plain(other)
            self.answers += 1
        return real


def plain(answer: Answer) -> Any:
    """What an answer says."""
    if isinstance(answer, Fault):
        return type(answer)
    refusal = None if answer.refusal is None else (answer.refusal.code, answer.refusal.details)
    return refusal, answer.result, answer.replayed


async def contents(eyes: "asyncpg.Connection[Any]") -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    return {
        name: [dict(row) for row in await eyes.fetch(f"SELECT * FROM {name}")]
        for name in tables.metadata.tables
        if name not in _NOT_OURS
    }


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, default=repr, sort_keys=True) for row in rows)


async def test_memory_does_what_postgresql_does(hub: Hub) -> None:
    clock = Clock(START)
    door = hub.beside(clock=clock)
    real = door.engine
    eyes = await asyncpg.connect(driver_url(hub.addresses.owner))
    try:
        machine = Machine(door, door, eyes, clock, seed=7)
        machine.doors = [(door, 1000)]
        await machine.begin()
        memory = Memory()
        for name, found in (await contents(eyes)).items():
            memory.fill(name, found)
        twice: Any = Twice(door.engine, memory, clock)
        door.engine = twice
        for _ in range(STEPS):
            await machine.step()
        stored = await contents(eyes)
        for name, rows in reversed(memory.state().items()):
            if name not in _NOT_OURS:
                assert in_order(rows) == in_order(stored[name]), name
        assert twice.answers > STEPS
    finally:
        door.engine = real
        await eyes.close()
        await door.close()
