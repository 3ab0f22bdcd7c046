"""What is printed: the figures, where the CPU went, and, when asked, the profile."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.table import Table

from bench.figures import Summary
from bench.profile import Profile

LINES_SHOWN = 15
NEARLY_ALL = 0.9
TINY = 0.005


def ratio(summary: Summary, baseline: Summary | None) -> float | None:
    """A workload's rate as a share of the baseline's; None without a baseline to hold it against."""
    return summary.rate_per_s / baseline.rate_per_s if baseline and baseline.rate_per_s else None


def results(summaries: Sequence[Summary], baseline: Summary | None, to_reach: Mapping[str, float]) -> Table:
    """One line per workload: medians over the rounds, and the total of failures."""
    table = Table(title=f"medians of {max(one.rounds for one in summaries)} interleaved rounds", title_justify="left")
    table.add_column("workload")
    for heading in ("rows/s", "min-max", "p50 ms", "p99 ms", "x baseline", "to reach", "failed", "client CPU"):
        table.add_column(heading, justify="right")
    for one in summaries:
        share, wanted = ratio(one, baseline), to_reach.get(one.name)
        colour = "" if share is None or wanted is None else "[green]" if share >= wanted else "[red]"
        table.add_row(
            one.name,
            f"{one.rate_per_s:,.0f}",
            f"{one.rate_min_per_s:,.0f}-{one.rate_max_per_s:,.0f}",
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
            "" if share is None else f"{colour}{share:.2f}",
            "" if wanted is None else f"{wanted:.2f}",
            f"{'[red]' if one.failed else ''}{one.failed}",
            f"{one.client_cpu:.0%}",
        )
    return table


def cores(summaries: Sequence[Summary], machine: int) -> Table:
    """How many cores each group of processes kept busy, and what that says about the limit."""
    groups = sorted({group for one in summaries for group in one.cores})
    table = Table(title=f"cores kept busy, of {machine}", title_justify="left")
    table.add_column("workload")
    for group in [*groups, "together"]:
        table.add_column(group, justify="right")
    table.add_column("limited by")
    for one in summaries:
        busy = [one.cores.get(group, 0.0) for group in groups]
        table.add_row(one.name, *(f"{value:.2f}" for value in [*busy, sum(busy)]), limit(one.cores, machine))
    return table


def limit(busy: Mapping[str, float], machine: int) -> str:
    """In words: the machine's CPU, with who takes most of it, or waiting, when cores stood idle."""
    together = sum(busy.values())
    if together < NEARLY_ALL * machine:
        return f"waiting (disk, locks, one thread): {1 - together / machine:.0%} idle"
    most = max(busy, key=lambda group: busy[group])
    return f"CPU: {most} {busy[most] / together:.0%}"


def counted(title: str, counts: Counter[str], of: int) -> Table:
    """The most frequent of ``counts`` as shares of ``of``."""
    table = Table("share", title, title_justify="left")
    for what, number in counts.most_common(LINES_SHOWN):
        table.add_row(f"{number / of:.1%}" if of else "", what)
    return table


def profile(name: str, told: Profile) -> list[Table]:
    """A workload's samples, three ways."""
    return [
        counted(f"{name}: Python CPU by package ({told.samples} samples)", told.packages, told.samples),
        counted(f"{name}: by function, its own", told.own, told.samples),
        counted(f"{name}: by our function, with what it calls", told.under, told.samples),
    ]


def per_process(name: str, seconds: float, cpu_s: Mapping[str, float]) -> Table:
    """Each process's cores in one round, the busiest first."""
    table = Table("cores", f"{name}: process", title_justify="left")
    for process, used_s in sorted(cpu_s.items(), key=lambda item: -item[1])[:LINES_SHOWN]:
        if used_s >= TINY * seconds:
            table.add_row(f"{used_s / seconds:.2f}", process)
    return table
