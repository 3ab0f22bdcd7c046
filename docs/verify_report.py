#!/usr/bin/env python3
"""Verify a settlement report of Points Hub without the hub: one file, Python 3.9 or newer, and `cryptography`.

    python verify_report.py report.jws --lines lines.ndjson --jwks jwks.json
        [--previous last.jws] [--child east.jws --child west.jws] [--line proof.json]
        [--acceptance acceptance.jws --acceptance-jwks institution.json]
        [--supplement first.jws --supplement second.jws]
    python verify_report.py --interim statement.jws --lines lines.ndjson --jwks jwks.json

It lists everything that is wrong with the report and believes no figure that it can recompute. Exit codes: 0 nothing is
wrong; 1 something is, one finding a line on standard output; 2 it was called wrongly; 3 a file could not be read.

This program shares no code with the hub's `points-hub verify` and was written to give the same verdict: two readings of
one format check each other. Read it from top to bottom. What is proved, and by what:

  1  the document is exactly what the hub signed               signature (Ed25519), over the payload's bytes
  2  the key is one of the hub's, and was not revoked          the key set, which you got by a way that you trust
  3  the payload says what a report says, in one spelling      canonical JSON (RFC 8785)
  4  the lines are those that were signed, in their order      Merkle root (RFC 9162), count
  5  debits and credits are the sums of the lines              addition
  6  nets are credits less debits, rounded fairly, to zero     largest remainder, from the top of the tree down;
     and so are they at the rates, where they become one currency
  7  the report follows the one before                         digest of the previous report
  8  what it takes over of others is what their reports say    digests and nets of the children's reports
  9  the shares of a fee sum to what its plan shares           addition, as far as the report has its lines
 10  one line belongs to the report, the others unseen         inclusion proof (RFC 9162)
 11  its institution has accepted the report                   signature of the institution's own key
 12  what each two net with one another is what they owe       addition and rounding, pair by pair; the participant's
                                                               net is their sum
 13  what became of nets that were not paid                   signed supplements, in a chain that begins at the report

With --interim it is a statement of a window that is still open: the same up to a batch of the journal, in no chain, and
nothing in it is final. One is never taken for the other.

What no line implies (names, instants, the journal's head) stands under the signature alone.
Money is counted in whole millionths of a currency's major unit, never in fractions.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# How many digits the minor unit of a currency has (ISO 4217); what is not listed cannot be paid.
MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
          CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
          IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
          MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
          SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
          YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DIGITS = {code: digits for digits, codes in MINOR_UNITS.items() for code in codes.split()}
PAYLOAD_BYTES_MAX, LINE_BYTES_MAX, PROOF_BYTES_MAX = 64 * 1024 * 1024, 16_384, 65_536
HEADER_LENGTH_MAX, SECONDS_MAX, FINDINGS_PER_CODE_MAX = 512, 253_402_300_799, 100
EPOCH = datetime(1970, 1, 1)  # instants are in UTC throughout


class Findings:
    """What is wrong: codes and sentences; of each code the first hundred in full, then their number."""

    def __init__(self) -> None:
        self.listed: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()

    def add(self, code: str, sentence: str) -> None:
        self.counts[code] += 1
        if self.counts[code] <= FINDINGS_PER_CODE_MAX:
            self.listed.append((code, sentence))

    def all(self) -> list[tuple[str, str]]:
        beyond = {code: count - FINDINGS_PER_CODE_MAX for code, count in sorted(self.counts.items())}
        more = [(code, f"{left} more findings of this kind.") for code, left in beyond.items() if left > 0]
        return self.listed + more


# --- texts: each thing has one spelling -----------------------------------------------------------------------------


def shown(value: object) -> str:
    return ascii(value)[:60]


def text(value: str) -> str:
    if not (0 < len(value) <= 200 and value.isprintable() and value == value.strip()):
        raise ValueError("is no plain text")
    return value


def count(value: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", value):
        raise ValueError("is no whole number in decimal digits")
    return int(value)


def digest_text(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("is no SHA-256 in 64 lower-case hex digits")
    return value


def instant(value: str) -> datetime:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", value):
        raise ValueError("is no RFC 3339 instant in UTC with six decimals")
    return datetime.fromisoformat(value[:-1])


def millionths(value: str) -> int:
    match = re.fullmatch(r"(-?)(0|[1-9][0-9]{0,29})(?:\.([0-9]{1,6}))?", value)
    found = 0 if match is None else int(match[2] + (match[3] or "").ljust(6, "0"))
    if match is None or (match[1] and not found):
        raise ValueError(f"The text is no plain decimal of at most six digits after the point. ({value[:40]!r})")
    return -found if match[1] else found


def spelled(amount: int, currency: str) -> str:
    """Decimal text with at least the digits of the minor unit, more only where
    they are not zero: 4,800 is 0.0048 in CNY, 6,000,000 is 6.00."""
    whole, fraction = divmod(abs(amount), 1_000_000)
    digits = f"{fraction:06d}"
    decimals = digits[: DIGITS[currency]] + digits[DIGITS[currency] :].rstrip("0")
    return ("-" if amount < 0 else "") + str(whole) + ("." + decimals if decimals else "")


def currency_code(value: str) -> str:
    if value not in DIGITS:
        raise ValueError("is no currency that can be paid")
    return value


def money_in(currency: str) -> Callable[[str], int]:
    def money(value: str) -> int:
        try:
            amount = millionths(value)
        except ValueError:
            raise ValueError("is no plain decimal") from None
        if spelled(amount, currency) != value:
            raise ValueError("is an amount in another spelling")
        return amount

    return money


def fx_rate(value: str) -> str:
    if not re.fullmatch(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{0,11}[1-9])?", value) or not Fraction(value):
        raise ValueError("is no rate")
    return value


def fx_rate_id(value: str) -> str:
    if not re.fullmatch(r"fx_(?:0|[1-9a-f][0-9a-f]{0,15})", value):
        raise ValueError("is no rate's identifier")
    return value


def day(value: str) -> str:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise ValueError("is no day")


def place_in_ledger(identifier: str) -> int | None:
    """The 63-bit number in an identifier such as mv_1f."""
    match = re.fullmatch(r"[a-z]{2}_(0|[1-9a-f][0-9a-f]{0,15})", identifier)
    number = -1 if match is None else int(match[1], 16)
    return number if 0 <= number < 1 << 63 else None


# --- canonical JSON (RFC 8785), of texts, whole numbers, true, false, null, lists and objects -----------------------


def no_fraction(value: str) -> Any:
    raise ValueError(f"{value[:40]} is no whole number")


def parsed(raw: bytes) -> Any:
    return json.loads(raw.decode(), parse_float=no_fraction, parse_constant=no_fraction)


def canonical(value: Any) -> str:
    if isinstance(value, dict):  # sorted by UTF-16 code units
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join([canonical(name) + ":" + canonical(value[name]) for name in names]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([canonical(one) for one in value]) + "]"
    if isinstance(value, int) and abs(value) >= 1 << 53:
        raise ValueError("A number is too large to be exact for every reader.")
    return json.dumps(value, ensure_ascii=False)


def is_canonical(value: Any, raw: bytes) -> bool:
    try:
        return canonical(value).encode() == raw
    except (ValueError, RecursionError):  # a text that is no Unicode, a number too large
        return False


# --- signature: JWS in compact serialization (RFC 7515), Ed25519 (RFC 9864), keys as RFC 8037, 7638 and 7517 --------


def unbase64(part: str) -> bytes:
    try:
        raw = base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("a part is no base64url") from None
    if base64url(raw) != part:
        raise ValueError("a part is base64url in another spelling")
    return raw


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Key(NamedTuple):
    public: Ed25519PublicKey
    revoked_from: datetime | None  # not to be believed for what happens from then on
    reason: str


def key_set(findings: Findings, jwks: dict[str, Any], prefix: str = "") -> dict[str, Key]:
    """The Ed25519 keys by their computed thumbprint: what a key calls itself does not count."""
    keys: dict[str, Key] = {}
    for member in jwks["keys"] if isinstance(jwks.get("keys"), list) else []:
        if not isinstance(member, dict) or (member.get("kty"), member.get("crv")) != ("OKP", "Ed25519"):
            continue
        if not isinstance(member.get("x"), str) or "d" in member:
            continue
        try:
            public = Ed25519PublicKey.from_public_bytes(unbase64(member["x"]))
        except ValueError:
            continue
        kid = base64url(sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": member["x"]}).encode()))
        known = keys.get(kid, Key(public, None, ""))
        if "revoked" in member:
            since, reason = revocation(member["revoked"])
            if known.revoked_from is None or (since, reason) < (known.revoked_from, known.reason):
                known = Key(public, since, reason)
        keys[kid] = known
    if not keys:
        findings.add(f"{prefix}JWKS", "The key set holds no Ed25519 public key.")
    return keys


def revocation(revoked: Any) -> tuple[datetime, str]:
    """From when on, and why. What cannot be read counts from the beginning of time."""
    if not isinstance(revoked, dict):
        return EPOCH, "unspecified"
    seconds, reason = revoked.get("revoked_at"), revoked.get("reason")
    if type(seconds) is not int or not 0 <= seconds <= SECONDS_MAX:
        seconds = 0
    return EPOCH + timedelta(seconds=seconds), shown(reason) if isinstance(reason, str) else "unspecified"


class Opened(NamedTuple):
    payload: bytes | None = None
    kid: str | None = None  # only if the signature is valid
    key: Key | None = None


def open_jws(
    findings: Findings, token: str, keys: dict[str, Key], prefix: str, subject: str, typ: str = "points-hub-report+jws"
) -> Opened:
    parts = token.split(".")
    try:
        if len(parts) != 3:
            raise ValueError(f"{len(parts)} parts")
        header_bytes, payload, signature = [unbase64(part) for part in parts]
        try:
            header = json.loads(header_bytes.decode())
        except (ValueError, RecursionError):
            raise ValueError("the header is no JSON") from None
        if not isinstance(header, dict):
            raise ValueError("the header is no object")
    except ValueError as error:
        findings.add(f"{prefix}JWS", f"{subject}: The text is no JWS in compact serialization. ({error})")
        return Opened()
    unknown = sorted(header.keys() - {"alg", "kid", "typ"})
    for name in unknown:
        findings.add(f"{prefix}HEADER", f"{subject}'s header has an unknown member {ascii(name)[:40]}.")
    ours = {"alg": "Ed25519", "typ": typ}
    for name, due in ours.items():
        if header.get(name) != due:
            said = ascii(header.get(name))[:40]
            findings.add(f"{prefix}{name.upper()}", f"{subject}'s header has {name} {said} and not {due!r}.")
    kid = header.get("kid")
    if not isinstance(kid, str) or kid not in keys:
        findings.add(f"{prefix}KID", f"{subject} names a key that is not in the key set ({ascii(kid)[:60]}).")
        return Opened(payload)
    if unknown or any(header.get(name) != due for name, due in ours.items()):
        return Opened(payload)  # under another header than the hub's it is none of its signatures
    try:
        if len(parts[0]) > HEADER_LENGTH_MAX or len(parts[1]) > PAYLOAD_BYTES_MAX * 4 // 3 + 4:
            raise InvalidSignature
        keys[kid].public.verify(signature, f"{parts[0]}.{parts[1]}".encode())
    except InvalidSignature:
        findings.add(f"{prefix}SIGNATURE", f"{subject} is not signed by the key that it names ({kid}).")
        return Opened(payload)
    return Opened(payload, kid, keys[kid])


def check_revoked(findings: Findings, opened: Opened, report: Report, prefix: str, subject: str) -> None:
    since = None if opened.key is None else opened.key.revoked_from
    if opened.key is not None and since is not None and (report.window is None or report.window.closed_at >= since):
        when = since.isoformat(timespec="microseconds") + "Z"
        sentence = f"{subject} is signed with a key that is revoked from {when} on ({opened.key.reason})."
        findings.add(f"{prefix}KEY_REVOKED", sentence)


# --- what the payload says ------------------------------------------------------------------------------------------


class Window(NamedTuple):
    id: str
    number: int
    opened_at: datetime
    closed_at: datetime


class Net(NamedTuple):
    """Debit and credit are of the institution's own acts; what its children bring stands apart. To whom the net goes is
    ``parent``; None: it settles with the hub."""

    institution: str
    currency: str
    debit: int
    credit: int
    net: int
    parent: str | None
    below_debit: int
    below_credit: int

    @property
    def name(self) -> str:
        return f"{self.institution} in {self.currency}"

    @property
    def exact(self) -> int:
        return self.credit - self.debit

    @property
    def rounded(self) -> int:
        """What the net holds of the institution's own acts."""
        return self.net - self.below_credit + self.below_debit


