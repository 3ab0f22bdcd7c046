"""``python -m bench``: baseline and hub in turn, round after round, then the audit.

Ends with 0 if every answer was right and the audit found nothing, with 1 if not, with 2 if it could not measure. An aim
that was missed is shown, not punished: speed depends on the machine, right answers do not.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from rich.console import Console
from uvicorn.loops.uvloop import uvloop_loop_factory

from bench import baseline, expiry, hub, partners, profile, reconcile, report, table
from bench.client import drive
from bench.cpu import Meter, title
from bench.figures import Measurement, Summary, percentile, summarise
from bench.waits import watch
from bench.workloads import Workload, workloads
from hub.postgres import lease

NAMES = (baseline.NAME, "single", "batch", "convert", "convert-batch")
ALONE = (expiry.NAME, partners.NAME, reconcile.NAME, report.NAME)
LIMIT_S = 660
WARM_UP_S = 1
TEXT_WIDTH = 120


@dataclass(slots=True)
class Run:
    """One run of the benchmark: what it drives, and what it has seen."""

    console: Console
    server: baseline.Server
    hub: hub.RunningHub | None
    postmaster: int
    loads: dict[str, Workload]
    samples: Path | None
    rounds: dict[str, list[Measurement]] = field(default_factory=dict)
    warm_up_failures: dict[str, Counter[str]] = field(default_factory=dict)

    async def measure(self, name: str, seconds: int) -> Measurement:
        """One workload once, after a checkpoint, with the CPU of everything that takes part."""
        await baseline.checkpoint(self.server)
        meter = Meter({"postgres": self.postmaster, **({"hub": self.hub.pid} if self.hub else {})})
        started = time.perf_counter()
        if self.hub is None or name == baseline.NAME:
            found = await asyncio.to_thread(baseline.run, self.server, seconds)
        else:
            found = await drive(self.loads[name].load, hub.HOST, self.hub.port, seconds)
        wall = time.perf_counter() - started
        used = meter.seconds()
        totals = {group: sum(pids.values()) for group, pids in used.items()} | {"others": meter.others_s(used)}
        groups = {group: total / wall * found.seconds for group, total in totals.items()}
        if self.samples is not None:
            names = {
                f"{group} {pid} {title(pid)}": value for group, pids in used.items() for pid, value in pids.items()
            }
            self.console.print(table.per_process(name, wall, names))
        return replace(found, cpu_s=groups, client_cpu=sum(used["client"].values()) / wall)

    async def all_rounds(self, names: Sequence[str], rounds: int, seconds: int) -> None:
        """A short warm-up of each, whose failures count, then the rounds: each workload once before any comes again."""
        for name in names:
            self.warm_up_failures[name] = (await self.measure_quietly(name, WARM_UP_S)).failures
        for number in range(1, rounds + 1):
            for name in names:
                found = await self.profiled(name, seconds) if self.samples else await self.measure(name, seconds)
                self.rounds.setdefault(name, []).append(found)
                p50_ms, failed = percentile(found.latencies_ms, 0.5), found.failures.total()
                line = f"round {number} {name:14} {found.rate_per_s:>9,.0f}/s  p50 {p50_ms:8.2f} ms  failed {failed}"
                self.console.print(line, highlight=False)

    async def measure_quietly(self, name: str, seconds: int) -> Measurement:
        """A measurement whose processes are not shown."""
        samples, self.samples = self.samples, None
        try:
            return await self.measure(name, seconds)
        finally:
            self.samples = samples

    async def profiled(self, name: str, seconds: int) -> Measurement:
        """One workload once, with its processes, the sessions' waits and the hub's Python shown."""
        assert self.samples is not None
        start = time.monotonic()
        async with AsyncExitStack() as stack:
            waits = await stack.enter_async_context(watch(self.server))
            found = await self.measure(name, seconds)
        self.console.print(table.counted(f"{name}: PostgreSQL's sessions", waits, waits.total()))
        if name != baseline.NAME:
            for one in table.profile(name, profile.read(self.samples, start, time.monotonic())):
                self.console.print(one)
        return found

    def summaries(self) -> list[Summary]:
        """The medians of every workload, the warm-up's failures added."""
        return [
            replace(one, failures=one.failures + self.warm_up_failures.get(one.name, Counter()))
            for one in map(summarise, self.rounds.values())
        ]


