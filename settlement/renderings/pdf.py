"""A paper as PDF: A4, tables that break over pages under repeated heads, the digest and a QR code of it.

PDF/A-2u, and the same bytes whenever it is made of the same paper: nothing of the machine, its clock or its fonts goes
into it. Only the font that comes along is used (GB 2312, Latin, Greek, Cyrillic); a character that it lacks stands as
its code point, so that nothing is left out unseen. Long tables are not printed: more than ``ROWS_MAX`` rows are said to
be in other files.
"""

import io
import json
import struct
from collections.abc import Container, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import segno
import typst

from settlement.renderings.amounts import grouped, instant
from settlement.renderings.paper import Amount, Cell, Code, Paper, Table, Word
from settlement.renderings.words import LANGUAGES, Language, word

ROWS_MAX: Final = 2_000
STANDARD: Final = "a-2u"
_HERE: Final = Path(__file__).parent
_FONTS: Final = _HERE / "fonts"
_FONT: Final = _FONTS / "NotoSansSC-GB2312.otf"
_LAYOUT: Final = _HERE / "paper.typ"
_COLUMNS_MAX: Final = 10  # of which each has all the room that it needs
_BREAK_AFTER: Final = 12  # of a text without spaces, so that it fits into a cell
_ZERO_WIDTH_SPACE: Final = "\u200b"


def pdf(paper: Paper, language: Language) -> bytes:
    """The paper's PDF."""
    made = typst.compile(
        _LAYOUT.read_bytes(),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"paper": json.dumps(_document(paper, language), ensure_ascii=False)},
        pdf_standards=STANDARD,
        pdf_tags=False,
        timestamp=int(paper.dated.timestamp()),
    )
    if not isinstance(made, bytes):
        raise AssertionError("one document is one file")
    return made


def _document(paper: Paper, language: Language) -> dict[str, Any]:
    dated: datetime = paper.dated.astimezone(UTC)
    locale = LANGUAGES[language].split("-")
    facts = dict(paper.facts)
    mark = None if paper.mark is None else word(paper.mark.key, language)
    foot = [mark or ""] + [_shown(facts.get(key), language) for key in ("hub", "institution")] + [paper.seal or ""]
    return {
        "title": word(paper.title.key, language),
        "mark": mark,
        "of": _visible(paper.of),
        "hub": str(facts.get("hub", "")),
        "lang": locale[0],
        "region": locale[-1] if len(locale) > 1 else "GB",
        "dated": {"year": dated.year, "month": dated.month, "day": dated.day},
        "page": word("page", language),
        "foot": " · ".join(part for part in foot if part),
        "facts": [(word(key, language), _shown(cell, language)) for key, cell in paper.facts],
        "seal": paper.seal,
        "qr": None if paper.seal is None else _qr(paper.seal),
        "tables": [_table(table, language) for table in paper.tables],
    }


def _table(table: Table, language: Language) -> dict[str, Any]:
    printed = table.count <= ROWS_MAX
    remark = None if table.count else word("none", language)
    if not printed:
        remark = word("not_printed", language).format(count=grouped(str(table.count), language))
    crowded = len(table.columns) > _COLUMNS_MAX
    rows = list(table.rows) if printed else []
    # Of many columns those in which nothing stands make room for the others.
    told = [place for place in range(len(table.columns)) if not crowded or any(row[place] is not None for row in rows)]
    columns = [table.columns[place] for place in told]
    shown = [[_shown(row[place], language) for place in told] for row in rows]
    totals = [[_shown(row[place], language) for place in told] for row in table.totals]
    return {
        "title": word(table.title.key, language),
        "remark": remark,
        "size": 6 if crowded else 7.5,
        "heads": [word(column, language) for column in columns],
        "right": [column in table.numbers for column in columns],
        # What the others leave of the page may be nothing, where there are many: then each has what its texts need.
        "widths": [int(column in table.wide and not crowded) for column in columns],
        "decimals": _decimals([*shown, *totals], columns, table.numbers),
        "rows": shown,
        "totals": totals,
    }


def _decimals(rows: Iterable[list[str]], columns: Sequence[str], numbers: Container[str]) -> list[int]:
    """How many digits stand behind the point in each column, at the most: points are to stand below one another."""
    most = [0] * len(columns)
    places = [place for place, column in enumerate(columns) if column in numbers]
    for row in rows:
        for place in places:
            most[place] = max(most[place], len(row[place].partition(".")[2]))
    return most


def _shown(cell: Cell, language: Language) -> str:
    match cell:
        case None:
            return "–"
        case Word(key):
            return word(key, language)
        case Amount(text, _):
            return grouped(text, language)
        case Code(text):
            return text if len(text) > 40 else _broken(text)
        case datetime():
            return instant(cell)
        case int():
            return grouped(str(cell), language)
    return _broken(_visible(cell))


def _visible(text: str) -> str:
    """``text`` with the code points of what the font lacks."""
    has = _covered()
    return "".join(char if ord(char) in has else f"[U+{ord(char):04X}]" for char in text)


def _broken(text: str) -> str:
    """``text`` that can be broken within long words; Chinese can be anyhow."""
    parts = []
    for part in text.split(" "):
        if part.isascii() and len(part) > _BREAK_AFTER:
            part = _ZERO_WIDTH_SPACE.join(part[at : at + _BREAK_AFTER] for at in range(0, len(part), _BREAK_AFTER))
        parts.append(part)
    return " ".join(parts)


def _qr(text: str) -> str:
    written = io.BytesIO()
    segno.make_qr(text, error="m").save(written, kind="svg", border=2, dark="#000", light=None, svgns=True)
    return written.getvalue().decode()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_FONTS)])


@cache
def _covered() -> frozenset[int]:
    """The code points that the font has glyphs for: the groups of its table ``cmap`` of format 12."""
    font = _FONT.read_bytes()
    [tables] = struct.unpack_from(">H", font, 4)
    found: set[int] = set()
    for table in range(tables):
        tag, _, at, _ = struct.unpack_from(">4sIII", font, 12 + 16 * table)
        if tag != b"cmap":
            continue
        [encodings] = struct.unpack_from(">H", font, at + 2)
        for encoding in range(encodings):
            [offset] = struct.unpack_from(">I", font, at + 8 + 8 * encoding)
            if struct.unpack_from(">H", font, at + offset) != (12,):
                continue
            [groups] = struct.unpack_from(">I", font, at + offset + 12)
            for group in range(groups):
                first, last, _ = struct.unpack_from(">III", font, at + offset + 16 + 12 * group)
                found.update(range(first, last + 1))
    return frozenset(found)
