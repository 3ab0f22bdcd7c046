"""A supplement: what became of nets of a closed window that were not paid, signed after the window's reports.

A report is of what was closed and never changes. Each step of a default (``hub.defaults``) is followed by a supplement
for the operator and for each institution that it concerns: who did not pay, and whoever bears a part. It states the
defaults of the window as they stand after the step, names the report that it adds to by its digest, and follows the
supplement before it. Canonical JSON (RFC 8785); a document has one spelling, so reading it is spelling it again.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

import rfc8785

from hub.money import format_millionths, minor_unit_millionths, parse_millionths
from settlement.lines import instant_text, is_text, parse_count, parse_instant
from settlement.report import PAYLOAD_BYTES_MAX, JournalHead, Kind, Party, Window

TYPE: Final = "points-hub/settlement-supplement"
VERSION: Final = 1
STATUSES: Final = ("DECLARED", "COVERED", "REPAID")
KINDS: Final = ("DECLARED", "COLLATERAL", "FUND", "CUT", "COVERED", "REPAID")
SOURCES: Final = ("COLLATERAL", "OWN_FUND", "FUND", "CUT")
REFERENCE_MAX: Final = 2_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


class MalformedSupplement(ValueError):
    """The document is no supplement in its one spelling."""

    code = "SUPPLEMENT"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done about a default; ``amount`` in millionths."""

    id: str
    kind: str
    amount: int
    at: datetime
    value_date: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Share:
    """What an institution bears out of one source, and what of it came back; millionths. ``advanced``: it is the
    operator's, in place of who had been paid out before."""

    institution: str
    source: str
    amount: int
    repaid: int
    advanced: bool


@dataclass(frozen=True, slots=True)
class Default:
    """A net that was not paid. All steps are told to the operator and to who owes it, and shares to who bears them."""

    id: str
    institution: str
    currency: str
    amount: int
    repaid: int
    status: str
    steps: tuple[Step, ...]
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Supplement:
    """``report``: the digest of the report that it adds to; None: its institution has none of the window, and bears
    something all the same. ``number`` counts from 1; ``at`` and ``journal`` are of the batch of the steps."""

    kind: Kind
    hub: str
    model: str
    window: Window
    institution: Party
    report: str | None
    number: int
    previous_digest: str | None
    at: datetime
    journal: JournalHead
    defaults: tuple[Default, ...]


def build(supplement: Supplement) -> bytes:
    """The payload: the canonical bytes that are stored, digested and signed."""
    window = supplement.window
    return rfc8785.dumps(
        {
            "type": TYPE,
            "version": VERSION,
            "kind": supplement.kind,
            "hub": supplement.hub,
            "model": supplement.model,
            "window": {
                "id": window.id,
                "number": str(window.number),
                "openedAt": instant_text(window.opened_at),
                "closedAt": instant_text(window.closed_at),
            },
            "institution": {"code": supplement.institution.code, "name": supplement.institution.name},
            "report": supplement.report,
            "number": str(supplement.number),
            "previousDigest": supplement.previous_digest,
            "at": instant_text(supplement.at),
            "journal": {"batch": str(supplement.journal.batch), "hash": supplement.journal.hash},
            "defaults": [_default_document(one) for one in supplement.defaults],
        }
    )


def parse(payload: bytes) -> Supplement:
    """What a payload says.

    Raises:
        MalformedSupplement: it is none, or spelled otherwise than ``build`` spells it.
    """
    try:
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError
        read = _supplement(json.loads(payload.decode(), parse_float=_refuse, parse_constant=_refuse))
        is_one = build(read) == payload
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise MalformedSupplement(str(MalformedSupplement.__doc__)) from None
    if not is_one:
        raise MalformedSupplement(str(MalformedSupplement.__doc__))
    return read


def wrongs(default: Default, of: str | None) -> Iterable[str]:
    """What the figures of a default must fulfil among themselves and do not; ``of``: whose supplement it is in, None:
    the operator's, which has all of them."""
    unit = minor_unit_millionths(default.currency)
    figures = [default.amount, default.repaid]
    figures += [figure for share in default.shares for figure in (share.amount, share.repaid)]
    figures += [step.amount for step in default.steps]
    if default.amount <= 0 or any(figure < 0 or figure % unit for figure in figures):
        yield "an amount is below zero, or no whole number of minor units"
    if default.repaid > default.amount or any(share.repaid > share.amount for share in default.shares):
        yield "more came back than there was"
    if (default.status == "REPAID") != (default.repaid == default.amount and _is_covered(default, of)):
        yield "its status is not what its figures give"
    if default.status == "DECLARED" and default.shares:
        yield "somebody bears it before it is covered"
    for share in default.shares:
        if (share.institution == default.institution) != (share.source in ("COLLATERAL", "OWN_FUND")):
            yield f"{share.source} is another's than {share.institution}'s"
        if of is not None and share.institution != of:
            yield f"what {share.institution} bears is told to {of}"
    if of is None or of == default.institution:
        yield from _wrong_steps(default, is_whole=of is None)
    elif default.steps or not default.shares:
        yield f"{of} neither owes nor bears it, or is told what only the debtor is"


