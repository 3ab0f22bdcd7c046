"""A settlement report: what one institution owes and is owed in one window, as data that is signed.

The payload is RFC 8785 canonical JSON; amounts, counts and numbers are texts, so that no reader needs more than strings
to be exact. One institution's report holds its own nets and lines, and its children's nets with the digests of their
reports; the operator's is the *summary*: the nets that settle with the hub, apart from them those of all other levels,
all lines and the digest of every other report. Of a window whose participants net each two with one another, theirs and
the summary also have what these pairs come to, as ``obligations``. An *interim statement* is the same of an open window
up to a batch of the journal; it names no other report and none names it. Whatever ``build`` makes, ``read`` reads
without a finding. Nothing is computed, signed or stored here, and every rendering (tables, pages, bank messages) comes
from this data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785

from hub.money import format_millionths
from settlement.fx import Settlement
from settlement.lines import instant_text
from settlement.members import Finding
from settlement.netting import NetLine
from settlement.pairs import PairLine
from settlement.reading import (
    FINAL,
    GROSS,
    INTERIM,
    PAYLOAD_BYTES_MAX,
    VERSION,
    Child,
    Form,
    JournalHead,
    Kind,
    LineSet,
    Party,
    Reading,
    Window,
    read,
)

__all__ = [
    "FINAL",
    "INTERIM",
    "PAYLOAD_BYTES_MAX",
    "VERSION",
    "Child",
    "Finding",
    "Form",
    "InvalidReport",
    "JournalHead",
    "Kind",
    "LineSet",
    "Party",
    "Reading",
    "Report",
    "Window",
    "build",
    "digest",
    "read",
]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report says. Order does not matter here; ``previous_digest`` is None for an institution's first."""

    kind: Kind
    hub: str
    model: str
    window: Window
    institution: Party
    nets: tuple[NetLine, ...]
    lines: LineSet
    previous_digest: str | None
    journal: JournalHead
    children: tuple[Child, ...] = ()
    form: Form = FINAL
    settlement: Settlement | None = None
    is_gross: bool = False  # with pairs: each act was paid at once
    pairs: tuple[PairLine, ...] | None = None  # None: it is no participant's, or the window was not netted in pairs


class InvalidReport(ValueError):
    """The report contradicts itself or has a value out of its domain."""

    code = "INVALID_REPORT"

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(f"{self.__doc__} ({'; '.join(finding.sentence for finding in self.findings)})")


def build(report: Report) -> bytes:
    """The payload: the canonical bytes that are stored, digested and signed.

    Nets are sorted by institution and currency, children by institution, pairs by the two and currency.

    Raises:
        InvalidReport: ``read`` would find something, e.g. nets of others in an institution's report, or a net twice.
        UnknownMoney: a net's currency has no minor unit.
    """
    nets = sorted(report.nets, key=lambda net: (net.institution, net.currency))
    form = report.form
    document: dict[str, Any] = {
        "type": form.type,
        "version": VERSION,
        "kind": report.kind,
        "hub": report.hub,
        "model": report.model,
        "window": {
            "id": report.window.id,
            "number": str(report.window.number),
            "openedAt": instant_text(report.window.opened_at),
            form.ends: instant_text(report.window.closed_at),
        },
        "institution": {"code": report.institution.code, "name": report.institution.name},
        "nets": [_net(net) for net in nets if report.kind != "summary" or net.parent is None],
        "lines": {"count": str(report.lines.count), "root": report.lines.root},
        "children": [
            {"institution": child.institution}
            | ({} if form.is_interim else {"digest": child.digest})
            | ({} if report.kind == "summary" else {"nets": _child_nets(child)})
            for child in sorted(report.children, key=lambda child: child.institution)
        ],
        "journal": {"batch": str(report.journal.batch), "hash": report.journal.hash},
    }
    if not form.is_interim:
        document["previousDigest"] = report.previous_digest
    if report.kind == "summary":
        document["levels"] = [_net(net) for net in nets if net.parent is not None]
    if report.settlement is not None:
        document["settlement"] = report.settlement.document()
    if report.pairs is not None:
        document["obligations"] = [_pair(pair, report.kind) for pair in sorted(report.pairs)]
        if report.is_gross:
            document["settled"] = GROSS
    try:
        payload = rfc8785.dumps(document)
    except ValueError as error:
        raise InvalidReport([Finding("SHAPE", str(error))]) from None
    if findings := read(payload, form).findings:
        raise InvalidReport(findings)
    return payload


def _net(net: NetLine) -> dict[str, object]:
    return {
        "institution": net.institution,
        "currency": net.currency,
        "parent": net.parent,
        "own": {
            "debit": format_millionths(net.debit_millionths, net.currency),
            "credit": format_millionths(net.credit_millionths, net.currency),
        },
        "debit": format_millionths(net.total_debit_millionths, net.currency),
        "credit": format_millionths(net.total_credit_millionths, net.currency),
        "net": format_millionths(net.net_millionths, net.currency),
    }


def _pair(pair: PairLine, kind: Kind) -> dict[str, object]:
    stated: dict[str, object] = {
        "institution": pair.institution,
        "counterparty": pair.counterparty,
        "currency": pair.currency,
        "debit": format_millionths(pair.debit_millionths, pair.currency),
        "credit": format_millionths(pair.credit_millionths, pair.currency),
        "net": format_millionths(pair.net_millionths, pair.currency),
    }
    if kind != "summary":
        stated["own"] = [
            {
                "institution": part.institution,
                "debit": format_millionths(part.debit_millionths, pair.currency),
                "credit": format_millionths(part.credit_millionths, pair.currency),
            }
            for part in sorted(pair.own)
        ]
    return stated


def _child_nets(child: Child) -> list[dict[str, str]]:
    return [
        {"currency": currency, "net": format_millionths(net_millionths, currency)}
        for currency, net_millionths in sorted(child.nets)
    ]


def digest(payload: bytes) -> str:
    """SHA-256 of the stored bytes, 64 lower-case hex digits."""
    return sha256(payload).hexdigest()
