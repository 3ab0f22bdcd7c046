"""Reconciling: one day of one currency, from the three sides to a run that is kept.

Nothing of it is in the ledger until the last step, which is one command: whoever is killed before has changed nothing,
and whoever begins again compares anew. Two at once keep one run, because a command goes on from the last run that it
has seen. Partners are asked and files are read outside of any transaction; matching is done beside the event loop.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec
from sqlalchemy import and_

from hub import tables
from hub.currencies import HOSTED, PointCurrency
from hub.db import Database
from hub.errors import InvalidInput, PartnerUnavailable
from hub.expiry import day_of
from hub.ledger import break_rows
from hub.ledger.commands import Reconcile
from hub.ledger.engine import Engine
from hub.partners import Partner
from hub.partners import PartnerUnavailable as Unavailable
from hub.reconciliation import files, sides
from hub.reconciliation.breaks import BREAKS_MAX, Found, Run, SideSum, Source
from hub.reconciliation.files import Read
from hub.reconciliation.matching import Matching, Sum
from hub.sweeping import instant

STAGES: Final = ("journal", "orders", "matching", "keeping")
Told = Callable[[str], None]  # which stage begins


class Connections(Protocol):
    """Where connected partners come from: the adapters, whom only the entry rooms know."""

    async def partner(self, currency: str, name: str, sealed: str, /) -> Partner:
        """The partner that keeps a currency.

        Raises:
            PartnerUnavailable: it cannot be connected.
        """


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of partners' files: ``<currency>/<day>.csv`` each."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path) -> Self:
        """The one in the data folder."""
        return cls(data_dir / "reconcile")

    def file(self, currency: str, day: date) -> Path:
        """Where the file of a day is, if it is there."""
        return self.folder / currency / f"{day.isoformat()}.csv"

    def files(self, currency: str, day: date, given: Path | None = None) -> dict[date, Path]:
        """The files of a day and its neighbours that are there, the day's own the one that is given if one is; without
        the day's own, none."""
        found = {one: self.file(currency, one) for one in (day, day - sides.DAY, day + sides.DAY)}
        found[day] = given or found[day]
        there = {one: path for one, path in found.items() if path.is_file()}
        return there if day in there else {}

    def keep(self, currency: str, day: date, given: Path) -> None:
        """Put a file of somewhere else where the next run finds it; whole, or not at all."""
        target = self.file(currency, day)
        if target.resolve() == given.resolve():
            return
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = target.with_suffix(".part")
        shutil.copyfile(given, aside)
        os.replace(aside, target)


async def reconcile(
    database: Database,
    engine: Engine,
    connections: Connections,
    currency: str,
    day: date,
    given: Mapping[date, Path],
    *,
    at: datetime | None = None,
    told: Told = lambda _: None,
) -> Run:
    """Compare a day that is over, and keep what was found; answers the run. ``given``: the partner's files of the day
    and of its neighbours, by their days. ``at``: what counts as now; None: now, by the database's clock.

    Raises:
        InvalidInput: there is no such currency, the hub keeps it itself, the day is not over, there is neither a
            journal nor a file, or they agree in so little that another day or another file is meant; or see
            ``hub.ledger.breaks.reconcile``.
        PartnerUnavailable: the partner's journal cannot be read now.
        FileRefused: a file is not believed.
        Refusal: the engine is full or closing.
    """
    of = _currency(engine, currency)
    today = day_of(at or await instant(database, None), of.time_zone)
    if day >= today:
        raise InvalidInput(day=day.isoformat(), today=today.isoformat())
    partner = await connected(connections, of)
    if not partner.capabilities.journal and day not in given:
        raise InvalidInput(journal="none", file="none")
    with tempfile.TemporaryDirectory(prefix="points-hub-reconcile-") as folder:
        work = _Work(database, of, day, partner, Path(folder), told)
        return await work.run(engine, given, today)


def _currency(engine: Engine, code: str) -> PointCurrency:
    of = engine.configuration.currency(code)
    if of is None or of.adapter == HOSTED:
        raise InvalidInput(currency=code[:60], adapter="none" if of is None else of.adapter)
    return of


