"""The context of one request: who asks, in which language, and the doors to the core that resolvers use.

Resolvers look through ``read`` and act through ``submit``; nothing else touches the database. A read is short and is
never shared by fields that are resolved at the same time; what nested fields need is loaded through ``loaders``, each
batch of keys in a read of its own. Whoever has no key is ``Unauthenticated`` at both doors.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from hub import cases, freezes, holdings, invoices, issues, lookups, names, pools, sharing, unpaid_nets
from hub.access import Credential
from hub.certificates import Examined
from hub.configuration import Configuration
from hub.defaults import Default
from hub.errors import Fault, Unauthenticated
from hub.holdings import Holding, OpenLot
from hub.ledger.commands import Command
from hub.ledger.decide import Outcome
from hub.ledger.engine import Engine
from hub.ledger.limit_rows import clippings
from hub.ledger.orders import Exchange
from hub.ledger.records import (
    Account,
    Billing,
    Binding,
    Conversion,
    Exposure,
    Missing,
    Movement,
    NetView,
    Profile,
    Window,
    homes_of,
)
from hub.limits import Clipping
from hub.partners import Partner
from hub.pools import Contributions
from hub.reading import Reader, Reading, sees
from hub.settings import Settings
from hub.sharing import SharedFee
from schema.incoming import Incoming
from settlement.interim import Asked, InterimStatement
from settlement.supplementing import StoredSupplement


class StoredReport(Protocol):
    """A settlement report as it was signed."""

    @property
    def window(self) -> int: ...
    @property
    def institution(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def jws(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def previous_digest(self) -> str | None: ...


class Reports(Protocol):
    """The settlement reports of the hub."""

    async def report(self, reader: Reader, window_id: int, institution_id: int, /) -> StoredReport | None:
        """An institution's report of a closed window; None: there is none."""

    async def ensure(self, window_id: int, /) -> object:
        """See to it that a closed window's reports are stored."""


class Interims(Protocol):
    """The statements of windows that are open."""

    async def make(self, asked: Asked, /) -> InterimStatement | None:
        """A statement; None: the institution has no part in the window so far."""

    async def sign(self, statement: InterimStatement, /) -> str:
        """Its JWS."""


class Supplements(Protocol):
    """What is signed after the reports of a window of which something was not paid."""

    async def ensure(self, window_id: int, /) -> None:
        """See to it that all of a window's are stored."""

    async def of(self, window_id: int, institution_id: int, /) -> Sequence[StoredSupplement]:
        """An institution's of a window, in order."""


class Updates(Protocol):
    """Word of what other processes, and this one, have committed."""

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Numbers of batches, each after it was committed; several may be announced as one, and one twice."""


class CheckedAdapter(Protocol):
    """An adapter's configuration that is good: its text with the secrets sealed, the partner's decimals, and what it
    does, whole and in part."""

    @property
    def sealed(self) -> str: ...
    @property
    def scale(self) -> int: ...
    @property
    def operations(self) -> tuple[str, ...]: ...
    @property
    def partial(self) -> tuple[str, ...]: ...


class Adapters(Protocol):
    """The kinds of partners' systems that this hub can reach."""

    @property
    def versions(self) -> Mapping[str, str]:
        """The distribution that brings each, and its version, by name."""

    def schemas(self) -> list[tuple[str, dict[str, Any]]]:
        """Each one's name and the JSON Schema of its configuration."""

    def certificate(self, token: str, now: datetime, /) -> Examined:
        """What a signed certificate says. Refused as ``InvalidInput`` if it is not believed or does not fit."""

    def digest(self, name: str, sealed: str, without: Iterable[str], /) -> str:
        """What a certificate says of a configuration, that was checked with this one."""

    async def check(self, name: str, configuration: object, /) -> CheckedAdapter:
        """A configuration of the adapter ``name``, checked and sealed. Refused as ``InvalidInput``."""

    async def partner(self, currency: str, name: str, sealed: str, /) -> Partner:
        """The partner that keeps a currency, connected."""


