"""A history that the tests of an audit share, and how they tamper with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from hub import postgres
from hub.access import Role
from hub.db import Addresses, Database
from hub.institutions import OPERATOR_CODE
from hub.ledger.engine import Engine
from hub.reading import Reading
from hub.setup import set_up
from tests.conftest import Hub


@asynccontextmanager
async def told(
    superuser: "asyncpg.Connection[Any]",
    server: postgres.Server,
    template: str,
    database: str,
    tell: Callable[[Hub], Awaitable[None]],
) -> AsyncIterator[Hub]:
    """A hub in a database of its own in which everything has happened that ``tell`` does."""
    await superuser.execute(f"CREATE DATABASE {database} TEMPLATE {template} OWNER {postgres.OWNER}")
    where = Addresses(server.url(postgres.SERVER, database), server.url(postgres.OWNER, database))
    _, admin, secret = await set_up(where, "Points Hub", "root")
    pool = Database(where.server)
    engine = Engine(pool)
    hub = Hub(where, pool, engine, Reading(pool, engine), admin, secret)
    hub.second, _ = await hub.key(OPERATOR_CODE, Role.OPERATOR_ADMIN, person="second")
    await tell(hub)
    yield hub
    await hub.close()
    await superuser.execute(f"DROP DATABASE {database} WITH (FORCE)")


@asynccontextmanager
async def tampered(server: postgres.Server, database: str) -> AsyncIterator[AsyncConnection]:
    """A superuser's transaction, in which triggers sleep; it is rolled back."""
    engine = create_async_engine(server.url(postgres.SUPERUSER, database), poolclass=NullPool)
    async with engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
        await transaction.rollback()
    await engine.dispose()
