"""Bending: reports of all shapes and everything that can be done to them, for whoever compares verdicts.

The shapes are the windows of ``test_verify`` and ``test_verify_levels``; what is done to one is drawn from a seed, or
done to each place in turn. Nothing is asserted here.
"""

import base64
import importlib.util
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import rfc8785

from settlement.acceptance import TYP as ACCEPTANCE
from settlement.acceptance import accept
from settlement.lines import Corrects
from settlement.lines import encode as encode_line
from settlement.proof import encode as encode_proof
from settlement.proof import prove
from settlement.report import INTERIM, Child, Report, build, digest, read
from settlement.signing import INTERIM_TYP, SUPPLEMENT_TYP, TYP, SigningKey, take_apart
from settlement.verify import verify
from tests.settlement.supplements import told
from tests.settlement.test_fx import LEGS as FX_LEGS
from tests.settlement.test_fx import REPORTS as SETTLED
from tests.settlement.test_verify import (
    BANK,
    BANK_LINES,
    BEFORE,
    JWKS,
    KEY,
    LEGS,
    OTHER_KEY,
    SHARED,
    SUMMARY,
    forged_header,
    leg,
    lines_of,
)
from tests.settlement.test_verify import report as flat_report
from tests.settlement.test_verify_levels import REPORTS, raw
from tests.settlement.test_verify_pairs import GROSS
from tests.settlement.test_verify_pairs import REPORTS as PAIRS
from tests.settlement.test_verify_pairs import raw as raw_of_pairs

FILE: Final = Path(__file__).parents[2] / "docs" / "verify_report.py"
HEADER: Final = {"alg": "Ed25519", "kid": KEY.kid, "typ": TYP}
STRANGER: Final = SigningKey.generate()
ACCEPTING: Final = SigningKey.generate()  # the institution's


def loaded() -> ModuleType:
    """The verifier that stands alone."""
    spec = importlib.util.spec_from_file_location("verify_report", FILE)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE: Final = loaded()


@dataclass(frozen=True)
class Case:
    """All that a verifier is given."""

    payload: bytes
    lines: Sequence[bytes] | None
    key: SigningKey = KEY
    jws: str | None = None  # instead of the payload, signed
    jwks: Any = field(default_factory=lambda: JWKS)
    previous: str | None = None
    children: Sequence[str] = ()
    proof: bytes | None = None
    acceptance: str | None = None
    acceptance_jwks: Any = None
    interim: bool = False
    supplements: Sequence[str] = ()

    @property
    def token(self) -> str:
        return self.jws if self.jws is not None else self.key.sign(self.payload, INTERIM_TYP if self.interim else TYP)


def verdicts(case: Case) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What the hub's verifier finds, and the other."""
    more = (case.previous, case.children, case.proof, case.acceptance, case.acceptance_jwks)
    ours = verify(case.token, case.lines, case.jwks, *more, interim=case.interim, supplements=case.supplements)
    theirs = ALONE.verify(case.token, case.jwks, case.lines, *more, interim=case.interim, supplements=case.supplements)
    assert ours.accepted_by == theirs.accepted_by
    return [(finding.code, finding.sentence) for finding in ours.findings], theirs.findings


def proved(payload: bytes, lines: Sequence[bytes], number: int) -> bytes:
    return encode_proof(prove(lines, digest(payload), number, len(lines)))


def interim(report: Report) -> Report:
    """The statement of the report's window as it stood a moment before it closed."""
    children = [] if report.kind == "summary" else report.children
    below = tuple(Child(child.institution, None, child.nets) for child in children)
    return replace(report, form=INTERIM, previous_digest=None, children=below)