class Deliveries(Protocol):
    """What endpoints were sent."""

    async def replay(self, webhook: int, id: int | None, since: datetime | None, /) -> int:
        """Send events of an endpoint again: one, or all that happened since an instant; answers how many."""


class Sealer(Protocol):
    """Who keeps secrets that are used again."""

    def seal(self, text: str, /) -> str:
        """``text``, sealed."""


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
    def loaders(self) -> "Loaders":
        """What nested fields load."""
        return Loaders(self)


class Loaders:
    """What nested fields need, gathered over one tick and loaded with one statement; nothing is kept, because an
    operation may act between two looks. What the caller may not see is left out."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.balances = DataLoader(self._balances, cache=False)
        self.profiles = DataLoader(self._profiles, cache=False)
        self.contributions = DataLoader(self._contributions, cache=False)
        self.lots = DataLoader(self._lots, cache=False)
        self.identifiers = DataLoader(self._identifiers, cache=False)
        self.memos = DataLoader(self._memos, cache=False)
        self.exchanges = DataLoader(self._exchanges, cache=False)
        self.completions = DataLoader(self._completions, cache=False)
        self.circulation = DataLoader(self._circulation, cache=False)
        self.positions = DataLoader(self._positions, cache=False)
        self.movements = DataLoader(self._movements, cache=False)
        self.clippings = DataLoader(self._clippings, cache=False)
        self.conversions = DataLoader(self._conversions, cache=False)
        self.windows = DataLoader(self._windows, cache=False)
        self.nets = DataLoader(self._nets, cache=False)
        self.defaults = DataLoader(self._defaults, cache=False)
        self.missing = DataLoader(self._missing, cache=False)
        self.cleared = DataLoader(self._cleared, cache=False)
        self.records = DataLoader(self._records, cache=False)
        self.fee_shares = DataLoader(self._fee_shares, cache=False)
        self.billings = DataLoader(self._billings, cache=False)
        self.credited = DataLoader(self._credited, cache=False)

    async def _balances(self, keys: list[tuple[int, int]]) -> list[list[Holding]]:
        """By customer and institution."""
        async with self._context.read() as reader:
            found = await holdings.holdings(reader, {id for id, home in keys if reader.sees(home)})
        return [found.get(id, []) for id, _ in keys]

    async def _profiles(self, keys: list[tuple[int, int]]) -> list[Profile | None]:
        """By customer and institution."""
        async with self._context.read() as reader:
            found = await lookups.profiles(reader, {id for id, home in keys if reader.sees(home)})
        return [found.get(id) for id, _ in keys]

    async def _contributions(self, keys: list[int]) -> list[Contributions]:
        """By pool, of one that the caller sees."""
        async with self._context.read() as reader:
            found = await pools.contributions(reader, set(keys))
        return [found.get(key, {}) for key in keys]

    async def _lots(self, keys: list[Account]) -> list[list[OpenLot]]:
        """By account, of a balance that the caller sees."""
        async with self._context.read() as reader:
            found = await holdings.lots(reader, keys)
        return [found.get(key.id, []) for key in keys]

    async def _identifiers(self, keys: list[tuple[int, int]]) -> list[list[Binding]]:
        """By customer and institution."""
        async with self._context.read() as reader:
            found = await names.identifiers(reader, {id for id, home in keys if reader.sees(home)})
        return [found.get(id, []) for id, _ in keys]

    async def _memos(self, keys: list[int]) -> list[str | None]:
        """By the step that they were noted with; whoever sees the step sees its memo."""
        async with self._context.read() as reader:
            found = await lookups.memos(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _exchanges(self, conversions: list[int]) -> list[Exchange | None]:
        async with self._context.read() as reader:
            found = await cases.exchanges(reader, set(conversions))
        return [found.get(conversion) for conversion in conversions]

    async def _completions(self, keys: list[int]) -> list[datetime | None]:
        """By the movement that accepted an act over partners; whoever sees that may know when it was done."""
        async with self._context.read() as reader:
            found = await lookups.completions(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _circulation(self, keys: list[str]) -> list[int]:
        """By currency's code; open to all."""
        async with self._context.read() as reader:
            found = await lookups.circulation(reader, set(keys))
        return [found.get(key, 0) for key in keys]

    async def _positions(self, keys: list[int]) -> list[list[Exposure]]:
        """By institution."""
        async with self._context.read() as reader:
            found = await lookups.positions(reader, {key for key in keys if reader.sees(key)})
        return [found.get(key, []) for key in keys]

    async def _movements(self, keys: list[int]) -> list[Movement | None]:
        """By identifier."""
        async with self._context.read() as reader:
            found = await lookups.movements(reader, set(keys))
            return _where(found, keys, lambda one: reader.sees(*homes_of(one)))

    async def _clippings(self, keys: list[int]) -> list[Clipping | None]:
        """By issue's movement, of issues that the caller was given."""
        async with self._context.read() as reader:
            found = await clippings(reader.connection, set(keys))
        return [found.get(key) for key in keys]

    async def _conversions(self, keys: list[int]) -> list[Conversion | None]:
        """By identifier; visible at both ends."""
        async with self._context.read() as reader:
            found = await lookups.conversions(reader, set(keys))
            return _where(found, keys, lambda one: reader.sees(one.source.institution, one.target.institution))

    async def _windows(self, keys: list[int]) -> list[Window | None]:
        """By identifier; open to all."""
        async with self._context.read() as reader:
            found = await lookups.windows(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _nets(self, keys: list[int]) -> list[list[NetView]]:
        """By window."""
        async with self._context.read() as reader:
            found = await lookups.nets(reader, set(keys))
            return [[one for one in found.get(key, []) if reader.sees(one.net.institution)] for key in keys]

    async def _defaults(self, keys: list[int]) -> list[list[Default]]:
        """By window: of debtors whom the caller sees, and what is borne by whom it sees."""
        async with self._context.read() as reader:
            seen = {node for node in reader.configuration.institutions if reader.sees(node)}
            found = await unpaid_nets.of_windows(reader, set(keys), None if reader.viewer.sees_all else seen)
        return [found.get(key, []) for key in keys]

    async def _missing(self, keys: list[int]) -> list[Missing]:
        """By movement that the caller sees."""
        async with self._context.read() as reader:
            found = await freezes.missing(reader, set(keys))
        return [found.get(key) or Missing(key, 0, 0) for key in keys]

    async def _cleared(self, keys: list[int]) -> list[list[Movement]]:
        """By restriction that the caller sees."""
        async with self._context.read() as reader:
            found = await freezes.cleared(reader, set(keys))
        return [found.get(key, []) for key in keys]

    async def _records(self, keys: list[tuple[int, int]]) -> list[str | None]:
        """By issue and issuer."""
        async with self._context.read() as reader:
            found = await issues.records(reader, {id for id, issuer in keys if reader.sees(issuer)})
        return [found.get(id) for id, _ in keys]

    async def _fee_shares(self, keys: list[int]) -> list[list[SharedFee]]:
        """By act that the caller sees; whose the shares are is to be asked."""
        async with self._context.read() as reader:
            found = await sharing.of_acts(reader, keys)
        return [found.get(key, []) for key in keys]

    async def _billings(self, keys: list[int]) -> list[Billing | None]:
        """By identifier; which months were billed is open to all."""
        async with self._context.read() as reader:
            found = await invoices.billings(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _credited(self, keys: list[int]) -> list[int]:
        """By invoice that the caller sees."""
        async with self._context.read() as reader:
            found = await invoices.credited(reader, set(keys))
        return [found.get(key, 0) for key in keys]


T = TypeVar("T")


def _where(found: Mapping[int, T], keys: Sequence[int], visible: Callable[[T], bool]) -> list[T | None]:
    return [one if (one := found.get(key)) is not None and visible(one) else None for key in keys]


Info = strawberry.Info[Context, None]
