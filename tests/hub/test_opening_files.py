"""Opening balances as a file: whole or nothing."""

import hashlib
from datetime import UTC, datetime

import pytest

from hub.ledger.opening import OpeningLot
from hub.opening_files import Malformed, told, written

ENDS, EARNED = datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ROWS = [
    (("BANK", '6217-"1", a'), [OpeningLot(20_000, ENDS, EARNED), OpeningLot(5_000)]),
    (("SHOP", "卡罗"), [OpeningLot(1)]),
]


def test_what_is_written_is_read_again() -> None:
    """200.00 + 50.00 + 0.01 = 250.01."""
    raw = written(ROWS, 2)
    said = told(raw, 2)
    assert said.customers == {who: tuple(lots) for who, lots in ROWS}
    assert said.total == 25_001
    assert raw.splitlines()[0] == b"institution,reference,amount,expires_at,earned_at"
    assert raw.splitlines()[-2] == b"#total,3,250.01"


def test_an_empty_file_is_whole() -> None:
    assert (told(written([], 0), 0).customers, told(written([], 0), 0).total) == ({}, 0)


def test_columns_at_the_end_may_be_missing() -> None:
    assert told(_ended(b"institution,reference,amount\nBANK,a,5\n#total,1,5\n", 1), 0).customers == {
        ("BANK", "a"): (OpeningLot(5),)
    }


def _ended(body: bytes, rows: int) -> bytes:
    """A file that says of itself that it is whole."""
    return body + f"#end,{rows},{hashlib.sha256(body).hexdigest()}\n".encode()


HEAD = b"institution,reference,amount,expires_at,earned_at\n"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it has no end"),
        (written(ROWS, 2)[:-80], "it has no end"),
        (written(ROWS, 2).replace(b"200.00", b"200.01"), "its digest is another one"),
        (_ended(HEAD + b"BANK,a,5,,\n#total,1,6\n", 1), "its rows come to 1 and 5"),
        (_ended(HEAD + b"BANK,a,5,,\n#total,2,5\n", 2), "its rows come to 1 and 5"),
        (_ended(HEAD + b"BANK,a,5,,\n#total,1,5\n", 2), "its rows come to 1 and 5"),
        (_ended(HEAD + b"BANK,a,5,,\n", 1), "it has no header"),
        (_ended(b"reference,institution,amount\n#total,0,0\n", 0), "it has no header"),
        (_ended(HEAD + b"BANK,a,5\n#total,1,5\n", 1), "row 2 has 3 cells instead of 5"),
        (_ended(HEAD + b"BANK,a,5.5,,\n#total,1,5\n", 1), "row 2 has no amount of at most 0 decimals"),
        (_ended(HEAD + b"BANK,a,-5,,\n#total,1,-5\n", 1), "row 2 has an amount below zero"),
        (_ended(HEAD + b"BANK,a,5,soon,\n#total,1,5\n", 1), "row 2 has a time of another form"),
        (_ended(HEAD + b"BANK,a,5,2027-01-01,\n#total,1,5\n", 1), "row 2 has a time without a zone"),
        (_ended(HEAD + b"BANK,\xff,5,,\n#total,1,5\n", 1), "it is no CSV in UTF-8"),
    ],
)
def test_what_is_not_whole_counts_for_nothing(raw: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        told(raw, 2 if b"200" in raw else 0)
