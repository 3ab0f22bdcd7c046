"""The statements of ``hub/calls.py`` on the database in memory; ``test_doubles.py`` shows that they do the same."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from hub import calls, ids
from hub.ledger.journal import JOURNAL_ID
from tests.simulation.memory import Memory, Row, Stored, picked

_NAMES = (
    "reference attempts status sent_at exchange_id operation currency customer_id amount undoes partner_undoes asked_at"
    " state in_doubt member leased_until"
)


class Calls:
    """A database, as far as calls use it, over rows in memory. Whoever is given one may pause or die at ``point``."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def point(self, name: str) -> None:
        """A place where something may happen to who asks."""

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Any]:
        await self.point("before the database")
        yield self
        await self.point("after the database")

    @property
    def sync_connection(self) -> "Calls":  # as the driver is found, in ``hub/db.py``
        return self

    @property
    def connection(self) -> "Calls":
        return self

    @property
    def driver_connection(self) -> "Calls":
        return self

    async def fetch(self, statement: str, *parameters: Any) -> list[Row]:
        found: list[Row] = _DOUBLES[statement](self, *parameters)
        return found

    async def fetchrow(self, statement: str, *parameters: Any) -> Row | None:
        return next(iter(await self.fetch(statement, *parameters)), None)

    async def fetchval(self, statement: str, *parameters: Any) -> Any:
        return _DOUBLES[statement](self, *parameters)

    async def execute(self, statement: str, *parameters: Any) -> None:
        _DOUBLES[statement](self, *parameters)

    # --- the doubles --------------------------------------------------------------------------------------------------

    @property
    def _calls(self) -> dict[tuple[Any, ...], Stored]:
        return self.memory.rows["partner_call"]

    def _change(self, reference: str, **values: Any) -> None:
        key = (JOURNAL_ID, reference)
        if key in self._calls:
            self._calls[key] = {**self._calls[key], **values}

    def _is_at(self, reference: str, attempt: int) -> bool:
        row = self._calls.get((JOURNAL_ID, reference))
        return row is not None and row["attempts"] == attempt

    def _free(self, paused: list[str]) -> Iterator[Stored]:
        return (row for row in self._calls.values() if row["currency"] not in paused)

    def _ordered(self, row: Stored, sent_at: datetime | None) -> Row:
        rows, reference = self.memory.rows, row["reference"]
        [order] = [one for one in rows["partner_order"].values() if one["reference"] == reference]
        exchange = rows["exchange"][JOURNAL_ID, order["exchange_id"]]
        entry = rows["journal_entry"][JOURNAL_ID, ids.batch_of(order["id"])]
        of = [one for one in rows["customer_reference"].values() if one["customer_id"] == order["customer_id"]]
        member = of[0]["reference"] if of else None
        standing = {"state": exchange["state"], "in_doubt": exchange["in_doubt"], "asked_at": entry["at"]}
        return picked({**order, **row, **standing, "sent_at": sent_at, "member": member}, _NAMES)

    def take(
        self, at: datetime, until: datetime, most: int, paused: list[str], halted: list[str], overdue: datetime
    ) -> list[Row]:
        due = [
            row
            for row in self._calls.values()
            if row["currency"] not in paused or (row["currency"] in halted and row["due_at"] <= overdue)
            if row["due_at"] <= at and (row["leased_until"] is None or row["leased_until"] <= at)
        ]
        taken = []
        for row in sorted(due, key=lambda one: (one["due_at"], one["reference"]))[:most]:
            sent_at = max((one for one in (row["sent_at"], row["leased_until"]) if one is not None), default=None)
            self._change(row["reference"], attempts=row["attempts"] + 1, leased_until=until, sent_at=sent_at or at)
            taken.append(self._ordered(self._calls[JOURNAL_ID, row["reference"]], sent_at))
        return taken

    def look(self, reference: str) -> list[Row]:
        row = self._calls.get((JOURNAL_ID, reference))
        return [] if row is None else [self._ordered(row, row["sent_at"])]

    def next_due(self, paused: list[str]) -> datetime | None:
        free = self._free(paused)
        return min((max(row["due_at"], row["leased_until"] or row["due_at"]) for row in free), default=None)

    def hurry(self, reference: str, at: datetime) -> None:
        row = self._calls.get((JOURNAL_ID, reference))
        if row is not None and row["due_at"] > at:
            self._change(reference, due_at=at)

    def note(self, reference: str, attempt: int, at: datetime, text: str) -> None:
        row = {"journal_id": JOURNAL_ID, "reference": reference, "attempt": attempt, "at": at, "text": text}
        self.memory.rows["partner_incident"].setdefault((JOURNAL_ID, reference, attempt), row)

    def put_back(self, reference: str, due_at: datetime, sent_at: datetime | None, *said: Any) -> None:
        status, code, message, attempt = said
        told = {"status": status, "code": code, "message": message}
        if self._is_at(reference, attempt):
            self._change(reference, leased_until=None, due_at=due_at, sent_at=sent_at, **told)

    def let_go(self, reference: str, attempt: int, at: datetime) -> None:
        if self._is_at(reference, attempt):
            self._change(reference, leased_until=None, sent_at=at)


_DOUBLES: dict[str, Callable[..., Any]] = {
    calls._TAKE: Calls.take,
    calls._LOOK: Calls.look,
    calls._NEXT: Calls.next_due,
    calls._HURRY: Calls.hurry,
    calls._INCIDENT: Calls.note,
    calls._PUT_BACK: Calls.put_back,
    calls._LET_GO: Calls.let_go,
}
