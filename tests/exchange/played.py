"""Partners in memory, each with its own books, whose every misdeed is drawn from the seed.

What a partner may do is what the port allows it to: it says ABSENT of an order that it may still do only within
``absent_after_s``, and it does a reference once if it says so. All else is fair, as long as a seed is not at peace.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.partners import (
    HOLDING,
    Answer,
    Capabilities,
    Echo,
    Message,
    NotProven,
    Operation,
    Order,
    PartnerUnavailable,
    Reason,
    Settling,
    Status,
)
from tests.exchange.virtual import Time

MEMBERS = ("M-1", "M-2", "M-3")
ANSWERS_WITHIN_S = 4
_UNITS = {"MILE": "MILES", "STAY": "NIGHTS"}


@dataclass
class Kept:
    """An order in a partner's books. ``sent_at``: at the latest. ``final_at``: from when on it is what it will be."""

    order: Order
    outcome: Status
    sent_at: datetime
    final_at: datetime
    mute: bool = False

    def status(self, now: datetime) -> Status:
        return self.outcome if now >= self.final_at else Status.PENDING


@dataclass
class Books:
    """One partner's system: what its members have, and what it did under which reference."""

    code: str
    dice: random.Random
    time: Time
    capabilities: Capabilities
    saw: Callable[[str], None]
    tell: Callable[["Books", Message], None]
    members: dict[str, int]
    kept: dict[str, Kept] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    net: int = 0  # of points: what it gave, less what it took
    undone: Counter[str] = field(default_factory=Counter)  # by the reference of what was done before
    over: set[str] = field(default_factory=set)  # references of holds that have ended by themselves
    muted: set[str] = field(default_factory=set)
    down_until: datetime | None = None
    peace: bool = False

    @classmethod
    def drawn(cls, code: str, dice: random.Random, time: Time, saw: Any, tell: Any) -> "Books":
        """A partner of some kind."""
        idempotent, status = dice.choice([(True, True), (True, True), (False, True), (True, False), (False, False)])
        operations = {Operation.DEBIT, Operation.CREDIT, Operation.REVERSE}
        if dice.random() < 0.2:
            operations.remove(Operation.REVERSE)
        if dice.random() < 0.5:
            operations |= HOLDING
        partial = operations & {Operation.REVERSE} if dice.random() < 0.5 else set()
        more = (Echo.REFERENCE, Echo.AMOUNT), (), (Echo.REFERENCE, Echo.AMOUNT, Echo.UNIT, Echo.PARTNER_REFERENCE)
        capabilities = Capabilities(
            operations=frozenset(operations),
            partial=frozenset(partial),
            unit=_UNITS[code],
            status=status,
            idempotent=idempotent,
            settling=dice.choice([Settling.REAL_TIME, Settling.REAL_TIME, Settling.NIGHTLY]),
            echoes=frozenset(dice.choice(more)),
            absent_after_s=dice.choice([0, 0, 6]),
            answers_within_s=ANSWERS_WITHIN_S,
        )
        saw(f"idempotent {idempotent}, asked {status}")
        return cls(code, dice, time, capabilities, saw, tell, dict.fromkeys(MEMBERS, 3000))

    # --- doing --------------------------------------------------------------------------------------------------------

    def take(self, order: Order, late: float = 0) -> Kept:
        """Do what an order asks, as often as it comes unless a reference is done once; ``late``: seconds
        after it was sent."""
        known = self.kept.get(order.reference)
        if known is not None and self.capabilities.idempotent:
            self.saw("sent again, done once")
            return known
        dice, now = self.dice, self.time.now()
        outcome = Status.SUCCEEDED if self._does(order) and self._can(order) else Status.REFUSED
        refuses = 0.5 if order.operation is Operation.RELEASE else 0.15  # hardly any release comes before the peace
        if not self.peace and dice.random() < refuses:
            outcome = Status.REFUSED
            if order.operation in HOLDING and order.of is not None and dice.random() < 0.7:
                self.end_hold(order.of)
        later = 0.0
        if not self.peace and dice.random() < (0.7 if self._is_nightly else 0.15):
            later = dice.uniform(0.1, 20)
            self.saw("pending")
        kept = Kept(order, outcome, now - timedelta(seconds=late), now + timedelta(seconds=later))
        kept.mute = order.reference in self.muted
        self.kept[order.reference] = kept
        if outcome is Status.SUCCEEDED:
            self._execute(order)
        self.saw(f"{order.operation} {outcome}")
        if later or dice.random() < 0.3:
            for _ in range(dice.choice([0, 1, 1, 2, 3])):
                asyncio.get_running_loop().call_later(later + dice.uniform(0, 15), self._call_back, order.reference)
        return kept

    @property
    def _is_nightly(self) -> bool:
        return self.capabilities.settling is Settling.NIGHTLY

    def _does(self, order: Order) -> bool:
        if order.operation not in self.capabilities.operations:
            raise AssertionError(f"asked for {order.operation}, which it does not do")
        return True

    def _can(self, order: Order) -> bool:
        match order.operation:
            case Operation.DEBIT | Operation.HOLD:
                return self.members.get(order.member, 0) >= order.amount
            case Operation.CAPTURE | Operation.RELEASE:
                return self._holds(order.of or "")
            case Operation.REVERSE:
                of = self.kept.get(order.of or "")
                if of is None or of.outcome is not Status.SUCCEEDED:
                    return False
                left = of.order.amount - self.undone[of.order.reference]
                fits = order.amount <= left if self._does_parts else order.amount == left == of.order.amount
                has = self.members.get(order.member, 0) >= order.amount
                return fits and (has or of.order.operation is Operation.DEBIT)
            case _:
                return order.member in self.members

    @property
    def _does_parts(self) -> bool:
        return Operation.REVERSE in self.capabilities.partial

    def _holds(self, reference: str) -> bool:
        of = self.kept.get(reference)
        held = of is not None and of.outcome is Status.SUCCEEDED and of.order.operation is Operation.HOLD
        return held and reference not in self.over and not self.undone[reference]

    def end_hold(self, reference: str) -> None:
        """End a hold by itself: what it held can be spent again."""
        if self._holds(reference):
            self.over.add(reference)
            of = self.kept[reference].order
            self.members[of.member] += of.amount

    def _execute(self, order: Order) -> None:
        if order.operation in HOLDING:
            self._hold(order)
            return
        takes = order.operation is Operation.DEBIT
        if order.operation is Operation.REVERSE:
            of = self.kept[order.of or ""].order
            takes = of.operation is Operation.CREDIT
            self.undone[of.reference] += order.amount
        moved = -order.amount if takes else order.amount
        self.done[order.reference] += 1
        self.members[order.member] += moved
        self.net += moved

    def _hold(self, order: Order) -> None:
        """Points that are held are gone for the member, and still count for the partner until they are captured."""
        self.done[order.reference] += 1
        if order.operation is Operation.HOLD:
            self.members[order.member] -= order.amount
        elif order.operation is Operation.CAPTURE:
            self.undone[order.of or ""] += order.amount
            self.net -= order.amount
        elif self._holds(order.of or ""):
            self.undone[order.of or ""] += order.amount
            self.members[order.member] += order.amount

    def by_hand(self, order: Order) -> None:
        """What its people do in the end, if the order was not done."""
        if not self.done[order.reference]:
            self._execute(order)

    def _call_back(self, reference: str) -> None:
        kept = self.kept[reference]
        if not kept.mute:
            said = kept.status(self.time.now())
            self.tell(self, Message("POST", "/", (("proof", self.code),), f"{reference} {said}".encode()))

    # --- telling ------------------------------------------------------------------------------------------------------

    def answer(self, kept: Kept) -> Answer:
        """The truth, as it stands."""
        status, order = kept.status(self.time.now()), kept.order
        reason = Reason.OTHER if status is Status.REFUSED else None
        if reason and order.of in self.over:
            reason = Reason.EXCEEDS_ORIGINAL
        return Answer(
            status=status,
            reference=order.reference,
            partner_reference=f"{self.code}-{order.reference}",
            amount=order.amount,
            unit=self.capabilities.unit,
            reason=reason,
            code=self.dice.choice([None, "E-7"]) if reason else None,
        )

    def twisted(self, answer: Answer) -> Answer:
        """An answer that contradicts its order, or lacks what is always said."""
        what = self.dice.choice(["amount", "unit", "reference", "reason", "time"])
        self.saw(f"wrong {what}")
        long_ago = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
        change: dict[str, dict[str, Any]] = {
            "amount": {"amount": (answer.amount or 0) + 1},
            "unit": {"unit": "PEBBLES"},
            "reference": {"reference": "PH-1-D"},
            "reason": {"status": Status.REFUSED, "reason": None},
            "time": {"at": long_ago},
        }
        return msgspec.structs.replace(answer, **change[what])


