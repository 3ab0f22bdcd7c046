"""Matching: millions of rows of three sides, compared by DuckDB in memory, and on disk beside them where that is short.

Whoever calls lays the sides down as CSV files; what comes back are sums, and the breaks, of which a day cannot have
many. A row counts for a day by its instant, so that it does not matter by which calendar a partner lists its days. All
amounts are whole numbers, in smallest units of the partner's scale; sums are as wide as they need to be.

What is compared, for each order of the hub's that is of the day and each side that there is:

- a row there that was done, of an order that is done here, once, with its amount, unit, member, and at a time between
  when it was asked and when it was answered: agreed;
- what the ends of earlier breaks have posted counts as the hub's, so that a difference that was made good is none.

What is taken is below zero, what is given above: a debit takes and a credit gives, and a reversal does the opposite of
the order that it undoes. Which one that is, only the hub's order says, so a reversal that a partner lists is of the
order that the hub asked for as a reversal, under the same reference. Where the hub asked for none, nobody can tell
whether the member had more or less of it: it is a break whose difference is not clear, its amount is shown as it is
written, and it is in none of the day's sums.

What is there and not here is the day's on which it was done; an order of the hub's of a neighbouring day is compared on
that day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb

from hub.partners import Operation, Status
from hub.points import AMOUNT_MAX
from hub.reconciliation.breaks import BreakType, Figures, Found, Side, Source

MEMORY: Final = "512MiB"
THREADS: Final = 2
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ROW_BYTES_MAX: Final = 4_096
FILE_COLUMNS: Final = ("reference", "operation", "member", "amount", "unit", "status", "at", "partner_reference")
_SAID: Final = {"DONE": Status.SUCCEEDED, "REFUSED": Status.REFUSED, "PENDING": Status.PENDING}

_COLUMNS: Final = {
    "hub": (
        *("reference VARCHAR", "operation VARCHAR", "amount BIGINT", "status VARCHAR", "asked BIGINT"),
        *("span_start BIGINT", "span_end BIGINT", "home BOOLEAN", "member VARCHAR", "undoes VARCHAR"),
    ),
    "adjustment": ("reference VARCHAR", "posted HUGEINT"),
    "source": ("name VARCHAR",),
    "told": (
        *("source VARCHAR", "reference VARCHAR", "partner_reference VARCHAR", "operation VARCHAR", "member VARCHAR"),
        *("amount BIGINT", "unit VARCHAR", "status VARCHAR", "instant BIGINT"),
    ),
}
# Whether the member has more or less of it; NULL: it reverses, and nobody knows what. To undo a credit takes; whatever
# else is undone had taken.
_SIGN = """CASE operation WHEN 'DEBIT' THEN -1 WHEN 'CAPTURE' THEN -1 WHEN 'CREDIT' THEN 1
    WHEN 'REVERSE' THEN CASE WHEN undoes = 'CREDIT' THEN -1 WHEN undoes IS NOT NULL THEN 1 END ELSE 0 END"""
# What the partner's sides say, each row with the operation that it undoes if the hub asked for a reversal.
_HEARD = "CREATE VIEW heard AS SELECT t.*, h.undoes FROM told t LEFT JOIN hub h USING (reference)"
_SIDES = f"""
CREATE TABLE side AS
SELECT source, reference, count(*) AS listed, count(*) FILTER (status = 'SUCCEEDED') AS done,
    count(*) FILTER (status = 'SUCCEEDED' AND instant >= $start AND instant < $end) AS done_today,
    bool_or(status = 'REFUSED') AS refused,
    coalesce(bool_or(unit <> $unit) FILTER (status = 'SUCCEEDED'), false) AS odd,
    coalesce(bool_or({_SIGN} IS NULL) FILTER (status = 'SUCCEEDED'), false) AS unclear,
    coalesce(sum(coalesce({_SIGN}, 1) * amount::HUGEINT) FILTER (status = 'SUCCEEDED'), 0) AS effect,
    min(instant) FILTER (status = 'SUCCEEDED') AS first, max(instant) FILTER (status = 'SUCCEEDED') AS last,
    min(operation) AS operation, min(unit) AS unit, min(status) AS status, min(instant) AS instant,
    min(member) AS member, max(member) AS other_member, min(partner_reference) AS partner_reference
FROM heard WHERE reference IS NOT NULL GROUP BY source, reference
"""
_BOOKED = f"""
CREATE VIEW booked AS
SELECT h.*, CASE WHEN status = 'SUCCEEDED' THEN {_SIGN} * amount::HUGEINT ELSE 0 END + coalesce(a.posted, 0) AS effect,
    a.posted IS NOT NULL AS adjusted