def _true_cases() -> dict[str, Case]:
    cases = {}
    for code in ("BANK", "AIR", "SHOP"):
        payload = build(flat_report("institution", code))
        cases[f"flat {code}"] = Case(payload, lines_of(code), proof=proved(payload, lines_of(code), 1))
    payload = build(replace(BANK, previous_digest=digest(build(BEFORE))))
    cases["followed"] = Case(payload, BANK_LINES, previous=KEY.sign(build(BEFORE)), key=OTHER_KEY)
    below = [KEY.sign(build(flat_report("institution", child.institution))) for child in SUMMARY.children]
    cases["flat summary"] = Case(
        build(SUMMARY), lines_of(None), children=below, proof=proved(build(SUMMARY), lines_of(None), 4)
    )
    for code, made in REPORTS.items():
        lines = raw(None if code == "HUB" else code)
        children = [KEY.sign(build(REPORTS[child.institution])) for child in made.children]
        cases[f"level {code}"] = Case(build(made), lines, children=children)
    for name, of in (("pairs", PAIRS), ("gross", GROSS)):
        for code, made in of.items():
            lines = raw_of_pairs(None if code == "HUB" else code)
            children = [KEY.sign(build(of[child.institution])) for child in made.children]
            cases[f"{name} {code}"] = Case(build(made), lines, children=children)
    for code in ("BANK", "HUB", "AIR"):
        made = flat_report("summary" if code == "HUB" else "institution", code, SHARED)
        raw_lines = [encode_line(line) for line in SHARED if code in ("HUB", line.payer, line.payee)]
        cases[f"shared {code}"] = Case(build(made), raw_lines, proof=proved(build(made), raw_lines, 2))
    back = replace(
        leg(0x101, 0, "AIR", "BANK", 1_000_000), kind="correct", points=(), corrects=Corrects("dp_7", "cv_10", 1)
    )
    for code, made in SETTLED.items():
        raw_lines = raw(None if code == "HUB" else code, FX_LEGS)
        children = [KEY.sign(build(SETTLED[child.institution])) for child in made.children]
        cases[f"settled {code}"] = Case(build(made), raw_lines, children=children)
    legs = [*LEGS, back]
    mine = [encode_line(line) for line in legs if "BANK" in (line.payer, line.payee)]
    corrected = flat_report("institution", "BANK", legs)
    signed = accept(ACCEPTING, read(build(corrected)), digest(build(corrected)))
    cases["corrected BANK"] = Case(
        build(corrected), mine, acceptance=signed, acceptance_jwks={"keys": [ACCEPTING.public_jwk()]}
    )
    for code in ("BANK", "HUB", "SHOP"):
        payload, lines = build(interim(REPORTS[code])), raw(None if code == "HUB" else code)
        cases[f"interim {code}"] = Case(payload, lines, interim=True, proof=proved(payload, lines, 1))
    for code in ("BANK", "AIR", "SHOP", "HUB"):
        payload = build(flat_report("summary" if code == "HUB" else "institution", code))
        lines = lines_of(None if code == "HUB" else code)
        after = [KEY.sign(one, SUPPLEMENT_TYP) for one in told(code)]
        cases[f"unpaid {code}"] = Case(payload, lines, supplements=after)
    document = json.loads(build(flat_report("institution", "BANK")))
    document["version"] = 1
    for net in document["nets"]:
        del net["own"], net["parent"]
    cases["first version"] = Case(rfc8785.dumps(document), BANK_LINES)
    return cases


TRUE: Final = _true_cases()
SETTLED_RATES: Final = json.loads(build(SETTLED["HUB"]))["settlement"]["exchanges"]


# --- one place after the other ----------------------------------------------------------------------------------------

