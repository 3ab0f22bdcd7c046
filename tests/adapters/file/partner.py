"""A partner's side of the folder: its night, as a program that knows our files by their description alone.

    partner.py FOLDER BOOKS

reads every file of orders in FOLDER/outgoing, does what it has not done before by its books (JSON: what members can
spend, and its orders), and puts the results in FOLDER/incoming. A reference that it knows is not done again; in one
file, a second row of it is a DUPLICATE.
"""

import csv
import hashlib
import io
import json
import os
import sys
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

HEADER = ["reference", "operation", "status", "reason", "partner_reference", "amount", "unit", "at"]
FIELDS = ["reference", "operation", "member", "amount", "unit", "of", "asked_at"]
BEFORE = {"CAPTURE": ("HOLD",), "RELEASE": ("HOLD",), "REVERSE": ("DEBIT", "CREDIT")}
SIGN = {"DEBIT": -1, "HOLD": -1, "CREDIT": 1, "RELEASE": 1, "CAPTURE": 0}


def read(raw: bytes) -> list[dict[str, str]]:
    """The rows of a file of orders, if its trailer fits."""
    *before, last = raw.splitlines(keepends=True)
    body = b"".join(before)
    end = next(csv.reader([last.decode()]))
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    orders = [dict(zip(header, row, strict=True)) for row in rows if row[0] != "#total"]
    totals = {row[1]: (int(row[2]), Decimal(row[3])) for row in rows if row[0] == "#total"}
    sums: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for order in orders:
        count, total = sums[order["operation"]]
        sums[order["operation"]] = (count + 1, total + Decimal(order["amount"]))
    assert header == FIELDS, header
    assert end[:3] == ["#end", str(len(orders)), hashlib.sha256(body).hexdigest()], end
    assert totals == sums, (totals, sums)
    return orders


def trailed(header: list[str], rows: list[list[str]], sums: dict[str, tuple[int, Decimal]]) -> bytes:
    """A file with its trailer."""
    text = io.StringIO(newline="")
    totals = [["#total", operation, str(count), str(total)] for operation, (count, total) in sums.items()]
    csv.writer(text).writerows([header, *rows, *totals])
    body = text.getvalue().encode()
    return body + f"#end,{len(rows)},{hashlib.sha256(body).hexdigest()}\r\n".encode()


def decide(books: dict[str, Any], order: dict[str, str]) -> str | None:
    """Why an order is refused; None: it is done, and the books have changed."""
    members, amount = books["members"], Decimal(order["amount"])
    if order["member"] not in members:
        return "NO_SUCH_MEMBER"
    operation, change = order["operation"], amount * SIGN.get(order["operation"], 0)
    if operation in BEFORE:
        original = books["orders"].get(order["of"])
        if original is None or original["operation"] not in BEFORE[operation] or original["status"] != "DONE":
            return "EXCEEDS_ORIGINAL"
        if amount > Decimal(original["left"]):
            return "EXCEEDS_ORIGINAL"
        if operation == "REVERSE":
            change = -amount * SIGN[original["operation"]]
    available = Decimal(members[order["member"]])
    if available + change < 0:
        return "INSUFFICIENT_POINTS"
    if operation in BEFORE:
        original["left"] = str(Decimal(original["left"]) - amount)
    members[order["member"]] = str(available + change)
    return None


def night(books: dict[str, Any], orders: list[dict[str, str]]) -> bytes:
    """The results of a file; what the books have already is not done again."""
    rows, seen = [], set[str]()
    sums: dict[str, tuple[int, Decimal]] = {}
    for order in orders:
        reference, operation = order["reference"], order["operation"]
        known = books["orders"].get(reference)
        if known is None:
            reason = decide(books, order)
            known = books["orders"][reference] = {
                "operation": operation,
                "status": "DONE" if reason is None else "REFUSED",
                "reason": reason or "",
                "partner_reference": f"P-{len(books['orders']) + 1}",
                "amount": order["amount"],
                "left": order["amount"],
                "unit": order["unit"],
                "at": datetime.now(UTC).isoformat(),
            }
        status = "DUPLICATE" if reference in seen else known["status"]
        seen.add(reference)
        if status == "DONE":
            count, total = sums.get(operation, (0, Decimal(0)))
            sums[operation] = (count + 1, total + Decimal(known["amount"]))
        rows.append([reference, operation, status] + [known[name] for name in HEADER[3:]])
    return trailed(HEADER, rows, sums)


def put(path: Path, content: bytes) -> None:
    """Write a file, whole."""
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def main(folder: Path, kept: Path) -> None:
    """One night."""
    books = json.loads(kept.read_text()) if kept.exists() else {"members": {}, "orders": {}}
    for path in sorted((folder / "outgoing").glob("orders-*.csv")):
        results = night(books, read(path.read_bytes()))
        put(kept, json.dumps(books).encode())
        put(folder / "incoming" / path.name.replace("orders-", "results-"), results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
