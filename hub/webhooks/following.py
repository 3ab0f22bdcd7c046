"""Following: makes events of committed batches, each once.

The journal is the outbox: an act's rows and its entry commit together and batches are numbered without gaps, so nothing
more is written when points move. What was followed is a number (``webhook_cursor``) that moves in the transaction in
which the events are written; whoever follows holds its lock. So a crash repeats nothing and leaves nothing out. Events
are numbered within their batch, as everything of a batch is.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import ColumnElement, and_, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.acceptance.disputes import Dispute, DisputeStep
from hub.channels import Channel
from hub.configuration import Change, Configuration, decode
from hub.db import Database, driver_of
from hub.errors import NotSetUp
from hub.ids import batch_of, first_of
from hub.institutions import ancestry
from hub.ledger import dispute_rows, journal, prepaid_rows, rows, window_rows
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.orders import UNDER_WAY, ExchangeState
from hub.ledger.records import ACCEPTED, Conversion, ConversionStatus, Movement, MovementKind, Window, WindowStatus
from hub.prepaid import Notice
from hub.rates import Rate
from hub.updates import Updates
from hub.webhooks import breaks, deliveries
from hub.webhooks.acts import KINDS
from hub.webhooks.deliveries import NewEvent
from hub.webhooks.endpoints import Webhook
from hub.webhooks.event import Event
from hub.webhooks.events import events
from hub.webhooks.scheme import DISPUTES
from hub.webhooks.taken import Taken

log = structlog.get_logger()

ROWS_OF_STEP: Final = 5_000  # of the journal, in one transaction; a larger batch is taken whole
LOOK_EVERY_S: Final = 10  # how much waits is counted, and what was missed is found, that often
PURGE_EVERY_S: Final = 600

_entry, _cursor = tables.journal_entry, tables.webhook_cursor


class Observer(Protocol):
    """Who counts."""

    def webhooks_waiting(self, events: int) -> None:
        """So many events wait to be sent."""


class Follower:
    """Follows the journal for as long as its process is the one that does."""

    def __init__(self, database: Database, engine: Engine, updates: Updates, observer: Observer) -> None:
        self._database = database
        self._engine = engine
        self._updates = updates
        self._observer = observer
        self._purged = 0.0

    async def run(self, ending: asyncio.Event) -> None:
        """Follow until ``ending`` is set, for at most half of the time while there is much to do.

        Raises:
            Exception: the database's, if it cannot be reached.
        """
        woken = asyncio.Event()
        listening = asyncio.create_task(self._listen(woken))
        try:
            while not ending.is_set():
                began = time.monotonic()
                while await self._goes_on() and not ending.is_set():
                    await _pause(ending, time.monotonic() - began)
                    began = time.monotonic()
                await self.keep()
                await _pause(woken, LOOK_EVERY_S, ending)
                woken.clear()
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            self._observer.webhooks_waiting(0)

    async def _goes_on(self) -> bool:
        """Make a step; whether another one is due. It is as well when the step has found the first endpoint, because
        batches that were announced meanwhile were nothing to look at."""
        knew = bool(_told(self._engine.configuration))
        more = await self.step()
        return more or (not knew and bool(_told(self._engine.configuration)))

    async def _listen(self, woken: asyncio.Event) -> None:
        async with self._updates.subscribe(Channel.BATCHES, Channel.CONFIGURATION) as announced:
            async for channels in announced:
                # Where nobody is told, a batch is nothing to look at, unless it may be what changes that.
                if Channel.CONFIGURATION in channels or _told(self._engine.configuration):
                    woken.set()

    async def step(self) -> bool:
        """Make the events of some batches; whether there are more.

        Raises:
            NotSetUp: the hub is not set up.
        """
        async with self._database.beside() as connection:
            head = await journal.look(connection)
            if head is None:
                raise NotSetUp
            current = await rows.refresh(connection, self._engine.configuration, head.configuration_version)
            self._engine.take(current)
            told = _told(current)
            if not told:
                return False
            after = max(await _locked(connection), min(one.since for one in told))
            times = await _stretch(connection, after, head.batch)
            if not times:
                return False
            last = max(times)
            taken = await _take(connection, after, last, times)
            made = list(addressed(current, told, events(current, taken)))
            if made:
                await deliveries.add(driver_of(connection), made)
            await connection.execute(_cursor.update().where(_cursor.c.journal_id == JOURNAL_ID).values(batch=last))
        return last < head.batch

    async def keep(self) -> None:
        """Count what waits, and forget what was delivered long ago."""
        webhooks = [one.id for one in self._engine.configuration.webhooks.values()]
        if not webhooks:
            return
        async with self._database.beside() as connection:
            driver = driver_of(connection)
            self._observer.webhooks_waiting(await deliveries.waiting(driver, webhooks))
            if time.monotonic() > self._purged + PURGE_EVERY_S:
                now: datetime = await driver.fetchval("SELECT now()")
                if not await deliveries.purge(driver, now - deliveries.KEPT):
                    self._purged = time.monotonic()


def _told(configuration: Configuration) -> list[Webhook]:
    return [one for one in configuration.webhooks.values() if one.is_told]


async def _pause(until: asyncio.Event, seconds: float, *others: asyncio.Event) -> None:
    """Wait so long, or until one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in (until, *others)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def addressed(configuration: Configuration, told: Sequence[Webhook], made: Sequence[Event]) -> Iterator[NewEvent]:
    """Events for each endpoint that is told of them: its own institution's, those of institutions below it, and
    everybody's; numbered within their batches. Pure."""
    by_institution = {one.institution: one for one in told}
    above: dict[int, list[Webhook]] = {}
    batch = number = 0
    for event in made:
        if batch_of(event.place) != batch:
            batch, number = batch_of(event.place), 0
        reached: dict[int, Webhook] = {}
        for home in by_institution if event.homes is None else event.homes:
            if event.homes is None:
                reached[home] = by_institution[home]
                continue
            if home not in above:
                nodes = ancestry(configuration.institutions, home)
                above[home] = [by_institution[node.id] for node in nodes if node.id in by_institution]
            reached.update((one.institution, one) for one in above[home])
        for institution, webhook in sorted(reached.items()):
            if webhook.since < batch and webhook.wants(event.type):
                id = first_of(batch) + number
                number += 1
                yield NewEvent(id, webhook.id, event.type.value, event.subject, event.payload(institution), event.at)


