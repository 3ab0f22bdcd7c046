"""When points end: the examples of the rules, and an independent calculation that walks the calendar day by day."""

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.currencies import Expiry, ExpiryKind
from hub.expiry import NEVER, day_of, end_of, is_zone, start_of

SHANGHAI, BERLIN, NEW_YORK = "Asia/Shanghai", "Europe/Berlin", "America/New_York"
SANTIAGO = "America/Santiago"  # where clocks are put forward at midnight, so that days begin at 01:00
ZONES = ("UTC", SHANGHAI, BERLIN, NEW_YORK, SANTIAGO, "Pacific/Kiritimati", "Asia/Kathmandu")
ROLLING, MONTH_END, YEAR_END = ExpiryKind.MONTHS_AFTER_EARNING, ExpiryKind.END_OF_MONTH, ExpiryKind.END_OF_YEAR


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def last_day(kind: ExpiryKind, months: int | None, zone: str, earned: datetime) -> date:
    """The last day on which the points are good."""
    return day_of(end_of(Expiry(kind, months), zone, earned) - timedelta(microseconds=1), zone)


@pytest.mark.parametrize(
    ("kind", "months", "earned", "last"),
    [
        (ROLLING, 12, "2024-03-10", "2025-03-10"),  # the day of earning is not counted
        (ROLLING, 12, "2024-02-29", "2025-02-28"),  # there is no such day: the last of the month
        (ROLLING, 24, "2023-02-28", "2025-02-28"),  # two years
        (ROLLING, 36, "2021-02-28", "2024-02-28"),  # not the 29th, which is another day
        (ROLLING, 12, "2024-12-31", "2025-12-31"),
        (ROLLING, 1, "2024-01-31", "2024-02-29"),
        (MONTH_END, None, "2024-02-01", "2024-02-29"),
        (MONTH_END, 12, "2024-02-29", "2025-02-28"),
        (MONTH_END, 1, "2024-01-31", "2024-02-29"),  # one month on, not 31 days
        (YEAR_END, None, "2024-01-01", "2024-12-31"),
        (YEAR_END, 12, "2024-12-31", "2025-12-31"),
        (YEAR_END, 1, "2024-12-31", "2025-12-31"),  # January's year
    ],
)
@pytest.mark.parametrize("zone", ZONES)
def test_the_last_day(kind: ExpiryKind, months: int | None, earned: str, last: str, zone: str) -> None:
    day = date.fromisoformat(earned)
    first, end = start_of(day, zone), start_of(day + timedelta(days=1), zone)
    for at in (first, first + timedelta(hours=12), end - timedelta(microseconds=1)):
        assert last_day(kind, months, zone, at) == date.fromisoformat(last)


def test_the_first_instant_at_which_they_are_gone_is_midnight_where_the_programme_is() -> None:
    policy = Expiry(ROLLING, 12)
    # 2024-03-10 12:00 in Shanghai; gone at 2025-03-11 00:00 there, 16:00 the day before in UTC
    assert end_of(policy, SHANGHAI, utc("2024-03-10T04:00:00")) == utc("2025-03-10T16:00:00")
    # in UTC still the 9th of March, in Shanghai the 10th
    assert end_of(policy, SHANGHAI, utc("2024-03-09T16:00:00")) == utc("2025-03-10T16:00:00")
    # earned in winter and gone in summer: midnight in Berlin is then 22:00 UTC, two hours ahead
    assert end_of(Expiry(ROLLING, 6), BERLIN, utc("2024-01-15T12:00:00")) == utc("2024-07-15T22:00:00")
    # the night in which clocks are put forward (at 02:00) begins as always
    assert end_of(Expiry(ROLLING, 1), BERLIN, utc("2024-02-29T12:00:00")) == utc("2024-03-29T23:00:00")
    assert start_of(date(2024, 3, 31), BERLIN) == utc("2024-03-30T23:00:00")
    assert start_of(date(2024, 4, 1), BERLIN) == utc("2024-03-31T22:00:00")  # a day of 23 hours
    # Santiago's 8 September 2024 has no midnight: it begins at 01:00, which is 04:00 UTC, as the 7th ends
    assert start_of(date(2024, 9, 8), SANTIAGO) == utc("2024-09-08T04:00:00")
    assert end_of(Expiry(YEAR_END, None), SHANGHAI, utc("2024-12-31T15:59:59")) == utc("2024-12-31T16:00:00")
    assert end_of(Expiry(YEAR_END, None), SHANGHAI, utc("2024-12-31T16:00:00")) == utc("2025-12-31T16:00:00")


def test_a_day_at_either_end_of_the_calendar_begins_within_it() -> None:
    # midnight of 0001-01-01 in Shanghai is in the year before in UTC, that of 9999-12-31 in Santiago is still in 9999
    assert start_of(date.min, SHANGHAI) == datetime.min.replace(tzinfo=UTC)
    assert start_of(date.min, SANTIAGO) > datetime.min.replace(tzinfo=UTC)
    assert start_of(date.max, SANTIAGO) < datetime.max.replace(tzinfo=UTC)


def test_points_that_never_end() -> None:
    assert end_of(Expiry(ExpiryKind.NEVER, None), SHANGHAI, utc("2024-02-29T00:00:00")) == NEVER


def counted(kind: ExpiryKind, months: int, earned: date) -> date:
    """The last day, by counting: month by month from the first of a month, then to the day, or to the end."""
    first = earned.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(days=32)).replace(day=1)
    if kind is YEAR_END:
        return date(first.year, 12, 31)
    lengths = [31, 29 if isleap(first.year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    length = lengths[first.month - 1]
    return first.replace(day=length if kind is MONTH_END else min(earned.day, length))


@given(
    st.sampled_from([ROLLING, MONTH_END, YEAR_END]),
    st.integers(1, 60),
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
def test_ends_are_those_of_the_calendar(kind: ExpiryKind, months: int, earned: datetime, zone: str) -> None:
    last = counted(kind, months, earned.astimezone(ZoneInfo(zone)).date())
    ends = end_of(Expiry(kind, months), zone, earned)
    assert (ends - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == last
    assert ends.astimezone(ZoneInfo(zone)).date() == last + timedelta(days=1)
    assert ends > earned


def test_time_zones_are_those_of_the_database_and_no_files_of_the_machine() -> None:
    assert all(map(is_zone, ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/Argentina/Ushuaia")))
    assert not any(map(is_zone, ("", "localtime", "Asia", "asia/shanghai", "/etc/localtime", "../UTC", "UTC\0", "+08")))
