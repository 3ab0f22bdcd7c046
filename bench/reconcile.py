"""The reconciliation run: how long a day of a million orders takes, by three sides, and how much memory.

The orders are put into the tables in bulk, without the history that would have made them, so the audit is left out.
The partner is played in the process that is measured, entry by entry as an adapter would give them; the file is a real
one. Every ten-thousandth order differs in one way or another, and exactly those have to come out.
"""

import asyncio
import csv
import hashlib
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from bench import hub
from bench.baseline import Server, login
from bench.partners import CONFIGURATION
from hub.db import Database
from hub.ledger.engine import Engine
from hub.partners import Capabilities, Entry, Operation, Partner, Status
from hub.postgres import DATABASE, SERVER
from hub.reading import Reading
from hub.reconciliation.breaks import Run
from hub.reconciliation.reconciling import reconcile

NAME = "reconcile"
ORDERS = 1_000_000
OF_BATCH = 1_000
EVERY = 10_000  # one of so many differs
TO_REACH_S, TO_REACH_MB = 60.0, 1_000.0
CURRENCY, UNIT, SCALE = "MILE", "MILES", 2
FIRST_BATCH = 1 << 30  # beyond any of this hub
PLACES = 20

_FILL = f"""
WITH n AS (
    SELECT k, $1::bigint + k / {OF_BATCH} AS batch, k % {OF_BATCH} AS place FROM generate_series(0, $2::int - 1) k),
o AS (SELECT *, (batch << {PLACES}) + place AS id, (batch << {PLACES}) + 500000 + place AS exchange FROM n),
b AS (SELECT DISTINCT batch, $3::timestamptz + make_interval(secs => 80 * (batch - $1)::int) AS at FROM n),
entries AS (
    INSERT INTO journal_entry (journal_id, batch, at, previous, content, hash, rows)
    SELECT 1, batch, at, ''::bytea, ''::bytea, ''::bytea, 1 FROM b
    UNION ALL SELECT 1, batch + $2 / {OF_BATCH}, at + interval '1 second', '', '', '', 1 FROM b),
people AS (
    INSERT INTO customer_reference (journal_id, customer_id, institution_id, reference)
    SELECT 1, id, 7, 'M-' || k FROM o WHERE k % 10 = 0),
orders AS (
    INSERT INTO partner_order (journal_id, id, reference, exchange_id, operation, currency, customer_id, amount)
    SELECT 1, id, 'PH-' || upper(to_hex(exchange)) || '-C', exchange, 'CREDIT', $4, id - place % 10, 1000 + k % 100
    FROM o),
exchanges AS (
    INSERT INTO exchange (journal_id, id, state, in_doubt, changed_in)
    SELECT 1, exchange, 'COMPLETED', false, batch FROM o)
INSERT INTO exchange_step (journal_id, id, exchange_id, state, in_doubt, credential_id, order_reference, status)
SELECT 1, ((batch + $2 / {OF_BATCH}) << {PLACES}) + place, exchange, 'COMPLETED', false, 7,
    'PH-' || upper(to_hex(exchange)) || '-C', 'SUCCEEDED'
FROM o
"""


class ReconcileFailed(Exception):
    """The run did not do what it has to."""


