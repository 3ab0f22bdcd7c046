"""Reading a settlement report's payload: everything that it says, and a finding for each thing that it says wrongly.

The parts of which a report is made are defined here, because reading needs them and building reads what it has built.
Strict: a document has one spelling. Sums, lines and signatures are the verifier's business.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NoReturn

import rfc8785

from settlement import fx
from settlement.lines import parse_count, parse_instant
from settlement.members import Finding, Reader, shown
from settlement.netting import NetLine
from settlement.pairs import OwnPart, PairLine
from settlement.spelling import currency as _currency
from settlement.spelling import money as _money
from settlement.spelling import text as _text

VERSION: Final = 2
PAYLOAD_BYTES_MAX: Final = 64 * 1024 * 1024

Kind = Literal["institution", "summary"]
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Form:
    """Which document it is, by its ``type``: a report of a closed window, or an interim statement of an open one. Each
    is read as itself only, so that none is ever taken for the other."""

    type: str
    versions: tuple[int, ...]
    ends: str  # the window's member for the instant up to which the document counts
    is_interim: bool


# The first version had no levels: everybody settled with the hub.
FINAL: Final = Form("points-hub/settlement-report", (1, VERSION), "closedAt", is_interim=False)
INTERIM: Final = Form("points-hub/interim-statement", (VERSION,), "asOf", is_interim=True)


@dataclass(frozen=True, slots=True)
class Window:
    """The settlement window: ``number`` counts the model's windows, instants are aware. An interim statement has the
    instant that it is as of in the place of the closing."""

    id: str
    number: int
    opened_at: datetime
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Party:
    """Whose report it is."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class LineSet:
    """The report's lines: how many, and the Merkle root over them (64 hex digits)."""

    count: int
    root: str


