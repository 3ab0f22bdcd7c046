"""Statements: what a customer's account held at any past instant, and what moved on it over any past period.

An instant is a place in the journal. Times of batches ascend with their numbers, and identifiers carry their batch, so
whatever was posted over a period are the legs in a range of movements. Legs never change and say the balance after
them; so a past instant's figures are the same whoever asks for them and whenever, if the read was opened past that
instant (``Reading.open``), and they are the ones that the audit recomputes from the same legs.

Invariant: opening + credits - debits = closing. Everything is in smallest units of the account's currency. Legs that
are not posted (those of holds) change no balance and are no entries; they are what ``held`` counts. Each function is
given a snapshot's connection; who may see the account is for the caller to ask.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.db import Database, driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Phase

PAGE_ENTRIES: Final = 500  # few enough that spelling a page keeps nobody else waiting
_ID_MAX: Final = 2**63 - 1
_MICROSECOND: Final = timedelta(microseconds=1)

Place = tuple[int, int]  # a movement's number and a leg's


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a statement: a side of leg ``n`` of a movement, with the account's balance after it."""

    movement: int
    n: int
    is_credit: bool
    kind: MovementKind
    at: datetime
    amount: int
    balance: int
    memo: str | None

    @property
    def place(self) -> Place:
        """By this entries are ordered."""
        return self.movement, self.n


