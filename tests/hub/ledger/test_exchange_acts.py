"""Redemptions, transfers and issues of points that partners keep: what each answer posts, and what is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from hub import clock
from hub.access import Role
from hub.audit import audit
from hub.currencies import PartnerState
from hub.errors import CustomerClosed, Forbidden, Frozen, InvalidInput, LimitExceeded, NotHosted, PartnerUnavailable
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.orders import ExchangeState
from hub.ledger.records import ConversionStatus, Movement, MovementKind, PoolKind
from hub.limits import Act
from hub.partners import Reason, Status
from tests.conftest import Hub
from tests.hub.ledger.test_exchanges import AL, ALICE, CNY, HAN, answer, conversion, network, owed, stands, under_way

BO = Party("AIR", "bo")


@pytest.fixture
async def net(hub: Hub) -> AsyncIterator[Hub]:
    """The network with a shop; whatever was done is in order afterwards."""
    await network(hub)
    await hub.institution("SHOP")
    yield hub
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def redemption(hub: Hub, amount: str, **changes: Any) -> commands.Redeem:
    asked = {"actor": hub.admin, "key": f"redeem {amount}", "currency": "MILE", "customer": AL, "merchant": "SHOP"}
    return commands.Redeem(**{**asked, "amount": amount, "memo": None, **changes})


def transfer(hub: Hub, amount: str, **changes: Any) -> commands.Transfer:
    asked = {"actor": hub.admin, "key": f"transfer {amount}", "currency": "MILE", "source": AL, "target": BO}
    return commands.Transfer(**{**asked, "amount": amount, "memo": None, **changes})


def issue(hub: Hub, amount: str, **changes: Any) -> commands.Issue:
    asked = {"actor": hub.admin, "key": f"issue {amount}", "currency": "MILE", "to": AL, "amount": amount}
    return commands.Issue(**{**asked, "earned_at": None, "expires_at": None, "memo": None, **changes})


async def begun(hub: Hub, asked: commands.Keyed) -> Movement:
    made = await hub.do(asked)
    assert isinstance(made, Movement)
    return made


# --- redemptions ------------------------------------------------------------------------------------------------------


async def test_redeemed_points_are_debited_at_the_partner_and_then_paid_for(net: Hub) -> None:
    made = await begun(net, redemption(net, "200", memo="a bag"))
    debit = f"PH-{made.id:X}-D"
    assert made.kind is MovementKind.ACCEPT_REDEEM
    assert await under_way(net) == [debit]
    assert await owed(net) == {}  # 200 × 0.05 = 10.00 are pending, in no window yet
    await net.do(commands.CloseWindow(actor=net.admin, key="close", window=await net.window()))

    after = await answer(net, debit, Status.SUCCEEDED, partner_reference="A-1")
    assert (after.state, after.window) == (ExchangeState.COMPLETED, await net.window())
    assert await owed(net) == {"AIR": -10 * CNY, "SHOP": 10 * CNY}
    assert (await stands(net, "partner", "MILE"), await stands(net, "issuance", "MILE")) == ((-200, 0), (200, 0))
    assert await stands(net, "transit", "MILE") == (0, 0)
    replayed = await net.try_(redemption(net, "200", memo="a bag"))
    assert (replayed.replayed, replayed.result) == (True, made)


@pytest.mark.parametrize("said", [Status.REFUSED, Status.ABSENT])
async def test_a_redemption_that_the_partner_refuses_changes_nothing(net: Hub, said: Status) -> None:
    await net.cap("AIR", "12")
    await net.limit("SPENT", "300", currency="MILE", act=Act.REDEEM)
    made = await begun(net, redemption(net, "200"))  # 10.00
    with pytest.raises(LimitExceeded):
        await net.do(redemption(net, "50"))  # 2.50 more are beyond the cap
    with pytest.raises(LimitExceeded):
        await net.do(redemption(net, "101"))  # and 101 beyond the limit
    after = await answer(net, f"PH-{made.id:X}-D", said, reason=Reason.INSUFFICIENT_POINTS)
    assert after.state is ExchangeState.REFUSED
    assert await owed(net) == {}
    assert await stands(net, "partner", "MILE") == (0, 0)
    assert (await begun(net, redemption(net, "240"))).amount == 240  # 12.00: cap and limit are free again


async def test_a_redemption_in_doubt_is_decided_by_two_persons(net: Hub) -> None:
    made = await begun(net, redemption(net, "200"))
    after = await answer(net, f"PH-{made.id:X}-D", Status.UNKNOWN)
    assert (after.state, after.in_doubt) == (ExchangeState.DEBITING, True)
    await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=True, text="Their statement."))
    [proposal] = await net.sql("SELECT id FROM exchange_evidence")
    await net.do(commands.ApproveEvidence(actor=net.second, exchange=made.id, proposal=proposal["id"]))
    assert await owed(net) == {"AIR": -10 * CNY, "SHOP": 10 * CNY}


async def test_who_is_frozen_here_or_spends_of_a_pool_redeems_nothing_there(net: Hub) -> None:
    await net.do(commands.EnrollCustomer(actor=net.admin, customer=AL))
    await net.do(commands.FreezeAccount(actor=net.admin, key="f", customer=AL, currency=None, reason="suspicion"))
    with pytest.raises(Frozen):
        await net.do(redemption(net, "200"))
    with pytest.raises(InvalidInput):
        await net.do(redemption(net, "10", customer=BO, by=AL))
    state = commands.SetPartnerState(actor=net.admin, currency="MILE", state=PartnerState.LEAVING, reason="1 June")
    await net.do(state)
    with pytest.raises(PartnerUnavailable):
        await net.do(redemption(net, "20", customer=BO))


async def test_nobody_spends_another_programmes_points_by_a_reference_of_its_own(net: Hub) -> None:
    """The partner is told the reference alone: whoever has a customer of that name elsewhere is not its member."""
    trader, _ = await net.key("BANK", Role.INSTITUTION_TRADER)
    thief = Party("BANK", AL.reference)
    for command in (
        conversion(net, thief, thief, "MILE>BP", "100", actor=trader),
        conversion(net, thief, HAN, "MILE>STAY", "100", actor=trader),
        redemption(net, "100", customer=thief, actor=trader),
        transfer(net, "100", source=thief, target=BO, actor=trader),
        offer(net, thief, thief, actor=trader),
        redemption(net, "101", actor=trader),
    ):
        with pytest.raises(Forbidden):
            await net.do(command)
    assert await net.sql("SELECT 1 FROM partner_order") == []
    assert len(await net.sql("SELECT 1 FROM customer")) == 1  # alice, and nobody was enrolled
    await begun(net, redemption(net, "102", customer=thief))  # the operator may act for the members of all


@pytest.mark.parametrize("source", [AL, ALICE], ids=["kept by a partner", "kept by the hub"])
async def test_a_quote_is_not_executed_for_who_was_frozen_or_left_since(net: Hub, source: Party) -> None:
    """To a partner that takes them, out of points that another keeps and out of the hub's own."""
    pair = "MILE>STAY" if source is AL else "BP>MILE"
    taker = HAN if source is AL else AL
    await net.do(commands.EnrollCustomer(actor=net.admin, customer=AL))
    quotes = [await net.do(offer(net, source, taker, pair)) for _ in range(3)]
    executions = [commands.ExecuteQuote(actor=net.admin, key=f"execute {quote.id}", quote=quote.id) for quote in quotes]
    await net.do(commands.FreezeAccount(actor=net.admin, key="f", customer=source, currency=None, reason="suspicion"))
    with pytest.raises(Frozen):
        await net.do(executions[0])
    assert await net.sql("SELECT 1 FROM partner_order") == []
    await net.do(commands.UnfreezeAccount(actor=net.admin, key="u", customer=source, currency=None, reason="cleared"))
    assert (await net.do(executions[1])).status is ConversionStatus.PENDING
    if source is AL:
        await net.do(commands.CloseCustomer(actor=net.admin, key="c", customer=source, reason="left"))
        with pytest.raises(CustomerClosed):
            await net.do(executions[2])


