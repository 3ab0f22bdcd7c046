"""Daily: the hub's own comparisons, once a day for each currency whose partner lists its days or has sent a file.

A day is compared when it has been over for a while, and again each day as long as it has open breaks, for a week: what
was on its way at midnight has arrived by then, and its break goes by itself. One process of all does this (the
schedule's); two at once would keep one run of each.
"""

import asyncio
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select

from hub import sweeping, tables
from hub.currencies import HOSTED, PartnerState, PointCurrency
from hub.db import Database
from hub.errors import Fault, PartnerUnavailable, Refusal
from hub.expiry import day_of, start_of
from hub.ids import batch_of
from hub.ledger import journal
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.reading import Reading
from hub.reconciliation import reconciling
from hub.reconciliation.breaks import UNENDED
from hub.reconciliation.files import FileRefused
from hub.reconciliation.reconciling import Connections, Shelf
from hub.reconciliation.sides import DAY

log = structlog.get_logger()

DAYS_BACK: Final = 7
LOOK_EVERY_S: Final = 300
AGAIN_AFTER: Final = timedelta(hours=1)  # what could not be compared

_run, _break, _entry = tables.reconciliation, tables.reconciliation_break, tables.journal_entry


class Daily:
    """One process's part. ``after``: how long a day has to be over."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        reading: Reading,
        connections: Connections,
        shelf: Shelf,
        after: timedelta,
    ) -> None:
        self._database = database
        self._engine = engine
        self._reading = reading
        self._connections = connections
        self._shelf = shelf
        self._after = after
        self._failed: dict[tuple[str, date], datetime] = {}

    async def run(self, ending: asyncio.Event) -> None:
        """Compare what is due until ``ending`` is set; ends after the comparison that is under way."""
        while not ending.is_set():
            try:
                await self.turn(await sweeping.instant(self._database, None), ending)
            except Exception as error:
                log.warning("reconciling interrupted", error=repr(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await ending.wait()

    async def turn(self, at: datetime, ending: asyncio.Event) -> int:
        """Compare what is due at ``at``; answers how many days."""
        await self._reading.refresh()
        done = 0
        for of in list(self._engine.configuration.currencies.values()):
            if of.adapter == HOSTED or not of.connection or of.partner is PartnerState.HALTED:
                continue
            for day in await self._due(of, at):
                if ending.is_set():
                    return done
                done += await self._compare(of, day, at)
        return done

    async def _compare(self, of: PointCurrency, day: date, at: datetime) -> bool:
        if (failed := self._failed.get((of.code, day))) is not None and at < failed + AGAIN_AFTER:
            return False
        try:
            given = self._shelf.files(of.code, day)
            partner = await reconciling.connected(self._connections, of)
            if not partner.capabilities.journal and not given:
                return False
            run = await reconciling.reconcile(
                self._database, self._engine, self._connections, of.code, day, given, at=at
            )
        except (Refusal, Fault, FileRefused) as error:
            self._failed[of.code, day] = at
            level = log.info if isinstance(error, PartnerUnavailable) else log.warning
            level("day not reconciled", currency=of.code, day=day.isoformat(), error=str(error))
            return False
        self._failed.pop((of.code, day), None)
        log.info("reconciled", currency=of.code, day=run.day, matched=run.matched, open=run.open, opened=run.opened)
        return True

    async def _due(self, of: PointCurrency, at: datetime) -> list[date]:
        """The days of a currency that are to be compared, the oldest first."""
        today = day_of(at - self._after, of.time_zone)
        days = [today - number * DAY for number in range(DAYS_BACK, 0, -1)]
        async with self._database.snapshot() as connection:
            registered = await connection.scalar(
                select(_entry.c.at).where(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch == batch_of(of.id))
            )
            found = await connection.execute(
                select(_run.c.day, func.max(_entry.c.at).label("at"))
                .select_from(_run)
                .join(
                    _entry, (_entry.c.journal_id == _run.c.journal_id) & (_entry.c.batch == journal.batch_of(_run.c.id))
                )
                .where(_run.c.journal_id == JOURNAL_ID, _run.c.currency == of.code, _run.c.day >= days[0].isoformat())
                .group_by(_run.c.day)
            )
            last: dict[str, datetime] = {row.day: row.at for row in found}
            broken = await connection.scalars(
                select(_break.c.day).where(
                    _break.c.journal_id == JOURNAL_ID,
                    _break.c.currency == of.code,
                    _break.c.status.in_([one.value for one in UNENDED]),
                )
            )
            has_open = set(broken)
        first = day_of(registered or at, of.time_zone)
        since = start_of(today, of.time_zone) + self._after
        return [
            day
            for day in days
            if day >= first
            and (day.isoformat() not in last or (day.isoformat() in has_open and last[day.isoformat()] < since))
        ]
