"""Interim statements: what an open window comes to so far, signed, up to a batch of the journal.

One is made of the legs up to its batch and of nothing else, so what is under way meanwhile changes nothing of it, and
the same batch gives the same figures and lines for ever, also when the window has closed. Nothing is stored: it stands
in no chain and no report names it, and it is signed under a header of its own. Who may see it is for the caller to ask.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from hub import ids, tables
from hub.configuration import Configuration
from hub.db import Database
from hub.ledger import journal
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Net, NetView, Window, WindowStatus
from hub.obligation_lookups import to_come, with_obligations
from hub.reading import Reader
from settlement import report, signing, storing
from settlement.legs import Legs, pages
from settlement.making import children_of, pairs_in
from settlement.netting import NetLine
from settlement.pairs import PairLine, settled_by
from settlement.publish import Keys

_entry = tables.journal_entry
_BATCH_MAX: Final = (1 << 63 - ids.PLACES_BITS) - 2  # whose identifiers are numbers of 63 bits


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement that somebody asked for: of a window and an institution, up to a batch that was committed."""

    window: Window
    institution: int
    configuration: Configuration
    head: report.JournalHead
    at: datetime  # the batch's


@dataclass(frozen=True, slots=True)
class InterimStatement:
    """What was made. ``nets`` are those that it states, as they would be if the window closed after its batch."""

    asked: Asked
    payload: bytes
    nets: tuple[NetLine, ...]
    children: tuple[NetLine, ...]
    pairs: tuple[PairLine, ...] = ()

    @property
    def digest(self) -> str:
        """Of the payload, for who compares a file with it."""
        return report.digest(self.payload)


async def ask(reader: Reader, window: Window, institution: int, batch: int | None = None) -> Asked | None:
    """What is needed to make a statement, of the reader's snapshot; up to the journal's head there, or to an earlier
    batch. None: the window is not open now, or was not in that batch."""
    if batch is None:
        head = await journal.look(reader.connection)
        if head is None or window.status is not WindowStatus.OPEN:
            return None
        batch = head.batch
    elif (
        batch > _BATCH_MAX
        or batch < ids.batch_of(window.id)
        or (window.closed_in is not None and batch >= window.closed_in)
    ):
        return None
    found = (
        await reader.connection.execute(
            select(_entry.c.hash, _entry.c.at).where(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch == batch)
        )
    ).first()
    if found is None:
        return None
    return Asked(window, institution, reader.configuration, report.JournalHead(batch, found.hash.hex()), found.at)


class Interims:
    """The interim statements of the hub ``name``; a process makes one at a time, beside what else it does. Whoever
    waits holds no connection."""

    def __init__(self, database: Database, keys: Keys, name: str) -> None:
        self._database = database
        self._keys = keys
        self._name = name
        self._turn = asyncio.Semaphore(1)

    async def make(self, asked: Asked) -> InterimStatement | None:
        """The statement, read in one snapshot; None: the institution has no part in the window so far. Unlike anybody
        else the operator always has one: of all institutions."""
        operator, home = asked.configuration.operator, asked.configuration.institutions[asked.institution]
        is_summary = home.id == operator.id
        async with self._turn, self._database.snapshot() as connection:
            legs = await Legs.of(connection, asked.configuration, asked.window, asked.head.batch)
            # Rounding goes over all levels, so everybody's sums are needed for anybody's nets.
            tally, pairs = await legs.tally(connection)
            every = tally.net_lines(legs.parents, None if pairs is None else settled_by(pairs.every))
            nets = tuple(net for net in every if is_summary or net.institution == home.code)
            if not nets and not is_summary:
                return None
            sums = await legs.sum(connection, of=None if is_summary else home.id)
        below = () if is_summary else children_of(home.code, every)
        window, of_pairs = asked.window, pairs_in(None if is_summary else home.code, nets, pairs)
        payload = report.build(
            report.Report(
                form=report.INTERIM,
                kind="summary" if is_summary else "institution",
                hub=self._name,
                model=window.model,
                window=report.Window(ids.text(ids.WINDOW, window.id), window.number, window.opened_at, asked.at),
                institution=report.Party(home.code, home.name),
                nets=nets,
                lines=report.LineSet(sums.whole.count, sums.whole.hexdigest()),
                previous_digest=None,
                journal=asked.head,
                children=below,
                pairs=of_pairs,
                is_gross=legs.is_gross,
            )
        )
        brought = () if is_summary else tuple(net for net in every if net.parent == home.code)
        return InterimStatement(asked, payload, nets, brought, of_pairs or ())

    async def sign(self, statement: InterimStatement) -> str:
        """The compact JWS over its payload, with the key of this moment, whose public half is published.

        Raises:
            SigningError: there is no usable key.
        """
        key = await asyncio.to_thread(self._keys.current)
        if key.kid in statement.asked.configuration.revocations:
            raise signing.KeyRevoked(key.kid)
        async with self._database.beside() as connection:
            await storing.keep_key(connection, key)
        return key.sign(statement.payload, signing.INTERIM_TYP)

    async def lines(self, asked: Asked) -> AsyncIterator[bytes]:
        """The lines behind a statement, as those of a report (``Reports.lines``)."""
        async with self._database.snapshot() as connection:
            legs = await Legs.of(connection, asked.configuration, asked.window, asked.head.batch)
        of = None if asked.institution == asked.configuration.operator.id else asked.institution
        async for page in pages(self._database, legs, of):
            yield page


def views(asked: Asked, nets: tuple[NetLine, ...], pairs: tuple[PairLine, ...] = ()) -> list[NetView]:
    """Nets of a statement as those of a window are shown, and of ``pairs`` what they will oblige to: nothing of them is
    due yet, or paid."""
    codes = asked.configuration.institution_codes
    obligations = [
        one
        for pair in pairs
        for one in to_come(
            asked.configuration,
            asked.window,
            pair.currency,
            {(pair.institution, pair.counterparty): pair.net_millionths},
        )
    ]
    made = [
        NetView(
            Net(
                asked.window.id,
                codes[net.institution],
                net.currency,
                net.debit_millionths,
                net.credit_millionths,
                net.net_millionths,
            ),
            None if net.parent is None else codes[net.parent],
            net.below_debit_millionths,
            net.below_credit_millionths,
            confirmed=False,
            paid=False,
            due=0,
        )
        for net in nets
    ]
    return with_obligations(made, obligations) if obligations else made