class Child(NamedTuple):
    institution: str
    digest: str
    nets: tuple[tuple[str, int], ...]


class Exchange(NamedTuple):
    """What a net has become in the currency in which its window is settled, and by which rate."""

    institution: str
    currency: str
    net: int
    published: tuple[str, str, str, str]  # the rate's identifier, the rate, who published it, for which day
    value: int

    @property
    def exact(self) -> Fraction:
        return self.net * Fraction(self.published[1])


class Settlement(NamedTuple):
    currency: str
    exchanges: list[Exchange]
    payables: list[tuple[str, int]]  # by institution

    def of(self, code: str) -> Settlement:
        """What of it is one institution's."""
        mine = [one for one in self.exchanges if one.institution == code]
        return Settlement(self.currency, mine, [one for one in self.payables if one[0] == code])


class Pair(NamedTuple):
    """What an institution owes its counterparty and is owed, both with all below them; the net is what it is paid.
    ``own``: of that its own lines, by whom they are with."""

    institution: str
    counterparty: str
    currency: str
    debit: int
    credit: int
    net: int
    own: tuple[tuple[str, int, int], ...]

    @property
    def name(self) -> str:
        return f"{self.institution} with {self.counterparty} in {self.currency}"


class Report:
    """What could be read of a payload, with a finding for each thing that it may not say or says malformed."""

    NAMES = "type version kind hub model window institution nets lines children journal"

    def __init__(self, payload: bytes | None, interim: bool = False) -> None:
        self.findings: list[tuple[str, str]] = []
        self.interim = interim  # a statement of an open window, which names no other report
        self.kind: str | None = None
        self.hub: str | None = None
        self.model: str | None = None
        self.window: Window | None = None
        self.institution: tuple[str, str] | None = None  # code and name
        self.nets: list[Net] = []
        self.nets_whole = False  # no net is missing or malformed
        self.currencies: set[str] = set()  # of the nets
        self.lines: tuple[int, str] | None = None  # count and root
        self.previous_digest: str | None = None
        self.journal: tuple[int, str] | None = None  # batch and hash
        self.children: list[Child] | None = None
        self.settlement: Settlement | None = None
        self.pairs: list[Pair] | None = None  # of a window whose participants net each two with one another
        self.pairs_whole = False
        self.is_gross = False  # each act was paid at once
        if payload is not None:
            self.read(payload)
        self.currencies.update(net.currency for net in self.nets)

    def wrong(self, code: str, sentence: str) -> None:
        self.findings.append((code, sentence))

    def members(self, value: Any, place: str, names: str) -> dict[str, Any] | None:
        """An object with exactly these members."""
        if not isinstance(value, dict):
            self.wrong("SHAPE", f"{place} is no object.")
            return None
        for name in sorted(value.keys() - set(names.split())):
            self.wrong("SHAPE", f"{place} has an unknown member {shown(name)}.")
        for name in sorted(set(names.split()) - value.keys()):
            self.wrong("SHAPE", f"{place} lacks {name}.")
        return value

    def value(self, members: dict[str, Any], place: str, name: str, parse: Callable[[str], Any]) -> Any:
        """A member that is a text, parsed; None if it is missing or malformed."""
        if name not in members:
            return None
        value = members[name]
        if not isinstance(value, str):
            self.wrong("SHAPE", f"{place}.{name} is no text.")
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.wrong("SHAPE", f"{place}.{name} {error} ({shown(value)}).")
            return None

    def values(self, inside: dict[str, Any], place: str, **parsers: Callable[[str], Any]) -> Any:
        """An object of texts, parsed; None if one is missing or malformed."""
        members = self.members(inside[place], place, " ".join(parsers)) if place in inside else None
        if members is None:
            return None
        found = tuple([self.value(members, place, name, parse) for name, parse in parsers.items()])
        return None if None in found else found

    def entries(self, members: dict[str, Any], name: str) -> list[Any] | None:
        if name in members and not isinstance(members[name], list):
            self.wrong("SHAPE", f"{name} is no list.")
        return members[name] if isinstance(members.get(name), list) else None

    def ascending(self, keys: list[Any], place: str) -> None:
        for position in range(1, len(keys)):
            if keys[position - 1] >= keys[position]:
                what = "stands twice" if keys[position - 1] == keys[position] else "is out of order"
                self.wrong("ORDER", f"{place}[{position}] {what} ({shown(keys[position])}).")

    def read(self, payload: bytes) -> None:
        if len(payload) > PAYLOAD_BYTES_MAX:
            return self.wrong("PAYLOAD_NOT_JSON", f"The payload is larger than {PAYLOAD_BYTES_MAX} bytes.")
        try:
            document = parsed(payload)
        except (ValueError, RecursionError) as error:
            reason = type(error).__name__
            return self.wrong("PAYLOAD_NOT_JSON", f"The payload is no JSON without fractions ({reason}).")
        if not is_canonical(document, payload):
            self.wrong("NOT_CANONICAL", "The payload is not spelled canonically (RFC 8785).")
        # The first version had no levels: everybody settled with the hub.
        has_levels = not isinstance(document, dict) or document.get("version") != 1
        is_summary = isinstance(document, dict) and document.get("kind") == "summary"
        names = self.NAMES + ("" if self.interim else " previousDigest")
        names += " levels" if is_summary and has_levels else ""
        has_pairs = isinstance(document, dict) and "obligations" in document and has_levels
        if isinstance(document, dict) and "settlement" in document and has_levels and not self.interim:
            names += " settlement"  # of a window whose nets became one currency
        names += " obligations" if has_pairs else ""
        names += " settled" if has_pairs and "settled" in document else ""
        root = self.members(document, "report", names)
        if root is None:
            return None
        form = "points-hub/interim-statement" if self.interim else "points-hub/settlement-report"
        if "type" in root and root["type"] != form:
            self.wrong("TYPE", f"type is {shown(root['type'])} and not {form!r}.")
        versions = (2,) if self.interim else (1, 2)
        if "version" in root and (type(root["version"]) is not int or root["version"] not in versions):
            self.wrong("VERSION", f"version is {shown(root['version'])} and not 2.")
        self.kind = self.value(root, "report", "kind", self.read_kind)
        self.hub = self.value(root, "report", "hub", text)
        self.model = self.value(root, "report", "model", text)
        self.read_window(root)
        self.institution = self.values(root, "institution", code=text, name=text)
        self.nets, self.nets_whole = self.read_nets(root, "nets", has_levels)
        if is_summary and has_levels:
            self.read_levels(root)
        self.lines = self.values(root, "lines", count=count, root=digest_text)
        if root.get("previousDigest") is not None:
            self.previous_digest = self.value(root, "report", "previousDigest", digest_text)
        self.journal = self.values(root, "journal", batch=count, hash=digest_text)
        self.read_children(root, has_nets=has_levels and self.kind != "summary")
        if self.interim and self.kind == "summary" and self.children:
            self.wrong("CHILDREN", "An interim summary lists no reports: there are none.")
        if "settlement" in root and has_levels and not self.interim:
            self.read_settlement(root)
        if has_pairs:
            self.read_pairs(root)
            self.is_gross = self.value(root, "report", "settled", self.read_gross) is not None
        if self.kind == "institution":
            if self.children and not has_levels:
                self.wrong("CHILDREN", "Only the operator's summary lists other reports.")
            for net in self.nets:
                if self.institution is not None and net.institution != self.institution[0]:
                    whose = self.institution[0]
                    self.wrong("NET_FOREIGN", f"A net of {net.institution} is in the report of {whose}.")
        return None

    @staticmethod
    def read_kind(value: str) -> str:
        if value not in ("institution", "summary"):
            raise ValueError("is neither institution nor summary")
        return value

    @staticmethod
    def read_gross(value: str) -> str:
        if value != "gross":
            raise ValueError("is not gross")
        return value

    def read_window(self, root: dict[str, Any]) -> None:
        ends = "asOf" if self.interim else "closedAt"
        members = self.members(root["window"], "window", f"id number openedAt {ends}") if "window" in root else None
        if members is None:
            return
        parsers = (("id", text), ("number", count), ("openedAt", instant), (ends, instant))
        found = [self.value(members, "window", name, parse) for name, parse in parsers]
        if found[2] is not None and found[3] is not None and found[3] < found[2]:
            self.wrong("WINDOW", "The window closes before it opens.")
        self.window = None if None in found else Window(*found)

    def read_levels(self, root: dict[str, Any]) -> None:
        """A summary's nets that go to parents, next to those that settle with the hub."""
        levels, whole = self.read_nets(root, "levels", True)
        for net in self.nets:
            if net.parent is not None:
                self.wrong("NET_PARENT", f"A net of {net.institution} goes to {net.parent}, but stands with the hub's.")
        for net in levels:
            if net.parent is None:
                self.wrong(
                    "NET_PARENT", f"A net of {net.institution} settles with the hub, but stands with the levels."
                )
        self.nets = sorted(self.nets + levels, key=lambda net: (net.institution, net.currency))
        self.nets_whole = self.nets_whole and whole
        if len({(net.institution, net.currency) for net in self.nets}) < len(self.nets):
            self.wrong("ORDER", "A net stands both with the hub's and with the levels.")

    def read_nets(self, root: dict[str, Any], name: str, has_levels: bool) -> tuple[list[Net], bool]:
        entries = self.entries(root, name)
        read = [self.read_net(entry, f"{name}[{n}]", has_levels) for n, entry in enumerate(entries or [])]
        nets = [net for net in read if net is not None]
        self.ascending([(net.institution, net.currency) for net in nets], name)
        return nets, entries is not None and len(nets) == len(entries)

    def read_net(self, entry: Any, place: str, has_levels: bool) -> Net | None:
        names = "institution currency debit credit net" + (" parent own" if has_levels else "")
        members = self.members(entry, place, names)
        if members is None:
            return None
        institution = self.value(members, place, "institution", text)
        currency = self.value(members, place, "currency", currency_code)
        parent = self.value(members, place, "parent", text) if members.get("parent") is not None else None
        if institution is None or currency is None:
            return None
        net = self.value(members, place, "net", money_in(currency))
        total = self.read_sides(members, place, currency)
        own: list[Any] = total
        if has_levels:
            acts = self.members(members.get("own"), f"{place}.own", "debit credit")
            own = [None, None] if acts is None else self.read_sides(acts, f"{place}.own", currency)
        if None in (net, *total, *own):
            return None
        below = [total[0] - own[0], total[1] - own[1]]
        if min(below) < 0:
            self.wrong("SHAPE", f"{place} owes less than its own acts do, or is owed less.")
        return Net(institution, currency, own[0], own[1], net, parent, below[0], below[1])

    def read_pairs(self, root: dict[str, Any]) -> None:
        """In a summary each pair once, from its lower code; in an institution's report its own."""
        entries = self.entries(root, "obligations")
        if entries is None:
            return
        read = [self.read_pair(entry, f"obligations[{n}]") for n, entry in enumerate(entries)]
        self.pairs = [pair for pair in read if pair is not None]
        self.pairs_whole = len(self.pairs) == len(entries)
        self.ascending([pair[:3] for pair in self.pairs], "obligations")
        for pair in self.pairs:
            one, other = pair.institution, pair.counterparty
            if self.kind == "summary" and one > other:
                self.wrong("ORDER", f"The pair of {one} and {other} begins with the higher code.")
            if self.kind != "summary" and self.institution is not None and one != self.institution[0]:
                self.wrong("PAIR_FOREIGN", f"A pair of {one} is in the report of {self.institution[0]}.")

    def read_pair(self, entry: Any, place: str) -> Pair | None:
        names = "institution counterparty currency debit credit net"
        members = self.members(entry, place, names + ("" if self.kind == "summary" else " own"))
        if members is None:
            return None
        one, other = [self.value(members, place, name, text) for name in ("institution", "counterparty")]
        currency = self.value(members, place, "currency", currency_code)
        if None in (one, other, currency):
            return None
        net = self.value(members, place, "net", money_in(currency))
        sides = self.read_sides(members, place, currency)
        own = () if self.kind == "summary" else self.read_own(members, place, currency)
        if one == other:
            self.wrong("SHAPE", f"{place} is with itself.")
            return None
        if None in (net, *sides) or own is None:
            return None
        return Pair(one, other, currency, sides[0], sides[1], net, own)

    def read_own(self, members: dict[str, Any], place: str, currency: str) -> tuple[tuple[str, int, int], ...] | None:
        entries = self.entries(members, "own")
        if entries is None:
            return None
        parts: list[tuple[str, int, int]] = []
        for n, entry in enumerate(entries):
            where = f"{place}.own[{n}]"
            part = self.members(entry, where, "institution debit credit")
            if part is not None:
                institution = self.value(part, where, "institution", text)
                sides = self.read_sides(part, where, currency)
                if None not in (institution, *sides):
                    parts.append((institution, sides[0], sides[1]))
        self.ascending([part[0] for part in parts], f"{place}.own")
        return tuple(parts) if len(parts) == len(entries) else None

    def read_sides(self, members: dict[str, Any], place: str, currency: str) -> list[Any]:
        sides = [self.value(members, place, name, money_in(currency)) for name in ("debit", "credit")]
        for name, amount in (("debit", sides[0]), ("credit", sides[1])):
            if amount is not None and amount < 0:
                self.wrong("SHAPE", f"{place}.{name} is negative.")
        return sides

    def read_children(self, root: dict[str, Any], has_nets: bool) -> None:
        entries = self.entries(root, "children")
        if entries is None:
            return
        read = [self.read_child(entry, f"children[{n}]", has_nets) for n, entry in enumerate(entries)]
        children = [child for child in read if child is not None]
        self.ascending([child.institution for child in children], "children")
        self.children = children if len(children) == len(entries) else None

    def read_child(self, entry: Any, place: str, has_nets: bool) -> Child | None:
        names = "institution" + ("" if self.interim else " digest") + (" nets" if has_nets else "")
        members = self.members(entry, place, names)
        if members is None:
            return None
        institution = self.value(members, place, "institution", text)
        digest = "" if self.interim else self.value(members, place, "digest", digest_text)
        entries = (self.entries(members, "nets") if has_nets else None) or []
        nets: list[tuple[str, int]] = []
        for n, one in enumerate(entries):
            where = f"{place}.nets[{n}]"
            net = self.members(one, where, "currency net")
            currency = None if net is None else self.value(net, where, "currency", currency_code)
            amount = None
            if net is not None and currency is not None:
                amount = self.value(net, where, "net", money_in(currency))
            if currency is not None and amount is not None:
                nets.append((currency, amount))
        self.ascending([currency for currency, _ in nets], f"{place}.nets")
        if institution is None or digest is None or len(nets) != len(entries):
            return None
        return Child(institution, digest, tuple(nets))

    def read_settlement(self, root: dict[str, Any]) -> None:
        members = self.members(root["settlement"], "settlement", "currency exchanges payables")
        into = None if members is None else self.value(members, "settlement", "currency", currency_code)
        if members is None or into is None:
            return
        listed, due = self.entries(members, "exchanges"), self.entries(members, "payables")
        read = [self.read_exchange(one, f"settlement.exchanges[{n}]", into) for n, one in enumerate(listed or [])]
        paid = [self.read_payable(one, f"settlement.payables[{n}]", into) for n, one in enumerate(due or [])]
        exchanges, payables = [one for one in read if one is not None], [one for one in paid if one is not None]
        self.ascending([(one.institution, one.currency) for one in exchanges], "settlement.exchanges")
        self.ascending([code for code, _ in payables], "settlement.payables")
        if listed is not None and due is not None and len(exchanges) == len(listed) and len(payables) == len(due):
            self.settlement = Settlement(into, exchanges, payables)

    def read_exchange(self, entry: Any, place: str, into: str) -> Exchange | None:
        members = self.members(entry, place, "institution currency net rateId rate source quotedOn value")
        if members is None:
            return None
        institution = self.value(members, place, "institution", text)
        currency = self.value(members, place, "currency", currency_code)
        if institution is None or currency is None:
            return None
        net = self.value(members, place, "net", money_in(currency))
        parsers = (("rateId", fx_rate_id), ("rate", fx_rate), ("source", text), ("quotedOn", day))
        published = tuple([self.value(members, place, name, parse) for name, parse in parsers])
        value = self.value(members, place, "value", money_in(into))
        if None in (net, value, *published):
            return None
        return Exchange(institution, currency, net, (published[0], published[1], published[2], published[3]), value)

    def read_payable(self, entry: Any, place: str, into: str) -> tuple[str, int] | None:
        members = self.members(entry, place, "institution amount")
        if members is None:
            return None
        institution = self.value(members, place, "institution", text)
        amount = self.value(members, place, "amount", money_in(into))
        return None if institution is None or amount is None else (institution, amount)


