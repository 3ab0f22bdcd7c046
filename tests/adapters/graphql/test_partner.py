"""A second hub over a real connection: what it is asked, and what is certain when it does not do it."""

from datetime import UTC, datetime

import msgspec
import pytest

from adapters.graphql.partner import HubPartner
from hub.partners import Operation, PartnerUnavailable, Reason, Status, judge
from tests.adapters.graphql.conftest import RESERVE, Connect, Other, order
from tests.hub.programs import free_port
from tests.journeys.client import key


async def test_what_a_member_gives_is_in_the_reserve_and_comes_back_by_parts(other: Other, partner: HubPartner) -> None:
    """100.00 less 30.00, of which 10.50 come back: 80.50. The reserve has the other 19.50."""
    member, reserve = other.member(10_000), other.available(RESERVE)
    debit = order(Operation.DEBIT, member, 3_000)
    done = await partner.perform(debit)
    assert judge(debit, done, partner.capabilities, datetime.now(UTC)).incident is None
    assert (done.status, done.amount, done.unit) == (Status.SUCCEEDED, 3_000, "JADE")
    part = await partner.perform(order(Operation.REVERSE, member, 1_050, debit, done.partner_reference))
    assert (part.status, part.amount) == (Status.SUCCEEDED, 1_050)
    assert (other.available(member), other.available(RESERVE)) == (8_050, reserve + 1_950)


async def test_an_order_that_is_sent_again_has_the_same_answer(other: Other, partner: HubPartner) -> None:
    asked = order(Operation.DEBIT, other.member(10_000), 3_000)
    assert await partner.perform(asked) == await partner.perform(asked)
    assert other.available(asked.member) == 7_000


async def test_another_request_under_a_reference_that_was_used_is_unknown(other: Other, partner: HubPartner) -> None:
    asked = order(Operation.DEBIT, other.member(10_000), 3_000)
    await partner.perform(asked)
    answer = await partner.perform(msgspec.structs.replace(asked, amount=3_001))
    assert (answer.status, answer.code) == (Status.UNKNOWN, "IDEMPOTENCY_CONFLICT")


async def test_members_are_known_under_a_prefix_of_their_own(other: Other, connected: Connect) -> None:
    member = other.member(10_000, "GOLD/")
    async with connected(memberPrefix="GOLD/") as partner:
        asked = order(Operation.DEBIT, member, 3_000)
        assert (await partner.perform(asked)).status is Status.SUCCEEDED
        found = await partner.lookup({"reference": member})
        assert found is not None
        assert (found.reference, found.available) == (member, 7_000)
        listed = [entry async for entry in partner.journal(datetime.now(UTC).date()) if entry.reference]
    assert [entry.member for entry in listed if entry.reference == asked.reference] == [member]


async def test_whom_a_card_names_is_found_under_the_prefix_alone(other: Other, connected: Connect) -> None:
    """The card is GOLD/C there; whose it is there is no member of ours if the reference has not the prefix."""
    gold, plain = other.member(1, "GOLD/"), other.member(1)
    for number, owner in ((1, f"GOLD/{gold}"), (2, plain)):
        bound = other.operator.do(
            "bindIdentifier", idempotencyKey=key(), institution="AIR", identifier=f"GOLD/C{number}",
            customer={"institution": "AIR", "reference": owner},
        )  # fmt: skip
        assert bound["__typename"] == "Binding", bound
    async with connected(memberPrefix="GOLD/") as partner:
        found = await partner.lookup({"reference": "C1"})
        assert found is not None
        assert found.reference == gold
        assert await partner.lookup({"reference": "C2"}) is None


async def test_a_member_whose_account_is_frozen_is_blocked(other: Other, partner: HubPartner) -> None:
    member = other.member(10_000)
    customer = {"institution": "AIR", "reference": member}
    frozen = other.operator.do("freezeAccount", idempotencyKey=key(), customer=customer, reason="a suspicion")
    assert frozen["__typename"] == "Restriction", frozen
    answer = await partner.perform(order(Operation.DEBIT, member, 1))
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.MEMBER_BLOCKED)


async def test_a_reserve_that_is_not_there_is_not_the_members_fault(other: Other, connected: Connect) -> None:
    async with connected(reserve={"reference": "NO-RESERVE"}) as partner:
        answer = await partner.perform(order(Operation.DEBIT, other.member(10_000), 1))
        assert (answer.status, answer.reason, answer.code) == (Status.REFUSED, Reason.OTHER, "NOT_FOUND")
        with pytest.raises(PartnerUnavailable):
            [entry async for entry in partner.journal(datetime.now(UTC).date())]


async def test_an_amount_with_more_decimals_than_there_are_is_refused_here(other: Other, partner: HubPartner) -> None:
    """0.001 of three decimals, where there are two."""
    asked = msgspec.structs.replace(order(Operation.DEBIT, other.member(10_000), 1), scale=3)
    answer = await partner.perform(asked)
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.INVALID_AMOUNT)


async def test_a_key_that_is_not_valid_stops_everything_and_moves_nothing(other: Other, connected: Connect) -> None:
    async with connected(key="not a key") as partner:
        answer = await partner.perform(order(Operation.DEBIT, other.member(10_000), 1))
        assert (answer.status, answer.halts) == (Status.ABSENT, True)
        with pytest.raises(PartnerUnavailable):
            await partner.lookup({"reference": "M-1"})


async def test_an_order_that_reached_nobody_is_absent(connected: Connect) -> None:
    async with connected(free_port()) as partner:
        assert (await partner.perform(order(Operation.DEBIT, "M-1", 1))).status is Status.ABSENT


async def test_what_follows_an_act_whose_name_nobody_knows_is_not_sent(partner: HubPartner) -> None:
    assert (await partner.perform(order(Operation.REVERSE, "M-1", 1))).status is Status.ABSENT
