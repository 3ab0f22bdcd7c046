"""Relocations as they are worked off and looked at.

The long steps go customer after customer, in chunks, each a command and a transaction; how far a relocation has come is
kept with what is done, so that one that was interrupted is gone on with by whoever comes next, and nothing is done
twice. The partner's balances are read over its adapter or out of a file; no transaction is open while it is asked. What
is done with them is decided in the batch (``hub.ledger.relocating``).
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from sqlalchemy import and_

from hub import opening_files, tables
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.db import Database, driver_of
from hub.errors import InvalidInput
from hub.expiry import NEVER
from hub.keepers import CHUNK, HOLDERS, Keeper
from hub.ledger import relocation_rows
from hub.ledger.commands import RecordBalances, Relocate
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.opening import Holder, OpeningBalance, OpeningLot, Relocation, RelocationStatus
from hub.ledger.records import AccountKind, Customer
from hub.opening_files import Named
from hub.reading import Reader
from hub.sweeping import Rest

_relocation = tables.relocation
_S = RelocationStatus
_CUSTOMER = int(AccountKind.CUSTOMER)

_NEXT = f"""
SELECT customer_id FROM opening_balance
WHERE journal_id = {JOURNAL_ID} AND relocation_id = $1 AND round = $2 AND customer_id > $3
ORDER BY customer_id LIMIT $4
"""

_LOTS = f"""
SELECT l.account_id, l.expires_at, l.earned_at, sum(l.amount)::bigint AS amount FROM lot l
JOIN account a ON a.journal_id = l.journal_id AND a.id = l.account_id
WHERE l.journal_id = {JOURNAL_ID} AND a.owner_id = ANY($1::bigint[]) AND a.currency = $2
GROUP BY l.account_id, l.expires_at, l.earned_at ORDER BY l.account_id, l.expires_at, l.earned_at
"""
_BALANCES = f"""
SELECT id, owner_id, credits_posted - debits_posted AS balance FROM account
WHERE journal_id = {JOURNAL_ID} AND owner_id = ANY($1::bigint[]) AND currency = $2 AND kind = {_CUSTOMER}
"""

Progress = Callable[[int], None]  # how many more customers are done


# --- the list ---------------------------------------------------------------------------------------------------------


async def opening_list(database: Database, configuration: Configuration, run: Relocation) -> bytes:
    """The hub's balances of a relocation to a partner, as a file for it.

    Raises:
        InvalidInput: they are not fixed, or not any more.
    """
    if run.comes_home or run.status not in (_S.FIXED, _S.COMPARED):
        raise InvalidInput(status=run.status.value)
    of = configuration.currencies[configuration.currency_codes[run.currency]]
    found: list[tuple[Named, list[OpeningLot]]] = []
    after = 0
    while True:
        async with database.snapshot() as connection:
            driver = driver_of(connection)
            people = await driver.fetch(HOLDERS, after, of.code, CHUNK)
            if not people:
                return opening_files.written(found, of.scale)
            owners = [row["id"] for row in people]
            accounts = {row["owner_id"]: row for row in await driver.fetch(_BALANCES, owners, of.code)}
            lots: dict[int, list[OpeningLot]] = {}
            for row in await driver.fetch(_LOTS, owners, of.code):
                ends = None if row["expires_at"] == NEVER else row["expires_at"]
                lots.setdefault(row["account_id"], []).append(OpeningLot(row["amount"], ends, row["earned_at"]))
        for row in people:
            account = accounts[row["id"]]
            mine = lots.get(account["id"], [])
            if rest := account["balance"] - sum(lot.units for lot in mine):
                mine = [*mine, OpeningLot(rest)]
            found.append(((configuration.institutions[row["home"]].code, row["reference"] or ""), mine))
        after = owners[-1]


# --- comparing --------------------------------------------------------------------------------------------------------


async def compare(engine: Engine, run: Relocation, keeper: Keeper, *, told: Progress = lambda _: None) -> Relocation:
    """Put the partner's balances on record, from where that stands; one that was compared, or is read out of something
    else now, is compared anew. Answers the relocation as it then is.

    Raises:
        InvalidInput: its balances are not fixed, or not any more.
        Refusal: see ``hub.ledger.relocating.record``; or the partner does not answer. What was done stays done.
        Fault: the host's credential was not let through.
    """
    if run.status not in (_S.FIXED, _S.COMPARED):
        raise InvalidInput(status=run.status.value)
    anew = run.status is _S.COMPARED or not run.round or run.digest != keeper.digest
    round_, after = (run.round + 1, 0) if anew else (run.round, run.reached)
    async with aclosing(keeper.chunk(after)) as chunks:
        chunk: list[Holder] = await anext(chunks, [])
        while True:
            following = await anext(chunks, []) if chunk else []
            command = RecordBalances(
                actor=engine.configuration.host.id,
                relocation=run.id,
                round=round_,
                after=after,
                through=chunk[-1].customer if chunk else after,
                holders=tuple(chunk),
                last=not following,
                control=keeper.control if not following else None,
                digest=keeper.digest,
            )
            before, run = run, await engine.ask(command)
            told(run.customers - (before.customers if before.round == run.round else 0))
            if not following or run == before:
                return run
            after, chunk = command.through, following


# --- moving -----------------------------------------------------------------------------------------------------------


async def work_off(
    database: Database,
    engine: Engine,
    run: Relocation,
    *,
    size: int = CHUNK,
    told: Progress = lambda _: None,
    rest: Rest | None = None,
) -> Relocation:
    """Move the points of a relocation whose completion has begun, from where that stands to its end unless ``rest``
    stops it; answers it as it then is. ``told`` how many more are moved. If somebody else is at work on it, both go on
    where it stands.

    Raises:
        Refusal: the engine is full or closing; what was done stays done.
        Fault: the host's credential was not let through, or a chunk failed for a reason of the hub's own.
    """
    loop = asyncio.get_running_loop()
    while run.status is _S.MOVING:
        began = loop.time()
        async with database.snapshot() as connection:
            driver = driver_of(connection)
            found = [row["customer_id"] for row in await driver.fetch(_NEXT, run.id, run.round, run.reached, size + 1)]
        some = found[:size]
        command = Relocate(
            actor=engine.configuration.host.id,
            relocation=run.id,
            after=run.reached,
            through=some[-1] if some else run.reached,
            last=len(found) <= size,
        )
        before, run = run, await engine.ask(command)
        told(run.moved - before.moved)
        if run == before:
            run = await by_id(database, run.id) or run
        if run == before or (rest is not None and not await rest(loop.time() - began)):
            break
    return run


async def moving(database: Database) -> list[Relocation]:
    """Relocations whose completion has begun and not ended."""
    async with database.snapshot() as connection:
        found = await relocation_rows.relocations(connection, _relocation.c.status == _S.MOVING)
    return list(found.values())


# --- looking ----------------------------------------------------------------------------------------------------------


async def by_id(database: Database, id: int) -> Relocation | None:
    """A relocation."""
    async with database.snapshot() as connection:
        return (await relocation_rows.relocations(connection, _relocation.c.id == id)).get(id)


async def relocation(reader: Reader, id: int) -> Relocation | None:
    """A relocation."""
    return (await relocation_rows.relocations(reader.connection, _relocation.c.id == id)).get(id)


async def of_currency(reader: Reader, currency: str, before: int | None, rows_max: int) -> list[Relocation]:
    """A currency's relocations, the newest first, from before an identifier on."""
    where = _relocation.c.currency == currency
    if before is not None:
        where = and_(where, _relocation.c.id < before)
    found = await relocation_rows.relocations(reader.connection, where, newest_first=True, most=rows_max)
    return list(found.values())


