"""The line to a partner's database: one transaction at a time, and what is certain of it when it fails.

Before COMMIT is sent nothing can have been done, and an error that the database itself tells has rolled all back: that
is ``NotDone``. Where the line breaks or falls silent, or COMMIT was sent and its answer is not an error that is known
to undo, nobody knows: ``Unclear``.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Final, TypeVar

from sqlalchemy import Executable, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql.configuration import Configuration
from adapters.sql.guard import Guard
from adapters.sql.values import Misfit, columns
from hub.partners import Answer

T = TypeVar("T")
POSTGRESQL_PORT: Final = 5432
_PAGE: Final = 1_000  # rows that are read at once
_UNDONE: Final = ("23", "40001", "40P01")  # told at COMMIT, the transaction was surely rolled back
_SEVERED: Final = ("08", "57P")  # these end the connection, so they may have come between COMMIT and its answer
_WRONG: Final = ("28", "3D", "3F", "42")  # a password, a database, a table or a right is wrong: people have to look


class NotDone(Exception):
    """Certainly nothing was done by this sending. ``halts``: nor will be, until somebody changes something."""

    def __init__(self, told: str, code: str | None = None, *, halts: bool = False) -> None:
        super().__init__(told)
        self.code = code
        self.halts = halts


class Unclear(Exception):
    """Nobody knows what was done."""


class Undone(Exception):
    """Work raises it to have all rolled back that it did, and to tell its caller."""


class Told(Undone):
    """All is rolled back, and this is the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Stage(Enum):
    APART = "APART"
    ASKING = "ASKING"
    COMMITTING = "COMMITTING"


class Line:
    """The connections of one partner. Nothing is connected before the first transaction."""

    def __init__(self, configuration: Configuration) -> None:
        self._connect_s = configuration.connect_s
        self._answers_within_s = configuration.answers_within_s
        self._guard = _guard(configuration)
        self._engine = _engine(configuration, self._guard)

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What ``work`` makes of one transaction, once that is committed.

        Raises:
            NotDone: it was rolled back, or never begun.
            Unclear: nobody knows.
            Undone: ``work`` raised it, and nothing was done.
        """
        stage = _Stage.APART
        try:
            async with asyncio.timeout(self._answers_within_s):
                connection = await self._connected()
                try:
                    stage = _Stage.ASKING
                    made = await work(connection)
                    stage = _Stage.COMMITTING
                    await connection.commit()
                finally:
                    await connection.close()
        except Undone:
            raise
        except Misfit as error:
            raise NotDone(str(error), halts=True) from error
        except Exception as error:  # whatever a driver raises
            raise _certain(error, stage) from error
        return made

    async def rows(self, statement: Executable, values: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        """The rows of a statement that changes nothing, as they are taken.

        Raises:
            NotDone, Unclear: they cannot be had.
        """
        try:
            connection = await self._connected()
            try:
                async with asyncio.timeout(self._answers_within_s):
                    found = (await connection.stream(statement, values)).mappings()
                while True:
                    async with asyncio.timeout(self._answers_within_s):
                        page = await found.fetchmany(_PAGE)
                    if not page:
                        return
                    for row in page:
                        yield columns(row)
            finally:
                await connection.close()
        except Exception as error:  # whatever a driver raises
            raise _certain(error, _Stage.ASKING) from error

    async def close(self) -> None:
        """Let go of all connections. What is silent is cut, because it would never say that it is closed."""
        if self._guard is not None:
            await self._guard.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._connect_s):
                await self._engine.dispose()

    async def _connected(self) -> AsyncConnection:
        async with asyncio.timeout(self._connect_s):
            if self._guard is not None:
                await self._guard.start()
            return await self._engine.connect()


def code_of(error: BaseException) -> str | None:
    """The SQLSTATE with which the database told an error; None if it came from elsewhere."""
    found = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return found if isinstance(found, str) else None


def _certain(error: Exception, stage: _Stage) -> NotDone | Unclear:
    code = code_of(error)
    # Not its text: that may repeat an address or a value.
    name = type(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error).__name__
    told = f"{name} ({code})" if code else name
    halts = code is not None and code.startswith(_WRONG)
    if stage is _Stage.APART:
        return NotDone(f"There is no connection: {told}.", code, halts=halts)
    severed = code is None or code.startswith(_SEVERED)
    if not severed and (stage is _Stage.ASKING or str(code).startswith(_UNDONE)):
        return NotDone(f"It was rolled back: {told}.", code, halts=halts)
    return Unclear(f"It broke while {stage.value.lower()}: {told}.")


def _guard(configuration: Configuration) -> Guard | None:
    """What stands before the database; None for other drivers, which have their own ways."""
    url = make_url(configuration.url.get_secret_value())
    if url.get_dialect().driver != "asyncpg" or url.host is None:
        return None
    tls = None if configuration.allow_plain else configuration.tls.context()
    return Guard(url.host, url.port or POSTGRESQL_PORT, tls, configuration.connect_s)


def _engine(configuration: Configuration, guard: Guard | None) -> AsyncEngine:
    url = make_url(configuration.url.get_secret_value())
    arguments: dict[str, Any] = {}
    if url.get_dialect().driver == "asyncpg":
        arguments["ssl"] = False if configuration.allow_plain else configuration.tls.context()
        arguments["server_settings"] = {"application_name": "points-hub"}
    if guard is not None:
        arguments |= guard.address
    return create_async_engine(
        url,
        pool_size=configuration.connections_max,
        max_overflow=0,
        pool_timeout=configuration.answers_within_s,
        pool_pre_ping=True,  # a connection that died while it was idle costs no order
        hide_parameters=True,
        connect_args=arguments,
    )
