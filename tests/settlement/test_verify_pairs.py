"""Verification of pairs: what each two participants come to, and that a participant's net is their sum."""

import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from settlement.lines import encode
from settlement.making import children_of, pairs_in
from settlement.merkle import Root
from settlement.netting import Tally
from settlement.pairs import PairTally, settled_by
from settlement.report import Child, LineSet, Report, build, digest
from settlement.verify import Verdict, verify
from tests.settlement.test_verify import JWKS, KEY, SUMMARY, leg

# DESK stands under BANK, KIOSK under DESK, SHOP under MALL; HUB is the operator itself.
PARENTS = {"DESK": "BANK", "KIOSK": "DESK", "SHOP": "MALL"}
LEGS = [
    leg(0x10, 1, "BANK", "SHOP", 5_004_800),
    leg(0x11, 1, "KIOSK", "MALL", 1_500_300),
    leg(0x12, 1, "DESK", "AIR", 250_000),
    leg(0x13, 1, "AIR", "BANK", 15_000),  # 0.015, of which half a fen is AIR's, the lower code
    leg(0x14, 1, "MALL", "AIR", 33_000),
    leg(0x15, 1, "BANK", "DESK", 700_000),  # within BANK
    leg(0x16, 1, "AIR", "HUB", 12_345),
    leg(0x17, 1, "MALL", "KIOSK", 7_000_000, "JPY"),
]
UPWARD = ("KIOSK", "DESK", "BANK", "SHOP", "MALL", "AIR")


def raw(code: str | None) -> list[bytes]:
    return [encode(line) for line in LEGS if code is None or code in (line.payer, line.payee)]


def lines_of(code: str | None) -> LineSet:
    root = Root()
    for line in raw(code):
        root.add(line)
    return LineSet(root.count, root.hexdigest())


def reports(*, is_gross: bool = False) -> dict[str, Report]:
    """The reports of all, and the summary, as the hub makes them."""
    tally, pairs = Tally(), PairTally(PARENTS, is_gross=is_gross)
    for line in LEGS:
        for of in (tally, pairs):
            of.add(line.payer, line.payee, line.currency, line.amount_millionths)
    made_pairs = pairs.made()
    nets = tally.net_lines(PARENTS, settled_by(made_pairs.every))
    made: dict[str, Report] = {}
    digests: dict[str, str] = {}
    for code in UPWARD:
        mine = tuple(net for net in nets if net.institution == code)
        made[code] = replace(
            SUMMARY,
            kind="institution",
            institution=replace(SUMMARY.institution, code=code),
            nets=mine,
            lines=lines_of(code),
            children=children_of(code, nets, digests),
            pairs=pairs_in(code, mine, made_pairs),
            is_gross=is_gross,
        )
        digests[code] = digest(build(made[code]))
    every = tuple(Child(code, of) for code, of in digests.items())
    whole = replace(SUMMARY, nets=nets, lines=lines_of(None), children=every, pairs=made_pairs.every)
    made["HUB"] = replace(whole, is_gross=is_gross)
    return made


REPORTS = reports()
GROSS = reports(is_gross=True)


def verdict(code: str, payload: bytes | None = None) -> Verdict:
    below = [KEY.sign(build(REPORTS[child.institution])) for child in REPORTS[code].children]
    signed = KEY.sign(build(REPORTS[code]) if payload is None else payload)
    return verify(signed, raw(None if code == "HUB" else code), JWKS, None, below)


@pytest.mark.parametrize("code", REPORTS)
def test_the_report_of_everybody_verifies_with_all_reports_below_it(code: str) -> None:
    assert verdict(code).findings == ()


