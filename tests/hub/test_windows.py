"""Settlement windows: nets, their order, what they leave, and what a move of an institution changes."""

from typing import Any

import pytest

from hub.access import Role
from hub.audit import audit
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
from hub.ledger.records import AccountKind
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
    assert await nets(hub, window) == {"BANK": -CENT, "GROUP": -CENT, "SHOP": 0, "AIR": CENT}
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
    # exact: GROUP -1.2, SHOP 0.4, AIR 0.8; down: -2, 0, 0 with remainders .8, .4, .8: two units, to AIR and GROUP
    assert await nets(hub, window) == {"BANK": -CNY, "GROUP": -CNY, "SHOP": 0, "AIR": CNY}


async def test_zero_nets_confirm_themselves_and_an_empty_window_is_settled(hub: Hub) -> None:
    await found(hub)
    await close(hub, "1")
    assert await statuses(hub) == ["SETTLED", "OPEN"]
    done = await redeem(hub, "r", "SHOP", "100")
    await hub.do(commands.Reverse(actor=hub.admin, key="v", id=done.id, amount=None, reason="x"))
    window = await close(hub, "2")
    assert await nets(hub, window) == {"BANK": 0, "GROUP": 0, "SHOP": 0}
    assert await statuses(hub) == ["SETTLED", "SETTLED", "OPEN"]
    with pytest.raises(Duplicate):
        await hub.do(confirm(hub, "3", window, "GROUP", "0"))


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
    await hub.do(confirm(hub, "4", first, "GROUP", "-5"))
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
        await hub.do(confirm(hub, "u", window, "GROUP", "-5", currency="USD"))
    with pytest.raises(NotFound):
        await hub.do(confirm(hub, "n", None, "BANK", "-5"))
    with pytest.raises(InvalidInput):
        await hub.do(confirm(hub, "d", window, "GROUP", "-5", value_date="2025-02-30"))


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
    await hub.do(confirm(hub, "b", window, "GROUP", "-5"))
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
    await hub.do(confirm(hub, "b", first, "GROUP", "-10"))
    assert await subtrees(hub, first) == {"SHOP": 10 * CNY, "HUB": 10 * CNY}  # SHOP is not paid yet
    with pytest.raises(OrgCycle):
        await hub.do(commands.MoveInstitution(actor=hub.admin, code="AIR", parent="BANK"))
    with pytest.raises(OrgCycle):
        await hub.do(commands.MoveInstitution(actor=hub.admin, code="AIR", parent="AIR"))


async def accounts(hub: Hub, kind: AccountKind) -> dict[str, tuple[int, int]]:
    """Posted debits and credits of the accounts of a kind, by their owners' names."""
    nodes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    for row in await hub.sql("SELECT * FROM internal_account"):
        nodes[row["id"]] = f"{nodes[row['parent_id']]}:{nodes[row['institution_id']]}"
    found_rows = await hub.sql("SELECT * FROM account WHERE kind = $1", int(kind))
    return {nodes[row["owner_id"]]: (row["debits_posted"], row["credits_posted"]) for row in found_rows}


