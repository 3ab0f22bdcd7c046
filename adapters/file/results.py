"""Results: which file of the partner's is believed, and what it says of each order.

A file is believed whole or not at all: it has come to its end, its digest and its totals fit, and it answers every
order of its batch, each in one way. From then on our own copy counts, so that whatever comes later under the same name
changes nothing. A file that is wrong changes nothing either, until another is in its place.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
import structlog

from adapters.file import durable, tables
from adapters.file.batches import LOCK_S_MAX, Batches, Composed, results_file_of
from adapters.file.configuration import Configuration, Outcome
from adapters.file.tables import Asked, Malformed, Told

log = structlog.get_logger()

_KEPT_MAX: Final = 64  # batches in memory
_SETTLED_S: Final = 2  # a file that was changed since then may be changed again without its time showing it
_SLACK: Final = timedelta(days=1)

Signature = tuple[int, int, int]


class Wrong(Exception):
    """A file of results is not believed; the message is for people."""


class Results:
    """What the partner said, batch by batch. Blocking; used from the thread that has the batches."""

    def __init__(self, configuration: Configuration, batches: Batches) -> None:
        self._configuration = configuration
        self._batches = batches
        self._kept: OrderedDict[str, dict[str, Told]] = OrderedDict()
        self._unusable: dict[str, tuple[Signature, str | None]] = {}  # and what is wrong; None: it is cut short

    def of(self, composed: Composed) -> dict[str, Told] | None:
        """What the partner said of a batch's orders, by reference; None: it has not, as yet.

        Raises:
            Wrong: it says something that is not believed.
            NotReady, Busy, OSError: it cannot be read, or not be kept.
        """
        name = composed.batch.name
        if name not in self._kept:
            raw = durable.read(self._batches.believed / f"{name}.json")
            found = self._new(composed) if raw is None else msgspec.json.decode(raw, type=list[Told])
            if found is None:
                return None
            self._kept[name] = {told.reference: told for told in found}
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return self._kept[name]

    def done(self, day: date) -> Iterator[tuple[Asked, Told]]:
        """What the partner says that it did on a day of its own.

        Raises:
            Wrong: the day's file is not believed.
            LookupError: it has not come.
            NotReady, Busy, OSError: as ``of``.
        """
        begins = self._configuration.begins(day)
        for name in self._batches.names(since=date.min):
            if name[:8] > (day + _SLACK).isoformat().replace("-", ""):
                break
            if self._was_over(name, begins):
                continue
            composed = self._batches.batch(name)
            found = self.of(composed)
            if found is None and name.startswith(day.isoformat().replace("-", "")):
                raise LookupError(f"The results of {name} have not come.")
            for told in (found or {}).values():
                if told.outcome is Outcome.DONE and told.at and self._configuration.day(told.at) == day:
                    yield composed.orders[told.reference], told

    def _was_over(self, name: str, begins: datetime) -> bool:
        """Whether a batch's results were all there before an instant."""
        try:
            kept = (self._batches.believed / f"{name}.json").stat().st_mtime
        except FileNotFoundError:
            return False
        return kept < (begins - _SLACK).timestamp()

    def _new(self, composed: Composed) -> list[Told] | None:
        name = composed.batch.name
        path = self._batches.incoming / results_file_of(name)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        signature = (found.st_mtime_ns, found.st_size, found.st_ino)
        if (known := self._unusable.get(name)) is not None and known[0] == signature:
            _complain(name, known[1])
            return None
        try:
            raw = durable.read(path)
            if raw is None:
                return None
            wrong = None
            if tables.is_whole(raw, self._configuration):
                answers = self._answers(composed, tables.told(raw, self._configuration))
                self._believe(name, answers)
                return answers
        except (Malformed, durable.NoFile) as error:
            wrong = str(error)
            log.warning("results not believed", batch=name, wrong=wrong)
        if found.st_mtime < time.time() - _SETTLED_S:
            self._unusable[name] = (signature, wrong)
        _complain(name, wrong)
        return None

    def _answers(self, composed: Composed, rows: list[Told]) -> list[Told]:
        """One answer to each order of the batch."""
        name, found = composed.batch.name, dict[str, Told]()
        for told in rows:
            asked = composed.orders.get(told.reference)
            if asked is None:
                log.warning("result of no order", batch=name, reference=told.reference[:60])
            elif asked.operation is not told.operation:
                raise Malformed(f"it calls {told.reference} a {told.operation}")
            elif told.outcome is not Outcome.DUPLICATE and found.setdefault(told.reference, told) != told:
                raise Malformed(f"it answers {told.reference} in two ways")
        if missing := composed.orders.keys() - found.keys():
            raise Malformed(f"it does not answer {len(missing)} orders, {min(missing)} among them")
        return list(found.values())

    def _believe(self, name: str, answers: list[Told]) -> None:
        with self._batches.alone(time.monotonic() + LOCK_S_MAX):
            path = self._batches.believed / f"{name}.json"
            if durable.read(path) is None:
                durable.write(path, msgspec.json.encode(answers))


def _complain(name: str, wrong: str | None) -> None:
    if wrong is not None:
        raise Wrong(f"The file {results_file_of(name)} is not believed: {wrong}.")
