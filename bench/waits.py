"""What PostgreSQL's sessions wait for while a workload runs, seen through pg_stat_activity.

A session in a transaction that waits for its client (``Client:ClientRead``) is one that a hub worker keeps waiting.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bench.baseline import Server, login

EVERY_S = 0.05
SESSIONS = """
select coalesce(wait_event_type || ':' || wait_event, 'running') from pg_stat_activity
 where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()
"""


@asynccontextmanager
async def watch(server: Server) -> AsyncIterator[Counter[str]]:
    """Count sessions that are not idle by what they wait for, every 50 ms, until the block ends."""
    connection = await asyncpg.connect(**login(server, "postgres").options())
    seen = Counter[str]()

    async def look() -> None:
        while True:
            seen.update(str(row[0]) for row in await connection.fetch(SESSIONS))
            await asyncio.sleep(EVERY_S)

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        connection.terminate()
