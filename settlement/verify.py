"""Verification of a report by whoever received it: the report, its lines and the public keys, nothing else.

It believes no figure that it can recompute: sums and nets from the lines, the root from the lines' bytes, the chain
from the report before. It answers with all findings, never only the first, and holds O(institutions) whatever the
number of lines. It needs no database and no network; whether the public keys are the hub's is for the caller to know.
What no line implies (names, instants, the journal's head) is protected by the signature alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.levels import NoTree, roll_up
from hub.money import minor_unit_millionths
from settlement import fx
from settlement.acceptance import TYP as ACCEPTANCE
from settlement.acceptance import payload_over
from settlement.keyring import Keyring, Opened
from settlement.lines import Line, LineError, instant_text, parse
from settlement.members import FINDINGS_PER_CODE_MAX, Findings
from settlement.merkle import Root, root_of
from settlement.netting import NetLine, Tally
from settlement.pair_checks import check_pair_lines, check_pairs, sums_of
from settlement.proof import MalformedProof
from settlement.proof import parse as parse_proof
from settlement.report import FINAL, INTERIM, Finding, Reading, digest, read
from settlement.shares import Shares
from settlement.signing import INTERIM_TYP, TYP
from settlement.verify_supplements import check_supplements

__all__ = ["FINDINGS_PER_CODE_MAX", "Finding", "Verdict", "verify", "verify_supplements"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found. ``reading`` is what the payload says: to be believed only if ``ok``."""

    findings: tuple[Finding, ...]
    reading: Reading
    digest: str | None  # of the payload; None if the JWS could not be taken apart
    kid: str | None  # of the key that signed; None if no valid signature was found
    lines_checked: int | None  # how many lines were read; None: none were given, and no figure was recomputed from them
    previous_checked: bool
    children_checked: int  # how many children's reports were held against this one, each counted once
    accepted_by: str | None  # the key that accepted it; None: no acceptance was given, or none that is valid
    line_checked: int | None  # the number of the one line that was given with its proof
    supplements_checked: int  # what came after it: how many
    revoked_from: datetime | None  # the key that signed is revoked for windows that close from then on

    @property
    def ok(self) -> bool:
        """No findings. Says nothing about lines or a previous report that were not given."""
        return not self.findings


def verify(
    jws: str,
    lines: Iterable[bytes] | None,
    jwks: Mapping[str, Any],
    previous: str | None = None,
    children: Iterable[str] = (),
    proof: bytes | None = None,
    acceptance: str | None = None,
    acceptance_jwks: Mapping[str, Any] | None = None,
    *,
    interim: bool = False,
    supplements: Iterable[str] = (),
) -> Verdict:
    """Everything that is wrong with a report, or with an ``interim`` statement: who asks for one of the two is never
    content with the other.

    ``jws`` is the compact serialization without white space around it; ``lines`` are the report's lines in order, each
    with or without its line break, read once; ``jwks`` the hub's JWK set; ``previous`` the JWS of the same
    institution's report of the window before; ``children`` those of institutions whose nets it takes over, of the same
    window, as many as are at hand; ``proof`` one line with its proof (``settlement.proof``); ``acceptance`` what its
    institution has signed over it, and ``acceptance_jwks`` the institution's JWK set; ``supplements`` what was
    signed after it of nets that were not paid, from the first on. Parts that are None are
    not checked, and the verdict says so. What cannot be read is a finding, and what can still be checked is. Never
    raises for what is in the documents.
    """
    findings = Findings()
    keys = Keyring(findings, jwks)
    form, typ = (INTERIM, INTERIM_TYP) if interim else (FINAL, TYP)
    opened = keys.open(findings, jws, "", "The report", typ)
    payload = opened.payload
    reading = read(payload, form) if payload is not None else Reading(form=form)
    for finding in reading.findings:
        findings.add(finding.code, finding.sentence)
    _check_key(findings, opened, reading, "", "The report")
    _check_nets(findings, reading)
    if reading.settlement is not None and reading.nets_whole:
        fx.check(findings, reading.settlement, reading.nets, is_summary=reading.kind == "summary")
    _check_children(findings, reading)
    check_pairs(findings, reading)
    count = None
    if lines is not None:
        count, tally, owed = _check_lines(findings, reading, lines)
        _check_sums(findings, reading, tally)
        check_pair_lines(findings, reading, owed)
    number = None if proof is None else _check_proof(findings, reading, payload, proof)
    if previous is not None:
        _check_previous(findings, reading, previous, keys)
    below = {_check_below(findings, reading, token, keys) for token in dict.fromkeys(children)}
    accepted_by = None
    if acceptance is not None:
        accepted_by = _check_acceptance(findings, reading, payload, acceptance, acceptance_jwks or {})
    after = list(supplements)
    check_supplements(findings, keys, reading, None if payload is None else digest(payload), after)
    return Verdict(
        findings=findings.all(),
        reading=reading,
        digest=None if payload is None else digest(payload),
        kid=opened.kid,
        lines_checked=count,
        previous_checked=previous is not None,
        children_checked=len(below - {None}),
        accepted_by=accepted_by,
        line_checked=number,
        supplements_checked=len(after),
        revoked_from=opened.revoked_from,
    )


