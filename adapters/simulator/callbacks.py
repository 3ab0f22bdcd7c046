"""Callbacks: what is to be told of orders that were pending, when, and how that went."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from adapters.simulator.books import Books, instant
from adapters.simulator.orders import Order
from adapters.simulator.rules import Programme
from adapters.simulator.script import Behaviour, Play

CALLBACK_TRIES_MAX = 8


class Callback(msgspec.Struct, frozen=True):
    """An order's state that is to be told."""

    id: int
    reference: str
    body: bytes
    tries: int


class Callbacks:
    """The callbacks in the books of one programme."""

    def __init__(self, books: Books, programme: Programme) -> None:
        self._books = books
        self._programme = programme

    def due(self) -> Sequence[Callback]:
        """What is to be told now, the earliest first."""
        rows = self._books.all(
            "SELECT id, reference, body, tries FROM callback WHERE due_at <= ? ORDER BY due_at, id LIMIT 20",
            instant(self._books.clock()),
        )
        return [Callback(**dict(row)) for row in rows]

    def next_due(self) -> datetime | None:
        """When the next callback is to be sent."""
        row = self._books.one("SELECT min(due_at) AS at FROM callback WHERE due_at IS NOT NULL")
        return None if row is None or row["at"] is None else datetime.fromisoformat(row["at"])

    def told(self, callback: Callback, outcome: str, *, accepted: bool) -> None:
        """Note how a callback went: what was not accepted is tried again, ever later, CALLBACK_TRIES_MAX times."""
        with self._books.transaction() as now:
            tries = callback.tries + 1
            over = accepted or tries >= CALLBACK_TRIES_MAX
            self._books.execute(
                "UPDATE callback SET tries = ?, outcome = ?, due_at = ? WHERE id = ?",
                (tries, outcome, None if over else instant(now + timedelta(seconds=2**tries)), callback.id),
            )
            if over and not accepted:
                self._books.note(now, "CALLBACK", callback.reference, f"{outcome}; it was given up.")

    def tell(self, before: Order, after: Order, play: Play | None, now: datetime) -> None:
        """Tell what became of an order, as the script has it, within a transaction."""
        behaviour = None if play is None else play.behaviour
        late = timedelta(milliseconds=self._programme.late_ms if behaviour is Behaviour.LATE_CALLBACK else 0)
        told = [(after, now + late)]
        if behaviour is Behaviour.DUPLICATE_CALLBACK:
            told.append((after, now))
        if behaviour is Behaviour.REORDERED_CALLBACK:
            told.append((before, now + timedelta(milliseconds=1)))
        for order, due in told:
            body = msgspec.json.encode(order.body(self._programme.unit))
            self._books.execute(
                "INSERT INTO callback (reference, body, due_at) VALUES (?, ?, ?)", (order.reference, body, instant(due))
            )
