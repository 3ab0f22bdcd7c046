"""Commands are taken in the order in which they came, and what was foreseen of a batch is what its commands need."""

import pytest

from hub.configuration import Configuration
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.memory import Memory
from hub.ledger.needs import Needs
from hub.ledger.waiting import Item, Ticket, Waiting

CONFIGURATION = Configuration(institution_codes={"BANK": 1})


def transfer(giver: str) -> commands.Transfer:
    return commands.Transfer(
        actor=1,
        key=giver,
        currency="PTS",
        source=Party("BANK", giver),
        target=Party("BANK", "shop"),
        amount="1",
        memo=None,
    )


def with_waiting(*callers: str, batch_max: int = 1_000) -> Waiting:
    """Each caller's givers, a letter each."""
    waiting = Waiting(batch_max, Memory())
    for givers in callers:
        waiting.put(Ticket([transfer(giver) for giver in givers]))
    return waiting


def keys(items: list[Item]) -> str:
    return "".join(getattr(ticket.commands[place], "key", "?") for ticket, place in items)


def givers(needs: Needs) -> str:
    return "".join(sorted(reference for _, reference, _ in needs.parties if reference != "shop"))


async def test_batches_take_callers_in_order_and_split_the_one_that_does_not_fit() -> None:
    waiting = with_waiting("ab", "cde", "f", batch_max=4)
    first: list[Item] = []
    second: list[Item] = []
    waiting.drain(first)
    assert (keys(first), waiting.commands) == ("abcd", 2)
    waiting.drain(second)
    assert (keys(second), waiting.commands) == ("ef", 0)


async def test_what_has_come_is_foreseen_and_what_comes_later_is_not() -> None:
    waiting = with_waiting("ab")
    waiting.foresee(CONFIGURATION)
    waiting.put(Ticket([transfer("c")]))
    needs, foreseen = waiting.drain([])
    assert needs.configuration is CONFIGURATION
    assert (givers(needs), foreseen) == ("ab", 2)


async def test_what_comes_later_is_foreseen_once_more_is_asked() -> None:
    waiting = with_waiting("ab")
    waiting.foresee(CONFIGURATION)
    waiting.put(Ticket([transfer("c")]))
    waiting.foresee(CONFIGURATION)
    needs, foreseen = waiting.drain([])
    assert (givers(needs), foreseen) == ("abc", 3)
    assert len(needs.spends) == 3  # and nothing of it twice


async def test_no_more_is_foreseen_than_a_batch_takes_and_the_next_begins_anew() -> None:
    waiting = with_waiting("ab", "cde", batch_max=4)
    waiting.foresee(CONFIGURATION)
    assert givers(waiting.drain([])[0]) == "abcd"
    waiting.foresee(CONFIGURATION)
    needs, foreseen = waiting.drain([])
    assert (givers(needs), foreseen) == ("e", 1)


async def test_another_configuration_is_foreseen_anew() -> None:
    waiting = with_waiting("ab")
    waiting.foresee(Configuration())  # in which there is no BANK
    waiting.foresee(CONFIGURATION)
    needs, foreseen = waiting.drain([])
    assert (givers(needs), foreseen) == ("ab", 2)


async def test_a_command_that_cannot_be_foreseen_is_left_to_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_needs: Needs, _command: commands.Command) -> None:
        raise RuntimeError

    monkeypatch.setattr(Needs, "add", fail)
    waiting, items = with_waiting("ab"), list[Item]()
    waiting.foresee(CONFIGURATION)
    _, foreseen = waiting.drain(items)
    assert (keys(items), foreseen) == ("ab", 0)