@dataclass(frozen=True, slots=True)
class Child:
    """Another report of the window: its institution and the digest of its payload, which no interim statement has; in a
    parent's report also the nets that it takes over of this child: currency and millionths."""

    institution: str
    digest: str | None
    nets: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The journal's head when the window closed, or up to which an interim statement counts: the batch and its chained
    hash (64 hex digits)."""

    batch: int
    hash: str


@dataclass(slots=True)
class Reading:
    """What could be read of a payload; a part that is missing or malformed is None and has findings.

    ``nets`` has every net that could be read; ``nets_whole`` says that none is missing or malformed; so with ``pairs``,
    which are None if the report says nothing of them.
    """

    findings: list[Finding] = field(default_factory=list)
    form: Form = FINAL
    kind: Kind | None = None
    hub: str | None = None
    model: str | None = None
    window: Window | None = None
    institution: Party | None = None
    nets: tuple[NetLine, ...] = ()
    nets_whole: bool = False
    lines: LineSet | None = None
    previous_digest: str | None = None
    journal: JournalHead | None = None
    children: tuple[Child, ...] | None = None
    settlement: fx.Settlement | None = None
    pairs: tuple[PairLine, ...] | None = None
    pairs_whole: bool = False
    is_gross: bool = False  # each act was paid at once


def read(payload: bytes, form: Form = FINAL) -> Reading:
    """Everything that ``payload`` says, with a finding for each thing that a document of this ``form`` may not say or
    that is malformed.

    Strict: the bytes are canonical, no member is missing or unknown, texts are in their one spelling, nets and children
    are in ascending order without doubles. Sums and lines are not looked at. Never raises for what is in the bytes.
    """
    reader = Reader()
    document = _load(payload, reader)
    names = _ROOT if form.is_interim else _ROOT | {"previousDigest"}
    names |= {"levels"} if _is_levelled_summary(document) else set()
    if isinstance(document, dict) and "settlement" in document and _has_levels(document) and not form.is_interim:
        names |= {"settlement"}
    has_pairs = isinstance(document, dict) and "obligations" in document and _has_levels(document)
    names |= {"obligations"} if has_pairs else set()
    names |= {"settled"} if has_pairs and isinstance(document, dict) and "settled" in document else set()
    root = reader.members(document, "report", names) if document is not None else None
    reading = Reading(findings=reader.findings, form=form)
    if root is None:
        return reading
    for name, expected in (("type", (form.type,)), ("version", form.versions)):
        if name in root and (type(root[name]) is not type(expected[0]) or root[name] not in expected):
            reader.wrong(name.upper(), f"{name} is {shown(root[name])} and not {expected[-1]!r}.")
    has_levels = _has_levels(root)
    kind = reader.value(root, "report", "kind", _kind)
    reading.kind = kind
    reading.hub = reader.value(root, "report", "hub", _text)
    reading.model = reader.value(root, "report", "model", _text)
    if "window" in root:
        reading.window = _window(reader, root["window"], form.ends)
    if "institution" in root:
        reading.institution = reader.pair(root["institution"], "institution", ("code", _text), ("name", _text), Party)
    reading.nets, reading.nets_whole = _nets(reader, root, "nets", has_levels)
    if "levels" in names:
        _take_levels(reader, root, reading)
    if "lines" in root:
        reading.lines = reader.pair(root["lines"], "lines", ("count", parse_count), ("root", _digest), LineSet)
    if root.get("previousDigest") is not None:
        reading.previous_digest = reader.value(root, "report", "previousDigest", _digest)
    if "journal" in root:
        reading.journal = reader.pair(
            root["journal"], "journal", ("batch", parse_count), ("hash", _digest), JournalHead
        )
    reading.children = _children(reader, root, form, has_nets=has_levels and kind != "summary")
    if form.is_interim and kind == "summary" and reading.children:
        reader.wrong("CHILDREN", "An interim summary lists no reports: there are none.")
    if "settlement" in names:
        reading.settlement = fx.read(reader, root["settlement"])
    if has_pairs:
        _take_pairs(reader, root, reading)
        reading.is_gross = reader.value(root, "report", "settled", _gross) is not None
    if kind == "institution":
        if reading.children and not has_levels:
            reader.wrong("CHILDREN", "Only the operator's summary lists other reports.")
        for net in reading.nets:
            if reading.institution is not None and net.institution != reading.institution.code:
                reader.wrong(
                    "NET_FOREIGN", f"A net of {net.institution} is in the report of {reading.institution.code}."
                )
    return reading


_ROOT: Final = frozenset(
    {"type", "version", "kind", "hub", "model", "window", "institution", "nets", "lines", "children", "journal"}
)
_WINDOW: Final = frozenset({"id", "number", "openedAt"})
_FLAT_NET: Final = frozenset({"institution", "currency", "debit", "credit", "net"})
_NET: Final = _FLAT_NET | {"parent", "own"}
_OWN: Final = frozenset({"debit", "credit"})
GROSS: Final = "gross"  # how a window was settled in which each act was paid at once
_PAIR: Final = frozenset({"institution", "counterparty", "currency", "debit", "credit", "net"})
_CHILD: Final = frozenset({"institution"})


def _load(payload: bytes, reader: Reader) -> object:
    if len(payload) > PAYLOAD_BYTES_MAX:
        reader.wrong("PAYLOAD_NOT_JSON", f"The payload is larger than {PAYLOAD_BYTES_MAX} bytes.")
        return None
    try:
        document: object = json.loads(payload.decode(), parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reader.wrong("PAYLOAD_NOT_JSON", f"The payload is no JSON without fractions ({type(error).__name__}).")
        return None
    try:
        canonical = rfc8785.dumps(document) == payload  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        canonical = False
    if not canonical:
        reader.wrong("NOT_CANONICAL", "The payload is not spelled canonically (RFC 8785).")
    if document is None:
        reader.wrong("SHAPE", "report is no object.")
    return document


def _window(reader: Reader, value: object, ends: str) -> Window | None:
    members = reader.members(value, "window", _WINDOW | {ends})
    if members is None:
        return None
    identifier = reader.value(members, "window", "id", _text)
    number = reader.value(members, "window", "number", parse_count)
    opened_at = reader.value(members, "window", "openedAt", parse_instant)
    closed_at = reader.value(members, "window", ends, parse_instant)
    if opened_at is not None and closed_at is not None and closed_at < opened_at:
        reader.wrong("WINDOW", "The window closes before it opens.")
    if identifier is None or number is None or opened_at is None or closed_at is None:
        return None
    return Window(identifier, number, opened_at, closed_at)


def _has_levels(root: Mapping[str, Any]) -> bool:
    return root.get("version") != 1


def _is_levelled_summary(document: object) -> bool:
    return isinstance(document, dict) and document.get("kind") == "summary" and _has_levels(document)


def _take_levels(reader: Reader, root: Mapping[str, Any], reading: Reading) -> None:
    """The nets that go to parents, next to those that settle with the hub."""
    levels, whole = _nets(reader, root, "levels", has_levels=True)
    for net in reading.nets:
        if net.parent is not None:
            reader.wrong("NET_PARENT", f"A net of {net.institution} goes to {net.parent}, but stands with the hub's.")
    for net in levels:
        if net.parent is None:
            reader.wrong("NET_PARENT", f"A net of {net.institution} settles with the hub, but stands with the levels.")
    reading.nets = tuple(sorted((*reading.nets, *levels), key=lambda net: (net.institution, net.currency)))
    reading.nets_whole = reading.nets_whole and whole
    places = [(net.institution, net.currency) for net in reading.nets]
    if len(set(places)) < len(places):
        reader.wrong("ORDER", "A net stands both with the hub's and with the levels.")


def _nets(reader: Reader, root: Mapping[str, Any], name: str, has_levels: bool) -> tuple[tuple[NetLine, ...], bool]:
    entries = reader.entries(root, name)
    if entries is None:
        return (), False
    nets = [_net(reader, entry, f"{name}[{position}]", has_levels) for position, entry in enumerate(entries)]
    whole = tuple(net for net in nets if net is not None)
    reader.ascending([(net.institution, net.currency) for net in whole], name)
    return whole, len(whole) == len(nets)


def _net(reader: Reader, entry: object, place: str, has_levels: bool) -> NetLine | None:
    members = reader.members(entry, place, _NET if has_levels else _FLAT_NET)
    if members is None:
        return None
    institution = reader.value(members, place, "institution", _text)
    currency = reader.value(members, place, "currency", _currency)
    parent = reader.value(members, place, "parent", _text) if members.get("parent") is not None else None
    if institution is None or currency is None:
        return None
    net = reader.value(members, place, "net", _money(currency))
    total = _sides(reader, members, place, currency)
    own = total
    if has_levels:
        of_acts = reader.members(members.get("own"), f"{place}.own", _OWN)
        own = (None, None) if of_acts is None else _sides(reader, of_acts, f"{place}.own", currency)
    if net is None or None in (*total, *own):
        return None
    debit, credit = own[0] or 0, own[1] or 0
    below_debit, below_credit = (total[0] or 0) - debit, (total[1] or 0) - credit
    if min(below_debit, below_credit) < 0:
        reader.wrong("SHAPE", f"{place} owes less than its own acts do, or is owed less.")
    return NetLine(institution, currency, debit, credit, net, parent, below_debit, below_credit)


def _take_pairs(reader: Reader, root: Mapping[str, Any], reading: Reading) -> None:
    """What pairs of participants come to: in the summary each once, in an institution's report its own."""
    entries = reader.entries(root, "obligations")
    if entries is None:
        return
    is_summary = reading.kind == "summary"
    read_pairs = [_pair(reader, entry, f"obligations[{n}]", is_summary) for n, entry in enumerate(entries)]
    pairs = tuple(pair for pair in read_pairs if pair is not None)
    reader.ascending([(pair.institution, pair.counterparty, pair.currency) for pair in pairs], "obligations")
    for pair in pairs:
        if is_summary and pair.institution > pair.counterparty:
            reader.wrong(
                "ORDER", f"The pair of {pair.institution} and {pair.counterparty} begins with the higher code."
            )
        if not is_summary and reading.institution is not None and pair.institution != reading.institution.code:
            reader.wrong(
                "PAIR_FOREIGN", f"A pair of {pair.institution} is in the report of {reading.institution.code}."
            )
    reading.pairs, reading.pairs_whole = pairs, len(pairs) == len(entries)


