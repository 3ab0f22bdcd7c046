"""Callbacks: what becomes of a pending order is told, signed, in the order and as often as the script has it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.simulator.authentication import Authentication, Scheme, Sent
from adapters.simulator.callbacks import CALLBACK_TRIES_MAX
from adapters.simulator.rules import Asked, Programme
from adapters.simulator.serving import running
from adapters.simulator.store import Store
from hub import serving
from hub.partners import Operation
from tests.adapters.conftest import HOST, Clock, Playing, playing

ARRIVES_S_MAX = 20
QUICK = Programme(pending_ms=50)


@dataclass
class Receiver:
    """Who is called back."""

    url: str = ""
    answers: list[int] = field(default_factory=list)  # then 200
    got: "asyncio.Queue[Sent]" = field(default_factory=asyncio.Queue)

    async def told(self, request: Request) -> Response:
        await self.got.put(Sent("POST", request.url.path, dict(request.headers), await request.body()))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    async def next(self) -> Sent:
        async with asyncio.timeout(ARRIVES_S_MAX):
            return await self.got.get()

    async def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await self.next()).body)
        return found


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/told", receiver.told, methods=["POST"])])
    with serving.bind(HOST, 0) as listeners:
        receiver.url = f"http://{HOST}:{listeners[0].getsockname()[1]}/told"
        async with running(app, listeners):
            yield receiver


async def pending(simulator: Playing, behaviour: str, **more: Any) -> dict[str, Any]:
    """An order that the script has pending."""
    await simulator.script(behaviour, **more)
    told: dict[str, Any] = (await simulator.order()).json()
    assert told["status"] == "PENDING"
    return told


@pytest.mark.parametrize(
    ("behaviour", "status", "available"),
    [("PENDING_THEN_SUCCESS", "SUCCEEDED", "990.00"), ("PENDING_THEN_FAILURE", "REFUSED", "1000.00")],
)
async def test_what_becomes_of_a_pending_order_is_told(behaviour: str, status: str, available: str) -> None:
    async with receiving() as receiver, playing(QUICK, callback=receiver.url) as simulator:
        await simulator.enroll()
        order = await pending(simulator, behaviour)
        told = await receiver.body()
        assert (told["reference"], told["status"]) == (order["reference"], status)
        assert (await simulator.http.get(f"/v1/orders/{order['reference']}")).json() == told
        assert await simulator.available() == available


async def test_an_order_that_is_done_at_once_is_not_called_back() -> None:
    async with receiving() as receiver, playing(QUICK, callback=receiver.url) as simulator:
        await simulator.enroll()
        await simulator.order()
        order = await pending(simulator, "PENDING_THEN_SUCCESS")
        assert (await receiver.body())["reference"] == order["reference"]
        assert receiver.got.empty()


async def test_a_callback_comes_twice() -> None:
    async with receiving() as receiver, playing(QUICK, callback=receiver.url) as simulator:
        await simulator.enroll()
        await pending(simulator, "DUPLICATE_CALLBACK")
        assert await receiver.body() == await receiver.body()
        assert await simulator.available() == "990.00"


async def test_an_old_callback_comes_last() -> None:
    async with receiving() as receiver, playing(QUICK, callback=receiver.url) as simulator:
        await simulator.enroll()
        order = await pending(simulator, "REORDERED_CALLBACK")
        assert [(await receiver.body())["status"] for _ in range(2)] == ["SUCCEEDED", "PENDING"]
        assert (await simulator.http.get(f"/v1/orders/{order['reference']}")).json()["status"] == "SUCCEEDED"


def test_a_late_callback_is_due_long_after_the_order_is_done() -> None:
    clock = Clock()
    store = Store(Programme(pending_ms=1_000, late_ms=30_000), None, tells=True, clock=clock)
    store.set_member("M-1", "Li", 100_000)
    store.perform(Asked("PH-1", Operation.DEBIT, "M-1", "9.32", 932, None))
    clock.at += timedelta(seconds=1)
    assert store.settle_due() == 1
    clock.at += timedelta(seconds=29)
    assert store.callbacks.due() == []
    clock.at += timedelta(seconds=1)
    assert [callback.reference for callback in store.callbacks.due()] == ["PH-1"]
    store.close()


@pytest.mark.parametrize("scheme", [Scheme.BEARER, Scheme.HMAC])
async def test_a_callback_is_signed_as_requests_are(scheme: Scheme) -> None:
    authentication = Authentication(scheme, "key")
    async with receiving() as receiver, playing(QUICK, callback=receiver.url) as simulator:
        await simulator.enroll()
        await pending(simulator, "PENDING_THEN_SUCCESS")
        unsigned = await receiver.next()
        with pytest.raises(Exception, match="prove"):
            authentication.check(unsigned)
    async with (
        receiving() as receiver,
        playing(QUICK, callback=receiver.url, authentication=authentication) as simulator,
    ):
        await simulator.enroll()
        body = simulator.body(amount="9.11")
        content = json.dumps(body).encode()
        headers = authentication.sign("POST", "/v1/orders", content)
        assert (await simulator.http.post("/v1/orders", content=content, headers=headers)).json()["status"] == "PENDING"
        authentication.check(await receiver.next())


async def test_a_callback_that_is_not_accepted_is_sent_again() -> None:
    async with receiving() as receiver, playing(QUICK, callback=receiver.url) as simulator:
        receiver.answers = [500]
        await simulator.enroll()
        await pending(simulator, "PENDING_THEN_SUCCESS")
        assert await receiver.body() == await receiver.body()


def test_a_callback_is_given_up_in_the_end_and_that_is_an_incident() -> None:
    clock = Clock()
    store = Store(Programme(nightly="asked"), None, tells=True, clock=clock)
    store.set_member("M-1", "Li", 100_000)
    store.perform(Asked("PH-1", Operation.DEBIT, "M-1", "10", 1_000, None))
    store.night()
    waits = []
    for _ in range(CALLBACK_TRIES_MAX):
        [callback] = store.callbacks.due()
        store.callbacks.told(callback, "Nobody answers", accepted=False)
        due = store.callbacks.next_due()
        if due is not None:
            assert store.callbacks.due() == []
            waits.append((due - clock.at).total_seconds())
            clock.at = due
    assert waits == [2, 4, 8, 16, 32, 64, 128]
    assert store.callbacks.next_due() is None
    assert [row["kind"] for row in store.latest(9)[1]] == ["CALLBACK"]
    store.close()