VALUES: Final[Sequence[Any]] = (
    None, "", "x", " x", "0", "1", "-1", "1.5", "0.00", "1e3", "BANK", "AIR", "HUB", "USD", "XAU", "ab" * 32,
    "2026-01-01T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "mv_1",
    0, 1, 2, True, [], {}, [{}], "\u200b", "\U0001f600",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every member and entry of a document, inner ones too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield (*path, name)
        yield from places(one, (*path, name))


def bent(document: Any, path: tuple[Any, ...], value: Any, how: str) -> Any:
    """A copy of the document with another value at a place, without it, with it twice, or with something beside it."""
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    if how == "gone":
        del place[path[-1]]
    elif how == "beside" and isinstance(place, dict):
        place["extra"] = value
    elif how == "beside":
        place.insert(path[-1], json.loads(json.dumps(place[path[-1]])))
    else:
        place[path[-1]] = value
    return copy


def one_by_one(case: Case) -> Iterator[Case]:
    """The case with each member of its payload changed in each way, signed again; what no line implies is changed too,
    so not all of these are to be found."""
    document = json.loads(case.payload)
    for path in places(document):
        for how in ("gone", "beside"):
            yield replace(case, payload=rfc8785.dumps(bent(document, path, "x", how)))
        for value in VALUES:
            yield replace(case, payload=rfc8785.dumps(bent(document, path, value, "other")))


def lines_one_by_one(case: Case) -> Iterator[Case]:
    """The case with each line gone, twice, in another's place, spelled otherwise, and each member of it changed."""
    lines = list(case.lines or ())
    for at, line in enumerate(lines):
        rest = lines[:at] + lines[at + 1 :]
        yield replace(case, lines=rest)
        yield replace(case, lines=[*lines[: at + 1], line, *lines[at + 1 :]])
        yield from (replace(case, lines=[*rest[:to], line, *rest[to:]]) for to in range(len(lines)) if to != at)
        members = json.loads(line)
        spellings = [
            json.dumps(members).encode(), line + b" ", line + b"\r\n", b"", b"[]", b"null", line[:-1], b"{}",
            b"\xff" + line,
            line.replace(b'"leg":', b'"leg":1,"leg":'), line.replace(b'"leg":', b'"leg":1.0,"leg":'), b" " * 20_000,
            line.replace(b'"amount":"', b'"amount":"0'), line.replace(b'"leg":1', b'"leg":-0'), b"[" * 5_000,
        ]  # fmt: skip
        for path in places(members):
            changed = [bent(members, path, "x", how) for how in ("gone", "beside")]
            changed += [
                bent(members, path, value, "other")
                for value in (*VALUES, "cv_f", "cv_10", "cv_11", "AIR", "7", "8", 1 << 60)
            ]
            spellings += [json.dumps(one, sort_keys=True, separators=(",", ":")).encode() for one in changed]
        for spelling in spellings:
            yield replace(case, lines=[*lines[:at], spelling, *lines[at + 1 :]])


def supplements_one_by_one(case: Case) -> Iterator[Case]:
    """The case with each member of each supplement changed in each way, signed again, the later ones following it; with
    one gone, twice or before another; and under another header or key."""
    tokens = list(case.supplements)
    for at, token in enumerate(tokens):
        document = json.loads(take_apart(token).payload)
        for path in places(document):
            changes = [bent(document, path, "x", how) for how in ("gone", "beside")]
            others = (*VALUES, "DECLARED", "COVERED", "REPAID", "CUT", "FUND", "20.00", "0.01", "df_a", "ds_10", False)
            changes += [bent(document, path, value, "other") for value in others]
            for changed in changes:
                yield replace(case, supplements=_followed(tokens, at, rfc8785.dumps(changed)))
        rest = tokens[:at] + tokens[at + 1 :]
        yield replace(case, supplements=rest)
        yield replace(case, supplements=[*tokens[: at + 1], token, *tokens[at + 1 :]])
        yield replace(case, supplements=[*rest[:at][::-1], token, *rest[at:]])
        payload = take_apart(token).payload
        for other in (KEY.sign(payload), STRANGER.sign(payload, SUPPLEMENT_TYP), "", "a.b.c", case.token):
            yield replace(case, supplements=[*tokens[:at], other, *tokens[at + 1 :]])


def _followed(tokens: Sequence[str], at: int, payload: bytes) -> list[str]:
    """The supplements with another payload in one place, each later one naming the digest of what is before it now."""
    made = [*tokens[:at], KEY.sign(payload, SUPPLEMENT_TYP)]
    for token in tokens[at + 1 :]:
        following = json.loads(take_apart(token).payload) | {"previousDigest": digest(take_apart(made[-1]).payload)}
        made.append(KEY.sign(rfc8785.dumps(following), SUPPLEMENT_TYP))
    return made


def acceptances_one_by_one(case: Case) -> Iterator[Case]:
    """The case with each member of its acceptance changed in each way, signed again; with another header, and under
    other keys."""
    if case.acceptance is None:
        return
    document = json.loads(take_apart(case.acceptance).payload)
    for path in places(document):
        for how in ("gone", "beside"):
            yield replace(case, acceptance=ACCEPTING.sign(rfc8785.dumps(bent(document, path, "x", how)), ACCEPTANCE))
        for value in VALUES:
            changed = rfc8785.dumps(bent(document, path, value, "other"))
            if changed != rfc8785.dumps(document):
                yield replace(case, acceptance=ACCEPTING.sign(changed, ACCEPTANCE))
    payload = rfc8785.dumps(document)
    others = (ACCEPTING.sign(payload), STRANGER.sign(payload, ACCEPTANCE))
    for token in ("", "a.b.c", case.token, *others, payload.hex()):
        yield replace(case, acceptance=token)
    for keys in ({}, {"keys": [STRANGER.public_jwk()]}, JWKS, None):
        yield replace(case, acceptance_jwks=keys)
    for seconds in (0, 253_402_300_799):
        since = {"revoked": {"revoked_at": seconds, "reason": "compromised"}}
        yield replace(case, acceptance_jwks={"keys": [{**ACCEPTING.public_jwk(), **since}]})


def proofs_one_by_one(case: Case) -> Iterator[Case]:
    """The case with each member of its proof changed in each way."""
    if case.proof is None:
        return
    document = json.loads(case.proof)
    for path in places(document):
        for how in ("gone", "beside"):
            yield replace(case, proof=rfc8785.dumps(bent(document, path, "x", how)))
        for value in (*VALUES, "2", "999", "cd" * 32):
            yield replace(case, proof=rfc8785.dumps(bent(document, path, value, "other")))
    for spelling in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b"1.5",
        b" " + case.proof,
        case.proof + b"\n\n",
        b" " * 70_000,
        b"\xff",
    ):
        yield replace(case, proof=spelling)


