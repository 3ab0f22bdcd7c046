"""The expiry run: how long a million lots take that are all over, as one customer's many and as many customers' one.

The lots are put into the tables in bulk, without the history that would have made them, so the audit is left out here:
what is measured is the same, and making a history of a million acts takes longer than what is measured. A second run
must find nothing, and afterwards breakage must be what the lots were.
"""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from bench import hub
from bench.baseline import Server, login
from bench.workloads import POINTS
from hub.postgres import DATABASE

NAME = "expiry"
SHAPES = {"200,000 customers, 5 lots each": (200_000, 5), "1,000,000 customers, 1 lot each": (1_000_000, 1)}
TO_REACH_S = 60.0
POINTS_OF_LOT = 7
FIRST_ID = 1 << 40  # beyond any batch of this hub, and of no other shape

_FILL = """
WITH issuer AS (SELECT owner_id FROM account WHERE kind = 2 AND currency = $5),
people AS (SELECT $1::bigint + 2 * n AS customer, $1::bigint + 2 * n + 1 AS account FROM generate_series(1, $2::int) n),
c AS (INSERT INTO customer (journal_id, id, institution_id) SELECT 1, p.customer, i.owner_id FROM people p, issuer i),
r AS (INSERT INTO customer_reference (journal_id, customer_id, institution_id, reference)
      SELECT 1, p.customer, i.owner_id, 'expiry-' || p.customer FROM people p, issuer i),
a AS (INSERT INTO account (journal_id, id, kind, owner_id, currency, debits_posted, credits_posted, debits_pending,
                           credits_pending, aged, marks)
      SELECT 1, account, 1, customer, $5, 0, $3::int * $4::bigint, 0, 0, $3::int * $4::bigint, 0 FROM people)
INSERT INTO lot (journal_id, account_id, expires_at, origin, earned_at, id, amount, held)
SELECT 1, account, now() - make_interval(days => n), '', now() - interval '400 days', account, $4::bigint, 0
FROM people, generate_series(1, $3::int) n
"""


_CHECK = """
SELECT (SELECT count(*) FROM lot) AS lots,
       (SELECT coalesce(sum(credits_posted - debits_posted), 0)::bigint FROM account WHERE kind = 3) AS breakage
"""


class ExpiryFailed(Exception):
    """The run did not do what it has to."""


def measure(console: Console, data_dir: Path, server: Server) -> bool:
    """Fill, expire and check each shape; whether all of them were done in time."""
    with hub.running(data_dir, 1, {"HUB_SWEEP_SECONDS": "0"}) as running:
        hub.furnish(running)
    table = Table(title="points-hub expire", title_justify="left")
    for heading in ("what is over", "seconds", "lots/s", "to reach"):
        table.add_column(heading, justify="left" if heading.startswith("what") else "right")
    expected, in_time = 0, True
    for number, (name, (customers, lots)) in enumerate(SHAPES.items(), 1):
        asyncio.run(fill(server, number * FIRST_ID, customers, lots))
        seconds, settled = _expire(data_dir)
        expected += customers * lots * POINTS_OF_LOT
        if (settled, *asyncio.run(state(server))) != (customers * lots, 0, expected):
            raise ExpiryFailed(f"{name}: {settled} lots were settled")
        if (again := _expire(data_dir)[1]) != 0:
            raise ExpiryFailed(f"{name}: a second run settled {again} lots")
        in_time = in_time and seconds <= TO_REACH_S
        shown = f"{'[green]' if seconds <= TO_REACH_S else '[red]'}{seconds:.1f}"
        table.add_row(name, shown, f"{settled / seconds:,.0f}", f"{TO_REACH_S:.0f}")
    console.print(table)
    return in_time


async def _connect(server: Server) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(**login(server, DATABASE).options())


async def fill(server: Server, first: int, customers: int, lots: int) -> None:
    connection = await _connect(server)
    try:
        await connection.execute(_FILL, first, customers, lots, POINTS_OF_LOT, POINTS)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def state(server: Server) -> tuple[int, int]:
    """How many lots there are, and how many points in breakage."""
    connection = await _connect(server)
    try:
        row = await connection.fetchrow(_CHECK)
        assert row is not None
        return row["lots"], row["breakage"]
    finally:
        await connection.close()


def _expire(data_dir: Path) -> tuple[float, int]:
    """Seconds, the start of the program included, and how many lots were settled."""
    started = time.perf_counter()
    done = subprocess.run(
        hub.command("expire", "--json"), env=hub.environment(data_dir, {}), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise ExpiryFailed(done.stderr)
    return seconds, sum(row["lots"] for row in json.loads(done.stdout)["expired"])
