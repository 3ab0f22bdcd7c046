"""Amounts in whole units: parsing, showing, and the roundings by name."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidAmount
from hub.points import AMOUNT_MAX, half_up, normalise, parse, parse_positive, ratio, render, share

scales = st.integers(0, 12)
units = st.integers(-(10**18), 10**18)


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("0", 0, 0),
        ("-0", 0, 0),
        ("12", 2, 1200),
        ("12.5", 2, 1250),
        ("12.50", 1, 125),  # trailing zeros are no digits
        ("-0.05", 2, -5),
        ("0.000001", 6, 1),
        ("9007199254740993", 0, 2**53 + 1),  # a float would lose the one
    ],
)
def test_decimal_text_becomes_whole_units(text: str, scale: int, expected: int) -> None:
    assert parse(text, scale) == expected


@pytest.mark.parametrize(
    "text",
    ["", "-", ".5", "5.", "01", "+1", "1e3", "1_000", "1,000", " 1", "1 ", "1\n", "NaN", "Infinity", "0x1", "١", "--1"],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmount):
        parse(text, 6)


def test_more_digits_than_the_scale_are_refused_with_the_scale() -> None:
    with pytest.raises(InvalidAmount) as refused:
        parse("1.005", 2)
    assert refused.value.details == {"amount": "1.005", "scale": "2"}


def test_a_very_long_text_is_refused_and_shown_in_part() -> None:
    with pytest.raises(InvalidAmount) as refused:
        parse("1" * 10_000, 0)
    assert refused.value.details["amount"] == "1" * 60


@given(units, scales)
def test_units_shown_and_parsed_are_the_same_units(value: int, scale: int) -> None:
    assert parse(render(value, scale), scale) == value


@given(units, scales)
def test_shown_units_have_all_digits_and_the_exact_value(value: int, scale: int) -> None:
    text = render(value, scale)
    assert Fraction(text) == Fraction(value, 10**scale)
    assert len(text.partition(".")[2]) == scale


@given(units, scales, st.integers(0, 8))
def test_equal_decimals_have_one_normal_text(value: int, scale: int, zeros: int) -> None:
    text = render(value, scale)
    longer = text + ("" if "." in text or not zeros else ".") + "0" * zeros
    assert normalise(text) == normalise(longer) == normalise(normalise(longer))
    assert Fraction(normalise(longer)) == Fraction(value, 10**scale)
    assert parse(normalise(longer), scale) == value


def test_a_normal_text_has_no_sign_at_zero() -> None:
    assert normalise("-0.00") == normalise("-0") == normalise("0.0") == "0"
    assert normalise("100") == "100"  # zeros before the point are digits


def test_an_acts_amount_is_positive_and_bounded() -> None:
    assert parse_positive("1", 0) == 1
    assert parse_positive(str(AMOUNT_MAX), 0) == AMOUNT_MAX
    for text in ("0", "-1", "-0", str(AMOUNT_MAX + 1)):
        with pytest.raises(InvalidAmount):
            parse_positive(text, 0)
    with pytest.raises(InvalidAmount):
        parse_positive(str(AMOUNT_MAX // 100 + 1), 2)  # the bound counts smallest units


@given(st.integers(0, 10**30), st.integers(1, 10**20))
def test_half_up_is_the_nearest_integer_with_halves_upward(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = half_up(numerator, denominator)
    assert -Fraction(1, 2) < rounded - exact <= Fraction(1, 2)


def test_half_up_at_the_half() -> None:
    assert [half_up(n, 2) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]  # 0, 0.5, 1, 1.5
    assert half_up(499_999, 1_000_000) == 0


@given(st.integers(1, 10**15), st.integers(0, 10**18), st.data())
def test_shares_of_growing_parts_never_pass_the_whole(whole: int, amount: int, data: st.DataObject) -> None:
    parts = sorted(data.draw(st.lists(st.integers(0, whole), max_size=6)))
    taken, total = 0, 0
    for part in [*parts, whole]:
        step = share(part, whole, amount) - taken
        assert step >= 0
        taken += step
        total += step
        assert total * whole <= amount * part  # never ahead of the proportion
    assert total == amount


def test_a_ratio_is_two_positive_whole_numbers_in_lowest_terms() -> None:
    assert ratio("4", "10") == Fraction(2, 5)
    for wrong in ("0", "-1", "1.5", "", "1e3", "1" * 19, "１", " 1"):
        assert ratio(wrong, "1") is None
        assert ratio("1", wrong) is None
