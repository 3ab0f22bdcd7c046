import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from hub.spreadsheets import harmless
from settlement.renderings.csv_file import csv_pieces
from settlement.renderings.line_file import COLUMNS
from settlement.renderings.paper import Paper
from settlement.renderings.statement import statement
from settlement.renderings.words import WORDS, Language, word
from tests.settlement.renderings.reports import BANK_CASE, SUMMARY_CASE, Case, cases


def read(paper: Paper, language: Language = "en") -> list[list[str]]:
    raw = b"".join(csv_pieces(paper.table, language)).decode("utf-8-sig")
    assert raw.endswith("\r\n")
    return list(csv.reader(io.StringIO(raw, newline=""), strict=True))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_lines_are_read_again_as_they_were_signed(tmp_path: Path, case: Case) -> None:
    head, *rows = read(case.paper(tmp_path))
    assert head == [word(column, "en") for column in COLUMNS]
    labels = {"convert": "Conversion", "redeem": "Redemption", "reverse": "Reversal", "correct": "Correction"}
    for number, (row, line) in enumerate(zip(rows, case.said, strict=True), start=1):
        first, second = [{"amount": "", "currency": ""}] * (2 - len(line.get("points", ()))) + line.get("points", [])
        expected = [
            *(str(number), line["at"].replace("T", " ")[:19], line["movement"], str(line["leg"])),
            *(labels.get(line["kind"], line["kind"]), line["purpose"].title()),
            *(harmless(line["from"]), harmless(line["to"]), line["currency"], line["amount"]),
            *(first["amount"], harmless(first["currency"]), second["amount"], harmless(second["currency"])),
            *(line["reverses"] or "", line.get("terms", ""), line.get("price", "")),
            *(line.get("share", {}).get(of, "") for of in ("plan", "fee", "kept")),
            harmless(line.get("invoice", "")),
            *(str(line.get("corrects", {}).get(of, "")) for of in ("dispute", "movement", "leg")),
        ]
        assert row == expected
        assert not any(cell.startswith(("=", "+", "-", "@", "＝")) for cell in row)


@settings(max_examples=30)
@given(cases())
def test_without_lines_the_nets_are_read_again(case: Case) -> None:
    _, *rows = read(statement(case.payload))
    for row, net in zip(rows, case.nets, strict=True):
        assert (row[0], row[1], *row[3:5], *row[7:]) == (
            *(harmless(net["institution"]), net["currency"], net["own"]["debit"], net["own"]["credit"]),
            *(net["debit"], net["credit"], net["net"]),
        )


def test_another_language_changes_labels_and_nothing_else(tmp_path: Path) -> None:
    pairs = set(WORDS.values())
    for paper in (BANK_CASE.paper(tmp_path), SUMMARY_CASE.paper(tmp_path), statement(SUMMARY_CASE.payload)):
        english, chinese = read(paper, "en"), read(paper, "zh")
        assert [len(row) for row in english] == [len(row) for row in chinese]
        cells = [pair for rows in zip(english, chinese, strict=True) for pair in zip(*rows, strict=True)]
        assert all(here == there or (here, there) in pairs for here, there in cells)
        assert any(here != there for here, there in cells)
