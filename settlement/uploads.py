"""Uploads: the rows of a table that somebody sends, as CSV in UTF-8 or as a workbook (XLSX).

A file is somebody else's, so nothing of it is believed before it is measured: its size, what it unpacks to, how many
rows and columns it has. A workbook is unpacked here, within bounds, and packed again for the reader, because what an
archive says of its own sizes may be a lie. What computes (formulas, macros) or points elsewhere (external links,
declarations of entities) is refused: a figure has to stand in the file as it is. Numbers of a workbook are taken as
their shortest decimal spelling, up to the 15 digits that it keeps exactly.

Files are refused whole (``FileRefused``); rows that cannot be read are handed on, each with what is wrong with it.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from hub.errors import Failure

BYTES_MAX: Final = 16 << 20
UNPACKED_BYTES_MAX: Final = 128 << 20
PARTS_MAX: Final = 200  # of an archive
ROWS_MAX: Final = 200_000
CELLS_MAX: Final = 32
CELL_LENGTH_MAX: Final = 500
DIGITS_MAX: Final = 15  # that a workbook's number keeps exactly

_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_PLACE: Final = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,9})([0-9]{1,20})["']""")
_COLUMN_MAX: Final = b"AF"  # the thirty-second
_DECLARATION: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_COMPUTES: Final = re.compile(r"[=+@\t\r]|-(?![0-9])")


class Wrong(StrEnum):
    """Why a file is refused."""

    TOO_LARGE = "TOO_LARGE"
    ENCODING = "ENCODING"
    NOT_A_TABLE = "NOT_A_TABLE"
    HEADER = "HEADER"
    FORMULA = "FORMULA"
    HOSTILE = "HOSTILE"


class FileRefused(Failure):
    """The file is refused, and nothing of it counts."""

    def __init__(self, wrong: Wrong, told: str) -> None:
        super().__init__(f"The file is refused ({wrong.value}): {told}.")
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number in the file, from 1 for the header, and its cells by column. ``wrong``: why it cannot be read;
    its cells are then those that could."""

    number: int
    cells: dict[str, str]
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """What columns a file may have, in any order."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def read(content: bytes, columns: Columns) -> list[Row]:
    """The rows of a file; empty ones are left out.

    Raises:
        FileRefused: it is too large, no table of these columns, or not harmless.
    """
    if len(content) > BYTES_MAX:
        raise FileRefused(Wrong.TOO_LARGE, f"it is larger than {BYTES_MAX:,} octets")
    if content.startswith(b"PK"):
        lines = _workbook(content)
    elif content.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileRefused(Wrong.NOT_A_TABLE, "it is encrypted, or a workbook of an old kind; send XLSX or CSV")
    else:
        lines = _text(content)
    return list(_rows(lines, columns))


def _rows(lines: Iterable[Sequence[Any]], columns: Columns) -> Iterator[Row]:
    names: list[str] | None = None
    for number, cells in enumerate(lines, start=1):
        if number > ROWS_MAX + 1:
            raise FileRefused(Wrong.TOO_LARGE, f"it has more than {ROWS_MAX:,} rows")
        if names is None:
            names = _header(cells, columns)
        elif any(cell not in ("", None) for cell in cells):
            yield _row(number, names, cells, columns)
    if names is None:
        raise FileRefused(Wrong.HEADER, "it is empty")


def _header(cells: Sequence[Any], columns: Columns) -> list[str]:
    names = [str(cell).strip() for cell in cells[: CELLS_MAX + 1]]
    while names and not names[-1]:
        names.pop()
    known = {*columns.required, *columns.optional}
    if len(set(names)) != len(names) or not set(columns.required) <= set(names) <= known:
        may = f", and may be {', '.join(columns.optional)}" if columns.optional else ""
        raise FileRefused(Wrong.HEADER, f"its columns have to be {', '.join(columns.required)}{may}")
    return names


def _row(number: int, names: list[str], cells: Sequence[Any], columns: Columns) -> Row:
    found: dict[str, str] = {}
    wrong = None
    if len(cells) > len(names) and any(cell not in ("", None) for cell in cells[len(names) :]):
        wrong = f"has {len(cells)} cells, and the header {len(names)}"
    for name, cell in zip(names, cells, strict=False):
        try:
            found[name] = _cell(cell)
        except ValueError as error:
            wrong = wrong or f"{name} {error}"
    missing = [name for name in columns.required if not found.get(name)]
    if wrong is None and missing:
        wrong = f"has no {missing[0]}"
    return Row(number, found, wrong)


