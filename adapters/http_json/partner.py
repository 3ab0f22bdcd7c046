"""A partner that speaks JSON over HTTP: the port, by its configuration."""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from adapters.amounts import AmountForm, WrongAnswer, decode
from adapters.http_json import paths
from adapters.http_json.answers import is_listed, understood, unread, word
from adapters.http_json.configuration import Call, Configuration, EntryForm, JournalCall, LookupCall
from adapters.http_json.proofs import prove
from adapters.http_json.templates import Unsendable, Value
from adapters.http_json.wire import Broken, Heard, Line, NotSent, Wire
from adapters.orders import refused, units_of
from adapters.parts import shape
from hub.partners import (
    Answer,
    Capabilities,
    Entry,
    Member,
    Message,
    NotProven,
    Operation,
    Order,
    PartnerUnavailable,
    Reason,
    Status,
    for_order,
)

PAGES_MAX = 100_000  # of a day's journal


class HttpJsonPartner:
    """The partner, connected. Nothing is kept of an order."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._capabilities = _capabilities(configuration)
        self._calls = {operation: order.call for order in configuration.orders for operation in order.operations}
        self._wire = Wire(_line(configuration))

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def perform(self, order: Order) -> Answer:
        """See ``Partner.perform``. ABSENT speaks of this sending: of an order that was sent before, nothing."""
        units = units_of(order, self._capabilities)
        if isinstance(units, Answer):
            return units
        try:
            heard = await self._wire.ask(self._calls[order.operation], self._values(order, units))
        except Unsendable as error:
            return refused(Reason.OTHER, f"It cannot be told of the order: {error}.")
        except NotSent as error:
            return Answer(status=Status.ABSENT, message=str(error), halts=error.halts)
        except Broken as error:
            return Answer(status=Status.UNKNOWN, message=str(error))
        if heard.fault is not None:
            return unread(heard, self._configuration)
        answer = understood(self._configuration.answer, self._configuration, heard.http, heard.document)
        return for_order(answer, order, self._capabilities)

    async def status(self, order: Order) -> Answer:
        """See ``Partner.status``. ABSENT only if the partner says that it knows no such reference; that it has no time
        for the question says nothing of the order."""
        asking = self._configuration.status
        if asking is None:
            return Answer(status=Status.UNKNOWN, message="It cannot be asked.")
        units = order.amount * 10**self._configuration.scale // 10**order.scale
        try:
            heard = await self._wire.ask(asking.call, self._values(order, units))
        except NotSent as error:
            return Answer(status=Status.UNKNOWN, message=str(error), halts=error.halts)
        except (Unsendable, Broken) as error:
            return Answer(status=Status.UNKNOWN, message=str(error))
        form = asking.answer or self._configuration.answer
        if is_listed(asking.absent, heard, word(paths.find(heard.document, form.code))):
            return Answer(status=Status.ABSENT)
        if heard.fault is not None:
            answer = unread(heard, self._configuration)
        else:
            answer = understood(form, self._configuration, heard.http, heard.document)
        if answer.status is Status.ABSENT:
            answer = msgspec.structs.replace(answer, status=Status.UNKNOWN)
        return for_order(answer, order, self._capabilities)

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        """See ``Partner.lookup``."""
        asking = self._configuration.lookup
        if asking is None:
            return None
        values: dict[str, Value] = {field.name: fields.get(field.name) for field in asking.fields}
        heard = await self._ask(asking.call, values)
        if is_listed(asking.absent, heard, word(paths.find(heard.document, self._configuration.answer.code))):
            return None
        try:
            return self._member(asking, _document(heard))
        except WrongAnswer as error:
            raise PartnerUnavailable(str(error)) from None

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        """See ``Partner.journal``."""
        asking = self._configuration.journal
        if asking is None:
            return
        cursor: str | None = None
        seen: set[str | None] = {None}
        for _ in range(PAGES_MAX):
            values: dict[str, Value] = {"day": day.strftime(asking.day_pattern), "cursor": cursor}
            heard = await self._ask(asking.call, values)
            try:
                entries, cursor = self._page(asking, _document(heard))
            except WrongAnswer as error:
                raise PartnerUnavailable(str(error)) from None
            for entry in entries:
                yield entry
            if cursor is None:
                return
            if cursor in seen:
                raise PartnerUnavailable("The journal's pages lead in a circle.")
            seen.add(cursor)
        raise PartnerUnavailable("The journal has no end.")

    def understand(self, message: Message, now: datetime) -> tuple[str, Answer]:
        """See ``Listener.understand``. What the catalogue calls RETRY says nothing here: it is unknown."""
        told = self._configuration.callbacks
        if told is None:
            raise NotProven("The partner does not call.")
        prove(told.proof, message, now)
        try:
            document = decode(message.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NotProven("The message is no JSON, or an object in it names something twice.") from None
        answer = understood(told.answer or self._configuration.answer, self._configuration, None, document)
        reference = word(paths.find(document, (told.answer or self._configuration.answer).reference))
        if reference is None:
            raise NotProven("The message names no reference.")
        if answer.status is Status.ABSENT:
            answer = msgspec.structs.replace(answer, status=Status.UNKNOWN)
        return reference, answer

    async def close(self) -> None:
        await self._wire.close()

    def _values(self, order: Order, units: int) -> dict[str, Value]:
        configuration = self._configuration
        return {
            "reference": order.reference,
            "operation": configuration.words.get(order.operation, order.operation.value),
            "member": order.member,
            "amount": configuration.amount.show(units, configuration.scale),
            "unit": configuration.unit,
            "of": order.of,
            "partnerOf": order.partner_of,
            "time": configuration.time.show(order.asked_at),
            "heldUntil": configuration.time.show(order.held_until) if order.operation is Operation.HOLD else None,
        }

    async def _ask(self, call: Call, values: Mapping[str, Value]) -> Heard:
        try:
            return await self._wire.ask(call, values)
        except (Unsendable, NotSent, Broken) as error:
            raise PartnerUnavailable(str(error)) from error

    def _member(self, asking: LookupCall, document: Any) -> Member:
        reference = word(paths.find(document, asking.member))
        if not reference:
            raise WrongAnswer("The answer names no member.")
        available = paths.find(document, asking.available)
        return Member(
            reference=reference,
            available=None if available is None else self._read(available, self._configuration.amount),
            may_spend=_truth(document, asking.may_spend),
            may_earn=_truth(document, asking.may_earn),
        )

    def _page(self, asking: JournalCall, document: Any) -> tuple[list[Entry], str | None]:
        entries = paths.find(document, asking.entries)
        if not isinstance(entries, list):
            raise WrongAnswer("The journal's page has no list of entries.")
        following = paths.find(document, asking.next)
        return [self._entry(asking.entry, one) for one in entries], word(following) or None

    def _entry(self, form: EntryForm, found: Any) -> Entry:
        operation = form.operations.get(word(paths.find(found, form.operation)) or "")
        member = word(paths.find(found, form.member))
        if operation is None or member is None:
            raise WrongAnswer("An entry of the journal names no operation or no member.")
        status = form.statuses.get(word(paths.find(found, form.status)) or "", "UNKNOWN")
        at = self._configuration.time.read(paths.find(found, form.time))
        if at.tzinfo is None:
            raise WrongAnswer("An entry of the journal has a time without a zone.")
        return Entry(
            reference=word(paths.find(found, form.reference)),
            partner_reference=word(paths.find(found, form.partner_reference)),
            operation=operation,
            member=member,
            amount=self._read(paths.find(found, form.amount), self._configuration.amount),
            unit=self._configuration.unit if form.unit is None else word(paths.find(found, form.unit)) or "",
            status=Status(status),
            at=at,
        )

    def _read(self, amount: object, form: AmountForm) -> int:
        return form.read(amount, self._configuration.scale)


def _line(configuration: Configuration) -> Line:
    return Line(
        base_url=configuration.base_url,
        auth=configuration.auth,
        tls=configuration.tls,
        connect_s=configuration.connect_s,
        answers_within_s=configuration.answers_within_s,
        answer_bytes_max=configuration.answer_bytes_max,
        connections_max=configuration.connections_max,
        headers=configuration.headers,
        secret_headers=configuration.secret_headers,
        verify_answers=configuration.verify_answers,
    )


def _capabilities(configuration: Configuration) -> Capabilities:
    return Capabilities(
        operations=frozenset(operation for order in configuration.orders for operation in order.operations),
        unit=configuration.unit,
        scale=configuration.scale,
        partial=configuration.partial,
        status=configuration.status is not None,
        journal=configuration.journal is not None,
        lookup=None if configuration.lookup is None else shape(configuration.lookup.fields),
        settling=configuration.settling,
        echoes=configuration.mapped() if configuration.echoes is None else configuration.echoes,
        idempotent=configuration.idempotent,
        minimum=configuration.units_min,
        maximum=configuration.units_max,
        absent_after_s=configuration.absent_after_s,
        answers_within_s=configuration.answers_within_s,
    )


def _document(heard: Heard) -> Any:
    if not 200 <= heard.http <= 299:
        raise WrongAnswer(f"It answers {heard.http}.")
    if heard.fault is not None:
        raise WrongAnswer(f"The answer was not read: {heard.fault}.")
    return heard.document


def _truth(document: Any, path: str | None) -> bool:
    """Whether the partner allows something; what it never tells, it does; what is no truth is no."""
    return path is None or paths.find(document, path) is True
