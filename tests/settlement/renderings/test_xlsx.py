from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from python_calamine import CalamineWorkbook

from settlement.renderings import xlsx as module
from settlement.renderings.amounts import instant
from settlement.renderings.paper import Amount, Cell, Code, Paper, Word
from settlement.renderings.words import WORDS, Language, word
from settlement.renderings.xlsx import xlsx
from tests.settlement.renderings.reports import BANK_CASE, SUMMARY_CASE, Case, cases, many


def sheets(paper: Paper, folder: Path, language: Language = "en") -> list[list[list[Any]]]:
    path = folder / "paper.xlsx"
    xlsx(paper, language, path)
    book = CalamineWorkbook.from_path(path)
    return [book.get_sheet_by_index(place).to_python() for place in range(len(book.sheet_names))]


def is_shown(cell: Cell, found: Any) -> bool:
    """Whether what was read is the cell, in English; figures to the last digit."""
    match cell:
        case None:
            return bool(found == "")
        case Word(key):
            return bool(found == word(key, "en"))
        case Amount(text, _):
            return Decimal(found if isinstance(found, str) else repr(found)) == Decimal(text)
        case Code(text):
            return bool(found == text)
        case int():
            return bool(found == cell)
        case str():
            return bool(found == cell)
    return bool(found == instant(cell))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cases())
def test_every_fact_and_every_row_is_read_again(tmp_path: Path, case: Case) -> None:
    paper = case.paper(tmp_path)
    [sheet] = sheets(paper, tmp_path)
    rows = iter(sheet[1:])
    for key, cell in paper.facts:
        label, found, *_ = next(rows)
        assert label == word(key, "en")
        assert is_shown(cell, found)
    for table in paper.tables:
        next(rows)
        assert next(rows)[0] == word(table.title.key, "en")
        assert next(rows)[: len(table.columns)] == [word(column, "en") for column in table.columns]
        for row in (*table.rows, *table.totals):
            assert all(is_shown(cell, found) for cell, found in zip(row, next(rows), strict=False))
    assert list(rows) == []


def test_figures_are_numbers_up_to_fifteen_digits_and_texts_beyond(tmp_path: Path) -> None:
    case = many(2)
    [sheet] = sheets(case.paper(tmp_path), tmp_path)
    # 1.00 + 1.010007 = 2.010007 CNY
    assert 2.010007 in [row[3] for row in sheet]
    big = SUMMARY_CASE.paper(tmp_path)
    figure = "1234567890.123456"  # sixteen digits
    rows = [("BANK", "CNY", None, Amount(figure, "CNY"))]
    [sheet] = sheets(replace(big, tables=(replace(big.tables[0], rows=rows),)), tmp_path)
    assert figure in [cell for row in sheet for cell in row]


def test_nothing_is_a_formula_or_a_link(tmp_path: Path) -> None:
    path = tmp_path / "paper.xlsx"
    xlsx(many(3).paper(tmp_path), "zh", path)
    with ZipFile(path) as archive:
        written = b"".join(archive.read(name) for name in archive.namelist() if name.startswith("xl/"))
    assert b"<f>" not in written
    assert b"hyperlink" not in written


def test_a_long_table_goes_on_in_another_sheet_with_its_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_MAX", 400)
    _, *parts = sheets(many(900).paper(tmp_path), tmp_path)
    assert [len(part) for part in parts] == [401, 401, 101]
    assert len({tuple(part[0]) for part in parts}) == 1
    assert [row[0] for part in parts for row in part[1:]] == list(range(1, 901))


def test_another_language_changes_labels_and_nothing_else(tmp_path: Path) -> None:
    pairs = set(WORDS.values())
    for case in (BANK_CASE, SUMMARY_CASE):
        english, chinese = (sheets(case.paper(tmp_path), tmp_path, language) for language in ("en", "zh"))
        cells = [
            pair
            for here, there in zip(english, chinese, strict=True)
            for rows in zip(here, there, strict=True)
            for pair in zip(*rows, strict=True)
        ]
        assert all(here == there or (here, there) in pairs for here, there in cells)