# --- the figures among themselves -----------------------------------------------------------------------------------


def check_nets(findings: Findings, report: Report) -> None:
    parents: dict[str, str | None] = {}
    for net in report.nets:
        if parents.setdefault(net.institution, net.parent) != net.parent:
            findings.add("NET_PARENT", f"{net.name}: the net goes to another parent than in another currency.")
    for currency in sorted({net.currency for net in report.nets}):
        nets = [net for net in report.nets if net.currency == currency]
        unit = 10 ** (6 - DIGITS[currency])
        for net in nets:
            if net.net % unit:
                findings.add("NET_MINOR_UNIT", f"{net.name}: the net is no whole number of minor units.")
            if abs(net.rounded - net.exact) >= unit and (report.pairs is None or net.parent is not None):
                findings.add(
                    "NET_ROUNDING",
                    f"{net.name}: less what its children bring, the net is a minor unit or more from credit − debit.",
                )
        if report.kind == "summary" and report.nets_whole:
            settled = None
            if report.pairs is not None:
                settled = {code: of[0] for (code, money), of in sums_of_pairs(report).items() if money == currency}
            check_balance(findings, currency, nets, unit, settled)


def check_balance(
    findings: Findings, currency: str, nets: list[Net], unit: int, settled: dict[str, int] | None = None
) -> None:
    total = sum(net.net for net in nets if net.parent is None)
    if total:
        sentence = f"The nets in {currency} that settle with the hub sum to {total} millionths and not to zero."
        findings.add("NET_SUM", sentence)
    exact = sum(net.exact for net in nets)
    if exact:
        findings.add("NET_BALANCE", f"Credits and debits in {currency} differ by {exact} millionths.")
    if exact or len({net.institution for net in nets}) < len(nets):
        return
    due = levels(nets, unit, settled)
    if due is None:
        findings.add("NET_PARENT", f"In {currency} institutions stand under one another in a circle.")
        return
    for code in sorted(due.keys() - {net.institution for net in nets}):
        findings.add("NET_MISSING", f"{code} takes nets over in {currency}, but has none.")
    for net in nets:
        rounded, below_debit, below_credit = due[net.institution]
        if net.net != rounded:
            findings.add(
                "NET_ROUNDING",
                f"{net.name}: the net is {net.net} millionths; rounding all levels by largest remainder gives "
                f"{rounded}.",
            )
        if (net.below_debit, net.below_credit) != (below_debit, below_credit):
            findings.add("NET_CHILDREN", f"{net.name}: debit and credit do not hold what its children bring.")


