"""A window of three members and the operator, from which reports are built as the hub builds them, then bent."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import ids
from settlement.lines import FeeShare, Line, PointAmount, encode
from settlement.merkle import Root
from settlement.netting import NetLine, Tally
from settlement.report import Child, JournalHead, Kind, LineSet, Party, Report, Window, build, digest
from settlement.signing import SigningKey
from settlement.verify import FINDINGS_PER_CODE_MAX, Verdict, verify

KEY = SigningKey.generate()
OTHER_KEY = SigningKey.generate()
JWKS = {"keys": [OTHER_KEY.public_jwk(), KEY.public_jwk()]}
HEX = "ab" * 32


def leg(movement: int, number: int, payer: str, payee: str, amount: int, currency: str = "CNY") -> Line:
    return Line(
        window=7,
        movement=ids.text("cv", movement),
        leg=number,
        kind="convert",
        at=datetime(2026, 1, 15, tzinfo=UTC),
        currency=currency,
        amount_millionths=amount,
        payer=payer,
        payee=payee,
        purpose="fee" if payee == "HUB" else "settlement",
        points=(PointAmount("BANKPT", "1000"),),
        reverses=None,
    )


# In CNY: BANK −0.0148 − 50, AIR +50 + 0.0048 − 30, SHOP +30 + 0.006, HUB +0.004. In JPY: AIR −7, SHOP +7.
LEGS = [
    leg(0x0F, 1, "BANK", "AIR", 4_800),
    leg(0x0F, 2, "BANK", "HUB", 4_000),
    leg(0x10, 1, "BANK", "AIR", 50_000_000),
    replace(leg(0x11, 1, "BANK", "SHOP", 6_000), terms="at_7", price="0.000006"),  # of 1000 points
    leg(0x11, 2, "AIR", "SHOP", 30_000_000),
    leg(0x100, 1, "AIR", "SHOP", 7_000_000, "JPY"),
]


def shared(movement: int, number: int, payer: str, payee: str, amount: int, fee: int, kept: int) -> Line:
    return replace(
        leg(movement, number, payer, payee, amount), purpose="fee", share=FeeShare(ids.text("sp", 0x9), fee, kept)
    )


# BANK pays 1.99, of which 0.40 is its own share; half of another fee of 0.03 comes back to it.
SHARED = [
    leg(0x20, 1, "BANK", "AIR", 50_000_000),
    shared(0x20, 2, "BANK", "HUB", 990_000, 1_990_000, 400_000),
    shared(0x20, 3, "BANK", "AIR", 600_000, 1_990_000, 400_000),
    leg(0x21, 1, "AIR", "BANK", 25_000_000),
    replace(shared(0x21, 2, "HUB", "BANK", 10_000, 15_000, 0), kind="reverse", reverses="cv_1"),
    replace(shared(0x21, 3, "AIR", "BANK", 5_000, 15_000, 0), kind="reverse", reverses="cv_1"),
    replace(leg(0x22, 1, "BANK", "HUB", 20_000), kind="bill", points=(), invoice="INV-00000001"),
]


def report(kind: Kind, code: str, legs: Sequence[Line] = LEGS, number: int = 7, previous: str | None = None) -> Report:
    mine = [line for line in legs if kind == "summary" or code in (line.payer, line.payee)]
    tally, root = Tally(), Root()
    for line in legs:
        tally.add(line.payer, line.payee, line.currency, line.amount_millionths)
    for line in mine:
        root.add(encode(line))
    nets = tuple(net for net in tally.net_lines() if kind == "summary" or net.institution == code)
    members = sorted({net.institution for net in nets} - {code}) if kind == "summary" else []
    children = tuple(Child(member, digest(build(report("institution", member, legs, number)))) for member in members)
    return Report(
        kind=kind,
        hub="Points Hub",
        model="default",
        window=Window(f"sw_{number}", number, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        institution=Party(code, f"The {code}"),
        nets=nets,
        lines=LineSet(root.count, root.hexdigest()),
        previous_digest=previous,
        journal=JournalHead(99, HEX),
        children=children,
    )


def lines_of(code: str | None) -> list[bytes]:
    return [encode(line) for line in LEGS if code is None or code in (line.payer, line.payee)]


BANK, SUMMARY = report("institution", "BANK"), report("summary", "HUB")
BANK_LINES, ALL_LINES = lines_of("BANK"), lines_of(None)
SUBJECTS = [(BANK, BANK_LINES), (SUMMARY, ALL_LINES)]


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


def check(subject: Report | bytes, lines: Iterable[bytes] | None, key: SigningKey = KEY) -> set[str]:
    payload = build(subject) if isinstance(subject, Report) else subject
    return codes(verify(key.sign(payload), lines, JWKS))


def bent(subject: Report, path: Sequence[str | int], value: object) -> bytes:
    """The payload with one member changed, canonical again: only recomputation can find it once it is signed."""
    document = json.loads(build(subject))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return rfc8785.dumps(document)


def forged_header(header: dict[str, Any], payload: bytes, key: SigningKey = KEY) -> str:
    """A valid Ed25519 signature under a header of the caller's."""
    head, body = (
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (json.dumps(header).encode(), payload)
    )
    signature = base64.urlsafe_b64encode(key._private.sign(f"{head}.{body}".encode())).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize(("subject", "lines"), SUBJECTS)
