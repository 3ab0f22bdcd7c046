"""Reading a settlement report's payload: everything that it says, and a finding for each thing that it says wrongly.

The parts of which a report is made are defined here, because reading needs them and building reads what it has built.
Strict: a document has one spelling. Sums, lines and signatures are the verifier's business.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal, NoReturn, TypeVar

import rfc8785

from hub.money import InvalidMoney, UnknownMoney, format_millionths, parse_millionths
from settlement.lines import is_text, parse_count, parse_instant
from settlement.netting import NetLine

TYPE: Final = "points-hub/settlement-report"
VERSION: Final = 1
PAYLOAD_BYTES_MAX: Final = 64 * 1024 * 1024

Kind = Literal["institution", "summary"]
_DIGEST = re.compile(r"[0-9a-f]{64}")
_A = TypeVar("_A")
_B = TypeVar("_B")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable code and a sentence."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Window:
    """The settlement window: ``number`` counts the model's windows, instants are aware."""

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
    """Another report of the window: its institution and the digest of its payload."""

    institution: str
    digest: str


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The journal's head when the window closed: the batch and its chained hash (64 hex digits)."""

    batch: int
    hash: str


@dataclass(slots=True)
class Reading:
    """What could be read of a payload; a part that is missing or malformed is None and has findings.

    ``nets`` has every net that could be read; ``nets_whole`` says that none is missing or malformed.
    """

    findings: list[Finding] = field(default_factory=list)
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


def read(payload: bytes) -> Reading:
    """Everything that ``payload`` says, with a finding for each thing that it may not say or says malformed.

    Strict: the bytes are canonical, no member is missing or unknown, texts are in their one spelling, nets and children
    are in ascending order without doubles. Sums and lines are not looked at. Never raises for what is in the bytes.
    """
    reader = _Reader()
    document = _load(payload, reader)
    root = reader.members(document, "report", _ROOT) if document is not None else None
    reading = Reading(findings=reader.findings)
    if root is None:
        return reading
    for name, expected in (("type", TYPE), ("version", VERSION)):
        if name in root and (type(root[name]) is not type(expected) or root[name] != expected):
            reader.wrong(name.upper(), f"{name} is {_shown(root[name])} and not {expected!r}.")
    kind = reader.value(root, "report", "kind", _kind)
    reading.kind = kind
    reading.hub = reader.value(root, "report", "hub", _text)
    reading.model = reader.value(root, "report", "model", _text)
    if "window" in root:
        reading.window = _window(reader, root["window"])
    if "institution" in root:
        reading.institution = reader.pair(root["institution"], "institution", ("code", _text), ("name", _text), Party)
    reading.nets, reading.nets_whole = _nets(reader, root)
    if "lines" in root:
        reading.lines = reader.pair(root["lines"], "lines", ("count", parse_count), ("root", _digest), LineSet)
    if root.get("previousDigest") is not None:
        reading.previous_digest = reader.value(root, "report", "previousDigest", _digest)
    if "journal" in root:
        reading.journal = reader.pair(
            root["journal"], "journal", ("batch", parse_count), ("hash", _digest), JournalHead
        )
    reading.children = _children(reader, root)
    if kind == "institution":
        if reading.children:
            reader.wrong("CHILDREN", "Only the operator's summary lists other reports.")
        for net in reading.nets:
            if reading.institution is not None and net.institution != reading.institution.code:
                reader.wrong(
                    "NET_FOREIGN", f"A net of {net.institution} is in the report of {reading.institution.code}."
                )
    return reading


_ROOT: Final = frozenset(
    {"type", "version", "kind", "hub", "model", "window", "institution", "nets", "lines", "previousDigest", "children"}
    | {"journal"}
)
_WINDOW: Final = frozenset({"id", "number", "openedAt", "closedAt"})
_NET: Final = frozenset({"institution", "currency", "debit", "credit", "net"})


