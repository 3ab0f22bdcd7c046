"""Clearings as they are worked off and looked at: chunk after chunk of accounts, each in a transaction of its own.

How far a clearing has come is kept with what it took, so one that was interrupted is gone on with by whoever comes
next, and nobody's points are looked at twice. What is taken is decided in the batch (``hub.ledger.clearings``).
"""

import asyncio
from collections.abc import Callable

from sqlalchemy import and_, func

from hub import tables
from hub.db import Database, driver_of
from hub.ledger import rows
from hub.ledger.commands import Clear
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, Clearing, ClearingStatus, Movement, MovementKind
from hub.reading import Reader
from hub.sweeping import LARGE, Rest, Size

_clearing = tables.clearing

# Customers' accounts of a currency that have points, after an account.
_HOLDERS_OF = f"""
FROM account WHERE journal_id = {JOURNAL_ID} AND id > $1 AND currency = $2 AND kind = {int(AccountKind.CUSTOMER)}
                   AND credits_posted > debits_posted
"""
_HOLDERS = f"SELECT id {_HOLDERS_OF} ORDER BY id LIMIT $3"
_HOLDERS_LEFT = f"SELECT count(*) {_HOLDERS_OF}"


async def begun(database: Database) -> list[Clearing]:
    """Clearings whose time has come and that have not come to their end, in their order."""
    where = and_(_clearing.c.status == ClearingStatus.RUNNING, _clearing.c.starts_at <= func.now())
    async with database.snapshot() as connection:
        return list((await rows.clearings(connection, where)).values())


async def holders_left(database: Database, run: Clearing) -> int:
    """How many accounts a clearing has still to look at."""
    async with database.snapshot() as connection:
        return int(await driver_of(connection).fetchval(_HOLDERS_LEFT, run.reached, run.currency))


async def work_off(
    database: Database,
    engine: Engine,
    run: Clearing,
    *,
    size: Size = LARGE,
    told: Callable[[int], None] = lambda _: None,
    rest: Rest | None = None,
) -> Clearing:
    """Go on with a clearing that has begun, to its end unless ``rest`` stops it; answers it as it then is. ``told`` how
    many more accounts are done. If somebody else is at work on it, both go on where it stands.

    Raises:
        Refusal: the engine is full or closing; what was done stays done.
        Fault: the host's credential was not let through, or a chunk failed for a reason of the hub's own.
    """
    loop = asyncio.get_running_loop()
    while run.status is ClearingStatus.RUNNING:
        began = loop.time()
        async with database.snapshot() as connection:
            driver = driver_of(connection)
            accounts = tuple(
                row["id"] for row in await driver.fetch(_HOLDERS, run.reached, run.currency, size.accounts)
            )
        command = Clear(
            actor=engine.configuration.host.id,
            clearing=run.id,
            after=run.reached,
            through=accounts[-1] if accounts else run.reached,
            accounts=accounts,
            last=len(accounts) < size.accounts,
        )
        before, run = run, await engine.ask(command)
        told(run.accounts - before.accounts)
        if run == before or (rest is not None and not await rest(loop.time() - began)):
            break
    return run


async def of_currency(reader: Reader, currency: str, before: int | None, rows_max: int) -> list[Clearing]:
    """A currency's clearings, the newest first, from before an identifier on."""
    where = _clearing.c.currency == currency
    if before is not None:
        where = and_(where, _clearing.c.id < before)
    return list((await rows.clearings(reader.connection, where, newest_first=True, most=rows_max)).values())


async def clearing(reader: Reader, id: int) -> Clearing | None:
    """A clearing."""
    return (await rows.clearings(reader.connection, _clearing.c.id == id)).get(id)


async def taken(reader: Reader, run: int, after: int, rows_max: int) -> list[Movement]:
    """What a clearing took of customers, the oldest first, from after an identifier on."""
    of = tables.movement.c
    where = and_(of.subject_id == run, of.kind == int(MovementKind.CLEAR), of.id > after)
    return list((await rows.movements(reader.connection, where, most=rows_max)).values())
