"""Exchanges in hundreds of courses of events; see ``tests/exchange/seeds.py``.

EXCHANGE_SEEDS says how many there are; ``python -m tests.exchange SEED`` repeats one.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub import exchange
from hub.exchange import Exchange
from hub.ledger import commands, decide, exchanges
from hub.ledger.book import Book, Original
from hub.ledger.draft import Draft
from hub.ledger.exchanges import answers
from hub.ledger.orders import ExchangeState, exchange_of
from tests.exchange import seeds

SEEDS = int(os.environ.get("EXCHANGE_SEEDS", "200"))
MUTANT_SEEDS = 400  # in which a planted bug is to be found; the rarest shows in one of some 140

# What the seeds are for, and what they must have met therefore.
WANTED = {
    *("COMPLETED", "REFUSED", "REVERSED", "IN_DOUBT", "asked MILE>STAY", "asked BP>MILE", "asked MILE>BP"),
    *("asked Redeem", "asked Transfer", "asked Issue", "asked Reverse", "REVERSAL_PENDING", "EXCEEDS_ORIGINAL"),
    *("REVERSE SUCCEEDED", "REVERSE REFUSED", "stopped before reporting"),
    *(f"{operation} {status}" for operation in ("HOLD", "CAPTURE", "RELEASE") for status in ("SUCCEEDED", "REFUSED")),
    *("pending", "busy", "absent", "error, not done", "answer lost", "answer late", "arrives late", "adapter fails"),
    *("wrong amount", "wrong unit", "wrong reference", "wrong reason", "wrong time", "halts", "down", "mute"),
    *("absent, though it has it", "sent again, done once", "heard", "window closed", "ended", "LIMIT_EXCEEDED"),
    *("left in doubt", "decided DEBITING True", "decided DEBITING False", "decided CREDITING True"),
    *("killed after the database", "killed before connecting", "stopped before connecting", "killed before reporting"),
}


@pytest.mark.long
def test_no_course_of_events_loses_or_doubles_points(record_property: Callable[[str, object], None]) -> None:
    met: Counter[str] = Counter()
    for seed in range(SEEDS):
        met.update(seeds.run(seed))
    record_property("told", f"{SEEDS} courses of exchanges, {sum(met.values())} events")
    assert met.keys() >= WANTED or SEEDS < 200, WANTED - met.keys()


def test_a_seed_repeats_itself() -> None:
    first, second = seeds.play(3), seeds.play(3)
    assert first.memory.state() == second.memory.state()
    assert first.seen == second.seen


# --- planted bugs, each to be found -----------------------------------------------------------------------------------


def ended_by_a_guess(draft: Draft, at: Any, said: commands.ReportOrder, *, in_doubt: bool) -> None:
    """Takes what nobody knows for refused."""
    answers._refused(draft, at, said)


def given_back_without_asking(draft: Draft, at: Any, said: commands.ReportOrder, of: Any = answers._refused) -> None:
    """Takes a refund that is refused for done."""
    (answers._succeeded if at.state is ExchangeState.REFUNDING else of)(draft, at, said)


async def never_told(*_: Any) -> bool:
    """Loses what is reported."""
    return True


def counted_for_the_next(book: Book, said: commands.ReportOrder) -> Draft:
    """Takes an answer to an order that is over for one to the order under way."""
    exchange = book.exchanges.get(exchange_of(said.reference) or 0)
    if exchange is not None and exchange.order is not None:
        said = msgspec.structs.replace(said, reference=exchange.order.reference)
    return answers.report(book, said)


def reversed_without_asking(book: Book, original: Original) -> bool:
    """Posts a reversal whoever keeps the points."""
    return False


def given_before_it_was_taken(draft: Draft, deal: Any, at: Any, said: Any) -> None:
    """Counts what is to be given to the next partner as given."""
    done = msgspec.structs.replace(at, taken=said.reference, state=ExchangeState.CREDITING)
    answers._succeeded(draft, done, said)


def never_over(_: Any) -> float:
    """Goes on with a call for however long."""
    return 40


handlers: dict[Any, Any] = decide.HANDLERS
SLEEPY = {"a lease is ignored", "a late answer counts for the next order"}  # which take processes that are stopped
MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "unknown counts as refused": lambda m: m.setattr(answers, "_doubt", ended_by_a_guess),
    "a refused refund counts as done": lambda m: m.setattr(answers, "_refused", given_back_without_asking),
    "reports are lost": lambda m: m.setattr(Exchange, "_report", never_told),
    "a lease is ignored": lambda m: m.setattr(exchange, "_left", never_over),
    "a late answer counts for the next order": lambda m: m.setitem(
        handlers, commands.ReportOrder, counted_for_the_next
    ),
    "a reversal asks no partner": lambda m: m.setattr(exchanges, "needs_partners", reversed_without_asking),
    "the second partner is not asked": lambda m: m.setattr(answers, "_arrived", given_before_it_was_taken),
}


def run_all(count: int, *, sleepy: bool) -> None:
    for seed in range(count):
        seeds.run(seed, sleepy=sleepy)


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds.founded()  # before there is a bug
    MUTANTS[bug](monkeypatch)
    with pytest.raises(seeds.Found, match=r"tests.exchange \d+"):  # which repeats it
        run_all(MUTANT_SEEDS, sleepy=bug in SLEEPY)
