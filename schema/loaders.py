"""Loaders: what nested fields of many objects need, each kind loaded at once."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypeVar

from strawberry.dataloader import DataLoader

from hub import cases, freezes, holdings, invoices, issues, lookups, names, pools, sharing, unpaid_nets
from hub.defaults import Default
from hub.holdings import Holding, OpenLot
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
from hub.pools import Contributions
from hub.reading import Reader
from hub.sharing import SharedFee

Read = Callable[[], AbstractAsyncContextManager[Reader]]


class Loaders:
    """What nested fields need, gathered over one tick and loaded with one statement; nothing is kept, because an
    operation may act between two looks. What the caller may not see is left out."""

    def __init__(self, read: Read) -> None:
        self._read = read
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
        async with self._read() as reader:
            found = await holdings.holdings(reader, {id for id, home in keys if reader.sees(home)})
        return [found.get(id, []) for id, _ in keys]

    async def _profiles(self, keys: list[tuple[int, int]]) -> list[Profile | None]:
        """By customer and institution."""
        async with self._read() as reader:
            found = await lookups.profiles(reader, {id for id, home in keys if reader.sees(home)})
        return [found.get(id) for id, _ in keys]

    async def _contributions(self, keys: list[int]) -> list[Contributions]:
        """By pool, of one that the caller sees."""
        async with self._read() as reader:
            found = await pools.contributions(reader, set(keys))
        return [found.get(key, {}) for key in keys]

    async def _lots(self, keys: list[Account]) -> list[list[OpenLot]]:
        """By account, of a balance that the caller sees."""
        async with self._read() as reader:
            found = await holdings.lots(reader, keys)
        return [found.get(key.id, []) for key in keys]

    async def _identifiers(self, keys: list[tuple[int, int]]) -> list[list[Binding]]:
        """By customer and institution."""
        async with self._read() as reader:
            found = await names.identifiers(reader, {id for id, home in keys if reader.sees(home)})
        return [found.get(id, []) for id, _ in keys]

    async def _memos(self, keys: list[int]) -> list[str | None]:
        """By the step that they were noted with; whoever sees the step sees its memo."""
        async with self._read() as reader:
            found = await lookups.memos(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _exchanges(self, conversions: list[int]) -> list[Exchange | None]:
        async with self._read() as reader:
            found = await cases.exchanges(reader, set(conversions))
        return [found.get(conversion) for conversion in conversions]

    async def _completions(self, keys: list[int]) -> list[datetime | None]:
        """By the movement that accepted an act over partners; whoever sees that may know when it was done."""
        async with self._read() as reader:
            found = await lookups.completions(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _circulation(self, keys: list[str]) -> list[int]:
        """By currency's code; open to all."""
        async with self._read() as reader:
            found = await lookups.circulation(reader, set(keys))
        return [found.get(key, 0) for key in keys]

    async def _positions(self, keys: list[int]) -> list[list[Exposure]]:
        """By institution."""
        async with self._read() as reader:
            found = await lookups.positions(reader, {key for key in keys if reader.sees(key)})
        return [found.get(key, []) for key in keys]

    async def _movements(self, keys: list[int]) -> list[Movement | None]:
        """By identifier."""
        async with self._read() as reader:
            found = await lookups.movements(reader, set(keys))
            return _where(found, keys, lambda one: reader.sees(*homes_of(one)))

    async def _clippings(self, keys: list[int]) -> list[Clipping | None]:
        """By issue's movement, of issues that the caller was given."""
        async with self._read() as reader:
            found = await clippings(reader.connection, set(keys))
        return [found.get(key) for key in keys]

    async def _conversions(self, keys: list[int]) -> list[Conversion | None]:
        """By identifier; visible at both ends."""
        async with self._read() as reader:
            found = await lookups.conversions(reader, set(keys))
            return _where(found, keys, lambda one: reader.sees(one.source.institution, one.target.institution))

    async def _windows(self, keys: list[int]) -> list[Window | None]:
        """By identifier; open to all."""
        async with self._read() as reader:
            found = await lookups.windows(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _nets(self, keys: list[int]) -> list[list[NetView]]:
        """By window."""
        async with self._read() as reader:
            found = await lookups.nets(reader, set(keys))
            return [[one for one in found.get(key, []) if reader.sees(one.net.institution)] for key in keys]

    async def _defaults(self, keys: list[int]) -> list[list[Default]]:
        """By window: of debtors whom the caller sees, and what is borne by whom it sees."""
        async with self._read() as reader:
            seen = {node for node in reader.configuration.institutions if reader.sees(node)}
            found = await unpaid_nets.of_windows(reader, set(keys), None if reader.viewer.sees_all else seen)
        return [found.get(key, []) for key in keys]

    async def _missing(self, keys: list[int]) -> list[Missing]:
        """By movement that the caller sees."""
        async with self._read() as reader:
            found = await freezes.missing(reader, set(keys))
        return [found.get(key) or Missing(key, 0, 0) for key in keys]

    async def _cleared(self, keys: list[int]) -> list[list[Movement]]:
        """By restriction that the caller sees."""
        async with self._read() as reader:
            found = await freezes.cleared(reader, set(keys))
        return [found.get(key, []) for key in keys]

    async def _records(self, keys: list[tuple[int, int]]) -> list[str | None]:
        """By issue and issuer."""
        async with self._read() as reader:
            found = await issues.records(reader, {id for id, issuer in keys if reader.sees(issuer)})
        return [found.get(id) for id, _ in keys]

    async def _fee_shares(self, keys: list[int]) -> list[list[SharedFee]]:
        """By act that the caller sees; whose the shares are is to be asked."""
        async with self._read() as reader:
            found = await sharing.of_acts(reader, keys)
        return [found.get(key, []) for key in keys]

    async def _billings(self, keys: list[int]) -> list[Billing | None]:
        """By identifier; which months were billed is open to all."""
        async with self._read() as reader:
            found = await invoices.billings(reader, set(keys))
        return [found.get(key) for key in keys]

    async def _credited(self, keys: list[int]) -> list[int]:
        """By invoice that the caller sees."""
        async with self._read() as reader:
            found = await invoices.credited(reader, set(keys))
        return [found.get(key, 0) for key in keys]


T = TypeVar("T")


def _where(found: Mapping[int, T], keys: Sequence[int], visible: Callable[[T], bool]) -> list[T | None]:
    return [one if (one := found.get(key)) is not None and visible(one) else None for key in keys]
