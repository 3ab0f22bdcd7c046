"""Leaving: what of partners and customers who go is not begun any more, and what was begun ends."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.audit import audit
from hub.currencies import PartnerState
from hub.errors import Forbidden, InvalidInput, PartnerUnavailable, PointsUnresolved, QuoteExpired
from hub.ledger import commands
from hub.ledger.orders import ExchangeState
from hub.ledger.records import ConversionStatus
from hub.partners import Reason, Status
from tests.conftest import Hub, Pass
from tests.hub.ledger.test_exchanges import AL, ALICE, HAN, answer, begun, conversion, network, stands, status


@pytest.fixture
async def net(hub: Hub) -> AsyncIterator[Hub]:
    await network(hub)
    yield hub
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def quote(hub: Hub, amount: str, ttl_seconds: int = 900) -> commands.RequestQuote:
    return commands.RequestQuote(
        actor=hub.admin, source=AL, target=HAN, source_currency="MILE", target_currency="STAY", amount=amount,
        ttl_seconds=ttl_seconds,
    )  # fmt: skip


async def set_state(hub: Hub, currency: str, state: PartnerState, actor: int | None = None) -> Any:
    command = commands.SetPartnerState(actor=actor or hub.admin, currency=currency, state=state, reason="1 June")
    return await hub.do(command)


@pytest.mark.parametrize("state", [PartnerState.LEAVING, PartnerState.HALTED])
async def test_with_a_partner_that_leaves_nothing_is_begun_and_what_was_begun_ends(
    net: Hub, state: PartnerState, pass_: Pass
) -> None:
    """Either end of a pair: STAY's partner leaves, so no quote into it is given, and none out of it; one that was given
    is honoured for as long as it was said to be, and one whose time is over is not."""
    running = await begun(net, AL, HAN, "MILE>STAY", "200")
    back = await begun(net, AL, HAN, "MILE>STAY", "202")
    given, late = await net.do(quote(net, "20")), await net.do(quote(net, "40", ttl_seconds=60))
    await set_state(net, "STAY", state)
    for command in (quote(net, "60"), conversion(net, AL, HAN, "MILE>STAY", "60")):
        with pytest.raises(PartnerUnavailable) as refusal:
            await net.do(command)
        assert refusal.value.details == {"currency": "STAY", "state": state.value}
    assert (await begun(net, ALICE, AL, "BP>MILE", "25")).status is ConversionStatus.PENDING  # others go on
    pass_(timedelta(seconds=61))
    taken = await net.do(commands.ExecuteQuote(actor=net.admin, key="take", quote=given.id))
    with pytest.raises(QuoteExpired):
        await net.do(commands.ExecuteQuote(actor=net.admin, key="late", quote=late.id))
    for made in (running, taken):
        await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
        assert (await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)).state is ExchangeState.COMPLETED
    await answer(net, f"PH-{back.id:X}-D", Status.SUCCEEDED)
    await answer(net, f"PH-{back.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    assert (await answer(net, f"PH-{back.id:X}-R", Status.SUCCEEDED)).state is ExchangeState.REVERSED
    await set_state(net, "STAY", PartnerState.ACTIVE)
    await begun(net, AL, HAN, "MILE>STAY", "62")


async def test_an_issuer_may_leave_and_only_the_operator_ends_a_halt(net: Hub) -> None:
    admin, _ = await net.key("HOTEL", Role.INSTITUTION_ADMIN)
    other, _ = await net.key("AIR", Role.INSTITUTION_ADMIN)
    with pytest.raises(Forbidden):
        await set_state(net, "STAY", PartnerState.LEAVING, other)
    left = await set_state(net, "STAY", PartnerState.LEAVING, admin)
    assert (left.partner, left.partner_reason) == (PartnerState.LEAVING, "1 June")
    assert (await set_state(net, "STAY", PartnerState.ACTIVE, admin)).partner_reason == ""
    with pytest.raises(Forbidden):
        await set_state(net, "STAY", PartnerState.HALTED, admin)
    await set_state(net, "STAY", PartnerState.HALTED)
    with pytest.raises(Forbidden):
        await set_state(net, "STAY", PartnerState.ACTIVE, admin)
    with pytest.raises(InvalidInput):
        await set_state(net, "BP", PartnerState.LEAVING)


async def test_a_customer_whose_points_are_on_their_way_does_not_leave(net: Hub) -> None:
    """25 BP of alice's are held for the airline; she leaves once they have arrived, and the other 99,975 are gone."""
    made = await begun(net, ALICE, AL, "BP>MILE", "25")
    bye = commands.CloseCustomer(actor=net.admin, key="bye", customer=ALICE, reason="leaves")
    with pytest.raises(PointsUnresolved) as refusal:
        await net.do(bye)
    assert refusal.value.details == {"currency": "BP", "converting": "25"}
    await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    await net.do(commands.CloseCustomer(actor=net.admin, key="bye now", customer=ALICE, reason="leaves"))
    assert await stands(net, "customer", "BP") == (0, 0)


async def test_a_giver_at_a_partner_who_leaves_has_what_was_begun_ended_there(net: Hub) -> None:
    """The hub holds nothing of AL's, so nothing keeps him; what his partner took arrives, or is given back to him."""
    arrives, returns = [await begun(net, AL, HAN, "MILE>STAY", amount) for amount in ("200", "202")]
    await net.do(commands.CloseCustomer(actor=net.admin, key="bye", customer=AL, reason="leaves"))
    for made in (arrives, returns):
        await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    await answer(net, f"PH-{arrives.id:X}-C", Status.SUCCEEDED)
    await answer(net, f"PH-{returns.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    await answer(net, f"PH-{returns.id:X}-R", Status.SUCCEEDED)
    assert (await status(net, arrives), await status(net, returns)) == ("COMPLETED", "REVERSED")
    assert await stands(net, "transit", "MILE") == (0, 0)
