"""One hold that several ask for at once, through two engines: it is resolved once, and nothing is made or lost."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import HoldStatus
from tests.concurrency.world import bank, code, found, gathered, two
from tests.conftest import Hub
from tests.properties import invariants

ROUNDS = 24
HELD = 30


def hold(hub: Hub, key: str, amount: int = HELD) -> commands.HoldPoints:
    until = datetime.now(UTC) + timedelta(days=1)
    return commands.HoldPoints(
        actor=hub.admin, key=key, currency="BP", customer=bank(0), amount=str(amount), expires_at=until, memo=None
    )


def capture(hub: Hub, key: str, id: int, **ends: Any) -> commands.CaptureHold:
    return commands.CaptureHold(
        actor=hub.admin, key=key, hold=id, **{"amount": None, "target": None, "merchant": None, **ends}
    )


def release(hub: Hub, key: str, id: int) -> commands.ReleaseHold:
    return commands.ReleaseHold(actor=hub.admin, key=key, hold=id)


@pytest.mark.parametrize("batch_max", [1, 1_000])
async def test_a_hold_is_resolved_once_whoever_asks(hub: Hub, batch_max: int) -> None:
    """Captured to be burned at SHOP, captured to u1, and released, at once; each of them twice under one key."""
    await found(hub, 3, "10000")
    won: Counter[str] = Counter()
    async with two(hub, batch_max=batch_max) as doors:
        for number in range(ROUNDS):
            held = await doors[0].do(hold(hub, f"hold {number}"))
            asked = {
                "burned": capture(hub, f"burn {number}", held.id, amount=str(HELD - 10), merchant="SHOP"),
                "given": capture(hub, f"give {number}", held.id, target=Party("BANK", "u1")),
                "released": release(hub, f"release {number}", held.id),
            }
            turned = [*list(asked.items())[number % 3 :], *list(asked.items())[: number % 3]]
            names = [name for name, _ in turned] * 2
            answers = await gathered(
                doors[(place + number) % 2].try_(command) for place, (_, command) in enumerate(turned * 2)
            )
            verdicts = dict(zip(names, map(code, answers), strict=True))
            assert [verdicts[name] for name in names] == list(map(code, answers)), "two answers under one key"
            assert sorted(verdicts.values()) == ["HOLD_RESOLVED", "HOLD_RESOLVED", "OK"]
            won.update(name for name, verdict in verdicts.items() if verdict == "OK")
    assert len(won) > 1, won  # it was a race
    given, burned = HELD * won["given"], (HELD - 10) * won["burned"]
    balances = [await hub.balance("BP", "BANK", f"u{number}") for number in range(3)]
    assert balances == [10_000 - given - burned, 10_000 + given, 10_000]
    [issued] = await hub.sql(
        "SELECT debits_posted - credits_posted, credits_pending FROM account WHERE kind = 2 AND currency = 'BP'"
    )
    assert tuple(issued) == (30_000 - burned, 0)
    statuses = Counter(row["status"] for row in await hub.sql("SELECT status FROM hold"))
    assert statuses == {
        HoldStatus.CAPTURED.value: won["given"] + won["burned"],
        **({HoldStatus.RELEASED.value: won["released"]} if won["released"] else {}),
    }
    await clean(hub)


async def test_the_rest_of_a_hold_is_not_captured_a_second_time(hub: Hub) -> None:
    """Two who each want twenty of thirty: the second does not get the ten that are left."""
    await found(hub, 3, "1000")
    async with two(hub) as (one, other):
        for number in range(ROUNDS // 2):
            held = await one.do(hold(hub, f"hold {number}"))
            ends: dict[str, Any] = {"amount": "20", "target": Party("BANK", "u1")}
            calls = [
                door.try_(capture(hub, f"{number} {place}", held.id, **ends)) for place, door in enumerate((one, other))
            ]
            less = [
                door.try_(capture(hub, f"{number} less {place}", held.id, amount="10"))
                for place, door in enumerate((one, other))
            ]
            answers = await gathered([*calls, *less])
            assert sorted(map(code, answers)) == ["HOLD_RESOLVED", "HOLD_RESOLVED", "HOLD_RESOLVED", "OK"]
    await clean(hub)


async def test_two_engines_do_not_hold_the_same_points(hub: Hub) -> None:
    await found(hub, 3, "100")
    async with two(hub) as doors:
        answers = await gathered(doors[number % 2].try_(hold(hub, f"h{number}")) for number in range(10))
        assert Counter(map(code, answers)) == {"OK": 3, "INSUFFICIENT_POINTS": 7}  # 3 × 30 of 100
        again = [one.result.id for one in answers if one.refusal is None]
        await gathered(doors[place % 2].do(release(hub, f"r{id}", id)) for place, id in enumerate(again))
        await doors[1].do(hold(hub, "all", 100))
    await clean(hub)


async def clean(hub: Hub) -> None:
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
