"""Every step of an exchange, every fault at it, and the process gone at every place of it; see
``tests/exchange/matrix.py``.

``python -m tests.exchange --matrix ONE_PLACE`` goes on to partners of every kind, EVERY_STATE to all there is.
"""

import gc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub import calls, exchange
from hub.audit import exchanges as auditing
from hub.exchange import Exchange
from hub.ledger import commands, decide, orders
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.exchanges import answers, deals
from hub.ledger.orders import UNDER_WAY, ExchangeState, exchange_of
from hub.ledger.records import MovementKind
from hub.partners import ANSWER_S_MAX, Judged, Operation, Status
from tests.exchange import doubles, matrix
from tests.exchange.course import WAYS, Cell, Place, Wrong, accepted, play
from tests.exchange.doubles import Calls
from tests.exchange.matrix import Depth
from tests.exchange.scripted import FAULTS, PARTNERS, ScriptedLine, faults_of
from tests.simulation.doors import Death

LONGEST = ("from a partner to another", "from a partner that holds to another", "reversed")
HOLDING_WAY = LONGEST[1]
FIRST_WAY, FIRST_PARTNER = next(iter(WAYS)), next(iter(PARTNERS))


EACH_TIME = "asked, and does a reference each time"  # where it matters most who is at a call


def go_through(met: matrix.Met) -> None:
    """Every place of the longest ways over partners of the first kind, one of the others and where leases matter."""
    for way in WAYS:
        matrix.explore(way, FIRST_PARTNER, Depth.EVERY_PLACE if way in LONGEST else Depth.ONE_PLACE, met)
    matrix.explore(FIRST_WAY, EACH_TIME, Depth.ONE_PLACE, met)


@pytest.mark.long
def test_wherever_a_process_is_gone_and_whatever_partners_do_points_are_there_once(
    record_property: Callable[[str, object], None],
) -> None:
    met = matrix.Met()
    gc.freeze()  # what is there by now stays
    go_through(met)
    gc.unfreeze()
    record_property("told", f"{met.total} courses of the matrix: {dict(met.courses)}")
    check_complete(met)


def check_complete(met: matrix.Met) -> None:
    """Nothing that exchanges do, partners answer or a course can come to was left out."""
    assert met.states == set(ExchangeState)
    assert met.told == set(Status)
    assert met.movements >= auditing.WAYS | {MovementKind.CONVERT}
    assert {step.state for step in met.steps} == UNDER_WAY
    assert {step.operation for step in met.steps} == set(Operation)
    assert {step._replace(asked=True) for step in met.steps} <= met.steps, "what is sent is asked for as well"
    expected = {
        (step, fault, place)
        for step in met.steps
        for fault in faults_of(step)
        for place in Place
        if not (place is Place.BEFORE_INTENT and (step.asked or step not in met.following))
        if not (place is Place.BEFORE_RESULT and FAULTS[fault].down_s)  # it may never be called
    }
    assert met.gone >= expected, expected - met.gone


def test_who_dies_while_an_act_is_accepted_has_accepted_it_once_or_not_at_all() -> None:
    for way in WAYS:
        for death in Death:
            play(Cell(way, FIRST_PARTNER, death=death))


# --- planted bugs, each to be found -----------------------------------------------------------------------------------


def answer(guarded: bool) -> Callable[[Book, commands.ReportOrder], Draft]:
    """Takes an answer in without looking to what; ``guarded``: if there is anything to be answered."""

    def report(book: Book, command: commands.ReportOrder) -> Draft:
        draft = Draft(book)
        draft.result = exchange = book.exchanges.get(exchange_of(command.reference) or 0)
        if exchange is not None and (exchange.order is not None or not guarded):
            answers.take(draft, exchange, command)
        return draft

    return report


def ended_by_a_guess(draft: Draft, at: Any, said: commands.ReportOrder, *, in_doubt: bool) -> None:
    """Takes what nobody knows for refused."""
    answers._refused(draft, at, said)


def given_back_without_asking(draft: Draft, at: Any, said: commands.ReportOrder, of: Any = answers._refused) -> None:
    """Takes a refund that is refused for done."""
    (answers._succeeded if at.state is ExchangeState.REFUNDING else of)(draft, at, said)


def taken_without_capturing(draft: Draft, at: Any, said: commands.ReportOrder, of: Any = answers._refused) -> None:
    """Takes a capture that is refused for done."""
    (answers._succeeded if at.state is ExchangeState.CAPTURING else of)(draft, at, said)


