"""Our side of the folder: orders are staged, and go out together in one file, once.

    outgoing/   orders-20260301-001.csv, for the partner, who may take them away
    incoming/   results-20260301-001.csv, by the partner; only ever read
    hub/        ours alone: staged/ ready/ composed/ believed/ sent/, the locks, and whose folder it is

The three are made by whoever runs the machine and never by the hub: a folder that is not mounted must not look like one
in which nothing was ever staged. All of it is on one file system.

A batch is decided by its file in ``composed``. Before that ``ready`` has what goes out, which is moved there as the
last step; so after a crash what is ready goes out if it was decided, and is thrown away if not.
"""

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from adapters.file import durable, tables
from adapters.file.configuration import Configuration
from adapters.file.tables import Asked
from hub.partners import Order

NAME: Final = re.compile(r"[0-9]{8}-[0-9]{3,}")
LOCK_S_MAX: Final = 5
_KEPT_MAX: Final = 64  # batches in memory
_SLACK: Final = timedelta(days=2)  # by which clocks and zones may differ
_REFERENCE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,39}")


class NotReady(Exception):
    """The folder is not there, or is not as it was made: nothing can be told by it."""


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was taken. ``staged_at``: when, which decides the batch."""

    asked: Asked
    staged_at: datetime


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The orders of one file. ``sha256``: of the file, as it went out."""

    name: str
    sha256: str
    orders: tuple[Asked, ...]


class Composed(msgspec.Struct, frozen=True):
    """A batch, and its orders by reference."""

    batch: Batch
    orders: dict[str, Asked]


class Batches:
    """The folder of one partner. Blocking; used from one thread."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        root = Path(configuration.folder)
        self.outgoing, self.incoming, self.ours = root / "outgoing", root / "incoming", root / "hub"
        self.staged, self.ready = self.ours / "staged", self.ours / "ready"
        self.composed, self.believed, self.sent = self.ours / "composed", self.ours / "believed", self.ours / "sent"
        self._kept: OrderedDict[str, Composed] = OrderedDict()

    def check(self) -> None:
        """Whether the folder is there.

        Raises:
            NotReady: it is not.
        """
        missing = [folder.name for folder in (self.outgoing, self.incoming, self.ours) if not folder.is_dir()]
        if missing:
            raise NotReady(f"The partner's folder lacks {', '.join(missing)}.")

    @contextmanager
    def alone(self, until: float) -> Iterator[None]:
        """Be the only one who writes. ``until``: of the monotonic clock, how long is waited.

        Raises:
            NotReady, Busy, OSError: it cannot be had.
        """
        self.check()
        with durable.locked(self.ours / "lock", until):
            for folder in (self.staged, self.ready, self.composed, self.believed, self.sent):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700)
                    durable.sync(self.ours)
            yield

    def find(self, order: Order) -> tuple[Asked, Composed | None] | None:
        """An order of the reference, and its batch once it has one; None: none was ever staged.

        Staged orders are looked at first, because an order is composed before it ceases to be staged.
        """
        self.check()
        if not _REFERENCE.fullmatch(order.reference):
            return None
        raw = durable.read(self.staged / f"{order.reference}.json")
        for name in self.names(since=self._configuration.day(order.asked_at) - _SLACK):
            found = self.batch(name)
            if order.reference in found.orders:
                return found.orders[order.reference], found
        return None if raw is None else (msgspec.json.decode(raw, type=Staged).asked, None)

    def stage(self, asked: Asked, order: Order, at: datetime) -> None:
        """Take an order, for good when this returns. Only alone, and if there is none of the reference.

        Raises:
            Unwritable: it cannot be written into a file.
            NotReady: the folder is another currency's.
        """
        if not _REFERENCE.fullmatch(asked.reference):
            raise tables.Unwritable("the reference has other characters than capital letters, digits and hyphens")
        tables.check(asked, self._configuration)
        self._is_of(order.currency)
        staged = Staged(asked=asked, staged_at=at)
        durable.write(self.staged / f"{asked.reference}.json", msgspec.json.encode(staged))

    def compose(self, day: date, until: datetime) -> str | None:
        """Let all orders that were staged up to ``until`` go out in one file of ``day``; its name, or None if there
        are none. Only alone. What another process left undone is finished first."""
        self._finish()
        waiting = [one for one in self._waiting() if one.staged_at <= until]
        if not waiting:
            return None
        orders = tuple(sorted((one.asked for one in waiting), key=lambda one: (one.asked_at, one.reference)))
        number = 1 + sum(name.startswith(_digits(day)) for name in self.names(since=day))
        name = f"{_digits(day)}-{number:03d}"
        content = tables.written(orders, self._configuration)
        batch = Batch(name=name, sha256=hashlib.sha256(content).hexdigest(), orders=orders)
        durable.write(self.ready / file_of(name), content, 0o640)
        durable.write(self.composed / f"{name}.json", msgspec.json.encode(batch))
        self._finish()
        return name

    def names(self, since: date) -> list[str]:
        """The batches of a day and later ones, in their order."""
        try:
            found = [path.stem for path in self.composed.glob("*.json") if NAME.fullmatch(path.stem)]
        except FileNotFoundError:
            return []
        return sorted((one for one in found if one >= _digits(since)), key=lambda one: (one[:8], int(one[9:])))

    def batch(self, name: str) -> Composed:
        """A batch that was composed."""
        if name not in self._kept:
            raw = durable.read(self.composed / f"{name}.json")
            if raw is None:
                raise NotReady(f"The batch {name} is gone.")
            batch = msgspec.json.decode(raw, type=Batch)
            self._kept[name] = Composed(batch, {asked.reference: asked for asked in batch.orders})
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return self._kept[name]

    def awaited(self) -> list[str]:
        """The batches that went out, and whose results have not been believed so far."""
        return [name for name in self.names(since=date.min) if not (self.believed / f"{name}.json").exists()]

    def going_out(self) -> list[Path]:
        """The files of orders that lie in ``outgoing``, in their order.

        Raises:
            NotReady: the folder is not there.
        """
        self.check()
        return sorted(self.outgoing.glob("orders-*.csv"))

    def _waiting(self) -> list[Staged]:
        raws = [durable.read(path) for path in self.staged.glob("*.json")]
        return [msgspec.json.decode(raw, type=Staged) for raw in raws if raw is not None]

    def _finish(self) -> None:
        """Let out what was decided, and throw away what was not. What is unfinished is still ready."""
        for path in list(self.ready.glob("orders-*.csv")):
            name = path.stem.removeprefix("orders-")
            if not (self.composed / f"{name}.json").exists():
                os.unlink(path)
                continue
            for reference in self.batch(name).orders:
                (self.staged / f"{reference}.json").unlink(missing_ok=True)
            durable.sync(self.staged)
            durable.move(path, self.outgoing / path.name)

    def _is_of(self, currency: str) -> None:
        path = self.ours / "currency"
        kept = durable.read(path)
        if kept is None:
            durable.write(path, currency.encode())
        elif kept != currency.encode():
            raise NotReady("The folder is of another point currency.")


def file_of(name: str) -> str:
    """The file of orders of a batch."""
    return f"orders-{name}.csv"


def results_file_of(name: str) -> str:
    """The partner's file of the results of a batch."""
    return f"results-{name}.csv"


def _digits(day: date) -> str:
    return day.isoformat().replace("-", "")
