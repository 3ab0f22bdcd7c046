"""kill -9 in the middle of load: every answered mutation is there exactly once, no half one, and the books are right.

The load moves expiring points in every way: transfers, holds that are captured in part or released, and conversions
there and back, whose points keep their ends.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from hub import postgres
from hub.ledger.records import MovementKind
from tests.conftest import driver_url
from tests.hub.programs import Pattern, Served, served
from tests.journeys.client import Client, key
from tests.journeys.network import network_of
from tests.properties import invariants

START = 1_000_000
CUSTOMERS = 8

# What is asked, its input's type and its answer, and the movement that comes of it.
MUTATIONS = {
    "transferPoints": ("TransferPointsInput", "Transfer", MovementKind.TRANSFER),
    "holdPoints": ("HoldPointsInput", "Hold", MovementKind.HOLD),
    "captureHold": ("CaptureHoldInput", "Hold", MovementKind.CAPTURE),
    "releaseHold": ("ReleaseHoldInput", "Hold", MovementKind.RELEASE),
    "convert": ("ConvertInput", "Conversion", MovementKind.CONVERT),
}


@dataclass(frozen=True)
class Sent:
    """A mutation as it was sent."""

    mutation: str
    value: dict[str, Any]


class Gone(Exception):
    """The server went away before it answered, or had no time for this."""


class Load:
    """Concurrent acts of some customers, with what was answered to each key."""

    def __init__(self, url: str, secret: str, bank: str, points: str, miles: str) -> None:
        self.url, self.secret, self.bank, self.points, self.miles = url, secret, bank, points, miles
        self.sent: dict[str, Sent] = {}
        self.answered: dict[str, str] = {}
        self.enough = asyncio.Event()
        self.enough_at = 0

    async def ask(self, client: httpx2.AsyncClient, sent: Sent) -> dict[str, Any]:
        """One mutation's answer."""
        takes, gives, _ = MUTATIONS[sent.mutation]
        document = (
            f"mutation($v: {takes}!) {{ {sent.mutation}(input: $v)"
            f" {{ __typename ... on {gives} {{ id replayed }} ... on Refused {{ reason }} }} }}"
        )
        response = await client.post(
            f"{self.url}/graphql",
            json={"query": document, "variables": {"v": sent.value}},
            headers={"authorization": f"Bearer {self.secret}"},
        )
        answer: dict[str, Any] = response.json()["data"][sent.mutation]
        return answer

    async def do(self, client: httpx2.AsyncClient, mutation: str, **fields: Any) -> str:
        """The identifier that is answered to a new mutation.

        Raises:
            Gone: nothing is; it may be done or not.
        """
        name = key()
        sent = self.sent[name] = Sent(mutation, {"idempotencyKey": name, **fields})
        try:
            answer = await self.ask(client, sent)
        except (httpx2.TransportError, json.JSONDecodeError):
            raise Gone from None
        if answer["__typename"] == "Refused":
            assert answer["reason"] == "RETRY_LATER", (sent, answer)
            raise Gone
        self.answered[name] = answer["id"]
        if len(self.answered) >= self.enough_at:
            self.enough.set()
        return str(answer["id"])

    async def acts(self, client: httpx2.AsyncClient, lane: int) -> AsyncIterator[None]:
        """What one lane does, again and again."""
        me = {"institution": self.bank, "reference": f"r{lane % CUSTOMERS}"}
        other = {"institution": self.bank, "reference": f"r{(lane + 1) % CUSTOMERS}"}
        until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        held = {"currency": self.points, "customer": me, "expiresAt": until}
        there = {"source": me, "target": me, "sourceCurrency": self.points, "targetCurrency": self.miles}
        back = {"source": me, "target": me, "sourceCurrency": self.miles, "targetCurrency": self.points}
        while True:
            await self.do(client, "transferPoints", currency=self.points, **{"from": me}, to=other, amount="1")
            yield
            hold = await self.do(client, "holdPoints", **held, amount="5")
            yield
            await self.do(client, "captureHold", holdId=hold, amount="2", to=other)
            yield
            await self.do(client, "convert", **there, sourceAmount="3")
            yield
            hold = await self.do(client, "holdPoints", **held, amount="7")
            yield
            await self.do(client, "releaseHold", holdId=hold)
            yield
            await self.do(client, "convert", **back, sourceAmount="3")
            yield

    async def stream(self, lane: int) -> None:
        """Acts one after the other until the server goes away."""
        async with httpx2.AsyncClient(timeout=30) as client:
            try:
                async for _ in self.acts(client, lane):
                    pass
            except Gone:
                return

    async def check(self) -> Counter[MovementKind]:
        """Ask for every key again; answers how many acts of each kind there are.

        What was answered is replayed with the same id. What was not is either there or done now, once.
        """
        async with httpx2.AsyncClient(timeout=30) as client:
            for name, sent in self.sent.items():
                again = await self.ask(client, sent)
                assert again["__typename"] == MUTATIONS[sent.mutation][1], (sent, again)
                if name in self.answered:
                    assert (again["id"], again["replayed"]) == (self.answered[name], True)
        return Counter(MUTATIONS[sent.mutation][2] for sent in self.sent.values())


