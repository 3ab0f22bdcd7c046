"""A table as CSV: RFC 4180, UTF-8 with a byte order mark, in the language's words.

Amounts are the exact texts of what was signed, without grouping and not rounded, the same in every language. A name or
code that a spreadsheet would take for a formula gets an apostrophe before it (``hub.spreadsheets``).
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any, Final

from hub.spreadsheets import harmless
from settlement.renderings.amounts import instant
from settlement.renderings.paper import Amount, Cell, Code, Table, Word
from settlement.renderings.words import Language, word

_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it spreadsheets take UTF-8 for another encoding
_PIECE_ROWS: Final = 100  # few enough that their cells are gone before the garbage collector looks at them

_harmless = lru_cache(maxsize=65_536)(harmless)
_instant = lru_cache(maxsize=65_536)(instant)
_text = attrgetter("text")


def csv_pieces(table: Table, language: Language, mark: Word | None = None) -> Iterator[bytes]:
    """The file, piece by piece; with a ``mark`` each row begins with it."""
    spell: dict[type, Callable[[Any], Any]] = {
        str: _harmless,
        Amount: _text,
        Code: _text,
        Word: cache(lambda cell: word(cell.key, language)),
        datetime: _instant,
    }
    columns, rows = table.columns, iter(table.rows)
    if mark is not None:
        columns, rows = ("status", *columns), ((mark, *row) for row in rows)
    yield (_BOM + _written([[word(column, language) for column in columns]])).encode()
    while piece := list(islice(rows, _PIECE_ROWS)):
        yield _written(zip(*(_spelled(column, spell) for column in zip(*piece, strict=True)), strict=True)).encode()


def _spelled(column: Sequence[Cell], spell: Mapping[type, Callable[[Any], Any]]) -> Iterable[Any]:
    """The cells of a column as the writer takes them, which spells whole numbers and nothing by itself. By columns,
    because most have cells of one kind, and ten million lines have two hundred and forty million cells."""
    kinds = set(map(type, column))
    if kinds.isdisjoint(spell):
        return column
    if len(kinds) == 1:
        return map(spell[kinds.pop()], column)
    return [spell[type(cell)](cell) if type(cell) in spell else cell for cell in column]


def _written(rows: Iterable[Iterable[Any]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