def _pair(reader: Reader, entry: object, place: str, is_summary: bool) -> PairLine | None:
    members = reader.members(entry, place, _PAIR if is_summary else _PAIR | {"own"})
    if members is None:
        return None
    institution = reader.value(members, place, "institution", _text)
    counterparty = reader.value(members, place, "counterparty", _text)
    currency = reader.value(members, place, "currency", _currency)
    if institution is None or counterparty is None or currency is None:
        return None
    net = reader.value(members, place, "net", _money(currency))
    debit, credit = _sides(reader, members, place, currency)
    own = () if is_summary else _own_parts(reader, members, place, currency)
    if institution == counterparty:
        reader.wrong("SHAPE", f"{place} is with itself.")
        return None
    if net is None or debit is None or credit is None or own is None:
        return None
    return PairLine(institution, counterparty, currency, debit, credit, net, own)


def _own_parts(reader: Reader, members: Mapping[str, Any], place: str, currency: str) -> tuple[OwnPart, ...] | None:
    entries = reader.entries(members, "own")
    if entries is None:
        return None
    parts: list[OwnPart] = []
    for number, entry in enumerate(entries):
        where = f"{place}.own[{number}]"
        part = reader.members(entry, where, _OWN | {"institution"})
        if part is None:
            continue
        institution = reader.value(part, where, "institution", _text)
        debit, credit = _sides(reader, part, where, currency)
        if institution is not None and debit is not None and credit is not None:
            parts.append(OwnPart(institution, debit, credit))
    reader.ascending([part.institution for part in parts], f"{place}.own")
    return tuple(parts) if len(parts) == len(entries) else None


