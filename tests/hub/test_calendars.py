"""Calendars: the next cut-off, by the clock of a time zone. Against brute force, minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.calendars import Calendar, next_cut_off

MINUTE = timedelta(minutes=1)
# Half an hour of summer time; a jump at midnight; clocks that go back at midnight; a day that never was (2011-12-30).
ZONES = ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut", "Pacific/Apia")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def by_brute_force(calendar: Calendar, after: datetime, until: datetime) -> datetime | None:
    """The first minute after ``after`` in which a cut-off of some day comes for the first time."""
    zone = ZoneInfo(calendar.zone)
    instant = after.replace(second=0, microsecond=0)
    shown = datetime.min
    earlier = instant - timedelta(days=2)  # what the clock has shown before cannot come again
    while earlier < instant:
        shown = max(shown, earlier.astimezone(zone).replace(tzinfo=None))
        earlier += MINUTE
    while instant <= until:
        clock = instant.astimezone(zone).replace(tzinfo=None)
        day = shown.date()
        while day <= clock.date():
            cut_offs = (datetime.combine(day, of) for of in calendar.cut_offs if calendar.is_business(day))
            if instant > after and any(shown < of <= clock for of in cut_offs):
                return instant
            day += timedelta(days=1)
        shown = max(shown, clock)
        instant += MINUTE
    return None


# To the minute; and one that is written, as all of them are, says nothing of which of two it is when clocks go back.
WRITTEN = st.times().map(lambda of: of.replace(second=0, microsecond=0, fold=0))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar, and an instant within two days of a change of its clock, or any."""
    name = draw(st.sampled_from(ZONES))
    changes = {
        "Europe/Berlin": ("2026-03-29", "2026-10-25"),
        "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
        "America/Santiago": ("2026-04-05", "2026-09-06"),
        "Asia/Beirut": ("2026-03-29", "2026-10-25"),
        "Pacific/Apia": ("2011-12-30", "2011-04-02"),
    }
    day = date.fromisoformat(draw(st.sampled_from(changes.get(name, ("2026-05-01",)))))
    start = datetime.combine(day, time(), UTC) + draw(st.integers(-2 * 1440, 2 * 1440)) * MINUTE
    calendar = Calendar(
        zone=name,
        cut_offs=tuple(sorted(draw(st.sets(WRITTEN, min_size=1, max_size=3)))),
        weekdays=tuple(sorted(draw(st.sets(st.integers(1, 7), min_size=3)))),
        holidays=tuple(
            sorted(draw(st.sets(st.sampled_from([day + timedelta(days=n) for n in range(-1, 3)]), max_size=2)))
        ),
    )
    return calendar, start + draw(st.sampled_from((timedelta(), timedelta(seconds=31))))


@settings(max_examples=60)
@given(cases())
@example((Calendar("Europe/Berlin", (time(2, 30),), (7,)), at("2026-03-28T12:00Z")))  # a time that is jumped over
@example((Calendar("Asia/Beirut", (time(0, 0),), (7,)), at("2026-03-28T12:00Z")))  # midnight, too
@example((Calendar("Europe/Berlin", (time(2, 30),), (7,)), at("2026-10-25T00:30Z")))  # the second 2:30 is none
@example((Calendar("Pacific/Apia", (time(9, 0),), (5,)), at("2011-12-29T12:00Z")))  # of a Friday that never was
def test_the_next_cut_off_is_the_first_minute_at_which_the_clock_shows_one(case: tuple[Calendar, datetime]) -> None:
    calendar, after = case
    until = after + timedelta(days=4)
    found = next_cut_off(calendar, after)
    assert (found if found is not None and found <= until else None) == by_brute_force(calendar, after, until)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-10-23T08:29:59.999999Z", "2026-10-23T08:30Z"),  # Friday, 16:29 in Shanghai
        ("2026-10-23T08:30:00Z", "2026-10-26T08:30Z"),  # over the weekend
        ("2026-09-30T08:30:00Z", "2026-10-08T08:30Z"),  # over the week of the holiday
    ],
)
def test_a_cut_off_is_on_business_days_and_later_than_what_is_asked_from(after: str, expected: str) -> None:
    holidays = tuple(date(2026, 10, day) for day in range(1, 8))
    calendar = Calendar("Asia/Shanghai", (time(16, 30),), (1, 2, 3, 4, 5), holidays)
    assert next_cut_off(calendar, at(after)) == at(expected)


def test_a_holiday_every_week_for_years_does_not_hide_the_first_business_day_after_them() -> None:
    mondays = tuple(date(2026, 1, 5) + timedelta(weeks=number) for number in range(150))
    calendar = Calendar("Asia/Shanghai", (time(9, 0),), (1,), mondays)
    assert next_cut_off(calendar, at("2026-01-01T00:00Z")) == at("2028-11-20T01:00Z")  # 150 weeks after 2026-01-05


def test_time_ends_before_the_last_cut_off() -> None:
    assert next_cut_off(Calendar("UTC", (time(9, 0),), (1,)), datetime(9999, 12, 31, tzinfo=UTC)) is None
