"""A partner's file of a day: CSV in UTF-8 with a header, a row for each thing that it did, control totals, the currency
and the day that it is of, and a digest of all before it.

    reference,operation,member,amount,unit,status,at,partner_reference
    PH-7A0000-D,DEBIT,M-1,150.00,MILE,DONE,2026-03-01T09:30:00+08:00,X-1
    #total,DEBIT,1,150.00
    #of,MILE,2026-03-01
    #end,1,<SHA-256 of every octet before this line>

Columns may stand in any order; ``partner_reference`` and ``member`` may be left out, or empty. ``status`` is DONE,
REFUSED or PENDING. Totals count the rows that say DONE, one line for each operation that has some; ``#end`` counts all
rows. No cell has a line break. A file is believed whole or not at all.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from hub.errors import Failure, InvalidAmount
from hub.points import parse
from hub.reconciliation.matching import FILE_COLUMNS, ROW_BYTES_MAX, Matching, NotReadable

BYTES_MAX: Final = 2 << 30
_REQUIRED: Final = frozenset(FILE_COLUMNS) - {"member", "partner_reference"}
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


class Wrong(StrEnum):
    """Why a file is not believed."""

    UNREADABLE = "UNREADABLE"  # it is not there, or cannot be read
    TOO_LARGE = "TOO_LARGE"  # it, or one of its rows
    HEADER = "HEADER"
    ROW = "ROW"
    ENCODING = "ENCODING"
    CUT_SHORT = "CUT_SHORT"
    DIGEST = "DIGEST"
    TOTALS = "TOTALS"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    OTHER_DAY = "OTHER_DAY"


class FileRefused(Failure):
    """The file is not believed, and nothing of it counts."""

    def __init__(self, path: Path, wrong: Wrong, told: str) -> None:
        super().__init__(f"{path.name} is not believed ({wrong.value}): {told}.")
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read to its end, its rows put aside for matching. ``totals``: by operation, as it says."""

    path: Path
    rows: Path
    columns: tuple[str, ...]
    totals: dict[str, tuple[int, str]]
    digest: str


def read(path: Path, currency: str, day: date, aside: Path) -> Read:
    """Read a file, and put its rows into ``aside``. Its rows are looked at by ``take``.

    Raises:
        FileRefused: it is not of the agreed form, of another currency or of another day, or not what it was when its
            digest was made.
    """
    try:
        with path.open("rb") as source, aside.open("wb") as rows:
            if path.stat().st_size > BYTES_MAX:
                raise FileRefused(path, Wrong.TOO_LARGE, f"it is larger than {BYTES_MAX:,} octets")
            return _read(path, source, rows, currency, day, aside)
    except OSError as error:
        raise FileRefused(path, Wrong.UNREADABLE, error.strerror or type(error).__name__) from None


def take(found: Read, matching: Matching, scale: int) -> None:
    """Have the rows of a file matched.

    Raises:
        FileRefused: a row is not of the agreed form, or the totals are not those of the rows.
    """
    try:
        matching.take_file(found.rows, found.columns, scale)
    except NotReadable as error:
        raise FileRefused(found.path, Wrong.ROW, str(error)) from None
    sums = matching.totals()
    try:
        said = {operation: (count, parse(amount, scale)) for operation, (count, amount) in found.totals.items()}
    except InvalidAmount:
        raise FileRefused(found.path, Wrong.TOTALS, f"a total has no amount of {scale} decimals") from None
    if said != sums:
        wrong = sorted(word for word in said.keys() | sums.keys() if said.get(word) != sums.get(word))
        raise FileRefused(found.path, Wrong.TOTALS, f"its totals are not those of its rows: {', '.join(wrong)[:200]}")


def _read(path: Path, source: BinaryIO, rows: BinaryIO, currency: str, day: date, aside: Path) -> Read:
    lines = _lines(path, source)
    header = next(lines, b"")
    columns = _columns(path, header.removeprefix(b"\xef\xbb\xbf"))
    digest, count = hashlib.sha256(header), 0
    totals: dict[str, tuple[int, str]] = {}
    of: list[str] | None = None
    closing = False
    for line in lines:
        if not line.startswith(b"#"):
            if closing:
                raise FileRefused(path, Wrong.ROW, "a row comes after the totals")
            rows.write(line)
            digest.update(line)
            count += 1
            continue
        closing = True
        cells = _cells(path, line)
        match cells:
            case ["#total", operation, number, amount] if operation not in totals and number.isdecimal():
                totals[operation] = (int(number), amount)
            case ["#of", _, _] if of is None:
                of = cells[1:]
            case ["#end", number, told] if _DIGEST.fullmatch(told) and of is not None:
                _check_end(path, lines, (number, told), (count, digest.hexdigest()))
                _check_of(path, of, currency, day)
                return Read(path, aside, columns, {w: t for w, t in totals.items() if t[0]}, digest.hexdigest())
            case _:
                raise FileRefused(path, Wrong.ROW, "a line of its end is not of the agreed form")
        digest.update(line)
    raise FileRefused(path, Wrong.CUT_SHORT, "it has no end")


def _lines(path: Path, source: BinaryIO) -> Iterator[bytes]:
    """The lines, each bounded, and with nothing in it that would make one row of two."""
    while line := source.readline(ROW_BYTES_MAX + 1):
        if len(line) > ROW_BYTES_MAX:
            raise FileRefused(path, Wrong.TOO_LARGE, f"a row is longer than {ROW_BYTES_MAX} octets")
        if b"\0" in line or line.count(b'"') % 2 or b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
            raise FileRefused(path, Wrong.ROW, "a cell has a line break, a NUL or a lone quotation mark")
        if not line.isascii():
            try:
                line.decode()
            except UnicodeDecodeError:
                raise FileRefused(path, Wrong.ENCODING, "it is no UTF-8") from None
        yield line


def _cells(path: Path, line: bytes) -> list[str]:
    try:
        [cells] = csv.reader([line.decode().strip()], strict=True)
    except (ValueError, csv.Error):
        raise FileRefused(path, Wrong.ROW, "a line is no CSV") from None
    return cells


def _columns(path: Path, header: bytes) -> tuple[str, ...]:
    columns = tuple(_cells(path, header)) if header.strip() else ()
    if len(set(columns)) != len(columns) or not _REQUIRED <= set(columns) <= set(FILE_COLUMNS):
        raise FileRefused(path, Wrong.HEADER, f"its columns have to be {', '.join(FILE_COLUMNS)}")
    return columns


def _check_end(path: Path, lines: Iterator[bytes], said: tuple[str, str], found: tuple[int, str]) -> None:
    if any(line.strip() for line in lines):
        raise FileRefused(path, Wrong.ROW, "something comes after its end")
    if said[1].lower() != found[1]:
        raise FileRefused(path, Wrong.DIGEST, "its digest is of other contents")
    if said[0] != str(found[0]):
        raise FileRefused(path, Wrong.TOTALS, f"it has {found[0]} rows, and says {said[0][:20]}")


def _check_of(path: Path, of: list[str], currency: str, day: date) -> None:
    if of[0] != currency:
        raise FileRefused(path, Wrong.OTHER_CURRENCY, f"it is of {of[0][:40]!r} and not of {currency}")
    if of[1] != day.isoformat():
        raise FileRefused(path, Wrong.OTHER_DAY, f"it is of {of[1][:40]!r} and not of {day.isoformat()}")
