"""Formats: which files a report can be rendered as, and the one way to have one made.

Input is a payload and a file of its lines, both verified before; output is a file. Nothing here asks a database or a
network, and nothing of the machine goes into what is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from settlement.renderings.bilateral import bilateral
from settlement.renderings.camt053 import camt053
from settlement.renderings.csv_file import csv_pieces
from settlement.renderings.line_file import LineFile
from settlement.renderings.paper import Paper, Table, Unrenderable, Word
from settlement.renderings.parquet import parquet
from settlement.renderings.pdf import ROWS_MAX, pdf
from settlement.renderings.statement import known, mark_of, statement
from settlement.renderings.words import Language
from settlement.renderings.xlsx import xlsx
from settlement.report import digest

Format = Literal["pdf", "xlsx", "csv", "parquet", "camt053"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file of a format is called and served as."""

    suffix: str
    media: str


FORMATS: Final[Mapping[Format, Kind]] = {
    "pdf": Kind("pdf", "application/pdf"),
    "xlsx": Kind("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "csv": Kind("csv", "text/csv; charset=utf-8; header=present"),
    "parquet": Kind("parquet", "application/vnd.apache.parquet"),
    "camt053": Kind("xml", "application/xml"),
}


def has_interim(format: Format) -> bool:
    """Whether an interim statement can be such a file: a bank's message is of what is booked."""
    return format != "camt053"


XLSX_LINES_MAX: Final = 100_000  # that a hub puts into a workbook; whoever has the lines can put in more


@dataclass(frozen=True, slots=True)
class File:
    """A file that a hub makes of a report: of its lines, with them up to so many, or without."""

    format: Format
    lines_max: int | None  # None: however many

    def has_lines(self, count: int) -> bool:
        return self.lines_max is None or count <= self.lines_max


FILES: Final[Mapping[str, File]] = {
    "report.pdf": File("pdf", ROWS_MAX),
    "report.xlsx": File("xlsx", XLSX_LINES_MAX),
    "report.csv": File("csv", -1),
    "report.xml": File("camt053", -1),
    "lines.csv": File("csv", None),
    "lines.parquet": File("parquet", None),
}
BILATERAL: Final = ("report.pdf", "report.xlsx", "lines.csv")  # those that a bilateral statement can be


def render(
    payload: bytes, lines: Path | None, to: Format, language: Language, target: Path, counterparty: str | None = None
) -> None:
    """Write the report that ``payload`` is, with its ``lines`` where they are given, to ``target``.

    Parquet is of the lines alone, camt.053 of the cash leg alone, CSV of the lines where they are given and else of the
    nets; the others have all of it. Only words depend on ``language``. With a ``counterparty`` it is the bilateral
    statement of the report's institution and that one, by the lines.

    Raises:
        Unrenderable: the report does not fit into such a file.
    """
    if counterparty is not None:
        if lines is None or to == "parquet" or to == "camt053":
            raise Unrenderable("a bilateral statement is of lines, as PDF, XLSX or CSV")
        write(bilateral(payload, lines, counterparty), to, language, target)
        return
    match to:
        case "parquet":
            if lines is None:
                raise Unrenderable("Parquet is of the lines, and there are none given")
            parquet(lines, digest(payload), target, interim=known(payload).form.is_interim)
        case "camt053":
            target.write_bytes(camt053(payload))
        case _:
            report = known(payload)
            given = None if lines is None else LineFile(lines, report.lines.count)
            if to == "csv" and given is not None:
                _write_csv(given.table(), mark_of(report), language, target)  # without adding them up
            else:
                write(statement(payload, given), to, language, target)


def write(paper: Paper, to: Literal["pdf", "xlsx", "csv"], language: Language, target: Path) -> None:
    """Write a paper to ``target``."""
    match to:
        case "pdf":
            target.write_bytes(pdf(paper, language))
        case "xlsx":
            xlsx(paper, language, target)
        case "csv":
            _write_csv(paper.table, paper.mark, language, target)


def _write_csv(table: Table, mark: Word | None, language: Language, target: Path) -> None:
    with target.open("wb") as file:
        file.writelines(csv_pieces(table, language, mark))
