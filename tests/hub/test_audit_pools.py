"""A pool's history is clean; then it is tampered with, each time in a transaction that is rolled back."""

from typing import Any

import pytest

from hub import postgres
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import Mark, PoolKind, PoolRight
from tests.conftest import Hub
from tests.hub.audited import check_every

POOL, ANN, BEA = (Party("BANK", one) for one in ("fam", "ann", "bea"))
MARKED = int(Mark.POOL)
TAMPERED = {
    "the owner's rights": ("UPDATE pool_member SET rights = '[]' WHERE id = (SELECT min(id) FROM pool_member)", "POOL"),
    "a pool that is no customer": ("UPDATE pool SET id = id + 1", "POOL"),
    "a membership of nobody": ("UPDATE pool_member SET customer_id = 7 WHERE rights IS NULL", "POOL_MEMBER"),
    "a membership of no pool": ("UPDATE pool_member SET pool_id = 7 WHERE rights IS NULL", "POOL_MEMBER"),
    "a pool's account that is not marked": (f"UPDATE account SET marks = 0 WHERE marks = {MARKED}", "POOL_MARK"),
    "a mark on a customer's account": (f"UPDATE account SET marks = {MARKED} WHERE kind = 1", "POOL_MARK"),
    "a spending by nobody": ("DELETE FROM pool_use", "POOL_USE"),
    "a spending by who may not": (
        "UPDATE pool_use SET customer_id = (SELECT customer_id FROM pool_member WHERE rights IS NULL)",
        "POOL_USE",
    ),
    "a member named for what spends of no pool": (
        "INSERT INTO pool_use SELECT 1, id, 1 FROM movement WHERE kind = 1 LIMIT 1",
        "POOL_USE",
    ),
    "a giver of nothing": ("UPDATE lot_entry SET origin = '' WHERE origin <> '' AND amount > 0", "POOL_POINTS"),
    "a contribution without the right": (
        "UPDATE pool_member SET rights = '[\"SPEND\"]' WHERE rights = '[\"CONTRIBUTE\"]'",
        "POOL_POINTS",
    ),
    "another's points taken out": (
        "UPDATE lot_entry SET origin = '' WHERE origin <> '' AND amount < 0",
        "POOL_POINTS",
    ),
    "taken out by who has not left": ("UPDATE pool_member SET rights = '[]' WHERE rights IS NULL", "POOL_POINTS"),
    "another's points given back": (
        "UPDATE lot_entry SET origin = '' WHERE amount < 0 AND movement_id = (SELECT id FROM movement WHERE kind = 5)",
        "POOL_POINTS",
    ),
    "points given back to who has left": (
        "INSERT INTO pool_member SELECT journal_id, (SELECT id - 1 FROM movement WHERE kind = 5), pool_id, customer_id,"
        " NULL, credential_id FROM pool_member WHERE rights IS NULL",
        "POOL_POINTS",
    ),
    "a profile of nobody": ("UPDATE customer_profile SET customer_id = 7", "PROFILE"),
}


@pytest.fixture
async def told(hub: Hub) -> Hub:
    await hub.institution("BANK")
    await hub.institution("SHOP")
    await hub.currency("BP", "BANK")
    who: dict[str, Any] = {"actor": hub.admin}
    for one in (ANN, BEA):
        await hub.issue("BP", "BANK", one.reference, "50")
    await hub.do(commands.SetCustomerProfile(**who, customer=ANN, customer_type="personal", groups=("a/b",)))
    await hub.do(commands.CreatePool(**who, key="c", pool=POOL, kind=PoolKind.FAMILY, owner=ANN))
    await hub.do(commands.JoinPool(**who, pool=POOL, member=BEA, rights=(PoolRight.CONTRIBUTE,), by=ANN))
    for one in (ANN, BEA):
        given = await hub.do(
            commands.ContributeToPool(
                **who, key=one.reference, pool=POOL, member=one, currency="BP", amount="50", memo="m", channel=None
            )
        )
    await hub.do(commands.Reverse(**who, key="v", id=given.id, amount="4", reason="a slip"))
    await hub.do(
        commands.Redeem(**who, key="r", currency="BP", customer=POOL, merchant="SHOP", amount="60", memo=None, by=ANN)
    )
    await hub.do(commands.LeavePool(**who, key="l", pool=POOL, member=BEA, by=None))
    return hub


async def test_every_tampering_with_pools_and_profiles_is_found(told: Hub, postgres_server: postgres.Server) -> None:
    await check_every(TAMPERED, told, postgres_server)
