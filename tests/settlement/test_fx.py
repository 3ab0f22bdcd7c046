"""Reports of a window that is settled in one currency: they verify, and false conversions are found."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import rfc8785

from hub.fx import worth
from settlement.fx import Exchange, Payable, Settlement
from settlement.report import Report, build, read
from settlement.verify import verify
from tests.settlement.test_verify import JWKS, KEY, leg
from tests.settlement.test_verify_levels import change, raw, reports

DAY = date(2026, 1, 14)
# BANK with DESK: −1200 CNY + 50 USD − 1031 JPY; SHOP: 1200 CNY − 50 USD − 7 KWD; AIR: 1031 JPY + 7 KWD.
LEGS = [
    leg(0x10, 1, "DESK", "SHOP", 1_200_000_000),
    leg(0x11, 1, "SHOP", "BANK", 50_000_000, "USD"),
    leg(0x12, 1, "DESK", "AIR", 1_031_000_000, "JPY"),
    leg(0x13, 1, "SHOP", "AIR", 7_000_000, "KWD"),
]
USD, JPY, KWD = (("fx_1", "7.2", "PBOC", DAY), ("fx_2", "0.0482", "PBOC", DAY), ("fx_3", "23.45678", "CFETS", DAY))
# BANK −889.6942, SHOP 675.80254, AIR 213.89166; down −889.70, 675.80, 213.89: the cent is BANK's, and so is its −49.69
SETTLEMENT = Settlement(
    "CNY",
    (
        Exchange("AIR", "JPY", 1_031_000_000, *JPY, 49_690_000),
        Exchange("AIR", "KWD", 7_000_000, *KWD, 164_200_000),
        Exchange("BANK", "JPY", -1_031_000_000, *JPY, -49_690_000),
        Exchange("BANK", "USD", 50_000_000, *USD, 360_000_000),
        Exchange("SHOP", "KWD", -7_000_000, *KWD, -164_200_000),
        Exchange("SHOP", "USD", -50_000_000, *USD, -360_000_000),
    ),
    (Payable("AIR", 213_890_000), Payable("BANK", -889_690_000), Payable("SHOP", 675_800_000)),
)
REPORTS: dict[str, Report] = reports(LEGS, {"DESK": "BANK"}, ("DESK", "BANK", "AIR", "SHOP"), SETTLEMENT)


def found(code: str, payload: bytes | None = None, below: tuple[bytes, ...] = ()) -> set[str]:
    lines = raw(None if code == "HUB" else code, LEGS)
    signed = KEY.sign(payload or build(REPORTS[code]))
    return {
        finding.code for finding in verify(signed, lines, JWKS, None, [KEY.sign(child) for child in below]).findings
    }


def bent(code: str, *changes: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(build(REPORTS[code]))
    for bend in changes:
        bend(document)
    return rfc8785.dumps(document)


@pytest.mark.parametrize("code", REPORTS)
def test_every_report_of_the_window_verifies_with_those_below_it(code: str) -> None:
    assert found(code, below=tuple(build(REPORTS[child.institution]) for child in REPORTS[code].children)) == set()
    assert read(build(REPORTS[code])).settlement == (None if code == "DESK" else REPORTS[code].settlement)


def test_a_report_says_what_each_net_has_become_and_by_which_rate() -> None:
    document = json.loads(build(REPORTS["BANK"]))
    assert document["settlement"] == {
        "currency": "CNY",
        "exchanges": [
            {
                "institution": "BANK",
                "currency": currency,
                "net": net,
                "rateId": rate_id,
                "rate": rate,
                "source": "PBOC",
                "quotedOn": "2026-01-14",
                "value": value,
            }
            for currency, net, rate_id, rate, value in (
                ("JPY", "-1031", "fx_2", "0.0482", "-49.69"),
                ("USD", "50.00", "fx_1", "7.2", "360.00"),
            )
        ],
        "payables": [{"institution": "BANK", "amount": "-889.69"}],  # −1200.00 + 360.00 − 49.69
    }
    assert [net["net"] for net in document["nets"]] == ["-1200.00", "-1031", "50.00"]  # each as it was
    assert "settlement" not in json.loads(build(REPORTS["DESK"]))  # its nets go to BANK, in their own currencies
    assert "settlement" not in json.loads(build(replace(REPORTS["BANK"], settlement=None)))


def test_the_figures_are_those_that_the_hub_rounds_to() -> None:
    nets = {(net.institution, net.currency): net.net_millionths for net in REPORTS["HUB"].nets if net.parent is None}
    rates = {"USD": 7_200_000_000_000, "JPY": 48_200_000_000, "KWD": 23_456_780_000_000}
    assert worth(nets, "CNY", rates, 10_000) == {
        (one.institution, one.currency): one.value_millionths for one in SETTLEMENT.exchanges
    }


def swapped(document: dict[str, Any]) -> None:
    """The rates of the first two lines, of which each is of its own currency."""
    one, other = document["settlement"]["exchanges"][:2]
    for name in ("rateId", "rate", "source"):
        one[name], other[name] = other[name], one[name]


def raised(document: dict[str, Any]) -> None:
    """A cent from BANK to AIR, everywhere: it is in nobody's report that the cent was rounded the other way."""
    of = document["settlement"]
    of["exchanges"][0]["value"], of["exchanges"][2]["value"] = "49.70", "-49.70"
    of["payables"][0]["amount"], of["payables"][1]["amount"] = "213.90", "-889.70"


