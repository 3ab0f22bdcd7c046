"""Entries: the journal read batch by batch, with all rows of each, and its chain proved on the way.

The rows come from the tables alone, in the shapes in which they were hashed. Each fault is found where it is: an entry
is compared with what the one before it says, not with what it should have said.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Text, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.audit.findings import Findings
from hub.db import driver_of
from hub.ledger.journal import GENESIS, HASHED, JOURNAL_ID, Hashed, content_of, hash_of

Progress = Callable[[str, int, int], None]
_ID_MAX: Final = 2**63 - 1
_CHUNK_ROWS: Final = 20_000
_CHUNK_BATCHES: Final = 256

# Each chunk is a range of keys; a planner that misjudges a young table would read all of it for each.
BY_KEY = select(*(func.set_config(f"enable_{way}", "off", True) for way in ("seqscan", "bitmapscan", "sort")))
BY_COST = select(*(func.set_config(f"enable_{way}", "on", True) for way in ("seqscan", "bitmapscan", "sort")))


@dataclass(slots=True)
class Batch:
    """The rows of one batch by table, as the driver gives them; ``at`` is None if no entry is of it."""

    number: int
    at: datetime | None
    rows: dict[str, list[Any]] = field(default_factory=dict)


class _Source:
    """How one table's rows of a range of batches are read."""

    def __init__(self, hashed: Hashed) -> None:
        self.name = str(hashed.table.name)
        names = [column.name for column in hashed.columns]
        self.width = len(names)
        order = ", ".join(
            f't.{column.name} COLLATE "C"' if isinstance(column.type, Text) else f"t.{column.name}"
            for column in hashed.order
        )
        columns = ", ".join(f"t.{name}" for name in names)
        if hashed.table is tables.window_net:  # its rows are of the batch that closed their window
            self.place = self.width
            self.by_id = False
            key, columns = "w.closed_in", f"{columns}, w.closed_in"
            source = "window_net t JOIN settlement_window w ON w.journal_id = t.journal_id AND w.id = t.window_id"
            order = f"w.closed_in, {order}"
        else:
            self.place = names.index(hashed.order[0].name)
            self.by_id = True
            key, source = f"t.{hashed.order[0].name}", f"{self.name} t"
        where = f"FROM {source} WHERE t.journal_id = {JOURNAL_ID} AND {key} >= $1"
        self.sql = f"SELECT {columns} {where} AND {key} <= $2 ORDER BY {order}"
        self.next_sql = f"SELECT min({key}) {where}"

    def batch(self, row: Any) -> int:
        """The batch that a row is of."""
        number: int = row[self.place]
        return number >> ids.PLACES_BITS if self.by_id else number

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """The least and the greatest key of these batches."""
        if not self.by_id:
            return first, last
        return _clamped(ids.first_of(first)), _clamped(ids.first_of(last + 1) - 1)


def _clamped(number: int) -> int:
    return max(-_ID_MAX, min(number, _ID_MAX))


_SOURCES: Final = tuple(_Source(hashed) for hashed in HASHED)
_ENTRIES = f"""
SELECT batch, at, previous, content, hash, rows FROM journal_entry
WHERE journal_id = {JOURNAL_ID} AND batch > $1 ORDER BY batch LIMIT {_CHUNK_BATCHES}
"""
_LAST = f"SELECT max(batch) FROM journal_entry WHERE journal_id = {JOURNAL_ID}"


