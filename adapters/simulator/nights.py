"""When a programme that works by night does its orders."""

from datetime import UTC, datetime, timedelta

from adapters.simulator.problems import WrongValue


def next_night(nightly: str, now: datetime) -> datetime | None:
    """The first instant after ``now`` at which the clock (UTC) shows ``nightly``; None for "asked".

    Raises:
        WrongValue: it is neither.
    """
    if nightly == "asked":
        return None
    try:
        clock = datetime.strptime(nightly, "%H:%M")
    except ValueError:
        raise WrongValue(
            f"A night begins at a time such as 02:00, or when asked; not at {nightly}.", "nightly"
        ) from None
    tonight = now.astimezone(UTC).replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return tonight if tonight > now else tonight + timedelta(days=1)
