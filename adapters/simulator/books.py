"""The simulator's file: its tables, one transaction after the other, and what was noted on the way.

Times are UTC texts of one width, which sort as they follow. To be used from one thread.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS member (
    reference TEXT PRIMARY KEY, family_name TEXT NOT NULL, balance INTEGER NOT NULL CHECK (balance >= 0),
    may_spend INTEGER NOT NULL, may_earn INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL UNIQUE, partner_reference TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL, member TEXT NOT NULL, amount TEXT NOT NULL, units INTEGER, of TEXT,
    status TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, at TEXT NOT NULL,
    due_at TEXT, expires_at TEXT, play BLOB, done INTEGER UNIQUE
) STRICT;
CREATE INDEX IF NOT EXISTS orders_of ON orders (of) WHERE of IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_holds ON orders (member, operation);
CREATE INDEX IF NOT EXISTS orders_pending ON orders (due_at) WHERE status = 'PENDING';
CREATE TABLE IF NOT EXISTS script (
    id INTEGER PRIMARY KEY AUTOINCREMENT, left INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tried (reference TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS incident (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL, reference TEXT, sentence TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL, body BLOB NOT NULL, due_at TEXT,
    tries INTEGER NOT NULL DEFAULT 0, outcome TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS callback_due ON callback (due_at) WHERE due_at IS NOT NULL;
"""


def instant(at: datetime) -> str:
    """A time as the books have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Books:
    """One SQLite file, or none and memory."""

    def __init__(self, path: Path | None, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self._sql = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._sql.row_factory = sqlite3.Row
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.executescript(_TABLES)

    def close(self) -> None:
        """Close the file; everything is in it."""
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[datetime]:
        """All of what is done in the block, which is told the time, or nothing."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield self.clock()
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def one(self, statement: str, *arguments: object) -> sqlite3.Row | None:
        """The first row."""
        with closing(self._sql.execute(statement, arguments)) as cursor:
            found: sqlite3.Row | None = cursor.fetchone()
            return found

    def all(self, statement: str, *arguments: object) -> list[sqlite3.Row]:
        """All rows."""
        with closing(self._sql.execute(statement, arguments)) as cursor:
            return cursor.fetchall()

    def execute(self, statement: str, arguments: Sequence[object] = ()) -> sqlite3.Cursor:
        """Write, within a transaction."""
        return self._sql.execute(statement, arguments)

    def note(self, now: datetime, kind: str, reference: str | None, sentence: str) -> None:
        """Write an incident down, within a transaction."""
        self.execute(
            "INSERT INTO incident (at, kind, reference, sentence) VALUES (?, ?, ?, ?)",
            (instant(now), str(kind), reference, sentence),
        )
