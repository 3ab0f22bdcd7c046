"""Webhooks over a real server: kill -9 between sending and recording loses nothing, and two workers share the work."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from standardwebhooks import Webhook

from hub import postgres
from tests.conftest import driver_url
from tests.hub.programs import Pattern, Served, served, until
from tests.hub.webhooks.receiver import Received, Receiver, receiving
from tests.journeys.client import Client, key
from tests.journeys.network import Network, network_of

TOLD_S_MAX = 60
ISSUES = 60


class Beside:
    """A receiver in a thread of its own, because these tests wait. ``holding``: requests are kept waiting."""

    def __init__(self) -> None:
        self.holding = False
        self.released: asyncio.Event
        self.receiver: Receiver
        self.loop: asyncio.AbstractEventLoop

    async def answer(self, _: Received) -> int:
        if self.holding:
            await self.released.wait()
        return 204

    async def serve(self, ready: threading.Event, ended: threading.Event) -> None:
        self.released, self.loop = asyncio.Event(), asyncio.get_running_loop()
        async with receiving(self.answer) as self.receiver:
            ready.set()
            await asyncio.to_thread(ended.wait)

    def release(self) -> None:
        """Answer whoever waits, and from now on everybody at once."""
        self.holding = False
        self.loop.call_soon_threadsafe(self.released.set)

    @property
    def told(self) -> list[Received]:
        """What has arrived."""
        return list(self.receiver.received)


@contextmanager
def beside() -> Iterator[Beside]:
    made, ready, ended = Beside(), threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(ready, ended)))
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        made.release()
        ended.set()
        thread.join()


@contextmanager
def telling(pattern: Pattern, folder: Path) -> Iterator[Served]:
    """A hub that may tell endpoints on loopback."""
    pattern.copy(folder)
    with served(
        folder, pattern.secret, HUB_ENVIRONMENT="development", HUB_WEBHOOK_NETWORKS='["127.0.0.0/8"]'
    ) as server:
        yield server


async def end_leases(folder: Path) -> int:
    """What those who were killed were about to tell is free at once, as it would be when their leases, which last a
    minute, are over; answers how much that was."""
    with postgres.lease(folder) as server:
        eyes = await asyncpg.connect(driver_url(server.url(postgres.OWNER)))
        try:
            leased = "WHERE leased_until > now() AND status = 'PENDING'"
            done = await eyes.execute(f"UPDATE webhook_event SET leased_until = now() {leased}")
        finally:
            await eyes.close()
    return int(done.removeprefix("UPDATE "))


def deliveries(operator: Client, bank: str) -> list[dict[str, Any]]:
    query = (
        "query($i: String!) { webhookDeliveries(institution: $i, first: 200)"
        " { edges { node { id status attempts payload } } } }"
    )
    return [edge["node"] for edge in operator.ask(query, i=bank)["webhookDeliveries"]["edges"]]


def test_a_kill_between_sending_and_recording_loses_nothing(pattern: Pattern, tmp_path: Path) -> None:
    """All is sent and nothing answered when the server is killed; what came before or after is told as well."""
    with beside() as other, telling(pattern, tmp_path / "data") as server:
        operator = Client(server.url, server.secret)
        network = Network(operator, operator)
        bank = network.institution("BANK")
        points = network.currency("PTS", bank)
        made = operator.do("setWebhook", institution=bank, url=other.receiver.url)
        wanted = [network.issue(points, bank, f"r{place}", "5") for place in range(3)]
        assert until(lambda: len(other.told) == 3, TOLD_S_MAX)
        assert until(lambda: {one["status"] for one in deliveries(operator, bank)} == {"DELIVERED"}, TOLD_S_MAX)
        other.holding = True
        wanted += [network.issue(points, bank, f"r{place}", "5") for place in range(3, ISSUES)]
        assert until(lambda: len(other.told) > 3, TOLD_S_MAX)
        server.kill()
        before = {request.id for request in other.told}
        assert asyncio.run(end_leases(server.folder)) > 0
        other.release()
        server.start()
        wanted += [network.issue(points, bank, "late", "5")]
        assert until(lambda: len({request.id for request in other.told}) == len(wanted), TOLD_S_MAX)

        def all_delivered() -> bool:
            return [one["status"] for one in deliveries(operator, bank)] == ["DELIVERED"] * len(wanted)

        assert until(all_delivered, TOLD_S_MAX)
        told = other.told
    assert {request.payload["subject"] for request in told} == set(wanted)
    bodies: dict[str, bytes] = {}
    for request in told:  # what was told twice has one identifier and one body
        assert bodies.setdefault(request.id, request.body) == request.body
        assert Webhook(made["secret"]).verify(request.body, request.headers)["type"] == "issue.posted"
    again = [request.id for request in told if sum(one.id == request.id for one in told) > 1]
    assert again, "nothing was under way when the server was killed"
    assert set(again) <= before


def test_two_workers_tell_each_event_once_while_all_goes_well(pattern: Pattern, tmp_path: Path) -> None:
    with beside() as other:
        with telling(pattern, tmp_path / "data") as server:
            operator = Client(server.url, server.secret)
            network = Network(operator, operator)
            bank = network.institution("BANK")
            points = network.currency("PTS", bank)
            operator.do("setWebhook", institution=bank, url=other.receiver.url)
            wanted = [network.issue(points, bank, f"r{place}", "5") for place in range(ISSUES)]

            def all_delivered() -> bool:
                return [one["status"] for one in deliveries(operator, bank)] == ["DELIVERED"] * len(wanted)

            assert until(all_delivered, TOLD_S_MAX)
            page = httpx2.get(f"{operator.url}/metrics").text
        told = [request.payload["subject"] for request in other.told]
    assert sorted(told) == sorted(wanted)
    assert f"points_hub_webhooks_delivered_total {ISSUES}.0" in page
    assert "points_hub_webhooks_failed_total 0.0" in page


def test_a_closed_window_tells_two_who_settle_with_one_another_what_each_owes_the_other(
    pattern: Pattern, tmp_path: Path
) -> None:
    """Points of a bank, worth 0.05 CNY each, are redeemed at a shop: the bank owes it 5.00."""
    with beside() as other, telling(pattern, tmp_path / "data") as server:
        network = network_of(server)
        bank, shop = network.institution("BANK"), network.institution("SHOP", "MERCHANT")
        points = network.currency("PTS", bank)
        network.model("PAIRS", [bank, shop], ["CNY"], kind="DEFERRED_NET_BILATERAL")
        for code in (bank, shop):
            network.operator.do("setWebhook", institution=code, url=other.receiver.url, types=["window.closed"])
        network.issue(points, bank, "ann", "100")
        paid = network.operator.do(
            "redeemPoints",
            idempotencyKey=key(),
            customer={"institution": bank, "reference": "ann"},
            currency=points,
            amount="100",
            merchant=shop,
        )
        assert paid["__typename"] == "Redemption", paid
        window = network.operator.ask('{ settlementModel(code: "PAIRS") { window { id } } }')["settlementModel"]
        closed = network.operator.do("closeSettlementWindow", idempotencyKey=key(), windowId=window["window"]["id"])
        assert closed["__typename"] == "SettlementWindow", closed
        assert until(lambda: len(other.told) == 2, TOLD_S_MAX)
        nets = [net for request in other.told for net in request.payload["data"]["nets"]]
    assert sorted(nets, key=lambda net: Decimal(net["net"])) == [
        {"currency": "CNY", "net": "-5.00", "obligations": [{"counterparty": shop, "amount": "-5.00"}]},
        {"currency": "CNY", "net": "5.00", "obligations": [{"counterparty": bank, "amount": "5.00"}]},
    ]