class Entries:
    """One pass over the journal. ``counts``: rows by table. ``last``: the last entry that was read."""

    def __init__(self, connection: AsyncConnection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self.counts: Counter[str] = Counter()
        self.last: Any = None
        self.version = 0  # of the configuration after the last change

    async def batches(self, progress: Progress | None) -> AsyncIterator[Batch]:
        """Every batch in order, also those whose entry is missing; each is proved before it is given."""
        await self._connection.execute(BY_KEY)
        driver = driver_of(self._connection)
        total = await driver.fetchval(_LAST) or 0
        done = -_ID_MAX >> ids.PLACES_BITS  # every batch up to this one has been given
        while entries := await driver.fetch(_ENTRIES, 0 if self.last is None else self.last["batch"]):
            while entries:
                chunk, entries = _split(entries)
                first, last = chunk[0]["batch"], chunk[-1]["batch"]
                async for batch in self._strays(driver, done + 1, first - 1):
                    yield batch
                found = await self._read(driver, first, last)
                for entry in chunk:
                    rows = found.pop(entry["batch"], {})
                    self._prove(entry, rows)
                    yield Batch(entry["batch"], entry["at"], rows)
                for number, rows in found.items():
                    yield self._stray(number, rows)
                done = last
                if progress is not None:
                    progress("journal", last, total)
        async for batch in self._strays(driver, done + 1, _ID_MAX >> ids.PLACES_BITS):
            yield batch
        await self._connection.execute(BY_COST)

    async def _strays(self, driver: Any, first: int, last: int) -> AsyncIterator[Batch]:
        """Batches between entries, or after the last one: they should not be."""
        while first <= last:
            following = [await self._next(driver, source, first) for source in _SOURCES]
            start = min((number for number in following if number is not None), default=None)
            if start is None or start > last:
                return
            end = min(last, start + _CHUNK_BATCHES - 1)
            for number, rows in sorted((await self._read(driver, start, end)).items()):
                yield self._stray(number, rows)
            first = end + 1

    async def _next(self, driver: Any, source: _Source, first: int) -> int | None:
        found: int | None = await driver.fetchval(source.next_sql, source.bounds(first, first)[0])
        return found if found is None or not source.by_id else found >> ids.PLACES_BITS

    async def _read(self, driver: Any, first: int, last: int) -> dict[int, dict[str, list[Any]]]:
        """The rows of a range of batches, by batch and table."""
        found: dict[int, dict[str, list[Any]]] = {}
        for source in _SOURCES:
            rows = await driver.fetch(source.sql, *source.bounds(first, last))
            self.counts[source.name] += len(rows)
            for number, group in groupby(rows, source.batch):
                found.setdefault(number, {})[source.name] = list(group)
        if changed := [
            batch["configuration_change"][-1] for batch in found.values() if "configuration_change" in batch
        ]:
            self.version = max(row["version"] for row in changed)
        return found

    def _stray(self, number: int, rows: dict[str, list[Any]]) -> Batch:
        named = ", ".join(f"{len(of_table)} of {name}" for name, of_table in rows.items())
        self._findings.add("ROW_WITHOUT_ENTRY", f"Batch {number} has rows ({named}), but no entry in the journal.")
        return Batch(number, None, rows)

    def _prove(self, entry: Any, rows: dict[str, list[Any]]) -> None:
        number, at, previous, content, entry_hash, count = entry
        before, add = self.last, self._findings.add
        expected = 1 if before is None else before["batch"] + 1
        if number != expected:
            add("ENTRY_MISSING", f"The journal has no entries {expected} to {number - 1}.")
        if previous != (GENESIS if before is None else before["hash"]):
            add("ENTRY_PREVIOUS", f"Entry {number} does not follow the hash of the entry before it.")
        if before is not None and at <= before["at"]:
            add("ENTRY_TIME", f"Entry {number} is not later than the one before it.")
        shaped = {source.name: [row[: source.width] for row in rows.get(source.name, ())] for source in _SOURCES}
        if content != content_of(shaped):
            add("ENTRY_CONTENT", f"Entry {number} was made over other rows than the tables hold of it.")
        if entry_hash != hash_of(previous, number, at, content):
            add("ENTRY_HASH", f"Entry {number} does not have the hash of what it says.")
        if sum(map(len, shaped.values())) > count:
            add("ENTRY_ROWS", f"Entry {number} counts {count} rows; the tables hold more of it.")
        self.last = entry


def _split(entries: list[Any]) -> tuple[list[Any], list[Any]]:
    """A chunk of about as many rows as are held at once, without a hole in its numbers; and the rest."""
    rows = 0
    for place, entry in enumerate(entries):
        hole = place and entry["batch"] != entries[place - 1]["batch"] + 1
        if place and (hole or rows + entry["rows"] > _CHUNK_ROWS):
            return entries[:place], entries[place:]
        rows += entry["rows"]
    return entries, []
