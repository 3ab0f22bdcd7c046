"""Verification of supplements: what became of nets that were not paid, against the report that they add to.

They are given from the first on, in their order; each follows the one before it and takes nothing back of what that
said. Of an institution that has no report of the window, because it bears something without having a net in it, they
stand for themselves.
"""

from collections.abc import Iterable, Mapping, Sequence

from settlement.keyring import Keyring
from settlement.lines import instant_text
from settlement.members import Findings
from settlement.reading import Reading
from settlement.report import digest
from settlement.signing import SUPPLEMENT_TYP
from settlement.supplement import Default, MalformedSupplement, Supplement, parse, wrongs

Nets = Mapping[tuple[str, str], int]


def check_supplements(
    findings: Findings, keys: Keyring, reading: Reading | None, report: str | None, tokens: Iterable[str]
) -> None:
    """Find what is wrong with supplements. ``reading`` None: there is no report; ``report``: its digest."""
    before: tuple[Supplement, str] | None = None
    for place, token in enumerate(tokens, start=1):
        subject = f"Supplement {place}"
        opened = keys.open(findings, token, "SUPPLEMENT_", subject, SUPPLEMENT_TYP)
        if opened.payload is None:
            continue
        try:
            found = parse(opened.payload)
        except MalformedSupplement as error:
            findings.add(error.code, f"{subject}: {error}")
            continue
        if opened.revoked_from is not None and found.at >= opened.revoked_from:
            findings.add(
                "SUPPLEMENT_KEY_REVOKED",
                f"{subject} is signed with a key that is revoked from {instant_text(opened.revoked_from)} on "
                f"({opened.reason}).",
            )
        if not _is_of(found, reading, report):
            findings.add("SUPPLEMENT_REPORT", f"{subject} adds to another report than this one.")
        _check_chain(findings, subject, place, found, before)
        _check_figures(findings, subject, found, reading)
        before = found, digest(opened.payload)


def _is_of(found: Supplement, reading: Reading | None, report: str | None) -> bool:
    if found.report != report:
        return False
    if reading is None or reading.institution is None or reading.window is None or reading.journal is None:
        return reading is None and found.kind == "institution"
    its = (found.hub, found.model, found.kind, found.institution.code, found.window)
    is_later = found.at > reading.window.closed_at and found.journal.batch > reading.journal.batch
    return is_later and its == (
        reading.hub, reading.model, reading.kind, reading.institution.code, reading.window,
    )  # fmt: skip


def _check_chain(
    findings: Findings, subject: str, place: int, found: Supplement, before: tuple[Supplement, str] | None
) -> None:
    if before is None:
        if found.number != 1 or found.previous_digest is not None or place != 1:
            findings.add("SUPPLEMENT_CHAIN", f"{subject} is not the first, or follows one that is not given.")
        return
    last, sealed = before
    if (found.number, found.previous_digest) != (last.number + 1, sealed):
        findings.add("SUPPLEMENT_CHAIN", f"{subject} does not follow the one before it.")
    same = (found.hub, found.model, found.kind, found.institution.code, found.window, found.report)
    is_same = same == (last.hub, last.model, last.kind, last.institution.code, last.window, last.report)
    if not is_same or found.at <= last.at or found.journal.batch <= last.journal.batch:
        findings.add("SUPPLEMENT_CHAIN", f"{subject} is of another window or institution, or no later than the last.")
    stated = {one.id: one for one in found.defaults}
    for one in last.defaults:
        if one.id not in stated or not _goes_on(one, stated[one.id]):
            findings.add("SUPPLEMENT_CHAIN", f"{subject} takes back what was said of {one.id}.")


def _goes_on(then: Default, now: Default) -> bool:
    """Whether nothing is taken back: steps are added, shares are once there and come back more and more."""
    if (then.institution, then.currency, then.amount) != (now.institution, now.currency, now.amount):
        return False
    if now.steps[: len(then.steps)] != then.steps or now.repaid < then.repaid:
        return False
    if not then.shares:
        return True
    return len(then.shares) == len(now.shares) and all(
        (old.institution, old.source, old.amount, old.advanced)
        == (new.institution, new.source, new.amount, new.advanced)
        and new.repaid >= old.repaid
        for old, new in zip(then.shares, now.shares, strict=True)
    )


def _check_figures(findings: Findings, subject: str, found: Supplement, reading: Reading | None) -> None:
    places = [(len(one.id), one.id) for one in found.defaults]
    if not places or places != sorted(set(places)):
        findings.add("SUPPLEMENT_DEFAULT", f"{subject} states no default, or one twice, or out of order.")
    own = None if found.kind == "summary" else found.institution.code
    for default in found.defaults:
        for wrong in wrongs(default, own):
            findings.add("SUPPLEMENT_DEFAULT", f"{subject}, {default.id}: {wrong}.")
    if reading is not None and reading.nets_whole:
        for wrong in _against(found.defaults, _due(reading), own):
            findings.add("SUPPLEMENT_NET", f"{subject}: {wrong}.")


def _due(reading: Reading) -> Nets:
    """What is settled with the hub: nets, or what they have become in one currency."""
    if reading.settlement is not None:
        of = reading.settlement.currency
        return {(one.institution, of): one.amount_millionths for one in reading.settlement.payables}
    return {(net.institution, net.currency): net.net_millionths for net in reading.nets if net.parent is None}


def _against(defaults: Sequence[Default], nets: Nets, own: str | None) -> Iterable[str]:
    """What of the defaults the report's nets do not bear; a report shows the nets of ``own``, None: everybody's."""
    cuts: dict[tuple[str, str], int] = {}
    for one in defaults:
        if own in (None, one.institution) and nets.get((one.institution, one.currency)) != -one.amount:
            yield f"{one.institution}'s net in {one.currency} is not what was not paid"
        for share in one.shares:
            if share.source == "CUT" and not share.advanced:
                place = share.institution, one.currency
                cuts[place] = cuts.get(place, 0) + share.amount
    for (institution, currency), cut in sorted(cuts.items()):
        if cut > nets.get((institution, currency), 0):
            yield f"more is cut of {institution}'s net in {currency} than there is"
