"""Partners who do wrong exactly once, where a script says so, and are right and quick in all else.

A *step* is an operation that is sent for the first time, or asked for for the first time; a *fault* is what happens at
it: whether and when the partner gets the order, what it decides, and what its answer comes to on the way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec

from hub.ledger.orders import ExchangeState
from hub.partners import Answer, Capabilities, Echo, Operation, Order, PartnerUnavailable, Settling, Status
from tests.exchange.played import ANSWERS_WITHIN_S, Books, Kept

SOON_S, NEVER_S = 20, 120  # less, and more, than an order that was not done is tried for
NIGHT_S = 12
ABSENT_AFTER_S = 6


class Step(NamedTuple):
    """What is asked of a partner in a state. ``asked``: it is asked what has become of it; otherwise it is sent."""

    state: ExchangeState
    operation: Operation
    asked: bool = False

    def __repr__(self) -> str:
        return f"{self.state} by {self.operation}, {'asked for' if self.asked else 'sent'}"


class Telling(Enum):
    """What an answer comes to."""

    TRUTH = auto()
    LOST = auto()  # an error is answered instead, or the connection is reset
    SILENCE = auto()  # nothing is answered in time
    FAILS = auto()  # the adapter raises
    BUSY = auto()  # "nothing was done"
    HALTS = auto()  # the truth, and that nothing more may be asked
    PENDING = auto()  # "it will be done"
    NOT_YET = auto()  # "I do not know the order", while the partner may say so
    WRONG_AMOUNT = auto()
    WRONG_UNIT = auto()
    WRONG_REFERENCE = auto()

    @property
    def is_wrong(self) -> bool:
        """Whether the answer contradicts its order."""
        return self in _TWISTED


_TWISTED: Mapping[Telling, Mapping[str, Any]] = {
    Telling.WRONG_AMOUNT: {"amount": 7},
    Telling.WRONG_UNIT: {"unit": "PEBBLES"},
    Telling.WRONG_REFERENCE: {"reference": "PH-1-D"},
}


@dataclass(frozen=True)
class Fault:
    """``arrives_s``: when the partner gets the order, None: never; this and ``refused`` are of what is sent.
    ``pending_s``: how long it takes. ``calls_s``: when it calls us with how the order stands. ``down_s``: how long it
    cannot be connected before. ``mute``: nobody will ever be told what became of the order. ``ends``: the hold
    that it follows has ended."""

    told: Telling = Telling.TRUTH
    arrives_s: float | None = 0
    refused: bool = False
    pending_s: float = 0
    calls_s: tuple[float, ...] = ()
    down_s: float = 0
    mute: bool = False
    ends: bool = False

    def may_strike(self, step: Step) -> bool:
        """Whether a partner that keeps to the port does so."""
        if step.asked:
            return self.arrives_s == 0 and not self.refused and not self.pending_s
        follows = step.operation in (Operation.CAPTURE, Operation.RELEASE)
        return self.told is not Telling.NOT_YET and (follows or not self.ends)


WELL = Fault()
FAULTS: dict[str, Fault] = {
    "nothing": WELL,
    "refused": Fault(refused=True),
    "refused, because its hold has ended": Fault(refused=True, ends=True),
    "refused, and the answer is lost": Fault(Telling.LOST, refused=True),
    "an error, though it was done": Fault(Telling.LOST),
    "an error, and it was not done": Fault(Telling.LOST, arrives_s=None),
    "no answer in time, though it was done": Fault(Telling.SILENCE),
    "no answer in time, and it was not done": Fault(Telling.SILENCE, arrives_s=None),
    "arrives late": Fault(Telling.LOST, arrives_s=ABSENT_AFTER_S - 1),
    "the adapter fails": Fault(Telling.FAILS),
    "busy": Fault(Telling.BUSY, arrives_s=None),
    "called pending, though it was done": Fault(Telling.PENDING),
    "not known yet": Fault(Telling.NOT_YET),
    "answered, and told twice more": Fault(calls_s=(0, 1, 1)),
    "done, and told late": Fault(Telling.LOST, calls_s=(9, 30)),
    **{f"{told.name}, and it was not done".replace("_", " ").lower(): Fault(told, arrives_s=None) for told in _TWISTED},
    "wrong amount, though it was done": Fault(Telling.WRONG_AMOUNT),
    "pending, then done": Fault(pending_s=SOON_S),
    "pending, then done, and told twice": Fault(pending_s=SOON_S, calls_s=(SOON_S, SOON_S)),
    "pending, then refused": Fault(refused=True, pending_s=SOON_S),
    "pending, then refused, and told so": Fault(refused=True, pending_s=SOON_S, calls_s=(1, SOON_S)),
    "down for a while": Fault(down_s=SOON_S),
    "down until it is given up": Fault(down_s=NEVER_S),
    "halts": Fault(Telling.HALTS),
    "mute": Fault(Telling.LOST, mute=True),
}


def faults_of(step: Step) -> list[str]:
    """What may happen at a step."""
    return [name for name, fault in FAULTS.items() if fault.may_strike(step)]


def _can(**changes: Any) -> Capabilities:
    usual = Capabilities(
        operations=frozenset(Operation),
        unit="POINTS",
        echoes=frozenset({Echo.REFERENCE, Echo.AMOUNT}),
        absent_after_s=ABSENT_AFTER_S,
        answers_within_s=ANSWERS_WITHIN_S,
    )
    return msgspec.structs.replace(usual, **changes)


PARTNERS: dict[str, Capabilities] = {
    "asked, and does a reference once": _can(),
    "asked, and does a reference each time": _can(idempotent=False),
    "never asked, and does a reference once": _can(status=False),
    "never asked, and does a reference each time": _can(status=False, idempotent=False),
    "nightly": _can(settling=Settling.NIGHTLY),
}


class Script:
    """What happens at each step, and what has. ``later``: at steps that it does not name."""

    def __init__(self, faults: Mapping[Step, str], later: Callable[[Step], Fault]) -> None:
        self._faults = faults
        self._later = later
        self.sent: dict[str, Step] = {}  # by the order's reference
        self.struck: dict[Step, Fault] = {}
        self.down_until: dict[Step, datetime] = {}

    @property
    def is_late(self) -> bool:
        """Whether something may come when all else is quiet."""
        return any(FAULTS[name].calls_s or FAULTS[name].arrives_s for name in self._faults.values())

    def fault(self, step: Step) -> Fault:
        """What is to happen at a step."""
        name = self._faults.get(step)
        return self._later(step) if name is None else FAULTS[name]

    def strike(self, step: Step) -> Fault:
        """What happens: a fault does once."""
        if step in self.struck:
            return WELL
        self.struck[step] = self.fault(step)
        return self.struck[step]

    def connect(self, step: Step, now: datetime) -> None:
        """Come to a partner for a step.

        Raises:
            PartnerUnavailable: it is down.
        """
        if step not in self.down_until and step not in self.struck:
            self.down_until[step] = now + timedelta(seconds=self.fault(step).down_s)
        if now < self.down_until.get(step, now):
            raise PartnerUnavailable("down")


class ScriptedLine:
    """A partner as one process has it connected."""

    def __init__(self, books: Books, script: Script, point: Callable[[str], Awaitable[None]]) -> None:
        self._books = books
        self._script = script
        self._point = point
        self.capabilities = books.capabilities

    async def perform(self, order: Order) -> Answer:
        await self._point("before sending")
        books, fault = self._books, self._script.strike(self._script.sent[order.reference])
        known = books.kept.get(order.reference)
        if fault.ends:
            books.end_hold(order.of or "")
        if fault.mute:
            books.muted.add(order.reference)
        if known is None or not self.capabilities.idempotent:
            outcome = Status.REFUSED if fault.refused or not books._can(order) else Status.SUCCEEDED
            night_s = NIGHT_S if self.capabilities.settling is Settling.NIGHTLY else 0
            if fault.arrives_s == 0:
                self._write(order, outcome, later=fault.pending_s or night_s)
            elif fault.arrives_s is not None:
                asyncio.get_running_loop().call_later(fault.arrives_s, self._arrive, order, fault.arrives_s)
        self._call_back(order, fault)
        await self._point("after sending")
        return await self._told(order, fault)

    async def status(self, order: Order) -> Answer:
        await self._point("before asking")
        fault = self._script.strike(self._script.sent[order.reference]._replace(asked=True))
        if fault.mute:
            self._books.muted.add(order.reference)
        self._call_back(order, fault)
        await self._point("after asking")
        return await self._told(order, fault)

    def understand(self, message: Any, now: datetime) -> tuple[str, Answer]:
        reference = message.body.decode().partition(" ")[0]
        return reference, self._books.answer(self._books.kept[reference])

    def _arrive(self, order: Order, late: float) -> None:
        books = self._books
        if order.reference not in books.kept or not self.capabilities.idempotent:
            self._write(order, Status.SUCCEEDED if books._can(order) else Status.REFUSED, late=late)

    def _write(self, order: Order, outcome: Status, *, late: float = 0, later: float = 0) -> None:
        """Put what becomes of an order into the books, and do it."""
        books, now = self._books, self._books.time.now()
        books.kept[order.reference] = Kept(
            order,
            outcome,
            now - timedelta(seconds=late),
            now + timedelta(seconds=later),
            order.reference in books.muted,
        )
        if outcome is Status.SUCCEEDED:
            books._execute(order)

    def _call_back(self, order: Order, fault: Fault) -> None:
        for seconds in fault.calls_s:
            asyncio.get_running_loop().call_later(seconds, self._call, order.reference)

    def _call(self, reference: str) -> None:
        if reference in self._books.kept:
            self._books._call_back(reference)

    async def _told(self, order: Order, fault: Fault) -> Answer:
        if order.reference in self._books.muted:
            return Answer(status=Status.UNKNOWN)
        kept = self._books.kept.get(order.reference)
        truth = Answer(status=Status.ABSENT) if kept is None else self._books.answer(kept)
        match fault.told:
            case Telling.LOST:
                return Answer(status=Status.UNKNOWN)
            case Telling.SILENCE:
                await asyncio.sleep(2 * ANSWERS_WITHIN_S)
            case Telling.FAILS:
                raise ValueError("of an adapter")
            case Telling.BUSY:
                return Answer(status=Status.ABSENT)
            case Telling.PENDING:
                return msgspec.structs.replace(truth, status=Status.PENDING)
            case Telling.NOT_YET if kept is not None:
                late = self._books.time.now() - kept.sent_at
                return Answer(status=Status.ABSENT) if late < timedelta(seconds=ABSENT_AFTER_S) else truth
            case Telling.HALTS:
                return msgspec.structs.replace(truth, halts=True)
            case wrong if wrong.is_wrong:
                done = Answer(status=Status.SUCCEEDED, reference=order.reference, amount=order.amount)
                return msgspec.structs.replace(done, **_TWISTED[wrong])
        return truth

    async def lookup(self, fields: Any) -> None:
        raise PartnerUnavailable

    def journal(self, day: Any) -> Any:
        raise PartnerUnavailable

    async def close(self) -> None: ...
