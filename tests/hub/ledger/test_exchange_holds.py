"""Exchanges whose source's partner holds points: they are held, given for, and then taken; or freed. The partners are
played by hand."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub import analysis
from hub.audit import audit
from hub.errors import InvalidInput
from hub.ledger import commands
from hub.ledger.orders import ExchangeState
from hub.partners import HOLD_LASTS, HOLD_SPARE, Operation, Reason, Status
from tests.conftest import Hub, Pass
from tests.hub.ledger.test_exchange_acts import begun as accepted
from tests.hub.ledger.test_exchange_acts import redemption
from tests.hub.ledger.test_exchange_reversals import converted, declare, orders, reversal
from tests.hub.ledger.test_exchanges import (
    AL,
    ALICE,
    CNY,
    HAN,
    answer,
    asked,
    begun,
    network,
    owed,
    stands,
    status,
    under_way,
)

HOLDS = tuple(sorted(Operation))
PARTS = (Operation.REVERSE,)


@pytest.fixture
async def net(hub: Hub) -> AsyncIterator[Hub]:
    """The network; the airline holds points. Whatever was done is in order afterwards."""
    await network(hub)
    await declare(hub, "MILE", HOLDS, PARTS)
    yield hub
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_what_is_held_is_pending_until_it_is_captured_and_what_it_is_for_is_given_between(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    after = await answer(net, f"PH-{made.id:X}-H", Status.SUCCEEDED, partner_reference="A-1")
    assert after.state is ExchangeState.CREDITING
    assert (await stands(net, "partner", "MILE"), await stands(net, "transit", "MILE")) == ((0, -200), (0, 200))

    after = await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert after.state is ExchangeState.CAPTURING
    assert (await stands(net, "issuance", "STAY"), await stands(net, "partner", "STAY")) == ((-300, 0), (300, 0))
    assert (await status(net, made), await owed(net)) == ("PENDING", {})
    [capture] = await net.sql("SELECT * FROM partner_order WHERE operation = 'CAPTURE'")
    assert (capture["undoes"], capture["partner_undoes"]) == (f"PH-{made.id:X}-H", "A-1")

    assert await circulation(net) == {"STAY": (300, 0)}  # and the miles are still hers

    after = await answer(net, f"PH-{made.id:X}-T", Status.SUCCEEDED)
    assert (after.state, await status(net, made)) == (ExchangeState.COMPLETED, "COMPLETED")
    assert (await stands(net, "partner", "MILE"), await stands(net, "transit", "MILE")) == ((-200, 0), (0, 0))
    assert (await stands(net, "issuance", "MILE"), await stands(net, "partner", "STAY")) == ((200, 0), (300, 0))
    assert await owed(net) == {"AIR": -15 * CNY, "HOTEL": 15 * CNY}  # 300 STAY × 0.05
    assert await circulation(net) == {"STAY": (300, 0), "MILE": (0, 200)}
    assert await asked(net, made) == [("HOLD", "MILE", 200), ("CREDIT", "STAY", 300), ("CAPTURE", "MILE", 200)]


async def circulation(hub: Hub) -> dict[str, tuple[int, int]]:
    """What was converted into and out of each currency, by its analysis."""
    async with hub.reading.open(hub.admin) as reader:
        found = await analysis.flows(reader, list(reader.configuration.currencies.values()), ())
    return {one.currency: (one.converted_in, one.converted_out) for one in found if one.currency != "BP"}


async def test_a_refused_hold_changes_nothing(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    after = await answer(net, f"PH-{made.id:X}-H", Status.REFUSED, reason=Reason.INSUFFICIENT_POINTS)
    assert (after.state, after.refusal) == (ExchangeState.REFUSED, "PARTNER_REFUSED")
    assert (await stands(net, "partner", "MILE"), await owed(net)) == ((0, 0), {})


@pytest.mark.parametrize(
    ("said", "because"), [(Status.SUCCEEDED, None), (Status.REFUSED, Reason.EXCEEDS_ORIGINAL)]
)  # refused: the hold has ended by itself
async def test_a_refused_credit_frees_what_is_held(net: Hub, said: Status, because: Reason | None) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await answer(net, f"PH-{made.id:X}-H", Status.SUCCEEDED, partner_reference="A-1")
    after = await answer(net, f"PH-{made.id:X}-C", Status.REFUSED, reason=Reason.MEMBER_BLOCKED)
    assert after.state is ExchangeState.RELEASING
    assert await stands(net, "transit", "MILE") == (0, 200)
    [release] = await net.sql("SELECT * FROM partner_order WHERE operation = 'RELEASE'")
    assert (release["undoes"], release["partner_undoes"]) == (f"PH-{made.id:X}-H", "A-1")

    after = await answer(net, f"PH-{made.id:X}-F", said, reason=because)
    assert (after.state, after.refusal) == (ExchangeState.REFUSED, "PARTNER_REFUSED")
    assert after.details == {"currency": "STAY", "because": "MEMBER_BLOCKED"}
    assert await status(net, made) == "REFUSED"
    assert (await stands(net, "partner", "MILE"), await stands(net, "transit", "MILE")) == ((0, 0), (0, 0))
    assert (await owed(net), await under_way(net)) == ({}, [])


async def test_what_is_owed_is_never_given_up_and_only_a_person_ends_its_refusal(net: Hub) -> None:
    freed, taken = [await begun(net, AL, HAN, "MILE>STAY", str(amount)) for amount in (200, 202)]
    for made in (freed, taken):
        await answer(net, f"PH-{made.id:X}-H", Status.SUCCEEDED)
    await answer(net, f"PH-{freed.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    await answer(net, f"PH-{taken.id:X}-C", Status.SUCCEEDED)
    for said in (Status.ABSENT, Status.REFUSED):
        after = await answer(net, f"PH-{freed.id:X}-F", said, reason=Reason.OTHER)
        assert (after.state, after.in_doubt) == (ExchangeState.RELEASING, True)
    after = await answer(net, f"PH-{taken.id:X}-T", Status.ABSENT)  # it was certainly not done so far
    assert (after.state, after.in_doubt) == (ExchangeState.CAPTURING, True)
    after = await answer(net, f"PH-{taken.id:X}-T", Status.REFUSED, reason=Reason.MEMBER_BLOCKED)  # the hold may stand
    assert (after.state, after.in_doubt) == (ExchangeState.CAPTURING, True)
    for letter, reason in (("T", Reason.EXCEEDS_ORIGINAL), ("L", Reason.INSUFFICIENT_POINTS)):
        after = await answer(net, f"PH-{taken.id:X}-{letter}", Status.REFUSED, reason=reason)
        assert after.state is ExchangeState.COLLECTING
    assert after.in_doubt
    assert await stands(net, "transit", "MILE") == (0, 402)
    for made in (freed, taken):
        with pytest.raises(InvalidInput):
            await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=False, text="They never will."))
        await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=True, text="Done by hand."))
        [proposal] = await net.sql("SELECT id FROM exchange_evidence WHERE exchange_id = $1", made.id)
        await net.do(commands.ApproveEvidence(actor=net.second, exchange=made.id, proposal=proposal["id"]))
    assert (await status(net, freed), await status(net, taken)) == ("REFUSED", "COMPLETED")
    assert await stands(net, "transit", "MILE") == (0, 0)


async def test_points_whose_hold_ended_before_they_were_captured_are_asked_for_once_more(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await answer(net, f"PH-{made.id:X}-H", Status.SUCCEEDED)
    await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    after = await answer(net, f"PH-{made.id:X}-T", Status.REFUSED, reason=Reason.EXCEEDS_ORIGINAL)
    assert after.state is ExchangeState.COLLECTING
    assert await stands(net, "transit", "MILE") == (0, 200)
    after = await answer(net, f"PH-{made.id:X}-L", Status.SUCCEEDED, partner_reference="A-2")
    assert after.state is ExchangeState.COMPLETED
    assert (await stands(net, "partner", "MILE"), await owed(net)) == ((-200, 0), {"AIR": -15 * CNY, "HOTEL": 15 * CNY})
    back = await accepted(net, reversal(net, made))  # a plain debit, which can be reversed
    await answer(net, f"PH-{back.id:X}-D", Status.SUCCEEDED)
    assert (await orders(net, back))[1] == ("REVERSE", "MILE", 200, f"PH-{made.id:X}-L", "A-2")


async def test_nothing_is_given_for_a_hold_that_was_known_too_late(net: Hub, pass_: Pass) -> None:
    early, late = [await begun(net, AL, HAN, "MILE>STAY", str(amount)) for amount in (200, 202)]
    pass_(HOLD_LASTS - HOLD_SPARE - timedelta(minutes=1))
    after = await answer(net, f"PH-{early.id:X}-H", Status.SUCCEEDED)
    assert after.state is ExchangeState.CREDITING
    pass_(timedelta(minutes=2))
    after = await answer(net, f"PH-{late.id:X}-H", Status.SUCCEEDED)
    assert (after.state, after.refusal) == (ExchangeState.RELEASING, "PARTNER_UNAVAILABLE")
    await answer(net, f"PH-{late.id:X}-F", Status.SUCCEEDED)
    assert (await status(net, late), await status(net, early)) == ("REFUSED", "PENDING")


async def test_what_only_one_partner_has_to_do_is_not_held(net: Hub) -> None:
    await net.institution("SHOP")
    home = await begun(net, AL, ALICE, "MILE>BP", "7")
    assert await asked(net, home) == [("DEBIT", "MILE", 7)]
    spent = await net.do(redemption(net, "40"))
    assert await asked(net, spent) == [("DEBIT", "MILE", 40)]


async def test_captured_points_are_given_back_and_what_cannot_be_reversed_is_held_as_well(net: Hub) -> None:
    made = await converted(net, AL, HAN, "MILE>STAY", "200", "HCT")
    await declare(net, "STAY", tuple(sorted(set(HOLDS) - {Operation.REVERSE})))
    back = await accepted(net, reversal(net, made))
    for letter in "HCT":
        await answer(net, f"PH-{back.id:X}-{letter}", Status.SUCCEEDED)
    assert [one[:3] for one in await orders(net, back)] == [
        ("HOLD", "STAY", 300),
        ("CREDIT", "MILE", 200),  # no capture is reversed
        ("CAPTURE", "STAY", 300),
    ]
    assert await status(net, made) == "REVERSED"
    assert await circulation(net) == {"STAY": (0, 0), "MILE": (0, 0)}
    assert await owed(net) == {"AIR": 0, "HOTEL": 0} or await owed(net) == {}
    for code in ("MILE", "STAY"):
        assert (await stands(net, "partner", code), await stands(net, "transit", code)) == ((0, 0), (0, 0))
