"""Time: the database's clock for whatever is stored, this process's for what only waits.

Business code is given its time. The engine reads the database's clock under the journal's lock, so that the times of
acts follow their order whichever process decides them.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """This host's time in UTC; for pre-checks and displays only."""
    return datetime.now(UTC)
