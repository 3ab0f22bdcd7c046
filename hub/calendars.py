"""Calendars: when the windows of a settlement model are due to close. Pure.

A cut-off is a time of the day on the local clock of a time zone, on some days of the week but not on holidays. It comes
at the first instant at which that day's clock shows it or more: a time that the clock jumps over comes with the jump,
and one that it shows twice comes at the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SEARCH_DAYS_MIN = 14  # a week has a day of business, unless it is a holiday
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """``cut_offs`` in ascending order, to the minute; ``weekdays`` as in ISO 8601, Monday is 1; ``zone``: IANA."""

    zone: str
    cut_offs: tuple[time, ...]
    weekdays: tuple[int, ...]
    holidays: tuple[date, ...] = ()

    def is_business(self, day: date) -> bool:
        """Whether windows are closed on a day."""
        return day.isoweekday() in self.weekdays and day not in self.holidays


def next_cut_off(calendar: Calendar, after: datetime) -> datetime | None:
    """The first cut-off later than ``after``, in UTC; None: there is none, because time ends before."""
    zone = ZoneInfo(calendar.zone)
    for day in _days(after.astimezone(zone).date() - _DAY, SEARCH_DAYS_MIN + 7 * len(calendar.holidays)):
        if calendar.is_business(day):
            for cut_off in calendar.cut_offs:
                instant = _instant(datetime.combine(day, cut_off), zone)
                if instant > after:
                    return instant
    return None


def _days(first: date, days: int) -> Iterator[date]:
    for number in range(min(days, (date.max - _DAY - first).days)):
        yield first + number * _DAY


def _instant(shown: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which a zone's clock shows ``shown`` or more."""
    usual = shown.replace(tzinfo=zone).astimezone(UTC)  # of two the first
    if _clock(usual, zone) == shown:
        return usual
    # The clock jumps over it, between the instants that the offsets after and before the jump give.
    early, late = shown.replace(tzinfo=zone, fold=1).astimezone(UTC), usual
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if _clock(middle, zone) >= shown:
            late = middle
        else:
            early = middle
    return late


def _clock(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)
