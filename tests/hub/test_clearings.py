"""Clearings: what a year-end clear takes and leaves, once from every customer, wherever it is interrupted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import clearings
from hub.access import Role
from hub.currencies import ExpiryKind
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.expiry import day_of, start_of
from hub.ledger import commands
from hub.ledger.commands import Party, PolicyTerms
from hub.ledger.records import Clearing, ClearingScope, ClearingStatus
from hub.sweeping import Size
from tests.conftest import Hub

SHANGHAI = "Asia/Shanghai"
BEFORE, ALL = ClearingScope.EARNED_BEFORE, ClearingScope.ALL
YEAR = day_of(datetime.now(UTC), SHANGHAI).year


def new_year(year: int) -> datetime:
    """1 January 00:00 in Shanghai."""
    return start_of(datetime(year, 1, 1, tzinfo=UTC).date(), SHANGHAI)


LAST, BEFORE_LAST = new_year(YEAR - 1) + timedelta(days=150), new_year(YEAR - 2) + timedelta(days=150)


class Bank:
    """A bank with points that last ten years from the day they were earned on (BP), and such as never end (NE)."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = 0

    def key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    async def open(self) -> "Bank":
        await self.hub.institution("BANK")
        await self.hub.institution("OTHER")
        ten_years: dict[str, Any] = {"expiry": ExpiryKind.MONTHS_AFTER_EARNING, "months": 120, "time_zone": SHANGHAI}
        await self.hub.currency("BP", "BANK", **ten_years)
        await self.hub.currency("NE", "BANK", time_zone=SHANGHAI)
        await self.hub.currency("AGED", "BANK", time_zone=SHANGHAI, policy=PolicyTerms(keeps_age=True))
        return self

    async def issue(
        self, who: str, amount: int, earned: datetime | None, currency: str = "BP", ends: datetime | None = None
    ) -> None:
        await self.hub.do(
            commands.Issue(
                actor=self.hub.admin, key=self.key(), currency=currency, to=Party("BANK", who), amount=str(amount),
                earned_at=earned, expires_at=ends, memo=None,
            )
        )  # fmt: skip

    def wanted(self, scope: ClearingScope = BEFORE, currency: str = "BP", **more: Any) -> commands.ClearPoints:
        terms = {"earned_before": None, "starts_at": None, "reason": "year-end", "key": self.key(), **more}
        return commands.ClearPoints(**{"actor": self.hub.admin, "currency": currency, "scope": scope, **terms})

    async def order(self, scope: ClearingScope = BEFORE, currency: str = "BP", **more: Any) -> Clearing:
        made: Clearing = await self.hub.do(self.wanted(scope, currency, **more))
        return made

    async def clear(self, scope: ClearingScope = BEFORE, currency: str = "BP", **more: Any) -> Clearing:
        run = await self.order(scope, currency, **more)
        return await clearings.work_off(self.hub.database, self.hub.engine, run)

    async def left(self, who: str, currency: str = "BP") -> int:
        return await self.hub.balance(currency, "BANK", who)

    async def hold(self, who: str, amount: int) -> Any:
        until = datetime.now(UTC) + timedelta(days=1)
        command = commands.HoldPoints(
            actor=self.hub.admin, key=self.key(), currency="BP", customer=Party("BANK", who), amount=str(amount),
            expires_at=until, memo=None,
        )  # fmt: skip
        return (await self.hub.do(command)).hold


@pytest.fixture
async def bank(hub: Hub) -> Bank:
    return await Bank(hub).open()


async def test_the_years_end_clears_what_was_earned_before_the_last_year(bank: Bank) -> None:
    """At the turn of a year, of 300 earned two years ago and 200 earned in the year that ended, 200 are left."""
    await bank.issue("x", 300, BEFORE_LAST)
    await bank.issue("x", 200, LAST)
    await bank.issue("young", 50, None)
    done = await bank.clear()
    assert done.earned_before == new_year(YEAR - 1)
    assert (done.status, done.accounts, done.cleared) == (ClearingStatus.DONE, 2, 300)
    assert (await bank.left("x"), await bank.left("young")) == (200, 50)
    [movement] = await bank.hub.sql("SELECT amount, subject_id FROM movement WHERE kind = 14")
    assert tuple(movement) == (300, done.id)
    again = await bank.clear()
    assert (again.accounts, again.cleared) == (2, 0)