def posted_twice(self: Draft, *arguments: Any, of: Any = Draft.money) -> None:
    """Posts money twice."""
    of(self, *arguments)
    of(self, *arguments)


async def reported_twice(self: Exchange, call: Any, said: Any, of: Any = Exchange._report) -> Any:
    """Commits what a partner answered twice."""
    await of(self, call, said)
    return await of(self, call, said)


def take_anything(self: Calls, *parameters: Any, of: Any = Calls.take) -> Any:
    """Takes calls that others are at."""
    for row in list(self._free([])):
        self._change(row["reference"], leased_until=None)
    return of(self, *parameters)


def forgotten(row: Any, of: Any = calls._call) -> Any:
    """Does not know that an order may have been sent."""
    return msgspec.structs.replace(of(row), sent_at=None)


def impatient(self: ScriptedLine, *arguments: Any, of: Any = ScriptedLine.__init__) -> None:
    """Believes at once that a partner does not know an order."""
    of(self, *arguments)
    self.capabilities = msgspec.structs.replace(self.capabilities, absent_after_s=0)


def count_each_time(patch: pytest.MonkeyPatch, *, guarded: bool) -> None:
    handlers: dict[Any, Any] = decide.HANDLERS
    patch.setitem(handlers, commands.ReportOrder, answer(guarded))


def commit_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Exchange, "_report", reported_twice)
    count_each_time(patch, guarded=True)


HOLDS = "holds, is asked, and does a reference once"
# Each with the kind of partners, and the fault, where it shows; courses without a fault are gone through as well.
MUTANTS: dict[str, tuple[str, str, Callable[[pytest.MonkeyPatch], None]]] = {
    "whose lease is over sends": (
        EACH_TIME, "nothing", lambda m: m.setattr(exchange, "_left", lambda _: ANSWER_S_MAX),
    ),
    "leases are ignored": (EACH_TIME, "nothing", lambda m: m.setitem(doubles._DOUBLES, calls._TAKE, take_anything)),
    "what is sent was not written down": (EACH_TIME, "nothing", lambda m: m.setattr(calls, "_call", forgotten)),
    "who does not know an order yet is believed": (
        EACH_TIME, "arrives late", lambda m: m.setattr(ScriptedLine, "__init__", impatient),
    ),
    "a late answer is taken for the next order's": (
        FIRST_PARTNER, "pending, then done", lambda m: count_each_time(m, guarded=True),
    ),
    "an answer counts each time it comes": (
        FIRST_PARTNER, "refused, and the answer is lost", lambda m: count_each_time(m, guarded=False),
    ),
    "a result is committed twice": (FIRST_PARTNER, "nothing", commit_twice),
    "unknown is refunded": (
        FIRST_PARTNER,
        "an error, though it was done",
        lambda m: m.setattr(answers, "_doubt", ended_by_a_guess),
    ),
    "a refused refund counts as done": (
        FIRST_PARTNER, "refused", lambda m: m.setattr(answers, "_refused", given_back_without_asking),
    ),
    "a refused capture counts as done": (
        HOLDS, "refused", lambda m: m.setattr(answers, "_refused", taken_without_capturing),
    ),
    "what is held is freed, whatever becomes of the credit": (
        HOLDS, "an error, though it was done", lambda m: m.setattr(answers, "_doubt", ended_by_a_guess),
    ),
    "what is held is never captured": (
        HOLDS, "nothing", lambda m: m.setattr(orders.Exchange, "is_held", property(lambda _: False)),
    ),
    "money is posted twice": (FIRST_PARTNER, "nothing", lambda m: m.setattr(Draft, "money", posted_twice)),
    "money stays pending": (
        FIRST_PARTNER, "nothing", lambda m: m.setattr(deals, "unposted", lambda *_: None),
    ),
    "a wrong amount is believed": (
        FIRST_PARTNER,
        "wrong amount, and it was not done",
        lambda m: m.setattr(exchange, "judge", lambda order, answer, *_: Judged(answer)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    partner, fault, plant = MUTANTS[bug]
    way, partner = (HOLDING_WAY, FIRST_PARTNER) if partner == HOLDS else (FIRST_WAY, partner)
    accepted(way)  # before there is a bug
    plant(monkeypatch)
    with pytest.raises(Wrong, match=way):
        matrix.explore(way, partner, Depth.EVERY_STATE, matrix.Met(), (fault,))
