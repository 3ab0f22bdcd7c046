"""A report's lines: one canonical JSON object for every money leg of an act, in the order of the ledger.

A line has exactly one spelling (RFC 8785: sorted members, no spaces, one text per amount and instant), so that equal
lines are equal bytes and a root over the bytes means what a root over the facts would. Parsing takes that spelling and
no other. A line knows nothing of its neighbours: order, sums and membership of a report are the verifier's business.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NoReturn

import msgspec

from hub import ids
from hub.money import InvalidMoney, UnknownMoney, format_millionths, minor_unit, parse_millionths
from hub.points import half_up
from hub.points import parse as parse_decimal

PURPOSES: Final = ("settlement", "fee")
LINE_BYTES_MAX: Final = 16_384
TEXT_MAX: Final = 200

_MEMBERS: Final = frozenset(
    {"amount", "at", "currency", "from", "kind", "leg", "movement", "purpose", "reverses", "to", "window"}
)
_SHARE_MEMBERS: Final = frozenset({"fee", "kept", "plan"})
_OPTIONAL: Final = frozenset({"corrects", "invoice", "points", "price", "share", "terms"})
_CORRECTS_MEMBERS: Final = frozenset({"dispute", "leg", "movement"})
_POINTS_MEMBERS: Final = frozenset({"amount", "currency"})
_KIND = re.compile(r"[a-z][a-z_]{0,31}")
_COUNT = re.compile(r"0|[1-9][0-9]{0,18}")
_POINTS_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,29})(?:\.[0-9]{1,12})?")
_PRICE = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{0,11}[1-9])?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
# With ASCII names and no floats this is RFC 8785, in C: spelling ten million lines is counted in seconds.
_amount = lru_cache(maxsize=65_536)(format_millionths)  # acts are of round amounts, and their fees too
_canonical = msgspec.json.Encoder(order="sorted").encode


class LineError(ValueError):
    """The line is not one of a report."""

    code = "LINE"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail


class LineNotJson(LineError):
    """The line is no JSON object of a line's size."""

    code = "LINE_NOT_JSON"


class LineMember(LineError):
    """A member of the line is missing, unknown or malformed."""

    code = "LINE_MEMBER"

    def __init__(self, member: str, detail: str) -> None:
        super().__init__(f"{member}: {detail}")
        self.member = member


class LineNotCanonical(LineError):
    """The line says what a line may say, but is not spelled canonically."""

    code = "LINE_NOT_CANONICAL"


@dataclass(frozen=True, slots=True)
class PointAmount:
    """Points that the act moved: the point currency's code and its decimal text at the currency's scale."""

    currency: str
    amount: str


@dataclass(frozen=True, slots=True)
class FeeShare:
    """By what a fee was split: the identifier of the plan's version, the act's whole fee, and what of it nobody is paid
    because it falls to who pays it; millionths."""

    plan: str
    fee_millionths: int
    kept_millionths: int


@dataclass(frozen=True, slots=True)
class Corrects:
    """The line of an earlier window that a line gives back, in whole or in part, and the dispute that had it so."""

    dispute: str
    movement: str
    leg: int


