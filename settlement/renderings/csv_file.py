"""A table as CSV: RFC 4180, UTF-8 with a byte order mark, in the language's words.

Amounts are the exact texts of what was signed, without grouping and not rounded, the same in every language. A name or
code that a spreadsheet would take for a formula gets an apostrophe before it (``hub.spreadsheets``).
"""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from types import NoneType
from typing import Any, Final

from hub.spreadsheets import harmless
from settlement.renderings.amounts import instant
from settlement.renderings.paper import Amount, Code, Table, Word
from settlement.renderings.words import Language, word

_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it spreadsheets take UTF-8 for another encoding
_PIECE_ROWS: Final = 2_000

_harmless = lru_cache(maxsize=65_536)(harmless)
_word = lru_cache(maxsize=1_024)(word)
_instant = lru_cache(maxsize=65_536)(instant)
_text = attrgetter("text")


def csv_pieces(table: Table, language: Language, mark: Word | None = None) -> Iterator[bytes]:
    """The file, piece by piece; with a ``mark`` each row begins with it."""
    # A table of ten million lines has a hundred and fifty million cells.
    spell: dict[type, Callable[[Any], str]] = {
        str: _harmless,
        NoneType: lambda cell: "",
        Amount: _text,
        Code: _text,
        Word: lambda cell: _word(cell.key, language),
        datetime: _instant,
        int: str,
    }

    marked = [] if mark is None else [word(mark.key, language)]
    heads = [word(column, language) for column in (*("status" for _ in marked), *table.columns)]
    yield (_BOM + _written([heads])).encode()
    rows = iter(table.rows)
    while piece := [[*marked, *(spell[type(cell)](cell) for cell in row)] for row in islice(rows, _PIECE_ROWS)]:
        yield _written(piece).encode()


def _written(rows: list[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
