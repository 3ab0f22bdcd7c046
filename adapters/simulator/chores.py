"""What the simulator does by itself: pending orders are done when their time comes, and callbacks are sent.

Both live in the store, so they go on where they were after a restart. A callback is sent until it is accepted (HTTP
2xx), ever later, and given up after some tries; nobody relies on it, because an order's status can be asked.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpx2

from adapters.simulator.authentication import Authentication
from adapters.simulator.callbacks import Callback
from adapters.simulator.store import Store

ANSWER_S_MAX = 5
SLEEP_S_MAX = 60


class Chores:
    """The two loops over a store; ``wake`` them when something new may be due."""

    def __init__(
        self, store: Store, authentication: Authentication, callback_url: str | None, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._authentication = authentication
        self._url = callback_url
        self._clock = clock
        self._settle, self._send = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """Look again what is due."""
        self._settle.set()
        self._send.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._settling())
            if self._url is not None:
                group.create_task(self._sending(self._url))

    async def _settling(self) -> None:
        while True:
            self._settle.clear()
            if self._store.settle_due():
                self._send.set()
            await self._until(self._store.next_due(), self._settle)

    async def _sending(self, url: str) -> None:
        async with httpx2.AsyncClient(timeout=ANSWER_S_MAX, trust_env=False) as client:
            while True:
                self._send.clear()
                for callback in self._store.callbacks.due():
                    outcome, accepted = await self._post(client, url, callback)
                    self._store.callbacks.told(callback, outcome, accepted=accepted)
                await self._until(self._store.callbacks.next_due(), self._send)

    async def _post(self, client: httpx2.AsyncClient, url: str, callback: Callback) -> tuple[str, bool]:
        headers = self._authentication.sign("POST", url, callback.body)
        try:
            answer = await client.post(
                url, content=callback.body, headers={"content-type": "application/json", **headers}
            )
        except httpx2.HTTPError as error:
            return f"The callback did not arrive ({type(error).__name__})", False
        if answer.is_success:
            return f"HTTP {answer.status_code}", True
        return f"The callback was answered with HTTP {answer.status_code}", False

    async def _until(self, due: datetime | None, woken: asyncio.Event) -> None:
        """Wait until something is due or has changed."""
        left = SLEEP_S_MAX if due is None else min((due - self._clock()).total_seconds(), SLEEP_S_MAX)
        if left <= 0:
            return
        try:
            async with asyncio.timeout(left):
                await woken.wait()
        except TimeoutError:
            pass