@dataclass(frozen=True, slots=True)
class Line:
    """One money leg: ``payer`` owes ``payee`` an amount (JSON: ``from`` and ``to``). No invalid line can be made.

    Raises:
        LineMember: a value is out of its domain.
    """

    window: int  # the window's number
    movement: str  # an opaque id; lines are ordered by the number in it
    leg: int
    kind: str
    at: datetime
    currency: str
    amount_millionths: int  # of the currency's major unit, more than zero
    payer: str
    payee: str
    purpose: str
    points: tuple[PointAmount, ...] = ()
    reverses: str | None = None
    terms: str | None = None  # an opaque id: the version of terms by which the act was priced
    price: str | None = None  # of one point: then the amount is what the points come to at it
    share: FeeShare | None = None
    invoice: str | None = None  # the reference of the invoice or credit note that the line is
    corrects: Corrects | None = None

    def __post_init__(self) -> None:
        if not self._is_plain():
            self._check()

    def _is_plain(self) -> bool:
        """Whether it is right and has nothing but what nearly all lines have, of which there are millions: then their
        words have been seen before, and nobody need be told what is wrong."""
        for entry in self.points:
            if not _is_points(entry.currency, entry.amount):
                return False
        return (
            _are_right(self.kind, self.currency, self.payer, self.payee, self.purpose)
            and self.reverses is None
            and self.terms is None
            and self.price is None
            and self.share is None
            and self.invoice is None
            and self.corrects is None
            and 0 <= self.window < 2**53
            and 0 <= self.leg < 2**31
            and self.amount_millionths > 0
            and self.at.tzinfo is not None
            and _is_identifier(self.movement)
        )

    def _check(self) -> None:
        _require(0 <= self.window < 2**53, "window", "is no window's number")
        _require(0 <= self.leg < 2**31, "leg", "is no leg's number")
        sequence(self.movement)
        if self.reverses is not None and _number(self.reverses) is None:
            raise LineMember("reverses", "is no identifier")
        if self.corrects is not None:
            _require(_number(self.corrects.dispute) is not None, "corrects", "dispute is no identifier")
            _require(_number(self.corrects.movement) is not None, "corrects", "movement is no identifier")
            _require(0 <= self.corrects.leg < 2**31, "corrects", "leg is no leg's number")
        _require(_KIND.fullmatch(self.kind) is not None, "kind", "is no kind of act")
        _require(self.at.tzinfo is not None, "at", "has no time zone")
        _require(self.amount_millionths > 0, "amount", "is not more than zero")
        _require(is_text(self.payer), "from", "is no institution's code")
        _require(is_text(self.payee), "to", "is no institution's code")
        _require(self.payer != self.payee, "to", "is the payer itself")
        _require(self.purpose in PURPOSES, "purpose", "is neither settlement nor fee")
        for entry in self.points:
            _require(is_text(entry.currency), "points", "currency is no code")
            _require(_POINTS_AMOUNT.fullmatch(entry.amount) is not None, "points", "amount is no plain decimal")
        _require(self.terms is None or _number(self.terms) is not None, "terms", "is no identifier")
        if self.price is not None:
            self._check_price(self.price)
        try:
            minor_unit(self.currency)
        except UnknownMoney as error:
            raise LineMember("currency", str(error)) from None
        _require(self.invoice is None or is_text(self.invoice), "invoice", "is no reference")
        if self.share is not None:
            _require(self.purpose == "fee", "share", "is of no fee")
            _require(_number(self.share.plan) is not None, "share", "plan is no identifier")
            paid = self.share.fee_millionths - self.share.kept_millionths
            _require(self.share.kept_millionths >= 0, "share", "kept is below zero")
            _require(paid >= self.amount_millionths, "share", "is more than the fee")

    @property
    def bearer(self) -> str:
        """Who bears the act's fee, if the line is of one: it pays all shares, and gets them back."""
        return self.payer if self.reverses is None else self.payee

    def _check_price(self, price: str) -> None:
        """A reversal's amount is a share of an act's, and a fee is no price."""
        _require(_PRICE.fullmatch(price) is not None, "price", "is no price")
        is_priced = self.purpose == "settlement" and self.reverses is None and len(self.points) == 1
        _require(is_priced and self.terms is not None, "price", "is of a line that has none")
        due = half_up(parse_decimal(price, 12) * parse_decimal(self.points[0].amount, 12), 10**18)
        _require(self.amount_millionths == due, "amount", "is not what the points come to at the price")

    @property
    def order(self) -> tuple[int, int]:
        """The line's place in the ledger; strictly ascending through a report."""
        return sequence(self.movement), self.leg


@lru_cache(maxsize=4_096)  # an act has several lines
def sequence(movement: str) -> int:
    """The 64-bit number in a movement's id, by which lines are ordered.

    Raises:
        LineMember: the text is no identifier in its one spelling.
    """
    number = _number(movement)
    if number is None:
        raise LineMember("movement", "is no identifier")
    return number


def encode(line: Line) -> bytes:
    """The line's one spelling, UTF-8, without a line break. What a line does not have of ``points``,
    ``terms``, ``price``, ``share``, ``invoice`` and ``corrects`` is left out."""
    members: dict[str, object] = {
        "window": str(line.window),
        "movement": line.movement,
        "leg": line.leg,
        "kind": line.kind,
        "at": instant_text(line.at),
        "currency": line.currency,
        "amount": _amount(line.amount_millionths, line.currency),
        "from": line.payer,
        "to": line.payee,
        "purpose": line.purpose,
        "reverses": line.reverses,
    }
    if line.points:
        members["points"] = line.points
    if line.terms is not None:
        members["terms"] = line.terms
    if line.price is not None:
        members["price"] = line.price
    if line.share is not None:
        members["share"] = {
            "plan": line.share.plan,
            "fee": format_millionths(line.share.fee_millionths, line.currency),
            "kept": format_millionths(line.share.kept_millionths, line.currency),
        }
    if line.invoice is not None:
        members["invoice"] = line.invoice
    if line.corrects is not None:
        of = line.corrects
        members["corrects"] = {"dispute": of.dispute, "leg": of.leg, "movement": of.movement}
    return _canonical(members)


