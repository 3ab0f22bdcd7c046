"""The simulator's own books: one SQLite file, and one transaction for each order with all that follows from it.

A pending order, the callbacks that it will cause and the scripts that were used up are in the file before anybody is
answered, so that a simulator that was killed goes on where it was.
"""

import secrets
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from adapters.simulator.books import Books, instant
from adapters.simulator.callbacks import Callbacks
from adapters.simulator.nights import next_night
from adapters.simulator.orders import Order, Performed
from adapters.simulator.problems import Conflict
from adapters.simulator.rules import Asked, Member, Original, Programme, Refused, decide
from adapters.simulator.script import NOT_DONE, PENDING, Behaviour, Play, magic
from adapters.simulator.scripts import Scripts, sentence
from hub.partners import Operation, Reason, Status
from hub.points import render

JOURNAL_PAGE = 100
DONE = "00"


class Store:
    """The orders and members of one programme. ``tells``: whether callbacks are sent at all."""

    def __init__(
        self, programme: Programme, path: Path | None, *, tells: bool = False, clock: Callable[[], datetime]
    ) -> None:
        self.programme = programme
        self._tells = tells
        self._books = Books(path, clock)
        self.scripts = Scripts(self._books)
        self.callbacks = Callbacks(self._books, programme)

    def close(self) -> None:
        """Close the file; everything is in it."""
        self._books.close()

    # --- orders -------------------------------------------------------------------------------------------------------

    def perform(self, asked: Asked) -> Performed:
        """Do an order as the script has it, or find what was done under its reference.

        Raises:
            Conflict: the reference is another order's.
        """
        with self._books.transaction() as now:
            found = self.find(asked.reference)
            if found is not None:
                if (found.operation, found.member, found.of) != (asked.operation, asked.member, asked.of) or (
                    found.units != asked.units if asked.units is not None else found.amount != asked.amount
                ):
                    raise Conflict(f"{asked.reference} is a {found.operation} of {found.amount}.")
                return Performed(found, None)
            play = self.scripts.take(asked.operation, asked.member) or self._magic(asked)
            if play is not None:
                self._books.note(now, play.behaviour, asked.reference, sentence(play))
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
        row = self._books.one("SELECT * FROM orders WHERE reference = ?", reference)
        return None if row is None else Order(**dict(row))

    def journal(self, day: str, after: int) -> tuple[list[Order], int | None]:
        """A page of what succeeded on a day, in the order in which it was done, and what to go on after, if any."""
        rows = self._books.all(
            "SELECT * FROM orders WHERE done > ? AND at >= ? AND at < ? ORDER BY done LIMIT ?",
            *(after, day, f"{day}U", JOURNAL_PAGE + 1),
        )
        page = [Order(**dict(row)) for row in rows[:JOURNAL_PAGE]]
        return page, page[-1].done if len(rows) > JOURNAL_PAGE else None

    def settle_due(self) -> int:
        """Do the pending orders whose time has come; how many. Each in a transaction of its own."""
        return self._settle_all("due_at <= ?", instant(self._books.clock()))

    def night(self) -> int:
        """Do all pending orders now, in the order in which they came; how many."""
        return self._settle_all("1")

    def next_due(self) -> datetime | None:
        """When the next pending order is to be done."""
        row = self._books.one("SELECT min(due_at) AS at FROM orders WHERE status = 'PENDING'")
        return None if row is None or row["at"] is None else datetime.fromisoformat(row["at"])

    # --- members ------------------------------------------------------------------------------------------------------

    def member(self, reference: str) -> Member | None:
        """A member and its balance now."""
        row = self._books.one("SELECT * FROM member WHERE reference = ?", reference)
        return None if row is None else self._member(row)

    def members(self) -> list[Member]:
        """All members."""
        return [self._member(row) for row in self._books.all("SELECT * FROM member ORDER BY reference")]

    def set_member(
        self, reference: str, family_name: str, available: int, *, may_spend: bool = True, may_earn: bool = True
    ) -> Member:
        """Enroll a member, or change one: it has so much to spend beside what is held."""
        with self._books.transaction():
            member = self.member(reference)
            balance = available + (0 if member is None else member.held)
            self._books.execute(
                "INSERT INTO member VALUES (?, ?, ?, ?, ?) ON CONFLICT (reference) DO UPDATE SET family_name ="
                " excluded.family_name, balance = excluded.balance, may_spend = excluded.may_spend,"
                " may_earn = excluded.may_earn",
                (reference, family_name, balance, may_spend, may_earn),
            )
        found = self.member(reference)
        if found is None:
            raise AssertionError("it was just written")
        return found

    # --- what happened ----------------------------------------------------------------------------------------------

    def note(self, kind: str, reference: str | None, sentence: str) -> None:
        """Write an incident down."""
        with self._books.transaction() as now:
            self._books.note(now, kind, reference, sentence)

    def latest(self, count: int) -> tuple[list[Order], list[dict[str, Any]], list[dict[str, Any]]]:
        """The latest orders, incidents and callbacks, each newest first."""
        orders = self._books.all("SELECT * FROM orders ORDER BY sequence DESC LIMIT ?", count)
        incidents = self._books.all(
            "SELECT at, kind, reference, sentence FROM incident ORDER BY id DESC LIMIT ?", count
        )
        callbacks = self._books.all(
            "SELECT reference, due_at AS dueAt, tries, outcome FROM callback ORDER BY id DESC LIMIT ?", count
        )
        return (
            [Order(**dict(row)) for row in orders],
            [dict(row) for row in incidents],
            [dict(row) for row in callbacks],
        )

    # --- inside a transaction -----------------------------------------------------------------------------------------

    def _of(self, reference: str) -> Order:
        found = self.find(reference)
        if found is None:
            raise AssertionError("it was just written")
        return found

    def _member(self, row: sqlite3.Row) -> Member:
        holds = self._books.all(
            "SELECT reference, units FROM orders WHERE member = ? AND operation = 'HOLD' AND status = 'SUCCEEDED'"
            " AND expires_at > ?",
            *(row["reference"], instant(self._books.clock())),
        )
        held = sum(hold["units"] - self._followed(hold["reference"]) for hold in holds)
        return Member(
            row["reference"], row["family_name"], row["balance"], held, bool(row["may_spend"]), bool(row["may_earn"])
        )

    def _followed(self, reference: str) -> int:
        """How much of an order others have captured, released or reversed."""
        statement = "SELECT coalesce(sum(units), 0) AS units FROM orders WHERE of = ? AND status = 'SUCCEEDED'"
        row = self._books.one(statement, reference)
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

    def _magic(self, asked: Asked) -> Play | None:
        play = magic(asked.units) if self.programme.magic and asked.units is not None else None
        if play is None:
            return None
        first = self._books.execute("INSERT OR IGNORE INTO tried VALUES (?)", (asked.reference,)).rowcount
        return play if first else None

    def _insert(self, asked: Asked, now: datetime, play: Play | None) -> None:
        programme, pending = self.programme, play is not None and play.behaviour in PENDING
        due = None
        if pending and play is not None:
            due = now + timedelta(milliseconds=play.ms or programme.pending_ms)
        elif programme.nightly is not None:
            due = next_night(programme.nightly, now)
        self._books.execute(
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
        due = [row["reference"] for row in self._books.all(statement, *arguments)]
        for reference in due:
            with self._books.transaction() as now:
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
            self.callbacks.tell(order, self._of(order.reference), play, now)

    def _settle(self, asked: Asked, now: datetime) -> None:
        """Do an order that is stored as pending, or refuse it."""
        original = None if asked.of is None else self._original(asked.of)
        try:
            change = decide(self.programme, asked, self.member(asked.member), original, now)
        except Refused as refused:
            self._finish(asked.reference, now, refused.reason, str(refused))
            return
        self._books.execute("UPDATE member SET balance = balance + ? WHERE reference = ?", (change, asked.member))
        self._finish(asked.reference, now, None, "")

    def _finish(self, reference: str, now: datetime, reason: Reason | None, message: str) -> None:
        status = Status.SUCCEEDED if reason is None else Status.REFUSED
        self._books.execute(
            "UPDATE orders SET status = ?, code = ?, message = ?, at = ?, due_at = NULL,"
            " done = CASE ? WHEN 'SUCCEEDED' THEN (SELECT coalesce(max(done), 0) + 1 FROM orders) END,"
            " expires_at = CASE WHEN operation = 'HOLD' AND ? = 'SUCCEEDED' THEN ? END WHERE reference = ?",
            (
                *(status, DONE if reason is None else reason, message, instant(now), status, status),
                *(instant(now + self.programme.hold_for), reference),
            ),
        )
