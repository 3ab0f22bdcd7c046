"""kill -9 in the middle of load: every answered mutation is there exactly once, no half one, and the audit is clean."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.client import Client, key
from tests.journeys.conftest import environment_of, free_port, start
from tests.journeys.network import Network

DOCUMENT = """
mutation($v: TransferPointsInput!) {
  transferPoints(input: $v) { __typename ... on Transfer { id replayed } ... on Refused { reason } }
}
"""
START = 1_000_000
CUSTOMERS = 8


class Load:
    """Concurrent transfers of one point around a ring, with what was answered to each key."""

    def __init__(self, url: str, secret: str, bank: str, currency: str) -> None:
        self.url, self.secret, self.bank, self.currency = url, secret, bank, currency
        self.sent: dict[str, dict[str, Any]] = {}
        self.answered: dict[str, str] = {}
        self.enough = asyncio.Event()
        self.enough_at = 0

    async def ask(self, client: httpx2.AsyncClient, value: dict[str, Any]) -> dict[str, Any]:
        """One transfer's answer."""
        response = await client.post(
            f"{self.url}/graphql",
            json={"query": DOCUMENT, "variables": {"v": value}},
            headers={"authorization": f"Bearer {self.secret}"},
        )
        answer: dict[str, Any] = response.json()["data"]["transferPoints"]
        return answer

    async def stream(self, lane: int) -> None:
        """Transfers one after the other until the server goes away."""
        async with httpx2.AsyncClient(timeout=30) as client:
            while True:
                name = key()
                value = {
                    "idempotencyKey": name,
                    "currency": self.currency,
                    "from": {"institution": self.bank, "reference": f"r{lane % CUSTOMERS}"},
                    "to": {"institution": self.bank, "reference": f"r{(lane + 1) % CUSTOMERS}"},
                    "amount": "1",
                }
                self.sent[name] = value
                try:
                    answer = await self.ask(client, value)
                except (httpx2.TransportError, json.JSONDecodeError):
                    return
                if answer["__typename"] != "Transfer":
                    assert answer["reason"] == "RETRY_LATER", answer
                    return
                self.answered[name] = answer["id"]
                if len(self.answered) >= self.enough_at:
                    self.enough.set()

    async def check(self) -> int:
        """Ask for every key again; answers how many transfers there are.

        What was answered is replayed with the same id. What was not is either there or done now, once.
        """
        async with httpx2.AsyncClient(timeout=30) as client:
            for name, value in self.sent.items():
                again = await self.ask(client, value)
                assert again["__typename"] == "Transfer", again
                if name in self.answered:
                    assert again == {"__typename": "Transfer", "id": self.answered[name], "replayed": True}
        return len(self.sent)


def workers_of(parent: int) -> list[int]:
    """The processes whose parent is ``parent``."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


@pytest.mark.parametrize("whole", [True, False], ids=["the whole server", "its parent alone"])
def test_what_was_answered_survives_a_kill(tmp_path: Path, whole: bool) -> None:
    environment = environment_of(tmp_path / "data")
    made = subprocess.run(
        [sys.executable, "-m", "hub", "init", "--json"], env=environment, capture_output=True, check=True, timeout=120
    )
    secret, port = json.loads(made.stdout)["secret"], free_port()
    process = start(environment, port)
    try:
        operator = Client(f"http://127.0.0.1:{port}", secret)
        network = Network(operator, operator)
        bank = network.institution("BANK")
        points = network.currency("PTS", bank)
        for place in range(CUSTOMERS):
            network.issue(points, bank, f"r{place}", str(START))
        load = Load(operator.url, secret, bank, points)
        for _ in range(2):
            workers = workers_of(process.pid)
            asyncio.run(_under_load(load, process, whole=whole))
            _wait_for_the_end(process, workers)
            process = start(environment, port)
        total = asyncio.run(load.check())
        assert len(load.answered) > 50, "the load was too small to show anything"
        assert total >= len(load.answered)
        balances = [int(operator.balance(bank, f"r{place}", points)) for place in range(CUSTOMERS)]
        assert sum(balances) == CUSTOMERS * START
        audit = subprocess.run(
            [sys.executable, "-m", "hub", "audit"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert audit.returncode == 0, audit.stdout + audit.stderr
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


async def _under_load(load: Load, process: subprocess.Popen[bytes], *, whole: bool) -> None:
    load.enough, load.enough_at = asyncio.Event(), len(load.answered) + 60
    lanes = [asyncio.create_task(load.stream(lane)) for lane in range(16)]
    await load.enough.wait()
    if whole:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL)
    await asyncio.gather(*lanes)


def _wait_for_the_end(process: subprocess.Popen[bytes], workers: list[int]) -> None:
    process.wait(timeout=30)
    until = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < until, "a worker outlived its parent"
        time.sleep(0.02)
