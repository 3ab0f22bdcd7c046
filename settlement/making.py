"""Making: a window's reports out of its sums, signed; the institutions', each with its children's, and the summary.

Pure: the rows that come out are stored by whoever had them made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import ids
from hub.errors import Failure
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Net, NetExchange, Obligation
from settlement import report, signing
from settlement.fx import Exchange, Payable, Settlement
from settlement.legs import Legs, Sums
from settlement.merkle import Root
from settlement.netting import NetLine
from settlement.pairs import PairLine, Pairs, settled_by


class NetsMismatch(Failure):
    """The window's money legs do not give the nets with which it was closed, so nothing is reported of it."""

    def __init__(self, number: int, differing: Sequence[NetLine]) -> None:
        shown = ", ".join(f"{net.institution} in {net.currency}" for net in differing[:5])
        super().__init__(f"{self.__doc__} (window {number}: {shown})")
        self.number = number


@dataclass(frozen=True, slots=True)
class Shape:
    """What a window's reports are made of, besides their lines."""

    hub: str
    legs: Legs
    nets: tuple[NetLine, ...]
    obligations: frozenset[tuple[str, str, str, int]]  # who owes whom, in which currency, how many millionths
    previous: dict[int, str]
    closing: report.JournalHead
    settlement: Settlement | None = None


def check(shape: Shape, sums: Sums) -> None:
    """Pass if the lines give the nets, and the obligations of which these are the sums."""
    pairs = None if sums.pairs is None else sums.pairs.made().every
    summed = sums.tally.net_lines(shape.legs.parents, None if pairs is None else settled_by(pairs))
    if summed != shape.nets or obligations_of(pairs or ()) != shape.obligations:
        differing = sorted(set(summed) ^ set(shape.nets), key=lambda net: (net.institution, net.currency))
        raise NetsMismatch(shape.legs.window.number, differing)


def obligations_of(pairs: Iterable[PairLine]) -> frozenset[tuple[str, str, str, int]]:
    """What pairs' nets make the one owe the other: debtor, creditor, currency and amount."""
    made = set()
    for pair in pairs:
        if pair.net_millionths:
            sides = (pair.institution, pair.counterparty)
            debtor, creditor = sides if pair.net_millionths < 0 else sides[::-1]
            made.add((debtor, creditor, pair.currency, abs(pair.net_millionths)))
    return frozenset(made)


def stated(legs: Legs, obligations: Iterable[Obligation]) -> frozenset[tuple[str, str, str, int]]:
    """The obligations with which a window was closed, by codes."""
    nodes = legs.configuration.institutions
    return frozenset((nodes[o.debtor].code, nodes[o.creditor].code, o.currency, o.amount) for o in obligations)


def pairs_in(code: str | None, nets: Iterable[NetLine], pairs: Pairs | None) -> tuple[PairLine, ...] | None:
    """What a report says of pairs: the summary, for None, of all; a participant's of its own; others nothing."""
    if pairs is None or code is None:
        return None if pairs is None else pairs.every
    return pairs.of(code) if all(net.parent is None for net in nets) else None


def sign(shape: Shape, sums: Sums, key: signing.SigningKey) -> list[dict[str, Any]]:
    """The rows of all reports: the institutions', and the summary over them."""
    configuration = shape.legs.configuration
    operator = configuration.operator
    pairs = None if sums.pairs is None else sums.pairs.made()
    made: list[dict[str, Any]] = []
    digests: dict[str, str] = {}
    for code in _upward(shape.nets, operator.code):
        own = tuple(net for net in shape.nets if net.institution == code)
        below = children_of(code, shape.nets, digests)
        settled, of_pairs = settlement_for(shape.settlement, code, own), pairs_in(code, own, pairs)
        id = configuration.institution_codes[code]
        row = _row(shape, key, "institution", id, own, sums.roots[code], below, settled, of_pairs)
        made.append(row)
        digests[code] = row["digest"]
    every = tuple(report.Child(code, digest) for code, digest in digests.items())
    of_pairs = pairs_in(None, shape.nets, pairs)
    made.append(_row(shape, key, "summary", operator.id, shape.nets, sums.whole, every, shape.settlement, of_pairs))
    return made