def offer(hub: Hub, source: Party, target: Party, pair: str = "MILE>BP", amount: str = "100", **changes: Any) -> Any:
    source_currency, _, target_currency = pair.partition(">")
    asked = {"actor": hub.admin, "source": source, "target": target, "amount": amount, "ttl_seconds": 900}
    pair_of = {"source_currency": source_currency, "target_currency": target_currency}
    return commands.RequestQuote(**{**asked, **pair_of, **changes})


# --- transfers and issues ---------------------------------------------------------------------------------------------


async def test_transferred_points_are_debited_from_one_and_credited_to_the_other(net: Hub) -> None:
    made = await begun(net, transfer(net, "30"))
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    assert await stands(net, "transit", "MILE") == (30, 0)
    after = await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    for kind in ("partner", "transit", "issuance"):
        assert await stands(net, kind, "MILE") == (0, 0)
    orders = await net.sql("SELECT operation, amount, customer_id FROM partner_order ORDER BY id")
    assert [(row["operation"], row["amount"]) for row in orders] == [("DEBIT", 30), ("CREDIT", 30)]
    assert orders[0]["customer_id"] != orders[1]["customer_id"]
    assert await owed(net) == {}


async def test_a_transfer_whose_credit_is_refused_is_refunded(net: Hub) -> None:
    made = await begun(net, transfer(net, "30"))
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED, partner_reference="A-1")
    after = await answer(net, f"PH-{made.id:X}-C", Status.REFUSED, reason=Reason.NO_SUCH_MEMBER)
    assert after.state is ExchangeState.REFUNDING
    after = await answer(net, f"PH-{made.id:X}-R", Status.SUCCEEDED)
    assert (after.state, after.refusal) == (ExchangeState.REVERSED, "PARTNER_REFUSED")
    assert (await stands(net, "partner", "MILE"), await stands(net, "transit", "MILE")) == ((0, 0), (0, 0))


