"""A bilateral statement: what two institutions owe each other by their acts in a window, out of the report of one.

Both sides' statements agree to the millionth, because a line between two stands in both reports. It is no net: what is
paid is netted over all institutions, and rounded there. Where the window is settled in one currency, each balance is
also shown at the rate that the report names for its currency, half up to the millionth, the same on both sides.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from hub.money import format_millionths, parse_millionths
from hub.points import half_up
from settlement.fx import Settlement
from settlement.lines import is_text
from settlement.renderings.line_file import LineFile
from settlement.renderings.paper import Amount, Cell, Code, Paper, Row, Table, Unrenderable, Word
from settlement.renderings.statement import known, mark_of, of_window
from settlement.report import digest


def _worth(settlement: Settlement | None, balances: Mapping[str, int]) -> tuple[Table, ...]:
    """Balances in the currency in which the window is settled, as far as the report names their rates."""
    if settlement is None:
        return ()
    into, rates = settlement.currency, {one.currency: one for one in settlement.exchanges}
    rows: list[Row] = []
    total = 0
    for currency, balance in sorted(balances.items()):
        by, shown = rates.get(currency), Amount(format_millionths(balance, currency), currency)
        if currency != into and by is None:
            rows.append((currency, shown, None, None, None))
            continue
        exact = Fraction(balance) if by is None else balance * Fraction(by.rate)
        value = half_up(abs(exact.numerator), exact.denominator) * (1 if balance > 0 else -1)
        total += value
        rate, identifier = (None, None) if by is None else (Amount(by.rate, f"{currency} rate"), Code(by.rate_id))
        rows.append((currency, shown, rate, identifier, Amount(format_millionths(value, into), into)))
    is_whole = all(row[4] is not None for row in rows)
    totals: tuple[Row, ...] = ((Word("total"), None, None, None, Amount(format_millionths(total, into), into)),)
    columns = ("currency", "balance", "fx_rate", "fx_rate_id", "value")
    figures = frozenset({"balance", "fx_rate", "value"})
    return (
        Table(Word("balances_worth"), columns, rows, len(rows), numbers=figures, totals=totals if is_whole else ()),
    )


def bilateral(payload: bytes, lines: Path, other: str) -> Paper:
    """What the institution of the report and ``other`` owe each other by the report's lines; nothing, if there is none.

    Raises:
        Unrenderable: the payload is no report, or ``other`` can be nobody's code.
    """
    report = known(payload)
    if not is_text(other):
        raise Unrenderable("a code is a plain text")
    own, window = report.institution, report.window
    pair = (own.code, other)
    sums: dict[str, list[int]] = {}
    for line in LineFile(lines, report.lines.count, pair).spelled():
        of = sums.setdefault(line.currency, [0, 0, 0])
        of[0] += 1
        of[1 if line.payer == own.code else 2] += parse_millionths(line.amount)
    rows: list[Row] = []
    for currency, (count, owes, owed) in sorted(sums.items()):
        figures = (Amount(format_millionths(one, currency), currency) for one in (owes, owed, owed - owes))
        rows.append((currency, count, *figures))
    worth = _worth(report.settlement, {currency: owed - owes for currency, (_, owes, owed) in sums.items()})
    columns = ("currency", "count", "debit", "credit", "balance")
    balances = Table(Word("balances"), columns, rows, len(rows), numbers=frozenset(columns[1:]))
    facts: tuple[tuple[str, Cell], ...] = (
        ("institution", own.code),
        ("name", own.name),
        ("counterparty", other),
        ("hub", report.hub),
        ("model", report.model),
        *of_window(report),
        ("digest", Code(digest(payload))),
    )
    found = LineFile(lines, sum(count for count, _, _ in sums.values()), pair).table()
    return Paper(
        title=Word("bilateral"),
        of=f"{own.code} – {other}",
        facts=facts,
        tables=(balances, *worth, found),
        table=found,
        dated=window.closed_at,
        seal=digest(payload),
        mark=mark_of(report),
    )
