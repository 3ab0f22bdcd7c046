"""How tests tamper with a history, most times in a transaction that is rolled back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from hub import postgres
from hub.audit import audit
from tests.conftest import Hub


@asynccontextmanager
async def tampered(server: postgres.Server, hub: Hub, *, stays: bool = False) -> AsyncIterator[AsyncConnection]:
    """A superuser's transaction, in which triggers sleep; it is rolled back, unless what was done ``stays``."""
    database = make_url(hub.addresses.owner).database or ""
    engine = create_async_engine(server.url(postgres.SUPERUSER, database), poolclass=NullPool)
    async with engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
        await (transaction.commit() if stays else transaction.rollback())
    await engine.dispose()


async def check_every(tampered_: Mapping[str, tuple[str, str]], hub: Hub, server: postgres.Server) -> None:
    """Fail unless the history is clean, and each statement, by what it does, changes it and leads to its finding."""
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    missed = {}
    for what, (statement, expected) in tampered_.items():
        async with tampered(server, hub) as connection:
            done = await connection.exec_driver_sql(statement)
            codes = {finding.code for finding in (await audit(connection)).findings}
            if not done.rowcount or expected not in codes:
                missed[what] = done.rowcount, codes
    assert missed == {}
