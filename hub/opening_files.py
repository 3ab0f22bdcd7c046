"""Opening balances as a file: what the hub hands over to a partner, and what a partner hands over to the hub.

CSV in UTF-8, a row for each lot of a customer's, or one for all that has no end; at the end the totals and a digest of
all before it:

    institution,reference,amount,expires_at,earned_at
    BANK,6217-0001,200.00,2027-01-01T00:00:00+00:00,2026-03-01T09:30:00+00:00
    BANK,6217-0001,50.00,,
    #total,2,250.00
    #end,2,<SHA-256 of every octet before this line>

Of a partner's file the columns from the third on may be missing at the end. Nothing of a file counts that is not whole.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hub.errors import InvalidAmount
from hub.ledger.opening import OpeningLot
from hub.points import AMOUNT_MAX, parse, render

TOTAL: Final = "#total"
END: Final = "#end"
HEADER: Final = ("institution", "reference", "amount", "expires_at", "earned_at")
Named = tuple[str, str]  # an institution's code and its reference


class Malformed(Exception):
    """The file is not whole, or not of the agreed form."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says: each customer's lots, their sum in smallest units, and the file's SHA-256 in hexadecimal."""

    customers: dict[Named, tuple[OpeningLot, ...]]
    total: int
    digest: str


def written(rows: Iterable[tuple[Named, Sequence[OpeningLot]]], scale: int) -> bytes:
    """A file of these customers' lots, in this order; a lot without an end has none in the file either."""
    out = io.StringIO(newline="")
    line = csv.writer(out, lineterminator="\n")
    line.writerow(HEADER)
    count = total = 0
    for (institution, reference), lots in rows:
        for lot in lots:
            amount = render(lot.units, scale)
            line.writerow((institution, reference, amount, _shown(lot.expires_at), _shown(lot.earned_at)))
            count, total = count + 1, total + lot.units
    line.writerow((TOTAL, count, render(total, scale)))
    body = out.getvalue().encode()
    return body + f"{END},{count},{hashlib.sha256(body).hexdigest()}\n".encode()


def told(raw: bytes, scale: int) -> Told:
    """What a whole file says.

    Raises:
        Malformed: its digest, its totals or a row is not what it should be; then nothing of it counts.
    """
    cut = raw.rfind(f"{END},".encode())
    body, end = raw[: max(cut, 0)], raw[max(cut, 0) :].decode("ascii", "replace").split(",")
    if cut < 0 or len(end) != 3:
        raise Malformed("it has no end")
    if end[2].strip().lower() != hashlib.sha256(body).hexdigest():
        raise Malformed("its digest is another one")
    try:
        rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise Malformed(f"it is no CSV in UTF-8 ({type(error).__name__})") from None
    if len(rows) < 2 or tuple(rows[0]) != HEADER[: max(3, len(rows[0]))] or rows[-1][:1] != [TOTAL]:
        raise Malformed(f"it has no header {','.join(HEADER)}, or no {TOTAL}")
    customers: dict[Named, list[OpeningLot]] = {}
    total = 0
    for number, cells in enumerate(rows[1:-1], 2):
        if len(cells) != len(rows[0]):
            raise Malformed(f"row {number} has {len(cells)} cells instead of {len(rows[0])}")
        expires, earned = ([*cells[3:], "", ""])[:2]
        lot = OpeningLot(_units(cells[2], scale, number), _instant(expires, number), _instant(earned, number))
        customers.setdefault((cells[0], cells[1]), []).append(lot)
        total += lot.units
    if rows[-1][1:3] != [str(len(rows) - 2), render(total, scale)] or end[1] != rows[-1][1]:
        raise Malformed(f"its rows come to {len(rows) - 2} and {render(total, scale)}, which its {TOTAL} does not say")
    digest = hashlib.sha256(raw).hexdigest()
    return Told({who: tuple(lots) for who, lots in customers.items()}, total, digest)


def _shown(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat()


def _units(text: str, scale: int, number: int) -> int:
    try:
        units = parse(text, scale)
    except InvalidAmount:
        raise Malformed(f"row {number} has no amount of at most {scale} decimals") from None
    if not 0 <= units <= AMOUNT_MAX:
        raise Malformed(f"row {number} has an amount below zero or too large")
    return units


def _instant(text: str, number: int) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(f"row {number} has a time of another form") from None
    if at.tzinfo is None:
        raise Malformed(f"row {number} has a time without a zone")
    return at.astimezone(UTC)
