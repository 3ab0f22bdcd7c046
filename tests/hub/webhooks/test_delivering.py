"""Delivering: to real receivers, in order, again and again, and by several processes at once."""

import asyncio
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook as Verifier

from hub import ids
from hub.ledger import commands
from hub.webhooks.deliveries import LEASE, Deliveries
from hub.webhooks.endpoints import new_secret
from hub.webhooks.retries import JITTER, PAUSES
from tests.hub.webhooks.conftest import Process, World
from tests.hub.webhooks.receiver import Received, receiving

SECOND = timedelta(seconds=1)


async def state(world: World) -> list[tuple[str, int, int | None]]:
    return [(row["status"], row["attempts"], row["http_status"]) for row in await world.events()]


async def issue(world: World, *names: str) -> None:
    for name in names:
        await world.hub.issue("BP", "BANK", name, "1000")


async def passed(world: World, process: Process, pause: timedelta) -> None:
    """Let a pause after the last attempt pass, and send what is due then; not a minute before, if it is that long."""
    claims = sum(row["claims"] for row in await world.events())
    if pause > timedelta(minutes=2):
        process.ahead += pause - timedelta(minutes=1)
        await process.deliver()
        assert sum(row["claims"] for row in await world.events()) == claims
        pause = timedelta(minutes=1)
    process.ahead += pause
    await process.deliver()


async def test_an_event_is_delivered_once_and_its_signature_verifies(world: World) -> None:
    async with receiving() as receiver:
        _, secret = await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        await world.process.follow()
        await world.process.deliver()
        await world.process.deliver()
    [request] = receiver.received
    assert Verifier(secret).verify(request.body, request.headers)["type"] == "issue.posted"
    assert request.signatures == [request.signature_of(secret)]
    [row] = await world.events()
    assert request.id == ids.text(ids.EVENT, row["id"])
    assert request.headers["content-type"] == "application/json"
    assert await state(world) == [("DELIVERED", 1, 204)]
    assert world.process.counts.sent == [(1, 0, 0)]