def levels(nets: list[Net], unit: int, settled: dict[str, int] | None = None) -> dict[str, tuple[int, int, int]] | None:
    """Of each institution the net, and what its children owe and are owed, all rounded to the unit; None for a circle.

    First the exact amounts that settle with the hub are rounded, to a sum of zero. Then each net, from the top of the
    tree down, is shared out to the institution's own acts and its children's exact amounts. Where each two net with one
    another, their nets are ``settled`` before; what they are beyond the exact amount rounded down stands with the
    institution's own acts.
    """
    parents = {net.institution: net.parent for net in nets}
    exact: dict[str, int] = {}  # of each institution with all below it
    for net in nets:
        above: str | None = net.institution
        way: list[str] = []
        while above is not None:
            if above in way:
                return None
            way.append(above)
            exact[above] = exact.get(above, 0) + net.exact
            above = parents.get(above)
    children: dict[str | None, list[str]] = {}
    for code in exact:
        children.setdefault(parents.get(code), []).append(code)
    tops = {code: exact[code] for code in children.get(None, [])}
    down = {code: amount - amount % unit for code, amount in tops.items()} if settled is not None else {}
    given = {code: (settled or {}).get(code, 0) for code in tops}
    rounded = largest_remainder(tops, unit, 0) if settled is None else given
    due: dict[str, tuple[int, int, int]] = {}
    waiting = sorted(rounded)
    while waiting:
        code = waiting.pop()
        below = children.get(code, [])
        own = exact[code] - sum(exact[child] for child in below)
        total = down.get(code, rounded[code])
        shares = largest_remainder({code: own, **{child: exact[child] for child in below}}, unit, total)
        rounded.update({child: shares[child] for child in below})
        owed = [rounded[child] for child in below]
        due[code] = rounded[code], sum(-net for net in owed if net < 0), sum(net for net in owed if net > 0)
        waiting += below
    return due


