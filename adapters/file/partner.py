"""A partner that works in nightly batches, by files: the port, by its configuration.

Nothing runs by itself: the first question after the cut-off lets the orders go out. Whatever is staged is pending, so
it is asked for.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Final, TypeVar

import msgspec
import structlog

from adapters.file.batches import LOCK_S_MAX, Batches, NotReady
from adapters.file.carrier import Carrier
from adapters.file.configuration import Configuration, Outcome
from adapters.file.durable import Busy, NoFile
from adapters.file.results import Results, Wrong
from adapters.file.tables import Asked, Told, Unwritable
from adapters.orders import refused, units_of
from hub.partners import (
    Answer,
    Capabilities,
    Entry,
    Member,
    Order,
    PartnerUnavailable,
    Reason,
    Settling,
    Status,
    for_order,
)

log = structlog.get_logger()

ANSWERS_WITHIN_S: Final = 30
ABSENT_AFTER_S: Final = 60  # longer than a sending that was given up can still come to be staged
_OPEN: Final = frozenset({Status.PENDING, Status.UNKNOWN})  # another file may end it
_T = TypeVar("_T")
_TROUBLE = (OSError, Busy, NotReady, NoFile, msgspec.MsgspecError)


def _now() -> datetime:
    return datetime.now(UTC)


class FilePartner:
    """The partner, connected. What is known of orders is in the folder alone, which several processes may share."""

    def __init__(self, configuration: Configuration, clock: Callable[[], datetime] = _now) -> None:
        self._configuration = configuration
        self._clock = clock
        self._capabilities = _capabilities(configuration)
        self._batches = Batches(configuration)
        self._results = Results(configuration, self._batches)
        self._composed_until: datetime | None = None
        self._thread = ThreadPoolExecutor(1, "partner-files")
        self._carrier = None if configuration.sftp is None else Carrier(configuration.sftp, self._batches, self._run)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def perform(self, order: Order) -> Answer:
        """See ``Partner.perform``. An order that is staged is PENDING; one that was staged before is answered as by
        ``status``. A reference that came with other contents is UNKNOWN, and halts."""
        until = time.monotonic() + LOCK_S_MAX
        return await self._answer(lambda: self._perform(order, until))

    async def status(self, order: Order) -> Answer:
        """See ``Partner.status``. ABSENT only if the folder is there, and never had the order."""
        answer = await self._answer(lambda: self._status(order))
        if self._carrier is None or answer.status not in _OPEN:
            return answer
        await self._carrier.visit()
        answer = await self._answer(lambda: self._told(order))
        if answer.status is Status.PENDING:
            return msgspec.structs.replace(answer, message=self._carrier.trouble)
        return answer

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        """See ``Partner.lookup``. Files find nobody."""
        return None

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        """See ``Partner.journal``. The day's own results have to be there."""
        if not self._capabilities.journal:
            raise PartnerUnavailable("Its results do not say when something was done.")
        if self._carrier is not None:
            await self._carrier.visit()
        try:
            entries = await self._run(lambda: [self._entry(*one) for one in self._results.done(day)])
        except (*_TROUBLE, Wrong, LookupError) as error:
            raise PartnerUnavailable(str(error)) from error
        for entry in entries:
            yield entry

    async def compose(self) -> str | None:
        """Let whatever is staged go out now, without waiting for the cut-off. The file's date and number, or None if
        nothing is staged.

        Raises:
            PartnerUnavailable: it cannot be done now; what was composed goes out later.
        """
        now = self._clock()
        try:
            name = await self._run(lambda: self._compose(self._configuration.day(now), now))
        except (*_TROUBLE, Unwritable) as error:
            raise PartnerUnavailable(str(error)) from error
        if self._carrier is not None:
            await self._carrier.visit(now=True)
            if self._carrier.trouble is not None:
                raise PartnerUnavailable(self._carrier.trouble)
        return name

    async def close(self) -> None:
        if self._carrier is not None:
            await self._carrier.close()
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        except RuntimeError:
            raise NotReady("The partner's connection was closed.") from None
        return await running

    async def _answer(self, work: Callable[[], Answer]) -> Answer:
        try:
            return await self._run(work)
        except (*_TROUBLE, Wrong) as error:
            return Answer(status=Status.UNKNOWN, message=str(error))

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _perform(self, order: Order, until: float) -> Answer:
        with self._batches.alone(until):
            if time.monotonic() > until:  # whoever asked may have given up, and must not be surprised
                raise Busy("The folder took too long.")
            if self._batches.find(order) is None:
                return self._stage(order)
        return self._told(order)

    def _stage(self, order: Order) -> Answer:
        units = units_of(order, self._capabilities)
        if isinstance(units, Answer):
            return units
        asked = Asked(
            reference=order.reference,
            operation=order.operation,
            member=order.member,
            units=units,
            of=order.of,
            asked_at=order.asked_at,
        )
        try:
            self._batches.stage(asked, order, self._clock())
        except Unwritable as error:
            return refused(Reason.OTHER, f"It cannot be told of the order: {error}.")
        return Answer(status=Status.PENDING, reference=order.reference)

    def _status(self, order: Order) -> Answer:
        self._compose_if_due()
        return self._told(order)

    def _told(self, order: Order) -> Answer:
        found = self._batches.find(order)
        if found is None:
            return Answer(status=Status.ABSENT)
        asked, composed = found
        if not self._is_same(asked, order):
            told = f"The reference {order.reference} was sent with other contents before."
            return Answer(status=Status.UNKNOWN, message=told, halts=True)
        results = None if composed is None else self._results.of(composed)
        if results is None:
            return Answer(status=Status.PENDING, reference=order.reference)
        return for_order(self._answered(results[order.reference]), order, self._capabilities)

    def _is_same(self, asked: Asked, order: Order) -> bool:
        said = (asked.operation, asked.member, asked.of, asked.units * 10**order.scale)
        return said == (order.operation, order.member, order.of, order.amount * 10**self._capabilities.scale)

    def _answered(self, told: Told) -> Answer:
        done = told.outcome is Outcome.DONE
        return Answer(
            status=Status.SUCCEEDED if done else Status.REFUSED,
            reference=told.reference,
            partner_reference=told.partner_reference,
            amount=told.units,
            unit=told.unit,
            at=told.at,
            reason=None if done else self._configuration.reasons.get(told.reason or "", Reason.OTHER),
            code=told.reason,
        )

    def _compose_if_due(self) -> None:
        """Once for each cut-off. What goes wrong is tried again at the next question, and makes no order doubtful."""
        cut_off = self._configuration.last_cut_off(self._clock())
        if self._composed_until == cut_off:
            return
        try:
            self._compose(cut_off.date(), cut_off)
        except (*_TROUBLE, Unwritable) as error:
            log.warning("orders could not go out", folder=self._configuration.folder, error=repr(error))
            return
        self._composed_until = cut_off

    def _compose(self, day: date, until: datetime) -> str | None:
        with self._batches.alone(time.monotonic() + LOCK_S_MAX):
            return self._batches.compose(day, until)

    def _entry(self, asked: Asked, told: Told) -> Entry:
        if told.at is None or told.units is None:
            raise LookupError(f"The results do not say when {asked.reference} was done.")
        return Entry(
            reference=asked.reference,
            partner_reference=told.partner_reference,
            operation=asked.operation,
            member=asked.member,
            amount=told.units,
            unit=told.unit or self._configuration.unit,
            status=Status.SUCCEEDED,
            at=told.at,
        )


def _capabilities(configuration: Configuration) -> Capabilities:
    return Capabilities(
        operations=configuration.operations,
        unit=configuration.unit,
        scale=configuration.scale,
        partial=configuration.partial,
        status=True,
        journal=configuration.results.at is not None,
        lookup=None,
        settling=Settling.NIGHTLY,
        echoes=configuration.results.echoes,
        idempotent=True,
        minimum=configuration.units_min,
        maximum=configuration.units_max,
        absent_after_s=ABSENT_AFTER_S,
        answers_within_s=ANSWERS_WITHIN_S,
    )
