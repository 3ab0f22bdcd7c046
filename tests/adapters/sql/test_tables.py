"""Orders in a partner's tables: done once, exactly, or not at all, whatever else happens to rows and connections."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from adapters.sql.partner import SqlPartner
from hub.partners import Entry, Order, Reason, Status
from tests.adapters.sql.conftest import TABLE, Books


def table(**changes: Any) -> dict[str, Any]:
    """The guide's table with other settings."""
    return {**msgspec.json.decode(TABLE)["table"], **changes}


async def listed(partner: SqlPartner, day: datetime) -> list[Entry]:
    return [entry async for entry in partner.journal(day.date())]


async def test_two_who_take_at_once_never_take_more_than_there_is(books: Books) -> None:
    member = await books.member("25.00")
    first, second = books.connect(), books.connect()
    orders = [books.order(member) for _ in range(10)]
    answers = await asyncio.gather(
        *(partner.perform(order) for order, partner in zip(orders, [first, second] * 5, strict=True))
    )
    # 25 is two times 10 and a rest of 5
    assert sorted(answer.status for answer in answers) == [Status.REFUSED] * 8 + [Status.SUCCEEDED] * 2
    assert {answer.reason for answer in answers} == {None, Reason.INSUFFICIENT_POINTS}
    assert await books.balance(member) == "5.00"


async def test_a_reference_with_other_contents_stops_the_partner_and_moves_nothing(books: Books) -> None:
    member, other = await books.member(), await books.member()
    partner = books.connect()
    order = books.order(member)
    assert (await partner.perform(order)).status is Status.SUCCEEDED
    changes: list[dict[str, Any]] = [{"amount": 999}, {"member": other}, {"operation": "CREDIT"}, {"of": "PH-9"}]
    for change in changes:
        changed = books.order(**{"member": member, "reference": order.reference, **change})
        for answer in (await partner.perform(changed), await partner.status(changed)):
            assert (answer.status, answer.code, answer.halts) == (Status.UNKNOWN, "CONFLICT", True)
    assert (await books.balance(member), await books.balance(other)) == ("90.00", "100.00")


async def test_a_refusal_is_written_down_and_stays_one(books: Books) -> None:
    member = await books.member("5.00")
    partner = books.connect()
    order = books.order(member)
    for _ in range(2):
        answer = await partner.perform(order)
        assert (answer.status, answer.reason) == (Status.REFUSED, Reason.INSUFFICIENT_POINTS)
        await books.owner.execute("UPDATE member SET balance = 1000 WHERE number = $1", member)
    assert await books.balance(member) == "1000.00"
    assert await books.rows() == [(order.reference, "REFUSED", "INSUFFICIENT_POINTS", 0)]


async def test_who_is_blocked_neither_spends_nor_earns_but_is_given_back(books: Books) -> None:
    member = await books.member()
    partner = books.connect()
    taken = books.order(member)
    assert (await partner.perform(taken)).status is Status.SUCCEEDED
    await books.owner.execute("UPDATE member SET is_blocked = true WHERE number = $1", member)
    for operation in ("DEBIT", "CREDIT"):
        answer = await partner.perform(books.order(member, operation=operation))
        assert (answer.status, answer.reason) == (Status.REFUSED, Reason.MEMBER_BLOCKED)
    found = await partner.lookup({"membershipNumber": member, "familyName": "Li"})
    assert found is not None
    assert (found.may_spend, found.may_earn, found.available) == (False, False, 9_000)
    back = await partner.perform(books.order(member, operation="REVERSE", of=taken.reference))
    assert (back.status, await books.balance(member)) == (Status.SUCCEEDED, "100.00")


async def test_parts_that_are_undone_at_once_are_never_more_than_the_original(books: Books) -> None:
    member = await books.member()
    partner, beside = books.connect(), books.connect()
    taken = books.order(member)
    await partner.perform(taken)
    parts = [books.order(member, 400, "REVERSE", of=taken.reference) for _ in range(6)]
    answers = await asyncio.gather(
        *(one.perform(order) for order, one in zip(parts, [partner, beside] * 3, strict=True))
    )
    # of 10 two times 4, and 2 are left
    assert sorted(answer.status for answer in answers) == [Status.REFUSED] * 4 + [Status.SUCCEEDED] * 2
    assert {answer.reason for answer in answers} == {None, Reason.EXCEEDS_ORIGINAL}
    assert await books.balance(member) == "98.00"
    rest = await partner.perform(books.order(member, 200, "REVERSE", of=taken.reference))
    assert (rest.status, await books.balance(member)) == (Status.SUCCEEDED, "100.00")