class Line:
    """A partner as one process has it connected."""

    def __init__(self, books: Books, point: Callable[[str], Awaitable[None]]) -> None:
        self._books = books
        self._point = point
        self.capabilities = books.capabilities

    async def perform(self, order: Order) -> Answer:
        books, dice = self._books, self._books.dice
        await self._point("before sending")
        if books.peace:
            return books.answer(books.take(order))
        draw = dice.random()
        if order.reference not in books.kept and draw < 0.03:
            books.muted.add(order.reference)  # nobody will ever be told what becomes of it
            books.saw("mute")
        if order.reference in books.muted:
            if dice.random() < 0.5:
                books.take(order)
            return Answer(status=Status.UNKNOWN)
        if draw < 0.10:
            books.saw("busy")
            return Answer(status=Status.ABSENT)
        if draw < 0.16:
            books.saw("error, not done")
            return Answer(status=Status.UNKNOWN)
        if draw < 0.22 and self.capabilities.absent_after_s:
            books.saw("arrives late")
            late = dice.uniform(0, self.capabilities.absent_after_s - 0.5)
            asyncio.get_running_loop().call_later(late, books.take, order, late)
            return Answer(status=Status.UNKNOWN)
        answer = books.answer(books.take(order))
        await self._point("after sending")
        return await self._told(answer)

    async def status(self, order: Order) -> Answer:
        books, dice = self._books, self._books.dice
        await self._point("before asking")
        kept, now = books.kept.get(order.reference), books.time.now()
        if order.reference in books.muted:
            return Answer(status=Status.UNKNOWN)
        if kept is None:
            if not books.peace and dice.random() < 0.2:
                return Answer(status=Status.UNKNOWN)
            books.saw("absent")
            return Answer(status=Status.ABSENT)
        if books.peace:
            return books.answer(kept)
        if now < kept.sent_at + timedelta(seconds=self.capabilities.absent_after_s) and dice.random() < 0.3:
            books.saw("absent, though it has it")
            return Answer(status=Status.ABSENT)
        return await self._told(books.answer(kept))

    async def _told(self, answer: Answer) -> Answer:
        """An answer on its way: it may be twisted, be lost, come too late, or come with a halt."""
        books, draw = self._books, self._books.dice.random()
        if draw < 0.10:
            books.saw("answer lost")
            return Answer(status=Status.UNKNOWN)
        if draw < 0.18:
            books.saw("answer late")
            await asyncio.sleep(ANSWERS_WITHIN_S * books.dice.uniform(0.5, 2))
        elif draw < 0.26:
            return books.twisted(answer)
        elif draw < 0.30:
            books.saw("adapter fails")
            raise ValueError("of an adapter")
        elif draw < 0.32:
            books.saw("halts")
            return msgspec.structs.replace(answer, halts=True)
        return answer

    def understand(self, message: Message, now: datetime) -> tuple[str, Answer]:
        if message.headers != (("proof", self._books.code),):
            raise NotProven
        reference, _, status = message.body.decode().partition(" ")
        answer = self._books.answer(self._books.kept[reference])
        reason = Reason.OTHER if status == Status.REFUSED else None
        return reference, msgspec.structs.replace(answer, status=Status(status), reason=reason)

    async def lookup(self, fields: Any) -> None:
        raise PartnerUnavailable

    def journal(self, day: Any) -> Any:
        raise PartnerUnavailable

    async def close(self) -> None: ...