def test_a_true_report_has_no_findings(subject: Report, lines: list[bytes]) -> None:
    verdict = verify(KEY.sign(build(subject)), iter(lines), JWKS)
    assert verdict.findings == ()
    assert verdict.ok
    assert verdict.kid == KEY.kid
    assert verdict.digest == digest(build(subject))
    assert verdict.lines_checked == len(lines)
    assert not verdict.previous_checked


@pytest.mark.parametrize("code", ["AIR", "SHOP", "HUB"])
def test_every_institutions_report_verifies(code: str) -> None:
    assert check(report("institution", code), lines_of(code)) == set()


def test_lines_may_come_with_their_line_breaks() -> None:
    assert check(BANK, [line + b"\n" for line in BANK_LINES]) == set()
    assert "LINE_NOT_CANONICAL" in check(BANK, [line + b"\r\n" for line in BANK_LINES])
    assert "LINE_NOT_JSON" in check(BANK, [*BANK_LINES, b"\n"])


def test_without_lines_the_verdict_says_that_they_were_not_checked() -> None:
    verdict = verify(KEY.sign(build(BANK)), None, JWKS)
    assert verdict.ok
    assert verdict.lines_checked is None
    assert "LINE_COUNT" in check(BANK, [])  # no lines given is not the same as nothing to check


def test_a_window_without_acts_verifies() -> None:
    empty = report("institution", "BANK", [])
    assert check(empty, []) == set()
    zero = replace(empty, nets=(NetLine("BANK", "CNY", 0, 0, 0),))
    assert check(zero, []) == set()
    assert check(replace(empty, nets=(NetLine("BANK", "CNY", 10_000, 10_000, 0),)), []) == {"NET_WITHOUT_LINES"}


# --- the signature --------------------------------------------------------------------------------------------------