def test_a_participants_report_says_what_each_counterparty_and_it_come_to_and_by_which_lines() -> None:
    document = json.loads(build(REPORTS["BANK"]))
    assert document["obligations"] == [
        {
            "institution": "BANK",
            "counterparty": "AIR",
            "currency": "CNY",
            "debit": "0.25",  # DESK's
            "credit": "0.015",
            "net": "-0.24",  # -0.235: half a fen, in favour of AIR
            "own": [{"institution": "AIR", "debit": "0.00", "credit": "0.015"}],
        },
        {
            "institution": "BANK",
            "counterparty": "MALL",
            "currency": "CNY",
            "debit": "6.5051",  # 5.0048 of its own with SHOP, and 1.5003 of KIOSK's
            "credit": "0.00",
            "net": "-6.51",
            "own": [{"institution": "SHOP", "debit": "5.0048", "credit": "0.00"}],
        },
        {
            "institution": "BANK",
            "counterparty": "MALL",
            "currency": "JPY",
            "debit": "0",
            "credit": "7",
            "net": "7",
            "own": [],
        },
    ]
    assert [net["net"] for net in document["nets"]] == ["-6.75", "7"]
    assert "obligations" not in json.loads(build(REPORTS["DESK"]))  # what it owes, BANK pays
    summary = json.loads(build(REPORTS["HUB"]))
    assert [(one["institution"], one["counterparty"], one["net"]) for one in summary["obligations"]] == [
        ("AIR", "BANK", "0.24"),
        ("AIR", "HUB", "-0.01"),
        ("AIR", "MALL", "0.03"),
        ("BANK", "MALL", "-6.51"),
        ("BANK", "MALL", "7"),
    ]


@pytest.mark.parametrize(
    ("code", "path", "value", "expected"),
    [
        ("BANK", (0, "net"), "-0.23", {"PAIR_ROUNDING", "PAIR_NET"}),
        ("BANK", (1, "debit"), "6.5351", {"PAIR_SUM"}),  # a child's net is less than a fen from its exact value
        ("BANK", (1, "own", 0, "debit"), "5.0049", {"PAIR_LINES"}),
        ("BANK", (1, "own", 0, "institution"), "STALL", {"PAIR_LINES"}),
        ("BANK", (1, "counterparty"), "MALM", set()),  # whom the lines do not name is under the signature alone
        ("BANK", (0, "debit"), "0.24", {"PAIR_SUM"}),
        ("AIR", (0, "debit"), "0.016", {"PAIR_SUM"}),
        ("HUB", (0, "debit"), "0.016", {"PAIR_SUM", "PAIR_LINES"}),
        ("HUB", (0, "net"), "0.25", {"PAIR_ROUNDING", "PAIR_NET", "NET_ROUNDING"}),
        ("HUB", (3, "counterparty"), "NOBODY", {"PAIR_NET", "PAIR_LINES", "PAIR_SUM"}),
        ("BANK", (2, "institution"), "AIR", {"PAIR_FOREIGN"}),
        ("BANK", (2, "counterparty"), "BANK", {"SHAPE"}),
    ],
)
def test_a_false_figure_of_a_pair_is_found_even_under_a_valid_signature(
    code: str, path: tuple[Any, ...], value: str, expected: set[str]
) -> None:
    document = json.loads(build(REPORTS[code]))
    place = document["obligations"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    found = {finding.code for finding in verdict(code, rfc8785.dumps(document)).findings}
    assert found >= expected
    assert found or not expected


@pytest.mark.parametrize("code", ["BANK", "HUB", "AIR"])
def test_a_pair_that_is_left_out_is_found(code: str) -> None:
    document = json.loads(build(REPORTS[code]))
    for number in range(len(document["obligations"])):
        less = {**document, "obligations": [*document["obligations"]]}
        del less["obligations"][number]
        assert {"PAIR_NET"} <= {finding.code for finding in verdict(code, rfc8785.dumps(less)).findings}


def test_who_pays_through_a_parent_has_no_pairs() -> None:
    document = {**json.loads(build(REPORTS["DESK"])), "obligations": []}
    assert "PAIR_PARENT" in {finding.code for finding in verdict("DESK", rfc8785.dumps(document)).findings}


@pytest.mark.parametrize("code", GROSS)
def test_where_each_act_was_paid_at_once_nothing_is_left_to_be_paid(code: str) -> None:
    below = [KEY.sign(build(GROSS[child.institution])) for child in GROSS[code].children]
    lines = raw(None if code == "HUB" else code)
    given = verify(KEY.sign(build(GROSS[code])), lines, JWKS, None, below)
    assert given.findings == ()
    document = json.loads(build(GROSS[code]))
    assert {net["net"] for net in document["nets"] if net["parent"] is None} <= {"0.00", "0"}
    for change in ({"settled": "net"}, {"settled": None}):
        bad = verify(KEY.sign(rfc8785.dumps({**document, **change})), lines, JWKS, None, below)
        assert {finding.code for finding in bad.findings} >= {"SHAPE"}
    if "settled" in document:
        del document["settled"]
        bad = verify(KEY.sign(rfc8785.dumps(document)), lines, JWKS, None, below)
        assert "PAIR_ROUNDING" in {finding.code for finding in bad.findings}