@dataclass(frozen=True, slots=True)
class Span:
    """The movements of a period: from number ``first`` on, before number ``end``."""

    first: int = 0
    end: int = _ID_MAX


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account held at an instant."""

    total: int
    held: int

    @property
    def available(self) -> int:
        """What could be spent."""
        return self.total - self.held


@dataclass(frozen=True, slots=True)
class Statement:
    """The balances of an account (None: it was never opened) before a period and at its end."""

    account: int | None
    span: Span
    opening: int
    closing: int


@dataclass(frozen=True, slots=True)
class Total:
    """What the acts of one kind brought and took."""

    kind: MovementKind
    credits: int
    debits: int
    entries: int


# A planner that misjudges a young table reads all of it for each page; and compiling takes longer than reading.
_BY_KEY = select(
    *(func.set_config(name, "off", True) for name in ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"))
)

# For each instant the first batch that is not before it, found by halving: entries are ordered in time as they are by
# number, so their time needs no index. ``low`` is before the instant, ``high`` and all that come after it are not.
_BATCHES = f"""
WITH RECURSIVE search (place, instant, low, high) AS (
    SELECT place, instant, 0::bigint, head.batch + 1
    FROM unnest($1::timestamptz[]) WITH ORDINALITY AS asked (instant, place), journal_head head
    WHERE head.journal_id = {JOURNAL_ID}
    UNION ALL
    SELECT search.place, search.instant,
           CASE WHEN probe.at >= search.instant THEN search.low ELSE (search.low + search.high) / 2 END,
           CASE WHEN probe.at >= search.instant THEN (search.low + search.high) / 2 ELSE search.high END
    FROM search LEFT JOIN LATERAL (
        SELECT at FROM journal_entry
        WHERE journal_id = {JOURNAL_ID} AND batch <= (search.low + search.high) / 2 ORDER BY batch DESC LIMIT 1
    ) probe ON true
    WHERE search.high - search.low > 1
)
SELECT high FROM search WHERE high - low = 1 ORDER BY place
"""

_ACCOUNT = f"""
SELECT id FROM account
WHERE journal_id = {JOURNAL_ID} AND owner_id = $1 AND currency = $2 AND kind = {int(AccountKind.CUSTOMER)}
"""


# Where account $1 stands on a side of a leg of points. Compared as rows, keys can be found in one index alone, the
# side's own: left to choose, a planner without statistics goes through all legs in another one.
def _stands(side: str, first: str, end: str) -> str:
    return (
        f"journal_id = {JOURNAL_ID} AND window_id IS NULL AND movement_id >= {first} AND movement_id < {end}"
        f" AND ({side}_account_id, movement_id) >= ($1::bigint, {first}::bigint)"
        f" AND ({side}_account_id, movement_id) < ($1::bigint, {end}::bigint)"
    )


def _sides(columns: str, first: str, end: str, condition: str = "true", direction: str = "ASC", tail: str = "") -> str:
    """What was posted on both sides, each in the order of its index."""
    return " UNION ALL ".join(
        f"(SELECT {columns}, {side}_after AS balance, {is_credit} AS is_credit FROM leg"
        f" WHERE {_stands(side, first, end)} AND phase = {int(Phase.POSTED)} AND {condition}"
        f" ORDER BY {side}_account_id {direction}, movement_id {direction}, n {direction} {tail})"
        for side, is_credit in (("debit", "false"), ("credit", "true"))
    )


_BALANCES = f"""
SELECT coalesce((
    SELECT balance FROM ({_sides("movement_id, n", "0", "edge", direction="DESC", tail="LIMIT 1")}) last
    ORDER BY movement_id DESC, n DESC LIMIT 1
), 0)
FROM unnest($2::bigint[]) WITH ORDINALITY AS asked (edge, place) ORDER BY place
"""
_HELD = f"""
SELECT coalesce(sum(CASE phase WHEN {int(Phase.PENDING)} THEN amount ELSE -amount END), 0) FROM (
    SELECT phase, amount FROM leg
    WHERE {_stands("debit", "0", "$2")} AND phase IN ({int(Phase.PENDING)}, {int(Phase.VOIDED)})
    ORDER BY debit_account_id, movement_id
) side
"""
_TOTALS = f"""
SELECT m.kind, sum(amount) FILTER (WHERE is_credit), sum(amount) FILTER (WHERE NOT is_credit), count(*)
FROM ({_sides("movement_id, amount", "$2", "$3")}) side
CROSS JOIN LATERAL (SELECT kind FROM movement WHERE journal_id = {JOURNAL_ID} AND id = side.movement_id LIMIT 1) m
GROUP BY m.kind ORDER BY m.kind
"""

# LATERAL with LIMIT: one look into a key's index for each entry of the page, whatever the planner believes.
_FACTS = f"""
SELECT side.movement_id, side.n, side.is_credit, m.kind, e.at, side.amount, side.balance, memo.text
FROM side
CROSS JOIN LATERAL (SELECT kind FROM movement WHERE journal_id = {JOURNAL_ID} AND id = side.movement_id LIMIT 1) m
CROSS JOIN LATERAL (
    SELECT at FROM journal_entry
    WHERE journal_id = {JOURNAL_ID} AND batch = side.movement_id >> {ids.PLACES_BITS} LIMIT 1
) e
LEFT JOIN LATERAL (
    SELECT text FROM memo WHERE journal_id = {JOURNAL_ID} AND movement_id = side.movement_id LIMIT 1
) memo ON true
"""


def _page(comparison: str, direction: str) -> str:
    """The page of a period after place ($4, $5)."""
    after = f"(movement_id, n) {comparison} ($4::bigint, $5::bigint)"
    sides = _sides("movement_id, n, amount", "$2", "$3", after, direction, "LIMIT $6")
    order = f"ORDER BY movement_id {direction}, n {direction}"
    return f"WITH side AS (SELECT * FROM ({sides}) both_sides {order} LIMIT $6) {_FACTS} {order}"


_OLDEST_FIRST = _page(">", "ASC")
_NEWEST_FIRST = _page("<", "DESC")
_ENTRY = f"""
WITH side AS (
    SELECT movement_id, n, $3::boolean AS is_credit, amount,
           CASE WHEN $3 THEN credit_after ELSE debit_after END AS balance
    FROM leg WHERE journal_id = {JOURNAL_ID} AND movement_id = $1 AND n = $2 AND phase = {int(Phase.POSTED)}
), found AS ({_FACTS})
SELECT found.*, a.owner_id, a.currency
FROM found
JOIN leg ON leg.journal_id = {JOURNAL_ID} AND leg.movement_id = $1 AND leg.n = $2
JOIN account a ON a.journal_id = {JOURNAL_ID} AND a.kind = {int(AccountKind.CUSTOMER)}
 AND a.id = CASE WHEN $3 THEN leg.credit_account_id ELSE leg.debit_account_id END
"""


async def account(connection: AsyncConnection, owner: int, currency: str) -> int | None:
    """A customer's account of a currency; None: it was never opened."""
    found: int | None = await (await _driver(connection)).fetchval(_ACCOUNT, owner, currency)
    return found


