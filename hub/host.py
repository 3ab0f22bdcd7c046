"""The host: what the hub's own machine does beside the server, without a key and on record as the person ``host``.

Its commands go through the same engine as everybody's. The host's credential is made with the hub and has no secret,
so it cannot be presented; whoever can start programs on this machine could read the database anyway.
"""

import asyncio
import gc
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import rfc8785
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.registry import Registry, installed, resealed
from hub import billing, clearings, ids, keepers, notices, opening_files, postgres, relocations, sweeping, tables
from hub.audit import Audit, Progress
from hub.bills import Month
from hub.clock import now
from hub.configuration import Configuration
from hub.currencies import HOSTED
from hub.db import Database, UnfitDatabase
from hub.errors import InvalidInput, NotFound, NotSetUp
from hub.ledger import invoice_rows, journal, window_rows
from hub.ledger.commands import (
    ClearPoints,
    CloseWindow,
    Connection,
    ResealWebhookSecrets,
    RevokeSigningKey,
    SetAdapterConfig,
)
from hub.ledger.engine import COLLECTOR, Engine
from hub.ledger.opening import Relocation
from hub.ledger.records import Billing, Clearing, ClearingScope, Invoice, Net, Window, WindowStatus
from hub.migrate import newest
from hub.models import DEFAULT_MODEL
from hub.points import parse
from hub.reading import Reading
from hub.revocations import Revocation, RevocationReason
from hub.sealing import SecretsKey
from hub.settings import Settings
from hub.windows import key_of
from settlement.audit import audit as audit_all
from settlement.confirming import Confirming, confirm
from settlement.publish import Keys, Reports
from settlement.signing import KeyInUse, KeyNotFound

CONNECT_S_MAX = 15
OPENING_TYPE = "points-hub/opening-balances"
OPENING_TYP = "points-hub-opening+jws"


