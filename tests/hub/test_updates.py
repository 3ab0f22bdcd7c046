"""Updates: each is told what it waits for, whichever process committed it, and what it may have missed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from hub.channels import Channel
from hub.ledger import commands
from hub.updates import Updates
from tests.concurrency.world import convert, found, issue
from tests.conftest import Hub, driver_url
from tests.exchange.world import AL, ALICE, world

WAIT_S_MAX = 30


@pytest.fixture
async def updates(hub: Hub) -> AsyncIterator[Updates]:
    made = Updates(hub.addresses.server)
    yield made
    await made.close()


@pytest.fixture
async def announcer(hub: Hub) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(driver_url(hub.addresses.server))
    yield connection
    await connection.close()


async def test_a_lost_connection_wakes_everybody_and_is_made_anew(
    hub: Hub, updates: Updates, superuser: "asyncpg.Connection[Any]"
) -> None:
    both = {Channel.BATCHES, Channel.WEBHOOKS}
    async with updates.subscribe(*both) as told, asyncio.timeout(WAIT_S_MAX):
        assert await anext(told) == both  # the listening began
        await hub.institution("BANK")
        assert await anext(told) == {Channel.BATCHES}
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE '%LISTEN%' AND pid <> pg_backend_pid()"
        )
        assert await anext(told) == both  # nothing new, but something may have been missed
        await hub.institution("AIR")
        assert await anext(told) == {Channel.BATCHES}


async def test_announcements_that_come_together_are_told_as_one(
    updates: Updates, announcer: "asyncpg.Connection[Any]"
) -> None:
    channels = {Channel.BATCHES, Channel.CALLS, Channel.WEBHOOKS}
    async with (
        updates.subscribe(*channels) as told,
        updates.subscribe(Channel.WEBHOOKS) as last,
        asyncio.timeout(WAIT_S_MAX),
    ):
        assert await anext(told) == channels
        assert await anext(last) == {Channel.WEBHOOKS}
        for channel in (Channel.BATCHES, Channel.CALLS, Channel.BATCHES, Channel.CONFIGURATION, Channel.WEBHOOKS):
            await announcer.execute("SELECT pg_notify($1, '')", channel)
        assert await anext(last) == {Channel.WEBHOOKS}
        assert await anext(told) == channels
        waiting = asyncio.create_task(anext(told, None))
        await asyncio.sleep(0)
        await updates.close()
        assert await waiting is None
    async with updates.subscribe(Channel.BATCHES) as told:
        assert [one async for one in told] == []


async def test_a_batch_is_announced_where_it_concerns_somebody(hub: Hub, updates: Updates) -> None:
    async with updates.subscribe(*Channel) as told, asyncio.timeout(WAIT_S_MAX):
        assert await anext(told) == set(Channel)
        await hub.institution("BANK")
        assert await anext(told) == {Channel.BATCHES, Channel.CONFIGURATION}
        await hub.currency("BP", "BANK")
        assert await anext(told) == {Channel.BATCHES, Channel.CONFIGURATION}
        await hub.do(issue(hub, "one", "u0", "10"))
        assert await anext(told) == {Channel.BATCHES}
        await hub.do(issue(hub, "one", "u0", "10"))  # again, which is no batch
        await hub.institution("AIR")
        assert await anext(told) == {Channel.BATCHES, Channel.CONFIGURATION}


async def test_acts_and_windows_are_announced_when_they_change(hub: Hub, updates: Updates) -> None:
    await found(hub, 1)
    async with updates.subscribe(*Channel) as told, asyncio.timeout(WAIT_S_MAX):
        assert await anext(told) == set(Channel)
        made = await hub.do(convert(hub, "one", 0, 25))
        assert await anext(told) == {Channel.BATCHES}  # nobody has known it before
        await hub.do(commands.Reverse(actor=hub.admin, key="two", id=made.id, amount=None, reason="no"))
        assert await anext(told) == {Channel.BATCHES, Channel.ACTS}
        await hub.do(commands.CloseWindow(actor=hub.admin, key="three", window=await hub.window()))
        assert await anext(told) == {Channel.BATCHES, Channel.WINDOWS}


async def test_what_partners_are_asked_is_announced(hub: Hub, updates: Updates) -> None:
    async with world(hub) as made:
        await made.exchange.close()  # so that nobody reports an answer
        async with updates.subscribe(*Channel) as told, asyncio.timeout(WAIT_S_MAX):
            await anext(told)
            await hub.issue("BP", "BANK", "somebody", "10")
            assert await anext(told) == {Channel.BATCHES}
            await made.convert(ALICE, AL, "BP>MILE", "50000")
            assert await anext(told) == {Channel.BATCHES, Channel.ACTS, Channel.CALLS}
