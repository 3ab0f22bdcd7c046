"""How long the exchange waits: pauses grow and are left to chance, a failing partner is left alone, and whatever
a partner fails to do, the first leg of an exchange is not held for ever. Time is the test's own."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import exchange, ids
from hub.currencies import PartnerState
from hub.exchange import Patience
from hub.ledger.commands import Party
from hub.ledger.journal import JOURNAL_ID
from hub.partners import Answer, Message, Operation, Order, PartnerUnavailable, Status
from tests.exchange import seeds
from tests.exchange.played import ANSWERS_WITHIN_S, MEMBERS, Books, Line
from tests.exchange.scripted import PARTNERS
from tests.exchange.seeds import PATIENCE, History, Process
from tests.exchange.virtual import Loop, Time, run
from tests.exchange.world import eventually
from tests.hub.ledger.test_exchanges import conversion
from tests.properties.world import START

GIVE_UP_S, REST_S = PATIENCE.give_up.total_seconds(), PATIENCE.rest.total_seconds()
# At most so long after it could go on, an order goes on: a pause, a rest, another's lease, an answer, an idle look.
SLACK_S = (
    PATIENCE.retry_max.total_seconds() + REST_S + PATIENCE.lease.total_seconds() + ANSWERS_WITHIN_S + exchange.IDLE_S
)
SEEDS = range(4)
HOMES = {"BP": "BANK", "MILE": "AIR", "STAY": "HOTEL"}

# --- one pause --------------------------------------------------------------------------------------------------------

spans = st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1))


@given(spans, spans, st.integers(1, 10**9), st.integers())
def test_a_pause_is_between_half_and_all_of_what_doubles_up_to_the_longest(
    retry: timedelta, longest: timedelta, attempt: int, seed: int
) -> None:
    whole = min(retry.total_seconds() * 2 ** min(attempt - 1, 40), longest.total_seconds())
    if attempt > 21:  # it has long been the longest, or is over 291 hours
        whole = min(whole, (retry * 2**20).total_seconds())
    pause = Patience(retry=retry, retry_max=longest).pause(attempt, random.Random(seed)).total_seconds()
    assert 0.499999 * whole - 1e-6 <= pause <= whole + 1e-6


def test_what_failed_together_does_not_come_back_together() -> None:
    dice = random.Random(0)
    pauses = {Patience().pause(5, dice) for _ in range(100)}
    assert len(pauses) == 100


# --- a partner that fails ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Called:
    at: datetime
    reference: str


class Failing(Line):
    """A partner in trouble, as one process has it connected."""

    def __init__(self, books: Books, point: Callable[[str], Awaitable[None]], outage: "Outage") -> None:
        super().__init__(books, point)
        self._outage = outage

    async def perform(self, order: Order) -> Answer:
        return await self._outage.answer(order) or await super().perform(order)

    async def status(self, order: Order) -> Answer:
        return await self._outage.answer(order) or await super().status(order)

    def understand(self, message: Message, now: datetime) -> tuple[str, Answer]:
        return message.body.decode(), Answer(status=Status.UNKNOWN)


class Calling(Process):
    """A process one of whose partners is in trouble."""

    history: "Outage"

    async def partner(self, currency: str, name: str, sealed: str, /) -> Any:
        books, history = self.history.books[currency], self.history
        if currency != history.of or not history.lasts:
            return Line(books, self.point)
        if history.trouble == "down":
            history.called.append(Called(history.time.now(), ""))
            raise PartnerUnavailable("down")
        return Failing(books, self.point, history)


class Outage(History):
    """Exchanges while the partner that keeps ``of`` is in trouble: ``down``, ``busy``, or ``silent``, so that nobody
    knows what it did, maybe only ``at first``; ``halted`` is for the operator to set. ``stumbling``: each order is lost
    once, and what comes again first hangs. A process is killed meanwhile."""

    def __init__(self, seed: int, trouble: str, loop: Loop, time: Time) -> None:
        world = seeds.founded()
        super().__init__(seed, loop, world.database.copy(), world.hub, time)
        self.trouble, self.of, self.lasts, self.peace = trouble, "STAY", trouble != "halted", True
        self.only: Operation | None = None  # it is in trouble with
        self.called: list[Called] = []
        self.begun_at = time.now()
        for books in self.books.values():
            books.peace = True
            books.capabilities = PARTNERS["asked, and does a reference once"]

    def begin(self) -> None:
        self.processes.append(Calling(self, self.calls()))

    async def answer(self, order: Order) -> Answer | None:
        """What it says in its trouble."""
        if not self.lasts or self.only not in (None, order.operation):
            return None
        self.called.append(Called(self.time.now(), order.reference))
        if self.trouble == "stumbling":
            times = Counter(one.reference for one in self.called)
            if times[order.reference] == 1:
                return Answer(status=Status.UNKNOWN)
            if max(times.values()) > 2 or times.total() > len(times) + 1:
                return None
        first = self.time.now() < self.begun_at + timedelta(seconds=5)
        if self.trouble == "busy" or (self.trouble == "silent at first" and not first):
            return Answer(status=Status.ABSENT)
        await asyncio.sleep(2 * ANSWERS_WITHIN_S)
        return Answer(status=Status.UNKNOWN)

    async def begun(self, pair: str = "MILE>STAY", count: int = 6, amount: str = "50") -> None:
        """Conversions that are accepted at once."""
        source, target = (Party(HOMES[code], MEMBERS[0]) for code in pair.split(">"))
        for _ in range(count):
            self.keys += 1
            await self.operator.do(conversion(self.operator, source, target, pair, amount, key=f"c{self.keys}"))
        self.committed()

    async def suffer(self, seconds: float) -> None:
        """Time passes; one who is at calls is killed, and another comes."""
        dies = self.dice.uniform(0, seconds / 2)
        await asyncio.sleep(dies)
        self.processes[0].is_dead = True
        self.begin()
        await asyncio.sleep(seconds - dies)

    def at(self, id: int) -> datetime:
        """When something with this identifier was written down."""
        found: datetime = self.memory.rows["journal_entry"][JOURNAL_ID, ids.batch_of(id)]["at"]
        return found

    def seconds(self) -> list[tuple[str, float]]:
        """How each exchange stands, and how many seconds after its credit was asked for it came to that."""
        rows, found = self.memory.rows, []
        for row in rows["exchange"].values():
            orders = [one["id"] for one in rows["partner_order"].values() if one["exchange_id"] == row["id"]]
            steps = [one["id"] for one in rows["exchange_step"].values() if one["exchange_id"] == row["id"]]
            credit = sorted(orders)[1]
            state = "IN_DOUBT" if row["in_doubt"] else row["state"]
            found.append((state, (self.at(max(steps)) - self.at(credit)).total_seconds()))
        return found


def during(trouble: str, seed: int, course: Callable[[Outage], Awaitable[None]]) -> Outage:
    """A course of events with trouble."""
    loop = Loop()
    time = Time(loop, START + timedelta(days=1))
    outage = Outage(seed, trouble, loop, time)

    async def whole() -> None:
        outage.begin()
        outage.begin()
        await course(outage)
        outage.check()
        for process in outage.alive():
            await process.exchange.close()

    with seeds.timed(time):
        run(loop, whole())
    return outage


@pytest.mark.parametrize("trouble", ["down", "busy", "silent at first", "halted"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_leg_is_given_back_when_the_second_is_given_up(trouble: str, seed: int) -> None:
    async def course(outage: Outage) -> None:
        await outage.begun()
        if trouble == "halted":
            await outage._set("STAY", PartnerState.HALTED)
        await outage.suffer(GIVE_UP_S + 2 * SLACK_S)

    outage = during(trouble, seed, course)
    ended = outage.seconds()
    assert [state for state, _ in ended] == ["REVERSED"] * 6
    assert all(GIVE_UP_S <= seconds <= GIVE_UP_S + SLACK_S for _, seconds in ended), ended
    assert outage.books["MILE"].net == 0
    assert not outage.books["STAY"].kept, "nothing is asked of who is halted"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_partner_that_tells_something_is_asked_at_once(seed: int) -> None:
    async def course(outage: Outage) -> None:
        async def sixth() -> Called | None:
            return outage.called[5] if len(outage.called) == 6 else None

        await outage.begun(count=1)
        await eventually(sixth)
        await asyncio.sleep(0.5)
        process = outage.processes[0]
        of = process.configuration.currency("STAY")
        told = Message("POST", "/", (), outage.called[-1].reference.encode())
        await process.exchange.heard(of, told)
        await asyncio.sleep(0.5)
        assert len(outage.called) == 7, "the pause that is cut short is of 3.2 seconds at least"

    during("busy", seed, course)


@pytest.mark.parametrize("trouble", ["down", "busy", "silent"])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_exchange_goes_on_soon_after_its_partner_does(trouble: str, seed: int) -> None:
    outages_s = random.Random(seed).uniform(1, GIVE_UP_S - SLACK_S)

    async def course(outage: Outage) -> None:
        await outage.begun()
        await outage.suffer(outages_s)
        outage.lasts = False
        await asyncio.sleep(SLACK_S)

    ended = during(trouble, seed, course).seconds()
    assert [state for state, _ in ended] == ["COMPLETED"] * 6


@pytest.mark.parametrize("seed", SEEDS)
def test_what_nobody_knows_is_a_case_and_is_asked_for_as_long_as_nobody_does(seed: int) -> None:
    async def course(outage: Outage) -> None:
        await outage.begun(count=1)
        await outage.suffer(20 * GIVE_UP_S)

    outage = during("silent", seed, course)
    [(state, seconds)] = outage.seconds()
    assert state == "IN_DOUBT"
    assert seconds <= SLACK_S
    assert outage.books["MILE"].net == -50  # nothing is refunded on a guess
    times = [one.at for one in outage.called]
    assert max(later - at for at, later in pairwise(times)) <= timedelta(seconds=SLACK_S)
    assert outage.time.now() - times[-1] <= timedelta(seconds=SLACK_S)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_refund_that_its_partner_does_not_take_is_a_case_and_is_tried_on(seed: int) -> None:
    async def course(outage: Outage) -> None:
        outage.of, outage.only = "MILE", Operation.REVERSE
        outage.books["STAY"].members.clear()  # so that it refuses
        await outage.begun(count=1)
        await outage.suffer(GIVE_UP_S + SLACK_S)
        assert [row["in_doubt"] for row in outage.memory.rows["exchange"].values()] == [True]
        assert outage.books["MILE"].net == -50
        outage.check()
        outage.lasts = False
        await asyncio.sleep(SLACK_S)

    outage = during("busy", seed, course)
    assert [state for state, _ in outage.seconds()] == ["REVERSED"]
    assert outage.books["MILE"].net == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_partner_that_fails_is_left_alone_but_for_one_look_at_a_time(seed: int) -> None:
    async def course(outage: Outage) -> None:
        await outage.begun(count=20)
        await asyncio.sleep(GIVE_UP_S - 1)

    outage = during("busy", seed, course)
    middle = outage.called[0].at + timedelta(seconds=GIVE_UP_S / 2)
    late = [one for one in outage.called if one.at > middle]
    # Two processes, each with one look after each rest; without a breaker it would be twenty orders in 8 s or less.
    assert 0 < len(late) <= 2 * (GIVE_UP_S / 2 / REST_S + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_call_that_hangs_does_not_make_those_that_are_due_next_wait(seed: int) -> None:
    async def course(outage: Outage) -> None:
        outage.processes[1].is_dead = True
        books = outage.books["STAY"]
        books.capabilities = msgspec.structs.replace(books.capabilities, absent_after_s=0)
        await outage.begun(count=4)
        await asyncio.sleep(2)
        states = Counter(row["state"] for row in outage.memory.rows["exchange"].values())
        assert states == {"CREDITING": 1, "COMPLETED": 3}

    during("stumbling", seed, course)


def test_a_partner_that_hangs_holds_up_nobody_else() -> None:
    async def course(outage: Outage) -> None:
        many = 2 * exchange.CALLS_AT_ONCE  # for two processes
        await outage.begun(count=many, amount="10")
        await asyncio.sleep(1)
        await outage.begun("BP>MILE", count=6)
        await asyncio.sleep(1)
        states = Counter(row["state"] for row in outage.memory.rows["exchange"].values())
        assert states == {"CREDITING": many, "COMPLETED": 6}

    during("silent", 0, course)