class _Reader:
    """Takes members out of parsed JSON and collects what is wrong with them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def wrong(self, code: str, sentence: str) -> None:
        self.findings.append(Finding(code, sentence))

    def members(self, value: object, place: str, names: frozenset[str]) -> Mapping[str, Any] | None:
        if not isinstance(value, dict):
            self.wrong("SHAPE", f"{place} is no object.")
            return None
        for name in sorted(value.keys() - names):
            self.wrong("SHAPE", f"{place} has an unknown member {_shown(name)}.")
        for name in sorted(names - value.keys()):
            self.wrong("SHAPE", f"{place} lacks {name}.")
        return value

    def entries(self, root: Mapping[str, Any], name: str) -> list[object] | None:
        if name not in root:
            return None
        value = root[name]
        if not isinstance(value, list):
            self.wrong("SHAPE", f"{name} is no list.")
            return None
        return value

    def value(self, members: Mapping[str, Any], place: str, name: str, parse: Callable[[str], _T]) -> _T | None:
        if name not in members:
            return None
        text = members[name]
        if not isinstance(text, str):
            self.wrong("SHAPE", f"{place}.{name} is no text.")
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.wrong("SHAPE", f"{place}.{name} {error} ({_shown(text)}).")
            return None

    def pair(
        self,
        value: object,
        place: str,
        first: tuple[str, Callable[[str], _A]],
        second: tuple[str, Callable[[str], _B]],
        make: Callable[[_A, _B], _T],
    ) -> _T | None:
        """An object of two texts."""
        members = self.members(value, place, frozenset({first[0], second[0]}))
        if members is None:
            return None
        left, right = self.value(members, place, *first), self.value(members, place, *second)
        return None if left is None or right is None else make(left, right)

    def ascending(self, keys: list[Any], place: str) -> None:
        for position, (before, after) in enumerate(pairwise(keys), start=1):
            if before >= after:
                what = "stands twice" if before == after else "is out of order"
                self.wrong("ORDER", f"{place}[{position}] {what} ({_shown(after)}).")


def _load(payload: bytes, reader: _Reader) -> object:
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


def _window(reader: _Reader, value: object) -> Window | None:
    members = reader.members(value, "window", _WINDOW)
    if members is None:
        return None
    identifier = reader.value(members, "window", "id", _text)
    number = reader.value(members, "window", "number", parse_count)
    opened_at = reader.value(members, "window", "openedAt", parse_instant)
    closed_at = reader.value(members, "window", "closedAt", parse_instant)
    if opened_at is not None and closed_at is not None and closed_at < opened_at:
        reader.wrong("WINDOW", "The window closes before it opens.")
    if identifier is None or number is None or opened_at is None or closed_at is None:
        return None
    return Window(identifier, number, opened_at, closed_at)


def _nets(reader: _Reader, root: Mapping[str, Any]) -> tuple[tuple[NetLine, ...], bool]:
    entries = reader.entries(root, "nets")
    if entries is None:
        return (), False
    nets = [_net(reader, entry, f"nets[{position}]") for position, entry in enumerate(entries)]
    whole = tuple(net for net in nets if net is not None)
    reader.ascending([(net.institution, net.currency) for net in whole], "nets")
    return whole, len(whole) == len(nets)


def _net(reader: _Reader, entry: object, place: str) -> NetLine | None:
    members = reader.members(entry, place, _NET)
    if members is None:
        return None
    institution = reader.value(members, place, "institution", _text)
    currency = reader.value(members, place, "currency", _currency)
    if institution is None or currency is None:
        return None
    amounts = [reader.value(members, place, name, _money(currency)) for name in ("debit", "credit", "net")]
    debit, credit, net = amounts
    for name, amount in (("debit", debit), ("credit", credit)):
        if amount is not None and amount < 0:
            reader.wrong("SHAPE", f"{place}.{name} is negative.")
    if debit is None or credit is None or net is None:
        return None
    return NetLine(institution, currency, debit, credit, net)


def _children(reader: _Reader, root: Mapping[str, Any]) -> tuple[Child, ...] | None:
    entries = reader.entries(root, "children")
    if entries is None:
        return None
    read_children = [
        reader.pair(entry, f"children[{position}]", ("institution", _text), ("digest", _digest), Child)
        for position, entry in enumerate(entries)
    ]
    children = tuple(child for child in read_children if child is not None)
    reader.ascending([child.institution for child in children], "children")
    return children if len(children) == len(entries) else None


def _kind(text: str) -> Kind:
    if text == "institution":
        return "institution"
    if text == "summary":
        return "summary"
    raise ValueError("is neither institution nor summary")


def _text(text: str) -> str:
    if not is_text(text):
        raise ValueError("is no plain text")
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError("is no SHA-256 in 64 lower-case hex digits")
    return text


def _currency(text: str) -> str:
    try:
        format_millionths(0, text)
    except UnknownMoney:
        raise ValueError("is no currency that can be paid") from None
    return text


def _money(currency: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = parse_millionths(text)
        except InvalidMoney:
            raise ValueError("is no plain decimal") from None
        if format_millionths(value, currency) != text:
            raise ValueError("is an amount in another spelling")
        return value

    return parse


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no whole number")


def _shown(value: object) -> str:
    return ascii(value)[:60]
