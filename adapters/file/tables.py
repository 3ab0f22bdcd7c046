"""The form of the files: a header, a row each, a trailer of control totals, and a digest of all before it. Pure.

    #total,DEBIT,2,300.00
    #end,2,<SHA-256 of every octet before this line>

In a file of orders the totals are over all rows; in one of results over the rows that say DONE, as they stand. ``#end``
counts the rows of all kinds. Short rows are filled up with empty cells. No cell has a line break.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from adapters.amounts import WrongAnswer
from adapters.file.configuration import Configuration, Outcome
from hub.errors import InvalidAmount
from hub.partners import Operation
from hub.points import AMOUNT_MAX, parse, render

TOTAL: Final = "#total"
END: Final = "#end"
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # with the wide forms, which spreadsheets take for the same


class Unwritable(Exception):
    """A text that no cell can hold without changing it, or that a spreadsheet would take for a formula."""


class Malformed(Exception):
    """A file of results that is whole, and not what was agreed."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a row has it. ``units``: of the partner's scale."""

    reference: str
    operation: Operation
    member: str
    units: int
    of: str | None
    asked_at: datetime


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A row of results. ``units``: of the partner's scale; ``reason``: the partner's own word."""

    reference: str
    operation: Operation
    outcome: Outcome
    units: int | None = None
    reason: str | None = None
    partner_reference: str | None = None
    unit: str | None = None
    at: datetime | None = None


def check(asked: Asked, configuration: Configuration) -> None:
    """Whether an order can be written.

    Raises:
        Unwritable: it cannot.
    """
    for text in (asked.reference, asked.member, asked.of):
        if text is None:
            continue
        if not text or not text.isprintable() or text != text.strip():
            raise Unwritable("a text is empty, or has spaces around it, a line break or a control character")
        if text.startswith(_FORMULA):
            raise Unwritable("a text begins as a formula does")
        try:
            text.encode(configuration.encoding)
        except UnicodeEncodeError:
            raise Unwritable(f"a text has a character that {configuration.encoding} lacks") from None


def written(orders: Sequence[Asked], configuration: Configuration) -> bytes:
    """A file of orders.

    Raises:
        Unwritable: one of them cannot be written.
    """
    for asked in orders:
        check(asked, configuration)
    rows = [_row(asked, configuration) for asked in orders]
    body = _lines([configuration.orders.names, *rows, *_totals(orders, configuration)], configuration)
    end = [END, str(len(orders)), hashlib.sha256(body).hexdigest()]
    return body + _lines([end], configuration)


def is_whole(raw: bytes, configuration: Configuration) -> bool:
    """Whether a file has arrived to its end, right or wrong."""
    return _end(raw, configuration) is not None


def told(raw: bytes, configuration: Configuration) -> list[Told]:
    """The rows of a whole file of results.

    Raises:
        Malformed: its digest, its totals or a row is not what it should be; then nothing of it counts.
    """
    end = _end(raw, configuration)
    if end is None:
        raise Malformed("it has no end")
    body, count, digest = end
    if hashlib.sha256(body).hexdigest() != digest.lower():
        raise Malformed("its digest is of other contents")
    header, rows, totals = _parts(body, configuration)
    columns = _columns(header, configuration)
    found = [_told(row, columns, number, configuration) for number, row in rows]
    if count != str(len(found)):
        raise Malformed(f"it has {len(found)} rows, and says {count[:20]}")
    if totals != (sums := _sums(found, configuration)):
        wrong = sorted(word for word in totals.keys() | sums.keys() if totals.get(word) != sums.get(word))
        raise Malformed(f"its totals are not those of its rows: {', '.join(wrong)[:200]}")
    return found


def _row(asked: Asked, configuration: Configuration) -> list[str]:
    return [
        asked.reference,
        configuration.word(asked.operation),
        asked.member,
        render(asked.units, configuration.scale),
        configuration.unit,
        asked.of or "",
        str(configuration.time.show(asked.asked_at)),
    ]


def _totals(orders: Iterable[Asked], configuration: Configuration) -> list[list[str]]:
    rows = []
    for operation in Operation:
        units = [asked.units for asked in orders if asked.operation is operation]
        if units:
            told = render(sum(units), configuration.scale)
            rows.append([TOTAL, configuration.word(operation), str(len(units)), told])
    return rows


def _lines(rows: Iterable[Sequence[str]], configuration: Configuration) -> bytes:
    width = len(configuration.orders.names)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=configuration.separator, lineterminator="\r\n")
    writer.writerows([*row, *[""] * (width - len(row))] for row in rows)
    return text.getvalue().encode(configuration.encoding)


def _end(raw: bytes, configuration: Configuration) -> tuple[bytes, str, str] | None:
    """What is before the last line, and the count and the digest in it; None: the file is cut short."""
    lines = raw.splitlines(keepends=True)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        return None
    try:
        [cells] = csv.reader([lines[-1].decode(configuration.encoding)], delimiter=configuration.separator)
    except (UnicodeDecodeError, ValueError, csv.Error):
        return None
    if len(cells) < 3 or cells[0] != END or not _DIGEST.fullmatch(cells[2]):
        return None
    return b"".join(lines[:-1]), cells[1], cells[2]


_Row = tuple[int, list[str]]  # with its number, from 1


def _parts(body: bytes, configuration: Configuration) -> tuple[list[str], list[_Row], dict[str, tuple[str, str]]]:
    """The header, the rows and the totals by their words."""
    try:
        text = body.decode("utf-8-sig" if configuration.encoding == "utf-8" else configuration.encoding)
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=configuration.separator, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"it is no CSV of the agreed form ({type(error).__name__})") from None
    rows: list[_Row] = []
    totals: dict[str, tuple[str, str]] = {}
    for number, cells in enumerate(found, 1):
        if any(forbidden in cell for cell in cells for forbidden in "\r\n\x00"):
            raise Malformed(f"row {number} has a line break or a NUL in a cell")
        if cells[:1] == [TOTAL] and len(cells) >= 4:
            if cells[1] in totals:
                raise Malformed(f"row {number} is a second total of the same operation")
            totals[cells[1]] = (cells[2], _plain(cells[3], configuration, number))
        elif totals:
            raise Malformed(f"row {number} comes after the totals")
        else:
            rows.append((number, cells))
    if not rows:
        raise Malformed("it has no header")
    return rows[0][1], rows[1:], {word: total for word, total in totals.items() if total[0] != "0"}


def _plain(amount: str, configuration: Configuration, number: int) -> str:
    """An amount with all of its digits."""
    try:
        return render(parse(amount, configuration.scale), configuration.scale)
    except InvalidAmount:
        raise Malformed(f"row {number} has no amount of {configuration.scale} decimals") from None


def _sums(found: Iterable[Told], configuration: Configuration) -> dict[str, tuple[str, str]]:
    units: dict[str, list[int]] = {}
    for row in found:
        if row.outcome is Outcome.DONE:
            units.setdefault(configuration.word(row.operation), []).append(row.units or 0)
    return {word: (str(len(each)), render(sum(each), configuration.scale)) for word, each in units.items()}


def _columns(header: list[str], configuration: Configuration) -> dict[str, int]:
    """The places of the columns, by our names for them."""
    if len(set(header)) != len(header):
        raise Malformed("two of its columns have the same name")
    named = configuration.results.model_dump()
    missing = [name for name in configuration.results.names if name not in header]
    if missing:
        raise Malformed(f"it has no column {', '.join(missing)}")
    return {ours: header.index(name) for ours, name in named.items() if name is not None} | {"": len(header)}


def _told(cells: list[str], columns: dict[str, int], number: int, configuration: Configuration) -> Told:
    if len(cells) != columns[""]:
        raise Malformed(f"row {number} has {len(cells)} cells instead of {columns['']}")
    said = {ours: cells[place] or None for ours, place in columns.items() if ours}
    operations = {configuration.word(operation): operation for operation in Operation}
    operation, outcome = operations.get(said["operation"] or ""), configuration.statuses.get(said["status"] or "")
    if operation is None or outcome is None or said["reference"] is None:
        raise Malformed(f"row {number} has no reference, or an unknown operation or status")
    units = None
    if said["amount"] is not None:
        units = parse(_plain(said["amount"], configuration, number), configuration.scale)
        if not 0 <= units <= AMOUNT_MAX:
            raise Malformed(f"row {number} has an amount below zero or too large")
    elif outcome is Outcome.DONE:
        raise Malformed(f"row {number} says that something was done, and has no amount")
    return Told(
        reference=said["reference"],
        operation=operation,
        outcome=outcome,
        units=units,
        reason=said.get("reason"),
        partner_reference=said.get("partner_reference"),
        unit=said.get("unit"),
        at=_at(said.get("at"), number, configuration),
    )


def _at(text: str | None, number: int, configuration: Configuration) -> datetime | None:
    if text is None:
        return None
    try:
        at = configuration.time.read(text)
    except WrongAnswer:
        raise Malformed(f"row {number} has a time of another form") from None
    if at.tzinfo is None:
        raise Malformed(f"row {number} has a time without a zone")
    return at
