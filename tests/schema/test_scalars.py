"""Decimals stay text and exact, instants have a zone, and whatever is neither is refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from schema.faults import BadInput
from schema.scalars import JSON, SCALARS, Decimal, parse_datetime, parse_decimal, show_datetime


@strawberry.type
class Query:
    @strawberry.field
    def decimal(self, value: Decimal) -> Decimal:
        assert type(value) is str
        return value

    @strawberry.field
    def instant(self, value: datetime) -> datetime:
        assert value.tzinfo is UTC
        return value

    @strawberry.field
    def anything(self, value: JSON) -> JSON:
        return value

    @strawberry.field
    def number(self) -> Decimal:
        return 1.5  # type: ignore[return-value]


api = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))

GOOD_DECIMALS = ["0", "-0", "1", "1.0", "0.5", "-12.50", "1" * 40, "0." + "0" * 37 + "1"]
BAD_DECIMALS: list[Any] = [
    1,
    1.5,
    True,
    None,
    ["1"],
    {"a": "1"},
    "",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "1e3",
    "1E3",
    "01",
    "00",
    ".5",
    "5.",
    "-",
    "--1",
    "1,000",
    "1_000",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "١٢",
    "１２",
    "1.٣",
    "1" * 41,
]


@pytest.mark.parametrize("text", GOOD_DECIMALS)
def test_a_decimal_passes_unchanged_as_variable_and_as_literal(text: str) -> None:
    by_variable = api.execute_sync("query Q($v: Decimal!) { decimal(value: $v) }", {"v": text})
    by_literal = api.execute_sync('{ decimal(value: "%s") }' % text)  # noqa: UP031
    assert by_variable.data == by_literal.data == {"decimal": text}
    assert len(text) <= 40


@pytest.mark.parametrize("value", BAD_DECIMALS, ids=repr)
def test_what_is_no_plain_decimal_string_fails_the_request(value: object) -> None:
    with pytest.raises(BadInput):
        parse_decimal(value)
    result = api.execute_sync("query Q($v: Decimal!) { decimal(value: $v) }", {"v": value})
    assert result.data is None
    assert result.errors is not None
    assert result.errors[0].path is None


@pytest.mark.parametrize("literal", ["1", "1.5", "true", "ABC", '["1"]', '{a: "1"}', "null", '"1e3"', '" 1"'])
def test_a_literal_that_is_no_decimal_string_fails_the_request(literal: str) -> None:
    result = api.execute_sync("{ decimal(value: %s) }" % literal)  # noqa: UP031
    assert result.data is None
    assert result.errors


def test_the_error_has_a_code() -> None:
    with pytest.raises(BadInput) as caught:
        parse_decimal(1)
    assert caught.value.extensions == {"code": "BAD_INPUT"}


def test_a_number_from_a_resolver_is_not_shown_as_a_decimal() -> None:
    result = api.execute_sync("{ number }")
    assert result.errors is not None
    assert isinstance(result.errors[0].original_error, GraphQLError)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
        ("2026-01-31t09:30:00z", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30:00+08:00", "2026-01-31T01:30:00Z"),
        ("2026-01-31T23:30:00-01:30", "2026-02-01T01:00:00Z"),
        ("2026-01-31T09:30:00.5Z", "2026-01-31T09:30:00.500000Z"),
        ("2026-01-31T09:30:00.123456Z", "2026-01-31T09:30:00.123456Z"),
        ("2026-01-31T09:30:00.123456789Z", "2026-01-31T09:30:00.123456Z"),
        ("2026-01-31T09:30:00.000Z", "2026-01-31T09:30:00Z"),
    ],
)
def test_an_instant_comes_back_in_utc(text: str, shown: str) -> None:
    by_variable = api.execute_sync("query Q($v: DateTime!) { instant(value: $v) }", {"v": text})
    by_literal = api.execute_sync('{ instant(value: "%s") }' % text)  # noqa: UP031
    assert by_variable.data == by_literal.data == {"instant": shown}


@pytest.mark.parametrize(
    "value",
    [
        0,
        1767225600,
        None,
        "",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-01-31 09:30:00Z",
        "2026-01-31T09:30Z",
        "2026-01-31T09:30:00 Z",
        "2026-01-31T09:30:00Z\n",
        "2026-01-31T09:30:00,5Z",
        "2026-01-31T09:30:00+0800",
        "2026-01-31T09:30:00+08",
        "2026-02-30T09:30:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T09:30:60Z",
        "2026-01-31T09:30:00+25:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "2026-W05-6T09:30:00Z",
    ],
)
def test_what_names_no_instant_is_refused(value: object) -> None:
    with pytest.raises(BadInput):
        parse_datetime(value)


def test_an_inline_number_is_no_instant() -> None:
    assert api.execute_sync("{ instant(value: 20260131) }").errors


def test_a_time_without_zone_is_not_shown() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        show_datetime(datetime(2026, 1, 31))
    assert show_datetime(datetime(2026, 1, 31, 9, tzinfo=timezone(timedelta(hours=8)))) == "2026-01-31T01:00:00Z"


def test_json_is_any_json() -> None:
    value = {"a": [1, "x", None, True, {"b": {}}]}
    result = api.execute_sync("query Q($v: JSON!) { anything(value: $v) }", {"v": value})
    assert result.data == {"anything": value}
    assert api.execute_sync('{ anything(value: {a: [1, "x"]}) }').data == {"anything": {"a": [1, "x"]}}


def test_the_scalars_have_the_contracts_names() -> None:
    assert {line for line in str(api).splitlines() if line.startswith("scalar ")} == {
        "scalar Decimal",
        'scalar DateTime @specifiedBy(url: "https://www.rfc-editor.org/rfc/rfc3339")',
        'scalar JSON @specifiedBy(url: "https://www.rfc-editor.org/rfc/rfc8259")',
    }
