"""Updates: word of what any process has committed, to those of this process who wait.

One connection listens for all. An announcement is a wake-up, not a record: several may be told as one, and after the
connection was lost everybody is woken once, because something may have been missed. So whoever waits looks at the
database, and never counts announcements.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog
from sqlalchemy import make_url

from hub.channels import Channel
from hub.db import DRIVER_ERRORS

log = structlog.get_logger()

CONNECT_S_MAX = 10
PROBE_EVERY_S = 30  # a connection that died without a word is found out
RETRY_AFTER_S = 0.5


class _Subscriber:
    """One who waits. Announcements that come while it is busy are told as one, of all their channels."""

    def __init__(self, channels: frozenset[Channel]) -> None:
        self.channels = channels
        self._woken = asyncio.Event()
        self._heard: set[Channel] = set()
        self._ended = False

    def wake(self, channels: Collection[Channel]) -> None:
        self._heard.update(channels)
        self._woken.set()

    def end(self) -> None:
        self._ended = True
        self._woken.set()

    def __aiter__(self) -> "_Subscriber":
        return self

    async def __anext__(self) -> frozenset[Channel]:
        await self._woken.wait()
        self._woken.clear()
        if self._ended:
            raise StopAsyncIteration
        heard = frozenset(self._heard)
        self._heard.clear()
        return heard


class Updates:
    """The announcements to one process. It connects when the first one subscribes, and holds on until it is closed."""

    def __init__(self, url: str) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._subscribers: set[_Subscriber] = set()
        self._listening: asyncio.Task[None] | None = None
        self._closed = False

    @asynccontextmanager
    async def subscribe(self, *channels: Channel) -> AsyncIterator[AsyncIterator[frozenset[Channel]]]:
        """What is announced on some of these channels from now on: on which of them. It ends when this is closed."""
        subscriber = _Subscriber(frozenset(channels))
        if self._closed:
            subscriber.end()
        elif self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def close(self) -> None:
        """Let the connection go, and end all subscriptions."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.end()
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (OSError, TimeoutError, asyncpg.PostgresError, *DRIVER_ERRORS) as error:
                log.warning("updates interrupted", error=repr(error))
            await asyncio.sleep(RETRY_AFTER_S)

    async def _hear(self) -> None:
        """Listen until the connection is lost."""
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_S_MAX)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            for channel in Channel:
                await connection.add_listener(channel, self._heard)
            for subscriber in self._subscribers:  # of something they may not have been told
                subscriber.wake(subscriber.channels)
            while not lost.is_set():
                try:
                    async with asyncio.timeout(PROBE_EVERY_S):
                        await lost.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=CONNECT_S_MAX)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _process: int, channel: str, _payload: object) -> None:
        heard = Channel(channel)
        for subscriber in self._subscribers:
            if heard in subscriber.channels:
                subscriber.wake((heard,))
