"""A report as a paper: every figure of its payload, and its lines.

Nothing is computed but totals, which the payload's figures or the lines must give again.
"""

from collections.abc import Iterable
from typing import Final

from hub.money import format_millionths
from settlement.fx import Exchange, Settlement
from settlement.netting import NetLine
from settlement.pairs import PairLine
from settlement.reading import Child, Kind
from settlement.renderings.line_file import LineFile
from settlement.renderings.paper import Amount, Cell, Code, Paper, Row, Table, Unrenderable, Word
from settlement.report import INTERIM, Report, Window, digest, read

_NETS: Final = (
    *("institution", "currency", "settles_with", "own_debit", "own_credit", "below_debit", "below_credit"),
    *("debit", "credit", "net"),
)

_PUBLISHED: Final = ("fx_rate", "fx_rate_id", "fx_source", "quoted_on")


def statement(payload: bytes, lines: LineFile | None = None) -> Paper:
    """The report that ``payload`` is, with its lines where they are given.

    Raises:
        Unrenderable: it is none.
    """
    report = known(payload)
    window, institution, kind = report.window, report.institution, report.kind
    nets = _nets(report.nets, kind)
    previous = None if report.previous_digest is None else Code(report.previous_digest)
    facts: tuple[tuple[str, Cell], ...] = (
        ("institution", institution.code),
        ("name", institution.name),
        ("hub", report.hub),
        ("model", report.model),
        *of_window(report),
        ("line_count", report.lines.count),
        ("line_root", Code(report.lines.root)),
        *(() if report.form.is_interim else (("previous_digest", previous),)),
        ("batch", report.journal.batch),
        ("hash", Code(report.journal.hash)),
        ("digest", Code(digest(payload))),
    )
    tables = [nets, *_pairs(report.pairs or ()), *_settled(report.settlement, kind), *_children(report.children, kind)]
    if lines is not None:
        tables += [lines.totals(None if kind == "summary" else institution.code), lines.table()]
    title = "summary" if kind == "summary" else "report"
    return Paper(
        title=Word(f"interim_{title}" if report.form.is_interim else title),
        of=institution.name,
        facts=facts,
        tables=tuple(tables),
        table=_in_one(nets, report) if lines is None else tables[-1],
        dated=window.closed_at,
        seal=digest(payload),
        mark=mark_of(report),
    )


def of_window(report: Report) -> tuple[tuple[str, Cell], ...]:
    """The facts of a report's window."""
    window: Window = report.window
    return (
        ("window", window.number),
        ("window_id", Code(window.id)),
        ("opened_at", window.opened_at),
        ("as_of" if report.form.is_interim else "closed_at", window.closed_at),
    )


def mark_of(report: Report) -> Word | None:
    """What every rendering of an interim statement says of itself."""
    return Word("interim") if report.form.is_interim else None


def known(payload: bytes) -> Report:
    """What a report, or an interim statement, says that was verified before.

    Raises:
        Unrenderable: it is neither.
    """
    found = read(payload)
    if found.findings and not (interim := read(payload, INTERIM)).findings:
        found = interim
    if found.findings or found.kind is None or found.hub is None or found.model is None or found.window is None:
        raise Unrenderable("it is no report")
    if found.institution is None or found.lines is None or found.journal is None or found.children is None:
        raise Unrenderable("it is no report")
    return Report(
        kind=found.kind,
        hub=found.hub,
        model=found.model,
        window=found.window,
        institution=found.institution,
        nets=found.nets,
        lines=found.lines,
        previous_digest=found.previous_digest,
        journal=found.journal,
        children=found.children,
        form=found.form,
        settlement=found.settlement,
        pairs=found.pairs,
        is_gross=found.is_gross,
    )


def _money(millionths: int, currency: str) -> Amount:
    return Amount(format_millionths(millionths, currency), currency)


def _nets(nets: Iterable[NetLine], kind: Kind) -> Table:
    rows: list[Row] = [
        (
            net.institution,
            net.currency,
            Word("the_hub") if net.parent is None else net.parent,
            _money(net.debit_millionths, net.currency),
            _money(net.credit_millionths, net.currency),
            _money(net.below_debit_millionths, net.currency),
            _money(net.below_credit_millionths, net.currency),
            _money(net.total_debit_millionths, net.currency),
            _money(net.total_credit_millionths, net.currency),
            _money(net.net_millionths, net.currency),
        )
        for net in nets
    ]
    return Table(
        title=Word("nets"),
        columns=_NETS,
        rows=rows,
        count=len(rows),
        numbers=frozenset(_NETS[3:]),
        wide=frozenset({"institution", "settles_with"}),
        totals=_totals(nets) if kind == "summary" else (),
    )


