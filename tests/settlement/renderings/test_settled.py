"""Renderings of a window that is settled in one currency: each shows what nets have become, and what is to be paid."""

from pathlib import Path
from xml.etree import ElementTree

from pyiso20022.camt.camt_053_001_08.camt_053_001_08 import Document

from settlement.renderings.amounts import grouped
from settlement.renderings.bilateral import bilateral
from settlement.renderings.camt053 import NAMESPACE, camt053
from settlement.renderings.paper import Amount, Code, Paper, Word
from settlement.renderings.pdf import pdf
from settlement.renderings.statement import statement
from settlement.report import build
from tests.settlement.renderings.reports import Case
from tests.settlement.renderings.test_camt053 import PARSER, SPACE, faults, signed, text
from tests.settlement.renderings.test_csv_file import read
from tests.settlement.renderings.test_pdf import pages
from tests.settlement.renderings.test_xlsx import sheets
from tests.settlement.test_fx import LEGS, REPORTS, SETTLEMENT
from tests.settlement.test_verify_levels import raw

EXCHANGES = [
    [one[of] for of in ("institution", "currency", "net", "rate", "rateId", "source", "quotedOn", "into", "value")]
    for one in ({**line, "into": "CNY"} for line in SETTLEMENT.document()["exchanges"])
]


def case(code: str) -> Case:
    return Case(REPORTS[code], tuple(raw(None if code == "HUB" else code, LEGS)))


def shown(paper: Paper, title: str) -> list[list[str]]:
    [table] = [table for table in paper.tables if table.title == Word(title)]
    return [
        [cell.text if isinstance(cell, Amount | Code) else str(cell) for cell in row]
        for row in (*table.rows, *table.totals)
    ]


def test_papers_show_every_exchange_with_its_rate_and_what_is_to_be_paid(tmp_path: Path) -> None:
    paper = case("HUB").paper(tmp_path)
    assert shown(paper, "exchanges") == EXCHANGES
    assert shown(paper, "payables") == [
        ["AIR", "CNY", "213.89"],
        ["BANK", "CNY", "-889.69"],
        ["SHOP", "CNY", "675.80"],
        ["Word(key='total')", "CNY", "0.00"],
    ]
    assert shown(case("BANK").paper(tmp_path), "exchanges") == [row for row in EXCHANGES if row[0] == "BANK"]
    assert shown(case("BANK").paper(tmp_path), "payables") == [["BANK", "CNY", "-889.69"]]
    assert {table.title.key for table in case("DESK").paper(tmp_path).tables} & {"exchanges", "payables"} == set()
    printed = "".join(pages(pdf(paper, "zh")))
    for row in EXCHANGES:
        assert all(grouped(figure, "zh") in printed for figure in (row[2], row[3], row[8]))
        assert row[4] in printed
    [sheet] = sheets(paper, tmp_path)
    first = ["AIR", "JPY", 1031.0, 0.0482, "fx_2", "PBOC", "2026-01-14", "CNY", 49.69]
    assert first in [line[:9] for line in sheet]
    assert ["BANK", "CNY", -889.69] in [line[:3] for line in sheet]


def test_the_file_of_one_table_has_all_of_it_beside_the_nets() -> None:
    head, *rows = read(statement(build(REPORTS["HUB"])))
    assert head[10:] == [
        "Rate",
        "Rate's version",
        "Published by",
        "Published for",
        "Exchanged into",
        "Value",
        "To be paid",
    ]
    made = {(row[0], row[1]): row[9:] for row in rows}
    assert made["BANK", "CNY"] == ["-1200.00", "", "", "", "", "", "", "-889.69"]
    assert made["BANK", "USD"] == ["50.00", "7.2", "fx_1", "PBOC", "2026-01-14", "CNY", "360.00", ""]
    assert made["DESK", "CNY"] == ["-1200.00", "", "", "", "", "", "", ""]  # goes to BANK
    assert made["AIR", "CNY"] == ["", "", "", "", "", "", "", "213.89"]  # has no net in it
    assert len(read(statement(build(REPORTS["DESK"])))[0]) == 10


def test_the_cash_leg_is_what_is_to_be_paid() -> None:
    for code, due in (("HUB", {"AIR": "213.89", "BANK": "-889.69", "SHOP": "675.80"}), ("BANK", {"BANK": "-889.69"})):
        message = camt053(build(REPORTS[code]))
        assert list(faults(PARSER.from_bytes(message, Document))) == []
        statements = ElementTree.fromstring(message).findall("c:BkToCstmrStmt/c:Stmt", SPACE)
        booked = {text(one, "Acct/Id/Othr/Id"): signed(one.findall("c:Ntry", SPACE)[0]) for one in statements}
        assert booked == {of: (amount, "CNY") for of, amount in due.items()}
    desk = ElementTree.fromstring(camt053(build(REPORTS["DESK"])))
    assert len(list(desk.iter(f"{{{NAMESPACE}}}Ntry"))) == 2  # its nets go to BANK, each in its own currency


def test_balances_of_two_are_shown_at_the_rates_the_same_from_both_sides(tmp_path: Path) -> None:
    # SHOP owes AIR 7 KWD, 7 × 23.45678 = 164.19746
    for code, other, sign in (("SHOP", "AIR", "-"), ("AIR", "SHOP", "")):
        paper = bilateral(build(REPORTS[code]), case(code).file(tmp_path), other)
        assert shown(paper, "balances_worth") == [
            ["KWD", f"{sign}7.000", "23.45678", "fx_3", f"{sign}164.19746"],
            ["Word(key='total')", "None", "None", "None", f"{sign}164.19746"],
        ]
    desk = bilateral(build(REPORTS["DESK"]), case("DESK").file(tmp_path), "AIR")
    assert len(desk.tables) == 2  # its report names no rate
