"""The hub's own schedule: a worker that closes windows at their cut-offs, settles what time has done, works clearings
and relocations off, bills months that are over, makes notices, follows the journal for webhooks and compares partners'
days.

Each worker process has one, and one of all is at work: whoever holds a lock of the database's, which goes with its
connection, so that another takes over when it dies. That is for economy only; two at once would do everything once.
It takes at most half of the ledger's time, in small transactions, and ends after the one that is under way.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import structlog
from sqlalchemy import make_url

from hub import billing, clearings, cut_offs, notices, relocations, sweeping
from hub.db import DRIVER_ERRORS, Database
from hub.errors import Fault, NotSetUp, Refusal
from hub.ledger.engine import Engine
from hub.reading import Reading
from hub.reconciliation.daily import Daily
from hub.webhooks.following import Follower

log = structlog.get_logger()

LOCK = 0x706F696E7473  # any number will do that nobody else uses in this database
CONNECT_S_MAX = 10
CHUNKS_OF_TURN = 200  # of one kind, before the next kind has its turn
TRY_EVERY_S = 5  # whether the lock is free
IDLE_S = 60  # between looks at the lock, where nothing is swept
NOTICES_EVERY_S = 3_600  # what is new in lots already near their end is seen that late


class Observer(Protocol):
    """Who counts."""

    def noticed(self, notices: int) -> None:
        """So many notices were made."""


class Schedule:
    """One process's part in the schedule; it begins with ``start`` and lasts until ``close``."""

    def __init__(
        self,
        url: str,
        database: Database,
        engine: Engine,
        reading: Reading,
        observer: Observer,
        every_s: float,
        follower: Follower | None = None,
        daily: Daily | None = None,
        billing_zone: str = "UTC",
        check_key: cut_offs.CheckKey | None = None,
    ) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._database = database
        self._engine = engine
        self._reading = reading
        self._observer = observer
        self._every_s = every_s
        self._follower = follower
        self._daily = daily
        self._billing_zone = billing_zone
        self._check_key = check_key
        self._idle_s = every_s  # until the next turn
        self._ending = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._noticed: tuple[float, dict[str, datetime]] | None = None

    def start(self) -> None:
        """Begin; without ``every_s`` it only follows the journal, and without a follower there is nothing to do."""
        if self._every_s or self._follower is not None:
            self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End after the transaction that is under way."""
        self._ending.set()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                await self._lead()
            except (OSError, TimeoutError, asyncpg.PostgresError, *DRIVER_ERRORS, NotSetUp) as error:
                log.warning("schedule interrupted", error=repr(error))
            except Exception:
                log.exception("schedule failed")
            await self._pause(min(self._every_s or TRY_EVERY_S, TRY_EVERY_S))

    async def _lead(self) -> None:
        """Be at work for as long as this process holds the lock; come back at once if another does."""
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_S_MAX)
        try:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                return
            log.info("schedule is at work")
            async with self._comparing(), self._following() as following:
                while not self._ending.is_set():
                    while self._every_s and await self._turn():
                        await connection.execute("SELECT 1", timeout=CONNECT_S_MAX)
                    await self._pause(self._idle_s if self._every_s else IDLE_S, following)
                    if following is not None and following.done():
                        return
                    await connection.execute("SELECT 1", timeout=CONNECT_S_MAX)  # whether the lock is still held
        finally:
            with suppress(Exception):
                await connection.close(timeout=CONNECT_S_MAX)

    @asynccontextmanager
    async def _comparing(self) -> "AsyncIterator[None]":
        """Have days of partners' compared while the block runs; nothing of that is raised. What is under way at the end
        is dropped: it has changed nothing, and is begun again by whoever comes next."""
        if self._daily is None:
            yield
            return
        ending = asyncio.Event()
        comparing = asyncio.create_task(self._daily.run(ending))
        try:
            yield
        finally:
            ending.set()
            comparing.cancel()
            with suppress(asyncio.CancelledError):
                await comparing

    @asynccontextmanager
    async def _following(self) -> "AsyncIterator[asyncio.Task[None] | None]":
        """Have the journal followed while the block runs; what goes wrong with that is raised at the end of it."""
        if self._follower is None:
            yield None
            return
        ending = asyncio.Event()
        following = asyncio.create_task(self._follower.run(ending))
        try:
            yield following
        finally:
            ending.set()
            await following

    async def _turn(self) -> bool:
        """Do what is due, of each kind a part; answers whether there is more."""
        try:
            await self._reading.refresh()
            at = await sweeping.instant(self._database, None)
            due = await cut_offs.close_due(self._database, self._engine, at, self._check_key)
            self._idle_s = self._every_s if due is None else min(self._every_s, max(0, (due - at).total_seconds()))
            paces = [_Pace(self._ending) for _ in range(3)]
            tally = await sweeping.sweep(self._database, self._engine, at, size=sweeping.SMALL, rest=paces[0])
            for code, swept in tally.by_currency.items():
                log.info("expired", currency=code, lots=swept.lots, units=swept.units, holds=swept.holds)
            for run in await clearings.begun(self._database):
                after = await clearings.work_off(self._database, self._engine, run, size=sweeping.SMALL, rest=paces[1])
                log.info("cleared", currency=run.currency, status=after.status.value, units=after.cleared)
            for moving in await relocations.moving(self._database):
                moved = await relocations.work_off(
                    self._database, self._engine, moving, size=sweeping.SMALL.accounts, rest=paces[2]
                )
                log.info("relocated", currency=moving.currency, status=moved.status.value, units=moved.moved)
            for billed in await billing.bill_due(self._reading, self._engine, self._billing_zone):
                log.info("billed", period=billed.period)
            await self._notify(at, _Pace(self._ending, None))
        except (Refusal, Fault) as error:  # the queue is full, or the hub is closing
            log.warning("schedule interrupted", error=repr(error))
            return False
        return not self._ending.is_set() and any(pace.spent for pace in paces)

    async def _notify(self, at: datetime, pace: "_Pace") -> None:
        """Make notices when a day has begun somewhere, or days of notice have changed; and now and then, for lots that
        are new."""
        due = {
            of.code: notices.horizon(of, at, of.policy.notice_days)
            for of in self._engine.configuration.currencies.values()
        }
        now = time.monotonic()
        if self._noticed is not None and self._noticed[1] == due and now < self._noticed[0] + NOTICES_EVERY_S:
            return
        made = await notices.notify(self._database, self._engine, at, pace)
        if made:
            self._observer.noticed(made)
            log.info("notices made", notices=made)
        if not self._ending.is_set():
            self._noticed = (now, due)

    async def _pause(self, seconds: float, following: "asyncio.Task[None] | None" = None) -> None:
        """Wait so long, or until the end, or until following has stopped."""
        ending = asyncio.create_task(self._ending.wait())
        wanted: list[asyncio.Task[Any]] = [ending, *([] if following is None else [following])]
        await asyncio.wait(wanted, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()


class _Pace:
    """As much rest as work, and a turn's measure of work, if it has one."""

    def __init__(self, ending: asyncio.Event, chunks: int | None = CHUNKS_OF_TURN) -> None:
        self._ending = ending
        self._left = chunks

    @property
    def spent(self) -> bool:
        """Whether it stopped the work because the turn was over."""
        return self._left is not None and self._left <= 0

    async def __call__(self, seconds: float) -> bool:
        """Rest after ``seconds`` of work; whether to go on."""
        if self._left is not None:
            self._left -= 1
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return not self._ending.is_set() and not self.spent
