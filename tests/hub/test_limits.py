"""Limits as values: which version is in force, whom it concerns, which period an instant falls into."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.currencies import Expiry, ExpiryKind, PointCurrency, RateConsent
from hub.institutions import Institution, Kind, Status
from hub.limits import (
    Act,
    Limit,
    Measure,
    Mode,
    Period,
    Subject,
    concerning,
    held,
    in_force,
    is_known,
    measured,
    period_of,
    shown,
    subject_of,
    unit_of,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HUB, GROUP, BANK, BRANCH, AIR = 1, 2, 3, 4, 5
NEVER = Expiry(ExpiryKind.NEVER, None)
# 0.0333333 CNY a point of two decimals
BP = PointCurrency(
    20, "BP", "n", BANK, 2, 33_333_300_000, "CNY", NEVER, True, False, RateConsent.OPERATOR, "hosted"
)  # fmt: skip


def node(id: int, parent: int | None) -> Institution:
    return Institution(id, f"I{id}", "n", Kind.OTHER, Status.ACTIVE, parent, (), (), True)


TREE = {HUB: node(HUB, None), GROUP: node(GROUP, HUB), BANK: node(BANK, GROUP), BRANCH: node(BRANCH, BANK)}
TREE[AIR] = node(AIR, HUB)


LIMIT = Limit(
    id=100,
    family=100,
    version=1,
    owner=BANK,
    code="day",
    name="n",
    act=Act.ISSUE,
    currency=BP.id,
    target=None,
    institution=None,
    subject=Subject.CUSTOMER,
    period=Period.DAY,
    measure=Measure.POINTS,
    mode=Mode.REFUSE,
    zone="UTC",
    notice_days=0,
    amount=100,
    starts=NOW,
    configured_by="p",
    configured_at=NOW,
)


def test_the_version_that_started_last_is_in_force() -> None:
    second = replace(LIMIT, id=101, version=2, amount=50, starts=NOW + timedelta(days=2))
    between = replace(LIMIT, id=102, version=3, amount=None, starts=NOW + timedelta(days=1))
    versions = (LIMIT, between, second)
    assert in_force(versions, NOW - timedelta(microseconds=1)) is None
    assert in_force(versions, NOW) is LIMIT
    assert in_force(versions, NOW + timedelta(days=1)) is between
    assert in_force(versions, NOW + timedelta(days=300)) is second
    assert in_force((), NOW) is None


@pytest.mark.parametrize(
    ("institution", "target", "home", "into", "concerns"),
    [
        (None, None, AIR, None, True),
        (BANK, None, BANK, None, True),
        (BANK, None, BRANCH, None, True),
        (BANK, None, GROUP, None, False),
        (BANK, None, AIR, None, False),
        (None, 30, AIR, 30, True),
        (None, 30, AIR, 31, False),
        (None, 30, AIR, None, False),
    ],
)
def test_a_limit_concerns_customers_below_its_institution_and_its_pair(
    institution: int | None, target: int | None, home: int, into: int | None, concerns: bool
) -> None:
    limit = replace(LIMIT, institution=institution, target=target)
    assert concerning([(limit,)], TREE, home, into, NOW) == ([limit] if concerns else [])


def test_a_limit_that_is_lifted_or_to_come_concerns_nobody() -> None:
    assert concerning([(replace(LIMIT, amount=None),)], TREE, AIR, None, NOW) == []
    assert concerning([(LIMIT,)], TREE, AIR, None, NOW - timedelta(seconds=1)) == []


def test_its_terms_are_for_its_owner_those_above_and_those_it_binds() -> None:
    def known(institution: int | None, owner: int) -> set[int]:
        limit = replace(LIMIT, institution=institution, owner=owner)
        return {viewer for viewer in TREE if is_known(limit, TREE, viewer)}

    assert known(None, BANK) == {HUB, GROUP, BANK, BRANCH, AIR}
    assert known(BRANCH, BANK) == {HUB, GROUP, BANK, BRANCH}
    assert known(AIR, BANK) == {HUB, GROUP, BANK, AIR}
    assert known(GROUP, HUB) == {HUB, GROUP, BANK, BRANCH}


def test_for_whom_it_counts() -> None:
    found = {subject: subject_of(replace(LIMIT, subject=subject), 7, 8, BRANCH) for subject in Subject}
    assert found == {
        Subject.CUSTOMER: 7,
        Subject.ACCOUNT: 8,
        Subject.INSTITUTION: BRANCH,
        Subject.PROGRAMME: BP.id,
    }


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "at", "day", "month", "year"),
    [
        ("UTC", "2023-12-31T23:59:59.999999Z", "2023-12-31", "2023-12", "2023"),
        ("UTC", "2024-01-01T00:00:00Z", "2024-01-01", "2024-01", "2024"),
        # Midnight in Shanghai is 16:00 of the day before in UTC.
        ("Asia/Shanghai", "2023-12-31T15:59:59.999999Z", "2023-12-31", "2023-12", "2023"),
        ("Asia/Shanghai", "2023-12-31T16:00:00Z", "2024-01-01", "2024-01", "2024"),
        ("America/New_York", "2024-02-29T04:59:59Z", "2024-02-28", "2024-02", "2024"),
        ("America/New_York", "2024-03-01T05:00:00Z", "2024-03-01", "2024-03", "2024"),
        # Clocks go forward on 10 March 2024 at 07:00 UTC: the day has 23 hours, and the next begins at 04:00 UTC.
        ("America/New_York", "2024-03-10T05:00:00Z", "2024-03-10", "2024-03", "2024"),
        ("America/New_York", "2024-03-11T03:59:59.999999Z", "2024-03-10", "2024-03", "2024"),
        ("America/New_York", "2024-03-11T04:00:00Z", "2024-03-11", "2024-03", "2024"),
        # Clocks go back on 3 November 2024 at 06:00 UTC: the day has 25 hours; its 01:30 comes twice, in one period.
        ("America/New_York", "2024-11-03T04:00:00Z", "2024-11-03", "2024-11", "2024"),
        ("America/New_York", "2024-11-03T05:30:00Z", "2024-11-03", "2024-11", "2024"),
        ("America/New_York", "2024-11-03T06:30:00Z", "2024-11-03", "2024-11", "2024"),
        ("America/New_York", "2024-11-04T04:59:59.999999Z", "2024-11-03", "2024-11", "2024"),
        ("America/New_York", "2024-11-04T05:00:00Z", "2024-11-04", "2024-11", "2024"),
        # Samoa left out 30 December 2011.
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29", "2011-12", "2011"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31", "2011-12", "2011"),
        # Half an hour, and a midnight that clocks skip: Lebanon, 31 March 2024, 22:00 UTC of the 30th.
        ("Asia/Kolkata", "2024-01-31T18:29:59Z", "2024-01-31", "2024-01", "2024"),
        ("Asia/Kolkata", "2024-01-31T18:30:00Z", "2024-02-01", "2024-02", "2024"),
        ("Asia/Beirut", "2024-03-30T21:59:59Z", "2024-03-30", "2024-03", "2024"),
        ("Asia/Beirut", "2024-03-30T22:00:00Z", "2024-03-31", "2024-03", "2024"),
    ],
)
def test_periods_are_the_calendar_s_in_the_limit_s_time_zone(
    zone: str, at: str, day: str, month: str, year: str
) -> None:
    found = [period_of(period, zone, instant(at)) for period in (Period.DAY, Period.MONTH, Period.YEAR)]
    assert found == [day, month, year]
    assert period_of(Period.BALANCE, zone, instant(at)) == ""


def test_every_hour_of_years_falls_into_the_day_that_a_clock_on_the_wall_shows() -> None:
    for zone in ("Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"):
        wall = ZoneInfo(zone)
        for hour in range(0, 3 * 366 * 24, 5):
            at = NOW - timedelta(days=4_000) + timedelta(hours=hour)
            local = at + (at.astimezone(wall).utcoffset() or timedelta())
            assert period_of(Period.DAY, zone, at) == f"{local.year}-{local.month:02}-{local.day:02}"


def test_what_an_act_counts_in_points_and_in_money() -> None:
    money = replace(LIMIT, measure=Measure.MONEY)
    assert measured(LIMIT, BP, 150, "CNY", 7) == 150
    # 1.50 points × 0.0333333 = 0.04999995 CNY, half up to the millionth
    assert measured(money, BP, 150) == held(money, BP, 150) == 50_000
    assert held(LIMIT, BP, 150) == 150
    assert measured(money, BP, 150, "CNY", 7) == 7  # what it settles
    assert measured(money, BP, 150, "USD", 7) == 50_000  # what it settles is in another money
    assert measured(money, BP, 150, None, None) == 50_000


def test_amounts_are_shown_in_the_limit_s_unit() -> None:
    money = replace(LIMIT, measure=Measure.MONEY)
    assert (unit_of(LIMIT, BP), shown(LIMIT, BP, 12_345)) == ("BP", "123.45")
    assert (unit_of(money, BP), shown(money, BP, 12_345)) == ("CNY", "0.012345")