def _is_covered(default: Default, of: str | None) -> bool:
    """Whether it was covered; told by its steps, which who only bears a part is not shown, but is shown none before."""
    return any(step.kind == "COVERED" for step in default.steps) or of not in (None, default.institution)


def _wrong_steps(default: Default, *, is_whole: bool) -> Iterable[str]:
    sums = dict.fromkeys(KINDS, 0)
    late = 0
    kinds = [step.kind for step in default.steps]
    for step in default.steps:
        sums[step.kind] += step.amount
        late += step.amount if step.kind == "REPAID" and sums["COVERED"] else 0
    once = [kind for kind in kinds if kind != "REPAID"]
    if once != [kind for kind in KINDS if kind in once] or once[:1] != ["DECLARED"] or kinds[:1] != ["DECLARED"]:
        yield "its steps are not in their order"
    if default.status == "DECLARED" and "COVERED" in kinds:
        yield "it is covered, and its status says otherwise"
    if (sums["DECLARED"], sums["REPAID"]) != (default.amount, default.repaid):
        yield "what its steps come to is not what it says"
    borne = sums["COLLATERAL"] + sums["FUND"] + sums["CUT"]
    if borne != sums["COVERED"] or ("COVERED" in kinds and borne != default.amount - default.repaid + late):
        yield "what is borne is not what was not paid"
    shares = {source: sum(one.amount for one in default.shares if one.source == source) for source in SOURCES}
    if shares["COLLATERAL"] != sums["COLLATERAL"]:
        yield "the shares of its collateral are not what was drawn"
    if is_whole:
        if (shares["OWN_FUND"] + shares["FUND"], shares["CUT"]) != (sums["FUND"], sums["CUT"]):
            yield "the shares are not what was drawn and cut"
        if sum(one.repaid for one in default.shares) != late:
            yield "what came back is not what was paid since"


def _default_document(default: Default) -> dict[str, Any]:
    def money(amount: int) -> str:
        return format_millionths(amount, default.currency)

    return {
        "default": default.id,
        "institution": default.institution,
        "currency": default.currency,
        "amount": money(default.amount),
        "repaid": money(default.repaid),
        "status": default.status,
        "steps": [
            {
                "step": step.id,
                "kind": step.kind,
                "amount": money(step.amount),
                "at": instant_text(step.at),
                "valueDate": step.value_date,
                "reference": step.reference,
            }
            for step in default.steps
        ],
        "shares": [
            {
                "institution": share.institution,
                "source": share.source,
                "amount": money(share.amount),
                "repaid": money(share.repaid),
                "advanced": share.advanced,
            }
            for share in default.shares
        ],
    }


def _supplement(document: Any) -> Supplement:
    window, journal = document["window"], document["journal"]
    return Supplement(
        kind="summary" if document["kind"] == "summary" else "institution",
        hub=_text(document["hub"]),
        model=_text(document["model"]),
        window=Window(
            _text(window["id"]),
            parse_count(window["number"]),
            parse_instant(window["openedAt"]),
            parse_instant(window["closedAt"]),
        ),
        institution=Party(_text(document["institution"]["code"]), _text(document["institution"]["name"])),
        report=_or_none(_digest)(document["report"]),
        number=parse_count(document["number"]),
        previous_digest=_or_none(_digest)(document["previousDigest"]),
        at=parse_instant(document["at"]),
        journal=JournalHead(parse_count(journal["batch"]), _digest(journal["hash"])),
        defaults=tuple(_default(one) for one in document["defaults"]),
    )


def _default(document: Any) -> Default:
    return Default(
        id=_text(document["default"]),
        institution=_text(document["institution"]),
        currency=_text(document["currency"]),
        amount=parse_millionths(document["amount"]),
        repaid=parse_millionths(document["repaid"]),
        status=_one_of(STATUSES, document["status"]),
        steps=tuple(
            Step(
                _text(step["step"]),
                _one_of(KINDS, step["kind"]),
                parse_millionths(step["amount"]),
                parse_instant(step["at"]),
                _or_none(_reference)(step["valueDate"]),
                _or_none(_reference)(step["reference"]),
            )
            for step in document["steps"]
        ),
        shares=tuple(
            Share(
                _text(share["institution"]),
                _one_of(SOURCES, share["source"]),
                parse_millionths(share["amount"]),
                parse_millionths(share["repaid"]),
                _boolean(share["advanced"]),
            )
            for share in document["shares"]
        ),
    )


def _text(value: str) -> str:
    if not is_text(value):
        raise ValueError
    return value


def _reference(value: str) -> str:
    """What a bank wrote may hold anything."""
    if not isinstance(value, str) or len(value) > REFERENCE_MAX:
        raise ValueError
    return value


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise ValueError
    return value


def _one_of(allowed: tuple[str, ...], value: str) -> str:
    if value not in allowed:
        raise ValueError
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _or_none(read: Callable[[str], _T]) -> Callable[[str | None], _T | None]:
    return lambda value: None if value is None else read(value)


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)
