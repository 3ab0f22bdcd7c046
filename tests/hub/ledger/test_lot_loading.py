"""What must be read of lots although nobody names them: by batches, and to tell customers what they have."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import holdings, lookups
from hub.currencies import ExpiryKind
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.reading import Reader
from tests.conftest import Hub
from tests.properties import invariants
from tests.properties.world import Clock

DAY = timedelta(days=1)
START = datetime(2031, 5, 1, tzinfo=UTC)
X = Party("BANK", "x")


@pytest.fixture
async def bank(hub: Hub) -> AsyncIterator[tuple[Hub, Clock]]:
    """BANK with BP, which end in a month, and MI, which do not; SHOP; and a clock to be moved."""
    clock = Clock(START)
    door = hub.beside(clock=clock)
    for code in ("BANK", "SHOP"):
        await door.institution(code)
    await door.currency("BP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=1)
    await door.currency("MI", "BANK")
    door.second = hub.second
    await door.rate("BP", "MI", "1:2")
    yield door, clock
    await door.close()


def issue(hub: Hub, amount: str, ends: datetime) -> commands.Issue:
    return commands.Issue(
        actor=hub.admin,
        key=f"issue {amount}",
        currency="BP",
        to=X,
        amount=amount,
        earned_at=None,
        expires_at=ends,
        memo=None,
    )


def redeem(hub: Hub, amount: str) -> commands.Redeem:
    return commands.Redeem(
        actor=hub.admin, key=f"redeem {amount}", currency="BP", customer=X, merchant="SHOP", amount=amount, memo=None
    )


async def lots(hub: Hub) -> list[tuple[int, datetime]]:
    rows = await hub.sql("SELECT amount, expires_at FROM lot ORDER BY expires_at, amount")
    return [(row["amount"], row["expires_at"]) for row in rows]


async def breakage(hub: Hub) -> int:
    rows = await hub.sql("SELECT credits_posted - debits_posted AS balance FROM account WHERE kind = 3")
    return sum(row["balance"] for row in rows)


async def test_a_quote_is_executed_out_of_the_lots_that_end_first(bank: tuple[Hub, Clock]) -> None:
    hub, _ = bank
    await hub.do(issue(hub, "300", START + 20 * DAY))
    await hub.do(issue(hub, "400", START + 10 * DAY))
    asked: dict[str, Any] = {"source": X, "target": X, "source_currency": "BP", "target_currency": "MI"}
    offer = await hub.do(commands.RequestQuote(actor=hub.admin, **asked, amount="500", ttl_seconds=600))
    await hub.do(commands.ExecuteQuote(actor=hub.admin, key="execute", quote=offer.id))
    never = datetime(9999, 12, 31, tzinfo=UTC)
    # 400 and 100 at 1:2, apart because they would have ended apart.
    assert await lots(hub) == [(200, START + 20 * DAY), (50, never), (200, never)]
    await invariants.check(hub)


async def test_points_come_back_over_to_an_account_that_has_no_lots_any_more(bank: tuple[Hub, Clock]) -> None:
    hub, clock = bank
    await hub.do(issue(hub, "300", START + 10 * DAY))
    spent = await hub.do(redeem(hub, "300"))
    assert await lots(hub) == []
    clock.jump(11 * DAY)
    await hub.do(commands.Reverse(actor=hub.admin, key="back", id=spent.id, amount="120", reason="returned"))
    assert await lots(hub) == []
    assert await breakage(hub) == 120
    await invariants.check(hub)


async def test_points_end_at_the_microsecond(bank: tuple[Hub, Clock]) -> None:
    hub, clock = bank
    end = START + 10 * DAY
    await hub.do(issue(hub, "300", end))
    clock.jump(end - timedelta(microseconds=1))
    await hub.do(redeem(hub, "100"))  # at one microsecond before the end
    assert clock.now == end - timedelta(microseconds=1)
    clock.jump(end)
    refused = await hub.try_(redeem(hub, "10"))
    assert clock.now == end
    assert refused.refusal is not None
    assert refused.refusal.details["available"] == "0"
    assert await breakage(hub) == 200


async def test_a_lot_that_only_a_late_hold_pins_is_not_told_of(bank: tuple[Hub, Clock]) -> None:
    hub, _ = bank
    await hub.do(issue(hub, "300", START + 10 * DAY))
    await hub.do(issue(hub, "40", START + 20 * DAY))
    held = commands.HoldPoints(
        actor=hub.admin,
        key="hold",
        currency="BP",
        customer=X,
        amount="100",
        expires_at=START + 12 * DAY,
        memo=None,
    )
    await hub.do(held)
    assert await told(hub, START + 9 * DAY) == [300, 40]
    assert await told(hub, START + 11 * DAY) == [100, 40]  # the hold honours what it pins
    assert await told(hub, START + 13 * DAY) == [40]


async def told(hub: Hub, at: datetime) -> list[int]:
    """The lots that a read at an instant tells of; they are all that there is."""
    configuration = hub.engine.configuration
    async with hub.database.snapshot() as connection:
        reader = Reader(connection, configuration, configuration.credentials[hub.admin], at)
        customer = await lookups.customer(reader, configuration.institution_codes["BANK"], "x")
        assert customer is not None
        [one] = (await holdings.holdings(reader, [customer.id]))[customer.id]
        found = (await holdings.lots(reader, [one.account]))[one.account.id]
    assert sum(lot.amount for lot in found) == one.total
    return [lot.amount for lot in found]
