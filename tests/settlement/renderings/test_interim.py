"""Whatever is made of an interim statement says so, on every page, sheet and row."""

import csv
import io
from pathlib import Path

import duckdb
import pytest
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from settlement.renderings.formats import Format, render
from settlement.renderings.paper import Unrenderable
from settlement.renderings.words import Language, word
from settlement.report import build
from tests.settlement.bending import interim
from tests.settlement.renderings.reports import BANK_CASE, Case, many

BANK = Case(interim(BANK_CASE.report), BANK_CASE.lines)


def made(case: Case, to: Format, folder: Path, language: Language = "en", other: str | None = None) -> Path:
    render(build(case.report), case.file(folder), to, language, folder / "made", other)
    return folder / "made"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_says_so(tmp_path: Path, language: Language) -> None:
    long = many(120)
    pages = PdfReader(made(Case(interim(long.report), long.lines), "pdf", tmp_path, language)).pages
    assert len(pages) >= 3
    mark = "".join(word("interim", language).split())
    assert all(mark in "".join(page.extract_text().split()) for page in pages)
    first = "".join(pages[0].extract_text().split())
    for key, there in (("interim_report", True), ("as_of", True), ("closed_at", False), ("previous_digest", False)):
        assert ("".join(word(key, language).split()) in first) is there


def test_every_sheet_says_so(tmp_path: Path) -> None:
    long = many(600)  # its lines have a sheet of their own
    book = CalamineWorkbook.from_path(made(Case(interim(long.report), long.lines), "xlsx", tmp_path))
    assert book.sheet_names == ["INTERIM Interim statement", "INTERIM Lines"]
    assert book.get_sheet_by_index(0).to_python()[1][0] == word("interim", "en")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("other", [None, "AIR"])
def test_every_row_says_so(tmp_path: Path, language: Language, other: str | None) -> None:
    raw = made(BANK, "csv", tmp_path, language, other).read_text("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(raw, newline=""))
    assert head[0] == word("status", language)
    assert {row[0] for row in rows} == {word("interim", language)}
    render(build(BANK.report), None, "csv", language, tmp_path / "nets")
    assert all("INTERIM" in row for row in (tmp_path / "nets").read_text().splitlines()[1:])


def test_every_line_of_parquet_says_so(tmp_path: Path) -> None:
    path = made(BANK, "parquet", tmp_path)
    with duckdb.connect(":memory:") as connection:
        found = connection.execute("SELECT status, amount FROM read_parquet($1)", [str(path)]).fetchall()
        [(key, value)] = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()
    assert [status for status, _ in found] == ["INTERIM"] * len(BANK.lines)
    assert (key, value) == (b"interim_statement", BANK.digest.encode())


def test_a_bank_is_told_nothing_that_is_not_booked(tmp_path: Path) -> None:
    with pytest.raises(Unrenderable, match="books nothing"):
        made(BANK, "camt053", tmp_path)


def test_a_report_is_not_marked(tmp_path: Path) -> None:
    rows = made(BANK_CASE, "csv", tmp_path).read_text("utf-8-sig").splitlines()
    assert "INTERIM" not in "".join(rows)
    assert not rows[0].startswith(word("status", "en"))