# --- by a seed --------------------------------------------------------------------------------------------------------


def tampered(chance: random.Random) -> tuple[str, Case]:
    """A true report to which one thing was done that no honest hub would do, and the name of what was done."""
    name = chance.choice(sorted(TRUE))
    case = TRUE[name]
    how = chance.choice(
        ("byte", "payload", "figure", "line", "lines", "key", "swap", "previous", "child", "proof", "form", "fx")
    )
    done = _TAMPER[how](chance, case)
    return f"{how} of {name}", done


def _byte(chance: random.Random, case: Case) -> Case:
    """One bit of the token, wherever it stands."""
    token = bytearray(case.token.encode())
    at = chance.randrange(len(token))
    token[at] ^= 1 << chance.randrange(7)
    return replace(case, jws=token.decode("ascii", "replace"))


def _payload(chance: random.Random, case: Case) -> Case:
    """Bytes of the payload under the old signature, or under the signature of a stranger who takes the hub's name."""
    payload = bytearray(case.payload)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(payload))
        payload[at] ^= chance.randint(1, 255)
    if payload == case.payload:
        payload[0] ^= 1
    if chance.random() < 0.5:
        return replace(case, jws=forged_header(HEADER, bytes(payload), STRANGER))
    head, _, signature = case.token.split(".")
    body = base64.urlsafe_b64encode(bytes(payload)).rstrip(b"=").decode()
    return replace(case, jws=f"{head}.{body}.{signature}")


