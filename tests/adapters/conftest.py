"""What the tests of adapters share: simulators on loopback, of whatever programme, and clients that ask them."""

import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.simulator.app import create_app
from adapters.simulator.authentication import Authentication, Scheme
from adapters.simulator.rules import Programme
from adapters.simulator.serving import Tls, running
from adapters.simulator.store import Store
from hub import serving
from hub.clock import now

HOST = "127.0.0.1"
TRUST = ssl.create_default_context()  # nobody; made once, because it takes long


@dataclass(frozen=True)
class Playing:
    """A simulator that is running."""

    url: str
    store: Store
    http: httpx2.AsyncClient
    numbers: Any

    async def enroll(self, member: str = "M-1", available: str = "1000", **more: Any) -> None:
        """A member, called Li."""
        body = {"member": member, "familyName": "Li", "available": available, **more}
        (await self.http.post("/sandbox/members", json=body)).raise_for_status()

    async def script(self, behaviour: str, **more: Any) -> None:
        """An instruction for the next order."""
        (await self.http.post("/sandbox/script", json={"behaviour": behaviour, **more})).raise_for_status()

    def body(self, operation: str = "DEBIT", amount: str = "10", **more: Any) -> dict[str, Any]:
        """An order of a new reference."""
        usual = {"reference": f"PH-{next(self.numbers)}", "operation": operation, "member": "M-1", "amount": amount}
        return {**usual, "unit": self.store.programme.unit, **more}

    async def order(self, operation: str = "DEBIT", amount: str = "10", **more: Any) -> httpx2.Response:
        """The answer to a new order."""
        return await self.http.post("/v1/orders", json=self.body(operation, amount, **more))

    async def available(self, member: str = "M-1") -> str:
        """What a member can spend."""
        return str((await self.http.get(f"/sandbox/members/{member}")).json()["available"])


Play = Callable[..., AbstractAsyncContextManager[Playing]]


@asynccontextmanager
async def playing(
    programme: Programme | None = None,
    *,
    data: Path | None = None,
    authentication: Authentication | None = None,
    callback: str | None = None,
    clock: Callable[[], datetime] = now,
    tls: Tls | None = None,
    trust: ssl.SSLContext = TRUST,
) -> AsyncIterator[Playing]:
    """A simulator on a port of its own; it ends with the context."""
    store = Store(programme or Programme(), data, tells=callback is not None, clock=clock)
    app = create_app(store, authentication or Authentication(Scheme.NONE), callback, clock)
    try:
        with serving.bind(HOST, 0) as listeners:
            scheme, host = ("http", HOST) if tls is None else ("https", "localhost")
            url = f"{scheme}://{host}:{listeners[0].getsockname()[1]}"
            client = httpx2.AsyncClient(base_url=url, verify=trust, trust_env=False)
            async with running(app, listeners, tls), client as http:
                yield Playing(url, store, http, itertools.count(1))
    finally:
        store.close()


@pytest.fixture
async def simulator() -> AsyncIterator[Playing]:
    """The simulator as it is without options, with one member of 1000 points."""
    async with playing() as made:
        await made.enroll()
        yield made


@dataclass
class Clock:
    """A clock that is put forward."""

    at: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at
