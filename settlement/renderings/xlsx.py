"""A paper as a workbook: a sheet with its facts and its short tables, and a sheet for each long one.

A figure is a number where a spreadsheet keeps all of its digits, and shown with those that it has; beyond 15 digits it
would lose some, so there it is a text, marked by its colour. Nothing is ever a formula or a link. The same paper gives
the same bytes, and rows are written as they come, so memory does not grow with them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import xlsxwriter

from settlement.renderings.amounts import instant
from settlement.renderings.paper import Amount, Cell, Code, Paper, Row, Table, Word
from settlement.renderings.words import Language, word

DIGITS_MAX: Final = 15  # that a spreadsheet keeps of a number
ROWS_MAX: Final = 1_000_000  # of a sheet, with room for its head; a longer table goes on in another one
_LONG: Final = 500  # rows from which on a table has a sheet of its own
_WIDTH: Final = 18


def xlsx(paper: Paper, language: Language, path: Path) -> None:
    """Write the workbook to ``path``."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        dated = paper.dated.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        book.set_properties({"title": word(paper.title.key, language), "comments": paper.seal or "", "created": dated})
        _Writer(book, language, paper.mark).paper(paper)


class _Writer:
    """Writes into one workbook."""

    def __init__(self, book: Any, language: Language, mark: Word | None) -> None:
        self._book = book
        self._language = language
        self._mark = None if mark is None else word(mark.key, language)
        self._title = book.add_format({"font_size": 16, "font_color": "#1D3A5F"})
        self._faint = book.add_format({"font_color": "#5C6773"})
        self._head = book.add_format({"bg_color": "#EAF0F6", "font_color": "#1D3A5F", "bottom": 1, "text_wrap": True})
        self._text = book.add_format({"num_format": "@"})
        self._exact = book.add_format({"num_format": "@", "align": "right", "bg_color": "#FFF3D6"})
        self._numbers: dict[int, Any] = {}

    def paper(self, paper: Paper) -> None:
        sheet = self._sheet(word(paper.title.key, self._language))
        row = 0
        sheet.write_string(row, 0, word(paper.title.key, self._language), self._title)
        if self._mark is not None:
            row += 1
            sheet.write_string(row, 0, self._mark, self._exact)
        for key, cell in paper.facts:
            row += 1
            sheet.write_string(row, 0, word(key, self._language), self._faint)
            self._cell(sheet, row, 1, cell)
        row += 1
        for table in paper.tables:
            if table.count <= _LONG:
                row = self._table(sheet, row + 1, table)
        for table in paper.tables:
            if table.count > _LONG:
                self._long(table)

    def _sheet(self, name: str) -> Any:
        prefix = "" if self._mark is None else f"{word('interim_sheet', self._language)} "
        sheet = self._book.add_worksheet(f"{prefix}{name}"[:31])
        if self._mark is not None:
            sheet.set_header(f"&C{self._mark}")
        sheet.set_column(0, 30, _WIDTH)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        return sheet

    def _table(self, sheet: Any, row: int, table: Table) -> int:
        sheet.write_string(row, 0, word(table.title.key, self._language), self._title)
        row = self._heads(sheet, row + 1, table)
        row = self._rows(sheet, row, iter(table.rows))
        return self._rows(sheet, row, iter(table.totals))

    def _long(self, table: Table) -> None:
        """A table in sheets of its own, each with its head, which stays in sight and on every printed page."""
        rows, number = iter(table.rows), 1
        while number == 1 or (number - 1) * ROWS_MAX < table.count:
            title = word(table.title.key, self._language)
            sheet = self._sheet(title if number == 1 else f"{title} {number}")
            sheet.freeze_panes(1, 0)
            sheet.repeat_rows(0)
            self._rows(sheet, self._heads(sheet, 0, table), islice(rows, ROWS_MAX))
            number += 1

    def _heads(self, sheet: Any, row: int, table: Table) -> int:
        for column, key in enumerate(table.columns):
            sheet.write_string(row, column, word(key, self._language), self._head)
        return row + 1

    def _rows(self, sheet: Any, row: int, rows: Iterator[Row]) -> int:
        for cells in rows:
            for column, cell in enumerate(cells):
                self._cell(sheet, row, column, cell)
            row += 1
        return row

    def _cell(self, sheet: Any, row: int, column: int, cell: Cell) -> None:
        match cell:
            case None:
                return
            case Amount(text, _):
                self._figure(sheet, row, column, text)
            case int():
                self._figure(sheet, row, column, str(cell))
            case Word(key):
                sheet.write_string(row, column, word(key, self._language))
            case datetime():
                sheet.write_string(row, column, instant(cell), self._text)
            case Code(text) | str(text):
                sheet.write_string(row, column, text, self._text)

    def _figure(self, sheet: Any, row: int, column: int, text: str) -> None:
        whole, _, fraction = text.lstrip("-").partition(".")
        if len(whole.lstrip("0")) + len(fraction) > DIGITS_MAX:
            sheet.write_string(row, column, text, self._exact)
        else:
            sheet.write_number(row, column, Decimal(text), self._number(len(fraction)))

    def _number(self, digits: int) -> Any:
        if digits not in self._numbers:
            shape = "#,##0" + (f".{'0' * digits}" if digits else "")
            self._numbers[digits] = self._book.add_format({"num_format": shape})
        return self._numbers[digits]
