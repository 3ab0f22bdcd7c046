"""A loop whose time passes only when nothing else is to be done, and then at once: the same tasks run in the same order
every time, and an hour costs nothing."""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
_SECOND = 1_000_000  # microseconds


class _Timeless(selectors.DefaultSelector):
    """Waits for no file, and never really."""

    def __init__(self) -> None:
        super().__init__()
        self.microseconds = 0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise AssertionError("everything waits for ever")
        if timeout > 0:
            self.microseconds += math.ceil(timeout * _SECOND)
        return []


class Loop(asyncio.SelectorEventLoop):
    """Time begins at 0."""

    def __init__(self) -> None:
        self._timeless = _Timeless()
        super().__init__(self._timeless)
        self._clock_resolution = 1 / _SECOND

    def time(self) -> float:
        return self._timeless.microseconds / _SECOND

    def passed(self) -> timedelta:
        """Since the loop began."""
        return timedelta(microseconds=self._timeless.microseconds)


class Time:
    """The time of a hub and its partners: the loop's. As the engine's clock no two of its times are equal; ``told`` is
    all that it said as that."""

    def __init__(self, loop: Loop, start: datetime) -> None:
        self._loop, self._start = loop, start
        self.told: list[datetime] = []

    def now(self) -> datetime:
        return self._start + self._loop.passed()

    def __call__(self, _database: datetime) -> datetime:
        after = self.told[-1] + timedelta(microseconds=1) if self.told else self._start
        self.told.append(max(self.now(), after))
        return self.told[-1]


def run(loop: Loop, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to on a loop of its own, which ends with it."""
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
