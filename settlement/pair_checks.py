"""What a report says of its pairs, checked: among its figures, and against its lines."""

from collections.abc import Iterable, Mapping

from hub.money import minor_unit_millionths
from settlement.members import Findings
from settlement.netting import NetLine
from settlement.pairs import PairLine, net_of
from settlement.reading import Reading

Owed = Mapping[tuple[str, str, str], int]  # by payer, payee and currency


def check_pairs(findings: Findings, reading: Reading) -> None:
    """What the pairs' figures must fulfil, and that a participant's net is what they come to."""
    if reading.pairs is None:
        return
    for pair in reading.pairs:
        due = 0 if reading.is_gross else net_of(*_sides(pair), pair.balance, pair.currency)
        if pair.net_millionths != due:
            findings.add(
                "PAIR_ROUNDING",
                f"{_of(pair)}: the net is {pair.net_millionths} millionths; rounding credit − debit gives {due}.",
            )
        debit, credit = (sum(of) for of in _own(pair))
        if debit > pair.debit_millionths or credit > pair.credit_millionths:
            findings.add("PAIR_OWN", f"{_of(pair)}: its own lines come to more than debit and credit.")
    if not reading.nets_whole or not reading.pairs_whole:
        return
    summed, below = sums_of(reading), _subtrees(reading.nets)
    for net in reading.nets:
        if net.parent is not None:
            if reading.kind == "institution":
                findings.add(
                    "PAIR_PARENT", f"{net.institution} has pairs, but its net in {net.currency} goes to a parent."
                )
            continue
        found = summed.pop((net.institution, net.currency), [0, 0])
        if found[0] != net.net_millionths:
            findings.add(
                "PAIR_NET",
                f"{net.institution} in {net.currency}: the net is {net.net_millionths} millionths; its pairs come to "
                f"{found[0]}.",
            )
        _check_exact(findings, reading, net, found[1], below.get((net.institution, net.currency), 0))
    for institution, currency in sorted(summed):
        if reading.kind == "summary" or (reading.institution and reading.institution.code == institution):
            findings.add("PAIR_NET", f"{institution} has a pair in {currency}, but no net that settles with the hub.")


def _check_exact(findings: Findings, reading: Reading, net: NetLine, exact: int, below: int) -> None:
    """What a participant's pairs come to exactly is its own acts, and all below it to a minor unit each."""
    bound = 1
    if reading.kind != "summary":
        nets = [amount for child in reading.children or () for money, amount in child.nets if money == net.currency]
        below = net.credit_millionths - net.debit_millionths + sum(nets)
        bound = max(1, len(nets) * minor_unit_millionths(net.currency))
    if abs(exact - below) >= bound:
        findings.add(
            "PAIR_SUM",
            f"{net.institution} in {net.currency}: its pairs come to {exact} millionths; its own acts and those below "
            f"it to {below}.",
        )


def _subtrees(nets: Iterable[NetLine]) -> dict[tuple[str, str], int]:
    """What everybody's acts come to exactly, by who settles them with the hub and currency."""
    parents: dict[str, dict[str, str]] = {}
    for net in nets:
        if net.parent is not None:
            parents.setdefault(net.currency, {})[net.institution] = net.parent
    found: dict[tuple[str, str], int] = {}
    for net in nets:
        place = (_top(parents.get(net.currency, {}), net.institution), net.currency)
        found[place] = found.get(place, 0) + net.credit_millionths - net.debit_millionths
    return found


def check_pair_lines(findings: Findings, reading: Reading, owed: Owed) -> None:
    """The pairs' debits and credits against the lines': in the summary all, in a participant's report its own."""
    if reading.pairs is None or not reading.pairs_whole or not reading.nets_whole or reading.institution is None:
        return
    if reading.kind == "summary":
        stated, summed = _stated_pairs(reading), _summed_pairs(reading, owed)
    else:
        stated, summed = _stated_own(findings, reading), _summed_own(reading.institution.code, owed)
        if reading.children:  # with these it may have lines of which its pairs know nothing
            summed = {key: sums for key, sums in summed.items() if key in stated}
    for key in sorted(stated.keys() | summed.keys()):
        said, found = stated.get(key, [0, 0]), summed.get(key, [0, 0])
        if said != found:
            one, other, currency = key
            findings.add(
                "PAIR_LINES",
                f"{one} with {other} in {currency}: debit and credit are {said[0]} and {said[1]} millionths; the lines "
                f"sum to {found[0]} and {found[1]}.",
            )


def _stated_pairs(reading: Reading) -> dict[tuple[str, str, str], list[int]]:
    return {
        (pair.institution, pair.counterparty, pair.currency): [pair.debit_millionths, pair.credit_millionths]
        for pair in reading.pairs or ()
    }


def _summed_pairs(reading: Reading, owed: Owed) -> dict[tuple[str, str, str], list[int]]:
    parents = {net.institution: net.parent for net in reading.nets if net.parent is not None}
    summed: dict[tuple[str, str, str], list[int]] = {}
    for (payer, payee, currency), amount in owed.items():
        one, other = _top(parents, payer), _top(parents, payee)
        if one != other:
            first, second = min(one, other), max(one, other)
            summed.setdefault((first, second, currency), [0, 0])[first != one] += amount
    return summed


def _top(parents: Mapping[str, str], code: str) -> str:
    """Who settles with the hub; of a circle, whoever is come by twice."""
    seen = {code}
    while code in parents and parents[code] not in seen:
        code = parents[code]
        seen.add(code)
    return code


def _stated_own(findings: Findings, reading: Reading) -> dict[tuple[str, str, str], list[int]]:
    stated: dict[tuple[str, str, str], list[int]] = {}
    for pair in reading.pairs or ():
        for part in pair.own:
            key = (pair.institution, part.institution, pair.currency)
            if key in stated:
                findings.add(
                    "PAIR_OWN", f"{_of(pair)}: the lines with {part.institution} stand with another pair, too."
                )
            stated[key] = [part.debit_millionths, part.credit_millionths]
    return stated


def _summed_own(code: str, owed: Owed) -> dict[tuple[str, str, str], list[int]]:
    summed: dict[tuple[str, str, str], list[int]] = {}
    for (payer, payee, currency), amount in owed.items():
        if code in (payer, payee):
            other = payee if payer == code else payer
            summed.setdefault((code, other, currency), [0, 0])[payer != code] += amount
    return summed


def _sides(pair: PairLine) -> tuple[str, str]:
    return pair.institution, pair.counterparty


def _own(pair: PairLine) -> tuple[list[int], list[int]]:
    return [part.debit_millionths for part in pair.own], [part.credit_millionths for part in pair.own]


def sums_of(reading: Reading) -> dict[tuple[str, str], list[int]]:
    """What each one's pairs come to, rounded and exactly."""
    summed: dict[tuple[str, str], list[int]] = {}
    for pair in reading.pairs or ():
        for code, sign in ((pair.institution, 1), (pair.counterparty, -1)):
            of = summed.setdefault((code, pair.currency), [0, 0])
            of[0] += sign * pair.net_millionths
            of[1] += sign * pair.balance
    return summed


def _of(pair: PairLine) -> str:
    return f"{pair.institution} with {pair.counterparty} in {pair.currency}"
