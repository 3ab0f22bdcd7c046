from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.money import format_millionths, parse_millionths
from settlement.renderings.amounts import grouped, instant
from settlement.renderings.words import Language


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("0.00", "0.00"),
        ("1234.50", "1,234.50"),
        ("-1234567.0048", "-1,234,567.0048"),
        # 40 digits: Decimal keeps 28 where it is told nothing else.
        ("1234567890123456789012345678.123456789012", "1,234,567,890,123,456,789,012,345,678.123456789012"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_digits_are_grouped_and_all_of_them_kept(text: str, shown: str, language: Language) -> None:
    assert grouped(text, language) == shown


@given(st.integers(-(10**35), 10**35), st.sampled_from(["CNY", "JPY", "BHD"]))
def test_every_amount_of_money_can_be_read_back(value: int, currency: str) -> None:
    text = format_millionths(value, currency)
    assert parse_millionths(grouped(text, "zh").replace(",", "")) == value


def test_an_instant_is_in_utc_with_fractions_only_where_there_are_some() -> None:
    china = timezone(timedelta(hours=8))
    assert instant(datetime(2026, 2, 1, 0, 0, tzinfo=china)) == "2026-01-31 16:00:00"
    assert instant(datetime(2026, 2, 1, 0, 0, 0, 1, tzinfo=UTC)) == "2026-02-01 00:00:00.000001"
