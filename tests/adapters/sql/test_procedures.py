"""A partner's own procedures: what their results and errors mean, and what is bound."""

from typing import Any

import msgspec
import pytest

from hub.partners import HOLD_LASTS, Operation, Reason, Status
from tests.adapters.sql.conftest import PROCEDURE, PROCEDURES, Books


def procedure(**changes: Any) -> dict[str, Any]:
    """The guide's procedures with other settings."""
    return {**msgspec.json.decode(PROCEDURE)["procedure"], **changes}


@pytest.fixture
async def books(books: Books) -> Books:
    """A partner's database with procedures in it."""
    await books.owner.execute(PROCEDURES)
    await books.owner.execute("GRANT ALL ON member, orders_done TO PUBLIC")
    return books


async def test_errors_that_refuse_are_listed_and_all_others_were_rolled_back(books: Books) -> None:
    partner = books.connect(text=PROCEDURE)
    refused = await partner.perform(books.order("LIMIT"))
    assert (refused.status, refused.reason, refused.code) == (Status.REFUSED, Reason.LIMIT_EXCEEDED, "PH001")
    broken = await partner.perform(books.order("BROKEN"))
    assert (broken.status, broken.code, broken.halts) == (Status.ABSENT, "P0001", False)
    assert await books.owner.fetchval("SELECT count(*) FROM orders_done") == 0


async def test_what_a_result_does_not_say_clearly_is_unknown(books: Books) -> None:
    partner = books.connect
    perform = "SELECT s AS state, NULL AS code, :reference AS ref, 1 AS id, a AS amount, now() AS done_at FROM (VALUES "
    asked = " WHERE :operation <> '' AND :member <> '' AND :amount > 0"
    for rows, status in (
        ("('OK', 10.00)) AS t (s, a)", Status.SUCCEEDED),
        ("('MAYBE', 10.00)) AS t (s, a)", Status.UNKNOWN),
        ("('OK', 10.00), ('OK', 10.00)) AS t (s, a)", Status.UNKNOWN),
        ("('OK', 10.005)) AS t (s, a)", Status.UNKNOWN),
        ("('OK', CAST(10 AS double precision))) AS t (s, a)", Status.UNKNOWN),
        ("('OK', 10.00)) AS t (s, a)" + asked + " AND false", Status.UNKNOWN),
    ):
        sql = perform + rows + ("" if "WHERE" in rows else asked)
        told = procedure(perform={"sql": sql})
        answer = await partner(text=PROCEDURE, procedure=told).perform(books.order("M-1"))
        assert answer.status is status, rows


async def test_a_result_that_has_a_column_twice_is_unknown(books: Books) -> None:
    sql = (
        "SELECT 'NO' AS state, NULL AS code, :reference AS ref, 1 AS id, :amount AS amount, now() AS done_at,"
        " 'OK' AS state WHERE :operation <> '' AND :member <> ''"
    )
    partner = books.connect(text=PROCEDURE, procedure=procedure(perform={"sql": sql}))
    answer = await partner.perform(books.order("M-1"))
    assert (answer.status, answer.message) == (Status.UNKNOWN, "The result has no column state, or several.")


async def test_what_an_order_says_is_bound(books: Books) -> None:
    partner = books.connect(text=PROCEDURE)
    hostile = "'; DROP TABLE member; --"
    member = await books.member(number=hostile)
    assert (await partner.perform(books.order(member, reference="PH-'--"))).status is Status.SUCCEEDED
    assert await books.balance(member) == "90.00"
    assert await partner.lookup({"membershipNumber": "' OR '1'='1"}) is None


async def test_a_hold_says_until_when_it_has_to_last(books: Books) -> None:
    sql = (
        "SELECT 'OK' AS state, NULL AS code, :reference AS ref, 1 AS id, :amount AS amount, :heldUntil AS done_at"
        " WHERE :operation <> '' AND :member <> ''"
    )
    partner = books.connect(text=PROCEDURE, procedure=procedure(operations=["HOLD"], partial=[], perform={"sql": sql}))
    asked = msgspec.structs.replace(books.order("M-1"), operation=Operation.HOLD)
    answer = await partner.perform(asked)
    assert (answer.status, answer.at) == (Status.SUCCEEDED, asked.asked_at + HOLD_LASTS)


async def test_what_is_not_given_is_not_declared(books: Books) -> None:
    told = procedure(status=None, lookup=None, journal=None, partial=[], idempotent=False)
    partner = books.connect(text=PROCEDURE, procedure=told)
    declared = partner.capabilities
    assert (declared.status, declared.lookup, declared.journal, declared.idempotent) == (False, None, False, False)
    assert (await partner.status(books.order("M-1"))).status is Status.UNKNOWN
    assert await partner.lookup({"membershipNumber": "M-1"}) is None