def _upward(nets: Sequence[NetLine], operator: str) -> list[str]:
    """The institutions with nets, children before those to whom their nets go; without the operator."""
    parents = {net.institution: net.parent for net in nets}
    depths: dict[str, int] = {}
    for code in parents:
        depth, above = 0, parents[code]
        while above is not None:
            depth, above = depth + 1, parents.get(above)
        depths[code] = depth
    return sorted(depths.keys() - {operator}, key=lambda code: (-depths[code], code))


def children_of(
    code: str, nets: Sequence[NetLine], digests: Mapping[str, str] | None = None
) -> tuple[report.Child, ...]:
    """What a report says of those whose nets its institution takes over; ``digests``: of their reports, None: there are
    no such reports."""
    below: dict[str, list[tuple[str, int]]] = {}
    for net in nets:
        if net.parent == code:
            below.setdefault(net.institution, []).append((net.currency, net.net_millionths))
    return tuple(
        report.Child(child, None if digests is None else digests.get(child, ""), tuple(of))
        for child, of in sorted(below.items())
    )


def _row(
    shape: Shape,
    key: signing.SigningKey,
    kind: report.Kind,
    institution: int,
    nets: tuple[NetLine, ...],
    root: Root,
    children: tuple[report.Child, ...],
    settlement: Settlement | None,
    pairs: tuple[PairLine, ...] | None,
) -> dict[str, Any]:
    window, named = shape.legs.window, shape.legs.configuration.institutions[institution]
    previous = shape.previous.get(institution)
    payload = report.build(
        report.Report(
            kind=kind,
            hub=shape.hub,
            model=window.model,
            window=report.Window(
                ids.text(ids.WINDOW, window.id), window.number, window.opened_at, window.closed_at or window.opened_at
            ),
            institution=report.Party(named.code, named.name),
            nets=nets,
            lines=report.LineSet(root.count, root.hexdigest()),
            previous_digest=previous,
            journal=shape.closing,
            children=children,
            settlement=settlement,
            pairs=pairs,
            is_gross=shape.legs.is_gross,
        )
    )
    return {
        "journal_id": JOURNAL_ID,
        "window_id": window.id,
        "institution_id": institution,
        "payload": payload,
        "jws": key.sign(payload),
        "digest": report.digest(payload),
        "previous_digest": previous,
    }


def settlement_for(whole: Settlement | None, code: str, nets: Sequence[NetLine]) -> Settlement | None:
    """What an institution's own report says of a window that is settled in one currency; nothing, if its nets go to a
    parent."""
    return None if whole is None or all(net.parent is not None for net in nets) else whole.of(code)


def settlement_of(legs: Legs, nets: Sequence[NetLine], exchanges: Sequence[NetExchange]) -> Settlement | None:
    """How a window is settled in one currency; None: nothing was exchanged in it.

    Raises:
        LookupError: an exchange is of an institution, or by a rate, that there is not.
    """
    if not exchanges:
        return None
    nodes, rates, into = legs.configuration.institutions, legs.configuration.fx_rates, exchanges[0].into
    made = []
    payables = {net.institution: 0 for net in nets if net.parent is None}
    payables |= {net.institution: net.net_millionths for net in nets if net.parent is None and net.currency == into}
    for one in exchanges:
        code, rate = nodes[one.institution].code, rates[one.rate]
        rate_id = ids.text(ids.FX_RATE, rate.id)
        published = (rate_id, rate.text, rate.source, rate.quoted_on)
        made.append(Exchange(code, one.currency, one.net, *published, one.value))
        payables[code] = payables.get(code, 0) + one.value
    made.sort(key=lambda one: (one.institution, one.currency))
    return Settlement(into, tuple(made), tuple(Payable(code, amount) for code, amount in sorted(payables.items())))


def net_lines(legs: Legs, nets: Sequence[Net]) -> tuple[NetLine, ...]:
    """The nets with which a window was closed, each with what its children bring, sorted as a tally's are.

    Raises:
        LookupError: one is of an institution that there is not.
    """
    institutions, parents = legs.configuration.institutions, legs.parents
    below: dict[tuple[str | None, str], list[int]] = {}
    for net in nets:
        place = (parents.get(institutions[net.institution].code), net.currency)
        below.setdefault(place, [0, 0])[net.net > 0] += abs(net.net)
    lines = []
    for net in nets:
        code = institutions[net.institution].code
        figures = (net.debits, net.credits, net.net)
        lines.append(NetLine(code, net.currency, *figures, parents.get(code), *below.get((code, net.currency), (0, 0))))
    return tuple(sorted(lines, key=lambda line: (line.institution, line.currency)))
