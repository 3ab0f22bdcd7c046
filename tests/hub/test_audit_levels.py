"""The audit of levels: each tampering with nets that went to a parent, and with who stood under whom, is found."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import postgres
from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub, NewHub
from tests.hub.audited import tampered


async def tell(hub: Hub) -> None:
    """Two closed windows: in the first DESK pays through BANK, in the second through AIR."""
    for code, parent in (("BANK", "HUB"), ("DESK", "BANK"), ("AIR", "HUB"), ("SHOP", "AIR"), ("STALL", "SHOP")):
        await hub.institution(code, parent=parent)
    await hub.currency("DP", "DESK", unit_value="0.0033")
    await hub.issue("DP", "DESK", "alice", "1000")
    for number in (1, 2):
        for merchant, amount in (("STALL", "100"), ("SHOP", "50"), ("BANK", "1")):
            await hub.do(
                commands.Redeem(
                    actor=hub.admin,
                    key=f"{merchant}{number}",
                    currency="DP",
                    customer=Party("DESK", "alice"),
                    merchant=merchant,
                    amount=amount,
                    memo=None,
                )
            )
        if number == 1:
            await hub.do(commands.MoveInstitution(actor=hub.admin, code="DESK", parent="AIR"))
        window = await hub.window()
        await hub.do(commands.CloseWindow(actor=hub.admin, key=f"close{number}", window=window))
        if number == 1:
            for code, amount in (("BANK", "-0.50"), ("AIR", "0.50")):  # 150 × 0.0033 = 0.495
                await hub.do(
                    commands.ConfirmSettlement(
                        actor=hub.admin,
                        key=code,
                        window=window,
                        institution=code,
                        currency="CNY",
                        amount=amount,
                        value_date=None,
                        reference="bank",
                    )
                )


@pytest.fixture(scope="module")
async def story(hubs: NewHub) -> AsyncIterator[Hub]:
    async with hubs() as hub:
        await tell(hub)
        yield hub


@pytest.fixture
async def connection(story: Hub, postgres_server: postgres.Server) -> AsyncIterator[AsyncConnection]:
    async with tampered(postgres_server, story) as connection:
        yield connection


async def test_nets_over_levels_are_clean(story: Hub) -> None:
    async with story.database.snapshot() as connection:
        done = await audit(connection)
    assert done.findings == ()
    assert done.counts["internal_account"] == 4  # DESK under BANK, and under AIR; SHOP under AIR; STALL under SHOP


async def test_a_parent_whose_own_acts_make_up_for_its_childrens_has_nothing_to_pass_on_and_is_clean(hub: Hub) -> None:
    for code, parent in (("BANK", "HUB"), ("DESK", "BANK"), ("AIR", "HUB")):
        await hub.institution(code, parent=parent)
    await hub.currency("DP", "DESK", unit_value="0.01")
    await hub.currency("AP", "AIR", unit_value="0.01")
    await hub.issue("DP", "DESK", "alice", "1000")
    await hub.issue("AP", "AIR", "bob", "1000")
    for key, currency, home, reference, merchant in (
        ("owes", "DP", "DESK", "alice", "AIR"),  # DESK owes AIR 1.00, which is BANK's to pay
        ("is owed", "AP", "AIR", "bob", "BANK"),  # AIR owes BANK 1.00
    ):
        await hub.do(
            commands.Redeem(
                actor=hub.admin,
                key=key,
                currency=currency,
                customer=Party(home, reference),
                merchant=merchant,
                amount="100",
                memo=None,
            )
        )
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window()))
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


LEVEL_LEG = "(movement_id, n) = (SELECT movement_id, n FROM leg WHERE purpose = 7 ORDER BY 1 LIMIT 1)"
NODE = "(SELECT institution_id FROM internal_account ORDER BY id LIMIT 1)"
TAMPERED = {
    "an internal account's parent": (
        "UPDATE internal_account SET parent_id = institution_id"
        " WHERE id = (SELECT id FROM internal_account ORDER BY id LIMIT 1)",
        {"ENTRY_CONTENT", "INTERNAL_ACCOUNT", "ACT_LEGS"},
    ),
    "an internal account that is gone": (
        "DELETE FROM internal_account",
        {"ENTRY_CONTENT", "ACCOUNT_OWNER", "ACT_LEGS"},
    ),
    "an internal account's owner": (
        "UPDATE account SET owner_id = owner_id + 500 WHERE kind = 11",
        {"ENTRY_CONTENT", "ACCOUNT_OWNER", "ACT_LEGS"},
    ),
    "what an internal account holds": (
        "UPDATE account SET credits_posted = credits_posted + 1 WHERE kind = 11",
        {"ACCOUNT_COUNTERS", "CURRENCY_SUM"},
    ),
    "what a parent took over": (
        f"UPDATE leg SET amount = amount + 10000 WHERE {LEVEL_LEG}",
        {"ENTRY_CONTENT", "ACT_LEGS", "LEG_BALANCE", "MONEY_ACCOUNT"},
    ),
    "a net that no parent took over": (
        f"DELETE FROM leg WHERE {LEVEL_LEG}",
        {"ENTRY_CONTENT", "ACT_LEGS", "MONEY_ACCOUNT"},
    ),
    "the net of a level": (
        f"UPDATE window_net SET net = net + 10000 WHERE institution_id = {NODE}",
        {"ENTRY_CONTENT", "NET"},
    ),
    "a level's net that is gone": (f"DELETE FROM window_net WHERE institution_id = {NODE}", {"ENTRY_CONTENT", "NET"}),
    "what was settled below a member": (
        "UPDATE position SET subtree = subtree - 1 WHERE debits > 0",
        {"POSITION"},
    ),
    "under whom one stood": (
        """UPDATE configuration_change SET document = replace(document, '"window":2', '"window":1')"""
        " WHERE noun = 'institution'",
        {"ENTRY_CONTENT", "NET", "ACT_LEGS", "POSITION"},
    ),
    "a window without levels": (
        "UPDATE settlement_window SET levels = false WHERE number = 1",
        {"NET", "ACT_LEGS"},
    ),
    "a window without levels after one with them": (
        "UPDATE settlement_window SET levels = false WHERE number = 3",
        {"WINDOW"},
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_each_tampering_is_found(connection: AsyncConnection, what: str) -> None:
    statement, expected = TAMPERED[what]
    done = await connection.exec_driver_sql(statement)
    assert done.rowcount
    assert expected <= {finding.code for finding in (await audit(connection)).findings}
