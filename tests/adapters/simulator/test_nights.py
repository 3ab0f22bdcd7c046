"""When a programme that works by night does its orders."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.simulator.nights import next_night
from adapters.simulator.problems import WrongValue


@pytest.mark.parametrize(("nightly", "hour"), [("02:00", 2), ("12:00", 12), ("23:59", 23)])
def test_the_next_night_is_still_to_come(nightly: str, hour: int) -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    night = next_night(nightly, now)
    assert night is not None
    assert now < night <= now + timedelta(days=1)
    assert night.hour == hour


@pytest.mark.parametrize("nightly", ["2", "24:00", "soon", ""])
def test_a_night_that_is_none_is_said_so(nightly: str) -> None:
    with pytest.raises(WrongValue):
        next_night(nightly, datetime(2026, 3, 1, tzinfo=UTC))