def largest_remainder(parts: dict[str, int], unit: int, total: int) -> dict[str, int]:
    """All parts rounded down to the unit; the units that are then missing from the total go one each to those who lost
    most, in a tie to the lower code."""
    rounded = {code: part - part % unit for code, part in parts.items()}
    by_loss = sorted(parts, key=lambda code: (rounded[code] - parts[code], code))
    for code in by_loss[: (total - sum(rounded.values())) // unit]:
        rounded[code] += unit
    return rounded


# --- nets that became one currency ------------------------------------------------------------------------------------


def check_settlement(findings: Findings, report: Report) -> None:
    """Where a window is settled in one currency: every net is exchanged, at one rate of its currency, and what is to be
    paid is the sum. A summary has all that is needed to round as the hub did; in an institution's report every amount
    is less than a minor unit from its exact value."""
    settlement = report.settlement
    if settlement is None or not report.nets_whole:
        return
    into, unit = settlement.currency, 10 ** (6 - DIGITS[settlement.currency])
    nets = {(net.institution, net.currency): net.net for net in report.nets if net.parent is None}
    due = {place: net for place, net in nets.items() if net and place[1] != into}
    made = {(one.institution, one.currency): one for one in settlement.exchanges}
    for institution, currency in sorted(due.keys() - made.keys()):
        findings.add("FX_MISSING", f"{institution} in {currency}: the net is not exchanged.")
    wrong = sorted(place for place, one in made.items() if due.get(place) != one.net)
    for institution, currency in wrong:
        findings.add("FX_NET", f"{institution} in {currency}: what is exchanged is not the net.")
    rates = {(one.currency, one.published) for one in settlement.exchanges}
    several = sorted({currency for currency, _ in rates if len([1 for of, _ in rates if of == currency]) > 1})
    for currency in several:
        findings.add("FX_RATE", f"Nets in {currency} are exchanged by different rates.")
    used = {(one.published[0], one.currency) for one in settlement.exchanges}
    shared = sorted({rate for rate, _ in used if len([1 for of, _ in used if of == rate]) > 1})
    for rate in shared:
        findings.add("FX_RATE", f"Nets of different currencies are exchanged by {rate}.")
    sums = {code: nets.get((code, into), 0) for code, _ in nets}
    exact = {code: Fraction(own) for code, own in sums.items()}
    for one in settlement.exchanges:
        if one.value % unit or abs(one.value - one.exact) >= unit:
            sentence = f"{one.institution} in {one.currency}: the value is not the net at the rate, rounded."
            findings.add("FX_VALUE", sentence)
        sums[one.institution] = sums.get(one.institution, 0) + one.value
        exact[one.institution] = exact.get(one.institution, Fraction(0)) + one.exact
    payables = dict(settlement.payables)
    for code in sorted(sums.keys() | payables.keys()):
        if payables.get(code) != sums.get(code):
            findings.add("FX_PAYABLE", f"{code}: what is payable is not the net and what the others have become.")
        elif abs(sums[code] - exact[code]) >= unit:
            findings.add("FX_PAYABLE", f"{code}: what is payable is a minor unit or more from its exact value.")
    if report.kind != "summary":
        return
    total = sum(amount for _, amount in settlement.payables)
    if total:
        findings.add("FX_SUM", f"What is payable in {into} sums to {total} millionths and not to zero.")
    balances = [sum(net for (_, of), net in nets.items() if of == currency) for currency in {of for _, of in nets}]
    if due.keys() != made.keys() or wrong or several or shared or any(balances):
        return
    # Rounding goes down: first what each institution is worth in all, to a sum of zero, then that over its nets.
    worth: dict[str, dict[str, Fraction]] = {code: {into: Fraction(nets.get((code, into), 0))} for code, _ in nets}
    for one in settlement.exchanges:
        worth[one.institution][one.currency] = one.exact
    scale = 10**12  # makes every one of them whole
    whole = {code: {of: int(part * scale) for of, part in parts.items()} for code, parts in worth.items()}
    totals = largest_remainder({code: sum(parts.values()) for code, parts in whole.items()}, unit * scale, 0)
    for one in settlement.exchanges:
        rounded = largest_remainder(whole[one.institution], unit * scale, totals[one.institution])
        value = rounded[one.currency] // scale
        if one.value != value:
            findings.add(
                "FX_VALUE",
                f"{one.institution} in {one.currency}: the value is {one.value} millionths; rounding by largest "
                f"remainder gives {value}.",
            )


def check_children(findings: Findings, report: Report) -> None:
    """That a summary lists all reports, and an institution's report adds up over those below it."""
    if report.children is None or report.institution is None:
        return
    if report.kind == "summary" and not report.interim:
        listed = {child.institution for child in report.children} | {report.institution[0]}
        for code in sorted({net.institution for net in report.nets} - listed):
            findings.add("CHILD_MISSING", f"{code} has a net, but its report is not listed.")
    elif report.kind == "institution" and report.nets_whole:
        there = {net.currency: [net.below_debit, net.below_credit] for net in report.nets}
        brought = {net.currency: [0, 0] for net in report.nets}
        for child in report.children:
            for currency, amount in child.nets:
                brought.setdefault(currency, [0, 0])[amount > 0] += abs(amount)
        for currency in sorted(brought):
            if there.get(currency) != brought[currency]:
                name = f"{report.institution[0]} in {currency}"
                findings.add("NET_CHILDREN", f"{name}: debit and credit do not hold what its children bring.")


# --- the figures of pairs ------------------------------------------------------------------------------------------


def check_pairs(findings: Findings, report: Report) -> None:
    """Each pair is rounded by itself, and a participant's net is what its pairs come to."""
    if report.pairs is None:
        return
    for pair in report.pairs:
        due = 0 if report.is_gross else rounded_pair(pair)
        if pair.net != due:
            sentence = f"{pair.name}: the net is {pair.net} millionths; rounding credit − debit gives {due}."
            findings.add("PAIR_ROUNDING", sentence)
        if sum(part[1] for part in pair.own) > pair.debit or sum(part[2] for part in pair.own) > pair.credit:
            findings.add("PAIR_OWN", f"{pair.name}: its own lines come to more than debit and credit.")
    if not report.nets_whole or not report.pairs_whole:
        return
    summed, below = sums_of_pairs(report), subtrees(report.nets)
    for net in report.nets:
        place = (net.institution, net.currency)
        if net.parent is not None:
            if report.kind == "institution":
                sentence = f"{net.institution} has pairs, but its net in {net.currency} goes to a parent."
                findings.add("PAIR_PARENT", sentence)
            continue
        found, exact = summed.pop(place, [0, 0])
        if found != net.net:
            sentence = f"{net.name}: the net is {net.net} millionths; its pairs come to {found}."
            findings.add("PAIR_NET", sentence)
        there, bound = below.get(place, 0), 1
        if report.kind != "summary":  # its children's nets are rounded
            brought = [one for child in report.children or [] for money, one in child.nets if money == net.currency]
            there, bound = net.exact + sum(brought), max(1, len(brought) * 10 ** (6 - DIGITS[net.currency]))
        if abs(exact - there) >= bound:
            sentence = f"its pairs come to {exact} millionths; its own acts and those below it to {there}."
            findings.add("PAIR_SUM", f"{net.name}: {sentence}")
    for code, currency in sorted(summed):
        if report.kind == "summary" or (report.institution is not None and report.institution[0] == code):
            sentence = f"{code} has a pair in {currency}, but no net that settles with the hub."
            findings.add("PAIR_NET", sentence)


def rounded_pair(pair: Pair) -> int:
    """Credit less debit to the nearest unit; half a unit is rounded in favour of the lower code."""
    unit: int = 10 ** (6 - DIGITS[pair.currency])
    exact = pair.credit - pair.debit
    low = exact - exact % unit
    up = 2 * (exact - low) > unit or (2 * (exact - low) == unit and pair.institution < pair.counterparty)
    return low + unit if up else low


def sums_of_pairs(report: Report) -> dict[tuple[str, str], list[int]]:
    """What each one's pairs come to, rounded and exactly."""
    summed: dict[tuple[str, str], list[int]] = {}
    for pair in report.pairs or []:
        for code, sign in ((pair.institution, 1), (pair.counterparty, -1)):
            of = summed.setdefault((code, pair.currency), [0, 0])
            of[0] += sign * pair.net
            of[1] += sign * (pair.credit - pair.debit)
    return summed


def subtrees(nets: list[Net]) -> dict[tuple[str, str], int]:
    """What everybody's acts come to exactly, by who settles them with the hub and currency."""
    parents: dict[str, dict[str, str]] = {}
    for net in nets:
        if net.parent is not None:
            parents.setdefault(net.currency, {})[net.institution] = net.parent
    found: dict[tuple[str, str], int] = {}
    for net in nets:
        place = (participant(parents.get(net.currency, {}), net.institution), net.currency)
        found[place] = found.get(place, 0) + net.exact
    return found


def participant(parents: dict[str, str], code: str) -> str:
    """Who settles with the hub what an institution owes; of a circle, whoever is come by twice."""
    seen = {code}
    while code in parents and parents[code] not in seen:
        code = parents[code]
        seen.add(code)
    return code


def check_pair_lines(findings: Findings, report: Report, owed: dict[tuple[str, str, str], int]) -> None:
    """Debits and credits of pairs against the lines: a summary's all, a participant's as far as its own lines go."""
    if report.pairs is None or not report.pairs_whole or not report.nets_whole or report.institution is None:
        return
    stated: dict[tuple[str, str, str], list[int]] = {}
    summed: dict[tuple[str, str, str], list[int]] = {}
    if report.kind == "summary":
        parents = {net.institution: net.parent for net in report.nets if net.parent is not None}
        stated = {pair[:3]: [pair.debit, pair.credit] for pair in report.pairs}
        for (payer, payee, currency), amount in owed.items():
            one, other = participant(parents, payer), participant(parents, payee)
            if one != other:
                key = (min(one, other), max(one, other), currency)
                summed.setdefault(key, [0, 0])[key[0] != one] += amount
    else:
        code = report.institution[0]
        for pair in report.pairs:
            for institution, debit, credit in pair.own:
                key = (pair.institution, institution, pair.currency)
                if key in stated:
                    sentence = f"{pair.name}: the lines with {institution} stand with another pair, too."
                    findings.add("PAIR_OWN", sentence)
                stated[key] = [debit, credit]
        for (payer, payee, currency), amount in owed.items():
            if code in (payer, payee):
                key = (code, payee if payer == code else payer, currency)
                summed.setdefault(key, [0, 0])[payer != code] += amount
        if report.children:  # with these it may have lines of which its pairs know nothing
            summed = {key: sums for key, sums in summed.items() if key in stated}
    for key in sorted(stated.keys() | summed.keys()):
        said, found = stated.get(key, [0, 0]), summed.get(key, [0, 0])
        if said != found:
            findings.add(
                "PAIR_LINES",
                f"{key[0]} with {key[1]} in {key[2]}: debit and credit are {said[0]} and {said[1]} millionths; the "
                f"lines sum to {found[0]} and {found[1]}.",
            )


# --- the lines ------------------------------------------------------------------------------------------------------


class Share(NamedTuple):
    """By which plan a fee is split, the whole fee, and what of it falls to who bears it."""

    plan: str
    fee: int
    kept: int


class Line(NamedTuple):
    window: int
    movement: str
    leg: int
    currency: str
    amount: int
    payer: str
    payee: str
    purpose: str
    bearer: str  # of the act's fee: it pays all shares, and gets them back
    share: Share | None


class NoLine(ValueError):
    def __init__(self, code: str, detail: str) -> None:
        sentence = {
            "LINE_NOT_JSON": "The line is no JSON object of a line's size.",
            "LINE_MEMBER": "A member of the line is missing, unknown or malformed.",
            "LINE_NOT_CANONICAL": "The line says what a line may say, but is not spelled canonically.",
        }[code]
        super().__init__(f"{sentence} ({detail})")
        self.code = code


def read_line(raw: bytes) -> Line:
    """The line that these bytes spell, without a line break."""
    if len(raw) > LINE_BYTES_MAX:
        raise NoLine("LINE_NOT_JSON", f"{len(raw)} bytes")
    try:
        members = parsed(raw)
    except (ValueError, RecursionError) as error:
        raise NoLine("LINE_NOT_JSON", type(error).__name__) from None
    if not isinstance(members, dict):
        raise NoLine("LINE_NOT_JSON", "no object")
    names = {"amount", "at", "currency", "from", "kind", "leg", "movement", "purpose", "reverses", "to", "window"}
    optional = {"corrects", "invoice", "points", "price", "share", "terms"}
    unknown, missing = members.keys() - names - optional, names - members.keys()
    require(not unknown, ascii(min(unknown, default=""))[:40], "is unknown")
    require(not missing, min(missing, default=""), "is missing")
    leg, points, reverses = members["leg"], members.get("points", [None]), members["reverses"]
    require(type(leg) is int, "leg", "is no whole number")
    window = of_line(members, "window", count)
    movement, kind = of_line(members, "movement"), of_line(members, "kind")
    of_line(members, "at", instant)
    currency, amount = of_line(members, "currency"), of_line(members, "amount", millionths)
    payer, payee, purpose = of_line(members, "from"), of_line(members, "to"), of_line(members, "purpose")
    is_list = isinstance(points, list) and len(points) > 0
    require(is_list, "points", "is no list of points (it is left out when there are none)")
    for point in points if "points" in members else []:
        is_point = isinstance(point, dict) and point.keys() == {"currency", "amount"}
        require(is_point, "points", "has an entry that is not currency and amount")
        of_line(point, "currency")
        of_line(point, "amount")
    if reverses is not None:
        of_line(members, "reverses")
    terms = of_line(members, "terms") if "terms" in members else None
    price = of_line(members, "price") if "price" in members else None
    share = read_share(members["share"]) if "share" in members else None
    invoice = of_line(members, "invoice") if "invoice" in members else None
    corrects = members.get("corrects", {"dispute": "dp_0", "leg": 0, "movement": "mv_0"})
    is_line = isinstance(corrects, dict) and corrects.keys() == {"dispute", "leg", "movement"}
    require(is_line, "corrects", "is not dispute, leg and movement")
    require(type(corrects["leg"]) is int, "corrects", "leg is no whole number")
    disputed, corrected = of_line(corrects, "dispute"), of_line(corrects, "movement")
    require(window < 1 << 53, "window", "is no window's number")
    require(0 <= leg < 1 << 31, "leg", "is no leg's number")
    require(place_in_ledger(movement) is not None, "movement", "is no identifier")
    require(reverses is None or place_in_ledger(reverses) is not None, "reverses", "is no identifier")
    require(place_in_ledger(disputed) is not None, "corrects", "dispute is no identifier")
    require(place_in_ledger(corrected) is not None, "corrects", "movement is no identifier")
    require(0 <= corrects["leg"] < 1 << 31, "corrects", "leg is no leg's number")
    require(re.fullmatch(r"[a-z][a-z_]{0,31}", kind), "kind", "is no kind of act")
    require(amount > 0, "amount", "is not more than zero")
    require(is_text(payer), "from", "is no institution's code")
    require(is_text(payee), "to", "is no institution's code")
    require(payer != payee, "to", "is the payer itself")
    require(purpose in ("settlement", "fee"), "purpose", "is neither settlement nor fee")
    for point in points if "points" in members else []:
        is_amount = re.fullmatch(r"(?:0|[1-9][0-9]{0,29})(?:\.[0-9]{1,12})?", point["amount"])
        require(is_text(point["currency"]), "points", "currency is no code")
        require(is_amount, "points", "amount is no plain decimal")
    require(terms is None or place_in_ledger(terms) is not None, "terms", "is no identifier")
    if price is not None:
        require(re.fullmatch(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{0,11}[1-9])?", price), "price", "is no price")
        has_one = purpose == "settlement" and reverses is None and "points" in members and len(points) == 1
        require(has_one and terms is not None, "price", "is of a line that has none")
        exact = Fraction(price) * Fraction(points[0]["amount"]) * 10**6 + Fraction(1, 2)
        require(amount == exact // 1, "amount", "is not what the points come to at the price")
    no_money = f"The code names no ISO 4217 currency that has a minor unit. ({currency[:40]!r})"
    require(currency in DIGITS, "currency", no_money)
    require(invoice is None or is_text(invoice), "invoice", "is no reference")
    if share is not None:
        require(purpose == "fee", "share", "is of no fee")
        require(place_in_ledger(share.plan) is not None, "share", "plan is no identifier")
        require(share.kept >= 0, "share", "kept is below zero")
        require(share.fee - share.kept >= amount, "share", "is more than the fee")
        texts = (spelled(share.fee, currency), spelled(share.kept, currency))
        if texts != (members["share"]["fee"], members["share"]["kept"]):
            raise NoLine("LINE_NOT_CANONICAL", f"movement={movement}, leg={leg}")
    if spelled(amount, currency) != members["amount"] or not is_canonical(members, raw):
        raise NoLine("LINE_NOT_CANONICAL", f"movement={movement}, leg={leg}")
    bearer = payer if reverses is None else payee
    return Line(window, movement, leg, currency, amount, payer, payee, purpose, bearer, share)


def read_share(value: Any) -> Share:
    is_share = isinstance(value, dict) and value.keys() == {"fee", "kept", "plan"}
    require(is_share, "share", "is not plan, fee and kept")
    fee, kept = [of_line({"share": of_line(value, name)}, "share", millionths) for name in ("fee", "kept")]
    return Share(of_line(value, "plan"), fee, kept)


def require(holds: Any, member: str, detail: str) -> None:
    if not holds:
        raise NoLine("LINE_MEMBER", f"{member}: {detail}")


def of_line(members: dict[str, Any], name: str, parse: Callable[[str], Any] = str) -> Any:
    require(isinstance(members[name], str), name, "is no text")
    try:
        return parse(members[name])
    except ValueError as error:
        raise NoLine("LINE_MEMBER", f"{name}: {error}") from None


def is_text(value: str) -> bool:
    try:
        return text(value) == value
    except ValueError:
        return False


def check_line(findings: Findings, report: Report, line: Line, position: int) -> None:
    if report.window is not None and line.window != report.window.number:
        findings.add("LINE_WINDOW", f"Line {position} is of window {line.window}, not {report.window.number}.")
    if report.nets_whole and line.currency not in report.currencies:
        findings.add("LINE_CURRENCY", f"Line {position} is in {line.currency}, of which the report has no net.")
    if report.kind == "institution" and report.institution is not None:
        code = report.institution[0]
        if code not in (line.payer, line.payee):
            findings.add("LINE_FOREIGN", f"Line {position} is between {line.payer} and {line.payee}, not of {code}.")


def sha256(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def leaf(line: bytes) -> bytes:
    return sha256(b"\x00" + line)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def check_lines(findings: Findings, report: Report, lines: Iterable[bytes]) -> int:
    """Each line by itself, their order, count and root, and the sums that the report makes of them."""
    whole: list[tuple[int, bytes]] = []  # perfect subtrees, the largest first: how many leaves, and their hash
    sums: dict[tuple[str, str], list[int]] = {}
    owed: dict[tuple[str, str, str], int] = {}  # of pairs, by payer, payee and currency
    last, total = None, 0
    fee: list[Line] = []  # the lines of one act's fee
    for raw in lines:
        content, total = raw[:-1] if raw.endswith(b"\n") else raw, total + 1
        whole.append((1, leaf(content)))
        while len(whole) > 1 and whole[-1][0] == whole[-2][0]:
            (size, right), (_, left) = whole.pop(), whole.pop()
            whole.append((2 * size, node(left, right)))
        try:
            line = read_line(content)
        except NoLine as error:
            findings.add(error.code, f"Line {total}: {error}")
            continue
        if line.purpose == "fee":
            if fee and fee[0].movement != line.movement:
                check_fee(findings, report, fee)
                fee = []
            fee.append(line)
        check_line(findings, report, line, total)
        order = (place_in_ledger(line.movement) or 0, line.leg)
        if last is not None and order == last:
            findings.add("LINE_DUPLICATE", f"Line {total} repeats leg {line.leg} of {line.movement}.")
        elif last is not None and order < last:
            findings.add("LINE_ORDER", f"Line {total} ({line.movement}, {line.leg}) belongs before an earlier one.")
        else:
            last = order
        sums.setdefault((line.payer, line.currency), [0, 0])[0] += line.amount
        sums.setdefault((line.payee, line.currency), [0, 0])[1] += line.amount
        if report.pairs is not None:
            between = (line.payer, line.payee, line.currency)
            owed[between] = owed.get(between, 0) + line.amount
    check_fee(findings, report, fee)
    root = whole.pop()[1] if whole else sha256(b"")
    while whole:
        root = node(whole.pop()[1], root)
    if report.lines is not None:
        if report.lines[0] != total:
            findings.add("LINE_COUNT", f"There are {total} lines; the report counts {report.lines[0]}.")
        if report.lines[1] != root.hex():
            findings.add("LINE_ROOT", f"The lines' root is {root.hex()}; the report has {report.lines[1]}.")
    check_sums(findings, report, sums)
    check_pair_lines(findings, report, owed)
    return total


def check_fee(findings: Findings, report: Report, lines: list[Line]) -> None:
    """The shares of one act sum to what its plan shares, where the report has all of them, and to no more elsewhere."""
    if all(line.share is None for line in lines):
        return
    movement, share, bearer = lines[0].movement, lines[0].share, lines[0].bearer
    if share is None or len({(line.share, line.currency, line.bearer) for line in lines}) > 1:
        findings.add("SHARE_FEE", f"The lines of {movement} say different things of its fee.")
        return
    total, due = sum(line.amount for line in lines), share.fee - share.kept
    code = None if report.kind == "summary" or report.institution is None else report.institution[0]
    if total > due or (code in (None, bearer) and total != due):
        sentence = f"The shares of {movement} come to {total} millionths; of its fee {due} are shared."
        findings.add("SHARE_SUM", sentence)


def check_sums(findings: Findings, report: Report, sums: dict[tuple[str, str], list[int]]) -> None:
    if report.kind is None or report.institution is None:
        return
    is_of = {code: report.kind == "summary" or code == report.institution[0] for code, _ in sums}
    nets = [net for net in report.nets if report.kind == "summary" or net.institution == report.institution[0]]
    for net in nets:
        found = sums.get((net.institution, net.currency))
        if found is None:
            of_pairs = report.pairs is not None and net.parent is None  # which may be further away than it rounds
            if net.debit or net.credit or (net.rounded and not of_pairs):
                findings.add("NET_WITHOUT_LINES", f"{net.name}: there is no line, but the figures are not zero.")
            continue
        for name, stated, summed in (("debit", net.debit, found[0]), ("credit", net.credit, found[1])):
            if stated != summed:
                sentence = f"{net.name}: the {name} is {stated} millionths; the lines sum to {summed}."
                findings.add(f"NET_{name.upper()}", sentence)
    if report.nets_whole:
        for code, currency in sorted(sums.keys() - {(net.institution, net.currency) for net in nets}):
            if is_of[code]:
                findings.add("NET_MISSING", f"{code} has lines in {currency}, but no net.")


# --- one line with its proof ----------------------------------------------------------------------------------------


def check_proof(findings: Findings, report: Report, payload: bytes | None, raw: bytes) -> int | None:
    """One line, and that the report's root holds it at its place; answers which line it is."""
    try:
        proof = read_proof(raw[:-1] if raw.endswith(b"\n") else raw)
    except ValueError as error:
        findings.add("PROOF", f"The document is no proof of a line. ({error})")
        return None
    number, content = count(proof["number"]), proof["line"].encode()
    if payload is not None and proof["report"] != sha256(payload).hex():
        findings.add("PROOF_REPORT", f"The proof is of the report {proof['report']}, not of this one.")
    try:
        check_line(findings, report, read_line(content), number)
    except NoLine as error:
        findings.add(error.code, f"Line {number}: {error}")
    if report.lines is not None:
        path = [bytes.fromhex(one) for one in proof["path"]]
        top = climbed(leaf(content), number - 1, report.lines[0], path) if number <= report.lines[0] else None
        found = None if top is None else top.hex()
        if found != report.lines[1]:
            findings.add(
                "PROOF_ROOT",
                f"By the proof line {number} of {report.lines[0]} leads to {found}; the report has {report.lines[1]}.",
            )
    return number


def read_proof(content: bytes) -> dict[str, Any]:
    if len(content) > PROOF_BYTES_MAX:
        raise ValueError(f"{len(content)} bytes")
    try:
        proof = parsed(content)
    except (ValueError, RecursionError):
        raise ValueError("no canonical JSON") from None
    if not is_canonical(proof, content):
        raise ValueError("no canonical JSON")
    if not isinstance(proof, dict) or proof.keys() != {"line", "number", "path", "report", "type", "version"}:
        raise ValueError("other members than a proof has")
    is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
    path = proof["path"]
    if not isinstance(path, list) or not all(isinstance(one, str) and is_hash(one) for one in path):
        raise ValueError("path is no list of SHA-256 in hex digits")
    if not all(isinstance(value, str) for name, value in proof.items() if name != "path"):
        raise ValueError("a member is no text")
    if (proof["type"], proof["version"]) != ("points-hub/line-proof", "1"):
        raise ValueError("another type or version")
    if not is_hash(proof["report"]):
        raise ValueError("report is no SHA-256 in hex digits")
    try:
        number = count(proof["number"])
    except ValueError as error:
        raise ValueError(f"number {error}") from None
    if number == 0:
        raise ValueError("lines are numbered from 1")
    return proof


def climbed(here: bytes, index: int, leaves: int, path: list[bytes]) -> bytes | None:
    """The root over ``here``, which is leaf ``index``. A tree is split at the largest power of two below its leaves,
    and the path's last hash is of the half in which the leaf is not. None if the path has another length."""
    if leaves == 1 or not path:
        return here if leaves == 1 and not path else None
    split = 1 << ((leaves - 1).bit_length() - 1)
    if index < split:
        half = climbed(here, index, split, path[:-1])
        return None if half is None else node(half, path[-1])
    half = climbed(here, index - split, leaves - split, path[:-1])
    return None if half is None else node(path[-1], half)


# --- other reports --------------------------------------------------------------------------------------------------


def check_previous(findings: Findings, report: Report, token: str, keys: dict[str, Key]) -> None:
    opened = open_jws(findings, token, keys, "PREVIOUS_", "The previous report")
    if opened.payload is None:
        return
    found = sha256(opened.payload).hex()
    if found != report.previous_digest:
        sentence = f"The previous report's digest is {found}; the report follows {report.previous_digest}."
        findings.add("PREVIOUS_DIGEST", sentence)
    before = Report(opened.payload)
    for code, sentence in before.findings:
        findings.add(f"PREVIOUS_{code}", f"Previous report: {sentence}")
    check_revoked(findings, opened, before, "PREVIOUS_", "The previous report")
    for name, then, now in (
        ("hub", before.hub, report.hub),
        ("model", before.model, report.model),
        ("kind", before.kind, report.kind),
        ("institution", before.institution and before.institution[0], report.institution and report.institution[0]),
    ):
        if then is not None and now is not None and then != now:
            sentence = f"By the previous report the {name} would be {then}; it is {now}."
            findings.add(f"PREVIOUS_{name.upper()}", sentence)
    # Not the number before: an institution without a net in a window has no report of it.
    if before.window and report.window and before.window.number >= report.window.number:
        sentence = f"The previous report is of window {before.window.number}, this one of {report.window.number}."
        findings.add("PREVIOUS_NUMBER", sentence)


def check_below(findings: Findings, report: Report, token: str, keys: dict[str, Key]) -> str | None:
    """A child's report against what its parent's, or the summary, says of it; answers its institution."""
    opened = open_jws(findings, token, keys, "CHILD_", "A child's report")
    if opened.payload is None:
        return None
    below = Report(opened.payload)
    for code, sentence in below.findings:
        findings.add(f"CHILD_{code}", f"Child's report: {sentence}")
    check_revoked(findings, opened, below, "CHILD_", "A child's report")
    if below.institution is None or report.institution is None or below.kind != "institution":
        findings.add("CHILD_KIND", "A child's report is none of an institution's.")
        return None
    code = below.institution[0]
    stated = [child for child in report.children or [] if child.institution == code][:1]
    if not stated or stated[0].digest != sha256(opened.payload).hex():
        findings.add("CHILD_DIGEST", f"{code}'s report is not the one that is listed, or is not listed at all.")
    for name in ("hub", "model", "window", "journal"):
        if getattr(report, name) != getattr(below, name):
            findings.add(f"CHILD_{name.upper()}", f"{code}'s report is of another {name}.")
    if report.kind == "summary":
        its = [net for net in report.nets if net.institution == code]
        agree = sorted(below.nets, key=lambda net: net.name) == sorted(its, key=lambda net: net.name)
    else:
        goes = {net.parent for net in below.nets} <= {report.institution[0]}
        brings = sorted((net.currency, net.net) for net in below.nets)
        agree = goes and bool(stated) and brings == sorted(stated[0].nets)
    settled = None
    if report.kind == "summary" and report.settlement is not None and any(net.parent is None for net in below.nets):
        settled = report.settlement.of(code)
    if below.settlement != settled:
        findings.add("CHILD_FX", f"{code}'s own report settles otherwise in one currency than is said of it here.")
    if not agree:
        findings.add("CHILD_NET", f"{code}'s own report has other nets than are taken over of it here.")
    return code


# --- supplements: what became of nets that were not paid ------------------------------------------------------------

STATUSES, SOURCES = ("DECLARED", "COVERED", "REPAID"), ("COLLATERAL", "OWN_FUND", "FUND", "CUT")
STEPS = ("DECLARED", "COLLATERAL", "FUND", "CUT", "COVERED", "REPAID")
OF_SUPPLEMENT = "type version kind hub model window institution report number previousDigest at journal defaults"
OF_DEFAULT = "default institution currency amount repaid status steps shares"


def members_of(value: Any, names: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(names.split()):
        raise ValueError("other members")
    return value


def read_text(value: Any, parse: Callable[[str], Any] = text) -> Any:
    if not isinstance(value, str):
        raise ValueError("no text")
    return parse(value)


def one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError("unknown")
        return value

    return read


def of_bank(value: str) -> str:
    if len(value) > 2_000:
        raise ValueError("too long")
    return value


def read_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return value


def read_supplement(payload: bytes) -> dict[str, Any]:
    """What a supplement says; amounts as whole millionths, instants and counts as what they are."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError("too long")
    document = parsed(payload)
    if not is_canonical(document, payload):
        raise ValueError("not canonical")
    found = members_of(document, OF_SUPPLEMENT)
    if (found["type"], type(found["version"]), found["version"]) != ("points-hub/settlement-supplement", int, 1):
        raise ValueError("another type or version")
    read_text(found["kind"], one_of(("institution", "summary")))
    window = members_of(found["window"], "id number openedAt closedAt")
    journal, institution = members_of(found["journal"], "batch hash"), members_of(found["institution"], "code name")
    for name in ("report", "previousDigest"):
        if found[name] is not None:
            read_text(found[name], digest_text)
    read_text(institution["name"])
    return {
        "same": (
            *(read_text(found["hub"]), read_text(found["model"]), found["kind"], read_text(institution["code"])),
            read_text(window["id"]), read_text(window["number"], count),
            read_text(window["openedAt"], instant), read_text(window["closedAt"], instant),
        ),
        "kind": found["kind"],
        "code": institution["code"],
        "report": found["report"],
        "number": read_text(found["number"], count),
        "previous": found["previousDigest"],
        "at": read_text(found["at"], instant),
        "batch": (read_text(journal["batch"], count), read_text(journal["hash"], digest_text))[0],
        "defaults": [read_default(one) for one in read_list(found["defaults"])],
    }  # fmt: skip


def read_default(value: Any) -> dict[str, Any]:
    one = dict(members_of(value, OF_DEFAULT))
    read_text(one["default"])
    read_text(one["institution"])
    money = money_in(read_text(one["currency"], currency_code))
    one["amount"], one["repaid"] = read_text(one["amount"], money), read_text(one["repaid"], money)
    read_text(one["status"], one_of(STATUSES))
    steps, shares = [], []
    for raw in read_list(one["steps"]):
        step = members_of(raw, "step kind amount at valueDate reference")
        told = [None if step[name] is None else read_text(step[name], of_bank) for name in ("valueDate", "reference")]
        kind = read_text(step["kind"], one_of(STEPS))
        at = read_text(step["at"], instant)
        steps.append((read_text(step["step"]), kind, read_text(step["amount"], money), at, *told))
    for raw in read_list(one["shares"]):
        share = members_of(raw, "institution source amount repaid advanced")
        if not isinstance(share["advanced"], bool):
            raise ValueError("neither true nor false")
        whose, source = read_text(share["institution"]), read_text(share["source"], one_of(SOURCES))
        figures = read_text(share["amount"], money), read_text(share["repaid"], money)
        shares.append((whose, source, share["advanced"], *figures))
    return {**one, "steps": steps, "shares": shares}


def check_supplements(
    findings: Findings, keys: dict[str, Key], report: Report | None, sealed: str | None, tokens: Iterable[str]
) -> int:
    """Each supplement against the report and the one before it; answers how many there are."""
    before: tuple[dict[str, Any], str] | None = None
    place = 0
    for place, token in enumerate(tokens, start=1):
        subject = f"Supplement {place}"
        opened = open_jws(findings, token, keys, "SUPPLEMENT_", subject, "points-hub-supplement+jws")
        if opened.payload is None:
            continue
        try:
            found = read_supplement(opened.payload)
        except (ValueError, RecursionError):
            findings.add("SUPPLEMENT", f"{subject}: The document is no supplement in its one spelling.")
            continue
        since = None if opened.key is None else opened.key.revoked_from
        if opened.key is not None and since is not None and found["at"] >= since:
            when = since.isoformat(timespec="microseconds") + "Z"
            sentence = f"{subject} is signed with a key that is revoked from {when} on ({opened.key.reason})."
            findings.add("SUPPLEMENT_KEY_REVOKED", sentence)
        if not adds_to(found, report, sealed):
            findings.add("SUPPLEMENT_REPORT", f"{subject} adds to another report than this one.")
        check_chain(findings, subject, place, found, before)
        check_figures(findings, subject, found, report)
        before = found, sha256(opened.payload).hex()
    return place


def adds_to(found: dict[str, Any], report: Report | None, sealed: str | None) -> bool:
    if report is None:  # of an institution that has none of the window
        return found["report"] is None and found["kind"] == "institution"
    if found["report"] != sealed or report.institution is None or report.window is None or report.journal is None:
        return False
    same = (report.hub, report.model, report.kind, report.institution[0], *report.window)
    is_later = found["at"] > report.window.closed_at and found["batch"] > report.journal[0]
    return is_later and bool(found["same"] == same)


def check_chain(
    findings: Findings, subject: str, place: int, found: dict[str, Any], before: tuple[dict[str, Any], str] | None
) -> None:
    if before is None:
        if found["number"] != 1 or found["previous"] is not None or place != 1:
            findings.add("SUPPLEMENT_CHAIN", f"{subject} is not the first, or follows one that is not given.")
        return
    last, sealed = before
    if (found["number"], found["previous"]) != (last["number"] + 1, sealed):
        findings.add("SUPPLEMENT_CHAIN", f"{subject} does not follow the one before it.")
    is_same = (found["same"], found["report"]) == (last["same"], last["report"])
    if not is_same or found["at"] <= last["at"] or found["batch"] <= last["batch"]:
        sentence = f"{subject} is of another window or institution, or no later than the last."
        findings.add("SUPPLEMENT_CHAIN", sentence)
    stated = {one["default"]: one for one in found["defaults"]}
    for then in last["defaults"]:
        now = stated.get(then["default"])
        if now is None or not goes_on(then, now):
            findings.add("SUPPLEMENT_CHAIN", f"{subject} takes back what was said of {then['default']}.")


def goes_on(then: dict[str, Any], now: dict[str, Any]) -> bool:
    """Steps are only added; shares stay, once they are there, and only more of them comes back."""
    if any(then[name] != now[name] for name in ("institution", "currency", "amount")):
        return False
    if now["steps"][: len(then["steps"])] != then["steps"] or now["repaid"] < then["repaid"]:
        return False
    if then["shares"] and [share[:4] for share in then["shares"]] != [share[:4] for share in now["shares"]]:
        return False
    return all(now["shares"][place][4] >= share[4] for place, share in enumerate(then["shares"]))


def check_figures(findings: Findings, subject: str, found: dict[str, Any], report: Report | None) -> None:
    places = [(len(one["default"]), one["default"]) for one in found["defaults"]]
    if not places or places != sorted(set(places)):
        findings.add("SUPPLEMENT_DEFAULT", f"{subject} states no default, or one twice, or out of order.")
    own = None if found["kind"] == "summary" else found["code"]
    for default in found["defaults"]:
        for wrong in wrong_figures(default, own):
            findings.add("SUPPLEMENT_DEFAULT", f"{subject}, {default['default']}: {wrong}.")
    if report is None or not report.nets_whole:
        return
    nets = {(net.institution, net.currency): net.net for net in report.nets if net.parent is None}
    if report.settlement is not None:  # the nets have become one
        nets = {(code, report.settlement.currency): amount for code, amount in report.settlement.payables}
    cuts: Counter[tuple[str, str]] = Counter()
    for one in found["defaults"]:
        code, currency = one["institution"], one["currency"]
        if own in (None, code) and nets.get((code, currency)) != -one["amount"]:
            findings.add("SUPPLEMENT_NET", f"{subject}: {code}'s net in {currency} is not what was not paid.")
        for whose, source, advanced, amount, _ in one["shares"]:
            if source == "CUT" and not advanced:
                cuts[whose, currency] += amount
    for (code, currency), cut in sorted(cuts.items()):
        if cut > nets.get((code, currency), 0):
            sentence = f"{subject}: more is cut of {code}'s net in {currency} than there is."
            findings.add("SUPPLEMENT_NET", sentence)


def wrong_figures(default: dict[str, Any], own: str | None) -> Iterable[str]:
    """What the figures of a default must fulfil among themselves and do not."""
    unit, debtor = 10 ** (6 - DIGITS[default["currency"]]), default["institution"]
    steps, shares = default["steps"], default["shares"]
    kinds = [step[1] for step in steps]
    figures = [default["amount"], default["repaid"], *(step[2] for step in steps)]
    figures += [figure for share in shares for figure in share[3:]]
    if default["amount"] <= 0 or any(figure < 0 or figure % unit for figure in figures):
        yield "an amount is below zero, or no whole number of minor units"
    if default["repaid"] > default["amount"] or any(share[4] > share[3] for share in shares):
        yield "more came back than there was"
    is_covered = "COVERED" in kinds or own not in (None, debtor)  # who only bears it is told nothing before
    if (default["status"] == "REPAID") != (is_covered and default["repaid"] == default["amount"]):
        yield "its status is not what its figures give"
    if default["status"] == "DECLARED" and shares:
        yield "somebody bears it before it is covered"
    for whose, source, *_ in shares:
        if (whose == debtor) != (source in ("COLLATERAL", "OWN_FUND")):
            yield f"{source} is another's than {whose}'s"
        if own not in (None, whose):
            yield f"what {whose} bears is told to {own}"
    if own not in (None, debtor):
        if steps or not shares:
            yield f"{own} neither owes nor bears it, or is told what only the debtor is"
        return
    once = [kind for kind in kinds if kind != "REPAID"]
    if kinds[:1] != ["DECLARED"] or once != sorted(set(once), key=STEPS.index):
        yield "its steps are not in their order"
    if default["status"] == "DECLARED" and "COVERED" in kinds:
        yield "it is covered, and its status says otherwise"
    done = {kind: sum(step[2] for step in steps if step[1] == kind) for kind in STEPS}
    if (done["DECLARED"], done["REPAID"]) != (default["amount"], default["repaid"]):
        yield "what its steps come to is not what it says"
    late = 0  # what was paid after it was covered
    for place, step in enumerate(steps):
        if step[1] == "REPAID" and sum(other[2] for other in steps[:place] if other[1] == "COVERED"):
            late += step[2]
    borne = done["COLLATERAL"] + done["FUND"] + done["CUT"]
    if borne != done["COVERED"] or ("COVERED" in kinds and borne != default["amount"] - default["repaid"] + late):
        yield "what is borne is not what was not paid"
    given = {source: sum(share[3] for share in shares if share[1] == source) for source in SOURCES}
    if given["COLLATERAL"] != done["COLLATERAL"]:
        yield "the shares of its collateral are not what was drawn"
    if own is None:
        if (given["OWN_FUND"] + given["FUND"], given["CUT"]) != (done["FUND"], done["CUT"]):
            yield "the shares are not what was drawn and cut"
        if sum(share[4] for share in shares) != late:
            yield "what came back is not what was paid since"


# --- all of it ------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    findings: list[tuple[str, str]]
    report: Report
    opened: Opened
    lines: int | None  # how many were read
    line: int | None  # the number of the one line that came with a proof
    accepted_by: str | None  # the institution's key
    supplements: int  # how many came after it
    children: int  # how many reports below it were held against it, each counted once


def verify(
    token: str,
    jwks: dict[str, Any],
    lines: Iterable[bytes] | None = None,
    previous: str | None = None,
    children: Iterable[str] = (),
    proof: bytes | None = None,
    acceptance: str | None = None,
    acceptance_jwks: dict[str, Any] | None = None,
    *,
    interim: bool = False,
    supplements: Iterable[str] = (),
) -> Verdict:
    """Everything that is wrong with a report, or an interim statement. What is None is not checked."""
    findings = Findings()
    keys = key_set(findings, jwks)
    typ = "points-hub-interim+jws" if interim else "points-hub-report+jws"
    opened = open_jws(findings, token, keys, "", "The report", typ)
    report = Report(opened.payload, interim)
    for code, sentence in report.findings:
        findings.add(code, sentence)
    if opened.payload is not None:
        check_revoked(findings, opened, report, "", "The report")
    check_nets(findings, report)
    check_settlement(findings, report)
    check_children(findings, report)
    check_pairs(findings, report)
    total = None if lines is None else check_lines(findings, report, lines)
    number = None if proof is None else check_proof(findings, report, opened.payload, proof)
    if previous is not None:
        check_previous(findings, report, previous, keys)
    below = {check_below(findings, report, child, keys) for child in dict.fromkeys(children)}
    accepted_by = None
    if acceptance is not None:
        accepted_by = check_acceptance(findings, report, opened.payload, acceptance, acceptance_jwks or {})
    sealed = None if opened.payload is None else sha256(opened.payload).hex()
    after = check_supplements(findings, keys, report, sealed, supplements)
    return Verdict(findings.all(), report, opened, total, number, accepted_by, after, len(below - {None}))


def check_acceptance(
    findings: Findings, report: Report, payload: bytes | None, token: str, jwks: dict[str, Any]
) -> str | None:
    """What the institution signed, and that it is over this report; answers the key."""
    keys = key_set(findings, jwks, "ACCEPTANCE_")
    typ = "points-hub-acceptance+jws"
    opened = open_jws(findings, token, keys, "ACCEPTANCE_", "The acceptance", typ)
    if opened.payload is None:
        return None
    check_revoked(findings, opened, report, "ACCEPTANCE_", "The acceptance")
    due = None
    is_final = payload is not None and not report.interim
    if is_final and report.hub is not None and report.institution is not None and report.window is not None:
        due = {
            "type": "points-hub/acceptance",
            "version": "1",
            "hub": report.hub,
            "institution": report.institution[0],
            "window": report.window.id,
            "report": sha256(payload or b"").hex(),
        }
    if due is None or opened.payload != canonical(due).encode():
        findings.add("ACCEPTANCE_REPORT", "The acceptance is of another report than this one.")
    return opened.kid


def main() -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0] + " Lists everything that is wrong with the report.",
        epilog="Exit codes: 0 nothing is wrong; 1 something is; 2 called wrongly; 3 a file could not be read.",
    )
    parser.add_argument("report", nargs="?", help="the report: a JWS; left out with supplements that have none")
    parser.add_argument("--lines", metavar="FILE", help="its lines, one JSON object each (NDJSON), in their order")
    parser.add_argument("--line", metavar="FILE", help="one of its lines with its proof, instead of all lines")
    parser.add_argument("--jwks", metavar="FILE", required=True, help="the hub's public keys")
    parser.add_argument("--previous", metavar="FILE", help="the same institution's report of the window before")
    parser.add_argument(
        "--child", metavar="FILE", action="append", default=[], help="a report whose nets it takes over; repeatable"
    )
    parser.add_argument("--acceptance", metavar="FILE", help="what its institution has signed over it")
    parser.add_argument("--acceptance-jwks", metavar="FILE", help="the institution's public keys")
    parser.add_argument(
        "--supplement", metavar="FILE", action="append", default=[], help="what came after it, from the first on"
    )
    parser.add_argument("--interim", action="store_true", help="it is a statement of an open window, and not final")
    given = parser.parse_args()
    signed = [given.acceptance, given.acceptance_jwks]
    after = given.supplement
    for path in [given.report, given.lines, given.line, given.jwks, given.previous, *given.child, *signed, *after]:
        if path is not None and not os.path.isfile(path):
            parser.error(f"there is no file {path}")
    if given.report is None:
        more = [given.lines, given.line, given.previous, *given.child, *signed]
        if not after or any(more) or given.interim:
            parser.error("without a report there are supplements only")
        return told(*verify_supplements(jwks_in(parser, given.jwks), [token_in(path) for path in after]))
    if given.lines is None and given.line is None:
        parser.error("--lines or --line is needed")
    if None in signed and signed != [None, None]:
        parser.error("--acceptance and --acceptance-jwks belong together")
    if given.interim and (given.previous is not None or given.child or given.acceptance is not None or after):
        parser.error("an interim statement stands alone: no --previous, --child, --acceptance or --supplement")
    verdict = verify(
        token_in(given.report),
        jwks_in(parser, given.jwks),
        None if given.lines is None else lines_in(given.lines),
        None if given.previous is None else token_in(given.previous),
        [token_in(path) for path in given.child],
        None if given.line is None else whole_file(given.line),
        None if given.acceptance is None else token_in(given.acceptance),
        None if given.acceptance is None else jwks_in(parser, given.acceptance_jwks),
        interim=given.interim,
        supplements=[token_in(path) for path in after],
    )
    said = "" if verdict.findings else genuine(verdict, given.previous is not None)
    return told(verdict.findings, said)


def told(findings: list[tuple[str, str]], said: str) -> int:
    """Say what was found, or that it is genuine; answers the exit code."""
    for code, sentence in findings:
        sys.stdout.write(f"{code}: {sentence}\n")
    if findings:
        found = f"{len(findings):,} finding{'' if len(findings) == 1 else 's'}"
        sys.stderr.write(f"{found}: this report is not to be believed.\n")
        return 1
    sys.stdout.write(said + "\n")
    return 0


def verify_supplements(jwks: dict[str, Any], tokens: list[str]) -> tuple[list[tuple[str, str]], str]:
    """The findings on supplements of an institution that has no report of the window, and what to say of none."""
    findings = Findings()
    number = check_supplements(findings, key_set(findings, jwks), None, None, tokens)
    return findings.all(), f"Genuine: {counted(number, 'supplement')}, of an institution without a report."


def genuine(verdict: Verdict, follows: bool) -> str:
    report, opened = verdict.report, verdict.opened
    if report.institution is None or report.window is None or report.lines is None or opened.key is None:
        raise AssertionError("a report without findings was read")
    said = "Genuine and complete" if verdict.lines is not None else "Genuine"
    what = "interim statement" if report.interim else "report"
    said += f": {report.institution[0]}'s {what} of window {report.window.number}, "
    said += "" if verdict.lines is None else f"{counted(verdict.lines, 'line')}, "
    said += f"{counted(len(report.nets), 'net')}, signed with {opened.kid}"
    said += "" if verdict.line is None else f"; line {verdict.line:,} is one of its {counted(report.lines[0], 'line')}"
    said += f"; it agrees with {counted(verdict.children, 'report')} below it" if verdict.children else ""
    said += "; it follows the previous report" if follows else ""
    said += f"; {counted(verdict.supplements, 'supplement')} after it" if verdict.supplements else ""
    said += "." if verdict.accepted_by is None else f"; its institution has accepted it with {verdict.accepted_by}."
    if report.interim and report.journal is not None:
        when = report.window.closed_at.isoformat(timespec="microseconds") + "Z"
        said += f"\nINTERIM: up to batch {report.journal[0]} of the journal, {when}; nothing of it is final."
    if opened.key.revoked_from is not None:
        said += (
            f"\nIts key is revoked from {opened.key.revoked_from.isoformat(timespec='microseconds')}Z on, after the "
            "window closed. Whoever has a stolen key can date a report back: fetch it again, signed with another key, "
            "or hold it against the report that follows it (--previous)."
        )
    return said


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def jwks_in(parser: argparse.ArgumentParser, path: str) -> dict[str, Any]:
    try:
        jwks = json.loads(whole_file(path))
    except (ValueError, RecursionError):
        jwks = None
    if not isinstance(jwks, dict):
        parser.error(f"{path} holds no JWK set")
    return jwks


def whole_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def token_in(path: str) -> str:
    return whole_file(path).decode("ascii", "replace").strip()


def lines_in(path: str) -> Iterable[bytes]:
    with open(path, "rb") as file:
        yield from file


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}.\n")
        sys.exit(3)