async def test_two_new_customers_of_one_name_are_one(net: Hub) -> None:
    with pytest.raises(InvalidInput):
        await net.do(transfer(net, "30", target=AL))


async def test_issued_points_are_credited_by_the_partner(net: Hub) -> None:
    made = await begun(net, issue(net, "70"))
    after = await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    assert (await stands(net, "issuance", "MILE"), await stands(net, "partner", "MILE")) == ((-70, 0), (70, 0))
    declined = await begun(net, issue(net, "80"))
    after = await answer(net, f"PH-{declined.id:X}-C", Status.REFUSED, reason=Reason.NO_SUCH_MEMBER)
    assert after.state is ExchangeState.REFUSED
    assert await stands(net, "partner", "MILE") == (70, 0)


# --- what partners do not do over the hub -----------------------------------------------------------------------------


async def test_what_only_the_hub_itself_can_do_is_refused_by_name(net: Hub) -> None:
    ends = clock.now() + timedelta(days=1)
    for customer in (AL, BO, Party("AIR", "family")):
        await net.do(commands.EnrollCustomer(actor=net.admin, customer=customer))
    pool = Party("AIR", "pool")
    await net.do(commands.CreatePool(actor=net.admin, key="p", pool=pool, kind=PoolKind.FAMILY, owner=AL))
    spends: dict[str, Any] = {"actor": net.admin, "currency": "MILE", "amount": "1"}
    refused: list[tuple[commands.Command, str]] = [
        (commands.HoldPoints(**spends, key="1", customer=AL, expires_at=ends, memo=None), "HOLD"),
        (commands.FreezePoints(**spends, key="2", customer=AL, reason="so"), "FREEZE"),
        (commands.ContributeToPool(**spends, key="3", pool=pool, member=AL, memo=None, channel=None), "POOL"),
        (redemption(net, "4", customer=pool), "POOL"),
        (issue(net, "5", to=pool), "POOL"),
        (issue(net, "6", expires_at=ends), "EXPIRES_AT"),
        (issue(net, "7", record="order 1"), "RECORD"),
    ]
    for command, act in refused:
        outcome = await net.try_(command)
        assert isinstance(outcome.refusal, NotHosted), command
        assert outcome.refusal.details == {"currency": "MILE", "act": act}
        assert not outcome.refusal.retryable