def _sides(reader: Reader, members: Mapping[str, Any], place: str, currency: str) -> tuple[int | None, int | None]:
    """A debit and a credit, neither of them negative."""
    debit, credit = (reader.value(members, place, name, _money(currency)) for name in ("debit", "credit"))
    for name, amount in (("debit", debit), ("credit", credit)):
        if amount is not None and amount < 0:
            reader.wrong("SHAPE", f"{place}.{name} is negative.")
    return debit, credit


def _children(reader: Reader, root: Mapping[str, Any], form: Form, *, has_nets: bool) -> tuple[Child, ...] | None:
    entries = reader.entries(root, "children")
    if entries is None:
        return None
    read_children = [
        _child(reader, entry, f"children[{position}]", form, has_nets=has_nets)
        for position, entry in enumerate(entries)
    ]
    children = tuple(child for child in read_children if child is not None)
    reader.ascending([child.institution for child in children], "children")
    return children if len(children) == len(entries) else None


def _child(reader: Reader, entry: object, place: str, form: Form, *, has_nets: bool) -> Child | None:
    names = _CHILD if form.is_interim else _CHILD | {"digest"}
    members = reader.members(entry, place, names | {"nets"} if has_nets else names)
    if members is None:
        return None
    institution = reader.value(members, place, "institution", _text)
    found = None if form.is_interim else reader.value(members, place, "digest", _digest)
    nets: list[tuple[str, int]] = []
    entries = reader.entries(members, "nets") if has_nets else []
    for number, of in enumerate(entries or ()):
        where = f"{place}.nets[{number}]"
        net = reader.members(of, where, frozenset({"currency", "net"}))
        currency = None if net is None else reader.value(net, where, "currency", _currency)
        amount = None if net is None or currency is None else reader.value(net, where, "net", _money(currency))
        if currency is not None and amount is not None:
            nets.append((currency, amount))
    reader.ascending([currency for currency, _ in nets], f"{place}.nets")
    if institution is None or (found is None and not form.is_interim) or len(nets) != len(entries or ()):
        return None
    return Child(institution, found, tuple(nets))


def _kind(text: str) -> Kind:
    if text == "institution":
        return "institution"
    if text == "summary":
        return "summary"
    raise ValueError("is neither institution nor summary")


def _gross(text: str) -> str:
    if text != GROSS:
        raise ValueError(f"is not {GROSS}")
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError("is no SHA-256 in 64 lower-case hex digits")
    return text


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no whole number")
