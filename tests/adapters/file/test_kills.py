"""Killed before any step, or done by several processes at once: every order goes out once."""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from hub.partners import Status
from tests.adapters.file.conftest import Exchanged

ROOT = Path(__file__).parents[3]
PROCESSES, ROUNDS = 4, 6


async def start(name: str, *arguments: str) -> asyncio.subprocess.Process:
    """One of our programs."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.adapters.file.{name}", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_whoever_is_killed_between_staging_and_renaming_sends_each_order_once(tmp_path: Path) -> None:
    process = await start("killed", str(tmp_path))
    out, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    runs = [json.loads(line) for line in out.splitlines()]
    assert runs[-1]["lived"]
    assert len(runs) > 25, "every step of staging two orders, composing and renaming"
    for run in runs:
        assert run["left"] == [], run
        assert run["orders"] == {"PH-1": 1, "PH-2": 1}, run
        assert run["files"] == ["orders-20260301-001.csv"], run
    # Killed before the file lay there, or after: both were tried.
    assert {bool(run["between"]) for run in runs[:-1]} == {False, True}


async def test_processes_that_stage_and_compose_at_once_send_each_order_once(exchanged: Exchanged) -> None:
    folder = str(exchanged.folder)
    processes = [await start("hurried", folder, str(number), str(ROUNDS)) for number in range(PROCESSES)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    for process, (_, told) in zip(processes, ended, strict=True):
        assert process.returncode == 0, told.decode()
    sent = Counter(row[0] for name in exchanged.files() for row in exchanged.rows(name) if row[0].startswith("PH-"))
    # Each round: 3 of each process, and 1 of all.
    assert len(sent) == ROUNDS * (PROCESSES * 3 + 1)
    assert set(sent.values()) == {1}
    numbers = [int(name[-7:-4]) for name in exchanged.files()]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_a_folder_that_another_process_never_leaves_makes_an_order_unknown(
    exchanged: Exchanged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.file.partner.LOCK_S_MAX", 0.05)
    partner, other = exchanged.connect(), exchanged.connect()
    order = exchanged.order()
    with other._batches.alone(0):
        assert (await partner.perform(order)).status is Status.UNKNOWN
        assert (await partner.status(order)).status is Status.ABSENT
    assert (await partner.perform(order)).status is Status.PENDING