def parse(raw: bytes) -> Line:
    """The line that ``raw`` (without a line break) spells.

    Raises:
        LineNotJson: it is too long, no UTF-8, no JSON, or no object.
        LineMember: a member is missing, unknown, of another type or out of its domain.
        LineNotCanonical: ``encode`` spells the same line otherwise: spaces, order, double members, 1.5 for 1.50.
    """
    members = _load(raw)
    if unknown := members.keys() - _MEMBERS - _OPTIONAL:
        raise LineMember(ascii(min(unknown))[:40], "is unknown")
    if missing := _MEMBERS - members.keys():
        raise LineMember(min(missing), "is missing")
    leg = members["leg"]
    if type(leg) is not int:
        raise LineMember("leg", "is no whole number")
    reverses = members["reverses"]
    line = Line(
        window=_count(_text(members, "window")),
        movement=_text(members, "movement"),
        leg=leg,
        kind=_text(members, "kind"),
        at=_instant(_text(members, "at")),
        currency=_text(members, "currency"),
        amount_millionths=_money("amount", _text(members, "amount")),
        payer=_text(members, "from"),
        payee=_text(members, "to"),
        purpose=_text(members, "purpose"),
        points=_points(members["points"]) if "points" in members else (),
        reverses=None if reverses is None else _text(members, "reverses"),
        terms=_text(members, "terms") if "terms" in members else None,
        price=_text(members, "price") if "price" in members else None,
        share=_share(members["share"]) if "share" in members else None,
        invoice=_text(members, "invoice") if "invoice" in members else None,
        corrects=_corrects(members["corrects"]) if "corrects" in members else None,
    )
    if encode(line) != raw:
        raise LineNotCanonical(f"movement={line.movement}, leg={line.leg}")
    return line


@lru_cache(maxsize=4_096)  # the lines of a batch have one instant
def instant_text(at: datetime) -> str:
    """An aware instant as RFC 3339 in UTC with six decimals: ``2026-01-31T16:00:00.000000Z``."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: str) -> datetime:
    """The instant that ``instant_text`` wrote.

    Raises:
        ValueError: any other spelling, or a day or time that does not exist.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError("is no RFC 3339 instant in UTC with six decimals")
    at = datetime.fromisoformat(text)
    if instant_text(at) != text:
        raise ValueError("is an instant in another spelling")
    return at


def parse_count(text: str) -> int:
    """A whole number, not negative, in its one decimal spelling.

    Raises:
        ValueError: any other text.
    """
    if not _COUNT.fullmatch(text):
        raise ValueError("is no whole number in decimal digits")
    return int(text)


@lru_cache(maxsize=1_024)
def is_text(value: str) -> bool:
    """Whether ``value`` can stand for a code or a name: printable, not empty, no spaces around it, not endless."""
    return 0 < len(value) <= TEXT_MAX and value.isprintable() and value == value.strip()


@lru_cache(maxsize=1_024)
def _are_right(kind: str, currency: str, payer: str, payee: str, purpose: str) -> bool:
    """Whether these are what a line may say of them."""
    try:
        minor_unit(currency)
    except UnknownMoney:
        return False
    return bool(_KIND.fullmatch(kind)) and is_text(payer) and is_text(payee) and payer != payee and purpose in PURPOSES


@lru_cache(maxsize=65_536)  # acts are of round amounts
def _is_points(currency: str, amount: str) -> bool:
    return is_text(currency) and _POINTS_AMOUNT.fullmatch(amount) is not None


@lru_cache(maxsize=4_096)  # an act has several lines
def _is_identifier(text: str) -> bool:
    return _number(text) is not None


def _require(holds: bool, member: str, detail: str) -> None:
    if not holds:
        raise LineMember(member, detail)


def _number(identifier: str) -> int | None:
    parsed = ids.parse(identifier)
    return parsed[1] if parsed is not None and ids.text(*parsed) == identifier else None


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no whole number")


def _load(raw: bytes) -> Mapping[str, Any]:
    if len(raw) > LINE_BYTES_MAX:
        raise LineNotJson(f"{len(raw)} bytes")
    try:
        members = json.loads(raw.decode(), parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise LineNotJson(type(error).__name__) from None
    if not isinstance(members, dict):
        raise LineNotJson("no object")
    return members


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise LineMember(name, "is no text")
    return value


def _count(text: str) -> int:
    try:
        return parse_count(text)
    except ValueError as error:
        raise LineMember("window", str(error)) from None


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise LineMember("at", str(error)) from None


def _money(member: str, text: str) -> int:
    try:
        return parse_millionths(text)
    except InvalidMoney as error:
        raise LineMember(member, str(error)) from None


def _share(value: object) -> FeeShare:
    if not isinstance(value, dict) or value.keys() != _SHARE_MEMBERS:
        raise LineMember("share", "is not plan, fee and kept")
    fee, kept = (_money("share", _text(value, name)) for name in ("fee", "kept"))
    return FeeShare(_text(value, "plan"), fee, kept)


def _points(value: object) -> tuple[PointAmount, ...]:
    if not isinstance(value, list) or not value:
        raise LineMember("points", "is no list of points (it is left out when there are none)")
    return tuple(_point(entry) for entry in value)


def _point(entry: object) -> PointAmount:
    if not isinstance(entry, dict) or entry.keys() != _POINTS_MEMBERS:
        raise LineMember("points", "has an entry that is not currency and amount")
    return PointAmount(_text(entry, "currency"), _text(entry, "amount"))


def _corrects(value: object) -> Corrects:
    if not isinstance(value, dict) or value.keys() != _CORRECTS_MEMBERS:
        raise LineMember("corrects", "is not dispute, leg and movement")
    leg = value["leg"]
    if type(leg) is not int:
        raise LineMember("corrects", "leg is no whole number")
    return Corrects(_text(value, "dispute"), _text(value, "movement"), leg)
