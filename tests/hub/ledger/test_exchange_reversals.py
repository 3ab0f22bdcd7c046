"""Reversals over partners: in what order they are asked, what is posted, and that nothing is lost where one refuses."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.audit import audit
from hub.currencies import PartnerState
from hub.errors import (
    AlreadyReversed,
    ExceedsOriginal,
    Frozen,
    InsufficientPoints,
    NotHosted,
    PartnerRefused,
    PartnerUnavailable,
    ReversalPending,
)
from hub.ledger import commands
from hub.ledger.commands import Connection, Party, ReversalShortfall
from hub.ledger.orders import ExchangeState
from hub.ledger.records import Conversion, Movement
from hub.limits import Act
from hub.partners import Operation, Reason, Status
from tests.conftest import Hub
from tests.hub.ledger.test_exchange_acts import begun as accepted
from tests.hub.ledger.test_exchange_acts import issue, redemption, transfer
from tests.hub.ledger.test_exchanges import AL, ALICE, CNY, HAN, answer, begun, network, owed, stands, status

ALL = tuple(sorted((Operation.CREDIT, Operation.DEBIT, Operation.REVERSE)))


@pytest.fixture
async def net(hub: Hub) -> AsyncIterator[Hub]:
    """The network with a shop, and partners that reverse in parts; whatever was done is in order afterwards."""
    await network(hub)
    await hub.institution("SHOP")
    for code in ("MILE", "STAY"):
        await declare(hub, code, ALL, (Operation.REVERSE,))
    yield hub
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def declare(hub: Hub, code: str, operations: tuple[str, ...], partial: tuple[str, ...] = ()) -> None:
    told = Connection("{}", 6, operations, partial)
    await hub.do(commands.SetAdapterConfig(actor=hub.admin, currency=code, connection=told))


def reversal(hub: Hub, of: Conversion | Movement, amount: str | None = None, **changes: Any) -> commands.Reverse:
    asked = {"actor": hub.admin, "key": f"reverse {of.id} {amount}", "id": of.id, "amount": amount, "reason": "wrong"}
    return commands.Reverse(**{**asked, **changes})


async def converted(hub: Hub, source: Party, target: Party, pair: str, amount: str, letters: str) -> Conversion:
    made = await begun(hub, source, target, pair, amount)
    for letter in letters:
        await answer(hub, f"PH-{made.id:X}-{letter}", Status.SUCCEEDED, partner_reference=f"P-{letter}")
    return made


async def orders(hub: Hub, of: Movement) -> list[tuple[str, str, int, str | None, str | None]]:
    rows = await hub.sql("SELECT * FROM partner_order WHERE exchange_id = $1 ORDER BY id", of.id)
    return [(row["operation"], row["currency"], row["amount"], row["undoes"], row["partner_undoes"]) for row in rows]


async def test_what_was_credited_is_taken_first_and_then_given_back_in_parts(net: Hub) -> None:
    made = await converted(net, AL, HAN, "MILE>STAY", "201", "DC")  # 201 × 3/2 = 301
    assert await owed(net) == {"AIR": -15_050_000, "HOTEL": 15_050_000}
    await net.do(commands.CloseWindow(actor=net.admin, key="close", window=await net.window()))
    first = await accepted(net, reversal(net, made, "100"))
    assert (await owed(net), await status(net, made)) == ({}, "COMPLETED")
    await answer(net, f"PH-{first.id:X}-D", Status.SUCCEEDED, partner_reference="P-T")
    assert await stands(net, "transit", "STAY") == (100, 0)
    after = await answer(net, f"PH-{first.id:X}-C", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    assert await orders(net, first) == [
        ("REVERSE", "STAY", 100, f"PH-{made.id:X}-C", "P-C"),
        ("REVERSE", "MILE", 66, f"PH-{made.id:X}-D", "P-D"),  # ⌊201 × 100/301⌋
    ]
    assert await owed(net) == {"AIR": 5_000_000, "HOTEL": -5_000_000}  # ⌊15.05 × 100/301⌋, in the window open now
    with pytest.raises(ExceedsOriginal):
        await net.do(reversal(net, made, "202"))
    rest = await accepted(net, reversal(net, made))
    for letter in "DC":
        await answer(net, f"PH-{rest.id:X}-{letter}", Status.SUCCEEDED)
    assert [(row[0], row[2]) for row in await orders(net, rest)] == [("REVERSE", 201), ("REVERSE", 135)]
    assert await owed(net) == {"AIR": 15_050_000, "HOTEL": -15_050_000}
    assert await status(net, made) == "REVERSED"
    for code in ("MILE", "STAY"):
        for kind in ("partner", "transit", "issuance"):
            assert await stands(net, kind, code) == (0, 0)
    with pytest.raises(AlreadyReversed):
        await net.do(reversal(net, made, key="again"))


async def test_a_target_that_has_spent_the_points_ends_the_reversal_and_nothing_else(net: Hub) -> None:
    made = await converted(net, AL, HAN, "MILE>STAY", "200", "DC")
    asked = await accepted(net, reversal(net, made))
    with pytest.raises(ReversalPending):
        await net.do(reversal(net, made, "1"))
    after = await answer(net, f"PH-{asked.id:X}-D", Status.REFUSED, reason=Reason.INSUFFICIENT_POINTS)
    assert (after.state, after.refusal) == (ExchangeState.REFUSED, "PARTNER_REFUSED")
    assert (await status(net, made), await owed(net)) == ("COMPLETED", {"AIR": -15 * CNY, "HOTEL": 15 * CNY})
    assert await stands(net, "partner", "STAY") == (300, 0)
    again = await accepted(net, reversal(net, made, key="again"))  # all of it, as if nothing had been asked
    assert again.amount == 300


async def test_points_that_cannot_be_given_back_are_given_to_the_target_again(net: Hub) -> None:
    made = await converted(net, AL, HAN, "MILE>STAY", "200", "DC")
    asked = await accepted(net, reversal(net, made))
    await answer(net, f"PH-{asked.id:X}-D", Status.SUCCEEDED)
    after = await answer(net, f"PH-{asked.id:X}-C", Status.REFUSED, reason=Reason.MEMBER_BLOCKED)
    assert after.state is ExchangeState.REFUNDING
    assert (await orders(net, asked))[-1] == ("CREDIT", "STAY", 300, None, None)  # a reversal is not reversed
    after = await answer(net, f"PH-{asked.id:X}-R", Status.SUCCEEDED)
    assert after.state is ExchangeState.REVERSED
    assert (await status(net, made), await owed(net)) == ("COMPLETED", {"AIR": -15 * CNY, "HOTEL": 15 * CNY})
    assert (await stands(net, "partner", "STAY"), await stands(net, "transit", "STAY")) == ((300, 0), (0, 0))


async def test_hosted_points_come_back_once_the_partner_has_taken_its_own(net: Hub) -> None:
    made = await converted(net, ALICE, AL, "BP>MILE", "50000", "C")
    asked = await accepted(net, reversal(net, made, "1000"))
    assert await stands(net, "customer", "BP") == (50_000, 0)
    after = await answer(net, f"PH-{asked.id:X}-D", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    assert await stands(net, "customer", "BP") == (75_000, 0)  # 50,000 × 1,000/2,000 came back
    assert await owed(net) == {"BANK": -50_500_000, "AIR": 50 * CNY, "HUB": 500_000}


async def test_a_part_to_which_nothing_of_what_partners_keep_falls_comes_back_at_once(net: Hub) -> None:
    bo = Party("BANK", "bo")
    made = await converted(net, AL, bo, "MILE>BP", "7", "D")  # 140 BP, for 7.00
    assert (await stands(net, "partner", "MILE"), await owed(net)) == ((-7, 0), {"AIR": -7 * CNY, "BANK": 7 * CNY})
    small = await net.do(reversal(net, made, "15"))  # ⌊7 × 15/140⌋ = 0
    assert await orders(net, small) == []
    assert await stands(net, "customer", "BP") == (100_125, 0)
    assert await owed(net) == {"AIR": -6_250_000, "BANK": 6_250_000}
    more = await accepted(net, reversal(net, made, "5"))  # ⌊7 × 20/140⌋ = 1
    with pytest.raises(ReversalPending):
        await net.do(reversal(net, made, "1"))
    await answer(net, f"PH-{more.id:X}-C", Status.SUCCEEDED)
    rest = await accepted(net, reversal(net, made))
    await answer(net, f"PH-{rest.id:X}-C", Status.SUCCEEDED)
    assert [row[2] for row in [*await orders(net, more), *await orders(net, rest)]] == [1, 6]
    assert (await status(net, made), await owed(net)) == ("REVERSED", {"AIR": 0, "BANK": 0})
    assert (await stands(net, "customer", "BP"), await stands(net, "partner", "MILE")) == ((100_000, 0), (0, 0))


async def test_hosted_points_are_held_until_the_partner_has_given_its_own_back(net: Hub) -> None:
    bo = Party("BANK", "bo")
    made = await converted(net, AL, bo, "MILE>BP", "7", "D")  # 140 BP
    asked = await accepted(net, reversal(net, made, "40"))
    assert await stands(net, "customer", "BP") == (100_140, -40)
    await answer(net, f"PH-{asked.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    assert await stands(net, "customer", "BP") == (100_140, 0)
    asked = await accepted(net, reversal(net, made, "40", key="again"))
    after = await answer(net, f"PH-{asked.id:X}-C", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    assert (await net.balance("BP", "BANK", "bo"), await stands(net, "partner", "MILE")) == (100, (-5, 0))  # ⌊7 × 2/7⌋
    spent = commands.Transfer(actor=net.admin, key="t", currency="BP", source=bo, target=ALICE, amount="50", memo=None)
    await net.do(spent)
    with pytest.raises(InsufficientPoints):
        await net.do(reversal(net, made))


async def test_a_redemption_is_taken_back_with_its_money_and_its_limit(net: Hub) -> None:
    await net.limit("SPENT", "200", currency="MILE", act=Act.REDEEM)
    made = await accepted(net, redemption(net, "200"))
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED, partner_reference="P-D")
    await net.cap("SHOP", "0")
    await net.do(commands.CloseWindow(actor=net.admin, key="close", window=await net.window()))
    refused = await net.try_(reversal(net, made, "50"))
    assert refused.refusal is not None  # the shop may owe nothing
    assert refused.refusal.code == "LIMIT_EXCEEDED"
    await net.cap("SHOP", None)
    asked = await accepted(net, reversal(net, made, "50", key="again"))
    assert await orders(net, asked) == [("REVERSE", "MILE", 50, f"PH-{made.id:X}-D", "P-D")]
    await answer(net, f"PH-{asked.id:X}-C", Status.SUCCEEDED)
    assert await owed(net) == {"AIR": 2_500_000, "SHOP": -2_500_000}  # 50 × 0.05
    assert await stands(net, "partner", "MILE") == (-150, 0)
    assert (await accepted(net, redemption(net, "50"))).amount == 50  # what came back may be spent again


async def test_transfers_and_issues_are_taken_back(net: Hub) -> None:
    given = await accepted(net, transfer(net, "30"))
    for letter in "DC":
        await answer(net, f"PH-{given.id:X}-{letter}", Status.SUCCEEDED)
    made = await accepted(net, issue(net, "70"))
    await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    for act, letters in ((given, "DC"), (made, "D")):
        asked = await accepted(net, reversal(net, act))
        for letter in letters:
            await answer(net, f"PH-{asked.id:X}-{letter}", Status.SUCCEEDED)
    assert await stands(net, "partner", "MILE") == (0, 0)
    owing = reversal(net, made, shortfall=ReversalShortfall.DEBT, key="owed")
    with pytest.raises(AlreadyReversed):
        await net.do(owing)


async def test_what_the_partner_does_not_reverse_in_parts_is_debited_and_credited(net: Hub) -> None:
    await declare(net, "MILE", ALL)
    await declare(net, "STAY", (Operation.CREDIT, Operation.DEBIT))
    made = await converted(net, AL, HAN, "MILE>STAY", "200", "DC")
    asked = await accepted(net, reversal(net, made, "150"))
    await answer(net, f"PH-{asked.id:X}-D", Status.SUCCEEDED)
    assert await orders(net, asked) == [("DEBIT", "STAY", 150, None, None), ("CREDIT", "MILE", 100, None, None)]
    await answer(net, f"PH-{asked.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    assert (await orders(net, asked))[-1] == ("CREDIT", "STAY", 150, None, None)
    await answer(net, f"PH-{asked.id:X}-R", Status.SUCCEEDED)

    await declare(net, "STAY", (Operation.CREDIT,))
    with pytest.raises(PartnerRefused) as refused:
        await net.do(reversal(net, made, "10"))
    assert refused.value.details == {"currency": "STAY", "because": "NOT_SUPPORTED", "operation": "DEBIT"}
    halted = commands.SetPartnerState(actor=net.admin, currency="MILE", state=PartnerState.HALTED, reason="so")
    await declare(net, "STAY", ALL)
    await net.do(halted)
    with pytest.raises(PartnerUnavailable):
        await net.do(reversal(net, made, "20"))


async def test_what_a_partner_has_not_is_not_owed(net: Hub) -> None:
    made = await accepted(net, issue(net, "70"))
    await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    with pytest.raises(NotHosted):
        await net.do(reversal(net, made, shortfall=ReversalShortfall.DEBT))


async def test_nothing_is_taken_back_from_who_is_frozen_whoever_keeps_it(net: Hub) -> None:
    made = await converted(net, ALICE, AL, "BP>MILE", "1000", "C")
    given = await accepted(net, issue(net, "50"))
    await answer(net, f"PH-{given.id:X}-C", Status.SUCCEEDED)
    await net.do(commands.FreezeAccount(actor=net.admin, key="f", customer=AL, currency="MILE", reason="suspicion"))
    for act in (made, given):
        with pytest.raises(Frozen):
            await net.do(reversal(net, act))
    await net.do(commands.UnfreezeAccount(actor=net.admin, key="u", customer=AL, currency="MILE", reason="cleared"))
    await accepted(net, reversal(net, made, key="again"))
