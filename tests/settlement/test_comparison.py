"""An institution's list of a window against its report's lines: every outcome a row can have."""

from collections.abc import AsyncIterator

from settlement.comparison import COLUMNS, Outcome, compare
from settlement.lines import encode
from settlement.uploads import read
from tests.settlement.test_verify import BANK_LINES, leg

FILE = b"""movement,leg,currency,amount,reference,from
cv_f,1,CNY,0.0048,T-1,
cv_f,2,CNY,0.005,T-2,BANK
cv_10,1,USD,50.00,T-3,AIR
cv_10,1,CNY,50.00,T-4,
cv_99,1,CNY,1.00,T-5,
cv_11,x,CNY,1.00,T-6,
cv_11,1,CNY,1.2345678,T-7,
cv_11,1,XXX,1.00,T-8,
=cmd,1,CNY,1.00,T-9,
"""


async def pages(lines: list[bytes]) -> AsyncIterator[bytes]:
    yield b"".join(line + b"\n" for line in lines[:2])
    yield b"".join(line + b"\n" for line in lines[2:])


async def test_every_row_and_every_line_has_one_outcome() -> None:
    """BANK's lines: cv_f 1 (0.0048) and 2 (0.004), cv_10 1 (50), cv_11 1 (0.006)."""
    done = await compare(read(FILE, COLUMNS), pages(BANK_LINES), "abc")
    assert [(one.row, one.outcome) for one in done.results] == [
        (2, Outcome.MATCHED),
        (3, Outcome.DIFFERS),
        (4, Outcome.DIFFERS),
        (5, Outcome.DUPLICATE),
        (6, Outcome.MISSING_HERE),
        *[(row, Outcome.MALFORMED) for row in (7, 8, 9, 10)],
        (None, Outcome.MISSING_THERE),
    ]
    told = {one.row: one.told for one in done.results}
    assert told[3] == "amount 0.005 for 0.004"
    assert told[4] == "currency USD for CNY; from AIR for BANK"
    assert told[5] == "row 4 names the same line"
    assert all(told[row] for row in (7, 8, 9, 10))
    assert done.results[0].reference == "T-1"
    assert dict(done.counts) == {
        "MATCHED": 1, "DIFFERS": 2, "DUPLICATE": 1, "MISSING_HERE": 1, "MALFORMED": 4, "MISSING_THERE": 1,
    }  # fmt: skip
    named = [(one["movement"], one["leg"], one["reason"], one["expected"]) for one in done.disputable]
    assert named == [("cv_f", 2, "AMOUNT", "0.005"), ("cv_10", 1, "OTHER", None), ("cv_11", 1, "UNKNOWN", None)]
    said = {"text": "Row 3 of the file abc: amount 0.005 for 0.004.", "references": []}
    assert done.disputable[0]["evidence"] == said


async def test_lines_without_a_row_are_all_counted_and_not_all_listed() -> None:
    lines = [encode(leg(number, 0, "BANK", "AIR", 1)) for number in range(10_010)]
    done = await compare(read(b"movement,leg,currency,amount\n", COLUMNS), pages(lines), "abc")
    assert (done.counts["MISSING_THERE"], len(done.results), len(done.disputable)) == (10_010, 10_000, 1_000)
