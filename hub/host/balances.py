"""The balances of a currency that moves: listed for its partner, compared with the partner's, moved."""

import hashlib
from collections.abc import Callable

import rfc8785

from adapters.registry import Registry, installed
from hub import ids, keepers, opening_files, relocations
from hub.configuration import Configuration
from hub.db import Database
from hub.errors import NotFound
from hub.host.door import own_engine
from hub.ledger.opening import Relocation
from hub.points import parse
from hub.sealing import SecretsKey
from hub.settings import Settings
from settlement.publish import Keys

OPENING_TYPE = "points-hub/opening-balances"
OPENING_TYP = "points-hub-opening+jws"


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
