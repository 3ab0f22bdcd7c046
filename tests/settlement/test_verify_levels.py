"""Verification over levels: a parent's report is its own acts and its children's nets; false figures are found."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from settlement.fx import Settlement
from settlement.lines import Line, encode
from settlement.making import children_of, settlement_for
from settlement.merkle import Root
from settlement.netting import Tally
from settlement.report import Child, LineSet, Report, build, digest
from settlement.verify import Verdict, verify
from tests.settlement.test_verify import HEX, JWKS, KEY, SUMMARY, leg

# GROUP stands over BANK, which stands over DESK and KIOSK; MALL over SHOP.
PARENTS = {"BANK": "GROUP", "DESK": "BANK", "KIOSK": "BANK", "SHOP": "MALL"}
# In CNY: BANK -5.0048 - 1.50, DESK +1.50 - 0.25, KIOSK +0.25, SHOP +5.0048; in JPY: MALL -7, DESK +7.
LEGS = [
    leg(0x10, 1, "BANK", "SHOP", 5_004_800),
    leg(0x11, 1, "BANK", "DESK", 1_500_000),
    leg(0x12, 1, "DESK", "KIOSK", 250_000),
    leg(0x13, 1, "MALL", "DESK", 7_000_000, "JPY"),
]
UPWARD = ("DESK", "KIOSK", "BANK", "GROUP", "SHOP", "MALL")


def reports(
    legs: Sequence[Line] = LEGS,
    parents: Mapping[str, str] = PARENTS,
    upward: Sequence[str] = UPWARD,
    settlement: Settlement | None = None,
) -> dict[str, Report]:
    """The reports of all, and the summary, as the hub makes them."""
    tally = Tally()
    for line in legs:
        tally.add(line.payer, line.payee, line.currency, line.amount_millionths)
    nets, made = tally.net_lines(parents), {}
    digests: dict[str, str] = {}
    for code in upward:
        made[code] = replace(
            SUMMARY,
            kind="institution",
            institution=replace(SUMMARY.institution, code=code),
            nets=tuple(net for net in nets if net.institution == code),
            lines=lines_of(code, legs),
            children=children_of(code, nets, digests),
            settlement=settlement_for(settlement, code, [net for net in nets if net.institution == code]),
        )
        digests[code] = digest(build(made[code]))
    every = tuple(Child(code, of) for code, of in digests.items())
    made["HUB"] = replace(SUMMARY, nets=nets, lines=lines_of(None, legs), children=every, settlement=settlement)
    return made


def raw(code: str | None, legs: Sequence[Line] = LEGS) -> list[bytes]:
    return [encode(line) for line in legs if code is None or code in (line.payer, line.payee)]


def lines_of(code: str | None, legs: Sequence[Line] = LEGS) -> LineSet:
    root = Root()
    for line in raw(code, legs):
        root.add(line)
    return LineSet(root.count, root.hexdigest())


REPORTS = reports()


def verdict(code: str, payload: bytes | None = None, below: tuple[bytes, ...] = ()) -> Verdict:
    lines = raw(None if code == "HUB" else code)
    signed = KEY.sign(payload or build(REPORTS[code]))
    return verify(signed, lines, JWKS, None, [KEY.sign(child) for child in below])


def codes(given: Verdict) -> set[str]:
    return {finding.code for finding in given.findings}


@pytest.mark.parametrize("code", REPORTS)
def test_the_report_of_every_level_verifies_with_all_reports_below_it(code: str) -> None:
    below = tuple(build(REPORTS[child.institution]) for child in REPORTS[code].children)
    given = verdict(code, below=below)
    assert given.findings == ()
    assert given.children_checked == {"BANK": 2, "GROUP": 1, "MALL": 1, "HUB": 6}.get(code, 0)


def test_a_report_below_it_that_is_given_twice_is_counted_once() -> None:
    child = build(REPORTS[REPORTS["BANK"].children[0].institution])
    given = verdict("BANK", below=(child, child))
    assert (given.findings, given.children_checked) == ((), 1)


def test_a_parents_report_has_its_own_lines_and_its_childrens_nets() -> None:
    document = json.loads(build(REPORTS["BANK"]))
    assert document["lines"]["count"] == "2"
    assert [child["nets"] for child in document["children"]] == [
        [{"currency": "CNY", "net": "1.25"}, {"currency": "JPY", "net": "7"}],
        [{"currency": "CNY", "net": "0.25"}],
    ]
    cny = next(net for net in document["nets"] if net["currency"] == "CNY")
    # own -6.5048, children +1.25 +0.25; the whole of it, -5.0048, is a fen and SHOP's +5.0048 is the same fen
    assert cny["own"] == {"debit": "6.5048", "credit": "0.00"}
    assert (cny["debit"], cny["credit"], cny["net"], cny["parent"]) == ("6.5048", "1.50", "-5.00", "GROUP")
    group = json.loads(build(REPORTS["GROUP"]))
    assert group["lines"] == {"count": "0", "root": Root().hexdigest()}  # it did nothing itself
    assert [net["net"] for net in group["nets"]] == ["-5.00", "7"]


def change(path: tuple[str | int, ...], value: object) -> Callable[[dict[str, Any]], None]:
    def bend(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return bend


def bent(code: str, *changes: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(build(REPORTS[code]))
    for bend in changes:
        bend(document)
    return rfc8785.dumps(document)


@pytest.mark.parametrize(
    ("code", "changes", "expected"),
    [
        ("BANK", [change(("children", 0, "nets", 0, "net"), "1.26")], {"NET_CHILDREN"}),
        ("BANK", [change(("children",), [])], {"NET_CHILDREN"}),
        ("BANK", [change(("nets", 0, "net"), "-4.99")], {"NET_ROUNDING"}),
        ("BANK", [change(("nets", 0, "credit"), "1.51")], {"NET_CHILDREN"}),
        ("BANK", [change(("nets", 0, "parent"), "AIR")], {"NET_PARENT"}),
        ("BANK", [change(("children", 0, "nets", 1, "currency"), "USD")], {"SHAPE"}),  # 7 is no dollars' spelling
        ("GROUP", [change(("nets", 0, "net"), "-5.01")], {"NET_ROUNDING"}),
        ("HUB", [change(("levels", 0, "parent"), None)], {"NET_PARENT", "NET_SUM", "NET_ROUNDING", "NET_CHILDREN"}),
        ("HUB", [change(("levels", 2, "parent"), "KIOSK")], {"NET_PARENT", "NET_CHILDREN", "NET_ROUNDING"}),
        ("HUB", [change(("nets", 0, "parent"), "MALL")], {"NET_PARENT", "NET_SUM", "NET_CHILDREN"}),
        ("HUB", [change(("levels", 0, "net"), "-5.01")], {"NET_ROUNDING"}),
        ("HUB", [change(("levels", 0, "debit"), "6.51")], {"NET_CHILDREN"}),
        ("HUB", [lambda document: document["nets"].pop(0)], {"NET_MISSING", "NET_SUM"}),  # GROUP's
        ("HUB", [lambda document: document.pop("levels")], {"SHAPE"}),
        ("HUB", [lambda document: document["levels"].append(document["levels"][0])], {"ORDER"}),
        ("HUB", [lambda document: document["nets"].insert(0, document["levels"][0])], {"ORDER", "NET_PARENT"}),
    ],
)
def test_a_false_figure_of_a_level_is_found_even_under_a_valid_signature(
    code: str, changes: list[Callable[[dict[str, Any]], None]], expected: set[str]
) -> None:
    assert expected <= codes(verdict(code, bent(code, *changes)))


def test_a_circle_of_parents_is_found() -> None:
    def circle(document: dict[str, Any]) -> None:
        for net in document["levels"]:
            if net["institution"] == "BANK":
                net["parent"] = "DESK"

    assert "NET_PARENT" in codes(verdict("HUB", bent("HUB", circle)))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("nets", 0, "net"), "1.26", {"CHILD_DIGEST", "CHILD_NET"}),
        (("nets", 0, "parent"), "MALL", {"CHILD_DIGEST", "CHILD_NET"}),
        (("window", "number"), "8", {"CHILD_DIGEST", "CHILD_WINDOW"}),
        (("hub",), "Another", {"CHILD_DIGEST", "CHILD_HUB"}),
        (("model",), "gross", {"CHILD_DIGEST", "CHILD_MODEL"}),
        (("journal", "hash"), HEX[::-1], {"CHILD_DIGEST", "CHILD_JOURNAL"}),
        (("institution", "name"), "Other", {"CHILD_DIGEST"}),
        (("institution", "code"), "STALL", {"CHILD_DIGEST", "CHILD_NET", "CHILD_NET_FOREIGN"}),
        (("kind",), "summary", {"CHILD_KIND", "CHILD_SHAPE", "CHILD_NET_PARENT"}),
        (("extra",), 1, {"CHILD_SHAPE", "CHILD_DIGEST"}),
    ],
)
@pytest.mark.parametrize("parent", ["BANK", "HUB"])
def test_a_childs_report_that_was_changed_is_found_from_above(
    parent: str, path: tuple[str | int, ...], value: object, expected: set[str]
) -> None:
    given = codes(verdict(parent, below=(bent("DESK", change(path, value)),)))
    assert given == expected


def test_a_report_that_is_not_below_is_no_childs() -> None:
    assert codes(verdict("BANK", below=(build(REPORTS["SHOP"]),))) == {"CHILD_DIGEST", "CHILD_NET"}
    stranger = verify(KEY.sign(build(REPORTS["BANK"])), None, JWKS, None, ["x"])
    assert codes(stranger) == {"CHILD_JWS"}
