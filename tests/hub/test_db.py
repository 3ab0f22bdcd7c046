"""The database's transactions: whether SQLAlchemy or the driver is asked, it is in the same one, from its beginning."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.db import DRIVER_ERRORS, Database, driver_of
from hub.ledger.engine import is_outage
from tests.conftest import Hub

MARK = "INSERT INTO webhook_cursor (journal_id, batch) VALUES (1, 7)"
MARKS = "SELECT count(*) FROM webhook_cursor"


class Stop(Exception):
    """What ends a block."""


def writing(database: Database, name: str) -> AbstractAsyncContextManager[AsyncConnection]:
    return database.write() if name == "write" else database.beside()


@pytest.mark.parametrize("name", ["write", "beside"])
@pytest.mark.parametrize("who", ["driver", "SQLAlchemy"])
async def test_what_a_block_wrote_is_there_when_it_ends_and_not_if_it_fails(hub: Hub, name: str, who: str) -> None:
    async def mark(connection: AsyncConnection) -> None:
        if who == "driver":
            await driver_of(connection).execute(MARK)
        else:
            await connection.execute(text(MARK))

    async def fail() -> None:
        async with writing(hub.database, name) as connection:
            await mark(connection)
            raise Stop

    with pytest.raises(Stop):
        await fail()
    assert await hub.sql(MARKS) == [(0,)]
    async with writing(hub.database, name) as connection:
        await mark(connection)
        assert await hub.sql(MARKS) == [(0,)]
        assert await connection.scalar(text(MARKS)) == await driver_of(connection).fetchval(MARKS) == 1
    assert await hub.sql(MARKS) == [(1,)]


@pytest.mark.parametrize("who", ["driver", "SQLAlchemy"])
async def test_a_block_that_is_cancelled_leaves_nothing_and_its_connection_is_good(hub: Hub, who: str) -> None:
    """Whoever cancels it is told so, as whoever ends it for its time has to be."""
    begun = asyncio.Event()

    async def write() -> None:
        async with hub.database.write() as connection:
            await driver_of(connection).execute(MARK)
            begun.set()
            if who == "driver":
                await driver_of(connection).execute("SELECT pg_sleep(60)")
            else:
                await connection.execute(text("SELECT pg_sleep(60)"))

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with hub.database.write() as connection:
        assert await driver_of(connection).fetchval(MARKS) == 0


class Cancelling:
    """Cancels whoever is the first to execute a statement that begins so, before or after it was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, statement: str, *, sent: bool) -> None:
        self.statement, self.sent, self.met = statement, sent, 0
        self._execute: Callable[..., Awaitable[str]] = asyncpg.Connection.execute
        monkeypatch.setattr(asyncpg.Connection, "execute", lambda *given, **named: self.execute(*given, **named))

    async def execute(self, connection: asyncpg.Connection, query: str, *given: Any, **named: Any) -> str:
        if query.startswith(self.statement) and not self.met:
            self.met += 1
            task = asyncio.current_task()
            assert task is not None
            if not self.sent:
                task.cancel()
                await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(task.cancel)
        return await self._execute(connection, query, *given, **named)


@pytest.mark.parametrize("sent", [False, True], ids=["not sent", "sent"])
@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT", "ROLLBACK"])
@pytest.mark.parametrize("name", ["write", "beside", "snapshot"])
async def test_a_block_that_is_cancelled_as_it_begins_or_ends_leaves_no_transaction_behind(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, name: str, statement: str, sent: bool
) -> None:
    """Whoever gets the connection next is in a transaction of his own: what he writes is there for others, and what
    others have written is there for him."""
    database = Database(hub.addresses.server, 1)
    blocks = {"write": database.write, "beside": database.beside, "snapshot": database.snapshot}

    async def use() -> None:
        async with blocks[name]():
            if statement == "ROLLBACK":
                raise Stop

    try:
        async with blocks[name]() as connection:  # so that it is in the pool
            assert await driver_of(connection).fetchval(MARKS) == 0
        cancelling = Cancelling(monkeypatch, statement, sent=sent)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(use())
        assert cancelling.met == 1
        async with blocks[name]() as connection:
            if name != "snapshot":
                await driver_of(connection).execute(MARK)
        if name == "snapshot":
            async with hub.database.write() as connection:
                await driver_of(connection).execute(MARK)
        assert await hub.sql(MARKS) == [(1,)]
        for _ in range(3):
            async with blocks[name]() as connection:
                assert await driver_of(connection).fetchval(MARKS) == 1
    finally:
        await database.close()


async def test_what_is_written_is_read_committed_whatever_the_database_prefers(hub: Hub, superuser: Any) -> None:
    name = make_url(hub.addresses.server).database
    await superuser.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    database = Database(hub.addresses.server, 1)
    try:
        for block in (database.write(), database.beside()):
            async with block as connection:
                assert await driver_of(connection).fetchval("SHOW transaction_isolation") == "read committed"
    finally:
        await database.close()


async def test_a_snapshot_sees_one_instant_and_writes_nothing(hub: Hub) -> None:
    async with hub.database.snapshot() as connection:
        assert await driver_of(connection).fetchval(MARKS) == 0
        async with hub.database.write() as writer:
            await driver_of(writer).execute(MARK)
        assert await driver_of(connection).fetchval(MARKS) == await connection.scalar(text(MARKS)) == 0
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await driver_of(connection).execute("DELETE FROM webhook_cursor")
    async with hub.database.snapshot() as connection:
        assert await driver_of(connection).fetchval(MARKS) == 1


@pytest.mark.parametrize("name", ["write", "beside", "snapshot"])
async def test_a_connection_that_was_lost_is_not_used_again(hub: Hub, superuser: Any, name: str) -> None:
    def block() -> AbstractAsyncContextManager[AsyncConnection]:
        return hub.database.snapshot() if name == "snapshot" else writing(hub.database, name)

    async def lose() -> None:
        async with block() as connection:
            await superuser.execute("SELECT pg_terminate_backend($1, 2000)", await pid(connection))
            await pid(connection)

    async def pid(connection: AsyncConnection) -> Any:
        seen.append(await driver_of(connection).fetchval("SELECT pg_backend_pid()"))
        return seen[-1]

    seen: list[int] = []
    with pytest.raises((OSError, asyncpg.PostgresError, *DRIVER_ERRORS)):
        await lose()
    async with block() as connection:
        await pid(connection)
    first, then = seen
    assert first != then


async def test_a_connection_that_ends_between_two_messages_is_an_outage_and_is_not_used_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver has read that the server ends it, and not yet the end: what it is asked then, it cannot begin."""

    async def fails(*_: Any) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")

    async def lose() -> None:
        async with hub.database.write() as connection:
            seen.append(await driver_of(connection).fetchval("SELECT pg_backend_pid()"))
            monkeypatch.setattr(Transaction, "rollback", fails)
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    seen: list[int] = []
    with pytest.raises(asyncpg.InternalClientError, match="state 12") as told:  # and not what its rollback ran into
        await lose()
    assert is_outage(told.value)
    monkeypatch.undo()
    async with hub.database.write() as connection:
        assert await driver_of(connection).fetchval("SELECT pg_backend_pid()") not in seen
