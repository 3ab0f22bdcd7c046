"""Delivering: each process sends what is due, as many events at a time to one endpoint as it may keep waiting.

One transaction at a time: it records what came of the attempts that have ended, and takes leases of what is sent next.
So an endpoint that hangs holds up its own events alone, and a process that is killed has sent what is sent again.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

import structlog

from hub import clock, ids
from hub.channels import Channel
from hub.configuration import Configuration
from hub.db import Database, driver_of
from hub.ledger.commands import DisableWebhook
from hub.ledger.engine import Engine
from hub.ledger.journal import Clock, as_told
from hub.reading import Reading
from hub.sealing import SealingError
from hub.updates import Updates
from hub.webhooks import deliveries, retries
from hub.webhooks.deliveries import Attempt, Claim, DeliveryStatus
from hub.webhooks.endpoints import Webhook, WebhookStatus
from hub.webhooks.sender import GONE, Answer, Sender, signed

log = structlog.get_logger()

AT_ONCE: Final = 8  # attempts under way to one endpoint, of one process
LOOK_EVERY_S: Final = 15  # leases of others that have run out, and what was missed, are found that late
RETRY_AFTER_S: Final = 1
_OPENED_MAX: Final = 1_000  # secrets
CLOSE_S_MAX: Final = 5  # for the attempts under way at the end


class Opener(Protocol):
    """Who opens what was sealed."""

    def open(self, text: str) -> str:
        """The text that was sealed as ``text``.

        Raises:
            SealingError: it was sealed under a key that is not known here.
        """


class Observer(Protocol):
    """Who counts."""

    def webhooks_sent(self, delivered: int, failed: int, dead: int) -> None:
        """So many attempts have delivered their event, have failed, and have failed for the last time."""


def _drawn() -> int:
    return secrets.randbelow(retries.JITTER + 1)


@dataclass(frozen=True, slots=True)
class _Ended:
    """An attempt at an endpoint as it was then, and what came of it."""

    webhook: Webhook
    claim: Claim
    answer: Answer

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint has answered that it is no more."""
        return self.answer.status == GONE


