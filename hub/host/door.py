"""The host's own door to the ledger, whether the database behind it will do, and what an audit finds in it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub import postgres
from hub.audit import Audit, Progress
from hub.audit.findings import Finding
from hub.db import Database, UnfitDatabase
from hub.errors import NotSetUp
from hub.ledger import journal
from hub.ledger.engine import COLLECTOR, Engine
from hub.migrate import newest
from hub.reading import Reading
from hub.settings import Settings
from settlement.audit import audit as audit_all
from settlement.publish import Keys

CONNECT_S_MAX = 15


async def check(url: str, *, empty: bool = False) -> None:
    """Pass if the database at ``url`` is of a version that will do, has this program's schema, and holds a hub; with
    ``empty`` also if it has lost it.

    Raises:
        UnfitDatabase: it is too old, or its schema is another.
        NotSetUp: it holds no hub.
    """
    engine = create_async_engine(url)
    try:
        async with asyncio.timeout(CONNECT_S_MAX), engine.connect() as connection:
            version = int(await connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
            if version < postgres.VERSION_MIN:
                raise UnfitDatabase(f"PostgreSQL {postgres.VERSION_MIN} or newer is needed; this one is {version}.")
            if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
                raise NotSetUp
            found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            if found != newest():
                raise UnfitDatabase(
                    f"The database's schema is {found}, this program's is {newest()}: run 'points-hub migrate'."
                )
            if not empty and await journal.look(connection) is None:
                raise NotSetUp
    finally:
        await engine.dispose()


async def audit(settings: Settings, url: str, progress: Progress, kept: Mapping[int, bytes]) -> Audit:
    """Audit the hub at ``url`` as it is at this instant; reads only, and may run beside the server. Its signatures are
    held against the public keys that the settings name, its journal against the entries' hashes that were ``kept``
    elsewhere: who rewrites all rows and all hashes over them has not these.

    Raises:
        SigningError: these cannot be read.
    """
    known = Keys.of(settings).known()
    database = Database(url, connections=2)
    try:
        async with database.snapshot() as connection:
            found = await audit_all(connection, progress, known)
            hashes = {batch: await journal.entry_hash(connection, batch) for batch in kept}
    finally:
        await database.close()
    others = tuple(
        Finding(
            "JOURNAL_HEAD", f"Entry {batch} of the journal is not the one that was kept: it was rewritten, or is gone."
        )
        for batch, hash in sorted(kept.items())
        if hashes[batch] != hash
    )
    return replace(found, findings=found.findings + others)


@asynccontextmanager
async def own_engine(url: str) -> AsyncIterator[tuple[Database, Engine]]:
    """A door to the ledger of one's own, that knows the configuration; what is queued is answered before it closes."""
    gc.set_threshold(*COLLECTOR)
    database = Database(url, connections=2)
    engine = Engine(database)
    try:
        await Reading(database, engine).refresh()
        yield database, engine
    finally:
        await engine.close()
        await database.close()