async def test_a_reversal_that_is_refused_leaves_the_original_to_be_reversed(books: Books) -> None:
    member = await books.member("0.00")
    partner = books.connect()
    given = books.order(member, operation="CREDIT")
    await partner.perform(given)
    await partner.perform(books.order(member, 300))
    back = await partner.perform(books.order(member, operation="REVERSE", of=given.reference))
    assert (back.status, back.reason) == (Status.REFUSED, Reason.INSUFFICIENT_POINTS)
    rest = await partner.perform(books.order(member, 700, "REVERSE", of=given.reference))
    assert (rest.status, await books.balance(member)) == (Status.SUCCEEDED, "0.00")


async def test_only_what_was_done_of_the_same_member_can_be_reversed(books: Books) -> None:
    member, other = await books.member(), await books.member("0.00")
    partner = books.connect()
    taken, refused = books.order(member), books.order(other)
    await partner.perform(taken)
    await partner.perform(refused)
    back = books.order(member, operation="REVERSE", of=taken.reference)
    await partner.perform(back)
    for who, of in ((other, taken), (other, refused), (member, back)):
        answer = await partner.perform(books.order(who, 1, "REVERSE", of=of.reference))
        assert (answer.status, answer.reason) == (Status.REFUSED, Reason.OTHER)
    assert (await partner.perform(books.order(member, 1, "REVERSE"))).reason is Reason.OTHER
    assert (await books.balance(member), await books.balance(other)) == ("100.00", "0.00")


@pytest.mark.parametrize("hostile", ["'; DROP TABLE member; --", 'M-1" OR "1"="1', "%", "M\\", "$1", ":member"])
async def test_what_an_order_says_never_becomes_sql(books: Books, hostile: str) -> None:
    partner = books.connect()
    member = await books.member()
    order = books.order(hostile, reference=hostile[:40])
    assert (await partner.perform(order)).reason is Reason.NO_SUCH_MEMBER
    assert await partner.lookup({"membershipNumber": hostile, "familyName": hostile}) is None
    named = await books.member(number=hostile, balance="50.00")
    assert (await partner.perform(books.order(named))).status is Status.SUCCEEDED
    assert (await books.balance(hostile), await books.balance(member)) == ("40.00", "100.00")


async def test_a_member_that_cannot_be_kept_is_none(books: Books) -> None:
    partner = books.connect()
    for name in ("", "M\0", "M" * 201):
        assert (await partner.perform(books.order(name))).reason is Reason.NO_SUCH_MEMBER
        assert await partner.lookup({"membershipNumber": name, "familyName": "Li"}) is None
    assert await books.rows() == []


@pytest.mark.parametrize(
    ("naming", "type_", "name", "others"),
    [
        ("INTEGER", "bigint", "42", ["042", "+42", "42 ", "4_2", "9" * 30, "x"]),
        (
            "UUID",
            "uuid",
            "6f1c1f0e-6d0b-4f57-9a5c-0d6a5d3e9b11",
            ["6F1C1F0E-6D0B-4F57-9A5C-0D6A5D3E9B11", "6f1c1f0e6d0b4f579a5c0d6a5d3e9b11", "x"],
        ),
    ],
)
async def test_members_are_named_by_numbers_and_uuids_in_one_way_only(
    books: Books, naming: str, type_: str, name: str, others: list[str]
) -> None:
    await books.owner.execute(f"ALTER TABLE member ALTER number TYPE {type_} USING number::{type_}")
    await books.owner.execute(f"INSERT INTO member (number, balance) VALUES ('{name}', 100)")
    field = {"name": "number", "column": "number", "naming": naming, "labels": {"en": "Number", "zh-CN": "号"}}
    partner = books.connect(table=table(naming=naming, lookup=[field]))
    assert (await partner.perform(books.order(name))).status is Status.SUCCEEDED
    found = await partner.lookup({"number": name})
    assert found is not None
    assert (found.reference, found.available) == (name, 9_000)
    for other in others:
        assert (await partner.perform(books.order(other))).reason is Reason.NO_SUCH_MEMBER
        assert await partner.lookup({"number": other}) is None