def _postmaster(data_dir: Path) -> int:
    """The embedded server's first process."""
    files = list(data_dir.rglob("postmaster.pid"))
    if len(files) != 1:
        raise baseline.BaselineFailed(f"{len(files)} PostgreSQL servers run below {data_dir}, not one")
    return int(files[0].read_text().split()[0])


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="The hub's speed, held against a plain ledger."
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each workload runs, in turn (default 3)")
    parser.add_argument("--seconds", type=int, default=8, help="how long each time (default 8)")
    parser.add_argument("--workers", type=int, default=2, help="the hub's worker processes (default 2)")
    parser.add_argument(
        "--only",
        action="append",
        choices=(*NAMES, *ALONE),
        help=f"just this one; may be repeated. Alone run {expiry.NAME}, a million lots that are over, "
        f"{partners.NAME}, conversions over two partners, {reconcile.NAME}, a day of a million orders, "
        f"and {report.NAME}, a window of ten million lines",
    )
    parser.add_argument("--lines", type=int, default=report.LINES, help=f"of {report.NAME} (default {report.LINES:,})")
    parser.add_argument(
        "--profile", action="store_true", help="show processes, waits and a Python profile; this costs speed"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout; the tables go to stderr")
    parsed = parser.parse_args(words)
    names = parsed.only or NAMES
    if min(parsed.rounds, parsed.seconds, parsed.workers) < 1:
        parser.error("rounds, seconds and workers are at least 1")
    if any(name in ALONE for name in names) and (len(names) > 1 or parsed.profile or parsed.json):
        parser.error(f"{names[-1]} runs alone, and shows a table")
    if parsed.rounds * parsed.seconds * len(names) > LIMIT_S:
        parser.error(f"that would take more than {LIMIT_S} s: fewer rounds or seconds")
    return parsed


def _line(summaries: Sequence[Summary], against: Summary | None, audit: int | None) -> str:
    """All figures as one line of JSON."""
    found = [
        {
            "name": one.name,
            "rounds": one.rounds,
            "ratePerS": round(one.rate_per_s, 1),
            "ratio": None if (share := table.ratio(one, against)) is None else round(share, 3),
            "p50Ms": round(one.p50_ms, 3),
            "p99Ms": round(one.p99_ms, 3),
            "failures": dict(one.failures),
            "clientCpu": round(one.client_cpu, 3),
            "cores": {group: round(busy, 3) for group, busy in one.cores.items()},
        }
        for one in summaries
    ]
    return msgspec.json.encode({"results": found, "audit": audit}).decode()


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, audit; the exit code is told in the module's docstring."""
    arguments = _arguments(words)
    console = Console(stderr=arguments.json, width=None if sys.stdout.isatty() else TEXT_WIDTH)
    names = [name for name in NAMES if name in (arguments.only or NAMES)]
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        data_dir, samples = Path(folder, "hub"), Path(folder, "samples") if arguments.profile else None
        data_dir.mkdir(mode=0o700)
        if samples:
            samples.mkdir()
        try:
            if arguments.only == [expiry.NAME]:
                with lease(data_dir) as server:
                    return 0 if expiry.measure(console, data_dir, server) else 1
            if arguments.only == [reconcile.NAME]:
                with lease(data_dir) as server:
                    return 0 if reconcile.measure(console, data_dir, server) else 1
            if arguments.only == [report.NAME]:
                with lease(data_dir) as server:
                    return 0 if report.measure(console, data_dir, server, arguments.lines) else 1
            if arguments.only == [partners.NAME]:
                return 0 if partners.measure(console, data_dir) else 1
            return _bench(console, data_dir, samples, names, arguments)
        except KeyboardInterrupt:
            console.print("ended early")
            return 2
        except (
            hub.HubFailed,
            baseline.BaselineFailed,
            expiry.ExpiryFailed,
            partners.PartnersFailed,
            reconcile.ReconcileFailed,
            report.ReportFailed,
            TimeoutError,
        ) as failed:
            console.print(f"[red]not measured:[/] {type(failed).__name__}", highlight=False)
            console.print(str(failed), markup=False, highlight=False)
            return 2


def _bench(
    console: Console, data_dir: Path, samples: Path | None, names: Sequence[str], arguments: argparse.Namespace
) -> int:
    wanted_hub = any(name != baseline.NAME for name in names)
    audited: tuple[int, str] | None = None
    with lease(data_dir) as server:
        with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop_loop_factory()) as runner:
            durable = runner.run(baseline.load(server))
            console.print(
                f"commits: {', '.join(f'{name} {value}' for name, value in durable.items())}", highlight=False
            )
            running, loads = None, dict[str, Workload]()
            if wanted_hub:
                extra = profile.environment(samples) if samples else {}
                running = stack.enter_context(hub.running(data_dir, arguments.workers, extra))
                loads = workloads(hub.set_up(running), random.Random())
            run = Run(console, server, running, _postmaster(data_dir), loads, samples)

            async def within_limit() -> None:
                async with asyncio.timeout(LIMIT_S):
                    await run.all_rounds(names, arguments.rounds, arguments.seconds)

            runner.run(within_limit())
            complaints = running.complaints() if running is not None else []
        if wanted_hub:
            audited = hub.audit(data_dir)
    return _report(console, run, complaints, audited, arguments.json)


def _report(
    console: Console, run: Run, complaints: Sequence[str], audited: tuple[int, str] | None, as_line: bool
) -> int:
    summaries = run.summaries()
    against = next((one for one in summaries if one.name == baseline.NAME), None)
    to_reach = {name: load.share_to_reach for name, load in run.loads.items()}
    console.print(table.results(summaries, against, to_reach))
    console.print(table.cores(summaries, os.cpu_count() or 1))
    for one in summaries:
        for reason, count in one.failures.most_common():
            console.print(f"{one.name}: {count} failed: {reason}", markup=False, highlight=False)
    if any(one.failed for one in summaries):
        for line in complaints:
            console.print(f"the hub: {line}", markup=False, highlight=False, soft_wrap=True)
    if audited is not None:
        console.print(f"audit: exit code {audited[0]}\n{audited[1]}", markup=False, highlight=False)
    if as_line:
        Console(soft_wrap=True).out(_line(summaries, against, audited[0] if audited else None), highlight=False)
    return 1 if any(one.failed for one in summaries) or (audited and audited[0]) else 0


if __name__ == "__main__":
    # Ended like by Ctrl-C, so that the hub and PostgreSQL are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda _signum, _frame: signal.raise_signal(signal.SIGINT))
    sys.exit(main())
