"""The exchange over a real wire: whatever the partners' systems do, points are there once, here or there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub import exchange
from hub.audit import audit
from hub.channels import Channel
from hub.currencies import PartnerState
from hub.errors import PartnerUnavailable
from hub.ledger import commands
from hub.partners import Answer, Order, Status
from tests.adapters.example import Airline, Configuration
from tests.conftest import Hub, counted
from tests.exchange.world import AL, ALICE, AT_ONCE, HAN, Quick, World, eventually, exchanging, world
from tests.hub.ledger.test_exchange_acts import redemption
from tests.hub.ledger.test_exchange_reversals import reversal
from tests.properties import invariants


@pytest.fixture
async def two(hub: Hub) -> AsyncIterator[World]:
    """The hub and its partners; afterwards the books are in order."""
    async with world(hub) as made:
        yield made
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_points_go_from_one_partner_to_another(two: World) -> None:
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "COMPLETED"
    assert await two.points() == ("99800.00", "300.00", 100_000)
    assert two.counted.statuses == [Status.SUCCEEDED, Status.SUCCEEDED]


async def test_points_go_from_the_hub_to_a_partner_and_back(two: World) -> None:
    assert await two.settled(await two.convert(ALICE, AL, "BP>MILE", "50000")) == "COMPLETED"
    assert await two.points() == ("102000.00", "0.00", 50_000)
    assert await two.settled(await two.convert(AL, ALICE, "MILE>BP", "100")) == "COMPLETED"
    assert await two.points() == ("101900.00", "0.00", 52_000)


@pytest.mark.parametrize(
    ("reason", "behaviour"),
    [("INSUFFICIENT_POINTS", "REFUSED"), ("MEMBER_BLOCKED", "REFUSED"), ("OTHER", "PENDING_THEN_FAILURE")],
)
async def test_a_debit_that_is_refused_moves_nothing(two: World, reason: str, behaviour: str) -> None:
    await two.airline.script(behaviour, operation="DEBIT", reason=reason)
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "REFUSED"
    assert (await two.refusal(made))["refusal"] == "PARTNER_REFUSED"
    assert await two.points() == ("100000.00", "0.00", 100_000)


async def test_a_credit_that_is_refused_is_refunded(two: World) -> None:
    await two.hotel.script("REFUSED", operation="CREDIT", reason="MEMBER_BLOCKED")
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "REVERSED"
    assert '"because":"MEMBER_BLOCKED"' in (await two.refusal(made))["details"]
    assert await two.points() == ("100000.00", "0.00", 100_000)


async def test_a_refused_credit_frees_points_that_the_hub_held(two: World) -> None:
    await two.airline.script("REFUSED", operation="CREDIT", reason="NO_SUCH_MEMBER")
    made = await two.convert(ALICE, AL, "BP>MILE", "50000")
    assert await two.settled(made) == "REFUSED"
    assert await two.points() == ("100000.00", "0.00", 100_000)


@pytest.mark.parametrize(
    "behaviour",
    ["PENDING_THEN_SUCCESS", "ERROR_DONE", "ERROR_NOT_DONE", "WRONG_AMOUNT", "WRONG_UNIT", "WRONG_REFERENCE", "BUSY"],
)
@pytest.mark.parametrize("operation", ["DEBIT", "CREDIT"])
async def test_what_is_unclear_is_asked_for_until_it_is_known(two: World, operation: str, behaviour: str) -> None:
    at = two.airline if operation == "DEBIT" else two.hotel
    await at.script(behaviour, operation=operation)
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "COMPLETED"
    assert await two.points() == ("99800.00", "300.00", 100_000)
    assert bool(await two.incidents()) == behaviour.startswith("WRONG")


class Talkative(Quick):
    """An adapter that fails with what it was going to send."""

    def connect(self, configuration: Configuration) -> Airline:
        made = super().connect(configuration)

        async def fail(order: Order) -> Answer:
            raise RuntimeError("Illegal header value b'Bearer s3cr3t'")

        made.perform = made.status = fail  # type: ignore[method-assign]
        return made


async def test_what_an_adapter_says_of_its_failure_is_not_kept(hub: Hub) -> None:
    async with world(hub, kind=Talkative()) as made:
        await made.until(await made.convert(ALICE, AL, "BP>MILE", "50"), "IN_DOUBT")
        assert set(await made.incidents()) == {"Its adapter failed (RuntimeError)."}


async def test_while_nobody_knows_it_is_in_doubt_and_points_stay_where_they_are(two: World) -> None:
    await two.hotel.script("ERROR_NOT_DONE", operation="CREDIT")
    await two.hotel.script("ERROR_NOT_DONE", operation="STATUS", next=10_000)
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    await two.until(made, "IN_DOUBT")
    await two.asked_again(5)
    assert await two.status(made) == "IN_DOUBT"
    assert await two.points() == ("99800.00", "0.00", 100_000)


async def test_the_other_partner_goes_on_while_one_is_down(two: World) -> None:
    await two.hotel.script("DOWN", next=10_000)
    stuck = [await two.convert(AL, HAN, "MILE>STAY", str(amount)) for amount in range(1, 11)]
    assert await two.settled(await two.convert(ALICE, AL, "BP>MILE", "25")) == "COMPLETED"
    await two.hotel.http.delete("/sandbox/script")
    for made in stuck:
        assert await two.settled(made) == "COMPLETED"


async def test_two_processes_ask_for_each_order_once(two: World) -> None:
    beside = two.hub.beside()
    async with exchanging(beside, two.registry):
        made = [await two.convert(AL, HAN, "MILE>STAY", "2", key=f"k{n}") for n in range(40)]
        for one in made:
            assert await two.settled(one) == "COMPLETED"
    await beside.close()
    assert await two.points() == ("99920.00", "120.00", 100_000)
    rows = await two.airline.http.get("/sandbox/state")
    assert rows.status_code == 200


async def test_a_process_that_ends_leaves_its_calls_to_the_next(hub: Hub) -> None:
    async with world(hub) as made:
        await made.hotel.script("SLOW", operation="CREDIT", ms=60_000)
        one = await made.convert(AL, HAN, "MILE>STAY", "200")

        async def crediting() -> list[Any] | None:
            return (
                await hub.sql("SELECT 1 FROM partner_call WHERE reference LIKE '%-C' AND sent_at IS NOT NULL") or None
            )

        await eventually(crediting)
        await made.exchange.close()
        async with exchanging(hub.beside(), made.registry):
            assert await made.settled(one) == "COMPLETED"
        assert await made.points() == ("99800.00", "300.00", 100_000)


async def test_a_partner_that_leaves_ends_what_was_begun_and_begins_nothing(two: World) -> None:
    hub = two.hub
    quote = await hub.do(
        commands.RequestQuote(
            actor=hub.admin,
            source=AL,
            target=HAN,
            source_currency="MILE",
            target_currency="STAY",
            amount="20",
            ttl_seconds=900,
        )
    )
    state = commands.SetPartnerState(actor=hub.admin, currency="STAY", state=PartnerState.LEAVING, reason="1 June")
    await hub.do(state)
    with pytest.raises(PartnerUnavailable):
        await two.convert(AL, HAN, "MILE>STAY", "200")
    taken = await hub.do(commands.ExecuteQuote(actor=hub.admin, key="take", quote=quote.id))
    assert await two.settled(taken) == "COMPLETED"
    assert await two.points() == ("99980.00", "30.00", 100_000)


async def test_redeemed_points_are_taken_and_partly_given_back_over_the_wire(two: World) -> None:
    await two.airline.script("ERROR_DONE", operation="DEBIT")  # it has to be asked what became of it
    asked = redemption(two.hub, "200", customer=AL)
    made = await two.hub.do(asked)
    assert await two.ended(made) == "COMPLETED"
    assert (await two.points())[0] == "99800.00"
    back = await two.hub.do(reversal(two.hub, made, "50"))
    assert await two.ended(back) == "COMPLETED"
    assert (await two.points())[0] == "99850.00"
    declined = await two.hub.do(redemption(two.hub, "1000000", customer=AL))
    assert await two.ended(declined) == "REFUSED"
    assert '"because":"INSUFFICIENT_POINTS"' in (await two.refusal(declined))["details"]


async def test_a_conversion_is_taken_back_from_one_partner_and_given_back_by_the_other(two: World) -> None:
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "COMPLETED"
    await two.airline.script("PENDING_THEN_SUCCESS", operation="REVERSE")
    back = await two.hub.do(reversal(two.hub, made))
    assert await two.ended(back) == "COMPLETED"
    assert await two.points() == ("100000.00", "0.00", 100_000)
    assert await two.status(made) == "REVERSED"


async def test_a_reversal_that_a_partner_does_not_begin_is_given_up_and_can_be_asked_again(hub: Hub) -> None:
    async with world(hub, replace(AT_ONCE, give_up=timedelta(milliseconds=300))) as two:
        made = await two.convert(AL, HAN, "MILE>STAY", "200")
        assert await two.settled(made) == "COMPLETED"
        await two.hotel.script("BUSY", operation="REVERSE", next=10_000)
        back = await hub.do(reversal(hub, made))
        assert await two.ended(back) == "REFUSED"
        assert (await two.refusal(back))["refusal"] == "PARTNER_UNAVAILABLE"
        await two.hotel.http.delete("/sandbox/script")
        again = await hub.do(reversal(hub, made, key="again"))
        assert await two.ended(again) == "COMPLETED"
        assert await two.points() == ("100000.00", "0.00", 100_000)


async def test_what_the_target_has_spent_is_not_taken_back(two: World) -> None:
    made = await two.convert(AL, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "COMPLETED"
    assert await two.ended(await two.hub.do(redemption(two.hub, "250", customer=HAN, currency="STAY"))) == "COMPLETED"
    back = await two.hub.do(reversal(two.hub, made))
    assert await two.ended(back) == "REFUSED"
    assert await two.points() == ("99800.00", "50.00", 100_000)  # as if nothing had been asked
    assert await two.status(made) == "COMPLETED"


async def test_a_member_that_the_partner_does_not_know_is_refused(two: World) -> None:
    stranger = commands.Party("AIR", "nobody")
    made = await two.convert(stranger, HAN, "MILE>STAY", "200")
    assert await two.settled(made) == "REFUSED"
    assert '"because":"NO_SUCH_MEMBER"' in (await two.refusal(made))["details"]


async def test_batches_that_ask_nothing_of_partners_are_not_looked_at(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "IDLE_S", 3_600)
    looks = counted(monkeypatch, hub.reading, "refresh")

    async def news() -> int | None:
        return hub.engine.configuration.institution_codes.get("NEWS")

    channels = (Channel.BATCHES, Channel.CALLS, Channel.CONFIGURATION)
    async with world(hub) as two, asyncio.timeout(60), two.updates.subscribe(*channels) as told:
        other = hub.beside()
        await other.issue("BP", "BANK", "alice", "10")
        while Channel.BATCHES not in await anext(told):
            pass  # it has connected
        before = looks()
        for _ in range(20):
            await other.issue("BP", "BANK", "alice", "10")
            assert await anext(told) == {Channel.BATCHES}
        assert looks() <= before + 2  # what it still did as it began, and because it had connected
        await other.institution("NEWS")
        await eventually(news)
        await other.close()
        assert await two.settled(await two.convert(ALICE, AL, "BP>MILE", "50000")) == "COMPLETED"