# --- what batches hold ------------------------------------------------------------------------------------------------


async def _locked(connection: AsyncConnection) -> int:
    """The last batch that was followed, with the right to follow the next."""
    await connection.execute(insert(_cursor).values(journal_id=JOURNAL_ID, batch=0).on_conflict_do_nothing())
    found = await connection.scalar(select(_cursor.c.batch).where(_cursor.c.journal_id == JOURNAL_ID).with_for_update())
    return int(found or 0)


async def _stretch(connection: AsyncConnection, after: int, head: int) -> dict[int, datetime]:
    """The next batches with their times: as many as come to so many rows, at least one."""
    total = func.sum(_entry.c.rows).over(order_by=_entry.c.batch)
    page = (
        select(_entry.c.batch, _entry.c.at, (total - _entry.c.rows).label("before"))
        .where(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch > after, _entry.c.batch <= head)
        .order_by(_entry.c.batch)
        .limit(ROWS_OF_STEP)
        .subquery()
    )
    found = await connection.execute(select(page.c.batch, page.c.at).where(page.c.before < ROWS_OF_STEP))
    return {row.batch: row.at for row in found}


async def _take(connection: AsyncConnection, after: int, last: int, times: dict[int, datetime]) -> Taken:
    movement, conversion, window = tables.movement.c, tables.conversion.c, tables.settlement_window.c
    first, end = first_of(after + 1), first_of(last + 1)
    moved = await rows.movements(connection, and_(movement.id >= first, movement.id < end, movement.kind.in_(KINDS)))
    subjects: dict[MovementKind, set[int]] = {kind: set() for kind in MovementKind}
    for one in moved.values():
        if one.subject is not None:
            subjects[one.kind].add(one.subject)
    waiting = await _waiting(connection, first, end, after, last)
    reversed_ones = subjects[MovementKind.REVERSE]
    originals = await rows.movements(connection, movement.id.in_(reversed_ones)) if reversed_ones else {}
    both = (*originals.values(), *(one for _, one, _ in waiting))
    accepted = [one for one in both if one.kind is MovementKind.ACCEPT_REVERSE]
    if over_partners := {one.subject for one in accepted if one.subject is not None}:
        reversed_ones = reversed_ones | over_partners
        originals |= await rows.movements(connection, movement.id.in_(over_partners))
    holds = subjects[MovementKind.CAPTURE] | subjects[MovementKind.RELEASE] | reversed_ones
    named = subjects[MovementKind.CONVERT] | reversed_ones
    conversions = await rows.conversions(connection, conversion.id.in_(named)) if named else {}
    closed = await _windows(connection, window.closed_in, after, last, literal(True))
    settled = await _windows(connection, window.changed_in, after, last, window.status == WindowStatus.SETTLED.value)
    windows = {of.id for _, of in (*closed, *settled)}
    return Taken(
        times=times,
        movements=list(moved.values()),
        holds=await rows.holds(connection, tables.hold.c.id.in_(holds)) if holds else {},
        originals=originals,
        conversions=conversions,
        changed=await _changed(connection, after, last),
        waiting=waiting,
        changes=await _rates(connection, first, end),
        closed=closed,
        settled=settled,
        nets=await window_rows.payable_nets(connection, windows),
        obligations=await window_rows.obligations(connection, windows) if windows else {},
        breaks=await breaks.taken(connection, first, end),
        acceptances=await dispute_rows.acceptances(
            connection, and_(tables.acceptance.c.id >= first, tables.acceptance.c.id < end)
        ),
        disputed=await _disputed(connection, first, end),
        low=await _low(connection, first, end),
    )