def _figure(chance: random.Random, case: Case) -> Case:
    """A figure of the payload, signed with the hub's own key."""
    document = json.loads(case.payload)
    net = chance.choice([*document["nets"], *document.get("levels", ())])
    place, name = net, chance.choice(("debit", "credit", "net", "own"))
    if name == "own":
        place, name = net.get("own", net), chance.choice(("debit", "credit"))
    unit = len(place[name].partition(".")[2])
    # Whose net a cent was rounded up is told by the summary alone: one cent in one report may be true.
    least = 2 if name == "net" and document["kind"] == "institution" else 1
    change = chance.choice((1, -1)) * chance.randint(least, 10 ** chance.randint(1, 6))
    whole = round(float(place[name]) * 10**unit) + change
    sign = "-" if whole < 0 else ""
    digits = str(abs(whole)).rjust(unit + 1, "0")
    place[name] = sign + (f"{digits[:-unit]}.{digits[-unit:]}" if unit else digits)
    return replace(case, payload=rfc8785.dumps(document))


def _line(chance: random.Random, case: Case) -> Case:
    """A byte of a line."""
    lines = list(case.lines or ())
    if not lines:
        return replace(case, lines=[b"{}"])
    at = chance.randrange(len(lines))
    line = bytearray(lines[at])
    line[chance.randrange(len(line))] ^= chance.randint(1, 255)
    lines[at] = bytes(line)
    return replace(case, lines=lines)


def _lines(chance: random.Random, case: Case) -> Case:
    """A line left out, doubled, moved, or put in from another report."""
    lines = list(case.lines or ())
    others = [line for line in lines_of(None) + raw(None) if line not in lines] or [b"{}"]
    doing = chance.choice(("out", "double", "move", "in")) if len(lines) > 1 else "in"
    at = chance.randrange(len(lines)) if lines else 0
    if doing == "out":
        del lines[at]
    elif doing == "double":
        lines.insert(chance.randint(0, len(lines)), lines[at])
    elif doing == "move":
        line = lines.pop(at)
        lines.insert(chance.choice([to for to in range(len(lines) + 1) if to != at]), line)
    else:
        lines.insert(chance.randint(0, len(lines)), chance.choice(others))
    return replace(case, lines=lines)


def _key(chance: random.Random, case: Case) -> Case:
    """A key that is none of the hub's, that takes another's name, or that was revoked before the window closed."""
    doing = chance.choice(("stranger", "name", "revoked", "none"))
    if doing == "stranger":
        return replace(case, key=STRANGER)
    if doing == "name":
        thief = {**STRANGER.public_jwk(), "kid": KEY.kid}
        return replace(case, jws=forged_header(HEADER, case.payload, STRANGER), jwks={"keys": [thief]})
    if doing == "none":
        return replace(case, jwks={"keys": [key for key in JWKS["keys"] if key["kid"] != case.key.kid]})
    since = {"revoked_at": chance.randint(0, 1_769_904_000), "reason": "compromised"}  # 2026-02-01: the windows close
    return replace(case, jwks={"keys": [{**key, "revoked": since} for key in JWKS["keys"]]})


def _swap(chance: random.Random, case: Case) -> Case:
    """Another institution's or window's report over these lines."""
    if chance.random() < 0.5:
        other = TRUE[chance.choice([name for name in sorted(TRUE) if TRUE[name].lines != case.lines])]
        return replace(case, payload=other.payload, previous=None, children=(), proof=None)
    document = json.loads(case.payload)
    # Whose an interim summary is, which has no children, stands under the signature alone.
    is_nobodys = case.interim and document["kind"] == "summary"
    if case.lines and (chance.random() < 0.5 or is_nobodys):
        document["window"]["number"] = str(chance.choice([1, 6, 8, 70]))
    else:
        document["institution"]["code"] = chance.choice(["ZOO", "NOBODY", "MINE"])
        if document["kind"] == "summary":  # the operator's own net is then one without a report
            document["children"] = document["children"][1:]
    return replace(case, payload=rfc8785.dumps(document))


