"""What the tests of webhooks share: a small world, and the parts of a process that follow and deliver."""

import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.ledger import commands
from hub.ledger.commands import Party
from hub.sealing import SecretsKey
from hub.updates import Updates
from hub.webhooks.delivering import Deliverer
from hub.webhooks.endpoints import Webhook, new_secret
from hub.webhooks.following import Follower
from hub.webhooks.sender import Sender
from tests.conftest import Hub

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@dataclass
class Counts:
    """What was counted."""

    waiting: list[int] = field(default_factory=list)
    sent: list[tuple[int, int, int]] = field(default_factory=list)

    def webhooks_waiting(self, events: int) -> None:
        self.waiting.append(events)

    def webhooks_sent(self, delivered: int, failed: int, dead: int) -> None:
        self.sent.append((delivered, failed, dead))


class Process:
    """One process's follower and deliverer, moved by hand. ``ahead``: how far its clock is."""

    def __init__(self, hub: Hub, sealer: SecretsKey, drawn: int = 0, seconds_max: int = 15) -> None:
        self.hub, self.sealer, self.counts = hub, sealer, Counts()
        self.ahead = timedelta(0)
        self.updates = Updates(hub.addresses.server)
        self.sender = Sender(LOOPBACK, plain=True, seconds_max=seconds_max)
        self.follower = Follower(hub.database, hub.engine, self.updates, self.counts)
        self.deliverer = Deliverer(
            hub.database,
            hub.engine,
            hub.reading,
            self.updates,
            self.sender,
            sealer,
            self.counts,
            clock=lambda now: now + self.ahead,
            drawn=lambda: drawn,
        )

    async def follow(self) -> None:
        """Make all events that there are to make."""
        while await self.follower.step():
            pass

    async def deliver(self) -> None:
        """Send all that is due, and what becomes due by that."""
        while True:
            was_busy = self.deliverer.busy  # and so may have had no room for what is due
            await self.deliverer.turn()
            if not (was_busy or self.deliverer.busy):
                return
            await self.deliverer.finish()

    async def close(self) -> None:
        """Let everything go."""
        await self.deliverer.close()
        await self.sender.close()
        await self.updates.close()


class World:
    """BANK with a branch and BP, AIR with MILE and a rate to it, SHOP; and one process."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub = hub
        self.sealer = SecretsKey(folder / "sealing.key")
        self.process = Process(hub, self.sealer)
        self.others: list[Process] = []

    def another(self, **more: Any) -> Process:
        """Another process."""
        made = Process(self.hub.beside(), self.sealer, **more)
        self.others.append(made)
        return made

    async def found(self) -> None:
        """Make the world."""
        for code in ("BANK", "AIR", "SHOP"):
            await self.hub.institution(code)
        await self.hub.institution("BRANCH", parent="BANK")
        await self.hub.currency("BP", "BANK")
        await self.hub.currency("MILE", "AIR")
        self.rate = await self.hub.rate("BP", "MILE", "1:25", fee_percent="1")

    async def webhook(self, institution: str, url: str, *types: str) -> tuple[Webhook, str]:
        """An institution's endpoint, and its secret if it is new."""
        secret = new_secret()
        made = await self.hub.do(
            commands.SetWebhook(
                actor=self.hub.admin,
                institution=institution,
                url=url,
                types=types or ("*",),
                secret=self.sealer.seal(secret),
                plain=True,
            )
        )
        return made, secret

    async def events(self) -> list[Any]:
        """All events, in order."""
        return await self.hub.sql("SELECT * FROM webhook_event ORDER BY id")

    async def convert(self, key: str, amount: str = "100") -> Any:
        """A conversion of BANK's alice for AIR's anna."""
        return await self.hub.do(
            commands.Convert(
                actor=self.hub.admin,
                key=key,
                source=Party("BANK", "alice"),
                target=Party("AIR", "anna"),
                source_currency="BP",
                target_currency="MILE",
                amount=amount,
                minimum_target=None,
            )
        )

    async def reverse(self, key: str, id: int, amount: str | None = None) -> Any:
        """A reversal."""
        return await self.hub.do(
            commands.Reverse(actor=self.hub.admin, key=key, id=id, amount=amount, reason="returned")
        )

    async def hold(self, key: str, amount: str, until: datetime) -> Any:
        """A hold of alice's."""
        held = await self.hub.do(
            commands.HoldPoints(
                actor=self.hub.admin,
                key=key,
                currency="BP",
                customer=Party("BANK", "alice"),
                amount=amount,
                expires_at=until,
                memo="secret memo",
            )
        )
        return held.hold


@pytest.fixture
async def world(hub: Hub, tmp_path: Path) -> AsyncIterator[World]:
    made = World(hub, tmp_path)
    await made.found()
    yield made
    for one in made.others:
        await one.close()
        await one.hub.close()
    await made.process.close()