async def test_names_that_need_quoting_are_quoted(books: Books) -> None:
    await books.owner.execute(
        'CREATE SCHEMA "Loyalty";'
        'CREATE TABLE "Loyalty"."Select" ("Order" text PRIMARY KEY, "会员积分" bigint NOT NULL);'
        """INSERT INTO "Loyalty"."Select" VALUES ('A', 5000);"""
        'GRANT USAGE ON SCHEMA "Loyalty" TO PUBLIC; GRANT SELECT, UPDATE ON "Loyalty"."Select" TO PUBLIC'
    )
    names = {"members": "Loyalty.Select", "member": "Order", "balance": "会员积分", "amounts": "UNITS"}
    partner = books.connect(table={**names, "orders": "public.points_hub_order"})
    assert (await partner.perform(books.order("A", 1_234))).status is Status.SUCCEEDED
    assert await books.owner.fetchval('SELECT "会员积分" FROM "Loyalty"."Select"') == 3_766  # 5000 - 1234
    assert partner.capabilities.lookup is None
    assert await partner.lookup({"membershipNumber": "A"}) is None


async def test_binary_fractions_are_never_touched(books: Books) -> None:
    member = await books.member()
    await books.owner.execute("ALTER TABLE member ALTER balance TYPE double precision")
    partner = books.connect()
    order = books.order(member)
    answer = await partner.perform(order)
    assert (answer.status, answer.halts) == (Status.ABSENT, True)
    assert await books.rows() == []
    assert await books.balance(member) == "100.0"


async def test_a_balance_that_rounds_or_is_meddled_with_is_rolled_back(books: Books) -> None:
    member = await books.member()
    partner = books.connect()
    await books.owner.execute("ALTER TABLE member ALTER balance TYPE numeric(20, 1)")
    answer = await partner.perform(books.order(member, 1_005))
    assert (answer.status, answer.halts) == (Status.ABSENT, True)
    await books.owner.execute(
        "CREATE FUNCTION fee() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN new.balance := new.balance - 1; RETURN new; END $$;"
        "CREATE TRIGGER fee BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION fee()"
    )
    answer = await partner.perform(books.order(member, 1_000))
    assert (answer.status, answer.message) == (Status.ABSENT, "The balance changed by -11 instead of -10.")
    assert (await books.balance(member), await books.rows()) == ("100.0", [])


async def test_several_members_of_one_name_are_not_touched(books: Books) -> None:
    member = await books.member()
    await books.owner.execute("ALTER TABLE member DROP CONSTRAINT member_pkey")
    await books.member(number=member)
    partner = books.connect()
    answer = await partner.perform(books.order(member))
    assert (answer.status, answer.halts, await books.rows()) == (Status.ABSENT, True, [])
    assert await partner.lookup({"membershipNumber": member, "familyName": "Li"}) is None


async def test_an_amount_of_more_digits_than_the_points_is_refused(books: Books) -> None:
    partner, member = books.connect(), await books.member()
    fine = books.order(member, 1_005, scale=3)  # 1.005
    assert (await partner.perform(fine)).reason is Reason.INVALID_AMOUNT
    assert (await partner.status(fine)).status is Status.ABSENT
    coarse = books.order(member, 15, scale=1)  # 1.5
    answer = await partner.perform(coarse)
    assert (answer.status, answer.amount) == (Status.SUCCEEDED, 15)
    assert await books.balance(member) == "98.50"


async def test_the_journal_is_of_a_day_in_the_partner_s_zone(books: Books) -> None:
    partner, member = books.connect(), await books.member()
    orders: list[Order] = [books.order(member, amount) for amount in (1, 2, 3)]
    for order in orders:
        await partner.perform(order)
    shanghai = ZoneInfo("Asia/Shanghai")
    start = datetime(2026, 3, 5, tzinfo=shanghai)
    for order, at in zip(orders, (timedelta(0), timedelta(days=1, microseconds=-1), timedelta(days=1)), strict=True):
        await books.owner.execute(
            "UPDATE points_hub_order SET at = $2 WHERE reference = $1", order.reference, (start + at).astimezone(UTC)
        )
    assert [entry.amount for entry in await listed(partner, start)] == [1, 2]
    assert [entry.amount for entry in await listed(partner, start + timedelta(days=1))] == [3]
    assert await listed(partner, start - timedelta(days=1)) == []