def measure(console: Console, data_dir: Path, server: Server) -> bool:
    """Fill, compare, and check what came out; whether it was done in time and in memory."""
    with hub.running(data_dir, 1, {"HUB_SWEEP_SECONDS": "0"}) as running:
        _furnish(running)
    day = datetime.now(UTC).date() - timedelta(days=1)
    asyncio.run(_fill(server, day))
    file = _write(data_dir / "day.csv", day)
    words = [sys.executable, "-m", "bench.reconcile", server.url(SERVER, DATABASE), day.isoformat(), str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReconcileFailed(done.stderr[-2_000:])
    told = json.loads(done.stdout)
    differing = ORDERS // EVERY
    if (told["matched"], told["opened"]) != (ORDERS - differing, differing):
        raise ReconcileFailed(f"{told} came out, and not {differing} breaks")
    table = Table(title=f"{ORDERS:,} orders, a journal and a file", title_justify="left")
    for heading in ("stage", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for stage, seconds in told["stages"]:
        table.add_row(stage, f"{seconds:.1f}")
    table.add_row("all", f"{told['seconds']:.1f} of {TO_REACH_S:.0f}")
    table.add_row("of it this process's CPU", f"{told['cpu']:.1f}")
    table.add_row("memory at the most", f"{told['mb']:.0f} MB of {TO_REACH_MB:.0f}")
    console.print(table)
    return bool(told["seconds"] <= TO_REACH_S and told["mb"] <= TO_REACH_MB)


def _furnish(running: hub.RunningHub) -> None:
    operator = hub.Api(running.port, running.secret)
    institution = {"code": "AIR", "name": "AIR", "kind": "OTHER"}
    operator.mutate("createInstitution", "input: CreateInstitutionInput!", institution, "... on Institution { code }")
    registered = {
        "code": CURRENCY,
        "name": CURRENCY,
        "issuer": "AIR",
        "scale": SCALE,
        "unitValue": {"amount": "0.05", "currency": "CNY"},
        "rateConsent": "OPERATOR",
        "adapter": "http_json",
        "adapterConfig": CONFIGURATION | {"baseUrl": f"http://{hub.HOST}:9"},
    }
    operator.mutate(
        "registerPointCurrency", "input: RegisterPointCurrencyInput!", registered, "... on PointCurrency { code }"
    )


async def _fill(server: Server, day: date) -> None:
    connection = await asyncpg.connect(**login(server, DATABASE).options())
    try:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        await connection.execute(_FILL, FIRST_BATCH, ORDERS, start, CURRENCY)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _told(number: int, day: date, *, by_file: bool) -> Entry | None:
    """What the partner says of an order; None: nothing."""
    batch, place = divmod(number, OF_BATCH)
    exchange = ((FIRST_BATCH + batch) << PLACES) + 500_000 + place
    amount, member = 1_000 + number % 100, f"M-{number - place % 10}"
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=80 * batch)
    if number % EVERY == 0:
        match number // EVERY % 4:
            case 0:
                amount += 1
            case 1:
                member = "M-other"
            case 2:
                return None
            case _ if by_file:
                at += timedelta(days=1)
    return Entry(
        reference=f"PH-{exchange:X}-C",
        partner_reference=f"X{number}",
        operation=Operation.CREDIT,
        member=member,
        amount=amount,
        unit=UNIT,
        status=Status.SUCCEEDED,
        at=at,
    )


def _write(path: Path, day: date) -> Path:
    digest, total, count = hashlib.sha256(), 0, 0
    with path.open("wb") as target:

        def put(text: str) -> None:
            digest.update(text.encode())
            target.write(text.encode())

        put("reference,operation,member,amount,unit,status,at,partner_reference\n")
        for number in range(ORDERS):
            told = _told(number, day, by_file=True)
            if told is None:
                continue
            line = io.StringIO()
            shown = f"{told.amount // 100}.{told.amount % 100:02}"
            csv.writer(line, lineterminator="\n").writerow(
                (
                    told.reference,
                    "CREDIT",
                    told.member,
                    shown,
                    UNIT,
                    "DONE",
                    told.at.isoformat(),
                    told.partner_reference,
                )
            )
            put(line.getvalue())
            total, count = total + told.amount, count + 1
        put(f"#total,CREDIT,{count},{total // 100}.{total % 100:02}\n#of,{CURRENCY},{day.isoformat()}\n")
        target.write(f"#end,{count},{digest.hexdigest()}\n".encode())
    return path


class _Played:
    """A partner that has all of it, and is always there."""

    capabilities = Capabilities(operations=frozenset({Operation.CREDIT}), unit=UNIT, scale=SCALE, journal=True)

    def __init__(self, day: date) -> None:
        self._day = day

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        """One day's."""
        if day != self._day:
            return
        for number in range(ORDERS):
            if (told := _told(number, day, by_file=False)) is not None:
                yield told

    async def partner(self, currency: str, name: str, sealed: str, /) -> Partner:
        """Itself."""
        return self  # type: ignore[return-value]  # nothing but its journal is asked for


async def _compare(url: str, day: date, file: Path) -> tuple[Run, list[tuple[str, float]]]:
    database = Database(url, connections=2)
    engine = Engine(database)
    begun: list[tuple[str, float]] = []
    try:
        await Reading(database, engine).refresh()
        run = await reconcile(
            database,
            engine,
            _Played(day),
            CURRENCY,
            day,
            {day: file},
            told=lambda stage: begun.append((stage, time.perf_counter())),
        )
    finally:
        await engine.close()
        await database.close()
    ends = [at for _, at in begun[1:]] + [time.perf_counter()]
    return run, [(stage, end - at) for (stage, at), end in zip(begun, ends, strict=True)]


def main() -> None:
    """Compare once, in a process of its own, and say what it took."""
    url, day, file = sys.argv[1:]
    started = time.perf_counter()
    run, stages = asyncio.run(_compare(url, date.fromisoformat(day), Path(file)))
    seconds = time.perf_counter() - started
    told = {
        "matched": run.matched,
        "opened": run.opened,
        "seconds": seconds,
        "stages": [("file", seconds - sum(took for _, took in stages)), *stages],
        "cpu": time.process_time(),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
