"""What acts count under limits is what the audit counts again."""

from typing import Any

from hub.audit import audit
from hub.currencies import Shortfall
from hub.ledger import commands
from hub.ledger.commands import FreezeOutcome, PolicyTerms
from hub.limits import Act
from tests.concurrency.world import bank, convert, found, issue, transfer
from tests.conftest import Hub


async def owe(hub: Hub, key: str, currency: str, party: commands.Party, amount: str) -> None:
    """Take points away that are not there."""
    await hub.do(
        commands.SetPointsPolicy(actor=hub.admin, currency=currency, policy=PolicyTerms(shortfall=Shortfall.DEBT))
    )
    terms: dict[str, Any] = {"currency": currency, "customer": party, "amount": amount, "reason": "return"}
    held = await hub.do(commands.FreezePoints(actor=hub.admin, key=f"freeze {key}", **terms))
    await hub.do(
        commands.ResolveFreeze(
            actor=hub.admin, key=f"remove {key}", freeze=held.id, outcome=FreezeOutcome.REMOVE, reason="returned"
        )
    )


async def test_what_repays_a_debt_counts_under_no_limit(hub: Hub) -> None:
    await found(hub, 2)
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=commands.Party("AIR", "u0")))
    await owe(hub, "a", "BP", bank(1), "1030")  # 1000 are there, so 30 are owed
    await owe(hub, "b", "MILE", commands.Party("AIR", "u0"), "3")
    for act in (Act.TRANSFER, Act.RECEIVE, Act.CONVERT, Act.REDEEM):
        await hub.limit(f"bp-{act.value.lower()}", "100000", act=act)
    for act in (Act.TRANSFER, Act.CONVERT, Act.CONVERT_IN):
        await hub.limit(f"mile-{act.value.lower()}", "100000", "MILE", act=act)
    await hub.do(transfer(hub, "gift", 0, 1, 20))  # all of it repays
    await hub.do(convert(hub, "miles", 0, 100))  # 100/25 = 4 MILE, of which 3 repay
    held = await hub.do(
        commands.HoldPoints(
            actor=hub.admin, key="hold", currency="BP", customer=bank(0), amount="15",
            expires_at=(await hub.sql("SELECT now() + interval '1 day'"))[0][0], memo=None,
        )
    )  # fmt: skip
    await hub.do(
        commands.CaptureHold(actor=hub.admin, key="capture", hold=held.id, amount=None, target=bank(1), merchant=None)
    )
    await hub.do(issue(hub, "more", "u1", "7"))
    assert await hub.balance("BP", "BANK", "u1") == 12  # 20 + 15 + 7 less the 30
    assert await hub.balance("MILE", "AIR", "u0") == 1
    used = {row[0]: row[1] for row in await hub.sql("SELECT limit_id, sum(used)::bigint FROM limit_use GROUP BY 1")}
    codes = {id: of[0].code for id, of in hub.engine.configuration.limits.items()}
    assert {codes[id]: units for id, units in used.items()} == {
        "bp-transfer": 35,  # 20 given and 15 captured, by u0
        "bp-receive": 35,
        "bp-convert": 100,
        "mile-convert_in": 4,
    }
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
