"""Sheets: a statement as CSV (RFC 4180, UTF-8), for machines and, with labels, for people.

A header, a row of kind OPENING at the period's beginning, a row for each line, the oldest first, and a row of kind
CLOSING at its end: a sheet without that one was cut off. Amounts are exact, with all the digits of the currency's
scale, the same in every language; labels change words only. A memo that a spreadsheet would take for a formula gets an
apostrophe before it.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final

from hub.currencies import PointCurrency
from hub.points import render
from hub.spreadsheets import harmless
from hub.statements import Entry, Statement
from schema.faults import BadInput
from schema.labels import label
from schema.messages import Language
from schema.movements import direction, entry_id
from schema.scalars import show_datetime

COLUMNS: Final = ("posted_at", "id", "kind", "direction", "amount", "balance_after", "memo", "sequence")
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it spreadsheets take UTF-8 for another encoding


async def sheet(
    of: Statement,
    starts: datetime,
    until: datetime,
    currency: PointCurrency,
    pages: AsyncIterator[list[Entry]],
    labels: Language | None,
) -> AsyncIterator[bytes]:
    """The sheet of a statement, piece by piece; ``pages`` are its entries. No labels: words are those of the API."""

    def word(text: str) -> str:
        return text if labels is None else label(text, labels)

    def balance(at: datetime, kind: str, units: int) -> list[str]:
        return [show_datetime(at), "", word(kind), "", "", render(units, currency.scale), "", ""]

    def line(entry: Entry) -> list[str]:
        return [
            show_datetime(entry.at),
            entry_id(entry),
            word(entry.kind.name),
            word(direction(entry)),
            render(entry.amount, currency.scale),
            render(entry.balance, currency.scale),
            harmless(entry.memo or ""),
            str(entry.movement),
        ]

    head = _rows([[word(column) for column in COLUMNS], balance(starts, "OPENING", of.opening)])
    yield head if labels is None else _BOM.encode() + head
    async for page in pages:
        yield _rows(map(line, page))
    yield _rows([balance(until, "CLOSING", of.closing)])


def language(asked: str | None) -> Language | None:
    """The language that a request asks for by name; None: it asks for none.

    Raises:
        BadInput: it is another one.
    """
    match asked:
        case None | "en" | "zh":
            return asked
    raise BadInput("A language is en or zh.")


def _rows(rows: Iterable[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
