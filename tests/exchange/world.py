"""A hub with two partners on a real wire: an airline and a hotel, each a simulator with its own store, and a bank whose
points the hub keeps. What is conserved is counted over all three."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from adapters.registry import Installed, Registry
from adapters.simulator.rules import Programme
from hub.exchange import Exchange, Patience
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import Conversion, Movement
from hub.partners import HOLDING, Operation, Status
from hub.updates import Updates
from tests.adapters.conftest import Playing, playing
from tests.adapters.example import Airline, Configuration
from tests.conftest import Hub
from tests.hub.ledger.test_exchanges import conversion

T = TypeVar("T")
MEMBER = "M-1"
AL, HAN, ALICE = Party("AIR", MEMBER), Party("HOTEL", MEMBER), Party("BANK", "alice")
AT_ONCE = Patience(
    retry=timedelta(milliseconds=20),
    retry_max=timedelta(milliseconds=200),
    lease=timedelta(seconds=5),
    give_up=timedelta(seconds=60),
    rest=timedelta(milliseconds=50),
)
SETTLED = ("COMPLETED", "REFUSED", "REVERSED")


class Plain:
    """Keeps nothing secret, because nothing is."""

    def seal(self, secret: str, /) -> str:
        return secret

    def open(self, sealed: str, /) -> str:
        return sealed


async def eventually(found: Callable[[], Awaitable[T | None]], seconds: float = 30) -> T:
    """What is found, as soon as something is."""
    async with asyncio.timeout(seconds):
        while True:
            if (one := await found()) is not None:
                return one
            await asyncio.sleep(0.02)


class Quick:
    """The guide's adapter, of an airline that knows an order as soon as it has come, and holds points or does not."""

    configuration = Configuration
    answers_within_s = 10
    holds = False

    def connect(self, configuration: Configuration) -> Airline:
        made = Airline(configuration)
        made.capabilities = msgspec.structs.replace(
            made.capabilities,
            operations=made.capabilities.operations - (frozenset() if self.holds else HOLDING),
            partial=frozenset({Operation.REVERSE}),
            absent_after_s=0,
            answers_within_s=self.answers_within_s,
        )
        return made


@asynccontextmanager
async def directly(url: str) -> AsyncIterator[str]:
    """A partner with nothing between it and the hub."""
    yield url


@dataclass
class Counted:
    """What the exchange counted."""

    statuses: list[Status] = field(default_factory=list)

    def called(self, status: Status) -> None:
        self.statuses.append(status)


@dataclass
class World:
    hub: Hub
    airline: Playing
    hotel: Playing
    registry: Registry
    counted: Counted
    exchange: Exchange
    updates: Updates

    async def convert(self, source: Party, target: Party, pair: str, amount: str, key: str | None = None) -> Conversion:
        """A conversion that was accepted."""
        asked = conversion(self.hub, source, target, pair, amount, **({} if key is None else {"key": key}))
        made = await self.hub.do(asked)
        assert isinstance(made, Conversion)
        return made

    async def status(self, of: Conversion) -> str:
        [row] = await self.hub.sql("SELECT status FROM conversion WHERE id = $1", of.id)
        return str(row["status"])

    async def until(self, of: Conversion, *statuses: str, seconds: float = 30) -> str:
        """The conversion's status once it is one of these."""

        async def found() -> str | None:
            status = await self.status(of)
            return status if status in statuses else None

        return await eventually(found, seconds)

    async def settled(self, of: Conversion) -> str:
        return await self.until(of, *SETTLED)

    async def ended(self, of: Movement) -> str:
        """The state in which the exchange of another act than a conversion ends."""

        async def found() -> str | None:
            [row] = await self.hub.sql("SELECT state FROM exchange WHERE id = $1", of.id)
            return str(row["state"]) if row["state"] in SETTLED else None

        return await eventually(found)

    async def asked_again(self, times: int) -> None:
        """Return once partners have answered so many times more."""
        wanted = len(self.counted.statuses) + times

        async def found() -> bool | None:
            return True if len(self.counted.statuses) >= wanted else None

        await eventually(found)

    async def refusal(self, of: Conversion | Movement) -> Mapping[str, Any]:
        [row] = await self.hub.sql("SELECT state, refusal, details FROM exchange WHERE id = $1", of.id)
        return dict(row)

    async def incidents(self) -> list[str]:
        return [row["text"] for row in await self.hub.sql("SELECT text FROM partner_incident ORDER BY at")]

    async def points(self) -> tuple[str, str, int]:
        """What the airline's and the hotel's member can spend, and what the bank's customer has."""
        at_bank = await self.hub.balance("BP", "BANK", "alice")
        return await self.airline.available(MEMBER), await self.hotel.available(MEMBER), at_bank


@asynccontextmanager
async def exchanging(
    hub: Hub, registry: Registry, patience: Patience = AT_ONCE
) -> AsyncIterator[tuple[Exchange, Counted, Updates]]:
    """One process's exchange over a hub, at work while the context lasts."""
    updates, counted = Updates(hub.addresses.server), Counted()
    made = Exchange(hub.database, hub.engine, hub.reading, updates, registry, counted, patience)
    made.start()
    try:
        yield made, counted, updates
    finally:
        await made.close()
        await updates.close()


def registry_of(**partners: Any) -> Registry:
    return Registry(Installed({"example": Quick(), **partners}), Plain())


async def connect(hub: Hub, registry: Registry, code: str, issuer: str, url: str, **terms: Any) -> None:
    """A currency of two decimals that is kept behind ``url``."""
    checked = await registry.check("example", {"url": url})
    kept = commands.Connection(checked.sealed, checked.scale, checked.operations, checked.partial)
    await hub.currency(code, issuer, scale=2, adapter="example", connection=kept, **terms)


@asynccontextmanager
async def world(
    hub: Hub,
    patience: Patience = AT_ONCE,
    kind: Quick | None = None,
    line: Callable[[str], AbstractAsyncContextManager[str]] = directly,
    programme: Programme | None = None,
) -> AsyncIterator[World]:
    """25 BP = 1 MILE, 2 MILE = 3 STAY, 1 MILE = 20 BP; the members have 100,000 MILE and no STAY, alice 100,000 BP.
    ``line``: where the hub reaches the airline and the hotel, in this order; ``programme``: the airline's."""
    async with AsyncExitStack() as stack:
        airline = await stack.enter_async_context(playing(programme))
        hotel = await stack.enter_async_context(playing())
        await airline.enroll(MEMBER, "100000")
        await hotel.enroll(MEMBER, "0")
        registry = registry_of(**({} if kind is None else {"example": kind}))
        stack.push_async_callback(registry.close)
        for code in ("BANK", "AIR", "HOTEL", "SHOP"):
            await hub.institution(code)
        await hub.currency("BP", "BANK")
        for code, issuer, at in (("MILE", "AIR", airline), ("STAY", "HOTEL", hotel)):
            await connect(hub, registry, code, issuer, await stack.enter_async_context(line(at.url)))
        await hub.issue("BP", "BANK", "alice", "100000")
        await hub.rate("BP", "MILE", "1:25")
        await hub.rate("MILE", "STAY", "3:2")
        await hub.rate("MILE", "BP", "20:1")
        exchange, counted, updates = await stack.enter_async_context(exchanging(hub, registry, patience))
        yield World(hub, airline, hotel, registry, counted, exchange, updates)
