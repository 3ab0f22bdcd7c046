"""Settlement windows: nets, their order, what they leave, and what a move of an institution changes."""

from typing import Any

import pytest

from hub.access import Role
from hub.errors import (
    Duplicate,
    Forbidden,
    InvalidAmount,
    InvalidInput,
    LimitExceeded,
    NotFound,
    OrgCycle,
    WindowClosed,
    WindowOrder,
)
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub
from tests.properties import invariants

CNY = 1_000_000
CENT = 10_000


async def found(hub: Hub, unit_value: str = "0.05", money: str = "CNY") -> None:
    await hub.institution("GROUP")
    await hub.institution("BANK", parent="GROUP")
    await hub.institution("SHOP")
    await hub.institution("AIR")
    await hub.currency("BP", "BANK", unit_value=unit_value, money=money)
    await hub.issue("BP", "BANK", "alice", "1000000")


async def redeem(hub: Hub, key: str, merchant: str, amount: str) -> Any:
    return await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key=key,
            currency="BP",
            customer=Party("BANK", "alice"),
            merchant=merchant,
            amount=amount,
            memo=None,
        )
    )


async def close(hub: Hub, key: str) -> int:
    window = await hub.window()
    assert await hub.do(commands.CloseWindow(actor=hub.admin, key=key, window=window)) == window
    return window


def confirm(hub: Hub, key: str, window: int | None, of: str, amount: str, **more: Any) -> commands.ConfirmSettlement:
    rest = {"currency": "CNY", "value_date": None, "reference": "bank 1"}
    return commands.ConfirmSettlement(
        **{"actor": hub.admin, "key": key, "window": window, "institution": of, "amount": amount, **rest, **more}
    )


async def nets(hub: Hub, window: int) -> dict[str, int]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    found_rows = await hub.sql("SELECT institution_id, net FROM window_net WHERE window_id = $1", window)
    return {codes[row["institution_id"]]: row["net"] for row in found_rows}


async def subtrees(hub: Hub, window: int) -> dict[str, int]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    found_rows = await hub.sql("SELECT institution_id, subtree FROM position WHERE window_id = $1", window)
    return {codes[row["institution_id"]]: row["subtree"] for row in found_rows if row["subtree"]}


async def statuses(hub: Hub) -> list[str]:
    return [row[0] for row in await hub.sql("SELECT status FROM settlement_window ORDER BY number")]


async def test_nets_are_rounded_by_largest_remainder_and_what_is_left_is_the_operators(hub: Hub) -> None:
    await found(hub, unit_value="0.0033")
    await redeem(hub, "1", "SHOP", "1")  # 0.0033
    await redeem(hub, "2", "AIR", "2")  # 0.0066
    window = await close(hub, "c")
    # exact -0.0099, 0.0033, 0.0066; down to -0.01, 0, 0 with remainders .0001, .0033, .0066: the cent is AIR's
    assert await nets(hub, window) == {"BANK": -CENT, "SHOP": 0, "AIR": CENT}
    left = await hub.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 7")
    assert [row[0] for row in left] == [0]  # what each gained or lost sums to nothing
    rounding = await hub.sql("SELECT amount FROM leg WHERE purpose = 5 ORDER BY amount")
    assert [row[0] for row in rounding] == [100, 3300, 3400]  # 0.0001, 0.0033, 0.0034
    assert await subtrees(hub, window) == {"GROUP": -CENT, "BANK": -CENT, "AIR": CENT}
    await invariants.check(hub)


async def test_a_currency_without_minor_unit_is_netted_in_whole_units(hub: Hub) -> None:
    await found(hub, unit_value="0.4", money="JPY")
    await redeem(hub, "1", "SHOP", "1")
    await redeem(hub, "2", "AIR", "2")
    window = await close(hub, "c")
    # exact: BANK -1.2, SHOP 0.4, AIR 0.8; down: -2, 0, 0 with remainders .8, .4, .8: two units, to AIR and BANK
    assert await nets(hub, window) == {"BANK": -CNY, "SHOP": 0, "AIR": CNY}


async def test_zero_nets_confirm_themselves_and_an_empty_window_is_settled(hub: Hub) -> None:
    await found(hub)
    await close(hub, "1")
    assert await statuses(hub) == ["SETTLED", "OPEN"]
    done = await redeem(hub, "r", "SHOP", "100")
    await hub.do(commands.Reverse(actor=hub.admin, key="v", id=done.id, amount=None, reason="x"))
    window = await close(hub, "2")
    assert await nets(hub, window) == {"BANK": 0, "SHOP": 0}
    assert await statuses(hub) == ["SETTLED", "SETTLED", "OPEN"]
    with pytest.raises(Duplicate):
        await hub.do(confirm(hub, "3", window, "BANK", "0"))


