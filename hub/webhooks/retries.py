"""Retries: when an event that was not taken in is sent again. Pure.

The specification's schedule: at once, after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and 24 hours; three days
and three and a half hours in all. Each pause is longer by up to a tenth, so that endpoints which failed together are
not all asked together again.
"""

from datetime import timedelta
from typing import Final

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
ATTEMPTS_MAX: Final = len(PAUSES) + 1
JITTER: Final = 1_000  # thousandths that are drawn from, of the tenth


def pause(attempts: int, drawn: int) -> timedelta | None:
    """How long to wait after so many failed attempts (at least one); None: that was the last. ``drawn``: 0 to 1,000,
    the jitter."""
    if attempts > len(PAUSES):
        return None
    base = PAUSES[attempts - 1]
    return base + base * drawn // (10 * JITTER)