FIRST = ("settlement", "exchanges", 0)


@pytest.mark.parametrize(
    ("code", "changes", "expected"),
    [
        ("AIR", [change((*FIRST, "value"), "49.70")], {"FX_PAYABLE"}),
        ("AIR", [change((*FIRST, "value"), "49.71")], {"FX_VALUE", "FX_PAYABLE"}),
        ("AIR", [change((*FIRST, "value"), "49.695")], {"FX_VALUE", "FX_PAYABLE"}),
        ("AIR", [change((*FIRST, "net"), "1030")], {"FX_NET", "FX_VALUE", "FX_PAYABLE"}),
        ("AIR", [change((*FIRST, "rate"), "0.049")], {"FX_VALUE", "FX_PAYABLE"}),
        ("AIR", [change((*FIRST, "rate"), "0.04820")], {"SHAPE"}),
        ("AIR", [change((*FIRST, "rate"), "0")], {"SHAPE"}),
        ("AIR", [change((*FIRST, "rateId"), "fx_3")], {"FX_RATE"}),
        ("AIR", [change((*FIRST, "rateId"), "rt_3")], {"SHAPE"}),
        ("AIR", [change((*FIRST, "quotedOn"), "2026-02-30")], {"SHAPE"}),
        ("AIR", [change((*FIRST, "source"), " ")], {"SHAPE"}),
        ("AIR", [change((*FIRST, "institution"), "BANK")], {"FX_MISSING", "FX_NET", "FX_PAYABLE", "ORDER"}),
        ("AIR", [change((*FIRST, "currency"), "USD")], {"SHAPE"}),  # 1031 is no dollars' spelling
        ("AIR", [change(("settlement", "exchanges", 1), None)], {"SHAPE"}),
        ("AIR", [swapped], {"FX_VALUE", "FX_PAYABLE"}),
        ("AIR", [change(("settlement", "exchanges"), [])], {"FX_MISSING", "FX_PAYABLE"}),
        ("AIR", [change(("settlement", "payables"), [])], {"FX_PAYABLE"}),
        ("AIR", [change(("settlement", "payables", 0, "amount"), "213.90")], {"FX_PAYABLE"}),
        ("AIR", [change(("settlement", "payables", 0, "institution"), "BANK")], {"FX_PAYABLE"}),
        ("BANK", [change(("settlement", "currency"), "USD")], {"FX_MISSING", "FX_NET", "FX_PAYABLE"}),
        ("AIR", [change(("settlement", "currency"), "XAU")], {"SHAPE"}),
        ("AIR", [change(("settlement",), None)], {"SHAPE"}),
        ("DESK", [change(("settlement",), {"currency": "CNY", "exchanges": [], "payables": []})], set()),
        ("HUB", [raised], {"FX_VALUE"}),
        ("HUB", [change((*FIRST, "rateId"), "fx_9")], {"FX_RATE"}),
        ("HUB", [change((*FIRST, "quotedOn"), "2026-01-13")], {"FX_RATE"}),
        ("HUB", [change((*FIRST, "source"), "ECB")], {"FX_RATE"}),
        ("HUB", [change(("settlement", "payables", 0, "amount"), "213.90")], {"FX_PAYABLE", "FX_SUM"}),
        ("HUB", [change(("version",), 1)], {"SHAPE"}),
    ],
)
def test_what_is_said_falsely_of_an_exchange_is_found(
    code: str, changes: list[Callable[[dict[str, Any]], None]], expected: set[str]
) -> None:
    assert found(code, bent(code, *changes)) >= expected
    if expected != {"SHAPE"}:
        assert found(code, bent(code, *changes)) == expected


def test_a_childs_report_settles_as_the_summary_says_of_it() -> None:
    other = replace(SETTLEMENT, exchanges=tuple(replace(one, source="ECB") for one in SETTLEMENT.exchanges)).of("AIR")
    for changed in (replace(REPORTS["AIR"], settlement=other), replace(REPORTS["AIR"], settlement=None)):
        assert found("HUB", below=(build(changed),)) == {"CHILD_DIGEST", "CHILD_FX"}
    below = replace(REPORTS["DESK"], settlement=Settlement("CNY", (), ()))
    assert found("BANK", below=(build(below),)) == {"CHILD_DIGEST", "CHILD_FX"}