async def test_windows_are_settled_in_their_order_and_an_empty_one_waits_for_those_before(hub: Hub) -> None:
    await found(hub)
    await redeem(hub, "r1", "SHOP", "100")
    first = await close(hub, "1")
    second = await close(hub, "2")
    await redeem(hub, "r3", "SHOP", "100")
    third = await close(hub, "3")
    assert await statuses(hub) == ["CLOSED", "CLOSED", "CLOSED", "OPEN"]
    for window in (second, third, await hub.window()):
        with pytest.raises(WindowOrder) as refused:
            await hub.do(confirm(hub, f"early{window}", window, "NOBODY", "wrong", reference=""))  # tested before all
        assert refused.value.details["next"] == "1"
    await hub.do(confirm(hub, "4", first, "BANK", "-5"))
    assert await statuses(hub) == ["SETTLING", "CLOSED", "CLOSED", "OPEN"]
    await hub.do(confirm(hub, "5", first, "SHOP", "5.00"))
    assert await statuses(hub) == ["SETTLED", "SETTLED", "CLOSED", "OPEN"]
    with pytest.raises(Duplicate):
        await hub.do(confirm(hub, "6", first, "SHOP", "5.00"))
    with pytest.raises(InvalidInput):
        await hub.do(confirm(hub, "7", third, "SHOP", "5", reference=" "))
    await invariants.check(hub)


async def test_another_amount_or_sign_than_the_net_is_refused(hub: Hub) -> None:
    await found(hub)
    await redeem(hub, "r", "SHOP", "100")
    window = await close(hub, "c")
    for number, wrong in enumerate(("4.99", "-5", "5.000001", "5e0", "0", "5.0000000")):
        if wrong == "5.0000000":
            await hub.do(confirm(hub, f"w{number}", window, "SHOP", wrong))  # zeros are no digits
            continue
        with pytest.raises(InvalidAmount):
            await hub.do(confirm(hub, f"w{number}", window, "SHOP", wrong))
    with pytest.raises(NotFound):
        await hub.do(confirm(hub, "a", window, "AIR", "5"))  # it has no net
    with pytest.raises(NotFound):
        await hub.do(confirm(hub, "u", window, "BANK", "-5", currency="USD"))
    with pytest.raises(NotFound):
        await hub.do(confirm(hub, "n", None, "BANK", "-5"))
    with pytest.raises(InvalidInput):
        await hub.do(confirm(hub, "d", window, "BANK", "-5", value_date="2025-02-30"))


async def test_a_window_is_closed_once_and_only_by_the_operator(hub: Hub) -> None:
    await found(hub)
    admin, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
    window = await hub.window()
    for command in (
        commands.CloseWindow(actor=admin, key="x", window=window),
        confirm(hub, "y", window, "BANK", "1", actor=admin),
    ):
        with pytest.raises(Forbidden):
            await hub.do(command)
    await close(hub, "c")
    with pytest.raises(WindowClosed):
        await hub.do(commands.CloseWindow(actor=hub.admin, key="d", window=window))
    with pytest.raises(NotFound):
        await hub.do(commands.CloseWindow(actor=hub.admin, key="e", window=None))
    replayed = await hub.try_(commands.CloseWindow(actor=hub.admin, key="c", window=window))
    assert (replayed.result, replayed.replayed) == (window, True)


async def test_a_late_reversal_falls_into_the_window_open_then(hub: Hub) -> None:
    await found(hub)
    done = await redeem(hub, "r", "SHOP", "100")
    window = await close(hub, "c")
    before = await nets(hub, window)
    await hub.do(commands.Reverse(actor=hub.admin, key="v", id=done.id, amount="40", reason="x"))
    assert await nets(hub, window) == before
    assert await subtrees(hub, await hub.window()) == {"GROUP": 2 * CNY, "BANK": 2 * CNY, "SHOP": -2 * CNY}


async def test_only_confirmed_payment_frees_a_cap(hub: Hub) -> None:
    await found(hub)
    await hub.cap("GROUP", "5.00")
    await redeem(hub, "1", "SHOP", "100")
    window = await close(hub, "c")
    with pytest.raises(LimitExceeded) as refused:
        await redeem(hub, "2", "SHOP", "1")
    assert refused.value.details == {"institution": "GROUP", "currency": "CNY", "cap": "5.00", "exposure": "5.05"}
    await hub.do(confirm(hub, "s", window, "SHOP", "5"))  # what it is paid does not help who owes
    with pytest.raises(LimitExceeded):
        await redeem(hub, "3", "SHOP", "1")
    await hub.do(confirm(hub, "b", window, "BANK", "-5"))
    await redeem(hub, "4", "SHOP", "100")


async def test_a_move_counts_for_money_from_the_next_window_on(hub: Hub) -> None:
    await found(hub)
    await redeem(hub, "1", "SHOP", "100")
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="BANK", parent="AIR"))
    await redeem(hub, "2", "SHOP", "100")
    first = await hub.window()
    assert await subtrees(hub, first) == {"GROUP": -10 * CNY, "BANK": -10 * CNY, "SHOP": 10 * CNY}
    await close(hub, "c")
    await redeem(hub, "3", "SHOP", "100")
    assert await subtrees(hub, await hub.window()) == {"AIR": -5 * CNY, "BANK": -5 * CNY, "SHOP": 5 * CNY}
    # What the closed window left is still owed by those who stood above it then.
    await hub.do(confirm(hub, "b", first, "BANK", "-10"))
    assert await subtrees(hub, first) == {"SHOP": 10 * CNY, "HUB": 10 * CNY}  # SHOP is not paid yet
    with pytest.raises(OrgCycle):
        await hub.do(commands.MoveInstitution(actor=hub.admin, code="AIR", parent="BANK"))
    with pytest.raises(OrgCycle):
        await hub.do(commands.MoveInstitution(actor=hub.admin, code="AIR", parent="AIR"))
