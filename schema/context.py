"""The context of one request: who asks, in which language, and the doors to the core that resolvers use.

Resolvers look through ``read`` and act through ``submit``; nothing else touches the database. A read is short and is
never shared by fields that are resolved at the same time; what nested fields need is loaded through ``loaders``, each
batch of keys in a read of its own. Whoever has no key is ``Unauthenticated`` at both doors.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import strawberry

from hub.access import Credential
from hub.configuration import Configuration
from hub.errors import Fault, Unauthenticated
from hub.ledger.commands import Command
from hub.ledger.decide import Outcome
from hub.ledger.engine import Engine
from hub.reading import Reader, Reading, sees
from hub.settings import Settings
from schema.incoming import Incoming
from schema.loaders import Loaders
from schema.ports import Adapters, Deliveries, Interims, Reports, Sealer, Supplements, Updates


@dataclass
class Context:
    """Made for each request by the application. ``credential`` None: nobody has presented a key."""

    engine: Engine
    reading: Reading
    settings: Settings
    incoming: Incoming
    credential: int | None
    reports: Reports
    interims: Interims
    supplements: Supplements
    updates: Updates
    adapters: Adapters
    deliveries: Deliveries
    sealer: Sealer

    @asynccontextmanager
    async def read(self, past: datetime | None = None) -> AsyncIterator[Reader]:
        """A look at the hub for the caller; with ``past`` at all that was ever posted before it (``Reading.open``).

        Raises:
            Unauthenticated: there is no key, or it is not live any more.
            NotPast: ``past`` lies in the future.
        """
        if self.credential is None:
            raise Unauthenticated
        async with self.reading.open(self.credential, past) as reader:
            yield reader

    @property
    def actor(self) -> int:
        """The credential that acts.

        Raises:
            Unauthenticated: there is none.
        """
        if self.credential is None:
            raise Unauthenticated
        return self.credential

    async def submit(self, command: Command) -> Outcome:
        """The outcome of ``command``, after it was committed.

        Raises:
            Fault: the command was not looked at, for want of a key or a right, or failed for a reason of the hub's own.
        """
        [answer] = await self.engine.submit([command])
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def submit_many(self, commands: Sequence[Command]) -> list[Outcome]:
        """The outcomes of ``commands``, in their order.

        Raises:
            Fault: that of the first command that has one; the others may have been done, and can be asked again.
        """
        outcomes = []
        for answer in await self.engine.submit(commands):
            if isinstance(answer, Fault):
                raise answer
            outcomes.append(answer)
        return outcomes

    async def look(self, command: Command) -> Outcome:
        """What ``command`` would come to now.

        Raises:
            Fault: as ``submit``.
        """
        answer = await self.engine.look(command)
        if isinstance(answer, Fault):
            raise answer
        return answer

    @property
    def configuration(self) -> Configuration:
        """What is configured, as of the latest read or act of this process."""
        return self.engine.configuration

    @property
    def viewer(self) -> Credential:
        """The caller's credential, once a read or an act has found it live.

        Raises:
            Unauthenticated: there is none.
        """
        found = self.configuration.credentials.get(self.actor)
        if found is None:
            raise Unauthenticated
        return found

    def sees(self, *homes: int) -> bool:
        """Whether what belongs to any of these institutions is open to the caller."""
        return sees(self.configuration, self.viewer, *homes)

    @cached_property
    def loaders(self) -> Loaders:
        """What nested fields load."""
        return Loaders(self.read)


Info = strawberry.Info[Context, None]
