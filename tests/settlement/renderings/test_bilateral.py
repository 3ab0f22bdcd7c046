from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from hub.money import parse_millionths
from settlement.renderings.bilateral import bilateral
from settlement.renderings.csv_file import csv_pieces
from settlement.renderings.formats import render
from settlement.renderings.paper import Amount, Unrenderable
from settlement.report import build
from tests.settlement.renderings.reports import BANK_CASE, SUMMARY_CASE, Case, cases, of
from tests.settlement.test_verify import LEGS, report


def balances(case: Case, other: str, folder: Path) -> list[tuple[object, ...]]:
    paper = bilateral(case.payload, case.file(folder), other)
    return [tuple(cell.text if isinstance(cell, Amount) else cell for cell in row) for row in paper.tables[0].rows]


def test_two_institutions_statements_say_the_same_from_both_sides(tmp_path: Path) -> None:
    air = of(report("institution", "AIR"), LEGS)
    # 0.0048 + 50 CNY by two lines of BANK's to AIR.
    assert balances(BANK_CASE, "AIR", tmp_path) == [("CNY", 2, "50.0048", "0.00", "-50.0048")]
    assert balances(air, "BANK", tmp_path) == [("CNY", 2, "0.00", "50.0048", "50.0048")]
    assert balances(air, "SHOP", tmp_path) == [("CNY", 1, "30.00", "0.00", "-30.00"), ("JPY", 1, "7", "0", "-7")]
    assert balances(SUMMARY_CASE, "BANK", tmp_path) == [("CNY", 1, "0.00", "0.004", "0.004")]
    assert balances(BANK_CASE, "NOBODY", tmp_path) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_all_bilateral_balances_of_an_institution_are_its_own_debit_and_credit(tmp_path: Path, case: Case) -> None:
    code = case.report.institution.code
    others = {line[side] for line in case.said for side in ("from", "to")} - {code}
    sums: dict[object, list[int]] = {}
    for other in others:
        for currency, _, owes, owed, _ in balances(case, other, tmp_path):
            found = sums.setdefault(currency, [0, 0])
            found[0] += parse_millionths(str(owes))
            found[1] += parse_millionths(str(owed))
    own = [net for net in case.report.nets if net.institution == code]
    assert sums == {net.currency: [net.debit_millionths, net.credit_millionths] for net in own}


def test_its_lines_keep_the_numbers_that_they_have_in_the_report(tmp_path: Path) -> None:
    paper = bilateral(build(BANK_CASE.report), BANK_CASE.file(tmp_path), "SHOP")
    [row] = b"".join(csv_pieces(paper.table, "en")).decode().splitlines()[1:]
    assert row.startswith("4,")  # its proof is asked for by this number
    assert paper.table.count == 1


@pytest.mark.parametrize("to", ["pdf", "xlsx", "csv"])
def test_it_is_written_as_any_paper(tmp_path: Path, to: str) -> None:
    render(BANK_CASE.payload, BANK_CASE.file(tmp_path), to, "zh", tmp_path / "made", "AIR")  # type: ignore[arg-type]
    assert (tmp_path / "made").stat().st_size > 200


def test_it_needs_lines_and_has_no_cash_leg(tmp_path: Path) -> None:
    with pytest.raises(Unrenderable):
        render(BANK_CASE.payload, None, "pdf", "en", tmp_path / "made", "AIR")
    with pytest.raises(Unrenderable):
        render(BANK_CASE.payload, BANK_CASE.file(tmp_path), "camt053", "en", tmp_path / "made", "AIR")
    with pytest.raises(Unrenderable):
        bilateral(BANK_CASE.payload, BANK_CASE.file(tmp_path), "A\x00IR")
