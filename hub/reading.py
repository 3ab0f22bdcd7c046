"""Reading: the one way to look at the hub. A read sees one instant, and is given who looks.

Every read brings the configuration up to its snapshot first and finds the viewer in it, so a revoked key sees nothing
from the next request on, on every process. Row-level security would hang here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.access import Credential, hash_secret
from hub.clock import now
from hub.configuration import Configuration
from hub.db import Database
from hub.errors import NotPast, NotSetUp, Unauthenticated
from hub.institutions import is_below
from hub.ledger import journal, rows
from hub.ledger.engine import Engine


@dataclass(frozen=True)
class Reader:
    """One look at the hub: a snapshot, the configuration of that instant, and who looks."""

    connection: AsyncConnection
    configuration: Configuration
    viewer: Credential
    at: datetime

    def sees(self, *homes: int) -> bool:
        """Whether what belongs to any of these institutions is open to the viewer: its own and those below it, or all
        for the operator's people."""
        return sees(self.configuration, self.viewer, *homes)


def sees(configuration: Configuration, viewer: Credential, *homes: int) -> bool:
    """Whether what belongs to any of these institutions is open to ``viewer``."""
    return viewer.sees_all or any(is_below(configuration.institutions, home, viewer.institution) for home in homes)


class Reading:
    """How this process looks at the hub."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine
        self._past = datetime.min.replace(tzinfo=UTC)  # nothing more is posted before this
        self._passing = asyncio.Lock()

    @asynccontextmanager
    async def open(self, viewer: int | None, past: datetime | None = None) -> AsyncIterator[Reader]:
        """A snapshot for the credential ``viewer``. It holds everything that is ever posted before ``past``: a batch
        that has such a time and is not committed yet is waited for.

        Raises:
            Unauthenticated: there is no such credential, or it is not live in that snapshot.
            NotPast: ``past`` lies in the future.
        """
        if past is not None:
            await self._pass(past)
        async with self._database.snapshot() as connection:
            head = await journal.look(connection)
            if head is None:
                raise NotSetUp
            current = self._engine.configuration
            # An older snapshot is read with the newer configuration, which names everything that it can meet.
            if current.version < head.configuration_version:
                current = await rows.refresh(connection, current, head.configuration_version)
                self._engine.take(current)
            found = None if viewer is None else current.credentials.get(viewer)
            if found is None or not found.is_live(head.at):
                raise Unauthenticated
            yield Reader(connection, current, found, head.at)

    async def _pass(self, instant: datetime) -> None:
        """See to it that nothing more is posted before ``instant``. Whoever asks for a moment that has just passed
        takes the journal's lock, once for all who have asked meanwhile."""
        if instant <= self._past:
            return
        async with self._passing:
            if instant <= self._past:
                return
            async with self._database.snapshot() as connection:
                head = await journal.look(connection)
            if head is None:
                raise NotSetUp
            if instant > head.at:
                raise NotPast(now=head.at.isoformat())
            if instant > head.last:
                async with self._database.beside() as connection:
                    await journal.catch_up(connection)
                self._past = head.at
            else:
                self._past = head.last  # every batch to come is later than it

    async def authenticate(self, secret: str) -> int:
        """The credential whose secret this is. From memory when it is known there, because whatever the caller goes on
        to do checks it again in a snapshot or under the journal's lock.

        Raises:
            Unauthenticated: there is none that is live.
        """
        secret_hash = hash_secret(secret)
        found = self._live(self._engine.configuration, secret_hash)
        if found is None:
            found = self._live(await self.refresh(), secret_hash)
        if found is None:
            raise Unauthenticated
        return found.id

    @staticmethod
    def _live(configuration: Configuration, secret_hash: str) -> Credential | None:
        found = configuration.credentials.get(configuration.secrets.get(secret_hash, 0))
        return found if found is not None and found.is_live(now()) else None

    async def refresh(self) -> Configuration:
        """The configuration as it is now."""
        async with self._database.snapshot() as connection:
            head = await journal.look(connection)
            if head is None:
                raise NotSetUp
            current = await rows.refresh(connection, self._engine.configuration, head.configuration_version)
        self._engine.take(current)
        return current
