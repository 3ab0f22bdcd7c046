"""Comparison: an institution's own list of a window, held against the lines of its report, row by row.

The file names lines by movement and leg, as the report does. Each row of it has one outcome, and each line of the
report that no row names has one as well. Nothing is changed by it: what disagrees is given back in the words in which
it can be disputed.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from hub import ids
from hub.money import InvalidMoney, UnknownMoney, format_millionths, parse_millionths
from settlement.uploads import Columns, Row

COLUMNS: Final = Columns(("movement", "leg", "currency", "amount"), ("from", "to", "reference"))
MISSING_MAX: Final = 10_000  # lines that the file does not have are listed up to this many, and all counted
DISPUTABLE_MAX: Final = 1_000


class Outcome(StrEnum):
    """What comes of a row, or of a line that no row names."""

    MATCHED = "MATCHED"
    DIFFERS = "DIFFERS"  # in amount, currency or the institutions
    MISSING_HERE = "MISSING_HERE"  # the report has no such line
    MISSING_THERE = "MISSING_THERE"  # the file has no such row
    DUPLICATE = "DUPLICATE"  # an earlier row names the line
    MALFORMED = "MALFORMED"


@dataclass(slots=True)
class Compared:
    """A row, or a line without one, and its outcome; ``reported``: the line's amount, ``told``: what is wrong."""

    row: int | None
    outcome: Outcome
    movement: str = ""
    leg: str = ""
    currency: str = ""
    amount: str = ""
    reported: str = ""
    told: str = ""
    reference: str = ""


@dataclass(slots=True)
class Comparison:
    """What came of all rows. ``disputable``: the lines that disagree, as ``openDisputes`` takes them."""

    results: list[Compared] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    disputable: list[dict[str, Any]] = field(default_factory=list)

    def add(self, one: Compared) -> None:
        self.counts[one.outcome.value] += 1
        if one.outcome is not Outcome.MISSING_THERE or self.counts[one.outcome.value] <= MISSING_MAX:
            self.results.append(one)


@dataclass(frozen=True, slots=True)
class _Named:
    """A row that names a line."""

    row: Row
    amount: int


async def compare(rows: Iterable[Row], lines: AsyncIterator[bytes], digest: str) -> Comparison:
    """Compare a file's rows with a report's lines, which come in pages; ``digest``: of the file, in hexadecimal.

    Holds the file and what disagrees, whatever the number of lines.
    """
    made: dict[int, Compared] = {}
    named: dict[tuple[str, int], _Named] = {}
    for row in rows:
        made[row.number] = _take(row, named)
    result, absent = Comparison(), list[Compared]()
    async for page in lines:
        for raw in page.splitlines():
            line = json.loads(raw)
            found = named.pop((line["movement"], line["leg"]), None)
            if found is None:
                absent.append(_absent(line)) if len(absent) < MISSING_MAX else None
                result.counts[Outcome.MISSING_THERE.value] += 1
                _dispute(result, line, "UNKNOWN", None, f"The file {digest} has no such line.")
                continue
            one = made[found.row.number]
            _hold_against(one, found, line)
            if one.outcome is Outcome.DIFFERS:
                told = f"Row {one.row} of the file {digest}: {one.told}."
                expected = found.amount if one.currency == line["currency"] else None
                _dispute(result, line, "AMOUNT" if expected is not None else "OTHER", expected, told)
    for left in named.values():
        made[left.row.number].outcome = Outcome.MISSING_HERE
    for one in made.values():
        result.add(one)
    result.results.extend(absent)
    return result


def _take(row: Row, named: dict[tuple[str, int], _Named]) -> Compared:
    cells = row.cells
    names = ("movement", "leg", "currency", "amount", "reference")
    one = Compared(row.number, Outcome.MALFORMED, **{name: cells.get(name, "") for name in names})
    if row.wrong is not None:
        one.told = row.wrong
        return one
    try:
        amount = parse_millionths(one.amount)
        format_millionths(amount, one.currency)
    except (InvalidMoney, UnknownMoney) as error:
        one.told = str(error)
        return one
    if ids.parse(one.movement) is None or not (one.leg.isascii() and one.leg.isdecimal()) or amount <= 0:
        one.told = "movement, leg or amount is none of a line"
        return one
    key = (one.movement, int(one.leg))
    if key in named:
        one.outcome, one.told = Outcome.DUPLICATE, f"row {named[key].row.number} names the same line"
        return one
    named[key] = _Named(row, amount)
    one.outcome = Outcome.MISSING_HERE
    return one


def _hold_against(one: Compared, found: _Named, line: dict[str, Any]) -> None:
    one.reported = line["amount"]
    cells, differing = found.row.cells, list[str]()
    if one.currency != line["currency"]:
        differing.append(f"currency {one.currency} for {line['currency']}")
    if found.amount != parse_millionths(line["amount"]):
        differing.append(f"amount {one.amount} for {line['amount']}")
    for name in ("from", "to"):
        if cells.get(name, "") not in ("", line[name]):
            differing.append(f"{name} {cells[name]} for {line[name]}")
    one.outcome, one.told = (Outcome.DIFFERS, "; ".join(differing)) if differing else (Outcome.MATCHED, "")


def _absent(line: dict[str, Any]) -> Compared:
    where = (line["movement"], str(line["leg"]), line["currency"])
    return Compared(None, Outcome.MISSING_THERE, *where, reported=line["amount"])


def _dispute(result: Comparison, line: dict[str, Any], reason: str, expected: int | None, told: str) -> None:
    if len(result.disputable) < DISPUTABLE_MAX:
        named = {"movement": line["movement"], "leg": line["leg"], "reason": reason}
        named["expected"] = None if expected is None else format_millionths(expected, line["currency"])
        result.disputable.append({**named, "evidence": {"text": told, "references": []}})
