"""Notices: each end of a customer's points is said once, the policy's days before, by the programme's calendar."""

from datetime import UTC, datetime, timedelta

from hub import notices
from hub.currencies import Expiry, ExpiryKind, PointCurrency, RateConsent
from hub.expiry import day_of, start_of
from hub.ledger import commands
from hub.ledger.commands import Party, PolicyTerms
from hub.notices import Notice, horizon, notify
from tests.conftest import Hub

SHANGHAI = "Asia/Shanghai"


def now() -> datetime:
    return datetime.now(UTC)


def in_days(days: int) -> datetime:
    """The end of points whose last day is so many days after today, in Shanghai."""
    return start_of(day_of(now(), SHANGHAI) + timedelta(days=days + 1), SHANGHAI)


async def issue(hub: Hub, who: str, amount: int, ends: datetime | None, currency: str = "BP") -> None:
    await hub.do(
        commands.Issue(
            actor=hub.admin, key=f"{who}-{amount}-{ends}-{currency}", currency=currency, to=Party("BANK", who),
            amount=str(amount), earned_at=None, expires_at=ends, memo=None,
        )
    )  # fmt: skip


async def made(hub: Hub, currency: str = "BP", **more: object) -> list[Notice]:
    wanted = {"homes": None, "since": None, "after": None, "rows_max": 100, **more}
    async with hub.reading.open(hub.admin) as reader:
        return await notices.of_currency(reader, currency, **wanted)  # type: ignore[arg-type]


def test_the_horizon_is_the_end_of_a_day_where_the_programme_is() -> None:
    of = PointCurrency(
        1, "BP", "BP", 1, 0, 1, "CNY", Expiry(ExpiryKind.NEVER, None), True, False, RateConsent.OPERATOR, "hosted",
        SHANGHAI,
    )  # fmt: skip
    late = datetime(2025, 11, 30, 15, 59, 59, tzinfo=UTC)  # 23:59:59 of the 30th in Shanghai
    # 30 days after 30 November is 30 December, which ends at 16:00 UTC
    assert horizon(of, late, 30) == datetime(2025, 12, 30, 16, tzinfo=UTC)
    assert horizon(of, late + timedelta(seconds=1), 30) == datetime(2025, 12, 31, 16, tzinfo=UTC)


async def test_each_end_is_said_once_and_not_again_when_the_amount_changes(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK", time_zone=SHANGHAI, policy=PolicyTerms(notice_days=10))
    await hub.currency("QUIET", "BANK", time_zone=SHANGHAI, policy=PolicyTerms(notice_days=0))
    await issue(hub, "x", 300, in_days(10))
    await issue(hub, "x", 40, in_days(3))
    await issue(hub, "x", 500, in_days(11))  # tomorrow's
    await issue(hub, "x", 7, None)
    await issue(hub, "y", 60, in_days(0))
    await issue(hub, "y", 1, in_days(1), "QUIET")
    await hub.reading.refresh()
    assert await notify(hub.database, hub.engine, now()) == 3
    found = await made(hub)
    told = sorted((one.customer.reference, one.amount, one.expires_at) for one in found)
    assert told == [("x", 40, in_days(3)), ("x", 300, in_days(10)), ("y", 60, in_days(0))]
    assert await made(hub, "QUIET") == []
    await issue(hub, "x", 5, in_days(3))
    assert await notify(hub.database, hub.engine, now()) == 0
    assert sorted(one.amount for one in await made(hub)) == [40, 60, 300]
    await issue(hub, "x", 9, in_days(5))  # new, and near its end already
    assert await notify(hub.database, hub.engine, now()) == 1
    assert await notify(hub.database, hub.engine, now() + timedelta(days=1)) == 1  # the day of the eleventh has come


async def test_notices_are_read_on_from_a_place_and_by_home(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.institution("OTHER")
    await hub.currency("BP", "BANK", time_zone=SHANGHAI)
    for number in range(7):
        await issue(hub, f"c{number}", 10 + number, in_days(number))
    await hub.reading.refresh()
    assert await notify(hub.database, hub.engine, now()) == 7
    whole = await made(hub)
    assert len(whole) == 7
    first = await made(hub, rows_max=3)
    assert first + await made(hub, after=first[-1].key) == whole
    codes = hub.engine.configuration.institution_codes
    assert await made(hub, homes=[codes["BANK"]]) == whole
    assert await made(hub, homes=[codes["OTHER"]]) == []
    assert await made(hub, since=now()) == []
