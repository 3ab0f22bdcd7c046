"""A partner's database as the hub knows partners: the port on top of tables or procedures."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.orders import refused, units_of
from adapters.parts import MEMBER_MAX, LookupField, shape
from adapters.sql.configuration import Configuration
from adapters.sql.line import Line, NotDone, Told, Unclear
from adapters.sql.procedures import Procedures
from adapters.sql.tables import Repeated, Tables
from adapters.sql.values import Misfit
from hub.partners import (
    Answer,
    Capabilities,
    Echo,
    Entry,
    Member,
    Operation,
    Order,
    PartnerUnavailable,
    Reason,
    Status,
    for_order,
)

_A_DAY: Final = timedelta(days=1)


class _Mode(Protocol):
    """How orders are done: by tables or by procedures. Each method is given a transaction."""

    operations: frozenset[Operation]
    partial: frozenset[Operation]
    echoes: frozenset[Echo]
    tells_status: bool
    lists: bool
    idempotent: bool
    fields: tuple[LookupField, ...]

    async def perform(self, connection: AsyncConnection, order: Order, units: int) -> Answer: ...

    async def status(self, connection: AsyncConnection, order: Order, units: int) -> Answer: ...

    async def find(self, connection: AsyncConnection, fields: Mapping[str, str]) -> Member | None: ...

    def day(self, start: datetime, until: datetime) -> tuple[Executable, dict[str, Any]]: ...

    def entry(self, row: Mapping[str, Any]) -> Entry: ...


class SqlPartner:
    """A partner's database, connected."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._zone = ZoneInfo(configuration.zone)
        self._mode = _mode(configuration, self._zone)
        self._capabilities = _capabilities(configuration, self._mode)
        self._line = Line(configuration)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def perform(self, order: Order) -> Answer:
        """See ``Partner.perform``. ABSENT speaks of this sending: of an order that was sent before, nothing."""
        units = units_of(order, self._capabilities)
        if isinstance(units, Answer):
            return units
        if not 0 < len(order.member) <= MEMBER_MAX or "\0" in order.member:
            return refused(Reason.NO_SUCH_MEMBER, "No member can be called so.")
        try:
            answer = await self._line.transact(lambda connection: self._mode.perform(connection, order, units))
        except Repeated:
            return await self._repeated(order)
        except Told as told:
            answer = told.answer
        except NotDone as error:
            return Answer(status=Status.ABSENT, code=error.code, message=str(error), halts=error.halts)
        except Unclear as error:
            return Answer(status=Status.UNKNOWN, message=str(error))
        return for_order(answer, order, self._capabilities)

    async def status(self, order: Order) -> Answer:
        """See ``Partner.status``. A question that fails says nothing of the order."""
        units = order.amount * 10**self._configuration.scale // 10**order.scale
        try:
            answer = await self._line.transact(lambda connection: self._mode.status(connection, order, units))
        except NotDone as error:
            return Answer(status=Status.UNKNOWN, code=error.code, message=str(error), halts=error.halts)
        except Unclear as error:
            return Answer(status=Status.UNKNOWN, message=str(error))
        return for_order(answer, order, self._capabilities)

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        """See ``Partner.lookup``."""
        asked = {field.name: fields[field.name] for field in self._mode.fields if field.name in fields}
        if not asked or any(field.required and field.name not in asked for field in self._mode.fields):
            return None
        try:
            return await self._line.transact(lambda connection: self._mode.find(connection, asked))
        except (NotDone, Unclear) as error:
            raise PartnerUnavailable(str(error)) from error

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        """See ``Partner.journal``. The day is one of the configured zone."""
        if not self._mode.lists:
            raise PartnerUnavailable("It lists nothing.")
        start = datetime.combine(day, time.min, self._zone)
        statement, values = self._mode.day(start, start + _A_DAY)
        try:
            async with aclosing(self._line.rows(statement, values)) as rows:
                async for row in rows:
                    yield self._mode.entry(row)
        except (NotDone, Unclear, Misfit) as error:
            raise PartnerUnavailable(str(error)) from error

    async def close(self) -> None:
        await self._line.close()

    async def _repeated(self, order: Order) -> Answer:
        answer = await self.status(order)
        if answer.status is not Status.ABSENT:
            return answer
        message = "The order cannot be written down, although there is none of its reference."
        return Answer(status=Status.ABSENT, message=message, halts=True)


def _mode(configuration: Configuration, zone: ZoneInfo) -> _Mode:
    if configuration.table is not None:
        return Tables(configuration.table, configuration.unit, configuration.scale)
    if configuration.procedure is not None:
        return Procedures(configuration.procedure, configuration.unit, configuration.scale, zone)
    raise AssertionError("a configuration has one of them")


def _capabilities(configuration: Configuration, mode: _Mode) -> Capabilities:
    return Capabilities(
        operations=mode.operations,
        unit=configuration.unit,
        scale=configuration.scale,
        partial=mode.partial,
        status=mode.tells_status,
        journal=mode.lists,
        lookup=shape(mode.fields) if mode.fields else None,
        echoes=mode.echoes,
        idempotent=mode.idempotent,
        minimum=configuration.units_min,
        maximum=configuration.units_max,
        absent_after_s=configuration.absent_after_s,
        answers_within_s=configuration.answers_within_s,
    )
