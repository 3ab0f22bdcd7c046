"""The database: where it is, its pool of connections, and the one way to open a transaction on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hub import postgres
from hub.errors import Failure
from hub.settings import Settings

# What the driver raises of itself; the second where a connection ends between two of the server's messages: it has read
# why, and not yet that nothing follows.
DRIVER_ERRORS = (InterfaceError, InternalClientError)


class UnfitDatabase(Failure):
    """The database is of no use to this program."""


@dataclass(frozen=True)
class Addresses:
    """URLs of one database for the role that serves and for the one that migrates. They hold passwords."""

    server: str
    owner: str


@contextmanager
def addresses(settings: Settings) -> Iterator[Addresses]:
    """Where the database is, for as long as the block lasts: the one that the settings name, or the embedded one.

    Raises:
        PostgresError: the embedded server cannot be used.
        UnfitDatabase: the settings name something that is no URL.
    """
    if settings.database_url is not None:
        server = _with_driver("HUB_DATABASE_URL", settings.database_url.get_secret_value())
        owner = settings.database_owner_url
        yield Addresses(
            server, server if owner is None else _with_driver("HUB_DATABASE_OWNER_URL", owner.get_secret_value())
        )
        return
    with postgres.lease(settings.data_dir) as running:
        yield Addresses(running.url(postgres.SERVER), running.url(postgres.OWNER))


def _with_driver(name: str, url: str) -> str:
    """A plain ``postgres://`` URL with the driver that the hub uses; it stands in the setting ``name``."""
    scheme, separator, rest = url.partition("://")
    made = f"postgresql+asyncpg://{rest}" if separator and scheme in {"postgres", "postgresql"} else url
    try:
        make_url(made)
    except (ValueError, ArgumentError):  # either may repeat the password
        sentence = f"{name} is no URL of a database, which begins with postgresql:// and has a number for its port."
        raise UnfitDatabase(sentence) from None
    return made


# A batch finds every row by its whole key. The planner, as long as it has no statistics of a table or keeps a plan from
# when it was small, thinks that reading all of it costs no more; so a batch's connection is told that keys are the way.
_BY_KEY = {f"enable_{way}": "off" for way in ("seqscan", "bitmapscan", "mergejoin", "material", "memoize")} | {
    "jit": "off"
}


class Database:
    """The connections of one process: a pool for reads, and small ones for batches and for other writes."""

    def __init__(self, url: str, connections: int = 8) -> None:
        self._readers = _pool(url, connections, {}, pool_pre_ping=True)  # a restarted database costs no read
        self._writers = _pool(url, 1, _BY_KEY)  # the engine recovers by itself
        self._others = _pool(url, 2, _BY_KEY, pool_pre_ping=True)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a READ COMMITTED transaction, committed at the end unless an exception leaves the block."""
        async with _transaction(self._writers, isolation="read_committed") as connection:
            yield connection

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[AsyncConnection]:
        """The same for short writes that are no batch, so that these never wait for a connection, nor it for them."""
        async with _transaction(self._others, isolation="read_committed") as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a read-only transaction that sees one instant."""
        async with _transaction(self._readers, isolation="repeatable_read", readonly=True) as connection:
            yield connection

    async def close(self) -> None:
        """Close the pools."""
        await self._readers.dispose()
        await self._writers.dispose()
        await self._others.dispose()


@asynccontextmanager
async def _transaction(pool: AsyncEngine, **terms: Any) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction of the driver's on these ``terms``. SQLAlchemy's own, begun, reset and ended
    through greenlets, took longer than what a short read asks in it; so SQLAlchemy is told that there is none, and does
    not look whether one is left. A connection goes back to the pool only if the driver knows its transaction to be
    over: whoever is cancelled as it begins or ends leaves one of which nobody knows, and what came next would be a part
    of it, told as done and never committed."""
    async with pool.connect() as connection:
        driver = driver_of(connection)
        is_over = False
        try:
            transaction = driver.transaction(**terms)  # which raises if the connection was lost while nobody used it
            await transaction.start()
            try:
                yield connection
            except BaseException:
                # What ended the block is told, and not that its connection is lost as well: SQLAlchemy closes one whose
                # statement is cancelled.
                with suppress(OSError, PostgresError, *DRIVER_ERRORS):
                    await transaction.rollback()
                    is_over = True
                raise
            await transaction.commit()
            is_over = True
        finally:
            if not is_over:
                driver.terminate()
                await connection.invalidate()


def _pool(url: str, connections: int, server_settings: dict[str, str], *, pool_pre_ping: bool = False) -> AsyncEngine:
    return create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",  # as far as SQLAlchemy knows, see _transaction
        pool_size=connections,
        max_overflow=2,
        pool_timeout=10,
        pool_pre_ping=pool_pre_ping,
        connect_args={"server_settings": {"application_name": "points-hub"} | server_settings},
    )


def driver_of(connection: AsyncConnection) -> Any:
    """The asyncpg connection under ``connection``, in the same transaction: for the statements of the hot path."""
    held = connection.sync_connection
    if held is None:
        raise AssertionError("it is not connected")
    return held.connection.driver_connection