async def connected(connections: Connections, of: PointCurrency) -> Partner:
    """The partner that keeps a currency.

    Raises:
        PartnerUnavailable: it cannot be connected.
    """
    try:
        return await connections.partner(of.code, of.adapter, of.connection)
    except Unavailable:
        raise PartnerUnavailable(currency=of.code) from None


class _Work:
    """One comparison in its folder."""

    def __init__(
        self, database: Database, of: PointCurrency, day: date, partner: Partner, folder: Path, told: Told
    ) -> None:
        self._database = database
        self._of = of
        self._day = day
        self._partner = partner
        self._folder = folder
        self._told = told
        self._scale = partner.capabilities.scale
        self._factor = 10 ** (self._scale - of.scale)
        self._digests: dict[Source, str] = {}

    async def run(self, engine: Engine, given: Mapping[date, Path], today: date) -> Run:
        of, day = self._of, self._day
        async with self._database.snapshot() as connection:
            of_day = and_(tables.reconciliation.c.currency == of.code, tables.reconciliation.c.day == day.isoformat())
            before = await break_rows.runs(connection, of_day, most=1)
            until = await sides.last_day(connection, of, day, today)
        read = [
            await asyncio.to_thread(files.read, path, of.code, one, self._folder / f"file-{one.isoformat()}.csv")
            for one, path in given.items()
        ]
        if day in given:
            self._digests[Source.FILE] = read[list(given).index(day)].digest
        if self._partner.capabilities.journal:
            self._told("journal")
            days = [date.fromordinal(one) for one in range(day.toordinal() - 1, until.toordinal() + 1)]
            path = self._folder / "journal.csv"
            self._digests[Source.JOURNAL] = await sides.journal(self._partner, of, days, day, path)
        self._told("orders")
        async with self._database.snapshot() as connection:
            path = self._folder / "orders.csv"
            self._digests[Source.HUB] = await sides.orders(connection, of, day, self._factor, path)
            posted = await break_rows.adjusted(connection, of.code, None)
        sides.adjustments(posted, self._factor, self._folder / "adjustments.csv")
        self._told("matching")
        sums, agreed, found = await self._match(read)
        if len(found) > BREAKS_MAX:
            raise InvalidInput(breaks=f"more than {BREAKS_MAX}", matched=agreed)
        self._told("keeping")
        command = Reconcile(
            actor=engine.configuration.host.id,
            currency=of.code,
            day=day.isoformat(),
            after=before[0].id if before else None,
            scale=self._scale,
            sides=tuple(
                SideSum(source=source, rows=s.rows, taken=s.taken, given=s.given, digest=self._digests[source])
                for source, s in sorted(sums.items(), key=lambda one: list(Source).index(one[0]))
            ),
            matched=agreed,
            found=tuple(self._in_units(one) for one in found),
        )
        kept: Run = await engine.ask(command)
        return kept

    async def _match(self, read: Collection[Read]) -> tuple[dict[Source, Sum], int, list[Found]]:
        frame = sides.frame_of(self._of, self._day, self._partner.capabilities.unit)
        with Matching(self._folder, frame) as matching:
            strangers = await asyncio.to_thread(self._take, matching, read)
            if strangers:
                path = self._folder / "named.csv"
                async with self._database.snapshot() as connection:
                    await sides.named_orders(connection, self._of, self._day, self._factor, path, strangers)
                await asyncio.to_thread(matching.take_hub, path)
            return await asyncio.to_thread(_matched, matching)

    def _take(self, matching: Matching, read: Collection[Read]) -> list[str]:
        matching.take_hub(self._folder / "orders.csv")
        matching.take_adjustments(self._folder / "adjustments.csv")
        if Source.JOURNAL in self._digests:
            matching.take_journal(self._folder / "journal.csv")
        for one in read:
            files.take(one, matching, self._scale)
        return matching.strangers()

    def _in_units(self, found: Found) -> Found:
        """A break with its difference in smallest units of the currency; one that is no whole number of them is not
        clear."""
        difference = found.figures.difference
        if difference is None or self._factor == 1:
            return found
        units, rest = divmod(difference, self._factor)
        figures = msgspec.structs.replace(found.figures, difference=None if rest else units)
        return msgspec.structs.replace(found, figures=figures)


def _matched(matching: Matching) -> tuple[dict[Source, Sum], int, list[Found]]:
    found = matching.match(BREAKS_MAX + 1)
    return matching.sums(), matching.agreed(), found