FROM hub h LEFT JOIN adjustment a USING (reference)
"""
_JUDGED = """
CREATE TABLE judged AS
SELECT * FROM (SELECT h.reference, CASE
    WHEN h.adjusted AND h.effect = coalesce(s.effect, 0) AND NOT coalesce(s.odd OR s.unclear, false) THEN NULL
    WHEN s.reference IS NULL OR (s.done = 0 AND NOT s.refused)
        THEN CASE WHEN h.status = 'SUCCEEDED' THEN 'MISSING_THERE' END
    WHEN s.done = 0 THEN CASE WHEN h.status <> 'REFUSED' THEN 'STATUS' END
    WHEN h.status <> 'SUCCEEDED' THEN 'STATUS'
    WHEN s.done > 1 THEN 'DUPLICATE'
    WHEN s.odd THEN 'UNIT'
    WHEN s.unclear OR s.effect <> h.effect THEN 'AMOUNT'
    WHEN s.member <> h.member OR s.other_member <> h.member THEN 'MEMBER'
    WHEN s.first < h.span_start OR s.last >= h.span_end THEN 'DATE'
    END AS type
FROM booked h CROSS JOIN source LEFT JOIN side s ON s.source = source.name AND s.reference = h.reference
WHERE h.home) WHERE type IS NOT NULL
UNION ALL
SELECT s.reference, 'MISSING_HERE' FROM side s
LEFT JOIN adjustment a USING (reference)
WHERE s.done_today > 0 AND NOT (coalesce(a.posted = s.effect, false) AND NOT s.odd AND NOT s.unclear)
    AND NOT EXISTS (SELECT 1 FROM hub h WHERE h.reference = s.reference)
UNION ALL
SELECT s.reference, CASE WHEN s.done > 1 THEN 'DUPLICATE' ELSE 'DATE' END FROM side s
JOIN hub h USING (reference)
LEFT JOIN adjustment a USING (reference)
WHERE s.done_today > 0 AND NOT h.home AND (h.asked < $before OR h.asked >= $after)
    AND (s.first < h.span_start OR s.last >= h.span_end) AND a.posted IS NULL
"""
_GRAVEST = """
CREATE TABLE wrong AS
SELECT reference, arg_min(type, list_position($types, type)) AS type FROM judged
GROUP BY reference ORDER BY reference LIMIT $most
"""
_COUNTS = f"""
SELECT count(*), coalesce(sum(amount) FILTER (done AND {_SIGN} < 0), 0),
    coalesce(sum(amount) FILTER (done AND {_SIGN} > 0), 0)
FROM (SELECT *, status = 'SUCCEEDED' AS done FROM {{table}} WHERE {{where}})
"""
_NUMBER = "([0-9]{1,18})(?:\\.([0-9]{1,%d}))?"
# With its offset; what the pattern lets through and is no time becomes NULL.
_INSTANT = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"


class NotReadable(Exception):
    """A side's file has a row that is not of the agreed form."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The day that is compared, in microseconds since 1970: from ``start`` to before ``end``; orders that were asked
    from ``before`` on and before ``after`` are its or its neighbours'. ``unit``: the partner's word for its points."""

    start: int
    end: int
    before: int
    after: int
    unit: str


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows a side has of the day, and what those took and gave of which that is known and that were done."""

    rows: int
    taken: int
    given: int


