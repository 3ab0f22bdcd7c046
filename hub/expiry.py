"""Expiry: when points end, by their currency's policy and calendar.

The day of earning is not counted, the last day is valid to its end in the programme's time zone, and a day that its
month does not have is the last one of that month (PRC Civil Code, articles 201 and 202): earned on 2024-03-10 for
twelve months, points are valid through 2025-03-10 and gone at 2025-03-11 00:00. Pure.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hub.currencies import Expiry, ExpiryKind

NEVER = datetime(9999, 12, 31, tzinfo=UTC)  # the end of points that have none; sorts after every other


def end_of(policy: Expiry, zone: str, earned_at: datetime) -> datetime:
    """The first instant at which points earned at ``earned_at`` are gone, in UTC; NEVER if they do not end."""
    if policy.kind is ExpiryKind.NEVER:
        return NEVER
    earned, months = day_of(earned_at, zone), policy.months or 0
    match policy.kind:
        case ExpiryKind.MONTHS_AFTER_EARNING:
            last = months_later(earned, months)
        case ExpiryKind.END_OF_MONTH:
            last = end_of_month(months_later(earned.replace(day=1), months))
        case ExpiryKind.END_OF_YEAR:
            last = date(months_later(earned.replace(day=1), months).year, 12, 31)
    return start_of(last + timedelta(days=1), zone)


def day_of(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a time zone."""
    return at.astimezone(_zone(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The first instant of a calendar day in a time zone, in UTC; that of the calendar, if the day begins before it."""
    try:
        return datetime(day.year, day.month, day.day, tzinfo=_zone(zone)).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def months_later(day: date, months: int) -> date:
    """The same day ``months`` later; the last of its month where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of_month(day: date) -> date:
    """The last day of the day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def is_zone(name: str) -> bool:
    """Whether ``name`` is a time zone of the IANA database, on every machine alike."""
    return name in _zones() and name != "localtime"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # which looks through the database's folders each time


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
