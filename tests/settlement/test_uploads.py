"""Uploaded tables: what is read of true ones, and how others are refused."""

import io
import zipfile

import pytest

from settlement import uploads
from settlement.uploads import Columns, FileRefused, Row, Wrong, read
from tests.settlement.workbooks import workbook

COLUMNS = Columns(("line", "amount"), ("note",))
ENTITY = b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>"


SHEET = "xl/worksheets/sheet1.xml"


def far(place: bytes) -> bytes:
    """A sheet of two cells that are far apart."""
    cells = b"<row r='1'><c r='A1'><v>1</v></c></row><row><c r='" + place + b"'><v>1</v></c></row>"
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return b"<worksheet xmlns='" + main + b"'><sheetData>" + cells + b"</sheetData></worksheet>"


def wrong(content: bytes) -> Wrong:
    with pytest.raises(FileRefused) as refused:
        read(content, COLUMNS)
    return refused.value.wrong


def test_rows_come_by_their_columns_in_any_order() -> None:
    rows = [Row(2, {"amount": "5.00", "line": "a"}), Row(4, {"amount": "-1", "line": "b"})]
    assert read(b"amount,line\r\n5.00,a\r\n\r\n-1, b \r\n", COLUMNS) == rows
    assert read("\ufeffamount,line\n5.00,a\n,\n-1,b\n".encode(), COLUMNS) == rows
    assert read(workbook([["amount", "line"], ["5.00", "a"], [], [-1, "b"]]), COLUMNS) == rows


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("4.80", "4.80"),
        (0.1, "0.1"),
        (12345678901234.5, "12345678901234.5"),
        (100, "100"),
        (1e3, "1000"),
        (-2.5, "-2.5"),
    ],
)
def test_a_number_of_a_workbook_is_what_somebody_typed(cell: object, text: str) -> None:
    assert read(workbook([["line", "amount"], ["a", cell]]), COLUMNS)[0].cells["amount"] == text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (b"a", "has no amount"),
        (b"a,5,,x", "has 4 cells, and the header 3"),
        (b"=1+1,5", "line is what a spreadsheet would compute"),
        (b"@SUM(A1),5", "line is what a spreadsheet would compute"),
        (b"a,+5", "amount is what a spreadsheet would compute"),
        (b"a,5,-x", "note is what a spreadsheet would compute"),
        (b'a,"5\n6"', "amount has a character that cannot be printed"),
        (b"a," + b"5" * 501, "amount is longer than 500 characters"),
    ],
)
def test_a_row_that_cannot_be_read_says_why_and_the_others_are_read(row: bytes, told: str) -> None:
    first, second = read(b"line,amount,note\n" + row + b"\nb,1,\n", COLUMNS)
    assert first.wrong == told
    assert second.wrong is None


def test_a_number_with_more_digits_than_a_workbook_keeps_is_not_guessed() -> None:
    long: list[list[object]] = [["line", "amount"], ["a", "0.1234567890123456"], ["b", 0.1234567890123456]]
    text, number = read(workbook(long), COLUMNS)
    assert text.wrong is None
    assert number.wrong == "amount has more than 15 digits; write it as text"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", Wrong.HEADER),
        (b"line\na\n", Wrong.HEADER),
        (b"line;amount\na;5\n", Wrong.HEADER),
        (b"line,amount,amount\n", Wrong.HEADER),
        (b"line,amount,other\n", Wrong.HEADER),
        ("line,amount\nä,5\n".encode("latin-1"), Wrong.ENCODING),
        ("line,amount\na,5\n".encode("utf-16"), Wrong.ENCODING),
        (b"line,amount\n\0,5\n", Wrong.ENCODING),
        (b'line,amount\n"a,5\n', Wrong.NOT_A_TABLE),
        (b"\xd0\xcf\x11\xe0" + b"x" * 512, Wrong.NOT_A_TABLE),
        (b"PK\x03\x04 and nothing more", Wrong.NOT_A_TABLE),
        (workbook([])[:-30], Wrong.NOT_A_TABLE),
        (b"x" * (uploads.BYTES_MAX + 1), Wrong.TOO_LARGE),
        (workbook([["line", "amount"], ["a", b"1+1"]]), Wrong.FORMULA),
        (workbook([["line", "amount"]], {"xl/vbaProject.bin": b"x"}), Wrong.HOSTILE),
        (workbook([["line", "amount"]], {"xl/externalLinks/externalLink1.xml": b"<x/>"}), Wrong.HOSTILE),
        (workbook([["line", "amount"]], {"xl/sharedStrings.xml": ENTITY}), Wrong.HOSTILE),
        (workbook([["line", "amount"]], {f"p{number}": b"" for number in range(200)}), Wrong.HOSTILE),
        (workbook([["line", "amount"]], {"xl/worksheets/sheet1.xml": b"<broken"}), Wrong.NOT_A_TABLE),
        (workbook([["l"] * 26]), Wrong.HEADER),
        (workbook([["line"]], {SHEET: far(b"A1048576")}), Wrong.TOO_LARGE),
        (workbook([["line"]], {SHEET: far(b"AG1")}), Wrong.TOO_LARGE),
        (workbook([["line"]], {SHEET: far(b"XFD1048576")}), Wrong.TOO_LARGE),
    ],
)
def test_what_is_no_harmless_table_is_refused(content: bytes, expected: Wrong) -> None:
    assert wrong(content) is expected


def test_more_rows_than_are_taken_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "ROWS_MAX", 3)
    assert len(read(b"line,amount\n" + b"a,1\n" * 3, COLUMNS)) == 3
    assert wrong(b"line,amount\n" + b"a,1\n" * 4) is Wrong.TOO_LARGE


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UNPACKED_BYTES_MAX", 1 << 20)
    bomb = workbook([["line", "amount"]], {"xl/theme.xml": b"\0" * (2 << 20)})
    assert len(bomb) < 10_000
    assert wrong(bomb) is Wrong.TOO_LARGE


def test_an_archive_that_lies_about_its_sizes_gets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes in the directory say 100 octets, the stream has two million."""
    monkeypatch.setattr(uploads, "UNPACKED_BYTES_MAX", 1 << 20)
    bomb = bytearray(workbook([["line", "amount"]], {"xl/zz.xml": b"\0" * (2 << 20)}))
    size = (2 << 20).to_bytes(4, "little")
    while (at := bomb.find(size)) >= 0:
        bomb[at : at + 4] = (100).to_bytes(4, "little")
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        assert archive.getinfo("xl/zz.xml").file_size == 100
    assert wrong(bytes(bomb)) is Wrong.NOT_A_TABLE


def test_a_workbook_with_two_sheets_is_not_guessed_at() -> None:
    one = workbook([["line", "amount"]])
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        book = archive.read("xl/workbook.xml")
    two = book.replace(b"</sheets>", b'<sheet name="T" sheetId="2" r:id="r1"/></sheets>')
    assert wrong(workbook([["line", "amount"]], {"xl/workbook.xml": two})) is Wrong.NOT_A_TABLE