async def waits(reader: Reader, of: PointCurrency) -> dict[str, int]:
    """What is under way with a currency, by what it is; what there is none of is left out."""
    driver = driver_of(reader.connection)
    is_fixed = of.relocation is not None and of.relocation.fixed
    rates = relocation_rows.rates_of(reader.configuration, of.id)
    row = await driver.fetchrow(relocation_rows.WAITS, of.code, rates, reader.at, is_fixed)
    return {what: count for what, count in row.items() if count}


_DIFFERING = f"""
SELECT id, relocation_id, round, customer_id, ours, theirs, lots FROM opening_balance
WHERE journal_id = {JOURNAL_ID} AND relocation_id = $1 AND round = $2 AND customer_id > $3 AND ours <> theirs
ORDER BY customer_id LIMIT $4
"""
_PEOPLE = f"""
SELECT c.id, c.institution_id, r.reference FROM customer c
LEFT JOIN customer_reference r ON r.journal_id = c.journal_id AND r.customer_id = c.id
WHERE c.journal_id = {JOURNAL_ID} AND c.id = ANY($1::bigint[])
"""


async def differences(
    reader: Reader, run: Relocation, after: int, rows_max: int
) -> list[tuple[Customer, OpeningBalance]]:
    """Customers of whose points a partner that is to keep them has more or less than the hub, after a customer."""
    if run.comes_home:
        return []
    driver = driver_of(reader.connection)
    found = await driver.fetch(_DIFFERING, run.id, run.round, after, rows_max)
    rows = [relocation_rows.opening_of(row) for row in found]
    people = {
        id: Customer(id, home, reference)
        for id, home, reference in await driver.fetch(_PEOPLE, [one.customer for one in rows])
    }
    return [(people[one.customer], one) for one in rows]
