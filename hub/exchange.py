"""The exchange: what partners are asked is sent, asked for again, and reported to the ledger, until it is known.

Every order was written down in the transaction that made it necessary (``hub/ledger/exchanges``). Each process takes
calls that are due (``hub/calls.py``), sends the order or asks for it, holds the answer against it, and tells the ledger
what became of it; the ledger's next batch writes down what is asked next. No transaction is open during a call, and
nothing here is needed to go on after a crash: whoever comes first takes the call when its lease is over.

- An order that was never sent is sent. One that may have been sent is asked for by our reference; it is sent again only
  if the partner does a reference once, and otherwise, if it was certainly not done, counts as refused.
- Unknown is unknown: the act is in doubt, and the order is asked for with growing pauses, for ever.
- What was certainly not done is tried again until it is ``give_up`` old; then it counts as refused. What is owed is
  never given up: that what was taken is given back, and what was held is freed, or taken once it was paid for.
- What is owed and was certainly not done for so long is in doubt as well: it is tried on, and two persons can decide.
- A partner whose calls fail is left alone for a while; one that halts, until the operator says otherwise. Nothing is
  held for that: of what has waited ``give_up`` for it, what was never sent counts as refused, and the rest is in doubt.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import time
from typing import Protocol

import structlog
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from purgatory.service._async.circuitbreaker import AsyncCircuitBreaker

from hub import calls, clock
from hub.calls import Call
from hub.channels import Channel
from hub.configuration import Configuration
from hub.currencies import PartnerState, PointCurrency
from hub.db import Database
from hub.ledger import commands
from hub.ledger import orders as ledger
from hub.ledger.engine import Engine
from hub.ledger.orders import OWED
from hub.partners import (
    ANSWER_S_MAX,
    Answer,
    Capabilities,
    Listener,
    Message,
    NotProven,
    Order,
    Partner,
    PartnerUnavailable,
    Settling,
    Status,
    for_order,
    judge,
)
from hub.reading import Reading
from hub.updates import Updates

log = structlog.get_logger()

CALLS_AT_ONCE = 64  # of one process
CALLS_OF_PARTNER = 16  # of these, before no more are taken of one partner: one that hangs holds up nobody else
IDLE_S = 5  # a look at the database without having been woken
FAILURES_MAX = 8  # of a partner in a row, before it is left alone
FINAL = frozenset({Status.SUCCEEDED, Status.REFUSED})


class Connections(Protocol):
    """Where connected partners come from: the adapters, whom only the entry rooms know."""

    async def partner(self, currency: str, name: str, sealed: str, /) -> Partner:
        """The partner that keeps a currency.

        Raises:
            PartnerUnavailable: it cannot be connected.
        """


class Observer(Protocol):
    """Who counts."""

    def called(self, status: Status) -> None:
        """A partner was asked for something, and this is known of it now."""


@dataclass(frozen=True)
class Patience:
    """How long the exchange waits for what. ``retry``: the first pause after an answer that is not final, doubled each
    time up to ``retry_max``. ``nightly``: between two looks at a partner that works in batches. ``lease``: how long a
    call is one process's, longer than any answer takes. ``give_up``: how old an order gets that was never done.
    ``rest``: how long a failing partner is left alone."""

    retry: timedelta = timedelta(milliseconds=200)
    retry_max: timedelta = timedelta(minutes=5)
    nightly: timedelta = timedelta(minutes=10)
    lease: timedelta = timedelta(seconds=90)
    give_up: timedelta = timedelta(hours=1)
    rest: timedelta = timedelta(seconds=10)

    def pause(self, attempt: int, dice: random.Random) -> timedelta:
        """Before the attempt after this one: exponential, with half of it left to chance, so that what failed together
        does not come back together."""
        whole = min(self.retry * 2 ** min(attempt - 1, 20), self.retry_max)
        return timedelta(seconds=whole.total_seconds() * dice.uniform(0.5, 1))


class _Unwell(Exception):
    """A call failed in a way that speaks against the partner, not against the order."""


class _LeaseOver(Exception):
    """The call is another's by now: nothing may be sent."""


