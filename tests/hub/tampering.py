"""What the audit says after a statement that the server's role could never make."""

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub import postgres
from hub.audit import audit
from tests.conftest import Hub


async def findings_after(hub: Hub, server: postgres.Server, statement: str) -> set[str]:
    """The codes of the audit's findings in a transaction that made the statement and is rolled back."""
    database = make_url(hub.addresses.owner).database or ""
    engine = create_async_engine(server.url(postgres.SUPERUSER, database), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET session_replication_role = replica"))
            done = await connection.execute(text(statement))
            assert done.rowcount, statement
            found = {one.code for one in (await audit(connection)).findings}
            await connection.rollback()
            return found
    finally:
        await engine.dispose()
