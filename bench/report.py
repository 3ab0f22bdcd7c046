"""The report of a large window: how long signing it and making its files takes, and how much memory.

Conversions are put into the tables in bulk beside a real one, without the history that would have made them, so the
audit is left out. Each has two legs of money: the settlement, of changing amounts, and the operator's fee. The window
is closed as ever, and nothing would be signed if its nets were not what the lines come to. What is measured is all that
a hub does then in a process of its own: every institution's report and the summary, and of the summary all lines as
NDJSON, CSV and Parquet. Afterwards rows are counted in the files.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
from rich.console import Console
from rich.table import Table

from bench import hub
from bench.baseline import Server, login
from bench.cpu import Meter
from bench.workloads import AIRLINE, BANK, MILES, POINTS
from hub import tables
from hub.host.door import own_engine
from hub.ids import PLACES_BITS
from hub.ledger import window_rows
from hub.ledger.commands import CloseWindow
from hub.ledger.records import WindowStatus
from hub.postgres import DATABASE, SERVER
from settlement.publish import Keys, Reports
from settlement.renderings.formats import render
from settlement.report import read

NAME = "report"
LINES = 10_000_000
OF_BATCH = 1_000
FIRST_BATCH = 1 << 10  # beyond those of setting up, in the first partition of the legs
TO_REACH_S, TO_REACH_MB = 300.0, 2_000.0

_N = f"""
SELECT k, (({FIRST_BATCH} + k / {OF_BATCH})::bigint << {PLACES_BITS}) + 2 * (k % {OF_BATCH}) AS id
FROM generate_series(0, $1::int - 1) k
"""
_FILL = (
    f"""
INSERT INTO journal_entry (journal_id, batch, at, previous, content, hash, rows)
SELECT 1, {FIRST_BATCH} + b, now() + b * interval '1 millisecond', '', '', '', 1
FROM generate_series(0, ($1::int - 1) / {OF_BATCH}) b
""",
    f"""
INSERT INTO conversion
SELECT c.journal_id, n.id, c.status, c.changed_in, c.credential_id, c.for_institution_id, c.rate_id, c.quote_id,
    c.from_customer_id, c.from_institution_id, c.to_customer_id, c.to_institution_id, c.source, c.target, c.bonus,
    c.fee, c.settlement, c.eligible, c.residue, c.window_id, c.completed_at
FROM ({_N}) n, (SELECT * FROM conversion LIMIT 1) c
""",
    f"""
INSERT INTO movement
SELECT m.journal_id, n.id + 1, m.kind, m.credential_id, m.for_institution_id, m.currency, m.amount, m.from_customer_id,
    m.to_customer_id, m.merchant_id, m.money, m.value, m.fee, n.id, m.earned_at, m.expires_at
FROM ({_N}) n, (SELECT * FROM movement WHERE money IS NOT NULL LIMIT 1) m
""",
    f"""
INSERT INTO leg
SELECT l.journal_id, n.id + 1, l.n, l.phase, l.purpose, l.debit_account_id, l.credit_account_id,
    l.amount + CASE WHEN l.n = 2 THEN 10000 * (n.k % 997) ELSE 0 END, l.debit_after, l.credit_after, l.window_id
FROM ({_N}) n, (SELECT * FROM leg WHERE window_id IS NOT NULL) l
ORDER BY n.k, l.n
""",
)
_SUMS = """
WITH sides AS (
    SELECT debit_account_id AS id, amount AS debit, 0::bigint AS credit FROM leg WHERE window_id IS NOT NULL
    UNION ALL SELECT credit_account_id, 0, amount FROM leg WHERE window_id IS NOT NULL),
sums AS (SELECT id, sum(debit)::bigint AS debits, sum(credit)::bigint AS credits FROM sides GROUP BY id),
accounts AS (
    UPDATE account a SET debits_posted = s.debits, credits_posted = s.credits FROM sums s WHERE a.id = s.id
    RETURNING a.owner_id, s.debits, s.credits)
UPDATE position p SET debits = a.debits, credits = a.credits,
    subtree = CASE WHEN p.subtree = 0 THEN 0 ELSE a.credits - a.debits END