async def check(url: str, *, empty: bool = False) -> None:
    """Pass if the database at ``url`` is of a version that will do, has this program's schema, and holds a hub; with
    ``empty`` also if it has lost it.

    Raises:
        UnfitDatabase: it is too old, or its schema is another.
        NotSetUp: it holds no hub.
    """
    engine = create_async_engine(url)
    try:
        async with asyncio.timeout(CONNECT_S_MAX), engine.connect() as connection:
            version = int(await connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
            if version < postgres.VERSION_MIN:
                raise UnfitDatabase(f"PostgreSQL {postgres.VERSION_MIN} or newer is needed; this one is {version}.")
            if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
                raise NotSetUp
            found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            if found != newest():
                raise UnfitDatabase(
                    f"The database's schema is {found}, this program's is {newest()}: run 'points-hub migrate'."
                )
            if not empty and await journal.look(connection) is None:
                raise NotSetUp
    finally:
        await engine.dispose()


async def audit(url: str, progress: Progress) -> Audit:
    """Audit the hub at ``url`` as it is at this instant; reads only, and may run beside the server."""
    database = Database(url, connections=2)
    try:
        async with database.snapshot() as connection:
            return await audit_all(connection, progress)
    finally:
        await database.close()


@asynccontextmanager
async def own_engine(url: str) -> AsyncIterator[tuple[Database, Engine]]:
    """A door to the ledger of one's own, that knows the configuration; what is queued is answered before it closes."""
    gc.set_threshold(*COLLECTOR)
    database = Database(url, connections=2)
    engine = Engine(database)
    try:
        await Reading(database, engine).refresh()
        yield database, engine
    finally:
        await engine.close()
        await database.close()


@dataclass(frozen=True, slots=True)
class Expired:
    """What an expiry run came to."""

    tally: sweeping.Tally
    notices: int
    configuration: Configuration


async def expire(
    url: str, as_of: datetime | None, begun: Callable[[int], None], told: Callable[[int], None]
) -> Expired:
    """Settle what had ended at ``as_of``; None: by now. ``begun`` is told how many lots and holds that will be at
    least, ``told`` how many more are done. Then make the notices that are due.

    Raises:
        NotYet: ``as_of`` is in the future, by the database's clock.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        instant = await sweeping.instant(database, as_of)
        begun(await sweeping.due(database, instant))
        tally = await sweeping.sweep(database, engine, instant, told=told)
        made = await notices.notify(database, engine, await sweeping.instant(database, None))
        return Expired(tally, made, engine.configuration)


@dataclass(frozen=True, slots=True)
class Billed:
    """The months that were billed, and their invoices in the order of their numbers."""

    billings: list[Billing]
    invoices: list[Invoice]
    configuration: Configuration


async def bill(url: str, month: Month | None, zone: str) -> Billed:
    """Bill a month of days in ``zone``; None: all that are due.

    Raises:
        InvalidInput: the month is not over.
        Duplicate: it is billed, or a later one is.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        reading = Reading(database, engine)
        if month is None:
            made = await billing.bill_due(reading, engine, zone)
        else:
            made = [await billing.bill(reading, engine, month, zone)]
        async with database.snapshot() as connection:
            of_these = tables.invoice.c.billing_id.in_([one.id for one in made])
            found = await invoice_rows.invoices(connection, of_these)
        return Billed(made, sorted(found.values(), key=lambda one: one.number), engine.configuration)


async def clear(
    url: str,
    currency: str,
    scope: ClearingScope,
    earned_before: datetime | None,
    reason: str,
    begun: Callable[[int], None],
    told: Callable[[int], None],
) -> tuple[Clearing, Configuration]:
    """Order a clearing and work it off; one of the same terms that was interrupted is gone on with instead. ``begun``
    is told how many accounts there are to look at, ``told`` how many more are done.

    Raises:
        Refusal: see ``hub.ledger.clearings.order``.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        wanted = ClearPoints(
            actor=engine.configuration.host.id,
            key=f"host-clear-{secrets.token_hex(16)}",
            currency=currency,
            scope=scope,
            earned_before=earned_before,
            starts_at=None,
            reason=reason,
        )
        unfinished = [
            run
            for run in await clearings.begun(database)
            if (run.currency, run.scope) == (currency, scope) and earned_before in (None, run.earned_before)
        ]
        run = unfinished[0] if unfinished else await engine.ask(wanted)
        begun(await clearings.holders_left(database, run))
        return await clearings.work_off(database, engine, run, told=told), engine.configuration


async def list_balances(settings: Settings, url: str, relocation: int) -> tuple[bytes, str]:
    """The balances of a relocation as a file for the partner, and the signature of its digest.

    Raises:
        NotFound: there is no such relocation.
        InvalidInput: its balances are not fixed, or not any more.
        NotSetUp: there is no hub.
        SigningError: there is no key to sign with.
    """
    async with own_engine(url) as (database, engine):
        run = await _relocation(database, relocation)
        raw = await relocations.opening_list(database, engine.configuration, run)
    digest = {
        "type": OPENING_TYPE,
        "hub": settings.name,
        "relocation": ids.text(ids.RELOCATION, run.id),
        "currency": run.currency,
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    return raw, Keys.of(settings).current().sign(rfc8785.dumps(digest), OPENING_TYP)


async def compare_balances(
    settings: Settings,
    url: str,
    relocation: int,
    file: bytes | None,
    field: str | None,
    total: str | None,
    told: Callable[[int], None],
) -> tuple[Relocation, Configuration]:
    """Put the partner's balances on record, out of its file or asked by ``field``; ``total`` is its own. ``told`` how
    many more customers are done.

    Raises:
        Malformed: the file is not whole, or not of the agreed form.
        Refusal: see ``hub.keepers`` and ``hub.ledger.relocating.record``; what was done stays done.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    connections = Registry(installed(), SecretsKey.of(settings))
    async with own_engine(url) as (database, engine):
        run, configuration = await _relocation(database, relocation), engine.configuration
        of = configuration.currencies[configuration.currency_codes[run.currency]]
        try:
            keeper: keepers.Keeper
            if file is not None:
                keeper = by_file = keepers.ByFile(database, configuration, run, opening_files.told(file, of.scale))
                await by_file.prepare(engine)
            else:
                control = None if total is None else parse(total, of.scale)
                keeper = await keepers.by_lookup(database, connections, configuration, run, field, control)
            return await relocations.compare(engine, run, keeper, told=told), engine.configuration
        finally:
            await connections.close()


async def move_balances(
    url: str, relocation: int, begun: Callable[[int], None], told: Callable[[int], None]
) -> tuple[Relocation, Configuration]:
    """Move the points of a relocation whose completion has begun. ``begun`` is told how many there are to move,
    ``told`` how many more are.

    Raises:
        Refusal: see ``hub.relocations.work_off``.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        run = await _relocation(database, relocation)
        begun((run.theirs if run.comes_home else run.ours) - run.moved)
        return await relocations.work_off(database, engine, run, told=told), engine.configuration


async def _relocation(database: Database, id: int) -> Relocation:
    found = await relocations.by_id(database, id)
    if found is None:
        raise NotFound(relocation=ids.text(ids.RELOCATION, id))
    return found


async def reseal(url: str, key: SecretsKey) -> list[str]:
    """Seal the secrets of every partner and of every webhook anew with the first of the keys, so that the others are
    not needed any more; answers the codes of the currencies, and of the institutions with a webhook.

    Raises:
        InvalidInput: a configuration was changed meanwhile, and those before it are done; or a currency is on its way
            to a partner, with a configuration that is sealed until then.
        SealingError: a secret cannot be opened, or not sealed.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (_, engine):
        reached = [of for of in engine.configuration.currencies.values() if of.connection]
        for of in engine.configuration.currencies.values():
            if of.relocation is not None and of.adapter == HOSTED:
                raise InvalidInput(currency=of.code, relocation="It is on its way to a partner; complete or cancel it.")
        for of in reached:
            told = SetAdapterConfig(
                actor=engine.configuration.host.id,
                currency=of.code,
                connection=Connection(resealed(of.connection, key), of.scale, of.operations, of.partial),
                instead_of=hashlib.sha256(of.connection.encode()).hexdigest(),
            )
            await engine.ask(told)
        codes = {home: of.code for home, of in engine.configuration.institutions.items()}
        told_to = {codes[home]: of for home, of in engine.configuration.webhooks.items()}
        for code, webhook in told_to.items():
            renewed = ResealWebhookSecrets(
                actor=engine.configuration.host.id,
                institution=code,
                secret=key.seal(key.open(webhook.secret)),
                previous=None if webhook.previous is None else key.seal(key.open(webhook.previous)),
                instead_of=webhook.secret,
            )
            await engine.ask(renewed)
        return [of.code for of in reached] + list(told_to)


async def revoke(settings: Settings, url: str, kid: str, since: datetime, reason: RevocationReason) -> Revocation:
    """Have a signing key of this hub's believed no more for what happened at ``since`` or later; what it signed is
    signed anew when it is asked for.

    Raises:
        SigningError: there is no such key, or it is the one that signs.
        InvalidInput: the instant is yet to come.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    keys = Keys.of(settings)
    async with own_engine(url) as (database, engine):
        if kid not in {member["kid"] for member in (await Reports(database, keys, settings.name).jwks())["keys"]}:
            raise KeyNotFound(kid)
        if keys.current().kid == kid:
            raise KeyInUse(kid)
        told = RevokeSigningKey(actor=engine.configuration.host.id, kid=kid, since=since, reason=reason)
        await engine.ask(told)
        return engine.configuration.revocations[kid]


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """A window that was closed now, its nets, and the codes of who has them."""

    window: Window
    nets: list[Net]
    codes: dict[int, str]


async def confirm_payments(url: str, content: bytes, *, apply: bool) -> Confirming:
    """Match a bank's file to the nets that are due, and apply it if that is asked for (``settlement.confirming``).

    Raises:
        FileRefused: it cannot be read.
        Refusal: what was due has changed since it was looked at.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        reading = Reading(database, engine)
        await reading.refresh()
        return await confirm(reading, engine, engine.configuration.host.id, content, apply=apply)


async def _ensure_with(reports: Reports, window: int, lines: Path) -> None:
    """Have the reports, and all lines in a file: in one go, unless another process has built the reports meanwhile."""
    with await asyncio.to_thread(lines.open, "wb") as file:
        if not await reports.ensure(window, file):
            async for page in reports.lines(window, None):
                file.write(page)


async def close_window(
    settings: Settings, url: str, model: str = DEFAULT_MODEL, lines: Path | None = None
) -> ClosedWindow:
    """Close the open window of a model and store its signed reports. The request's key is derived from the window, so
    that two who do so at once close it once. All its lines are written to ``lines``.

    Raises:
        Refusal: it was closed meanwhile.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
        NotFound: there is no such settlement model.
        NetsMismatch, SigningError: it is closed, but its reports could not be made; they are made when asked for.
    """
    async with own_engine(url) as (database, engine):
        async with database.snapshot() as connection:
            opened = await window_rows.windows(connection, tables.settlement_window.c.status == WindowStatus.OPEN)
        window = next((one for one in opened.values() if one.model == model), None)
        if window is None:
            raise NotFound(model=model)
        key = key_of(engine.configuration, f"host-close-{ids.text(ids.WINDOW, window.id)}", model, now())
        closing = CloseWindow(actor=engine.configuration.host.id, key=key, window=window.id)
        await engine.ask(closing)
        reports = Reports(database, Keys.of(settings), settings.name)
        await (reports.ensure(window.id) if lines is None else _ensure_with(reports, window.id, lines))
        async with database.snapshot() as connection:
            closed = await window_rows.windows(connection, tables.settlement_window.c.id == window.id)
            nets = await window_rows.payable_nets(connection, [window.id])
        codes = {institution.id: institution.code for institution in engine.configuration.institutions.values()}
        return ClosedWindow(closed[window.id], nets.get(window.id, []), codes)