class Deliverer:
    """One process's part in delivering; it begins with ``start`` and lasts until ``close``. ``clock`` and ``drawn``: a
    test's, to be at the end of a pause of hours, whose jitter it knows."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        reading: Reading,
        updates: Updates,
        sender: Sender,
        opener: Opener,
        observer: Observer,
        *,
        clock: Clock = as_told,
        drawn: Callable[[], int] = _drawn,
    ) -> None:
        self._database = database
        self._engine = engine
        self._reading = reading
        self._updates = updates
        self._sender = sender
        self._open = lru_cache(maxsize=_OPENED_MAX)(opener.open)  # what could not be opened is not kept
        self._observer = observer
        self._clock = clock
        self._drawn = drawn
        self._woken = asyncio.Event()
        self._ended: list[_Ended] = []
        self._under_way: dict[asyncio.Task[None], int] = {}
        self._closed = False
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._running = [asyncio.create_task(self._run()), asyncio.create_task(self._listen())]

    async def close(self) -> None:
        """Take nothing more; what is under way has some seconds, and what is not recorded by then is sent again."""
        self._closed = True
        self._woken.set()
        for task in self._running[1:]:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSE_S_MAX)
        for attempt in self._under_way:
            attempt.cancel()
        with suppress(Exception):
            await self.turn()

    @property
    def busy(self) -> bool:
        """Whether attempts are under way, or ended and not recorded."""
        return bool(self._under_way or self._ended)

    async def finish(self) -> None:
        """Wait for the attempts under way, and record what came of them; what is due by then is begun."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self.turn()

    async def _run(self) -> None:
        while not self._closed:
            try:
                pause = await self.turn()
            except Exception as error:
                log.warning("webhooks interrupted", error=repr(error))
                pause = RETRY_AFTER_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            self._woken.clear()

    async def _listen(self) -> None:
        async with self._updates.subscribe(Channel.WEBHOOKS) as announced:
            async for _ in announced:
                self._woken.set()

    async def turn(self) -> float:
        """Record what has ended and begin what is due; answers how many seconds may pass until there is more to do.

        Raises:
            Exception: the database's, if it cannot be reached; nothing is lost by that.
        """
        self._woken.clear()
        configuration = await self._reading.refresh()
        told = {one.id: one for one in configuration.webhooks.values() if one.status is WebhookStatus.ACTIVE}
        ended, self._ended = self._ended, []
        gone = {one.webhook.id: one.webhook for one in ended if one.is_gone}
        busy = Counter(self._under_way.values())
        free = {id: AT_ONCE - busy[id] for id in told if busy[id] < AT_ONCE and id not in gone}
        room = {} if self._closed else free
        if not ended and not room:
            return LOOK_EVERY_S
        try:
            async with self._database.beside() as connection:
                driver = driver_of(connection)
                at = self._clock(await driver.fetchval("SELECT clock_timestamp()"))
                attempts = [self._judge(one, at) for one in ended]
                if attempts:
                    # A record that is lost in a crash costs a repetition, so that it need not wait for the disk.
                    await driver.execute("SET LOCAL synchronous_commit = off")
                    await deliveries.record(driver, attempts)
                claims = await deliveries.claim(driver, at, room) if room else []
                due = await deliveries.next_due(driver, at, list(told))
        except BaseException:
            self._ended = ended + self._ended
            raise
        self._count(attempts)
        for claim in claims:
            task = asyncio.create_task(self._attempt(told[claim.webhook], claim))
            self._under_way[task] = claim.webhook
            task.add_done_callback(self._done)
        await self._leave(configuration, gone.values())
        wait = LOOK_EVERY_S * timedelta(seconds=1) if due is None else due - at
        return min(max(wait.total_seconds(), 0), LOOK_EVERY_S)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._woken.set()

    async def _attempt(self, webhook: Webhook, claim: Claim) -> None:
        at = self._clock(clock.now())
        body = claim.payload.encode()
        try:
            opened = [self._open(sealed) for sealed in webhook.sealed_at(at)]
        except SealingError as error:
            log.error("webhook secret cannot be opened", webhook=ids.text(ids.WEBHOOK, webhook.id), error=str(error))
            answer = Answer(None, "The hub cannot sign now.")
        else:
            headers = signed(opened, ids.text(ids.EVENT, claim.id), at, body)
            answer = await self._sender.send(webhook.url, headers, body)
        self._ended.append(_Ended(webhook, claim, answer))

    def _judge(self, ended: _Ended, at: datetime) -> Attempt:
        """What becomes of an event after an attempt that has ended at ``at``."""
        claim, answer = ended.claim, ended.answer
        if answer.is_success:
            return Attempt(claim, at, DeliveryStatus.DELIVERED, None, answer.status, None)
        pause = retries.pause(claim.attempts + 1, self._drawn())
        if ended.is_gone:
            pause = retries.PAUSES[0]  # it waits for its endpoint to be set again
        if pause is None:
            return Attempt(claim, at, DeliveryStatus.DEAD, None, answer.status, answer.error)
        if answer.wait is not None:
            pause = max(pause, answer.wait)
        return Attempt(claim, at, DeliveryStatus.PENDING, at + pause, answer.status, answer.error)

    def _count(self, attempts: list[Attempt]) -> None:
        by_status = Counter(attempt.status for attempt in attempts)
        delivered, dead = by_status[DeliveryStatus.DELIVERED], by_status[DeliveryStatus.DEAD]
        if attempts:
            self._observer.webhooks_sent(delivered, len(attempts) - delivered, dead)

    async def _leave(self, configuration: Configuration, gone: Collection[Webhook]) -> None:
        """Have endpoints that are gone left alone."""
        nodes, host = configuration.institutions, configuration.host.id
        commands = [DisableWebhook(actor=host, institution=nodes[one.institution].code, gone=one.url) for one in gone]
        if commands:
            await self._engine.submit(commands)