async def span(connection: AsyncConnection, starts: datetime | None, ends: datetime | None) -> Span:
    """What was posted from ``starts`` on and before ``ends``; None: from the first, to the last."""
    asked = [instant for instant in (starts, ends) if instant is not None]
    found = iter([row[0] for row in await (await _driver(connection)).fetch(_BATCHES, asked)] if asked else [])
    everything = Span()
    return Span(
        everything.first if starts is None else ids.first_of(next(found)),
        everything.end if ends is None else ids.first_of(next(found)),
    )


async def balance(connection: AsyncConnection, account: int | None, at: datetime) -> Balance:
    """What an account held at an instant, after all that was posted by then and at it."""
    if account is None:
        return Balance(0, 0)
    end = (await span(connection, None, just_after(at))).end
    driver = await _driver(connection)
    total = await driver.fetchval(_BALANCES, account, [end])
    return Balance(total, int(await driver.fetchval(_HELD, account, end)))


async def statement(connection: AsyncConnection, account: int | None, starts: datetime, ends: datetime) -> Statement:
    """The balances of an account before ``starts``, and before ``ends``, which is not earlier."""
    period = await span(connection, starts, ends)
    if account is None:
        return Statement(None, period, 0, 0)
    found = await (await _driver(connection)).fetch(_BALANCES, account, [period.first, period.end])
    opening, closing = (row[0] for row in found)
    return Statement(account, period, opening, closing)


async def totals(connection: AsyncConnection, account: int | None, of: Span) -> list[Total]:
    """What moved on an account over a period, by kind of act; reads all of its legs."""
    if account is None:
        return []
    found = await (await _driver(connection)).fetch(_TOTALS, account, of.first, of.end)
    return [
        Total(MovementKind(kind), int(credits or 0), int(debits or 0), count) for kind, credits, debits, count in found
    ]


async def entries(
    connection: AsyncConnection,
    account: int | None,
    of: Span,
    after: Place | None,
    rows_max: int,
    *,
    newest_first: bool = False,
) -> list[Entry]:
    """Entries of an account over a period, in their order from after ``after`` on."""
    if account is None:
        return []
    first, end = of.first, of.end
    if newest_first:
        movement, n = (end, 0) if after is None else after
        end = min(end, movement + 1)
    else:
        movement, n = (first, -1) if after is None else after
        first = max(first, movement)
    sql = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    driver = await _driver(connection)
    return [_entry(row) for row in await driver.fetch(sql, account, first, end, movement, n, rows_max)]


async def entry(connection: AsyncConnection, movement: int, n: int, is_credit: bool) -> tuple[Entry, int, str] | None:
    """One entry of a customer's statement, with the customer and the currency; None: there is none such."""
    row = await (await _driver(connection)).fetchrow(_ENTRY, movement, n, is_credit)
    return None if row is None else (_entry(row), row["owner_id"], row["currency"])


async def pages(database: Database, of: Statement) -> AsyncIterator[list[Entry]]:
    """The entries of a past period, the oldest first, a page at a time.

    Nothing is held between pages, neither memory nor a connection, however slowly they are taken: each is a snapshot of
    its own, and all show the same legs, because the period is past.
    """
    after: Place | None = None
    while True:
        async with database.snapshot() as connection:
            page = await entries(connection, of.account, of.span, after, PAGE_ENTRIES)
        if page:
            yield page
        if len(page) < PAGE_ENTRIES:
            return
        after = page[-1].place


def just_after(at: datetime) -> datetime:
    """The next instant: times are whole microseconds. Of the last one that there is, itself."""
    return at + min(_MICROSECOND, datetime.max.replace(tzinfo=UTC) - at)


def _entry(row: Any) -> Entry:
    return Entry(
        movement=row["movement_id"],
        n=row["n"],
        is_credit=row["is_credit"],
        kind=MovementKind(row["kind"]),
        at=row["at"],
        amount=row["amount"],
        balance=row["balance"],
        memo=row["text"],
    )


async def _driver(connection: AsyncConnection) -> Any:
    """The driver; what the transaction reads from now on, it reads by key where it can."""
    await connection.execute(_BY_KEY)
    return driver_of(connection)