@pytest.mark.long
@pytest.mark.parametrize("whole", [True, False], ids=["the whole server", "its parent alone"])
def test_what_was_answered_survives_a_kill(pattern: Pattern, tmp_path: Path, whole: bool) -> None:
    folder = pattern.copy(tmp_path / "data")
    with served(folder, pattern.secret) as server:
        load = _prepared(server)
        for _ in range(2):
            asyncio.run(_under_load(load, server, whole=whole))
            server.start()
        wanted = asyncio.run(load.check())
        assert len(load.answered) > 100, "the load was too small to show anything"
        assert all(wanted[kind] > 5 for _, _, kind in MUTATIONS.values()), wanted
        kinds = asyncio.run(_books(folder))
        assert {kind: kinds[kind] for kind in wanted} == dict(wanted), "an act is there twice, or not at all"
        operator = Client(server.url, server.secret)
        held = [
            int(operator.balance(load.bank, f"r{place}", code))
            for place in range(CUSTOMERS)
            for code in (load.points, load.miles)
        ]
        assert sum(held) == CUSTOMERS * START
        audit = server.run("audit")
        assert audit.returncode == 0, audit.stdout + audit.stderr


def _prepared(server: Served) -> Load:
    """A bank and an airline, a rate each way at which the points keep their ends, and customers with points."""
    network = network_of(server)
    bank, airline = network.institution("BANK"), network.institution("AIR", "AIRLINE")
    ageing = {"kind": "MONTHS_AFTER_EARNING", "months": 24}
    points = network.currency("PTS", bank, expiry=ageing)
    miles = network.currency("MI", airline, expiry=ageing)
    network.rate(points, miles, 1, 1, life="CARRIED")
    network.rate(miles, points, 1, 1)
    for place in range(CUSTOMERS):
        network.issue(points, bank, f"r{place}", str(START))
    return Load(server.url, server.secret, bank, points, miles)


async def _books(folder: Path) -> Counter[int]:
    """Fail unless the tables agree with themselves, holds and lots included; answers how many acts there are."""
    with postgres.lease(folder) as server:
        eyes = await asyncpg.connect(driver_url(server.url(postgres.OWNER)))
        try:
            tables = await invariants.read(eyes)
            entries = await eyes.fetch("SELECT * FROM journal_entry ORDER BY batch")
            invariants.check_chain(entries, await eyes.fetchrow("SELECT * FROM journal_head"))
        finally:
            await eyes.close()
    invariants.check_tables(tables)
    return Counter(row["kind"] for row in tables["movement"])


async def _under_load(load: Load, server: Served, *, whole: bool) -> None:
    load.enough, load.enough_at = asyncio.Event(), len(load.answered) + 120
    lanes = [asyncio.create_task(load.stream(lane)) for lane in range(16)]
    await load.enough.wait()
    await asyncio.to_thread(server.kill, whole=whole)
    await asyncio.gather(*lanes)
