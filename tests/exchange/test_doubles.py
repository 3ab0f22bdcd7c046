"""What seeds run on does what PostgreSQL does: some seeds on both, with the same answers and the same rows; the audit
finds nothing then."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from hub.audit import audit
from hub.ledger.commands import Command
from hub.ledger.waiting import Answer
from tests.conftest import Hub, driver_url
from tests.exchange import seeds
from tests.exchange.doubles import Calls
from tests.exchange.virtual import Loop, Time, run
from tests.properties.world import START
from tests.simulation.doors import Door
from tests.simulation.memory import Memory
from tests.simulation.test_memory import contents, in_order, plain

SEEDS = range(3)
_NOT_OURS = {"signing_key", "settlement_report", "settlement_supplement"}


class Both:
    """PostgreSQL, asked from another loop's thread while that one waits."""

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop, eyes: "asyncpg.Connection[Any]") -> None:
        self.hub, self.eyes, self.compared = hub, eyes, 0
        self._loop = loop

    def wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def fetch(self, statement: str, *parameters: Any) -> list[Any]:
        found: list[Any] = self.wait(self.eyes.fetch(statement, *parameters))
        return found


class CallsTwice(Calls):
    """The calls of both."""

    def __init__(self, memory: Memory, both: Both) -> None:
        super().__init__(memory)
        self._both = both

    def _same(self, statement: str, parameters: Any, found: Any) -> None:
        rows = [dict(row) for row in self._both.fetch(statement, *parameters)]
        names = rows[0].keys() if rows else ()
        assert in_order([{name: row[name] for name in names} for row in found]) == in_order(rows)
        self._both.compared += 1

    async def fetch(self, statement: str, *parameters: Any) -> Any:
        found = await super().fetch(statement, *parameters)
        self._same(statement, parameters, found)
        return found

    async def fetchval(self, statement: str, *parameters: Any) -> Any:
        found = await super().fetchval(statement, *parameters)
        [row] = self._both.fetch(statement, *parameters)
        assert found == row[0]
        return found

    async def execute(self, statement: str, *parameters: Any) -> None:
        await super().execute(statement, *parameters)
        self._same(statement, parameters, [])


class DoorTwice(Door):
    """A door to both."""

    def __init__(self, database: Memory, time: Time, both: Both) -> None:
        super().__init__(database, time)  # type: ignore[arg-type]
        self._both = both

    def turn(self, commands: Sequence[Command], death: Any = None) -> list[Answer]:
        answers = super().turn(commands, death)
        real = self._both.wait(self._both.hub.engine.submit(commands))
        assert [plain(one) for one in answers] == [plain(one) for one in real]
        return answers


class HistoryTwice(seeds.History):
    def __init__(self, both: Both, *arguments: Any) -> None:
        self.both = both
        super().__init__(*arguments)

    def door(self) -> Door:
        door = DoorTwice(self.memory, self.time, self.both)
        door.configuration = self._hub.engine.configuration
        return door

    def calls(self) -> Calls:
        return CallsTwice(self.memory, self.both)


@pytest.mark.parametrize("seed", SEEDS)
async def test_memory_does_what_postgresql_does(hub: Hub, seed: int) -> None:
    await seeds.found(hub)
    told: list[Time] = []
    process = hub.beside(clock=lambda _database: told[0].told[-1])
    eyes = await asyncpg.connect(driver_url(hub.addresses.owner))
    try:
        await process.reading.refresh()
        memory = Memory()
        for name, found in (await contents(eyes)).items():
            memory.fill(name, found)
        both, loop = Both(process, asyncio.get_running_loop(), eyes), Loop()
        [head] = memory.rows["journal_head"].values()
        told.append(Time(loop, max(START, head["at"] + timedelta(days=1))))
        history = HistoryTwice(both, seed, loop, memory, process, told[0])
        with seeds.timed(told[0]):
            await asyncio.to_thread(run, loop, history.run())
        stored = await contents(eyes)
        for name, rows in memory.state().items():
            if name not in _NOT_OURS:
                assert in_order(rows) == in_order(stored[name]), name
        assert both.compared > 20
    finally:
        await eyes.close()
        await process.close()
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