def members(value: object, path: tuple[str | int, ...] = ()) -> Iterable[tuple[str | int, ...]]:
    """The path of every leaf of a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from members(inner, (*path, name))
    elif isinstance(value, list) and value:
        for position, inner in enumerate(value):
            yield from members(inner, (*path, position))
    else:
        yield path


@pytest.mark.parametrize("path", list(members(json.loads(build(SUMMARY)))), ids=str)
def test_no_member_can_be_changed_under_a_signature(path: tuple[str | int, ...]) -> None:
    """Whatever stands in the payload: the old signature does not fit, and a signature of a foreign key names it."""
    payload = bent(SUMMARY, path, "x")
    head, _, signature = KEY.sign(build(SUMMARY)).split(".")
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    assert "SIGNATURE" in codes(verify(f"{head}.{body}.{signature}", ALL_LINES, JWKS))
    assert "KID" in codes(verify(SigningKey.generate().sign(payload), ALL_LINES, JWKS))
    with_our_kid = {"alg": "Ed25519", "kid": KEY.kid, "typ": "points-hub-report+jws"}
    assert "SIGNATURE" in codes(verify(forged_header(with_our_kid, payload, OTHER_KEY), ALL_LINES, JWKS))


def test_a_key_that_is_no_longer_in_use_still_verifies() -> None:
    assert check(BANK, BANK_LINES, OTHER_KEY) == set()


def test_an_unknown_key_is_found_and_the_figures_are_checked_all_the_same() -> None:
    payload = bent(BANK, ("nets", 0, "own", "debit"), "50.0147")
    verdict = verify(SigningKey.generate().sign(payload), BANK_LINES, JWKS)
    assert codes(verdict) == {"KID", "NET_DEBIT", "NET_CHILDREN"}
    assert verdict.kid is None


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "EdDSA"}, "ALG"),
        ({"alg": "none"}, "ALG"),
        ({"alg": "HS256"}, "ALG"),
        ({"alg": ["Ed25519"]}, "ALG"),
        ({"typ": "JWT"}, "TYP"),
        ({"typ": None}, "TYP"),
        ({"kid": 1}, "KID"),
        ({"kid": None}, "KID"),
        ({"jwk": KEY.public_jwk()}, "HEADER"),
        ({"crit": ["b64"], "b64": False}, "HEADER"),
        ({"cty": "x"}, "HEADER"),
    ],
)
def test_the_header_is_exactly_ours(header: dict[str, Any], code: str) -> None:
    ours = {"alg": "Ed25519", "kid": KEY.kid, "typ": "points-hub-report+jws"}
    assert verify(forged_header(ours, build(BANK)), BANK_LINES, JWKS).ok
    assert code in codes(verify(forged_header({**ours, **header}, build(BANK)), BANK_LINES, JWKS))


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "..", "e30.e30.e30.e30", KEY.sign(b"x") + "=", KEY.sign(b"x") + "\n"]
)
def test_what_is_no_jws_is_a_finding(token: str) -> None:
    verdict = verify(token, BANK_LINES, JWKS)
    assert codes(verdict) == {"JWS"}
    assert verdict.digest is None


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": 1}, {"keys": [1, {"kty": "oct"}, {}]}])
def test_a_key_set_without_our_kind_of_key_is_a_finding(keys: dict[str, Any]) -> None:
    assert codes(verify(KEY.sign(build(BANK)), BANK_LINES, keys)) == {"JWKS", "KID"}


def test_a_key_cannot_take_anothers_name() -> None:
    thief = SigningKey.generate()
    keys = {"keys": [{**thief.public_jwk(), "kid": KEY.kid}]}
    header = {"alg": "Ed25519", "kid": KEY.kid, "typ": "points-hub-report+jws"}
    assert codes(verify(forged_header(header, build(BANK), thief), BANK_LINES, keys)) == {"KID"}


# --- the payload, signed with the right key: only recomputation can find it -----------------------------------------


@pytest.mark.parametrize(
    ("subject", "lines", "path", "value", "expected"),
    [
        (BANK, BANK_LINES, ("type",), "points-hub/other", {"TYPE"}),
        (BANK, BANK_LINES, ("version",), 3, {"VERSION"}),
        (BANK, BANK_LINES, ("kind",), "summary", {"SHAPE"}),
        (BANK, BANK_LINES, ("kind",), "x", {"SHAPE"}),
        (BANK, BANK_LINES, ("extra",), "x", {"SHAPE"}),
        (BANK, BANK_LINES, ("window", "number"), "8", {"LINE_WINDOW"}),
        (BANK, BANK_LINES, ("window", "closedAt"), "2025-12-31T00:00:00.000000Z", {"WINDOW"}),
        (BANK, BANK_LINES, ("institution", "code"), "AIR", {"NET_FOREIGN", "LINE_FOREIGN", "NET_MISSING"}),
        (BANK, BANK_LINES, ("nets", 0, "institution"), "AIR", {"NET_FOREIGN", "NET_MISSING"}),
        (BANK, BANK_LINES, ("nets", 0, "currency"), "USD", {"NET_WITHOUT_LINES", "LINE_CURRENCY", "NET_MISSING"}),
        (BANK, BANK_LINES, ("nets", 0, "own", "debit"), "50.0147", {"NET_DEBIT", "NET_CHILDREN"}),
        (BANK, BANK_LINES, ("nets", 0, "own", "credit"), "0.0001", {"NET_CREDIT", "SHAPE", "NET_CHILDREN"}),
        (BANK, BANK_LINES, ("nets", 0, "debit"), "50.0149", {"NET_CHILDREN"}),
        (BANK, BANK_LINES, ("nets", 0, "credit"), "0.01", {"NET_CHILDREN"}),
        (BANK, BANK_LINES, ("nets", 0, "net"), "-50.03", {"NET_ROUNDING"}),
        (BANK, BANK_LINES, ("nets", 0, "net"), "-50.00", {"NET_ROUNDING"}),
        (BANK, BANK_LINES, ("nets", 0, "net"), "-50.0148", {"NET_MINOR_UNIT"}),
        (BANK, BANK_LINES, ("nets", 0, "net"), "50.01", {"NET_ROUNDING"}),
        (BANK, BANK_LINES, ("nets",), [], {"LINE_CURRENCY", "NET_MISSING"}),
        (BANK, BANK_LINES, ("lines", "count"), "5", {"LINE_COUNT"}),
        (BANK, BANK_LINES, ("lines", "root"), HEX, {"LINE_ROOT"}),
        (BANK, BANK_LINES, ("children",), [{"institution": "AIR", "digest": HEX}], {"SHAPE"}),
        (SUMMARY, ALL_LINES, ("kind",), "institution", {"SHAPE", "NET_FOREIGN", "LINE_FOREIGN"}),
        (SUMMARY, ALL_LINES, ("window", "number"), "6", {"LINE_WINDOW"}),
        (SUMMARY, ALL_LINES, ("nets", 0, "own", "debit"), "29.99", {"NET_DEBIT", "NET_BALANCE"}),
        (SUMMARY, ALL_LINES, ("nets", 0, "parent"), "BANK", {"NET_PARENT", "NET_SUM", "NET_ROUNDING", "NET_CHILDREN"}),
        (SUMMARY, ALL_LINES, ("nets", 0, "net"), "20.01", {"NET_SUM", "NET_ROUNDING"}),
        (SUMMARY, ALL_LINES, ("children", 0, "institution"), "ABC", {"CHILD_MISSING"}),
        (SUMMARY, ALL_LINES, ("children", 0, "institution"), "BANK", {"ORDER", "CHILD_MISSING"}),
        (SUMMARY, ALL_LINES, ("children", 0, "institution"), "ZZZ", {"ORDER", "CHILD_MISSING"}),
        (SUMMARY, ALL_LINES, ("children",), [], {"CHILD_MISSING"}),
        (SUMMARY, ALL_LINES, ("lines", "count"), "7", {"LINE_COUNT"}),
        (SUMMARY, ALL_LINES, ("lines", "root"), HEX, {"LINE_ROOT"}),
    ],
)
def test_a_false_figure_is_found_even_under_a_valid_signature(
    subject: Report, lines: list[bytes], path: tuple[str | int, ...], value: object, expected: set[str]
) -> None:
    assert check(bent(subject, path, value), lines) == expected


@pytest.mark.parametrize("path", [("hub",), ("model",), ("window", "id"), ("institution", "name"), ("journal", "hash")])
def test_what_no_line_implies_is_protected_by_the_signature_alone(path: tuple[str, ...]) -> None:
    assert check(bent(BANK, path, HEX), BANK_LINES) == set()


def moved(first: int, second: int) -> Report:
    """The summary with one fen moved from one CNY net to another."""
    nets = list(SUMMARY.nets)
    cny = [position for position, net in enumerate(nets) if net.currency == "CNY"]
    for position, change in ((cny[first], -10_000), (cny[second], 10_000)):
        nets[position] = replace(nets[position], net_millionths=nets[position].net_millionths + change)
    return replace(SUMMARY, nets=tuple(nets))


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(4) for b in range(4) if a != b])
def test_rounding_in_favour_of_another_is_found(first: int, second: int) -> None:
    """The nets still sum to zero, and may each be within one fen: only the rule of the largest remainder tells."""
    assert check(moved(first, second), ALL_LINES) == {"NET_ROUNDING"}
    assert check(moved(first, second), None) == {"NET_ROUNDING"}


def test_another_spelling_of_the_payload_is_found() -> None:
    assert check(b" " + build(BANK), BANK_LINES) == {"NOT_CANONICAL"}
    assert check(b"{", BANK_LINES) == {"PAYLOAD_NOT_JSON"}
    assert check(b"[]", BANK_LINES) == {"SHAPE"}


def test_a_malformed_net_does_not_hide_the_others() -> None:
    document = json.loads(build(SUMMARY))
    document["nets"][0]["net"] = 1
    document["nets"][2]["own"]["debit"] = "50.00"
    assert check(rfc8785.dumps(document), ALL_LINES) == {"SHAPE", "NET_DEBIT"}


# --- the lines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "in_bank", "in_summary"),
    [
        ({"window": 8}, {"LINE_WINDOW"}, {"LINE_WINDOW"}),
        ({"movement": "cv_ff"}, {"LINE_ORDER"}, {"LINE_ORDER"}),
        ({"movement": "cv_e"}, {"LINE_ORDER"}, {"LINE_ORDER"}),
        ({"leg": 9}, set(), set()),
        ({"kind": "redeem"}, set(), set()),
        ({"at": datetime(2026, 1, 16, tzinfo=UTC)}, set(), set()),
        (
            {"currency": "USD"},
            {"LINE_CURRENCY", "NET_DEBIT", "NET_MISSING"},
            {"LINE_CURRENCY", "NET_DEBIT", "NET_CREDIT", "NET_MISSING"},
        ),
        ({"amount_millionths": 49_999_999}, {"NET_DEBIT"}, {"NET_DEBIT", "NET_CREDIT"}),
        ({"payer": "AIR", "payee": "BANK"}, {"NET_DEBIT", "NET_CREDIT"}, {"NET_DEBIT", "NET_CREDIT"}),
        ({"payer": "SHOP"}, {"NET_DEBIT", "LINE_FOREIGN"}, {"NET_DEBIT"}),
        ({"payee": "SHOP"}, set(), {"NET_CREDIT"}),
        ({"purpose": "fee"}, set(), set()),
        ({"points": ()}, set(), set()),
        ({"reverses": "cv_1"}, set(), set()),
    ],
)
def test_no_field_of_a_line_can_be_changed(change: dict[str, Any], in_bank: set[str], in_summary: set[str]) -> None:
    """Against the stored root every change is found; with a root made to fit, those that carry a figure or an order."""
    for subject, lines, expected in ((BANK, BANK_LINES, in_bank), (SUMMARY, ALL_LINES, in_summary)):
        tampered = [encode(replace(LEGS[2], **change)) if line == encode(LEGS[2]) else line for line in lines]
        assert check(subject, tampered) == expected | {"LINE_ROOT"}
        root = Root()
        for line in tampered:
            root.add(line)
        assert check(replace(subject, lines=LineSet(root.count, root.hexdigest())), tampered) == expected


Bend = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (lambda lines: lines[::-1], {"LINE_ORDER", "LINE_ROOT"}),
        (lambda lines: [lines[1], lines[0], *lines[2:]], {"LINE_ORDER", "LINE_ROOT"}),
        (lambda lines: [lines[0], *lines], {"LINE_DUPLICATE", "LINE_ROOT", "LINE_COUNT", "NET_DEBIT", "NET_CREDIT"}),
        (lambda lines: [*lines, lines[0]], {"LINE_ORDER", "LINE_ROOT", "LINE_COUNT", "NET_DEBIT", "NET_CREDIT"}),
        (lambda lines: lines[1:], {"LINE_ROOT", "LINE_COUNT", "NET_DEBIT", "NET_CREDIT"}),
        (lambda lines: lines[:-1], {"LINE_ROOT", "LINE_COUNT", "NET_DEBIT", "NET_CREDIT", "NET_WITHOUT_LINES"}),
        (lambda lines: [], {"LINE_ROOT", "LINE_COUNT", "NET_WITHOUT_LINES"}),
        (
            lambda lines: [*lines, encode(leg(0x200, 1, "BANK", "AIR", 1))],
            {"LINE_ROOT", "LINE_COUNT", "NET_DEBIT", "NET_CREDIT"},
        ),
        (
            lambda lines: [*lines, encode(leg(0x200, 1, "BANK", "NEW", 1))],
            {"LINE_ROOT", "LINE_COUNT", "NET_DEBIT", "NET_MISSING"},
        ),
        (lambda lines: [b"{}", *lines[1:]], {"LINE_MEMBER", "LINE_ROOT", "NET_DEBIT", "NET_CREDIT"}),
        (lambda lines: [b"", *lines], {"LINE_NOT_JSON", "LINE_ROOT", "LINE_COUNT"}),
        (lambda lines: [b" " + lines[0], *lines[1:]], {"LINE_NOT_CANONICAL", "LINE_ROOT", "NET_DEBIT", "NET_CREDIT"}),
    ],
)
@pytest.mark.parametrize(("subject", "lines"), SUBJECTS)
def test_no_line_can_be_moved_repeated_dropped_or_added(
    subject: Report, lines: list[bytes], bend: Bend, expected: set[str]
) -> None:
    found = check(subject, bend(lines))
    assert "LINE_ROOT" in found
    assert found <= expected
    assert {code for code in expected if code.startswith("LINE_")} <= found


def test_lines_of_another_institution_or_window_do_not_fit() -> None:
    assert {"LINE_FOREIGN", "LINE_ROOT"} <= check(BANK, lines_of("SHOP"))
    assert check(report("institution", "BANK", number=8), BANK_LINES) == {"LINE_WINDOW"}


def test_many_findings_of_one_kind_are_counted() -> None:
    verdict = verify(KEY.sign(build(BANK)), (b"x" for _ in range(250)), JWKS)
    found = [finding for finding in verdict.findings if finding.code == "LINE_NOT_JSON"]
    assert len(found) == FINDINGS_PER_CODE_MAX + 1
    assert found[-1].sentence == "150 more findings of this kind."


# --- the chain ------------------------------------------------------------------------------------------------------

BEFORE = report("institution", "BANK", number=6)
AFTER = replace(BANK, previous_digest=digest(build(BEFORE)))


def chained(before: Report | str, after: Report = AFTER) -> set[str]:
    previous = before if isinstance(before, str) else KEY.sign(build(before))
    verdict = verify(KEY.sign(build(after)), BANK_LINES, JWKS, previous)
    assert verdict.previous_checked
    return codes(verdict)


def test_a_report_follows_the_one_before() -> None:
    assert chained(BEFORE) == set()
    assert chained(OTHER_KEY.sign(build(BEFORE))) == set()  # signed before the keys were changed


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (report("institution", "AIR", number=6), {"PREVIOUS_INSTITUTION"}),
        (report("institution", "BANK", number=5), set()),  # it had no net in window 6; the digest says which it follows
        (report("institution", "BANK", number=7), {"PREVIOUS_NUMBER"}),
        (report("institution", "BANK", number=8), {"PREVIOUS_NUMBER"}),
        (report("summary", "BANK", number=6), {"PREVIOUS_KIND"}),
        (replace(BEFORE, hub="Another"), {"PREVIOUS_HUB"}),
        (replace(BEFORE, model="gross"), {"PREVIOUS_MODEL"}),
        (replace(BEFORE, lines=LineSet(0, HEX)), set()),
    ],
)
def test_another_report_is_no_predecessor(before: Report, expected: set[str]) -> None:
    assert chained(before) == {"PREVIOUS_DIGEST"} | expected
    assert chained(before, replace(BANK, previous_digest=digest(build(before)))) == expected


def test_a_predecessor_that_the_report_does_not_name_is_found() -> None:
    assert chained(BEFORE, BANK) == {"PREVIOUS_DIGEST"}


def test_the_predecessor_itself_is_verified() -> None:
    assert chained("x") == {"PREVIOUS_JWS"}
    assert chained(SigningKey.generate().sign(build(BEFORE))) == {"PREVIOUS_KID"}
    assert chained(KEY.sign(b"{")) == {"PREVIOUS_DIGEST", "PREVIOUS_PAYLOAD_NOT_JSON"}


# --- in general -----------------------------------------------------------------------------------------------------

CODES = st.sampled_from(["AIR", "BANK", "HUB", "SHOP"])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(CODES, CODES, st.integers(1, 10**9), st.sampled_from(["CNY", "JPY"])).filter(lambda t: t[0] != t[1]),
        max_size=12,
    ),
    st.data(),
)
def test_whatever_the_acts_were_true_reports_verify_and_a_changed_byte_is_found(
    acts: list[tuple[str, str, int, str]], data: st.DataObject
) -> None:
    legs = [leg(position, 1, *act) for position, act in enumerate(acts)]
    lines = [encode(line) for line in legs]
    payload = build(report("summary", "HUB", legs))
    assert check(payload, lines) == set()
    for code in {act[0] for act in acts}:
        mine = [encode(line) for line in legs if code in (line.payer, line.payee)]
        assert check(report("institution", code, legs), mine) == set()
    position = data.draw(st.integers(0, len(payload) - 1))
    changed = payload[:position] + bytes([payload[position] ^ data.draw(st.integers(1, 255))]) + payload[position + 1 :]
    head, _, signature = KEY.sign(payload).split(".")
    body = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    assert "SIGNATURE" in codes(verify(f"{head}.{body}.{signature}", lines, JWKS))


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=30), st.lists(st.binary(max_size=30), max_size=3), st.text(max_size=30))
def test_verification_never_raises(token: str, lines: list[bytes], previous: str) -> None:
    assert not verify(token, lines, JWKS, previous).ok


@pytest.mark.parametrize(
    ("place", "change", "in_bank", "in_air", "in_summary"),
    [
        (2, {}, set(), set(), set()),
        # A cent more for AIR, and a net that fits: only who bears the fee has all its shares, and so has the summary.
        (2, {"amount_millionths": 610_000}, {"SHARE_SUM"}, set(), {"SHARE_SUM"}),
        (2, {"amount_millionths": 590_000}, {"SHARE_SUM"}, set(), {"SHARE_SUM"}),
        (5, {"amount_millionths": 6_000}, {"SHARE_SUM"}, set(), {"SHARE_SUM"}),
        (2, {"share": FeeShare("sp_9", 1_990_000, 390_000)}, {"SHARE_FEE"}, set(), {"SHARE_FEE"}),
        (2, {"share": FeeShare("sp_8", 1_990_000, 400_000)}, {"SHARE_FEE"}, set(), {"SHARE_FEE"}),
        (1, {"share": None}, {"SHARE_FEE"}, set(), {"SHARE_FEE"}),
        (4, {"share": None}, {"SHARE_FEE"}, set(), {"SHARE_FEE"}),
        (2, {"share": None}, {"SHARE_FEE"}, set(), {"SHARE_FEE"}),
        # A share that is left out altogether.
        (2, {"purpose": "settlement", "share": None}, {"SHARE_SUM"}, set(), {"SHARE_SUM"}),
    ],
)
def test_shares_of_a_fee_sum_to_what_its_plan_shares(
    place: int, change: dict[str, Any], in_bank: set[str], in_air: set[str], in_summary: set[str]
) -> None:
    legs = [replace(line, **change) if n == place else line for n, line in enumerate(SHARED)]
    kinds: list[tuple[str, Kind, set[str]]] = [
        ("BANK", "institution", in_bank), ("AIR", "institution", in_air), ("HUB", "summary", in_summary),
    ]  # fmt: skip
    for code, kind, expected in kinds:
        mine = [encode(line) for line in legs if kind == "summary" or code in (line.payer, line.payee)]
        assert check(report(kind, code, legs), mine) == expected
