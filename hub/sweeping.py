"""Sweeping: settling what time has done to accounts that nobody touches.

What is due is found page by page and settled in chunks through the engine, each in a transaction of its own. What is
settled is not due any more, so a sweep that was killed has lost nothing, the next one finds only the rest, and two at
once settle everything once. A sweep decides nothing: it names accounts, and their batch does what any batch would do.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.db import Database, driver_of
from hub.errors import Failure
from hub.ledger.commands import Lapse
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import HoldKind, Lapsed

PAGE = 10_000
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)

Chunk = tuple[int, ...]  # accounts
Chunks = AsyncGenerator[Chunk, None]
Told = Callable[[int], None]  # how many more lots, holds or accounts are done
Rest = Callable[[float], Awaitable[bool]]  # after so many seconds of work; whether to go on

# Lots of which something is free and over, after a lot, with how many lots of their account are over.
_LOTS = f"""
SELECT p.account_id, p.expires_at,
       (SELECT count(*) FROM lot l
        WHERE l.journal_id = {JOURNAL_ID} AND l.account_id = p.account_id AND l.expires_at <= now()) AS lots
FROM (SELECT DISTINCT expires_at, account_id FROM (
          SELECT expires_at, account_id FROM lot
          WHERE journal_id = {JOURNAL_ID} AND amount > held AND expires_at <= $1 AND (expires_at, account_id) > ($2, $3)
          ORDER BY expires_at, account_id LIMIT {PAGE}) over) p
ORDER BY p.expires_at, p.account_id
"""

# Holds that are over, after a hold, with the accounts on which they are.
_HOLDS = f"""
SELECT a.id AS account_id, h.expires_at, h.id, 1 AS lots
FROM hold h JOIN account a ON a.journal_id = h.journal_id AND a.owner_id = h.customer_id AND a.currency = h.currency
                          AND a.kind = 1
WHERE h.journal_id = {JOURNAL_ID} AND h.status = 'HELD' AND h.kind = {int(HoldKind.HOLD)} AND h.expires_at <= $1
  AND (h.expires_at, h.id) > ($2, $3)
ORDER BY h.expires_at, h.id LIMIT {PAGE}
"""

_DUE = f"""
SELECT (SELECT count(*) FROM lot WHERE journal_id = {JOURNAL_ID} AND amount > held AND expires_at <= $1)
     + (SELECT count(*) FROM hold WHERE journal_id = {JOURNAL_ID} AND status = 'HELD' AND kind = {int(HoldKind.HOLD)}
                                        AND expires_at <= $1)
"""


class NotYet(Failure):
    """That instant is still to come: what ends in the future cannot be settled now."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is settled in one transaction, at most; of an account always all."""

    accounts: int
    lots: int


LARGE = Size(4_000, 10_000)  # as fast as it gets; a request waits for a few tenths of a second at most
SMALL = Size(200, 1_000)  # beside requests


@dataclass(slots=True)
class Swept:
    """What time took of one currency: points (in smallest units) out of lots, and holds."""

    lots: int = 0
    units: int = 0
    holds: int = 0


@dataclass(slots=True)
class Tally:
    """What a sweep came to, by currency."""

    by_currency: dict[str, Swept] = field(default_factory=dict)

    def add(self, lapsed: Sequence[Lapsed]) -> int:
        """Count what one chunk came to; answers how many lots and holds."""
        for one in lapsed:
            of = self.by_currency.setdefault(one.currency, Swept())
            of.lots += one.lots
            of.units += one.units
            of.holds += one.holds
        return sum(one.lots + one.holds for one in lapsed)


async def instant(database: Database, as_of: datetime | None) -> datetime:
    """``as_of``, or now, by the database's clock.

    Raises:
        NotYet: it is in the future.
    """
    async with database.snapshot() as connection:
        now: datetime = await driver_of(connection).fetchval("SELECT now()")
    if as_of is not None and as_of > now:
        raise NotYet
    return as_of or now


async def due(database: Database, as_of: datetime) -> int:
    """How many lots and holds were over at ``as_of`` and are not settled."""
    async with database.snapshot() as connection:
        driver = driver_of(connection)
        return int(await driver.fetchval(_DUE, as_of))


async def sweep(
    database: Database,
    engine: Engine,
    as_of: datetime,
    *,
    size: Size = LARGE,
    told: Told = lambda _: None,
    rest: Rest | None = None,
) -> Tally:
    """Settle every account on which a lot or a hold had ended at ``as_of``; what has ended on it by now goes too. The
    next page is looked for while a chunk is settled.

    Raises:
        Refusal: the engine is full or closing; what was settled stays settled.
        Fault: the host's credential was not let through, or a chunk failed for a reason of the hub's own.
    """
    tally = Tally()

    async def settle(chunk: Chunk) -> None:
        lapsed = await engine.ask(Lapse(actor=engine.configuration.host.id, accounts=chunk))
        told(tally.add(lapsed))

    await work_off(_due(database, as_of, size), settle, rest)
    return tally


async def work_off(chunks: Chunks, act: Callable[[Chunk], Awaitable[None]], rest: Rest | None) -> bool:
    """Act on chunk after chunk, while the next one is looked for; answers whether it came to the end."""
    loop = asyncio.get_running_loop()

    async def following() -> Chunk:
        async for chunk in chunks:
            return chunk
        return ()

    ahead = asyncio.create_task(following())
    try:
        while chunk := await ahead:
            ahead = asyncio.create_task(following())
            began = loop.time()
            await act(chunk)
            if rest is not None and not await rest(loop.time() - began):
                return False
        return True
    finally:
        ahead.cancel()
        with suppress(asyncio.CancelledError):
            await ahead
        await chunks.aclose()


async def _due(database: Database, as_of: datetime, size: Size) -> Chunks:
    """Accounts on which something is due, in chunks."""
    for sql in (_HOLDS, _LOTS):
        waiting: deque[tuple[int, int]] = deque()  # accounts, and how many of their lots are over
        before: dict[int, int] = {}
        after, number, more = _BEGINNING, 0, True
        while more:
            async with database.snapshot() as connection:
                found = await _page(connection, sql, as_of, after, number)
            if more := len(found) > 0:
                after, number = found[-1]["expires_at"], found[-1]["id" if sql is _HOLDS else "account_id"]
            page = {row["account_id"]: row["lots"] for row in found}
            waiting.extend((account, lots) for account, lots in page.items() if account not in before)
            before = page
            while waiting and (not more or len(waiting) >= size.accounts):
                yield _chunk(waiting, size)


async def _page(connection: AsyncConnection, sql: str, *arguments: object) -> list[Any]:
    driver = driver_of(connection)
    return list(await driver.fetch(sql, *arguments))


def _chunk(waiting: deque[tuple[int, int]], size: Size) -> Chunk:
    """The next accounts that together fit."""
    chunk: list[int] = []
    lots = 0
    while waiting and len(chunk) < size.accounts and (not chunk or lots + waiting[0][1] <= size.lots):
        account, count = waiting.popleft()
        chunk.append(account)
        lots += count
    return tuple(chunk)