async def test_nets_go_from_the_leaves_upward_and_only_members_settle_with_the_hub(hub: Hub) -> None:
    await found(hub)
    await hub.institution("DESK", parent="BANK")
    await hub.institution("STORE", parent="SHOP")
    await redeem(hub, "1", "STORE", "100")  # BANK owes STORE 5.00
    await redeem(hub, "2", "DESK", "30")  # BANK owes DESK 1.50, and nobody above BANK owes anything
    await redeem(hub, "3", "SHOP", "20")  # BANK owes SHOP 1.00
    window = await close(hub, "c")
    assert await nets(hub, window) == {
        "STORE": 5 * CNY,
        "SHOP": 6 * CNY,  # 1.00 of its own and 5.00 from STORE
        "DESK": 3 * CNY // 2,
        "BANK": -6 * CNY,  # -7.50 of its own and 1.50 from DESK
        "GROUP": -6 * CNY,
    }
    assert await accounts(hub, AccountKind.INTERNAL) == {  # what was passed on, and back to zero
        "BANK:DESK": (3 * CNY // 2, 3 * CNY // 2),
        "GROUP:BANK": (6 * CNY, 6 * CNY),
        "SHOP:STORE": (5 * CNY, 5 * CNY),
    }
    assert await accounts(hub, AccountKind.SETTLEMENT) == {"GROUP": (6 * CNY, 0), "SHOP": (0, 6 * CNY)}
    assert {debits - credits for debits, credits in (await accounts(hub, AccountKind.POSITION)).values()} == {0}
    for code, through in (("BANK", "GROUP"), ("DESK", "BANK"), ("STORE", "SHOP")):
        with pytest.raises(InvalidInput) as refused:
            await hub.do(confirm(hub, f"no{code}", window, code, "1"))
        assert refused.value.details == {"institution": code, "paysThrough": through}
    await hub.do(confirm(hub, "s", window, "SHOP", "6"))
    assert await statuses(hub) == ["SETTLING", "OPEN"]
    await hub.do(confirm(hub, "g", window, "GROUP", "-6"))
    assert await statuses(hub) == ["SETTLED", "OPEN"]
    assert await subtrees(hub, window) == {}  # whoever stands below is settled with its member
    await invariants.check(hub)
    await clean(hub)


async def clean(hub: Hub) -> None:
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_cap_below_a_member_is_freed_when_the_member_has_paid_and_at_once_when_it_owes_nothing(
    hub: Hub,
) -> None:
    await found(hub)
    await hub.institution("DESK", parent="GROUP")
    await hub.cap("BANK", "5.00")
    await redeem(hub, "1", "SHOP", "100")
    first = await close(hub, "c1")
    with pytest.raises(LimitExceeded):
        await redeem(hub, "2", "SHOP", "1")
    await hub.do(confirm(hub, "g", first, "GROUP", "-5"))
    await redeem(hub, "3", "DESK", "100")  # inside GROUP, which then owes nothing
    second = await close(hub, "c2")
    assert await nets(hub, second) == {"BANK": -5 * CNY, "DESK": 5 * CNY, "GROUP": 0}
    assert await subtrees(hub, second) == {}
    await redeem(hub, "4", "SHOP", "100")
    assert await statuses(hub) == ["SETTLING", "CLOSED", "OPEN"]  # SHOP is not paid for the first one yet
    await clean(hub)


async def test_a_moved_institution_pays_by_its_new_path_from_the_next_window_on(hub: Hub) -> None:
    await found(hub)
    await redeem(hub, "1", "SHOP", "100")
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="BANK", parent="AIR"))
    first = await close(hub, "c1")
    await redeem(hub, "2", "SHOP", "40")
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="BANK", parent="HUB"))
    second = await close(hub, "c2")
    await redeem(hub, "3", "SHOP", "20")
    third = await close(hub, "c3")
    assert await nets(hub, first) == {"BANK": -5 * CNY, "GROUP": -5 * CNY, "SHOP": 5 * CNY}
    assert await nets(hub, second) == {"BANK": -2 * CNY, "AIR": -2 * CNY, "SHOP": 2 * CNY}
    assert await nets(hub, third) == {"BANK": -CNY, "SHOP": CNY}
    for number, (window, member, amount) in enumerate(
        ((first, "GROUP", "5"), (second, "AIR", "2"), (third, "BANK", "1"))
    ):
        await hub.do(confirm(hub, f"o{number}", window, member, f"-{amount}"))
        await hub.do(confirm(hub, f"s{number}", window, "SHOP", amount))
    assert await statuses(hub) == ["SETTLED", "SETTLED", "SETTLED", "OPEN"]
    assert await accounts(hub, AccountKind.INTERNAL) == {
        "GROUP:BANK": (5 * CNY, 5 * CNY),
        "AIR:BANK": (2 * CNY, 2 * CNY),
    }
    await invariants.check(hub)
    await clean(hub)


async def test_a_window_that_closed_before_there_were_levels_is_settled_by_everybody(hub: Hub) -> None:
    await found(hub)
    await hub.institution("STORE", parent="SHOP")
    await redeem(hub, "1", "SHOP", "100")
    window = await hub.window()
    await hub.sql("UPDATE settlement_window SET levels = false WHERE id = $1", window)
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="SHOP", parent="AIR"))
    await close(hub, "c")
    # Made as the upgrade leaves it: the nets of that time, each its institution's own.
    assert [row["levels"] for row in await hub.sql("SELECT levels FROM settlement_window ORDER BY number")] == [
        False,
        True,
    ]
    assert await nets(hub, window) == {"BANK": -5 * CNY, "SHOP": 5 * CNY}
    await hub.do(confirm(hub, "b", window, "BANK", "-5"))
    await hub.do(confirm(hub, "s", window, "SHOP", "5"))
    assert await statuses(hub) == ["SETTLED", "OPEN"]
    assert await subtrees(hub, window) == {}
    await clean(hub)
