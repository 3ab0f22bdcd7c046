"""A partner's file as its own system would write it, right or wrong."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

HEADER = "reference,operation,member,amount,unit,status,at,partner_reference"


@dataclass(frozen=True)
class Row:
    """One line of a partner's file."""

    reference: str
    at: datetime
    operation: str = "CREDIT"
    member: str = "M-1"
    amount: str = "10.00"
    unit: str = "MILES"
    status: str = "DONE"

    @property
    def line(self) -> str:
        told = (self.reference, self.operation, self.member, self.amount, self.unit, self.status, self.at.isoformat())
        return ",".join((*told, "X"))


def body(rows: Iterable[Row], currency: str, day: date) -> str:
    """All of a file but its last line."""
    rows = list(rows)
    done = [row for row in rows if row.status == "DONE"]
    totals = []
    for operation in sorted({row.operation for row in done}):
        amounts = [Decimal(row.amount) for row in done if row.operation == operation]
        totals.append(f"#total,{operation},{len(amounts)},{sum(amounts):.2f}")
    return "\r\n".join([HEADER, *(row.line for row in rows), *totals, f"#of,{currency},{day.isoformat()}", ""])


def ended(text: str, count: int) -> bytes:
    """A file with its end."""
    raw = text.encode()
    return raw + f"#end,{count},{hashlib.sha256(raw).hexdigest()}\r\n".encode()


def write(path: Path, rows: Iterable[Row], currency: str, day: date) -> Path:
    """A whole file."""
    rows = list(rows)
    path.write_bytes(ended(body(rows, currency, day), len(rows)))
    return path
