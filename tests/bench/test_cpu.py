"""Processes are read from /proc as the kernel writes them."""

import os
import subprocess
import sys

from bench.cpu import TICKS_PER_S, Meter, Process, machine_busy_s, parse_stat, processes, tree

# The 14th to 17th fields are CPU ticks: user and system, of itself and of its ended children.
STAT = "42 (a (strange) name) S 7 42 42 0 -1 4194304 9 9 0 0 {} 20 0 1 0 5 6 7 0".format("100 20 3 4")


def test_a_name_may_hold_anything() -> None:
    assert parse_stat(STAT) == Process(pid=42, parent=7, ticks=127)  # 100 + 20 + 3 + 4


def test_a_machine_is_busy_unless_it_idles_or_waits_for_the_disk() -> None:
    # user 1, nice 2, system 4, idle 1000, iowait 2000, irq 8, softirq 16, steal 32; guests are within user
    assert machine_busy_s("cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 ...") * TICKS_PER_S == 63


def test_a_tree_holds_descendants_only() -> None:
    among = {pid: Process(pid, parent, 0) for pid, parent in ((1, 0), (5, 1), (6, 5), (7, 6), (8, 1))}
    assert tree(5, among) == [5, 6, 7]
    assert tree(99, among) == []


def test_a_meter_counts_from_when_it_was_made() -> None:
    assert os.getpid() in processes()
    meter = Meter({"self": os.getpid()})
    used = meter.seconds()
    assert meter.others_s(used) >= 0
    assert set(used) == {"self", "client"}
    assert 0 <= used["client"][os.getpid()] < 1


def test_what_ended_is_not_counted_for_what_it_had_used_before() -> None:
    """A child that has worked for a second before the meter was made, and then ends."""
    script = "import time\nwhile time.process_time() < 1: pass\nprint('worked', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        meter = Meter({"self": os.getpid()})
        child.communicate(b"\n")
    assert sum(meter.seconds()["self"].values()) < 0.5