class Exchange:
    """One process's part in the exchange; it begins with ``start`` and lasts until ``close``."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        reading: Reading,
        updates: Updates,
        connections: Connections,
        observer: Observer,
        patience: Patience = Patience(),
        dice: random.Random | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._reading = reading
        self._updates = updates
        self._connections = connections
        self._observer = observer
        self._patience = patience
        self._dice = dice or random.Random()
        self._factory = AsyncCircuitBreakerFactory(FAILURES_MAX, patience.rest.total_seconds())
        self._breakers: dict[str, AsyncCircuitBreaker] = {}
        self._running: asyncio.Task[None] | None = None
        self._under_way: dict[asyncio.Task[None], Call] = {}
        self._ending = False
        self._woken = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End. Calls under way are cut off, and are unknown: whoever comes next asks for them."""
        self._ending = True
        self._woken.set()
        if self._running is not None:
            await self._running
        under_way = dict(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if under_way:
            with suppress(Exception):
                await calls.let_go(self._database, list(under_way.values()), clock.now())

    async def heard(self, of: PointCurrency, message: Message) -> None:
        """Take in what a partner tells without having been asked. What is final counts, whether it comes once, twice or
        late; anything else only makes that the partner is asked.

        Raises:
            NotProven: nothing proves that the message is the partner's, or it is about none of its orders.
            PartnerUnavailable: the partner's adapter cannot be connected.
        """
        partner = await self._connections.partner(of.code, of.adapter, of.connection)
        if not isinstance(partner, Listener):
            raise NotProven
        reference, answer = partner.understand(message, clock.now())
        call = await calls.look(self._database, reference)
        if call is None:
            return  # it has been answered for good
        if call.currency != of.code:
            raise NotProven
        order, capabilities = _order(call, of), partner.capabilities
        believed = await self._believed(call, order, for_order(answer, order, capabilities), capabilities)
        if believed.status in FINAL:
            await self._report(call, believed)
        else:
            await calls.hurry(self._database, reference, clock.now())
            self._woken.set()

    # --- taking calls -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            while not self._ending:
                try:
                    await self._turn()
                except Exception as error:
                    log.warning("exchange interrupted", error=repr(error))
                    await self._wait(IDLE_S)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _listen(self) -> None:
        # What other batches bring changes nothing here; looking at each would cost as much as a small one itself.
        async with self._updates.subscribe(Channel.CALLS, Channel.CONFIGURATION) as announcements:
            async for _ in announcements:
                self._woken.set()

    async def _turn(self) -> None:
        """Take what is due, or wait until something is."""
        self._woken.clear()
        room = CALLS_AT_ONCE - len(self._under_way)
        if not room:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            return
        configuration = await self._configuration()
        if not any(of.connection for of in configuration.currencies.values()):
            await self._wait(IDLE_S)  # nobody keeps points anywhere else
            return
        halted = _halted(configuration)
        paused = halted + self._paused()
        most, patience = min(room, CALLS_OF_PARTNER), self._patience
        taken = await calls.take(self._database, clock.now(), patience.lease, most, paused, halted, patience.give_up)
        for call in taken:
            task = asyncio.create_task(self._attend(call))
            self._under_way[task] = call
            task.add_done_callback(self._done)
        if len(taken) < most:
            due = await calls.next_due(self._database, paused)  # what was just taken is, when its lease is over
            seconds = IDLE_S if due is None else (due - clock.now()).total_seconds()
            await self._wait(min(IDLE_S, seconds))

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(task, None)
        self._woken.set()

    async def _wait(self, seconds: float) -> None:
        if seconds > 0 and not self._ending:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()

    async def _configuration(self) -> Configuration:
        await self._reading.refresh()
        return self._engine.configuration

    def _paused(self) -> list[str]:
        """Currencies whose partners are left alone: those that fail, and those that are busy with us."""
        until = time() - self._patience.rest.total_seconds()
        failing = [code for code, one in self._breakers.items() if (one.context.opened_at or until) > until]
        asked = Counter(call.currency for call in self._under_way.values())
        return failing + [code for code, many in asked.items() if many >= CALLS_OF_PARTNER]

    # --- one call -----------------------------------------------------------------------------------------------------

    async def _attend(self, call: Call) -> None:
        """Do one call, whatever happens: what fails here is tried again."""
        try:
            await self._call(call)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("call failed", reference=call.reference)
            pause = self._patience.pause(call.attempt, self._dice)
            with suppress(Exception):  # if this fails too, the lease will end
                await calls.put_back(self._database, call, clock.now() + pause, clock.now(), Status.UNKNOWN, None, None)

    async def _call(self, call: Call) -> None:
        of = self._engine.configuration.currency(call.currency)
        if of is None:
            raise LookupError(f"There is no point currency {call.currency}.")
        if of.partner is PartnerState.HALTED:
            await self._take_in(call, _unasked(call, "It is halted."), _Sent(call.sent_at), nightly=False)
            return
        breaker = self._breakers.get(of.code)
        if breaker is None:
            breaker = self._breakers[of.code] = await self._factory.get_breaker(of.code)
        sent = _Sent(call.sent_at)
        nightly = False
        try:
            partner = await self._connections.partner(of.code, of.adapter, of.connection)
            nightly = partner.capabilities.settling is Settling.NIGHTLY
            async with breaker:
                answer = await self._answer(call, _order(call, of), partner, sent)
                if answer.status in (Status.UNKNOWN, Status.ABSENT):
                    raise _Unwell
        except _Unwell:
            pass
        except _LeaseOver:
            log.warning("call taken over", reference=call.reference)
            return
        except OpenedState:  # others have failed since this one was taken
            answer = _unasked(call)
        except PartnerUnavailable as error:
            answer = _unasked(call, str(error))
        if answer.status not in FINAL and _left(call) <= 0:
            log.warning("call taken over", reference=call.reference)
            return  # what is not final was true then; whoever has it now knows better
        self._observer.called(answer.status)
        await self._take_in(call, answer, sent, nightly=nightly)
        if answer.halts:
            await self._halt(of, answer)

    async def _answer(self, call: Call, order: Order, partner: Partner, sent: "_Sent") -> Answer:
        """What the partner says of an order that was never sent, or may have been."""
        capabilities = partner.capabilities
        if call.member is None:
            return Answer(status=Status.UNKNOWN, message="The member's reference was erased.")
        if call.sent_at is None:
            return await self._sent(call, order, partner, sent)
        if capabilities.status:
            answer = await self._asked(call, order, partner.status(order), capabilities)
            if answer.status is not Status.ABSENT:
                return answer
            if clock.now() < call.sent_at + timedelta(seconds=capabilities.absent_after_s):
                return Answer(status=Status.UNKNOWN, message="It does not know the order yet.")
            if capabilities.idempotent and not self._is_given_up(call):
                return await self._sent(call, order, partner, sent)
            if call.state in OWED:
                return Answer(status=Status.UNKNOWN, message="It was not done, and cannot be sent again.")
            sent.is_over = True
            return answer
        if not capabilities.idempotent:
            return Answer(status=Status.UNKNOWN, message="It can neither be asked for nor sent again.")
        answer = await self._sent(call, order, partner, sent)
        if answer.status is Status.ABSENT or not answer.asked:  # this sending; nobody knows of the one before
            return _unknown(answer)
        return answer

    async def _sent(self, call: Call, order: Order, partner: Partner, sent: "_Sent") -> Answer:
        if _left(call) <= 0:
            raise _LeaseOver
        sent.at = clock.now()
        answer = await self._asked(call, order, partner.perform(order), partner.capabilities)
        # What is owed is not refused by a configuration that has changed.
        return _unknown(answer) if call.state in OWED and not answer.asked else answer

    async def _asked(
        self, call: Call, order: Order, answering: Awaitable[Answer], capabilities: Capabilities
    ) -> Answer:
        """A partner's answer as far as it is believed."""
        try:
            async with asyncio.timeout(min(capabilities.answers_within_s, ANSWER_S_MAX, _left(call))):
                answer = await answering
        except TimeoutError:
            return Answer(status=Status.UNKNOWN, message="It did not answer in time.")
        except Exception as error:  # of an adapter, which is not ours to trust
            log.exception("adapter failed", reference=call.reference)
            return await self._believed(
                call,
                order,
                Answer(status=Status.UNKNOWN),
                capabilities,
                f"Its adapter failed ({type(error).__name__}).",
            )
        return await self._believed(call, order, answer, capabilities)

    async def _believed(
        self, call: Call, order: Order, answer: Answer, capabilities: Capabilities, incident: str | None = None
    ) -> Answer:
        at = clock.now()
        judged = judge(order, answer, capabilities, at)
        if incident := incident or judged.incident:
            log.warning("partner's answer not believed", reference=call.reference, incident=incident)
            await calls.note_incident(self._database, call, at, incident)
        return judged.answer

    def _is_given_up(self, call: Call) -> bool:
        """Whether an order that was not done is not tried again. What is owed, such as that what was taken is given
        back, has to be done, however long it takes."""
        return call.state not in OWED and self._is_old(call)

    def _is_old(self, call: Call) -> bool:
        return clock.now() >= call.asked_at + self._patience.give_up

    async def _take_in(self, call: Call, answer: Answer, sent: "_Sent", *, nightly: bool) -> None:
        """Report what there is to report, and otherwise have the order asked for again."""
        pause, status = self._patience.pause(call.attempt, self._dice), answer.status
        if status in FINAL:
            if await self._report(call, answer):
                return
            pause = self._patience.retry_max  # what is owed and refused waits for a person
        elif status is Status.ABSENT:
            is_over = sent.is_over or self._is_given_up(call) or (self._is_old(call) and not call.in_doubt)
            if is_over and await self._report(call, answer):
                return
            sent.at = None
        else:
            if (status is Status.UNKNOWN) != call.in_doubt:
                await self._report(call, answer)
            if nightly and status is Status.PENDING:
                pause = self._patience.nightly
        await calls.put_back(self._database, call, clock.now() + pause, sent.at, status, answer.code, answer.message)

    async def _report(self, call: Call, answer: Answer) -> bool:
        """Tell the ledger; answers whether the order is over with that."""
        after = await self._engine.ask(
            commands.ReportOrder(
                actor=self._engine.configuration.host.id,
                reference=call.reference,
                status=answer.status,
                reason=answer.reason,
                code=None if answer.code is None else _plain(answer.code),
                partner_reference=None if answer.partner_reference is None else _plain(answer.partner_reference),
            )
        )
        return not isinstance(after, ledger.Exchange) or after.order is None or after.order.reference != call.reference

    async def _halt(self, of: PointCurrency, answer: Answer) -> None:
        """Ask nothing more of a partner until the operator says so."""
        told = " ".join(part for part in (answer.code, answer.message) if part)
        await self._engine.submit(
            [
                commands.SetPartnerState(
                    actor=self._engine.configuration.host.id,
                    currency=of.code,
                    state=PartnerState.HALTED,
                    reason=_plain(told) or "It said so.",
                )
            ]
        )


class _Sent:
    """Since when an order may be known to its partner; and whether it was not done and is not sent any more."""

    def __init__(self, at: datetime | None) -> None:
        self.at = at
        self.is_over = False


def _halted(configuration: Configuration) -> list[str]:
    """Currencies of whose partners nothing is asked."""
    return [of.code for of in configuration.currencies.values() if of.partner is PartnerState.HALTED]


def _unasked(call: Call, message: str | None = None) -> Answer:
    """What is known of an order where its partner cannot be asked."""
    return Answer(status=Status.ABSENT if call.sent_at is None else Status.UNKNOWN, message=message)


def _unknown(answer: Answer) -> Answer:
    """It leaves open what became of the order, in the answer's words."""
    return Answer(status=Status.UNKNOWN, code=answer.code, message=answer.message, halts=answer.halts)


def _left(call: Call) -> float:
    """Seconds for which a call is still its taker's."""
    return ANSWER_S_MAX if call.leased_until is None else (call.leased_until - clock.now()).total_seconds()


def _order(call: Call, of: PointCurrency) -> Order:
    return Order(
        reference=call.reference,
        operation=call.operation,
        member=call.member or "",
        amount=call.amount,
        currency=of.code,
        scale=of.scale,
        asked_at=call.asked_at,
        of=call.of,
        partner_of=call.partner_of,
    )


def _plain(text: str) -> str:
    """A partner's words as the ledger keeps them: storable, and of a length."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()[: calls.TEXT_MAX]
