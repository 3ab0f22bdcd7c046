"""Arrays, as PostgreSQL reads them back."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest

from hub.expiry import NEVER
from hub.ledger.arrays import array, octets

BEIJING = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("kind", "elements"),
    [
        ("bigint", [0, -1, 2**63 - 1, -(2**63), None]),
        ("smallint", []),
        ("boolean", [True, False, None]),
        ("text", ["plain", "", "NULL", "null", None, " blank ", "a,b", "{}", "客户 😀"]),
        ("text", ['quo"te', "back\\slash", "\\x41", "line\nfeed\ttab\r\x01\x1f\x7f", None, '"', "\\", '\\"', "\\n"]),
        ("timestamptz", [NEVER, datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC), None]),
        ("timestamptz", [datetime(1969, 12, 31, tzinfo=UTC), datetime(2026, 3, 1, 7, 0, 0, 1, tzinfo=BEIJING)]),
    ],
)
async def test_what_is_written_is_read_back(
    superuser: "asyncpg.Connection[Any]", kind: str, elements: list[Any]
) -> None:
    assert await superuser.fetchval(f"SELECT $1::text::{kind}[]", array(elements)) == elements


async def test_octets_are_read_back(superuser: "asyncpg.Connection[Any]") -> None:
    every = [bytes(range(256)), b"", b"\\x00", b'"']
    assert await superuser.fetchval("SELECT $1::text::bytea[]", octets(every)) == every


def test_elements_may_come_one_by_one() -> None:
    assert array(number * number for number in range(4)) == "{0,1,4,9}"
