from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.money import (
    MILLIONTHS,
    InvalidMoney,
    UnknownMoney,
    format_millionths,
    minor_unit,
    minor_unit_millionths,
    parse_millionths,
)

CURRENCIES = st.sampled_from(["CNY", "JPY", "BHD", "USD", "CLF"])


@pytest.mark.parametrize(("currency", "digits"), [("CNY", 2), ("USD", 2), ("JPY", 0), ("BHD", 3), ("CLF", 4)])
def test_a_minor_unit_has_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_unit(currency) == digits
    assert minor_unit_millionths(currency) * 10**digits == MILLIONTHS


@pytest.mark.parametrize("currency", ["XAU", "XXX", "XTS", "XDR", "ZZZ", "cny", "CN", "", "CNY "])
@pytest.mark.parametrize("ask", [minor_unit, minor_unit_millionths, lambda currency: format_millionths(0, currency)])
def test_what_has_no_minor_unit_is_no_money(currency: str, ask: Callable[[str], object]) -> None:
    with pytest.raises(UnknownMoney) as refused:
        ask(currency)
    assert refused.value.currency == currency


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (4_800, "CNY", "0.0048"),
        (6_000_000, "CNY", "6.00"),
        (-6_000_000, "CNY", "-6.00"),
        (0, "CNY", "0.00"),
        (1, "CNY", "0.000001"),
        (-10_000, "CNY", "-0.01"),
        (1_500_000, "CNY", "1.50"),
        (5_000_000, "JPY", "5"),
        (0, "JPY", "0"),
        (5_500_000, "JPY", "5.5"),
        (1_000_000, "BHD", "1.000"),
        (2**63 * MILLIONTHS, "CNY", "9223372036854775808.00"),
    ],
)
def test_an_amount_has_one_text(value: int, currency: str, text: str) -> None:
    assert format_millionths(value, currency) == text
    assert parse_millionths(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".5",
        "5.",
        "1e3",
        "+1",
        " 1",
        "1 ",
        "01",
        "1.0000001",
        "-0",
        "-0.00",
        "1,000",
        "NaN",
        "1_0",
        "１",
        "9" * 31,
        "1\n",
        "--1",
        "0x1",
        "Infinity",
    ],
)
def test_parsing_takes_plain_decimals_only(text: str) -> None:
    with pytest.raises(InvalidMoney):
        parse_millionths(text)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1_000_000), ("1.5", 1_500_000), ("-0.000001", -1), ("1.500000", 1_500_000)]
)
def test_trailing_zeros_are_optional(text: str, value: int) -> None:
    assert parse_millionths(text) == value


@settings(deadline=None)
@given(st.integers(-(10**30), 10**30), CURRENCIES)
def test_text_and_value_are_each_others_inverse(value: int, currency: str) -> None:
    text = format_millionths(value, currency)
    assert parse_millionths(text) == value
    assert not text.startswith("-0") or value < 0
    assert len(text.partition(".")[2]) in range(minor_unit(currency), 7)
