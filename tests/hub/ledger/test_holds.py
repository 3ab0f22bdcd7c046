"""Holds at the edges of time: the hold's end, the end of what it holds, and how long it may last."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.currencies import ExpiryKind, HeldExpiry
from hub.errors import ExceedsHeld, HoldExpired, HoldResolved, InvalidInput, PointsExpired
from hub.ledger import commands
from hub.ledger.commands import Party, PolicyTerms
from tests.conftest import Hub
from tests.properties import invariants
from tests.properties.world import Clock

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
START = datetime(2031, 5, 1, tzinfo=UTC)
X, Y = Party("BANK", "x"), Party("BANK", "y")


class Bank:
    """BANK with BP, which end in six months; X has 100 of them; and a clock to be moved. No sweep ever runs."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self.hub = hub
        self.clock = clock
        self._keys = 0

    async def act(self, kind: type[commands.Keyed], **of: Any) -> Any:
        self._keys += 1
        return await self.hub.do(kind(actor=self.hub.admin, key=f"k{self._keys}", **of))

    async def issue(self, amount: int, ends: datetime | None = None) -> Any:
        times: dict[str, Any] = {"earned_at": None, "expires_at": ends, "memo": None}
        return await self.act(commands.Issue, currency="BP", to=X, amount=str(amount), **times)

    async def hold(self, amount: int, until: datetime) -> Any:
        of: dict[str, Any] = {"currency": "BP", "customer": X, "memo": None}
        return (await self.act(commands.HoldPoints, amount=str(amount), expires_at=until, **of)).hold

    async def capture(self, held: Any, amount: int | None = None, to: Party | None = None) -> Any:
        part = None if amount is None else str(amount)
        return (await self.act(commands.CaptureHold, hold=held.id, amount=part, target=to, merchant=None)).hold

    async def keep(self, **terms: Any) -> None:
        await self.hub.do(commands.SetPointsPolicy(actor=self.hub.admin, currency="BP", policy=PolicyTerms(**terms)))

    async def balance(self, reference: str = "x") -> int:
        return await self.hub.balance("BP", "BANK", reference)

    async def breakage(self) -> int:
        rows = await self.hub.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 3")
        return int(rows[0][0]) if rows else 0


@pytest.fixture
async def bank(hub: Hub) -> AsyncIterator[Bank]:
    clock = Clock(START)
    door = hub.beside(clock=clock)
    await door.institution("BANK")
    await door.currency("BP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=6)
    made = Bank(door, clock)
    await made.issue(100)
    yield made
    await invariants.check(hub)
    await door.close()


async def test_an_expired_hold_cannot_be_captured_though_no_sweep_ran(bank: Bank) -> None:
    until = START + DAY
    first, second = await bank.hold(30, until), await bank.hold(30, until)
    bank.clock.jump(until - TICK)
    assert (await bank.capture(first)).captured == 30  # in the last microsecond
    bank.clock.jump(until)
    for _ in range(2):  # the first one who comes by posts its end; it stays over
        with pytest.raises(HoldExpired):
            await bank.capture(second)
    with pytest.raises(HoldExpired):
        await bank.act(commands.ReleaseHold, hold=second.id)
    with pytest.raises(HoldResolved):
        await bank.capture(first)
    assert await bank.balance() == 70
    await bank.hold(70, until + DAY)  # all that is left is free again


async def test_a_hold_lasts_thirty_days_at_most_and_what_its_policy_says(bank: Bank) -> None:
    asked = bank.clock.now + TICK  # when the next batch decides
    await bank.hold(1, asked + 30 * DAY)
    with pytest.raises(InvalidInput):
        await bank.hold(1, bank.clock.now + 30 * DAY + 2 * TICK)
    await bank.keep(hold_days_max=1)
    with pytest.raises(InvalidInput):
        await bank.hold(1, bank.clock.now + DAY + 2 * TICK)
    await bank.hold(1, bank.clock.now + TICK + DAY)
    with pytest.raises(InvalidInput):
        await bank.hold(1, bank.clock.now + TICK)  # it would be over at once
    await bank.hold(1, bank.clock.now + 2 * TICK)


@pytest.mark.parametrize(("policy", "burned"), [(HeldExpiry.HONOUR, 50), (HeldExpiry.EXPIRE, 20)])
async def test_held_points_that_end_are_honoured_or_lost_as_the_policy_has_it(
    bank: Bank, policy: HeldExpiry, burned: int
) -> None:
    """A hold of 50 pins 30 that end tomorrow and 20 that do not."""
    await bank.keep(held_expiry=policy)
    await bank.issue(30, START + DAY)
    held = await bank.hold(50, START + 3 * DAY)
    bank.clock.jump(START + 2 * DAY)
    with pytest.raises(ExceedsHeld) as refusal:
        await bank.capture(held, burned + 1)
    assert refusal.value.details["held"] == str(burned)
    assert (await bank.capture(held)).captured == burned
    assert await bank.breakage() == 50 - burned  # what ended and was not burned
    assert await bank.balance() == 80  # 100 less 20


async def test_held_points_that_have_ended_go_to_nobody_else(bank: Bank) -> None:
    await bank.issue(30, START + DAY)
    held, other = await bank.hold(30, START + 3 * DAY), await bank.hold(20, START + 3 * DAY)
    bank.clock.jump(START + 2 * DAY)
    with pytest.raises(PointsExpired):
        await bank.capture(held, to=Y)
    await bank.capture(other, to=Y)
    assert (await bank.balance(), await bank.balance("y")) == (110, 20)


@pytest.mark.parametrize(("days", "lasts"), [(0, None), (3, datetime(2031, 5, 14, tzinfo=UTC))])
async def test_what_comes_back_after_its_end_has_the_days_of_grace(
    bank: Bank, days: int, lasts: datetime | None
) -> None:
    """Captured on 1 May, ended on 2 May, reversed on 10 May: three days of grace are over when 14 May begins."""
    await bank.keep(grace_days=days)
    await bank.issue(30, START + DAY)
    held = await bank.hold(40, START + 3 * DAY)
    await bank.capture(held)  # 30 that end, and 10
    bank.clock.jump(datetime(2031, 5, 10, 12, tzinfo=UTC))
    await bank.act(commands.Reverse, id=held.id, amount=None, reason="returned")
    lots = {row["expires_at"]: row["amount"] for row in await bank.hub.sql("SELECT * FROM lot")}
    own = datetime(2031, 11, 2, tzinfo=UTC)  # six months from 1 May, and that day
    assert lots == ({own: 100} if lasts is None else {lasts: 30, own: 100})
    assert await bank.breakage() == (30 if lasts is None else 0)
