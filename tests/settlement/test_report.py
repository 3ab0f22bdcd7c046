import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.money import UnknownMoney
from settlement.netting import NetLine
from settlement.report import (
    Child,
    InvalidReport,
    JournalHead,
    LineSet,
    Party,
    Report,
    Window,
    build,
    digest,
    read,
)

HEX = "ab" * 32
REPORT = Report(
    kind="institution",
    hub="Points Hub",
    model="default",
    window=Window("sw_1", 7, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    institution=Party("BANK", "示例银行"),
    nets=(
        NetLine("BANK", "JPY", 5_000_000, 0, -7_000_000, "GROUP", 2_000_000, 0),
        NetLine("BANK", "CNY", 9_600, 50_000_000, 52_990_000, "GROUP", 0, 3_000_000),
    ),
    lines=LineSet(3, HEX),
    previous_digest=None,
    journal=JournalHead(2**60, HEX),
    children=(Child("WEST", HEX, (("JPY", -2_000_000),)), Child("EAST", HEX, (("CNY", 3_000_000),))),
)
SUMMARY = replace(
    REPORT,
    kind="summary",
    institution=Party("HUB", "Operator"),
    nets=(NetLine("BANK", "CNY", 0, 10_000, 10_000), NetLine("AIR", "CNY", 10_000, 0, -10_000)),
    children=(Child("BANK", HEX), Child("AIR", HEX)),
    previous_digest=HEX,
)


def codes(payload: bytes) -> list[str]:
    return [finding.code for finding in read(payload).findings]


def changed(path: list[Any], value: object) -> bytes:
    document = json.loads(build(SUMMARY))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return rfc8785.dumps(document)


def test_the_payload_is_this_document() -> None:
    assert json.loads(build(REPORT)) == {
        "type": "points-hub/settlement-report",
        "version": 2,
        "kind": "institution",
        "hub": "Points Hub",
        "model": "default",
        "window": {
            "id": "sw_1",
            "number": "7",
            "openedAt": "2026-01-01T00:00:00.000000Z",
            "closedAt": "2026-02-01T00:00:00.000000Z",
        },
        "institution": {"code": "BANK", "name": "示例银行"},
        "nets": [
            {
                "institution": "BANK",
                "currency": "CNY",
                "parent": "GROUP",
                "own": {"debit": "0.0096", "credit": "50.00"},
                "debit": "0.0096",
                "credit": "53.00",
                "net": "52.99",
            },
            {
                "institution": "BANK",
                "currency": "JPY",
                "parent": "GROUP",
                "own": {"debit": "5", "credit": "0"},
                "debit": "7",
                "credit": "0",
                "net": "-7",
            },
        ],
        "lines": {"count": "3", "root": HEX},
        "previousDigest": None,
        "children": [
            {"institution": "EAST", "digest": HEX, "nets": [{"currency": "CNY", "net": "3.00"}]},
            {"institution": "WEST", "digest": HEX, "nets": [{"currency": "JPY", "net": "-2"}]},
        ],
        "journal": {"batch": "1152921504606846976", "hash": HEX},
    }


@pytest.mark.parametrize("report", [REPORT, SUMMARY])
def test_the_bytes_are_canonical_and_do_not_depend_on_order(report: Report) -> None:
    payload = build(report)
    assert rfc8785.dumps(json.loads(payload)) == payload
    assert build(replace(report, nets=report.nets[::-1], children=report.children[::-1])) == payload
    assert digest(payload) == digest(build(report))
    assert len(digest(payload)) == 64


def test_what_is_built_is_read() -> None:
    reading = read(build(SUMMARY))
    assert reading.findings == []
    assert reading.nets == tuple(sorted(SUMMARY.nets, key=lambda net: net.institution))
    assert reading.nets_whole
    assert reading.children == (Child("AIR", HEX), Child("BANK", HEX))
    assert (reading.window, reading.institution, reading.lines) == (SUMMARY.window, SUMMARY.institution, SUMMARY.lines)
    assert (reading.previous_digest, reading.journal) == (SUMMARY.previous_digest, SUMMARY.journal)
    assert (reading.kind, reading.hub, reading.model) == ("summary", "Points Hub", "default")


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (replace(REPORT, nets=(*REPORT.nets, REPORT.nets[0])), "ORDER"),
        (replace(REPORT, nets=SUMMARY.nets), "NET_FOREIGN"),
        (replace(REPORT, children=(Child("A", HEX, (("CNY", 0), ("CNY", 1_000_000))),)), "ORDER"),
        (replace(REPORT, nets=(NetLine("BANK", "CNY", 0, 0, 0, None, -1, 0),)), "SHAPE"),
        (replace(SUMMARY, children=(Child("A", HEX), Child("A", HEX))), "ORDER"),
        (replace(REPORT, nets=(NetLine("BANK", "CNY", -1, 0, 0),)), "SHAPE"),
        (replace(REPORT, previous_digest="AB" * 32), "SHAPE"),
        (replace(REPORT, lines=LineSet(-1, HEX)), "SHAPE"),
        (replace(REPORT, hub=""), "SHAPE"),
        (replace(REPORT, hub="\ud800"), "SHAPE"),
        (replace(REPORT, window=replace(REPORT.window, closed_at=datetime(2025, 1, 1, tzinfo=UTC))), "WINDOW"),
    ],
)
def test_a_report_that_contradicts_itself_is_not_built(report: Report, code: str) -> None:
    with pytest.raises(InvalidReport) as refused:
        build(report)
    assert code in [finding.code for finding in refused.value.findings]


