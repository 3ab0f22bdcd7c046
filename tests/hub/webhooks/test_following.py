"""Following: every batch once, whoever follows, whatever fails, and nothing before an endpoint's time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hub.channels import Channel
from hub.ids import batch_of
from hub.ledger import commands, rows
from hub.ledger.commands import Party
from hub.metrics import Board
from hub.schedule import Schedule
from hub.webhooks import deliveries, following
from hub.webhooks.endpoints import new_secret
from tests.concurrency.world import issue
from tests.conftest import Hub, counted
from tests.hub.webhooks.conftest import World
from tests.hub.webhooks.test_events import NOWHERE


async def cursor(world: World) -> int | None:
    found = await world.hub.sql("SELECT batch FROM webhook_cursor")
    return found[0]["batch"] if found else None


async def head(world: World) -> int:
    return int((await world.hub.sql("SELECT batch FROM journal_head"))[0]["batch"])


async def test_without_endpoints_nothing_is_written(world: World) -> None:
    await world.hub.issue("BP", "BANK", "alice", "10")
    assert not await world.process.follower.step()
    assert await cursor(world) is None


async def test_an_endpoint_is_told_of_what_happens_after_it_was_set(world: World) -> None:
    await world.hub.issue("BP", "BANK", "alice", "10")
    await world.webhook("BANK", NOWHERE)
    await world.hub.issue("BP", "BANK", "bob", "10")
    await world.process.follow()
    assert len(await world.events()) == 1
    await world.webhook("SHOP", NOWHERE)
    await world.hub.issue("BP", "SHOP", "carol", "10")  # told to the customer's institution and the issuer
    await world.process.follow()
    await world.process.follow()
    assert len(await world.events()) == 3
    assert await cursor(world) == await head(world)


async def test_an_endpoint_is_not_told_of_what_happened_before_however_late_that_is_followed(
    world: World,
) -> None:
    bank, _ = await world.webhook("BANK", NOWHERE)
    await world.hub.issue("BP", "BANK", "alice", "10")
    operator, _ = await world.webhook("HUB", NOWHERE)
    await world.hub.issue("BP", "BANK", "bob", "10")
    await world.process.follow()
    told = [row["webhook_id"] for row in await world.events()]
    assert (told.count(bank.id), told.count(operator.id)) == (2, 1)


async def test_changing_an_endpoint_leaves_nothing_out(world: World) -> None:
    await world.webhook("BANK", NOWHERE)
    await world.hub.issue("BP", "BANK", "alice", "10")
    await world.webhook("BANK", NOWHERE, "issue.posted")
    await world.hub.issue("BP", "BANK", "bob", "10")
    await world.process.follow()
    assert len(await world.events()) == 2


async def test_many_followers_at_once_make_each_event_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ROWS_OF_STEP", 1)  # a batch a step
    hub = world.hub
    await world.webhook("BANK", NOWHERE)
    processes = [world.another() for _ in range(3)]
    for number in range(12):
        await hub.batch([issue(hub, f"i{number}-{n}", f"u{n}", "5") for n in range(5)])
    await asyncio.gather(*(process.follow() for process in processes))
    events = await world.events()
    movements = await hub.sql("SELECT id FROM movement ORDER BY id")
    assert len(movements) == 60
    assert [
        row["payload"].count(f'"sequence":"{moved["id"]}"') for row, moved in zip(events, movements, strict=True)
    ] == ([1] * 60)
    assert [row["id"] for row in events] == sorted(row["id"] for row in events)
    assert [batch_of(row["id"]) for row in events] == [batch_of(moved["id"]) for moved in movements]


async def test_a_step_that_fails_has_neither_written_events_nor_moved_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.webhook("BANK", NOWHERE)
    await world.hub.issue("BP", "BANK", "alice", "10")
    add = deliveries.add

    async def fails(driver: Any, made: Any) -> None:
        await add(driver, made)
        raise OSError("the machine has died")

    monkeypatch.setattr(deliveries, "add", fails)
    with pytest.raises(OSError, match="died"):
        await world.process.follower.step()
    assert (await world.events(), await cursor(world)) == ([], None)
    monkeypatch.undo()
    await world.process.follow()
    assert len(await world.events()) == 1


async def test_a_stretch_ends_with_a_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ROWS_OF_STEP", 30)
    hub = world.hub
    await world.webhook("BANK", NOWHERE)
    await world.process.follow()
    for number in range(4):
        await hub.batch([issue(hub, f"i{number}-{n}", f"u{n}", "5") for n in range(20)])  # far more than 30 rows each
    sizes = []
    more = True
    while more:
        more = await world.process.follower.step()
        sizes.append(len(await world.events()))
    assert sizes == [20, 40, 60, 80]


async def test_the_schedule_follows_also_where_nothing_is_swept(world: World) -> None:
    hub, process = world.hub, world.process
    row = Board(1).rows[0]
    schedule = Schedule(hub.addresses.server, hub.database, hub.engine, hub.reading, row, 0, process.follower)
    await world.webhook("BANK", NOWHERE)
    schedule.start()
    try:
        await hub.issue("BP", "BANK", "alice", "10")
        async with asyncio.timeout(30), process.updates.subscribe(Channel.WEBHOOKS) as announced:
            while not await world.events():
                await anext(announced)
    finally:
        await schedule.close()
    assert len(await world.events()) == 1


@asynccontextmanager
async def followed(world: World, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Hub, AsyncIterator[Any]]]:
    """The journal is followed, and looked at by nothing but announcements; another process, and what is announced."""
    patch.setattr(following, "LOOK_EVERY_S", 3_600)
    ending, other, updates = asyncio.Event(), world.hub.beside(), world.process.updates
    async with asyncio.timeout(60), updates.subscribe(Channel.BATCHES, Channel.WEBHOOKS) as told:
        running = asyncio.create_task(world.process.follower.run(ending))
        await anext(told)  # it has connected
        yield other, told
        ending.set()
        await running
    await other.close()


async def test_where_nobody_is_told_a_batch_is_not_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = counted(monkeypatch, world.process.follower, "step")
    async with followed(world, monkeypatch) as (other, told):
        for _ in range(20):
            await other.issue("BP", "BANK", "alice", "10")
            assert await anext(told) == {Channel.BATCHES}
        assert looks() <= 2  # as it began, and because it had connected


async def test_the_first_endpoint_is_noticed_with_what_happens_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, refresh, late = world.hub, rows.refresh, asyncio.Event()
    async with followed(world, monkeypatch) as (other, told):

        async def refreshing(connection: Any, configuration: Any, version: int) -> Any:
            """Before the follower knows of the endpoint, something happens that it has to be told, and is announced."""
            if configuration is hub.engine.configuration and configuration.version < version and not late.is_set():
                late.set()
                async with world.process.updates.subscribe(Channel.BATCHES) as heard:
                    await other.issue("BP", "BANK", "alice", "10")
                    await anext(heard)
            return await refresh(connection, configuration, version)

        monkeypatch.setattr(rows, "refresh", refreshing)
        endpoint: Any = {"institution": "BANK", "url": NOWHERE, "types": ("*",), "plain": True}
        sealed = world.sealer.seal(new_secret())
        await other.do(commands.SetWebhook(actor=hub.admin, secret=sealed, **endpoint))
        while Channel.WEBHOOKS not in await anext(told):
            pass
    assert late.is_set()
    assert len(await world.events()) == 1


async def test_what_waits_is_counted_and_what_was_delivered_long_ago_is_forgotten(world: World) -> None:
    await world.webhook("BANK", NOWHERE)
    for name in ("a", "b", "c", "d"):
        await world.hub.issue("BP", "BANK", name, "1")
    await world.process.follow()
    rows = await world.events()
    long_ago = "UPDATE webhook_event SET happened_at = now() - interval '31 days', status = $1 WHERE id = $2"
    await world.hub.sql(long_ago, "DELIVERED", rows[0]["id"])
    await world.hub.sql(long_ago, "DEAD", rows[1]["id"])
    await world.hub.sql("UPDATE webhook_event SET status = 'DELIVERED' WHERE id = $1", rows[2]["id"])
    await world.process.follower.keep()
    assert [row["id"] for row in await world.events()] == [row["id"] for row in rows[1:]]
    assert world.process.counts.waiting == [1]


async def test_what_an_erased_customer_was_called_stands_nowhere(world: World) -> None:
    await world.webhook("BANK", NOWHERE)
    await world.hub.issue("BP", "BANK", "erased-one", "1")
    await world.hub.sql("DELETE FROM customer_reference WHERE reference = 'erased-one'")
    await world.hub.do(commands.EnrollCustomer(actor=world.hub.admin, customer=Party("BANK", "somebody")))
    await world.process.follow()
    [row] = await world.events()
    assert "erased-one" not in row["payload"]
