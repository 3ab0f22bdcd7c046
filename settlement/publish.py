"""Publishing: the signed reports of closed windows, built once from rows that never change, and their lines.

A window's reports are stored in one transaction, the operator's summary among them, so that they are all there or none
is. Whoever needs them first has them built: a crash between closing and reporting loses nothing. Digests chain, so
earlier windows come first. Where something shows that a window's reports were there and are gone, none is made anew:
the rows may have been rewritten meanwhile, and the key would vouch for that. The lines are not stored: they are spelled
again from the legs, each time to the same bytes. Who may see a report is for the caller to ask.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import structlog
from pydantic import SecretStr
from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.configuration import Configuration
from hub.db import Database
from hub.errors import NotSetUp, ReportsGone
from hub.ledger import journal, rows, window_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import WindowStatus
from hub.reading import Reader
from hub.revocations import Revocation
from hub.settings import Settings
from settlement import making, report, signing, storing
from settlement.keyring import revoked
from settlement.legs import Legs, pages
from settlement.proof import LineProof, Prover
from settlement.storing import NotClosed, StoredReport
from settlement.traces import WAIVABLE, Trace, traces

log = structlog.get_logger()

_stored = tables.settlement_report
_window = tables.settlement_window
_NAMESPACE: Final = "points_hub_reports"  # of the advisory lock that is held while a window's reports are built


@dataclass(frozen=True, slots=True)
class Keys:
    """Where this process's signing key is: in its environment, or in a folder that also keeps the public keys; and the
    public keys, as a JWK set, that signed before or sign on other hosts.

    These are what the hub vouches for. What the database says of keys is not believed: whoever owns it can add some.
    """

    folder: Path
    text: SecretStr | None = None
    others: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """The place that the settings name."""
        return cls(settings.data_dir / "signing", settings.signing_key, settings.signing_jwks)

    def current(self) -> signing.SigningKey:
        """The key to sign with, loaded anew because it may have been rotated; a folder without one gets one.

        Raises:
            SigningError: it cannot be used.
        """
        if self.text is not None:
            try:
                return signing.SigningKey.from_text(self.text.get_secret_value())
            except signing.MalformedKey as error:
                raise signing.MalformedKey(f"HUB_SIGNING_KEY: {error.detail}") from None
        return signing.ensure(self.folder)

    def public(self) -> list[dict[str, str]]:
        """The public halves that are known here, the current key's among them.

        Raises:
            SigningError: a key cannot be used, or the JWK set cannot be read.
        """
        self.current()
        return self.known()

    def known(self) -> list[dict[str, str]]:
        """The same, for who signs nothing: a folder without a current key gets none.

        Raises:
            SigningError: as ``public``.
        """
        mine = [] if self.text is None else [self.current().public_jwk()]
        others = [] if self.others is None else signing.key_set(self.others)
        return [*mine, *signing.jwks(self.folder)["keys"], *others]


class Reports:
    """The reports of the hub ``name``. One is enough for a process, however many requests it serves."""

    def __init__(self, database: Database, keys: Keys, name: str) -> None:
        self._database = database
        self._keys = keys
        self._name = name
        self._configuration = Configuration()
        self._told: set[str] = set()  # keys that are in the database alone, each logged once
        # One builder in a process: those who wait hold no connection that the ledger needs.
        self._building = asyncio.Lock()
        self._builds: set[asyncio.Task[bool]] = set()

    async def check_key(self) -> None:
        """Pass if reports can be signed now. Whoever closes a window asks first, because a closing is for ever.

        Raises:
            SigningError: there is no usable key, or it is revoked.
        """
        async with self._database.snapshot() as connection:
            configuration = await self._refreshed(connection)
        await self._key(configuration)

    async def ensure(self, window_id: int, keep: BinaryIO | None = None) -> bool:
        """See to it that a closed window's reports are stored, and those of all before it. Does nothing if they are.

        Of processes that do so at once one builds and the others wait. ``keep`` takes all lines of the window while
        they are added up, each with its line break; the answer is whether they were, and so are in it. Whoever stops
        waiting does not stop the building: the reports of a large window take longer than a request may.

        Raises:
            NotClosed: the window is open, or there is none.
            NetsMismatch: its legs and its nets differ.
            ReportsGone: reports of it, or of one before it, were there and are not any more.
            SigningError: there is no usable key; nothing is stored.
        """
        return await self._built(window_id, keep)

    async def ensure_first(self, window_id: int) -> None:
        """``ensure`` for a window that was paid, or disputed, before reports of it were made, by the word of who runs
        the hub that they never were. Windows before it are not meant, and what else shows that there were some counts.

        Raises:
            NotClosed, NetsMismatch, ReportsGone, SigningError: as ``ensure``.
        """
        await self._built(window_id, None, WAIVABLE)

    async def have(self, window_id: int) -> None:
        """``ensure`` before anything is said of a window's reports; whether there is such a window, and whether it is
        closed, is for whoever then looks at it.

        Raises:
            NetsMismatch, ReportsGone, SigningError: as ``ensure``.
        """
        with suppress(NotClosed):
            await self.ensure(window_id)

    async def _built(self, window_id: int, keep: BinaryIO | None, waived: Collection[Trace] = ()) -> bool:
        build = asyncio.create_task(self._ensure(window_id, keep, waived))
        self._builds.add(build)
        build.add_done_callback(self._forget)
        return await asyncio.shield(build)

    def _forget(self, build: asyncio.Task[bool]) -> None:
        self._builds.discard(build)
        if not build.cancelled():
            build.exception()  # whoever still waits is told; whoever does not has nobody to tell

    async def _ensure(self, window_id: int, keep: BinaryIO | None, waived: Collection[Trace]) -> bool:
        async with self._building:
            async with self._database.write() as connection:
                missing = await self._missing(connection, window_id)
            for one in missing:
                async with self._database.write() as connection:
                    is_it = one == window_id
                    kept = await self._publish(connection, one, keep if is_it else None, waived if is_it else ())
            return bool(missing) and kept and keep is not None

    async def report(self, reader: Reader, window_id: int, institution_id: int) -> StoredReport | None:
        """An institution's report of a window, built now if the window is closed and that was not done; the operator's
        is the summary. None: the window is open or unknown, or the institution has no net in it.

        Raises:
            NetsMismatch, ReportsGone, SigningError: as ``ensure``.
        """
        found = await storing.find(reader.connection, window_id, institution_id)
        if found is None and not await storing.is_published(
            reader.connection, window_id, reader.configuration.operator.id
        ):
            try:
                await self.ensure(window_id)
            except NotClosed:
                return None
            async with self._database.write() as connection:  # not a second reader: all of them may be waiting here
                found = await storing.find(connection, window_id, institution_id)
        if found is None:
            return None
        return replace(found, jws=await self.signed_anew(found.jws, found.payload, reader.configuration.revocations))

    async def lines(self, window_id: int, institution_id: int | None) -> AsyncIterator[bytes]:
        """The lines behind an institution's report, as ``settlement.legs.pages`` gives them; all lines of the window
        for None and for the operator.

        Raises:
            NotClosed: the window is open, or there is none.
        """
        async with self._database.snapshot() as connection:
            legs = await self._legs(connection, window_id)
        of = None if institution_id == legs.configuration.operator.id else institution_id
        async for page in pages(self._database, legs, of):
            yield page

    async def proof(self, stored: StoredReport, number: int) -> LineProof:
        """One line of a report, by its number from 1, with the proof that the report holds it. Reads all its lines.

        Raises:
            NoSuchLine: the report has fewer lines.
            ValueError: its lines are not those that it counts.
        """
        said = report.read(stored.payload).lines
        prover = Prover(stored.digest, number, 0 if said is None else said.count)
        async for page in self.lines(stored.window, stored.institution):
            for line in page.splitlines():
                prover.add(line)
        return prover.proof()

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Every public key that is vouched for outside of the database (``Keys``), as a JWK set sorted by kid. Those
        that are revoked say so, in the member ``revoked``. A key that only the database names is not in it."""
        keys: dict[str, dict[str, Any]] = {
            member["kid"]: dict(member) for member in await asyncio.to_thread(self._keys.public)
        }
        async with self._database.snapshot() as connection:
            unknown = set(await connection.scalars(select(tables.signing_key.c.kid))) - keys.keys() - self._told
            revocations = (await self._refreshed(connection)).revocations
        for kid in keys.keys() & revocations.keys():
            keys[kid]["revoked"] = revoked(revocations[kid].since, revocations[kid].reason)
        for kid in sorted(unknown):
            log.warning("signing key is in the database alone", kid=kid)
        self._told |= unknown
        return {"keys": [keys[kid] for kid in sorted(keys)]}

    async def signed_anew(
        self, jws: str, payload: bytes, revocations: Mapping[str, Revocation], typ: str = signing.TYP
    ) -> str:
        """A report's JWS, under the current key if its own is revoked: the same bytes, so its digest and the chain
        stand. ``typ``: what it is, if it is none.

        What is stored otherwise than it was signed, or was signed by a key that nobody vouches for, is not signed
        again, and nothing is signed with a revoked key; all are handed out as they are, and whoever verifies them finds
        it.
        """
        if not revocations:
            return jws
        signed = signing.take_apart(jws)
        kid = str(signed.header.get("kid"))
        if kid not in revocations:
            return jws
        key, known = await asyncio.to_thread(lambda: (self._keys.current(), self._keys.known()))
        is_genuine = any(one["kid"] == kid and signing.is_signed_by(jws, one) for one in known)
        if not is_genuine or signed.payload != payload or key.kid in revocations:
            return jws
        async with self._database.write() as connection:
            await storing.keep_key(connection, key)
        return key.sign(payload, typ)

    async def _key(self, configuration: Configuration) -> signing.SigningKey:
        """The current key, unless it is revoked."""
        key = await asyncio.to_thread(self._keys.current)
        if key.kid in configuration.revocations:
            raise signing.KeyRevoked(key.kid)
        return key

    async def _refreshed(self, connection: AsyncConnection) -> Configuration:
        head = await journal.look(connection)
        if head is None:
            raise NotSetUp
        if head.configuration_version > self._configuration.version:
            self._configuration = await rows.refresh(connection, self._configuration, head.configuration_version)
        return self._configuration

    async def _legs(self, connection: AsyncConnection, window_id: int) -> Legs:
        window = (await window_rows.windows(connection, _window.c.id == window_id)).get(window_id)
        if window is None or window.status is WindowStatus.OPEN:
            raise NotClosed(window_id)
        return await Legs.of(connection, await self._refreshed(connection), window)

    async def _missing(self, connection: AsyncConnection, window_id: int) -> list[int]:
        """This window and those before it, as far as they have no reports, in order."""
        windows = await window_rows.windows(connection, _window.c.id == window_id)
        if window_id not in windows or windows[window_id].status is WindowStatus.OPEN:
            raise NotClosed(window_id)
        window = windows[window_id]
        operator = (await self._refreshed(connection)).operator.id
        found = await connection.scalars(
            select(_window.c.id)
            .outerjoin(
                _stored,
                and_(
                    _stored.c.journal_id == _window.c.journal_id,
                    _stored.c.window_id == _window.c.id,
                    _stored.c.institution_id == operator,
                ),
            )
            .where(
                _window.c.journal_id == JOURNAL_ID,
                _window.c.model == window.model,
                _window.c.number <= window.number,
                _stored.c.window_id.is_(None),
            )
            .order_by(_window.c.number)
        )
        return list(found)

    async def _publish(
        self, connection: AsyncConnection, window_id: int, keep: BinaryIO | None, waived: Collection[Trace]
    ) -> bool:
        """Build, sign and store a window's reports; those before it are stored. False: another process has done so."""
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(_NAMESPACE, window_id))))
        legs = await self._legs(connection, window_id)
        if await storing.is_published(connection, window_id, legs.configuration.operator.id):
            return False
        for shown in (await traces(connection, [window_id])).get(window_id, ()):
            if shown not in waived:
                gone = ReportsGone(window=ids.text(ids.WINDOW, window_id), because=shown.value)
                log.error("reports are gone", **gone.details)
                raise gone
        nets = (await window_rows.nets(connection, [window_id])).get(window_id, [])
        owed = (await window_rows.obligations(connection, [window_id])).get(window_id, []) if legs.in_pairs else ()
        sums = await legs.sum(connection, keep)
        exchanges = (await window_rows.net_exchanges(connection, [window_id])).get(window_id, [])
        listed = making.net_lines(legs, nets)
        shape = making.Shape(
            hub=self._name,
            legs=legs,
            nets=listed,
            obligations=making.stated(legs, owed),
            previous=await storing.previous_digests(connection, legs.window),
            closing=await storing.closing(connection, legs.window),
            settlement=making.settlement_of(legs, listed, exchanges),
        )
        making.check(shape, sums)
        key = await self._key(legs.configuration)
        made = await asyncio.to_thread(making.sign, shape, sums, key)
        await storing.keep_key(connection, key)
        await connection.execute(insert(_stored).on_conflict_do_nothing(), made)
        return True
