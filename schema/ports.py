"""Ports: what resolvers ask of the rest of the hub beside the core, whoever answers it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from hub.certificates import Examined
from hub.channels import Channel
from hub.partners import Partner
from hub.reading import Reader
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

    async def check_key(self) -> None:
        """Pass if reports can be signed now."""

    async def ensure(self, window_id: int, /) -> object:
        """See to it that a closed window's reports are stored."""

    async def have(self, window_id: int, /) -> None:
        """The same of a window that there may not be, or that may be open."""


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

    def subscribe(self, *channels: Channel) -> AbstractAsyncContextManager[AsyncIterator[frozenset[Channel]]]:
        """What is announced on these channels, after it was committed; several may be announced as one, and one
        twice."""


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