def test_a_report_from_before_there_were_levels_is_read_as_one_in_which_everybody_settles_with_the_hub() -> None:
    document = json.loads(build(replace(SUMMARY, kind="summary")))
    document["version"] = 1
    del document["levels"]
    for net in document["nets"]:
        del net["parent"], net["own"]
    reading = read(rfc8785.dumps(document))
    assert reading.findings == []
    assert reading.nets == tuple(sorted(SUMMARY.nets, key=lambda net: net.institution))
    document["nets"][0]["parent"] = None
    assert codes(rfc8785.dumps(document)) == ["SHAPE"]
    document = json.loads(build(REPORT))
    document["version"] = 1
    assert "CHILDREN" in codes(rfc8785.dumps(document))


def test_a_net_in_gold_is_not_built() -> None:
    with pytest.raises(UnknownMoney):
        build(replace(REPORT, nets=(NetLine("BANK", "XAU", 0, 0, 0),)))


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (["type"], "other", "TYPE"),
        (["type"], None, "TYPE"),
        (["version"], 3, "VERSION"),
        (["version"], "1", "VERSION"),
        (["version"], True, "VERSION"),
        (["kind"], "other", "SHAPE"),
        (["hub"], 1, "SHAPE"),
        (["model"], " x", "SHAPE"),
        (["extra"], 1, "SHAPE"),
        (["window"], [], "SHAPE"),
        (["window", "extra"], 1, "SHAPE"),
        (["window", "id"], "", "SHAPE"),
        (["window", "number"], 7, "SHAPE"),
        (["window", "number"], "07", "SHAPE"),
        (["window", "openedAt"], "2026-01-01", "SHAPE"),
        (["window", "closedAt"], "2020-01-01T00:00:00.000000Z", "WINDOW"),
        (["institution"], None, "SHAPE"),
        (["institution", "code"], None, "SHAPE"),
        (["institution", "extra"], 1, "SHAPE"),
        (["nets"], {}, "SHAPE"),
        (["nets", 0], "x", "SHAPE"),
        (["nets", 0, "extra"], "x", "SHAPE"),
        (["nets", 0, "currency"], "XXX", "SHAPE"),
        (["nets", 0, "debit"], "0.010", "SHAPE"),
        (["nets", 0, "debit"], "-0.01", "SHAPE"),
        (["nets", 0, "own", "debit"], "-0.01", "SHAPE"),
        (["nets", 0, "own", "credit"], None, "SHAPE"),
        (["nets", 0, "own"], None, "SHAPE"),
        (["nets", 0, "parent"], " ", "SHAPE"),
        (["nets", 0, "parent"], "GROUP", "NET_PARENT"),
        (["levels"], None, "SHAPE"),
        (["nets", 0, "parent"], 1, "SHAPE"),
        (["nets", 0, "net"], "1e1", "SHAPE"),
        (["nets", 0, "net"], 0, "SHAPE"),
        (["nets", 0, "institution"], "ZED", "ORDER"),
        (["nets", 0, "institution"], "BANK", "ORDER"),
        (["lines"], 1, "SHAPE"),
        (["lines", "count"], 3, "SHAPE"),
        (["lines", "root"], "ab", "SHAPE"),
        (["previousDigest"], "", "SHAPE"),
        (["children"], None, "SHAPE"),
        (["children", 0], [], "SHAPE"),
        (["children", 0, "digest"], HEX[1:], "SHAPE"),
        (["children", 0, "nets"], [], "SHAPE"),
        (["children", 0, "institution"], "BANK", "ORDER"),
        (["children", 0, "institution"], "ZED", "ORDER"),
        (["journal"], 1, "SHAPE"),
        (["journal", "batch"], 1, "SHAPE"),
        (["journal", "hash"], HEX.upper(), "SHAPE"),
    ],
)
def test_every_member_is_read_strictly(path: list[Any], value: object, code: str) -> None:
    assert code in codes(changed(path, value))


@pytest.mark.parametrize("member", sorted(json.loads(build(REPORT))))
def test_a_missing_member_is_found(member: str) -> None:
    document = json.loads(build(REPORT))
    del document[member]
    assert codes(rfc8785.dumps(document)) == ["SHAPE"]


def test_all_findings_are_listed() -> None:
    document = json.loads(build(SUMMARY))
    document["type"], document["hub"], document["lines"]["root"] = "x", 1, "y"
    document["nets"][0]["net"], document["nets"][1]["net"] = "?", "!"
    assert sorted(codes(rfc8785.dumps(document))) == ["SHAPE"] * 4 + ["TYPE"]


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":1.5}', b'{"a":NaN}'])
def test_what_is_no_json_is_found(payload: bytes) -> None:
    assert codes(payload) == ["PAYLOAD_NOT_JSON"]


@pytest.mark.parametrize("payload", [b"null", b"[]", b'"x"', b"1"])
def test_what_is_no_object_is_found(payload: bytes) -> None:
    assert codes(payload) == ["SHAPE"]


@pytest.mark.parametrize(
    "change", [lambda text: " " + text, lambda text: text.replace('"version":2', '"version":2,"version":2')]
)
def test_another_spelling_is_found(change: Any) -> None:
    assert codes(change(build(REPORT).decode()).encode()) == ["NOT_CANONICAL"]
    assert "NOT_CANONICAL" in codes(b'{"version":9007199254740993}')


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(json.loads(build(REPORT)))), inner),
        max_leaves=12,
    )
)
def test_reading_never_raises(document: object) -> None:
    assert codes(json.dumps(document).encode())
