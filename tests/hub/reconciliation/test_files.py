"""A partner's file: believed whole, or refused with what is wrong with it."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hub.reconciliation import files
from hub.reconciliation.files import BYTES_MAX, FileRefused, Wrong
from hub.reconciliation.matching import Matching
from tests.hub.reconciliation.test_matching import FRAME
from tests.hub.reconciliation.writing import HEADER, Row, body, ended, write

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ROWS = [Row("PH-1-C", AT), Row("PH-2-D", AT, "DEBIT", amount="2.5"), Row("PH-3-C", AT, status="REFUSED")]


def believed(path: Path, folder: Path) -> files.Read:
    found = files.read(path, "MILE", DAY, folder / "rows.csv")
    with Matching(folder, FRAME) as matching:
        files.take(found, matching, 2)
        assert matching.totals() == {"CREDIT": (1, 1_000), "DEBIT": (1, 250)}
    return found


def test_a_whole_file_is_believed(tmp_path: Path) -> None:
    found = believed(write(tmp_path / "day.csv", ROWS, "MILE", DAY), tmp_path)
    assert found.totals == {"CREDIT": (1, "10.00"), "DEBIT": (1, "2.50")}
    text = body(ROWS, "MILE", DAY).replace("\r\n", "\n")
    other = tmp_path / "other.csv"
    other.write_bytes(b"\xef\xbb\xbf" + ended(text, 3))
    with pytest.raises(FileRefused):  # its digest is of what follows the mark
        believed(other, tmp_path)


GOOD = body(ROWS, "MILE", DAY)
HOSTILE: dict[str, tuple[str | bytes, Wrong]] = {
    "other columns": (GOOD.replace("member", "whom", 1), Wrong.HEADER),
    "a column twice": (GOOD.replace("member", "reference", 1), Wrong.HEADER),
    "a column missing": (GOOD.replace("unit", "partner_unit", 1), Wrong.HEADER),
    "another currency": (body(ROWS, "STAY", DAY), Wrong.OTHER_CURRENCY),
    "another day": (body(ROWS, "MILE", date(2026, 3, 2)), Wrong.OTHER_DAY),
    "no currency": (GOOD.replace("#of,MILE,2026-03-01\r\n", ""), Wrong.ROW),
    "totals that do not add up": (GOOD.replace("#total,CREDIT,1,10.00", "#total,CREDIT,1,10.01"), Wrong.TOTALS),
    "totals of another count": (GOOD.replace("#total,CREDIT,1,", "#total,CREDIT,2,"), Wrong.TOTALS),
    "a total missing": (GOOD.replace("#total,CREDIT,1,10.00\r\n", ""), Wrong.TOTALS),
    "a total that is no amount": (GOOD.replace("#total,CREDIT,1,10.00", "#total,CREDIT,1,1e1"), Wrong.TOTALS),
    "a total twice": (GOOD.replace("#of", "#total,DEBIT,1,2.50\r\n#of"), Wrong.ROW),
    "a row after the totals": (GOOD + ROWS[0].line + "\r\n", Wrong.ROW),
    "no UTF-8": (GOOD.replace("M-1", "caf\xe9", 1).encode("latin-1"), Wrong.ENCODING),
    "a NUL": (GOOD.replace("M-1", "M\x001", 1), Wrong.ROW),
    "a line break in a cell": (GOOD.replace("M-1", '"M\n1"', 1), Wrong.ROW),
    "a lone carriage return": (GOOD.replace("M-1", "M\r1", 1), Wrong.ROW),
    "a lone quotation mark": (GOOD.replace("M-1", 'M"1', 1), Wrong.ROW),
    "a huge cell": (GOOD.replace("M-1", "M" * 5_000, 1), Wrong.TOO_LARGE),
    "a reference that is too long": (GOOD.replace("PH-1-C", "P" * 101), Wrong.ROW),
    "no reference": (GOOD.replace("PH-1-C", ""), Wrong.ROW),
    "a cell too many": (GOOD.replace("M-1", "M,1", 1), Wrong.ROW),
    "a cell too few": (GOOD.replace("M-1,", "", 1), Wrong.ROW),
    "an operation that there is not": (GOOD.replace("CREDIT,M-1", "GIVE,M-1", 1), Wrong.ROW),
    "a status that there is not": (GOOD.replace("DONE", "OK", 1), Wrong.ROW),
    "an amount below zero": (GOOD.replace(",10.00,MILES", ",-10.00,MILES"), Wrong.ROW),
    "an amount of too many decimals": (GOOD.replace(",10.00,MILES", ",10.001,MILES"), Wrong.ROW),
    "an amount that is none": (GOOD.replace(",10.00,MILES", ",1e1,MILES"), Wrong.ROW),
    "an amount that is too large": (GOOD.replace(",10.00,MILES", f",{'9' * 18}.00,MILES"), Wrong.ROW),
    "a time without a zone": (GOOD.replace("+00:00", "", 1), Wrong.ROW),
    "a time that there is not": (GOOD.replace("2026-03-01T09", "2026-02-30T09", 1), Wrong.ROW),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_is_wrong_is_refused_by_what_is_wrong(what: str, tmp_path: Path) -> None:
    raw, wrong = HOSTILE[what]
    path = tmp_path / "day.csv"
    rows = 4 if what == "a row after the totals" else 3
    path.write_bytes(_ended(raw, rows))
    with pytest.raises(FileRefused) as refused:
        believed(path, tmp_path)
    assert refused.value.wrong is wrong
    assert "M-1" not in str(refused.value)


def _ended(raw: str | bytes, rows: int) -> bytes:
    if isinstance(raw, str):
        return ended(raw, rows)
    return raw + ended(raw.decode("latin-1"), rows).removeprefix(raw.decode("latin-1").encode())


def test_a_file_that_was_changed_after_it_was_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    for raw, wrong in (
        (ended(GOOD, 3).replace(b"M-1", b"M-2", 1), Wrong.DIGEST),
        (ended(GOOD, 4), Wrong.TOTALS),
        (ended(GOOD, 3) + b"more\n", Wrong.ROW),
    ):
        path.write_bytes(raw)
        with pytest.raises(FileRefused) as refused:
            believed(path, tmp_path)
        assert refused.value.wrong is wrong


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    for raw, wrong in ((b"", Wrong.HEADER), (GOOD.encode(), Wrong.CUT_SHORT), (ended(GOOD, 3)[:150], Wrong.CUT_SHORT)):
        path.write_bytes(raw)
        with pytest.raises(FileRefused) as refused:
            believed(path, tmp_path)
        assert refused.value.wrong is wrong


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    with pytest.raises(FileRefused) as refused:
        believed(path, tmp_path)
    assert refused.value.wrong is Wrong.UNREADABLE
    with path.open("wb") as target:
        target.truncate(BYTES_MAX + 1)
    with pytest.raises(FileRefused) as refused:
        believed(path, tmp_path)
    assert refused.value.wrong is Wrong.TOO_LARGE


def test_members_and_partner_references_may_be_left_out(tmp_path: Path) -> None:
    text = GOOD.replace(HEADER, HEADER.replace(",member", "").replace(",partner_reference", ""))
    text = text.replace(",M-1", "").replace(",X\r\n", "\r\n")
    path = tmp_path / "day.csv"
    path.write_bytes(ended(text, 3))
    found = believed(path, tmp_path)
    assert found.totals == {"CREDIT": (1, "10.00"), "DEBIT": (1, "2.50")}
    assert found.columns == ("reference", "operation", "amount", "unit", "status", "at")
