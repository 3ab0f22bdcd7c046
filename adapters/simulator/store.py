"""The simulator's own books: one SQLite file, and one transaction for each order with all that follows from it.

A pending order, the callbacks that it will cause and the scripts that were used up are in the file before anybody is
answered, so that a simulator that was killed goes on where it was. Times are UTC texts of one width, which sort as they
follow. To be used from one thread.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from adapters.simulator.problems import Conflict, WrongValue
from adapters.simulator.rules import Asked, Member, Original, Programme, Refused, decide
from adapters.simulator.script import NOT_DONE, PENDING, Behaviour, Play, Question, Script, magic
from hub.partners import Operation, Reason, Status
from hub.points import render

JOURNAL_PAGE = 100
CALLBACK_TRIES_MAX = 8
DONE = "00"

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


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands. ``done``: its place in the journal, once it succeeded."""

    sequence: int
    reference: str
    partner_reference: str
    operation: str
    member: str
    amount: str
    units: int | None
    of: str | None
    status: str
    code: str
    message: str
    at: str
    due_at: str | None
    expires_at: str | None
    play: bytes | None
    done: int | None

    def body(self, unit: str) -> dict[str, str]:
        """It, as the wire has it."""
        return {
            "reference": self.reference,
            "partnerReference": self.partner_reference,
            "operation": self.operation,
            "member": self.member,
            "amount": self.amount,
            "unit": unit,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "at": self.at,
        }


class Performed(msgspec.Struct, frozen=True):
    """What came of a request: the order, if one is stored, and how the simulator misbehaves in telling it."""

    order: Order | None
    play: Play | None


class Callback(msgspec.Struct, frozen=True):
    """An order's state that is to be told."""

    id: int
    reference: str
    body: bytes
    tries: int


