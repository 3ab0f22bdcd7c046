"""The model's calendar: days, and when points end. Shares nothing with ``hub``."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)


def local_day(at: datetime, zone: str) -> date:
    """The calendar day that it is there."""
    return at.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=4096)
def dawn(day: date, zone: str) -> datetime:
    """The first instant of a day there, found by looking at the clock every quarter of an hour."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while local_day(at, zone) < day:
        at += timedelta(minutes=15)
    return at


def end_of_life(kind: str, months: int | None, zone: str, earned: datetime) -> datetime:
    """The first instant at which points earned then are gone."""
    day = local_day(earned, zone)
    years, month = divmod(day.month - 1 + (months or 0), 12)
    year, month = day.year + years, month + 1
    next_month = date(year + month // 12, month % 12 + 1, 1)
    match kind:
        case "NEVER":
            return FOR_EVER
        case "MONTHS_AFTER_EARNING":
            last = next_month - timedelta(days=1)
            return dawn(date(year, month, min(day.day, last.day)) + timedelta(days=1), zone)
        case "END_OF_MONTH":
            return dawn(next_month, zone)
        case "END_OF_YEAR":
            return dawn(date(year + 1, 1, 1), zone)
    raise AssertionError(kind)


def period(kind: str, zone: str, at: datetime) -> str:
    """The day, month or year that it is there, as text."""
    day = local_day(at, zone)
    return {"DAY": f"{day:%Y-%m-%d}", "MONTH": f"{day:%Y-%m}", "YEAR": f"{day:%Y}"}[kind]