def verify_supplements(tokens: Iterable[str], jwks: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Everything that is wrong with supplements of an institution that has no report of their window."""
    findings = Findings()
    check_supplements(findings, Keyring(findings, jwks), None, None, tokens)
    return findings.all()


def _check_key(findings: Findings, opened: Opened, reading: Reading, prefix: str, subject: str) -> None:
    """A key that was revoked speaks for windows only that had closed before; what has no window is of no time."""
    if opened.revoked_from is not None and (reading.window is None or reading.window.closed_at >= opened.revoked_from):
        findings.add(
            f"{prefix}KEY_REVOKED",
            f"{subject} is signed with a key that is revoked from {instant_text(opened.revoked_from)} on "
            f"({opened.reason}).",
        )


def _check_nets(findings: Findings, reading: Reading) -> None:
    """What the payload's figures must fulfil among themselves."""
    parents: dict[str, str | None] = {}
    by_currency: dict[str, list[NetLine]] = {}
    for net in reading.nets:
        by_currency.setdefault(net.currency, []).append(net)
        if parents.setdefault(net.institution, net.parent) != net.parent:
            findings.add("NET_PARENT", f"{_of(net)}: the net goes to another parent than in another currency.")
    for currency, nets in sorted(by_currency.items()):
        unit = minor_unit_millionths(currency)
        for net in nets:
            if net.net_millionths % unit:
                findings.add("NET_MINOR_UNIT", f"{_of(net)}: the net is no whole number of minor units.")
            if abs(_rounded(net) - _exact(net)) >= unit and (reading.pairs is None or net.parent is not None):
                findings.add(
                    "NET_ROUNDING",
                    f"{_of(net)}: less what its children bring, the net is a minor unit or more from credit − debit.",
                )
        if reading.kind == "summary" and reading.nets_whole and _is_balanced(findings, currency, nets):
            settled = None
            if reading.pairs is not None:
                settled = {code: of[0] for (code, money), of in sums_of(reading).items() if money == currency}
            _check_levels(findings, currency, nets, unit, settled)


def _is_balanced(findings: Findings, currency: str, nets: list[NetLine]) -> bool:
    total = sum(net.net_millionths for net in nets if net.parent is None)
    if total:
        findings.add(
            "NET_SUM", f"The nets in {currency} that settle with the hub sum to {total} millionths and not to zero."
        )
    exact = sum(_exact(net) for net in nets)
    distinct = len({net.institution for net in nets}) == len(nets)
    if exact:
        findings.add("NET_BALANCE", f"Credits and debits in {currency} differ by {exact} millionths.")
    return exact == 0 and distinct


def _check_levels(
    findings: Findings, currency: str, nets: list[NetLine], unit: int, settled: Mapping[str, int] | None
) -> None:
    """The nets from the leaves upward, recomputed from everybody's own acts and from who stands under whom;
    ``settled``: what the participants' pairs come to."""
    own = {net.institution: _exact(net) for net in nets}
    try:
        parents = {net.institution: net.parent for net in nets if net.parent is not None}
        levels = roll_up(own, parents, unit, settled)
    except NoTree:
        findings.add("NET_PARENT", f"In {currency} institutions stand under one another in a circle.")
        return
    for code in sorted(levels.keys() - own.keys()):
        findings.add("NET_MISSING", f"{code} takes nets over in {currency}, but has none.")
    for net in nets:
        due = levels[net.institution]
        if net.net_millionths != due.net:
            findings.add(
                "NET_ROUNDING",
                f"{_of(net)}: the net is {net.net_millionths} millionths; rounding all levels by largest remainder "
                f"gives {due.net}.",
            )
        if (net.below_debit_millionths, net.below_credit_millionths) != (due.below_debit, due.below_credit):
            findings.add("NET_CHILDREN", f"{_of(net)}: debit and credit do not hold what its children bring.")


def _check_children(findings: Findings, reading: Reading) -> None:
    if reading.children is None or reading.institution is None:
        return
    if reading.kind == "summary" and not reading.form.is_interim:
        listed = {child.institution for child in reading.children} | {reading.institution.code}
        for institution in sorted({net.institution for net in reading.nets} - listed):
            findings.add("CHILD_MISSING", f"{institution} has a net, but its report is not listed.")
    elif reading.kind == "institution" and reading.nets_whole:
        brought: dict[str, list[int]] = {net.currency: [0, 0] for net in reading.nets}
        for child in reading.children:
            for currency, net_millionths in child.nets:
                brought.setdefault(currency, [0, 0])[net_millionths > 0] += abs(net_millionths)
        there = {net.currency: [net.below_debit_millionths, net.below_credit_millionths] for net in reading.nets}
        for currency, sums in sorted(brought.items()):
            if there.get(currency) != sums:
                findings.add(
                    "NET_CHILDREN",
                    f"{reading.institution.code} in {currency}: debit and credit do not hold what its children bring.",
                )


def _check_below(findings: Findings, reading: Reading, token: str, keys: Keyring) -> str | None:
    """A child's report against what its parent's, or the summary, says of it; answers its institution."""
    opened = keys.open(findings, token, "CHILD_", "A child's report")
    payload = opened.payload
    if payload is None:
        return None
    below = read(payload)
    for finding in below.findings:
        findings.add(f"CHILD_{finding.code}", f"Child's report: {finding.sentence}")
    _check_key(findings, opened, below, "CHILD_", "A child's report")
    if below.institution is None or reading.institution is None or below.kind != "institution":
        findings.add("CHILD_KIND", "A child's report is none of an institution's.")
        return None
    code = below.institution.code
    stated = next((child for child in reading.children or () if child.institution == code), None)
    if stated is None or stated.digest != digest(payload):
        findings.add("CHILD_DIGEST", f"{code}'s report is not the one that is listed, or is not listed at all.")
    for name, mine, its in (
        ("HUB", reading.hub, below.hub),
        ("MODEL", reading.model, below.model),
        ("WINDOW", reading.window, below.window),
        ("JOURNAL", reading.journal, below.journal),
    ):
        if mine != its:
            findings.add(f"CHILD_{name}", f"{code}'s report is of another {name.lower()}.")
    if reading.kind == "summary":
        agree = sorted(below.nets, key=_of) == sorted((net for net in reading.nets if net.institution == code), key=_of)
    else:
        goes = {net.parent for net in below.nets} <= {reading.institution.code}
        brings = sorted((net.currency, net.net_millionths) for net in below.nets)
        agree = goes and stated is not None and brings == sorted(stated.nets)
    settled = None
    if reading.kind == "summary" and reading.settlement is not None and any(net.parent is None for net in below.nets):
        settled = reading.settlement.of(code)
    if below.settlement != settled:
        findings.add("CHILD_FX", f"{code}'s own report settles otherwise in one currency than is said of it here.")
    if not agree:
        findings.add("CHILD_NET", f"{code}'s own report has other nets than are taken over of it here.")
    return code


def _check_lines(
    findings: Findings, reading: Reading, lines: Iterable[bytes]
) -> tuple[int, Tally, Counter[tuple[str, str, str]]]:
    """Each line by itself, their order, their count and root; the sums of those that could be read, and if the report
    speaks of pairs who owes whom."""
    root = Root()
    tally, owed = Tally(), Counter[tuple[str, str, str]]()
    currencies = {net.currency for net in reading.nets} if reading.nets_whole else None
    last: tuple[int, int] | None = None
    own = None if reading.kind == "summary" or reading.institution is None else reading.institution.code
    shares = Shares(findings, own)
    for position, raw in enumerate(lines, start=1):
        content = raw[:-1] if raw.endswith(b"\n") else raw
        root.add(content)
        try:
            line = parse(content)
        except LineError as error:
            findings.add(error.code, f"Line {position}: {error}")
            continue
        shares.take(line)
        _check_line(findings, reading, line, position, currencies)
        order = line.order
        if last is not None and order <= last:
            if order == last:
                findings.add("LINE_DUPLICATE", f"Line {position} repeats leg {line.leg} of {line.movement}.")
            else:
                findings.add(
                    "LINE_ORDER", f"Line {position} ({line.movement}, {line.leg}) belongs before an earlier one."
                )
        else:
            last = order
        tally.add(line.payer, line.payee, line.currency, line.amount_millionths)
        if reading.pairs is not None:
            owed[line.payer, line.payee, line.currency] += line.amount_millionths
    shares.finish()
    if reading.lines is not None:
        if root.count != reading.lines.count:
            findings.add("LINE_COUNT", f"There are {root.count} lines; the report counts {reading.lines.count}.")
        if root.hexdigest() != reading.lines.root:
            findings.add("LINE_ROOT", f"The lines' root is {root.hexdigest()}; the report has {reading.lines.root}.")
    return root.count, tally, owed


def _check_line(findings: Findings, reading: Reading, line: Line, position: int, currencies: set[str] | None) -> None:
    if reading.window is not None and line.window != reading.window.number:
        findings.add("LINE_WINDOW", f"Line {position} is of window {line.window}, not {reading.window.number}.")
    if currencies is not None and line.currency not in currencies:
        findings.add("LINE_CURRENCY", f"Line {position} is in {line.currency}, of which the report has no net.")
    if reading.kind == "institution" and reading.institution is not None:
        code = reading.institution.code
        if code not in (line.payer, line.payee):
            findings.add("LINE_FOREIGN", f"Line {position} is between {line.payer} and {line.payee}, not of {code}.")


def _check_proof(findings: Findings, reading: Reading, payload: bytes | None, raw: bytes) -> int | None:
    """One line, and that the report's root holds it at its place; answers which line it is."""
    try:
        proof = parse_proof(raw)
    except MalformedProof as error:
        findings.add("PROOF", str(error))
        return None
    if payload is not None and proof.report != digest(payload):
        findings.add("PROOF_REPORT", f"The proof is of the report {proof.report}, not of this one.")
    currencies = {net.currency for net in reading.nets} if reading.nets_whole else None
    try:
        _check_line(findings, reading, parse(proof.line), proof.number, currencies)
    except LineError as error:
        findings.add(error.code, f"Line {proof.number}: {error}")
    if reading.lines is not None:
        found = root_of(proof.line, proof.number - 1, reading.lines.count, proof.path)
        if found != reading.lines.root:
            findings.add(
                "PROOF_ROOT",
                f"By the proof line {proof.number} of {reading.lines.count} leads to {found}; the report has "
                f"{reading.lines.root}.",
            )
    return proof.number


def _check_acceptance(
    findings: Findings, reading: Reading, payload: bytes | None, token: str, jwks: Mapping[str, Any]
) -> str | None:
    """What the institution signed, and that it is over this report; answers the key. When it was signed is unknown, but
    not before the window closed."""
    keys = Keyring(findings, jwks, "ACCEPTANCE_")
    opened = keys.open(findings, token, "ACCEPTANCE_", "The acceptance", ACCEPTANCE)
    _check_key(findings, opened, reading, "ACCEPTANCE_", "The acceptance")
    due = payload_over(reading, None if payload is None else digest(payload))
    if opened.payload is not None and opened.payload != due:
        findings.add("ACCEPTANCE_REPORT", "The acceptance is of another report than this one.")
    return opened.kid


def _check_sums(findings: Findings, reading: Reading, tally: Tally) -> None:
    """The payload's debits and credits against the lines'."""
    if reading.kind is None or reading.institution is None:
        return
    own = None if reading.kind == "summary" else reading.institution.code
    nets = [net for net in reading.nets if own is None or net.institution == own]
    for net in nets:
        sums = tally.sums(net.institution, net.currency)
        if sums is None:
            of_pairs = reading.pairs is not None and net.parent is None  # which may be further away than it rounds
            if net.debit_millionths or net.credit_millionths or (_rounded(net) and not of_pairs):
                findings.add("NET_WITHOUT_LINES", f"{_of(net)}: there is no line, but the figures are not zero.")
            continue
        for code, name, stated, summed in (
            ("NET_DEBIT", "debit", net.debit_millionths, sums[0]),
            ("NET_CREDIT", "credit", net.credit_millionths, sums[1]),
        ):
            if stated != summed:
                findings.add(code, f"{_of(net)}: the {name} is {stated} millionths; the lines sum to {summed}.")
    if reading.nets_whole:
        present = {(net.institution, net.currency) for net in nets}
        for institution, currency in tally.touched():
            if (own is None or institution == own) and (institution, currency) not in present:
                findings.add("NET_MISSING", f"{institution} has lines in {currency}, but no net.")


def _check_previous(findings: Findings, reading: Reading, previous: str, keys: Keyring) -> None:
    opened = keys.open(findings, previous, "PREVIOUS_", "The previous report")
    payload = opened.payload
    if payload is None:
        return
    if digest(payload) != reading.previous_digest:
        findings.add(
            "PREVIOUS_DIGEST",
            f"The previous report's digest is {digest(payload)}; the report follows {reading.previous_digest}.",
        )
    before = read(payload)
    for finding in before.findings:
        findings.add(f"PREVIOUS_{finding.code}", f"Previous report: {finding.sentence}")
    _check_key(findings, opened, before, "PREVIOUS_", "The previous report")
    for code, then, now in (
        ("HUB", before.hub, reading.hub),
        ("MODEL", before.model, reading.model),
        ("KIND", before.kind, reading.kind),
        (
            "INSTITUTION",
            before.institution and before.institution.code,
            reading.institution and reading.institution.code,
        ),
    ):
        if then is not None and now is not None and then != now:
            findings.add(f"PREVIOUS_{code}", f"By the previous report the {code.lower()} would be {then}; it is {now}.")
    # Not the number before: an institution without a net in a window has no report of it.
    if before.window and reading.window and before.window.number >= reading.window.number:
        findings.add(
            "PREVIOUS_NUMBER",
            f"The previous report is of window {before.window.number}, this one of {reading.window.number}.",
        )


def _exact(net: NetLine) -> int:
    return net.credit_millionths - net.debit_millionths


def _rounded(net: NetLine) -> int:
    """What the net holds of the institution's own acts."""
    return net.net_millionths - net.below_credit_millionths + net.below_debit_millionths


def _of(net: NetLine) -> str:
    return f"{net.institution} in {net.currency}"