def instant(micros: int) -> datetime:
    """An instant that is counted in microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


class Matching:
    """One comparison, in a folder that it fills; used by one thread at a time, and closed at the end of the block."""

    def __init__(self, folder: Path, frame: Frame) -> None:
        self._frame = frame
        self._database = duckdb.connect(":memory:")
        self._database.execute(f"SET memory_limit = '{MEMORY}'")
        self._database.execute(f"SET threads = {THREADS}")
        self._database.execute("SET temp_directory = $1", [str(folder / "spilled")])
        for statement in ("SET enable_progress_bar = false", "SET autoinstall_known_extensions = false"):
            self._database.execute(statement)
        for table, columns in _COLUMNS.items():
            self._database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        self._database.execute(_HEARD)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._database.interrupt()  # whoever left may have left a query behind
        self._database.close()

    def take_hub(self, path: Path) -> None:
        """Take orders of the hub's, in the order of the table's columns and without a header."""
        self._copy("hub", path)

    def take_adjustments(self, path: Path) -> None:
        """Take what ends of breaks have posted: references and signed amounts."""
        self._copy("adjustment", path)

    def take_journal(self, path: Path) -> None:
        """Take the partner's journal, in the order of the table's columns but the source."""
        self._database.execute("INSERT INTO source VALUES ('JOURNAL')")
        self._database.execute(
            f"INSERT INTO told SELECT 'JOURNAL', * FROM read_csv($1, {_form(_COLUMNS['told'][1:])})", [str(path)]
        )

    def take_file(self, path: Path, columns: Sequence[str], scale: int) -> None:
        """Take the rows of a file of the partner's, with these columns.

        Raises:
            NotReadable: a row is not of the agreed form; it says which, without what it says.
        """
        number = _NUMBER % scale if scale else "([0-9]{1,18})(\\.0{1,18})?"
        digits = f"rpad(regexp_extract(amount, $number, 2), {scale}, '0')" if scale else "''"
        optional = {name: name if name in columns else "NULL" for name in ("member", "partner_reference")}
        statuses = " ".join(f"WHEN '{word}' THEN '{status.value}'" for word, status in _SAID.items())
        values = f"""
            SELECT reference, {optional["partner_reference"]}::VARCHAR AS partner_reference, operation,
                {optional["member"]}::VARCHAR AS member,
                CASE WHEN regexp_full_match(amount, $number)
                    THEN TRY_CAST(regexp_extract(amount, $number, 1) || {digits} AS BIGINT) END AS amount,
                unit, CASE status {statuses} END AS status,
                CASE WHEN regexp_full_match("at", $form) THEN epoch_us(TRY_CAST("at" AS TIMESTAMPTZ)) END AS instant
            FROM read_csv($path, {_form([f"{name} VARCHAR" for name in columns])}, max_line_size = {2 * ROW_BYTES_MAX})
        """
        given = {"path": str(path), "number": number, "form": _INSTANT}
        try:
            self._database.execute(f"CREATE OR REPLACE TABLE given AS {values}", given)
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            raise NotReadable("a row is no CSV of the agreed columns") from None
        words = ", ".join(f"'{one.value}'" for one in Operation)
        [wrong] = self._rows(
            f"""SELECT min(place) FROM (SELECT row_number() OVER () AS place, * FROM given)
            WHERE reference IS NULL OR length(reference) > 100 OR operation IS NULL OR operation NOT IN ({words})
                OR status IS NULL OR amount IS NULL OR amount > {AMOUNT_MAX} OR unit IS NULL OR instant IS NULL"""
        )
        if wrong[0] is not None:
            raise NotReadable(f"row {wrong[0]} lacks a cell, or has one that is not of the agreed form")
        if not self._rows("SELECT name FROM source WHERE name = 'FILE'"):
            self._database.execute("INSERT INTO source VALUES ('FILE')")
        self._database.execute(
            """INSERT INTO told SELECT 'FILE', reference, partner_reference, operation, member, amount, unit, status,
            instant FROM given"""
        )

    def totals(self) -> dict[str, tuple[int, int]]:
        """How many rows of the file that was taken last say that it was done, and the sum of their amounts, by their
        operations."""
        found = self._rows(
            "SELECT operation, count(*), sum(amount) FROM given WHERE status = 'SUCCEEDED' GROUP BY operation"
        )
        return {operation: (count, int(amount)) for operation, count, amount in found}

    def strangers(self) -> list[str]:
        """References that a partner's side says were done on the day, and that no order has that was taken so far."""
        found = self._rows(
            """SELECT DISTINCT reference FROM told WHERE status = 'SUCCEEDED' AND instant >= $start AND instant < $end
            AND reference IS NOT NULL AND reference NOT IN (SELECT reference FROM hub)""",
            start=self._frame.start,
            end=self._frame.end,
        )
        return [row[0] for row in found]

    def match(self, most: int) -> list[Found]:
        """The breaks of the day, at most so many, by reference; all sides have been taken."""
        frame = self._frame
        self._database.execute(_SIDES, {"start": frame.start, "end": frame.end, "unit": frame.unit})
        self._database.execute(_BOOKED)
        self._database.execute(_JUDGED, {"before": frame.before, "after": frame.after})
        types = [one.value for one in BreakType]
        self._database.execute(_GRAVEST, {"types": types, "most": most})
        wrong = self._rows("SELECT reference, type FROM wrong ORDER BY reference")
        here = {row[0]: row[1:] for row in self._wrong("booked", "operation, effect, status, asked, member")}
        shown = "source, listed, operation, effect, unit, status, instant, partner_reference, done, odd OR unclear"
        there: dict[str, dict[str, tuple[Any, ...]]] = {}
        for reference, source, *said in self._wrong("side", f"{shown}, member, other_member"):
            there.setdefault(reference, {})[source] = tuple(said)
        adjusted = {row[0]: int(row[1]) for row in self._wrong("adjustment", "posted")}
        sources = [Source(row[0]) for row in self._rows("SELECT DISTINCT name FROM source ORDER BY name DESC")]
        return [
            _found(reference, BreakType(type), here.get(reference), there.get(reference, {}), adjusted, sources)
            for reference, type in wrong
        ]

    def sums(self) -> dict[Source, Sum]:
        """What each side has of the day."""
        frame = self._frame
        found = {Source.HUB: self._sum("hub", "home")}
        for (name,) in self._rows("SELECT DISTINCT name FROM source"):
            where = f"source = '{name}' AND instant >= {frame.start} AND instant < {frame.end}"
            found[Source(name)] = self._sum("heard", where)
        return found

    def agreed(self) -> int:
        """How many orders of the day were done, by all sides alike."""
        [[count]] = self._rows(
            """SELECT count(*) FROM hub WHERE home AND status = 'SUCCEEDED'
            AND reference NOT IN (SELECT reference FROM judged)"""
        )
        return int(count)

    def _sum(self, table: str, where: str) -> Sum:
        [[rows, taken, given]] = self._rows(_COUNTS.format(table=table, where=where))
        return Sum(int(rows), int(taken), int(given))

    def _copy(self, table: str, path: Path) -> None:
        self._database.execute(f"INSERT INTO {table} SELECT * FROM read_csv($1, {_form(_COLUMNS[table])})", [str(path)])

    def _wrong(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """The rows of a table that are of a break, with these columns after the reference."""
        return self._rows(
            f"SELECT reference, {columns} FROM {table} JOIN (SELECT reference FROM wrong) USING (reference)"
        )

    def _rows(self, statement: str, **given: Any) -> list[tuple[Any, ...]]:
        return self._database.execute(statement, given or None).fetchall()


def _form(columns: Iterable[str]) -> str:
    """How a file with these columns is read; nothing of it is guessed."""
    listed = ", ".join(f"'{name}': '{kind}'" for name, _, kind in (column.partition(" ") for column in columns))
    quoting = "delim = ',', quote = '\"', escape = '\"', nullstr = '', strict_mode = true"
    return f"header = false, auto_detect = false, {quoting}, columns = {{{listed}}}"


def _found(
    reference: str,
    type: BreakType,
    here: tuple[Any, ...] | None,
    there: dict[str, tuple[Any, ...]],
    adjusted: dict[str, int],
    sources: Sequence[Source],
) -> Found:
    """A break with its sides beside each other."""
    posted = adjusted.get(reference, 0)
    if here is None:
        hub = Side(source=Source.HUB, rows=0, amount=posted)
    else:
        operation, effect, status, asked, _ = here
        hub = Side(
            source=Source.HUB,
            rows=1,
            operation=Operation(operation),
            amount=int(effect),
            status=Status(status),
            at=instant(asked),
        )
    effects: set[int | None] = set()
    sides, members = [hub], [] if here is None else [f"{Source.HUB}: {here[4] or '-'}"]
    for source in sources:
        said = there.get(source.value)
        if said is None:
            sides.append(Side(source=source, rows=0))
            effects.add(0)
            continue
        listed, operation, effect, unit, status, micros, partner_reference, done, unclear, member, other = said
        sides.append(
            Side(
                source=source,
                rows=listed,
                operation=Operation(operation),
                amount=int(effect),
                unit=unit,
                status=Status.SUCCEEDED if done else Status(status),
                at=instant(micros),
                partner_reference=partner_reference,
            )
        )
        effects.add(None if unclear else int(effect))
        members.append(f"{source}: {member or '-'}" + ("" if other in (None, member) else f", {other}"))
    is_waiting = hub.status in (Status.PENDING, Status.UNKNOWN)
    [said_by_all] = effects if len(effects) == 1 and not is_waiting else [None]
    difference = None if said_by_all is None else said_by_all - hub.amount
    shows = type in (BreakType.MISSING_HERE, BreakType.MEMBER)
    figures = Figures(type=type, difference=difference, sides=tuple(sides))
    return Found(reference=reference, figures=figures, members="; ".join(members)[:1_000] if shows else "")