async def test_what_fails_is_sent_again_after_the_schedule_s_pauses_and_then_is_dead(world: World) -> None:
    """Nine pauses with half of the jitter: each is 1.05 times the specification's."""
    process = world.another(drawn=JITTER // 2)
    async with receiving(lambda _: 503) as receiver:
        _, secret = await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        await process.follow()
        await process.deliver()
        assert await state(world) == [("PENDING", 1, 503)]
        for attempts, pause in enumerate(PAUSES, 2):
            [row] = await world.events()
            assert row["due_at"] - row["attempted_at"] == pause + pause / 20
            await passed(world, process, pause + pause / 20)
            assert len(receiver.received) == attempts
        assert await state(world) == [("DEAD", 10, 503)]
        process.ahead += timedelta(days=30)
        await process.deliver()
    assert len(receiver.received) == 10
    assert len({request.id for request in receiver.received}) == 1
    assert len({request.body for request in receiver.received}) == 1
    times = [int(request.headers["webhook-timestamp"]) for request in receiver.received]
    assert timedelta(seconds=times[-1] - times[0]) >= sum(PAUSES, timedelta(0))
    assert all(request.signatures == [request.signature_of(secret)] for request in receiver.received)
    [row] = await world.events()
    assert row["error"] == "503:"
    assert process.counts.sent == [(0, 1, 0)] * 9 + [(0, 1, 1)]


async def test_an_endpoint_s_own_wish_to_be_left_alone_lengthens_the_pause(world: World) -> None:
    async with receiving(lambda _: 429, extra="retry-after: 600\r\n") as receiver:
        await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        await world.process.follow()
        await world.process.deliver()
        await passed(world, world.process, timedelta(seconds=600))
        assert len(receiver.received) == 2


async def test_events_of_a_subject_arrive_in_order_whatever_fails_and_others_do_not_wait(world: World) -> None:
    """A conversion's completion fails twice: its reversals wait for it, another conversion does not."""
    await issue(world, "alice")
    failures = {"conversion.completed": 2}

    def answer(request: Received) -> int:
        type, subject = request.payload["type"], request.payload["subject"]
        if subject == first and failures.get(type, 0):
            failures[type] -= 1
            return 500
        return 200

    async with receiving(answer) as receiver:
        await world.webhook("AIR", receiver.url)
        made = await world.convert("c1", "250")
        first = ids.text(ids.CONVERSION, made.id)
        await world.reverse("r1", made.id, "4")
        await world.reverse("r2", made.id)
        await world.convert("c2")
        await world.process.follow()
        await world.process.deliver()
        told = [(request.payload["subject"] == first, request.payload["type"]) for request in receiver.received]
        assert sorted(told) == [(False, "conversion.completed"), (True, "conversion.completed")]
        await passed(world, world.process, PAUSES[0])
        assert len(receiver.received) == 3  # it failed again, and nothing went before it
        await passed(world, world.process, PAUSES[1])
    of_first = [request.payload for request in receiver.received if request.payload["subject"] == first]
    assert [one["type"] for one in of_first] == [
        *("conversion.completed", "conversion.completed", "conversion.completed"),
        *("reversal.posted", "reversal.posted", "conversion.reversed"),
    ]
    places = [int(one["sequence"]) for one in of_first[2:]]
    assert places == sorted(places)


async def test_a_dead_event_lets_the_next_of_its_subject_pass(world: World) -> None:
    await issue(world, "alice")
    async with receiving(lambda request: 500 if request.payload["type"] == "conversion.completed" else 200) as receiver:
        await world.webhook("AIR", receiver.url, "conversion.completed", "reversal.posted")
        made = await world.convert("c")
        await world.reverse("r", made.id, "1")
        await world.process.follow()
        await world.process.deliver()
        for pause in PAUSES[:-1]:
            await passed(world, world.process, pause)
            assert {request.payload["type"] for request in receiver.received} == {"conversion.completed"}
        await passed(world, world.process, PAUSES[-1])
    assert receiver.received[-1].payload["type"] == "reversal.posted"
    assert [row["status"] for row in await world.events()] == ["DEAD", "DELIVERED"]


async def test_replaying_sends_the_same_event_again(world: World) -> None:
    working: list[int] = []
    async with receiving(lambda _: 200 if working else 500) as receiver:
        webhook, _ = await world.webhook("BANK", receiver.url)
        await issue(world, "alice", "bob")
        await world.process.follow()
        await world.process.deliver()
        for pause in PAUSES:
            await passed(world, world.process, pause)
        assert [row["status"] for row in await world.events()] == ["DEAD", "DEAD"]
        working.append(1)
        before, events = len(receiver.received), await world.events()
        replays = Deliveries(world.hub.database)
        assert await replays.replay(webhook.id, events[0]["id"], None) == 1
        await world.process.deliver()
        assert [row["status"] for row in await world.events()] == ["DELIVERED", "DEAD"]
        assert await replays.replay(webhook.id, None, events[0]["happened_at"]) == 2
        await world.process.deliver()
        assert [(row["status"], row["attempts"]) for row in await world.events()] == [("DELIVERED", 1)] * 2
        assert await replays.replay(webhook.id, None, datetime.now(UTC) + timedelta(days=1)) == 0
        assert await replays.replay(webhook.id + 1, events[0]["id"], None) == 0  # another's endpoint
    again = receiver.received[before:]
    assert len(again) == 3
    assert {request.id for request in again} == {ids.text(ids.EVENT, row["id"]) for row in events}
    bodies = {request.id: request.body for request in receiver.received[:before]}
    assert all(request.body == bodies[request.id] for request in again)


async def test_after_a_rotation_both_secrets_sign_for_a_day(world: World) -> None:
    async with receiving() as receiver:
        _, old = await world.webhook("BANK", receiver.url)
        fresh = new_secret()
        sealed = world.sealer.seal(fresh)
        await world.hub.do(commands.RotateWebhookSecret(actor=world.hub.admin, institution="BANK", secret=sealed))
        await issue(world, "alice")
        await world.process.follow()
        await world.process.deliver()
        world.process.ahead = timedelta(hours=24)
        await issue(world, "bob")
        await world.process.follow()
        await world.process.deliver()
    during, after = receiver.received
    assert during.signatures == [during.signature_of(fresh), during.signature_of(old)]
    for secret in (fresh, old):
        Verifier(secret).verify(during.body, during.headers)
    assert after.signatures == [after.signature_of(fresh)]


async def test_410_ends_sending_until_the_endpoint_is_set_again(world: World) -> None:
    gone = [410]
    async with receiving(lambda _: gone[0]) as receiver:
        await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        await world.process.follow()
        await world.process.deliver()
        assert [(one.status, one.url) for one in world.hub.engine.configuration.webhooks.values()] == [
            ("GONE", receiver.url)
        ]
        await issue(world, "bob")
        await world.process.follow()
        world.process.ahead = timedelta(days=2)
        await world.process.deliver()
        assert len(receiver.received) == 1
        gone[0] = 200
        await world.webhook("BANK", receiver.url)
        await world.process.deliver()
    assert len(receiver.received) == 3
    assert [row["status"] for row in await world.events()] == ["DELIVERED"] * 2


async def test_410_ends_sending_at_once_but_for_what_is_under_way(world: World) -> None:
    async with receiving(lambda _: 410) as receiver:
        await world.webhook("BANK", receiver.url)
        await issue(world, *(f"c{number}" for number in range(12)))
        await world.process.follow()
        await world.process.deliver()
    assert len(receiver.received) == 8


async def test_what_is_disabled_is_sent_nothing(world: World) -> None:
    async with receiving() as receiver:
        await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        await world.process.follow()
        await world.hub.do(commands.DisableWebhook(actor=world.hub.admin, institution="BANK"))
        await world.process.deliver()
        await issue(world, "bob")  # of this it will never be told
        await world.process.follow()
        assert receiver.received == []
        await world.webhook("BANK", receiver.url)
        await issue(world, "carol")
        await world.process.follow()
        await world.process.deliver()
    assert len(receiver.received) == 2
    assert len(await world.events()) == 2


async def test_an_endpoint_that_hangs_holds_up_nobody_else(world: World) -> None:
    never = asyncio.Event()
    async with receiving(lambda _: never.wait()) as hanging, receiving() as receiver:
        webhook, _ = await world.webhook("BANK", hanging.url)
        await world.webhook("SHOP", receiver.url)
        await issue(world, *(f"c{number}" for number in range(3)))
        await world.process.follow()
        await world.process.deliverer.turn()  # three are under way, and there is room for five
        await issue(world, *(f"d{number}" for number in range(20)))
        await world.hub.issue("BP", "SHOP", "dora", "5")
        await world.process.follow()
        await world.process.deliverer.turn()
        await hanging.has(8)
        await receiver.has(1)
        await world.process.deliverer.turn()
        leased = "SELECT count(*) FROM webhook_event WHERE webhook_id = $1 AND leased_until IS NOT NULL"
        assert (await world.hub.sql(leased, webhook.id))[0][0] == 8  # of 23: no more at once to one endpoint
        assert receiver.received[0].payload["data"]["to"]["institution"] == "SHOP"
        never.set()


async def test_two_processes_at_once_send_each_event_once(world: World) -> None:
    both = asyncio.Event()

    async def answer(_: Received) -> int:
        if len(receiver.received) == 16:  # 8 at once of each process: both are at work
            both.set()
        await both.wait()
        return 204

    async with receiving(answer) as receiver:
        await world.webhook("BANK", receiver.url)
        await issue(world, *(f"c{number}" for number in range(40)))
        one, other = world.another(), world.another()
        await asyncio.gather(one.follow(), other.follow())
        await asyncio.gather(one.deliver(), other.deliver())
        sent = [request.id for request in receiver.received]
    assert len(sent) == len(set(sent)) == 40
    assert await state(world) == [("DELIVERED", 1, 204)] * 40


async def test_what_a_process_that_died_has_sent_is_sent_again_when_its_lease_is_over(world: World) -> None:
    never = asyncio.Event()
    async with receiving(lambda _: never.wait()) as receiver:
        await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        dying, other = world.another(), world.another()
        await dying.follow()
        await dying.deliverer.turn()
        await receiver.has(1)  # sent, and never recorded
        receiver.answer = lambda _: 200
        other.ahead = LEASE / 2
        await other.deliver()
        assert len(receiver.received) == 1
        other.ahead = LEASE + SECOND
        await other.deliver()
        assert await state(world) == [("DELIVERED", 1, 200)]
        never.set()
        await dying.deliverer.finish()  # it lives after all, and is too late
    assert [request.id for request in receiver.received] == [receiver.received[0].id] * 2
    assert await state(world) == [("DELIVERED", 1, 200)]


async def test_a_secret_that_cannot_be_opened_is_an_attempt_that_fails(world: World) -> None:
    async with receiving() as receiver:
        await world.webhook("BANK", receiver.url)
        broken = commands.RotateWebhookSecret(actor=world.hub.admin, institution="BANK", secret="not sealed")
        await world.hub.do(broken)
        await issue(world, "alice")
        await world.process.follow()
        await world.process.deliver()
    assert receiver.received == []
    [row] = await world.events()
    assert (row["status"], row["attempts"], row["error"]) == ("PENDING", 1, "The hub cannot sign now.")


async def test_a_running_process_follows_and_delivers_by_itself(world: World) -> None:
    async with receiving() as receiver:
        process, ending = world.another(), asyncio.Event()
        following = asyncio.create_task(process.follower.run(ending))
        process.deliverer.start()
        await world.webhook("BANK", receiver.url)
        await issue(world, "alice")
        await receiver.has(1)
        await issue(world, "bob", "carol")
        await receiver.has(3)
        ending.set()
        await following
        await process.deliverer.close()
    assert await state(world) == [("DELIVERED", 1, 204)] * 3
