"""Supplementing: the supplements of a window, made of rows that never change, signed and stored once.

Each batch in which something was done about a net that was not paid is followed by one for the operator, and by one for
every institution of whose part something changed. They are made in the order of the batches, when they are first asked
for, so a crash loses none. Who may see one is for the caller to ask.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import defaults as core
from hub import ids, tables
from hub.configuration import Configuration
from hub.db import Database
from hub.errors import NotSetUp
from hub.ledger import default_rows, journal, window_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Window
from hub.ledger.rows import refresh
from settlement import report, signing, storing
from settlement.publish import Keys, Reports
from settlement.storing import NotClosed
from settlement.supplement import KINDS, Default, Share, Step, Supplement, build, parse

_stored = tables.settlement_supplement
_default, _step, _entry = tables.settlement_default, tables.default_step, tables.journal_entry
_NAMESPACE: Final = "points_hub_supplements"  # of the advisory lock that is held while a window's are made


@dataclass(frozen=True, slots=True)
class StoredSupplement:
    """One supplement as it was signed, and what it says."""

    window: int
    institution: int
    payload: bytes
    jws: str
    digest: str
    said: Supplement


@dataclass(frozen=True, slots=True)
class Stand:
    """The defaults of a window after a batch, as everybody has to be told of them: by institution."""

    configuration: Configuration
    window: Window
    head: report.JournalHead
    at: datetime
    told: Mapping[int, tuple[Default, ...]]


class Supplements:
    """The supplements of the hub ``name``."""

    def __init__(self, database: Database, keys: Keys, name: str, reports: Reports) -> None:
        self._database = database
        self._keys = keys
        self._name = name
        self._reports = reports
        self._configuration = Configuration()

    async def ensure(self, window_id: int) -> None:
        """See to it that all supplements of a window are stored. Does nothing if they are.

        Raises:
            NotClosed, NetsMismatch, SigningError: as ``Reports.ensure``.
        """
        async with self._database.snapshot() as connection:
            missing = await _missing(connection, window_id)
        if not missing:
            return
        await self._reports.ensure(window_id)  # whose digests they name
        key = await asyncio.to_thread(self._keys.current)
        async with self._database.write() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(_NAMESPACE, window_id))))
            configuration = await self._refreshed(connection)
            if key.kid in configuration.revocations:
                raise signing.KeyRevoked(key.kid)
            for batch in await _missing(connection, window_id):
                await self._make(connection, await stand(connection, configuration, window_id, batch), key)
            await storing.keep_key(connection, key)

    async def of(self, window_id: int, institution: int) -> list[StoredSupplement]:
        """An institution's supplements of a window, in order, made now where that was not done.

        Raises:
            NetsMismatch, SigningError: as ``ensure``.
        """
        try:
            await self.ensure(window_id)
        except NotClosed:
            return []
        async with self._database.snapshot() as connection:
            revocations = (await self._refreshed(connection)).revocations
            found = await stored(connection, window_id, institution)
        return [
            replace(one, jws=await self._reports.signed_anew(one.jws, one.payload, revocations, signing.SUPPLEMENT_TYP))
            for one in found
        ]

    async def _make(self, connection: AsyncConnection, after: Stand, key: signing.SigningKey) -> None:
        """Store what the institutions have to be told of a batch that they were not told of the one before."""
        institutions = after.configuration.institutions
        for institution, told in sorted(after.told.items()):
            earlier = await stored(connection, after.window.id, institution)
            if earlier and earlier[-1].said.defaults == told:
                continue
            mine = await storing.find(connection, after.window.id, institution)
            home = institutions[institution]
            payload = build(
                Supplement(
                    kind="summary" if institution == after.configuration.operator.id else "institution",
                    hub=self._name,
                    model=after.window.model,
                    window=window_of(after.window),
                    institution=report.Party(home.code, home.name),
                    report=None if mine is None else mine.digest,
                    number=len(earlier) + 1,
                    previous_digest=earlier[-1].digest if earlier else None,
                    at=after.at,
                    journal=after.head,
                    defaults=told,
                )
            )
            parse(payload)  # what it says can be read again
            await connection.execute(
                insert(_stored).values(
                    journal_id=JOURNAL_ID,
                    window_id=after.window.id,
                    institution_id=institution,
                    batch=after.head.batch,
                    payload=payload,
                    jws=key.sign(payload, signing.SUPPLEMENT_TYP),
                    digest=report.digest(payload),
                )
            )

    async def _refreshed(self, connection: AsyncConnection) -> Configuration:
        head = await journal.look(connection)
        if head is None:
            raise NotSetUp
        self._configuration = await refresh(connection, self._configuration, head.configuration_version)
        return self._configuration


async def stand(connection: AsyncConnection, configuration: Configuration, window_id: int, batch: int) -> Stand:
    """How the defaults of a window stood after a batch."""
    [window] = (await window_rows.windows(connection, tables.settlement_window.c.id == window_id)).values()
    end = ids.first_of(batch + 1)
    of_it = (_default.c.journal_id == JOURNAL_ID) & (_default.c.window_id == window_id)
    found = await default_rows.defaults(connection, configuration, of_it, before=end)
    steps = await default_rows.steps(connection, found.keys())
    standing = {
        one.id: (one, [step for step in steps.get(one.id, ()) if step.id < end and step.kind.value in KINDS])
        for one in sorted(found.values(), key=lambda one: one.id)
        if one.is_standing
    }
    entry = (
        await connection.execute(
            select(_entry.c.hash, _entry.c.at).where(_entry.c.journal_id == JOURNAL_ID, _entry.c.batch == batch)
        )
    ).one()
    concerned = {configuration.operator.id}
    for default, _ in standing.values():
        concerned |= {default.institution, *(one.institution for one in default.borne)}
    told = {institution: _told(configuration, institution, standing.values()) for institution in concerned}
    return Stand(configuration, window, report.JournalHead(batch, entry.hash.hex()), entry.at, told)


def _told(
    configuration: Configuration, institution: int, standing: Collection[tuple[core.Default, list[core.DefaultStep]]]
) -> tuple[Default, ...]:
    """What an institution is told: all steps of what it owes itself, and its own shares; the operator everything."""
    nodes, sees_all = configuration.institutions, institution == configuration.operator.id
    told = []
    for default, steps in standing:
        shares = [one for one in default.borne if sees_all or one.institution == institution]
        is_debtor = default.institution == institution
        if not (sees_all or is_debtor or shares):
            continue
        told.append(
            Default(
                id=ids.text(ids.DEFAULT, default.id),
                institution=nodes[default.institution].code,
                currency=default.currency,
                amount=default.amount,
                repaid=default.repaid,
                status=default.status.value,
                steps=tuple(_step_of(one) for one in steps) if sees_all or is_debtor else (),
                shares=tuple(
                    Share(nodes[one.institution].code, one.source.value, one.amount, one.repaid, one.advanced)
                    for one in shares
                ),
            )
        )
    return tuple(told)


def _step_of(step: core.DefaultStep) -> Step:
    if step.at is None:
        raise ValueError("a step of no time")
    return Step(
        ids.text(ids.DEFAULT_STEP, step.id), step.kind.value, step.amount, step.at, step.value_date, step.reference
    )


def window_of(window: Window) -> report.Window:
    """A closed window as a report names it."""
    if window.closed_at is None:
        raise NotClosed(window.id)
    return report.Window(ids.text(ids.WINDOW, window.id), window.number, window.opened_at, window.closed_at)


async def batches(connection: AsyncConnection, window_id: int) -> list[int]:
    """The batches in which something was done about the defaults of a window."""
    batch = journal.batch_of(_step.c.id)
    found = await connection.scalars(
        select(batch)
        .distinct()
        .join(_default, (_default.c.journal_id == _step.c.journal_id) & (_default.c.id == _step.c.default_id))
        .where(_default.c.journal_id == JOURNAL_ID, _default.c.window_id == window_id, _step.c.kind.in_(KINDS))
        .order_by(batch)
    )
    return list(found)


async def _missing(connection: AsyncConnection, window_id: int) -> list[int]:
    """The batches of which nothing is stored: the operator is told of each."""
    done = await connection.scalars(
        select(_stored.c.batch).where(_stored.c.journal_id == JOURNAL_ID, _stored.c.window_id == window_id)
    )
    return sorted(set(await batches(connection, window_id)) - set(done))


async def stored(connection: AsyncConnection, window_id: int, institution: int) -> list[StoredSupplement]:
    """An institution's supplements of a window as they are stored, in order."""
    found = await connection.execute(
        select(_stored)
        .where(
            _stored.c.journal_id == JOURNAL_ID,
            _stored.c.window_id == window_id,
            _stored.c.institution_id == institution,
        )
        .order_by(_stored.c.batch)
    )
    made = []
    for row in found:
        payload = bytes(row.payload)
        made.append(StoredSupplement(window_id, institution, payload, row.jws, row.digest, parse(payload)))
    return made
