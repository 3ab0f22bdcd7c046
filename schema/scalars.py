"""The API's own scalars: Decimal, DateTime and JSON.

A ``Decimal`` travels as a JSON string and stays a ``str`` inside: its scale is known only under the journal's head,
where the currency is. Invariant: a string that passed here is a plain decimal number of at most 40 characters, so that
no later reader has to think of exponents, spaces, NaN or other scripts' digits. Nothing is normalised or rounded here.
A ``DateTime`` is an instant: inside it is aware and in UTC. ``JSON`` is whatever JSON is.

``SCALARS`` is the ``scalar_map`` of the API's ``StrawberryConfig``.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

from schema.faults import BadInput

Decimal = NewType("Decimal", str)
JSON = NewType("JSON", object)

DECIMAL_CHARACTERS_MAX = 40

_is_decimal = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch
_is_instant = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)([Zz]|[+-][0-9]{2}:[0-9]{2})"
).fullmatch


def parse_decimal(value: object) -> str:
    """The text itself. Hot: a batch brings 10,000 of them.

    Raises:
        BadInput: it is no JSON string that holds a plain decimal number.
    """
    # ``type`` rather than ``isinstance``: JSON gives no subclasses, and one lookup less is paid per row.
    if type(value) is str and len(value) <= DECIMAL_CHARACTERS_MAX and _is_decimal(value):
        return value
    raise BadInput(
        f'A Decimal is a JSON string of at most {DECIMAL_CHARACTERS_MAX} characters such as "-12.50", without '
        "exponent, plus sign or spaces."
    )


def parse_datetime(value: object) -> datetime:
    """An RFC 3339 instant, zone required, as an aware ``datetime`` in UTC; what is finer than a microsecond is cut.

    Raises:
        BadInput: it is no such instant, or lies outside the years 1 to 9999.
    """
    found = _is_instant(value) if type(value) is str else None
    if found is not None:
        date, time, zone = found.groups()
        try:
            return datetime.fromisoformat(f"{date}T{time[:15]}{'+00:00' if zone in 'Zz' else zone}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # such a day, hour or offset does not exist
    raise BadInput('A DateTime is a JSON string in RFC 3339 with its zone, such as "2026-01-31T09:30:00Z".')


def show_datetime(value: datetime) -> str:
    """RFC 3339 in UTC with ``Z``; microseconds, six digits, only if there are any.

    Raises:
        ValueError: ``value`` has no zone, so that it names no instant.
    """
    if value.tzinfo is None:
        raise ValueError(f"a DateTime without a zone: {value!r}")
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _decimal_literal(node: ValueNode, _variables: Mapping[str, Any] | None = None) -> str:
    return parse_decimal(node.value if isinstance(node, StringValueNode) else None)


def _datetime_literal(node: ValueNode, _variables: Mapping[str, Any] | None = None) -> datetime:
    return parse_datetime(node.value if isinstance(node, StringValueNode) else None)


def _show_decimal(value: object) -> str:
    # A number here is a resolver that forgot to format it with its currency's scale: a fault, shown as such.
    if isinstance(value, str):
        return value
    raise GraphQLError(f"a Decimal is shown as text, not as {type(value).__name__}")


def _same(value: object) -> object:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a JSON string, such as "1250" or "-0.005". Never a JSON number.',
        serialize=_show_decimal,
        parse_value=parse_decimal,
        parse_literal=_decimal_literal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in RFC 3339 with its zone; answers are in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=show_datetime,
        parse_value=parse_datetime,
        parse_literal=_datetime_literal,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_same,
        parse_value=_same,
    ),
}