async def _disputed(connection: AsyncConnection, first: int, end: int) -> list[tuple[DisputeStep, Dispute]]:
    """The steps of disputes that are told of, with their disputes."""
    step = tables.dispute_step.c
    kinds = step.kind.in_([kind.value for kind in DISPUTES])
    found = await dispute_rows.steps(connection, and_(step.id >= first, step.id < end, kinds))
    if not found:
        return []
    named = await dispute_rows.disputes(connection, tables.dispute.c.id.in_({one.of for one in found}))
    disputes = {one.id: one for one in named}
    return [(one, disputes[one.of]) for one in found]


async def _low(connection: AsyncConnection, first: int, end: int) -> list[Notice]:
    """Prepaid stocks that these batches have brought below their thresholds."""
    notice = tables.prepaid_notice.c
    return await prepaid_rows.notices(connection, and_(notice.id >= first, notice.id < end, notice.low))


# No parameter, because it is the index's condition.
_COMPLETED: Final[ColumnElement[str]] = literal_column(f"'{ConversionStatus.COMPLETED.value}'")


async def _changed(connection: AsyncConnection, after: int, last: int) -> list[tuple[int, Conversion]]:
    """Conversions that these batches left in another state than completed. A state that has passed by now is told by
    the next one alone."""
    table = tables.conversion.c
    found = await connection.execute(
        select(table.id, table.changed_in).where(
            table.journal_id == JOURNAL_ID,
            table.changed_in > after,
            table.changed_in <= last,
            table.status != _COMPLETED,
        )
    )
    batches = {row.id: row.changed_in for row in found}
    if not batches:
        return []
    conversions = await rows.conversions(connection, table.id.in_(batches))
    return [(batches[one.id], one) for one in conversions.values()]


async def _waiting(
    connection: AsyncConnection, first: int, end: int, after: int, last: int
) -> list[tuple[int, Movement, str]]:
    """Other acts over partners that these batches left in another state than completed, with the batch and how they
    stand."""
    step, exchange = tables.exchange_step.c, tables.exchange.c
    went_on = select(step.exchange_id).where(step.journal_id == JOURNAL_ID, step.id >= first, step.id < end)
    found = await connection.execute(
        select(exchange.id, exchange.changed_in, exchange.state, exchange.in_doubt).where(
            exchange.journal_id == JOURNAL_ID,
            exchange.id.in_(went_on),
            exchange.changed_in > after,
            exchange.changed_in <= last,
            exchange.state != ExchangeState.COMPLETED.value,
        )
    )
    standing = {row.id: row for row in found}
    if not standing:
        return []
    movement = tables.movement.c
    others = movement.kind.in_([kind for kind in ACCEPTED if kind is not MovementKind.ACCEPT])
    accepted = await rows.movements(connection, and_(movement.id.in_(standing), others))
    return [(standing[id].changed_in, one, _status(standing[id])) for id, one in accepted.items()]


def _status(standing: Any) -> str:
    if standing.state not in UNDER_WAY:
        return "REFUSED"
    return "IN_DOUBT" if standing.in_doubt else "PENDING"


async def _windows(
    connection: AsyncConnection, column: ColumnElement[int | None], after: int, last: int, where: ColumnElement[bool]
) -> list[tuple[int, Window]]:
    """Windows for which ``column`` names one of these batches, with the batch."""
    table = tables.settlement_window.c
    found = await connection.execute(
        select(table.id, column.label("batch")).where(
            table.journal_id == JOURNAL_ID, column > after, column <= last, where
        )
    )
    batches = {row.id: row.batch for row in found}
    windows = await window_rows.windows(connection, table.id.in_(batches)) if batches else {}
    return [(batches[one.id], one) for one in windows.values()]


async def _rates(connection: AsyncConnection, first: int, end: int) -> list[tuple[Change, Rate]]:
    """What was changed of rates, each as it was after that."""
    table = tables.configuration_change.c
    found = await connection.execute(
        select(tables.configuration_change)
        .where(table.journal_id == JOURNAL_ID, table.version >= first, table.version < end, table.noun == "rate")
        .order_by(table.version)
    )
    changes = [Change(row.version, row.noun, row.key, row.document, row.credential_id) for row in found]
    return [(change, rate) for change in changes if isinstance(rate := decode(change), Rate)]