async def test_the_default_is_the_turn_before_the_year_in_which_it_begins(bank: Bank) -> None:
    at = new_year(YEAR + 2)  # midnight of 31 December, which is 24:00 of it
    assert (await bank.order(starts_at=at)).earned_before == new_year(YEAR + 1)
    assert (await bank.order(starts_at=at - timedelta(seconds=1))).earned_before == new_year(YEAR)


async def test_points_that_end_together_are_told_apart_by_their_day(bank: Bank) -> None:
    ends = new_year(YEAR + 5)
    await bank.issue("x", 300, BEFORE_LAST, ends=ends)
    await bank.issue("x", 200, LAST, ends=ends)
    assert (await bank.clear()).cleared == 300
    assert await bank.left("x") == 200


async def test_all_takes_points_without_an_age_too(bank: Bank) -> None:
    await bank.issue("x", 300, None, "NE")
    await bank.issue("x", 5, BEFORE_LAST, "NE")
    done = await bank.clear(ALL, "NE")
    assert (done.cleared, done.ageless, await bank.left("x", "NE")) == (305, 0, 0)


async def test_points_without_an_age_are_not_cleared_by_it(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await bank.order(currency="NE")
    assert refusal.value.details["keepsAge"] == "false"
    await bank.issue("x", 7, BEFORE_LAST, "AGED")
    await bank.issue("x", 30, LAST, "AGED")
    assert (await bank.clear(currency="AGED")).cleared == 7
    terms = PolicyTerms(keeps_age=True)
    await bank.issue("y", 11, None, "NE")
    await bank.hub.do(commands.SetPointsPolicy(actor=bank.hub.admin, currency="NE", policy=terms))
    await bank.issue("y", 6, BEFORE_LAST, "NE")
    done = await bank.clear(currency="NE")
    assert (done.cleared, done.ageless, await bank.left("y", "NE")) == (6, 11, 11)


async def test_the_cut_is_a_days_beginning_and_divides_no_period(bank: Bank) -> None:
    await bank.hub.currency("YE", "BANK", expiry=ExpiryKind.END_OF_YEAR, months=24, time_zone=SHANGHAI)
    noon, june = LAST + timedelta(hours=12), start_of(datetime(YEAR - 1, 6, 1, tzinfo=UTC).date(), SHANGHAI)
    for currency, cut in (("BP", noon), ("YE", june), ("BP", datetime.now(UTC) + timedelta(days=9))):
        with pytest.raises(InvalidInput):
            await bank.order(currency=currency, earned_before=cut)
    await bank.issue("x", 3, BEFORE_LAST, "YE")
    await bank.issue("x", 4, LAST, "YE")
    assert (await bank.clear(currency="YE", earned_before=new_year(YEAR - 1))).cleared == 3
    assert (await bank.clear(earned_before=june)).cleared == 0


async def test_held_points_stay_until_another_clearing(bank: Bank) -> None:
    await bank.issue("x", 300, BEFORE_LAST)
    await bank.issue("x", 200, LAST)
    held = await bank.hold("x", 120)  # of the 300, which end first
    done = await bank.clear()
    assert (done.cleared, done.pinned, await bank.left("x")) == (180, 120, 320)
    await bank.hub.do(commands.ReleaseHold(actor=bank.hub.admin, key=bank.key(), hold=held.id))
    assert (await bank.clear()).cleared == 120
    await bank.hold("x", 150)
    everything = await bank.clear(ALL)
    assert (everything.cleared, everything.pinned, await bank.left("x")) == (50, 150, 150)


async def test_a_frozen_account_stays_as_it_is(bank: Bank) -> None:
    await bank.issue("x", 300, BEFORE_LAST)
    await bank.hub.sql("UPDATE account SET marks = 1 WHERE kind = 1")
    done = await bank.clear()
    assert (done.cleared, done.pinned, await bank.left("x")) == (0, 300, 300)


async def test_an_interrupted_clearing_goes_on_and_takes_from_nobody_twice(bank: Bank) -> None:
    hub, size = bank.hub, Size(accounts=3, lots=100)
    for number in range(10):
        await bank.issue(f"c{number}", 10, BEFORE_LAST)
    run = await bank.order(ALL)

    async def once(_: float) -> bool:
        return False

    stopped = await clearings.work_off(hub.database, hub.engine, run, size=size, rest=once)
    assert (stopped.status, stopped.accounts, stopped.cleared) == (ClearingStatus.RUNNING, 3, 30)
    await bank.issue("c0", 5, None)  # it has passed by
    other = hub.beside()
    try:
        await other.reading.refresh()
        ends = await asyncio.gather(
            clearings.work_off(hub.database, hub.engine, stopped, size=size),
            clearings.work_off(other.database, other.engine, run, size=size),  # from where it no longer stands
        )
    finally:
        await other.close()
    [stands] = await hub.sql("SELECT status, accounts, cleared FROM clearing")
    assert tuple(stands) == ("DONE", 10, 100), ends
    assert await bank.left("c0") == 5
    assert (await hub.sql("SELECT count(*), sum(amount) FROM movement WHERE kind = 14"))[0][1] == 100
    assert await clearings.begun(hub.database) == []


async def test_it_begins_at_its_time_and_can_be_cancelled(bank: Bank) -> None:
    await bank.issue("x", 300, BEFORE_LAST)
    run = await bank.order(starts_at=datetime.now(UTC) + timedelta(hours=1))
    assert run.status_at(datetime.now(UTC)) is ClearingStatus.SCHEDULED
    assert await clearings.begun(bank.hub.database) == []
    untouched = await clearings.work_off(bank.hub.database, bank.hub.engine, run)
    assert (untouched, await bank.left("x")) == (run, 300)
    ended = await bank.hub.do(commands.CancelClearing(actor=bank.hub.admin, id=run.id))
    assert ended.status is ClearingStatus.CANCELLED
    with pytest.raises(InvalidInput):
        await bank.hub.do(commands.CancelClearing(actor=bank.hub.admin, id=run.id))
    with pytest.raises(InvalidInput):
        await bank.order(starts_at=datetime.now(UTC) - timedelta(hours=1))


async def test_one_request_is_one_clearing(bank: Bank) -> None:
    first = await bank.hub.try_(bank.wanted(key="same"))
    again = await bank.hub.try_(bank.wanted(key="same"))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.result == first.result


async def test_only_the_issuers_administrator_and_the_operator_order_and_cancel(bank: Bank) -> None:
    run = await bank.order(starts_at=datetime.now(UTC) + timedelta(hours=1))
    admin, _ = await bank.hub.key("BANK", Role.INSTITUTION_ADMIN)
    trader, _ = await bank.hub.key("BANK", Role.INSTITUTION_TRADER)
    other, _ = await bank.hub.key("OTHER", Role.INSTITUTION_ADMIN)
    for actor in (trader, other):
        with pytest.raises(Forbidden):
            await bank.order(actor=actor)
    with pytest.raises(Forbidden):
        await bank.hub.do(commands.CancelClearing(actor=trader, id=run.id))
    with pytest.raises(NotFound):
        await bank.hub.do(commands.CancelClearing(actor=other, id=run.id))
    assert (await bank.order(actor=admin)).credential == admin
    assert (await bank.hub.do(commands.CancelClearing(actor=admin, id=run.id))).status is ClearingStatus.CANCELLED
    chunk = commands.Clear(actor=admin, clearing=run.id, after=0, through=0, accounts=(), last=True)
    with pytest.raises(Forbidden):
        await bank.hub.do(chunk)