def _cell(cell: Any) -> str:
    """A cell as text.

    Raises:
        ValueError: it is none that a row may have.
    """
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | date):
        raise ValueError("is neither a text, a number nor a date")
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if not isinstance(cell, str):
        return _number(repr(cell))
    text = cell.strip()
    if len(text) > CELL_LENGTH_MAX:
        raise ValueError(f"is longer than {CELL_LENGTH_MAX} characters")
    if _COMPUTES.match(text):
        raise ValueError("is what a spreadsheet would compute")
    if not text.isprintable():
        raise ValueError("has a character that cannot be printed")
    return text


def _number(spelled: str) -> str:
    found = Decimal(spelled)
    if not found.is_finite() or len(found.as_tuple().digits) > DIGITS_MAX:
        raise ValueError(f"has more than {DIGITS_MAX} digits; write it as text")
    return format(found.normalize() if found else Decimal(0), "f")


# --- CSV --------------------------------------------------------------------------------------------------------------


def _text(content: bytes) -> Iterator[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(Wrong.ENCODING, "it is no UTF-8") from None
    if "\0" in text:
        raise FileRefused(Wrong.ENCODING, "it holds NUL, so it is no UTF-8 text")
    try:
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as error:
        raise FileRefused(Wrong.NOT_A_TABLE, f"it is no CSV ({error})") from None


# --- workbooks --------------------------------------------------------------------------------------------------------


def _workbook(content: bytes) -> Iterator[list[Any]]:
    packed = _repacked(content)
    try:
        book = CalamineWorkbook.from_filelike(packed)
        names = book.sheet_names
        if len(names) != 1:
            raise FileRefused(Wrong.NOT_A_TABLE, f"it has {len(names)} sheets; send one")
        sheet = book.get_sheet_by_index(0)
        yield from sheet.to_python(skip_empty_area=False)
    except CalamineError as error:
        raise FileRefused(Wrong.NOT_A_TABLE, f"it is no workbook ({type(error).__name__})") from None


def _repacked(content: bytes) -> io.BytesIO:
    """The archive again, each part read within bounds and looked at."""
    made = io.BytesIO()
    left = UNPACKED_BYTES_MAX
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(made, "w") as taken:
            parts = given.infolist()
            if len(parts) > PARTS_MAX or len({part.filename for part in parts}) != len(parts):
                raise FileRefused(Wrong.HOSTILE, f"it has more than {PARTS_MAX} parts, or one twice")
            for part in parts:
                unpacked = _unpacked(given, part, left)
                left -= len(unpacked)
                _check_part(part.filename, unpacked)
                taken.writestr(part.filename, unpacked)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise FileRefused(Wrong.NOT_A_TABLE, f"it is no workbook ({type(error).__name__})") from None
    made.seek(0)
    return made


def _unpacked(given: zipfile.ZipFile, part: zipfile.ZipInfo, left: int) -> bytes:
    with given.open(part) as stream:
        unpacked = stream.read(left + 1)
    if len(unpacked) > left:
        raise FileRefused(Wrong.TOO_LARGE, f"it unpacks to more than {UNPACKED_BYTES_MAX:,} octets")
    return unpacked


def _check_part(name: str, unpacked: bytes) -> None:
    """Refuse what computes, or points elsewhere."""
    low = name.lower()
    if low.endswith((".bin", ".vbs", ".exe")) or "externallinks/" in low or "activex/" in low or "embeddings/" in low:
        raise FileRefused(Wrong.HOSTILE, "it holds macros, other documents or links to them")
    if not low.endswith((".xml", ".rels")):
        return
    if _DECLARATION.search(unpacked):
        raise FileRefused(Wrong.HOSTILE, "it declares entities")
    if _FORMULA.search(unpacked):
        raise FileRefused(Wrong.FORMULA, "a cell is computed by a formula; send values")
    for column, row in _PLACE.findall(unpacked):  # two cells far apart would make the reader hold all between them
        if len(column) > 2 or (len(column) == 2 and column.upper() > _COLUMN_MAX) or int(row) > ROWS_MAX + 1:
            raise FileRefused(Wrong.TOO_LARGE, f"it has more than {ROWS_MAX:,} rows or {CELLS_MAX} columns")
