"""Waiting: the commands that the next batch will take, in the order in which they came.

All that can be found out of them before the journal's lock is held is found while they wait: their digests, and what
they need.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from hub.configuration import Configuration
from hub.errors import Fault
from hub.ledger.commands import Command, Keyed
from hub.ledger.decide import Outcome
from hub.ledger.memory import Memory
from hub.ledger.needs import Needs

Answer = Outcome | Fault


def result(answer: Answer) -> Any:
    """The result of a command.

    Raises:
        Refusal, Fault: it has none.
    """
    if isinstance(answer, Fault):
        raise answer
    if answer.refusal is not None:
        raise answer.refusal
    return answer.result


class Ticket:
    """One caller's commands, in order, and the answers so far."""

    __slots__ = ("answers", "commands", "digests", "done", "left", "next")

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands
        self.digests = [command.digest() if isinstance(command, Keyed) else None for command in commands]
        self.answers: list[Answer | None] = [None] * len(commands)
        self.next = 0
        self.left = len(commands)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(self, place: int, answer: Answer) -> None:
        """Give the caller the answer to one command; the last one ends its waiting."""
        self.answers[place] = answer
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)


Item = tuple[Ticket, int]


class Waiting:
    """One process's queue. ``commands``: how many wait."""

    def __init__(self, batch_max: int, memory: Memory) -> None:
        self.commands = 0
        self._tickets: deque[Ticket] = deque()
        self._batch_max = batch_max
        self._memory = memory
        self._forget()

    def _forget(self) -> None:
        # Of the next batch's commands, as far as they are foreseen.
        self._needs, self._foreseen = Needs(Configuration(), self._memory), 0

    def put(self, ticket: Ticket) -> None:
        """Let a caller's commands wait."""
        self._tickets.append(ticket)
        self.commands += len(ticket.commands)

    def foresee(self, configuration: Configuration) -> None:
        """Find what the next batch needs by ``configuration``, as far as its commands have come."""
        if self._needs.configuration is not configuration:
            self._needs, self._foreseen = Needs(configuration, self._memory), 0
        ahead = chain.from_iterable(islice(ticket.commands, ticket.next, None) for ticket in self._tickets)
        try:
            for command in islice(ahead, self._foreseen, self._batch_max):
                self._needs.add(command)
                self._foreseen += 1
        except Exception:  # the batch meets it again, and answers for the command
            self._forget()

    def drain(self, into: list[Item]) -> tuple[Needs, int]:
        """Move a batch of commands into the empty list ``into``, a caller's in their order; answers what the first so
        many of them need, by the configuration that it was foreseen for."""
        foreseen = self._needs, self._foreseen
        self._forget()
        while self._tickets and len(into) < self._batch_max:
            ticket = self._tickets[0]
            end = min(len(ticket.commands), ticket.next + self._batch_max - len(into))
            into.extend((ticket, place) for place in range(ticket.next, end))
            self.commands -= end - ticket.next
            ticket.next = end
            if end == len(ticket.commands):
                self._tickets.popleft()
        return foreseen