FROM accounts a WHERE p.institution_id = a.owner_id
"""


class ReportFailed(Exception):
    """The run did not do what it has to."""


def measure(console: Console, data_dir: Path, server: Server, lines: int) -> bool:
    """Fill, close, publish; whether it was done in time and in memory."""
    with hub.running(data_dir, 1, {"HUB_SWEEP_SECONDS": "0"}) as running:
        _convert_once(running)
    asyncio.run(_fill(server, lines // 2 - 1))
    [postmaster] = data_dir.rglob("postmaster.pid")
    meter = Meter({"postgres": int(postmaster.read_text().split()[0])})
    words = [sys.executable, "-m", "bench.report", server.url(SERVER, DATABASE), str(data_dir)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReportFailed(done.stderr[-2_000:])
    told = json.loads(done.stdout)
    used = meter.seconds()
    if (told["lines"], told["csv"], told["parquet"]) != (lines, lines, lines):
        raise ReportFailed(f"{told} came out, and not {lines} lines")
    table = Table(title=f"the reports of a window of {lines:,} lines", title_justify="left")
    for heading in ("stage", "seconds", "of it this process's CPU"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, seconds, cpu in told["stages"]:
        table.add_row(stage, f"{seconds:.1f}", f"{cpu:.1f}")
    table.add_row("all", f"{told['seconds']:.1f} of {TO_REACH_S:.0f}", f"{told['cpu']:.1f}")
    table.add_row("PostgreSQL's CPU", "", f"{sum(used['postgres'].values()):.1f}")
    table.add_row("memory at the most", f"{told['mb']:.0f} MB of {TO_REACH_MB:.0f}", "")
    console.print(table)
    return bool(told["seconds"] <= TO_REACH_S and told["mb"] <= TO_REACH_MB)


def _convert_once(running: hub.RunningHub) -> None:
    """The act that all others are copies of."""
    operator = hub.furnish(running)
    checker = hub.Api(running.port, operator.credential(running.institution, "bench-checker", "OPERATOR_ADMIN"))
    ratio = {"numerator": "1", "denominator": "1"}
    proposed = {"source": POINTS, "target": MILES, "ratio": ratio, "feePercent": "1"}
    rate = operator.mutate("proposeRate", "input: ProposeRateInput!", proposed, "... on Rate { id }")
    checker.mutate("approveRate", "id: ID!", rate["id"], "... on Rate { status }")
    trader = hub.Api(running.port, operator.credential(BANK, "bench-trader", "INSTITUTION_TRADER"))
    source, target = ({"institution": code, "reference": "c1"} for code in (BANK, AIRLINE))
    funds = [{"idempotencyKey": "funds", "currency": POINTS, "to": source, "amount": "1000000"}]
    trader.mutate("issuePointsBatch", "input: [IssuePointsInput!]!", funds, "... on Issue { id }")
    given = {"source": source, "target": target, "sourceCurrency": POINTS, "targetCurrency": MILES}
    one = given | {"idempotencyKey": "one", "sourceAmount": "1234"}
    trader.mutate("convert", "input: ConvertInput!", one, "... on Conversion { id }")


async def _fill(server: Server, conversions: int) -> None:
    connection = await asyncpg.connect(**login(server, DATABASE).options())
    try:
        for statement in _FILL:
            await connection.execute(statement, conversions)
        await connection.execute(_SUMS)
        await connection.execute("UPDATE journal_head SET batch = $1", FIRST_BATCH + (conversions - 1) // OF_BATCH)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


class _Stages:
    """What each stage took."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.taken.append((name, time.perf_counter() - wall, time.process_time() - cpu))


async def _publish(url: str, data_dir: Path, folder: Path) -> dict[str, Any]:
    stages = _Stages()
    async with own_engine(url) as (database, engine):
        async with database.snapshot() as connection:
            [window] = await window_rows.windows(connection, tables.settlement_window.c.status == WindowStatus.OPEN)
        await engine.ask(CloseWindow(actor=engine.configuration.host.id, key="close", window=window))
        operator = engine.configuration.operator.id
        reports = Reports(database, Keys(data_dir / "signing"), "Bench")
        lines, csv, parquet = (folder / name for name in ("lines.ndjson", "lines.csv", "lines.parquet"))
        with stages.stage("the reports, signed, and all lines as NDJSON"), lines.open("wb") as file:
            if not await reports.ensure(window, file):
                raise ReportFailed("the reports were there before")
        async with database.snapshot() as connection:
            [payload] = await connection.scalars(
                tables.settlement_report.select()
                .with_only_columns(tables.settlement_report.c.payload)
                .where(tables.settlement_report.c.institution_id == operator)
            )
        with stages.stage("CSV and Parquet of them"):
            await asyncio.gather(
                asyncio.to_thread(render, payload, lines, "csv", "en", csv),
                asyncio.to_thread(render, payload, lines, "parquet", "en", parquet),
            )
    said = read(payload).lines
    counted = 0
    with csv.open("rb") as file:
        while piece := file.read(1 << 20):
            counted += piece.count(b"\n")
    return {"stages": stages.taken, "lines": said.count if said else 0, "csv": counted - 1, "parquet": parquet}


def main() -> None:
    """Publish once, in a process of its own, and say what it took."""
    url, data_dir = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="hub-bench-files-") as folder:
        told = asyncio.run(_publish(url, Path(data_dir), Path(folder)))
        told["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
        with duckdb.connect(":memory:") as connection:
            [[told["parquet"]]] = connection.execute(
                "SELECT count(*) FROM read_parquet($1)", [str(told["parquet"])]
            ).fetchall()
    stages = told["stages"]
    told["seconds"], told["cpu"] = sum(one[1] for one in stages), sum(one[2] for one in stages)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