def _totals(nets: Iterable[NetLine]) -> tuple[Row, ...]:
    """Of each currency: what is settled with the hub, which sums to zero, and everybody's own acts."""
    sums: dict[str, list[int]] = {}
    for net in nets:
        of = sums.setdefault(net.currency, [0] * 5)
        of[0] += net.debit_millionths
        of[1] += net.credit_millionths
        if net.parent is None:
            of[2] += net.total_debit_millionths
            of[3] += net.total_credit_millionths
            of[4] += net.net_millionths
    rows: list[Row] = []
    for currency, of in sorted(sums.items()):
        own_debit, own_credit, *settled = (_money(one, currency) for one in of)
        rows.append((Word("total_all"), currency, None, own_debit, own_credit, None, None, None, None, None))
        rows.append((Word("total_hub"), currency, None, None, None, None, None, *settled))
    return tuple(rows)


def _settled(settlement: Settlement | None, kind: Kind) -> list[Table]:
    """What nets have become in one currency, by which rates, and what is to be paid in it."""
    if settlement is None:
        return []
    into = settlement.currency
    exchanges: list[Row] = [
        (
            one.institution,
            one.currency,
            _money(one.net_millionths, one.currency),
            *_published(one),
            into,
            _money(one.value_millionths, into),
        )
        for one in settlement.exchanges
    ]
    payables: list[Row] = [(one.institution, into, _money(one.amount_millionths, into)) for one in settlement.payables]
    wide, figures = frozenset({"institution"}), frozenset({"net", "fx_rate", "value", "payable"})
    due = sum(one.amount_millionths for one in settlement.payables)
    totals: tuple[Row, ...] = ((Word("total"), into, _money(due, into)),) if kind == "summary" else ()
    heads = ("institution", "currency", "net", *_PUBLISHED, "exchanged_into", "value")
    return [
        Table(Word("exchanges"), heads, exchanges, len(exchanges), numbers=figures, wide=wide),
        Table(
            Word("payables"),
            ("institution", "currency", "payable"),
            payables,
            len(payables),
            numbers=figures,
            wide=wide,
            totals=totals,
        ),
    ]


def _in_one(nets: Table, report: Report) -> Table:
    """The nets with what they have become beside them, and what is to be paid, where a window is settled in one
    currency; whoever has no net in that gets a row without one."""
    settlement = report.settlement
    if settlement is None:
        return nets
    into = settlement.currency
    made = {(one.institution, one.currency): one for one in settlement.exchanges}
    payables = {one.institution: _money(one.amount_millionths, into) for one in settlement.payables}
    rows = list[Row]()
    for net, row in zip(report.nets, nets.rows, strict=True):
        one, is_due = made.get((net.institution, net.currency)), net.currency == into and net.parent is None
        value = (None,) * 6 if one is None else (*_published(one), into, _money(one.value_millionths, into))
        rows.append((*row, *value, payables.pop(net.institution, None) if is_due else None))
    empty: Row = (None,) * (len(nets.columns) - 3 + 6)
    rows += [(code, into, Word("the_hub"), *empty, payable) for code, payable in payables.items()]
    columns = (*nets.columns, *_PUBLISHED, "exchanged_into", "value", "payable")
    return Table(nets.title, columns, rows, len(rows), numbers=nets.numbers, wide=nets.wide)


def _published(one: Exchange) -> Row:
    return Amount(one.rate, f"{one.currency} rate"), Code(one.rate_id), one.source, one.quoted_on.isoformat()


def _pairs(pairs: Iterable[PairLine]) -> list[Table]:
    """What is paid, pair by pair, where each two participants net with one another."""
    rows: list[Row] = [
        (
            pair.institution,
            pair.counterparty,
            pair.currency,
            _money(pair.debit_millionths, pair.currency),
            _money(pair.credit_millionths, pair.currency),
            _money(pair.net_millionths, pair.currency),
        )
        for pair in pairs
    ]
    if not rows:
        return []
    columns = ("institution", "counterparty", "currency", "debit", "credit", "net")
    wide = frozenset(columns[:2])
    return [Table(Word("obligations"), columns, rows, len(rows), numbers=frozenset(columns[3:]), wide=wide)]


def _children(children: Iterable[Child], kind: Kind) -> list[Table]:
    if kind == "summary":
        listed: list[Row] = [(child.institution, Code(child.digest or "")) for child in children]
        if not listed:
            return []
        heads = ("institution", "report_digest")
        return [Table(Word("reports"), heads, listed, len(listed), wide=frozenset(heads[:1]))]
    rows: list[Row] = []
    for child in children:
        sealed = None if child.digest is None else Code(child.digest)
        rows += [(child.institution, currency, _money(net, currency), sealed) for currency, net in child.nets]
        rows += [] if child.nets else [(child.institution, None, None, sealed)]
    if not rows:
        return []
    columns = ("institution", "currency", "net", "report_digest")
    wide = frozenset({"institution"})
    return [Table(Word("children"), columns, rows, len(rows), numbers=frozenset({"net"}), wide=wide)]
