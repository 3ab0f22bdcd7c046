"""CPU seconds per group of processes, read from /proc.

A process that ended is in its parent's count once it was waited for, so a group's difference loses nothing.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/<pid>/stat: who its parent is, and its CPU ticks with those of its children that ended."""

    pid: int
    parent: int
    ticks: int


def parse_stat(line: str) -> Process:
    """One process from its stat line; its name stands in parentheses and may hold anything, parentheses too."""
    pid, _, rest = line.partition(" (")
    fields = rest.rpartition(") ")[2].split()
    return Process(pid=int(pid), parent=int(fields[1]), ticks=sum(int(one) for one in fields[11:15]))


def processes() -> dict[int, Process]:
    """All processes that can be read now."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                one = parse_stat((folder / "stat").read_text())
            except OSError:
                continue  # it ended while we looked
            found[one.pid] = one
    return found


def machine_busy_s(stat: str) -> float:
    """CPU seconds of the whole machine from the first line of /proc/stat: all but idling and waiting for the disk."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(one) for one in stat.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def tree(root: int, among: Mapping[int, Process]) -> list[int]:
    """``root`` and all its descendants, parents first."""
    children: dict[int, list[int]] = defaultdict(list)
    for one in among.values():
        children[one.parent].append(one.pid)
    found, waiting = [], [root] if root in among else []
    while waiting:
        pid = waiting.pop(0)
        found.append(pid)
        waiting.extend(children[pid])
    return found


def title(pid: int) -> str:
    """How a process calls itself, in a few words; its pid if it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").split()
    except OSError:
        return str(pid)
    return " ".join(word.rpartition("/")[2] for word in words)[:60]


class Meter:
    """CPU since it was made: of named process trees, and of the client (this process and its ended child, pgbench)."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = dict(roots)
        self._before = self._read()
        self._busy_before_s = machine_busy_s(STAT.read_text())

    def _read(self) -> dict[str, dict[int, int]]:
        now = processes()
        ticks = {group: {pid: now[pid].ticks for pid in tree(root, now)} for group, root in self._roots.items()}
        own = os.times()
        client_s = own.user + own.system + own.children_user + own.children_system
        ticks["client"] = {os.getpid(): int(client_s * TICKS_PER_S)}
        return ticks

    def others_s(self, used: Mapping[str, Mapping[int, float]]) -> float:
        """What the rest of the machine used beside ``used``: other programs, and the time that the host took away."""
        busy_s = machine_busy_s(STAT.read_text()) - self._busy_before_s
        return max(0.0, busy_s - sum(sum(pids.values()) for pids in used.values()))

    def seconds(self) -> dict[str, dict[int, float]]:
        """CPU seconds since the meter was made, per group and process; what is new counts from zero. What ended in
        between is in its group's first process, without what it had used before."""
        used = {}
        for group, now in self._read().items():
            before = self._before[group]
            ticks = {pid: count - before.get(pid, 0) for pid, count in now.items()}
            if now:
                ticks[next(iter(now))] -= sum(count for pid, count in before.items() if pid not in now)
            used[group] = {pid: count / TICKS_PER_S for pid, count in ticks.items()}
        return used
