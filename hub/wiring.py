"""Wiring: what one process has one of, made once, and what it runs beside requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from adapters.registry import Registry, installed
from hub.db import Database
from hub.errors import NotSetUp, Unauthenticated
from hub.exchange import Exchange, Patience
from hub.ledger import journal
from hub.ledger.engine import Engine, is_outage
from hub.metrics import Row
from hub.reading import Reading
from hub.reconciliation.daily import Daily
from hub.reconciliation.reconciling import Shelf
from hub.schedule import Schedule
from hub.sealing import SecretsKey
from hub.settings import Settings
from hub.updates import Updates
from hub.webhooks.deliveries import Deliveries
from hub.webhooks.delivering import Deliverer
from hub.webhooks.following import Follower
from hub.webhooks.sender import Sender
from schema import faults
from schema.context import Context
from schema.incoming import Incoming
from settlement.interim import Interims
from settlement.publish import Keys, Reports
from settlement.renderings.press import Press
from settlement.signers import Signers
from settlement.signing import CURRENT, SigningError, SigningKey
from settlement.supplementing import Supplements

READY_S_MAX: Final = 2

log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What a process has one of."""

    settings: Settings
    database: Database
    engine: Engine
    reading: Reading
    updates: Updates
    schedule: Schedule
    sender: Sender
    deliverer: Deliverer
    sealer: SecretsKey
    keys: Keys
    reports: Reports
    interims: Interims
    supplements: Supplements
    press: Press
    adapters: Registry
    exchange: Exchange

    @classmethod
    def of(cls, settings: Settings, url: str, row: Row) -> "Parts":
        """The parts, not connected to anything yet."""
        database = Database(url, settings.database_connections)
        engine = Engine(database, queue_max=settings.queue_commands, batch_max=settings.batch_commands, observer=row)
        reading = Reading(database, engine)
        keys = Keys.of(settings)
        reports = Reports(database, keys, settings.name)
        updates, adapters = Updates(url), _adapters(settings)
        follower = Follower(database, engine, updates, row)
        minutes, shelf = settings.reconcile_after_minutes, Shelf.of(settings.data_dir)
        daily = None
        if minutes >= 0:
            daily = Daily(database, engine, reading, adapters, shelf, timedelta(minutes=minutes))
        sender, sealer = Sender(settings.webhook_networks, plain=settings.development), SecretsKey.of(settings)
        return cls(
            settings=settings,
            database=database,
            engine=engine,
            reading=reading,
            updates=updates,
            schedule=Schedule(
                url,
                database,
                engine,
                reading,
                row,
                settings.sweep_seconds,
                follower,
                daily,
                settings.billing_zone,
                reports.check_key,
            ),
            sender=sender,
            deliverer=Deliverer(database, engine, reading, updates, sender, sealer, row),
            sealer=sealer,
            keys=keys,
            reports=reports,
            interims=Interims(database, keys, settings.name),
            supplements=Supplements(database, keys, settings.name, reports),
            press=Press(),
            adapters=adapters,
            exchange=Exchange(database, engine, reading, updates, adapters, row, _patience(settings)),
        )

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """For as long as requests come, with the hub's own schedule and its webhooks beside them. At the end no command
        is taken any more, what is queued is committed and answered, and then the connections are closed."""
        self.schedule.start()
        self.exchange.start()
        self.deliverer.start()
        try:
            yield
        finally:
            await asyncio.gather(self.schedule.close(), self.deliverer.close(), self.exchange.close())
            await self.sender.close()
            await self.engine.close()
            await self.adapters.close()
            await self.updates.close()
            await self.database.close()

    async def context(self, incoming: Incoming) -> Context:
        """The context of a request: of the key's credential, or of nobody.

        Raises:
            Unauthenticated: a key was presented, and is not a live one.
            Unavailable: the database cannot be asked.
        """
        credential = None if incoming.authorization is None else await self.credential(incoming.authorization)
        return Context(
            engine=self.engine,
            reading=self.reading,
            settings=self.settings,
            incoming=incoming,
            credential=credential,
            reports=self.reports,
            interims=self.interims,
            supplements=self.supplements,
            updates=self.updates,
            adapters=self.adapters,
            deliveries=Deliveries(self.database),
            sealer=self.sealer,
        )

    async def credential(self, authorization: str) -> int:
        """The credential behind an Authorization header.

        Raises:
            Unauthenticated, Unavailable: as ``context``.
        """
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        try:
            return await self.reading.authenticate(secret.strip())
        except NotSetUp as error:
            raise faults.Unavailable from error
        except Exception as error:
            if is_outage(error):
                raise faults.Unavailable from error
            raise

    async def ailments(self) -> list[str]:
        """Why this process cannot do its work; none: it is ready. Public, so no place or name is told."""
        found = []
        try:
            async with asyncio.timeout(READY_S_MAX), self.database.snapshot() as connection:
                if await journal.look(connection) is None:
                    found.append(str(NotSetUp()))
        except Exception as error:
            log.warning("not ready", error=repr(error))
            found.append("The database does not answer.")
        if self.engine.queue_depth >= self.settings.queue_commands:
            found.append("The queue of commands is full.")
        try:
            await asyncio.to_thread(_look_at_key, self.keys)
        except SigningError as error:
            log.warning("not ready", error=str(error))
            found.append(str(error.__doc__))
        return found


def _adapters(settings: Settings) -> Registry:
    """The adapters that are installed; one that cannot be used stops nothing but the currencies that need it."""
    registry = Registry(installed(), SecretsKey.of(settings), Signers.of(settings).verified)
    for name, reason in registry.broken.items():
        log.error("adapter unusable", adapter=name, reason=reason)
    return registry


def _patience(settings: Settings) -> Patience:
    return replace(
        Patience(),
        lease=timedelta(seconds=settings.partner_lease_seconds),
        give_up=timedelta(seconds=settings.partner_give_up_seconds),
    )


def _look_at_key(keys: Keys) -> None:
    """Unlike ``Keys.current`` this makes no key where one was lost."""
    if keys.text is not None:
        SigningKey.from_text(keys.text.get_secret_value())
    else:
        SigningKey.from_file(keys.folder / CURRENT)