def instant(at: datetime) -> str:
    """A time as the books have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Store:
    """The books of one programme. ``tells``: whether callbacks are sent at all."""

    def __init__(
        self, programme: Programme, path: Path | None, *, tells: bool = False, clock: Callable[[], datetime]
    ) -> None:
        self.programme = programme
        self._tells = tells
        self._clock = clock
        self._sql = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._sql.row_factory = sqlite3.Row
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.executescript(_TABLES)

    def close(self) -> None:
        """Close the file; everything is in it."""
        self._sql.close()

    # --- orders -------------------------------------------------------------------------------------------------------

    def perform(self, asked: Asked) -> Performed:
        """Do an order as the script has it, or find what was done under its reference.

        Raises:
            Conflict: the reference is another order's.
        """
        with self._transaction() as now:
            found = self.find(asked.reference)
            if found is not None:
                if (found.operation, found.member, found.of) != (asked.operation, asked.member, asked.of) or (
                    found.units != asked.units if asked.units is not None else found.amount != asked.amount
                ):
                    raise Conflict(f"{asked.reference} is a {found.operation} of {found.amount}.")
                return Performed(found, None)
            play = self._play(asked.operation, asked.member) or self._magic(asked)
            if play is not None:
                self._note(now, play.behaviour, asked.reference, _sentence(play))
                if play.behaviour in NOT_DONE:
                    return Performed(None, play)
            self._insert(asked, now, play)
            if play is not None and play.behaviour is Behaviour.REFUSED:
                self._finish(asked.reference, now, play.reason or Reason.OTHER, "The script refuses it.")
            elif (play is None or play.behaviour not in PENDING) and self.programme.nightly is None:
                self._settle(asked, now)
            return Performed(self._of(asked.reference), play)

    def find(self, reference: str) -> Order | None:
        """An order by its reference."""
        row = self._one("SELECT * FROM orders WHERE reference = ?", reference)
        return None if row is None else Order(**dict(row))

    def journal(self, day: str, after: int) -> tuple[list[Order], int | None]:
        """A page of what succeeded on a day, in the order in which it was done, and what to go on after, if any."""
        rows = self._all(
            "SELECT * FROM orders WHERE done > ? AND at >= ? AND at < ? ORDER BY done LIMIT ?",
            *(after, day, f"{day}U", JOURNAL_PAGE + 1),
        )
        page = [Order(**dict(row)) for row in rows[:JOURNAL_PAGE]]
        return page, page[-1].done if len(rows) > JOURNAL_PAGE else None

    def settle_due(self) -> int:
        """Do the pending orders whose time has come; how many. Each in a transaction of its own."""
        return self._settle_all("due_at <= ?", instant(self._clock()))

    def night(self) -> int:
        """Do all pending orders now, in the order in which they came; how many."""
        return self._settle_all("1")

    def next_due(self) -> datetime | None:
        """When the next pending order is to be done."""
        row = self._one("SELECT min(due_at) AS at FROM orders WHERE status = 'PENDING'")
        return None if row is None or row["at"] is None else datetime.fromisoformat(row["at"])

    # --- members ------------------------------------------------------------------------------------------------------

    def member(self, reference: str) -> Member | None:
        """A member and its balance now."""
        row = self._one("SELECT * FROM member WHERE reference = ?", reference)
        return None if row is None else self._member(row)

    def members(self) -> list[Member]:
        """All members."""
        return [self._member(row) for row in self._all("SELECT * FROM member ORDER BY reference")]

    def set_member(
        self, reference: str, family_name: str, available: int, *, may_spend: bool = True, may_earn: bool = True
    ) -> Member:
        """Enroll a member, or change one: it has so much to spend beside what is held."""
        with self._transaction():
            member = self.member(reference)
            balance = available + (0 if member is None else member.held)
            self._sql.execute(
                "INSERT INTO member VALUES (?, ?, ?, ?, ?) ON CONFLICT (reference) DO UPDATE SET family_name ="
                " excluded.family_name, balance = excluded.balance, may_spend = excluded.may_spend,"
                " may_earn = excluded.may_earn",
                (reference, family_name, balance, may_spend, may_earn),
            )
        found = self.member(reference)
        if found is None:
            raise AssertionError("it was just written")
        return found

    # --- the script ---------------------------------------------------------------------------------------------------

    def add_script(self, script: Script) -> int:
        """Remember an instruction; its number."""
        with self._transaction():
            body = msgspec.json.encode(script)
            return (
                self._sql.execute("INSERT INTO script (left, body) VALUES (?, ?)", (script.next, body)).lastrowid or 0
            )

    def scripts(self) -> list[tuple[int, int, Script]]:
        """The standing instructions: number, how often they are still taken, and what."""
        rows = self._all("SELECT * FROM script ORDER BY id")
        return [(row["id"], row["left"], msgspec.json.decode(row["body"], type=Script)) for row in rows]

    def clear_scripts(self) -> None:
        """Behave from now on."""
        with self._transaction():
            self._sql.execute("DELETE FROM script")

    def play_question(self, question: Question, member: str | None = None) -> Play | None:
        """How to misbehave in answering a question."""
        with self._transaction() as now:
            play = self._play(question.value, member)
            if play is not None:
                self._note(now, play.behaviour, None, f"{question}: {_sentence(play)}")
            return play

    # --- incidents and callbacks --------------------------------------------------------------------------------------

    def note(self, kind: str, reference: str | None, sentence: str) -> None:
        """Write an incident down."""
        with self._transaction() as now:
            self._note(now, kind, reference, sentence)

    def latest(self, count: int) -> tuple[list[Order], list[dict[str, Any]], list[dict[str, Any]]]:
        """The latest orders, incidents and callbacks, each newest first."""
        orders = self._all("SELECT * FROM orders ORDER BY sequence DESC LIMIT ?", count)
        incidents = self._all("SELECT at, kind, reference, sentence FROM incident ORDER BY id DESC LIMIT ?", count)
        callbacks = self._all(
            "SELECT reference, due_at AS dueAt, tries, outcome FROM callback ORDER BY id DESC LIMIT ?", count
        )
        return (
            [Order(**dict(row)) for row in orders],
            [dict(row) for row in incidents],
            [dict(row) for row in callbacks],
        )

    def due_callbacks(self) -> Sequence[Callback]:
        """What is to be told now, the earliest first."""
        rows = self._all(
            "SELECT id, reference, body, tries FROM callback WHERE due_at <= ? ORDER BY due_at, id LIMIT 20",
            instant(self._clock()),
        )
        return [Callback(**dict(row)) for row in rows]

    def next_callback(self) -> datetime | None:
        """When the next callback is to be sent."""
        row = self._one("SELECT min(due_at) AS at FROM callback WHERE due_at IS NOT NULL")
        return None if row is None or row["at"] is None else datetime.fromisoformat(row["at"])

    def told(self, callback: Callback, outcome: str, *, accepted: bool) -> None:
        """Note how a callback went: what was not accepted is tried again, ever later, CALLBACK_TRIES_MAX times."""
        with self._transaction() as now:
            tries = callback.tries + 1
            over = accepted or tries >= CALLBACK_TRIES_MAX
            self._sql.execute(
                "UPDATE callback SET tries = ?, outcome = ?, due_at = ? WHERE id = ?",
                (tries, outcome, None if over else instant(now + timedelta(seconds=2**tries)), callback.id),
            )
            if over and not accepted:
                self._note(now, "CALLBACK", callback.reference, f"{outcome}; it was given up.")

    # --- inside a transaction -----------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[datetime]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield self._clock()
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def _one(self, statement: str, *arguments: object) -> sqlite3.Row | None:
        with closing(self._sql.execute(statement, arguments)) as cursor:
            found: sqlite3.Row | None = cursor.fetchone()
            return found

    def _all(self, statement: str, *arguments: object) -> list[sqlite3.Row]:
        with closing(self._sql.execute(statement, arguments)) as cursor:
            return cursor.fetchall()

    def _of(self, reference: str) -> Order:
        found = self.find(reference)
        if found is None:
            raise AssertionError("it was just written")
        return found

    def _member(self, row: sqlite3.Row) -> Member:
        holds = self._all(
            "SELECT reference, units FROM orders WHERE member = ? AND operation = 'HOLD' AND status = 'SUCCEEDED'"
            " AND expires_at > ?",
            *(row["reference"], instant(self._clock())),
        )
        held = sum(hold["units"] - self._followed(hold["reference"]) for hold in holds)
        return Member(
            row["reference"], row["family_name"], row["balance"], held, bool(row["may_spend"]), bool(row["may_earn"])
        )

    def _followed(self, reference: str) -> int:
        """How much of an order others have captured, released or reversed."""
        statement = "SELECT coalesce(sum(units), 0) AS units FROM orders WHERE of = ? AND status = 'SUCCEEDED'"
        row = self._one(statement, reference)
        return 0 if row is None else int(row["units"])

    def _original(self, reference: str) -> Original | None:
        found = self.find(reference)
        if found is None or found.units is None:
            return None
        return Original(
            Operation(found.operation),
            found.member,
            Status(found.status),
            found.units,
            found.units - self._followed(reference),
            None if found.expires_at is None else datetime.fromisoformat(found.expires_at),
        )

    def _play(self, operation: str, member: str | None) -> Play | None:
        """Use up one of the first standing instruction that fits."""
        for number, left, script in self.scripts():
            questions = operation in Question.__members__
            if script.operation not in (None, operation) or (script.operation is None and questions):
                continue  # what names no operation is for orders
            if script.member not in (None, member):
                continue
            if left == 1:
                self._sql.execute("DELETE FROM script WHERE id = ?", (number,))
            else:
                self._sql.execute("UPDATE script SET left = left - 1 WHERE id = ?", (number,))
            return script.play
        return None

    def _magic(self, asked: Asked) -> Play | None:
        play = magic(asked.units) if self.programme.magic and asked.units is not None else None
        if play is None:
            return None
        first = self._sql.execute("INSERT OR IGNORE INTO tried VALUES (?)", (asked.reference,)).rowcount
        return play if first else None

    def _insert(self, asked: Asked, now: datetime, play: Play | None) -> None:
        programme, pending = self.programme, play is not None and play.behaviour in PENDING
        due = None
        if pending and play is not None:
            due = now + timedelta(milliseconds=play.ms or programme.pending_ms)
        elif programme.nightly is not None:
            due = next_night(programme.nightly, now)
        self._sql.execute(
            "INSERT INTO orders (reference, partner_reference, operation, member, amount, units, of, status, code,"
            " message, at, due_at, play) VALUES (?, ?, ?, ?, ?, ?, ?, 'PENDING', ?, '', ?, ?, ?)",
            (
                asked.reference,
                f"S-{secrets.token_hex(6).upper()}",
                asked.operation.value,
                asked.member,
                asked.amount if asked.units is None else render(asked.units, programme.scale),
                asked.units,
                asked.of,
                DONE,
                instant(now),
                None if due is None else instant(due),
                None if play is None else msgspec.json.encode(play),
            ),
        )

    def _settle_all(self, which: str, *arguments: object) -> int:
        statement = f"SELECT reference FROM orders WHERE status = 'PENDING' AND {which} ORDER BY sequence"
        due = [row["reference"] for row in self._all(statement, *arguments)]
        for reference in due:
            with self._transaction() as now:
                self._settle_pending(self._of(reference), now)
        return len(due)

    def _settle_pending(self, order: Order, now: datetime) -> None:
        play = None if order.play is None else msgspec.json.decode(order.play, type=Play)
        asked = Asked(order.reference, Operation(order.operation), order.member, order.amount, order.units, order.of)
        if play is not None and play.behaviour is Behaviour.PENDING_THEN_FAILURE:
            self._finish(order.reference, now, play.reason or Reason.OTHER, "The script refuses it after all.")
        else:
            self._settle(asked, now)
        if self._tells:
            self._tell(order, self._of(order.reference), play, now)

    def _tell(self, before: Order, after: Order, play: Play | None, now: datetime) -> None:
        behaviour = None if play is None else play.behaviour
        late = timedelta(milliseconds=self.programme.late_ms if behaviour is Behaviour.LATE_CALLBACK else 0)
        told = [(after, now + late)]
        if behaviour is Behaviour.DUPLICATE_CALLBACK:
            told.append((after, now))
        if behaviour is Behaviour.REORDERED_CALLBACK:
            told.append((before, now + timedelta(milliseconds=1)))
        for order, due in told:
            body = msgspec.json.encode(order.body(self.programme.unit))
            self._sql.execute(
                "INSERT INTO callback (reference, body, due_at) VALUES (?, ?, ?)", (order.reference, body, instant(due))
            )

    def _settle(self, asked: Asked, now: datetime) -> None:
        """Do an order that is stored as pending, or refuse it."""
        original = None if asked.of is None else self._original(asked.of)
        try:
            change = decide(self.programme, asked, self.member(asked.member), original, now)
        except Refused as refused:
            self._finish(asked.reference, now, refused.reason, str(refused))
            return
        self._sql.execute("UPDATE member SET balance = balance + ? WHERE reference = ?", (change, asked.member))
        self._finish(asked.reference, now, None, "")

    def _finish(self, reference: str, now: datetime, reason: Reason | None, message: str) -> None:
        status = Status.SUCCEEDED if reason is None else Status.REFUSED
        self._sql.execute(
            "UPDATE orders SET status = ?, code = ?, message = ?, at = ?, due_at = NULL,"
            " done = CASE ? WHEN 'SUCCEEDED' THEN (SELECT coalesce(max(done), 0) + 1 FROM orders) END,"
            " expires_at = CASE WHEN operation = 'HOLD' AND ? = 'SUCCEEDED' THEN ? END WHERE reference = ?",
            (
                *(status, DONE if reason is None else reason, message, instant(now), status, status),
                *(instant(now + self.programme.hold_for), reference),
            ),
        )

    def _note(self, now: datetime, kind: str, reference: str | None, sentence: str) -> None:
        self._sql.execute(
            "INSERT INTO incident (at, kind, reference, sentence) VALUES (?, ?, ?, ?)",
            (instant(now), str(kind), reference, sentence),
        )


def next_night(nightly: str, now: datetime) -> datetime | None:
    """The first instant after ``now`` at which the clock (UTC) shows ``nightly``; None for "asked".

    Raises:
        WrongValue: it is neither.
    """
    if nightly == "asked":
        return None
    try:
        clock = datetime.strptime(nightly, "%H:%M")
    except ValueError:
        raise WrongValue(
            f"A night begins at a time such as 02:00, or when asked; not at {nightly}.", "nightly"
        ) from None
    tonight = now.astimezone(UTC).replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return tonight if tonight > now else tonight + timedelta(days=1)


def _sentence(play: Play) -> str:
    more = [str(play.reason)] if play.reason is not None else []
    more += [f"{play.ms} ms"] if play.ms else []
    return f"The script has it so ({', '.join(more)})." if more else "The script has it so."