def _previous(chance: random.Random, case: Case) -> Case:
    """A predecessor that the report does not name."""
    document = json.loads(TRUE["followed"].payload)
    document["previousDigest"] = None
    document["window"]["number"] = str(chance.randint(0, 9))
    return replace(case, previous=chance.choice([KEY, STRANGER]).sign(rfc8785.dumps(document)))


def _child(chance: random.Random, case: Case) -> Case:
    """A child's report with one figure more, or of somebody who is no child."""
    donor = TRUE[chance.choice(["level DESK", "level KIOSK", "level BANK", "flat AIR", "flat SHOP"])]
    return replace(case, children=[*case.children, KEY.sign(_figure(chance, donor).payload)])


def _fx(chance: random.Random, case: Case) -> Case:
    """What a report says of its settlement in one currency: a figure, a line gone, or a rate that is another's."""
    of = chance.choice([one for one in TRUE.values() if b'"exchanges":[{' in one.payload])
    document = json.loads(of.payload)
    settlement = document["settlement"]
    exchanges, payables = settlement["exchanges"], settlement["payables"]
    one, other = chance.choice(exchanges), chance.choice(payables)
    doing = chance.choice(("value", "net", "amount", "rate", "id", "gone", "payable", "all", "currency"))
    if doing == "rate":
        one["rate"] = str(int(float(one["rate"])) + chance.randint(1, 99))
    elif doing == "id":
        one["rateId"] = next(it["rateId"] for it in SETTLED_RATES if it["currency"] != one["currency"])
        exchanges[:] = exchanges if len({it["rateId"] for it in exchanges}) < len(exchanges) else exchanges[1:]
    elif doing == "gone":
        exchanges.remove(one)
    elif doing == "payable":
        payables.remove(other)
    elif doing == "all":
        exchanges.clear()
    elif doing == "currency":
        settlement["currency"] = one["currency"]
    else:
        place, name = (other, "amount") if doing == "amount" else (one, doing)
        digits = len(place[name].partition(".")[2])
        whole = round(float(place[name]) * 10**digits) + chance.choice((1, -1)) * chance.randint(1, 10**4)
        place[name] = f"{whole / 10**digits:.{digits}f}"
    return replace(of, payload=rfc8785.dumps(document))


def _proof(chance: random.Random, case: Case) -> Case:
    """A byte of a proof, its number, or the proof of another report's line."""
    with_proof = [one for one in TRUE.values() if one.proof is not None]
    of = case if case.proof is not None else chance.choice(with_proof)
    proof = of.proof or b""
    doing = chance.choice(("byte", "number", "other", "path"))
    if doing == "other":
        others = [one.proof for one in with_proof if one.payload != of.payload]
        return replace(of, proof=chance.choice(others), lines=None)
    if doing == "byte":
        changed = bytearray(proof)
        changed[chance.randrange(len(changed))] ^= chance.randint(1, 255)
        return replace(of, proof=bytes(changed), lines=None)
    document = json.loads(proof)
    if doing == "number":
        document["number"] = str(chance.choice([n for n in range(9) if str(n) != document["number"]]))
    elif document["path"] and chance.random() < 0.5:
        document["path"].pop(chance.randrange(len(document["path"])))
    else:
        document["path"].insert(chance.randint(0, len(document["path"])), "ab" * 32)
    return replace(of, proof=rfc8785.dumps(document), lines=None)


def _form(chance: random.Random, case: Case) -> Case:
    """An interim statement for a report, or a report for an interim statement: whole, or its payload or header."""
    doing = chance.choice(("whole", "payload", "header"))
    if doing == "header":
        return replace(case, jws=case.key.sign(case.payload, TYP if case.interim else INTERIM_TYP))
    interim = not case.interim
    return replace(case, interim=interim, jws=case.token if doing == "whole" else None)


_TAMPER: Final = {
    "byte": _byte,
    "payload": _payload,
    "figure": _figure,
    "line": _line,
    "lines": _lines,
    "key": _key,
    "swap": _swap,
    "previous": _previous,
    "child": _child,
    "proof": _proof,
    "form": _form,
    "fx": _fx,
}
