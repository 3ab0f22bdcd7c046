"""What a batch asks of the database for limits, and that counters outlive it: over days, and over processes."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hub.audit import audit
from hub.ledger import commands, limit_rows
from hub.limits import Act, Mode, Period, Subject, UseKey
from tests.concurrency.world import convert, found, issue, redeem, transfer
from tests.conftest import Hub, Pass, noon
from tests.properties import invariants
from tests.properties.world import Clock


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[UseKey]]:
    """What was asked for: one set for each statement."""
    statements: list[set[UseKey]] = []
    real = limit_rows.uses

    async def uses(driver: Any, wanted: Collection[UseKey]) -> dict[UseKey, int]:
        if wanted:
            statements.append(set(wanted))
        return await real(driver, wanted)

    monkeypatch.setattr(limit_rows, "uses", uses)
    return statements


async def test_nothing_is_asked_where_no_limit_can_match(hub: Hub, asked: list[set[UseKey]]) -> None:
    await found(hub, 3)
    await hub.limit("miles", "100", "MILE")
    await hub.limit("spend", "100", act=Act.REDEEM)
    await hub.limit("hold", "9999", period=Period.BALANCE)
    answers = await hub.batch([issue(hub, "a", "u0", "5"), transfer(hub, "b", 0, 1, 5), convert(hub, "c", 1, 50)])
    assert [type(answer).__name__ for answer in answers] == ["Outcome"] * 3
    assert asked == []


async def test_a_batch_asks_one_statement_for_all_that_it_may_count(hub: Hub, asked: list[set[UseKey]]) -> None:
    await found(hub, 3)
    each = await hub.limit("each", "100")
    together = await hub.limit("together", "100000", subject=Subject.INSTITUTION)
    spend = await hub.limit("spend", "100", act=Act.REDEEM, subject=Subject.ACCOUNT)
    await hub.batch(
        [issue(hub, "a", "u0", "5"), issue(hub, "b", "u1", "5"), issue(hub, "c", "new", "5"), redeem(hub, "d", 2, 5)]
    )
    [wanted] = asked
    bank = hub.engine.configuration.institution_codes["BANK"]
    customers = {row["reference"]: row["customer_id"] for row in await hub.sql("SELECT * FROM customer_reference")}
    accounts = {row["owner_id"]: row["id"] for row in await hub.sql("SELECT * FROM account WHERE kind = 1")}
    today = datetime.now(ZoneInfo(noon())).date().isoformat()
    assert wanted == {
        (each.family, customers["u0"], today),
        (each.family, customers["u1"], today),
        (together.family, bank, today),
        (spend.family, accounts[customers["u2"]], today),
    }


async def test_counters_follow_the_calendar_of_a_zone_and_acts_that_are_reversed_later(hub: Hub, pass_: Pass) -> None:
    """From noon in Tokyo on, in steps of a day: what is left is today's, and what is returned is that day's."""
    await found(hub, 0)
    start = datetime.now(UTC)
    noon = start.replace(hour=3, minute=0, second=0, microsecond=0) + timedelta(days=1)  # 12:00 in Tokyo
    pass_(noon - start)
    await hub.limit("day", "100", mode=Mode.CLIP, zone="Asia/Tokyo")
    await hub.limit("year", "100000", period=Period.YEAR, zone="Asia/Tokyo")
    first = await hub.do(issue(hub, "a", "u0", "90"))
    assert (await hub.do(issue(hub, "b", "u0", "90"))).amount == 10
    pass_(timedelta(hours=11, minutes=30))
    assert (await hub.try_(issue(hub, "c", "u0", "1"))).refusal is not None  # 23:30
    pass_(timedelta(hours=1))
    assert (await hub.do(issue(hub, "d", "u0", "70"))).amount == 70  # 00:30
    await hub.do(commands.Reverse(actor=hub.admin, key="e", id=first.id, amount="50", reason="returned"))
    assert (await hub.do(issue(hub, "f", "u0", "70"))).amount == 30
    day, after = ((noon + timedelta(days=days)).date().isoformat() for days in (0, 1))
    rows = await hub.sql("SELECT period, used FROM limit_use WHERE length(period) = 10 ORDER BY period")
    assert [tuple(row) for row in rows] == [(day, 50), (after, 100)]
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_points_that_are_over_are_not_held_by_who_is_credited_though_no_sweep_ran(hub: Hub) -> None:
    """90 that have ended leave room for 80 under 100, by an issue, by a gift, and by a conversion."""
    await found(hub, 2)
    clock = Clock(datetime.now(UTC))
    door = hub.beside(clock=clock)
    soon = clock.now + timedelta(days=1)
    await hub.limit("hold", "100", period=Period.BALANCE)
    for name in ("u2", "u3", "u4"):
        ending = msgspec.structs.replace(issue(hub, f"ending {name}", name, "90"), expires_at=soon)
        await door.do(ending)
    try:
        await door.limit("take", "100", act=Act.RECEIVE, period=Period.BALANCE)
        clock.jump(timedelta(days=2))
        assert (await door.do(issue(hub, "more", "u2", "80"))).amount == 80
        await door.do(transfer(hub, "gift", 0, 3, 80))
        assert (await door.try_(transfer(hub, "too much", 0, 4, 101))).refusal is not None
        assert [await hub.balance("BP", "BANK", name) for name in ("u2", "u3")] == [80, 80]
        await invariants.check(hub)
        async with hub.database.snapshot() as connection:
            assert (await audit(connection)).findings == ()
    finally:
        await door.close()
