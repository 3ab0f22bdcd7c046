"""Limit rows: what a batch must know of what its customers have used, and what was counted and clipped before.

A hub without limits asks for none of it; otherwise it is one statement for what was used, and one more if something is
reversed.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger import commands
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind
from hub.limits import Act, Clipping, LimitEntry, Period, Subject, UseKey, outflow_key, period_of, subject_of
from hub.rates import Rate

_USES = f"""
SELECT u.limit_id, u.subject_id, u.period, u.used
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS wanted (limit_id, subject_id, period)
CROSS JOIN LATERAL (
    SELECT * FROM limit_use
    WHERE journal_id = {JOURNAL_ID} AND subject_id = wanted.subject_id AND limit_id = wanted.limit_id
      AND period = wanted.period LIMIT 1
) u
"""
_ENTRIES = f"""
SELECT movement_id, n, limit_id, subject_id, period, amount FROM limit_entry
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[]) ORDER BY movement_id, n
"""

_Side = tuple[Act, int, int, int | None]  # of an act: its currency, the customer's institution, the customer if known


async def load(driver: Any, book: Book, batch: Sequence[commands.Command]) -> None:
    """Into the book: what has been used of every limit that the batch may count under, and what the acts that it may
    reverse have counted. The book's customers, accounts, quotes and originals are there already."""
    if not (book.configuration.limits or book.configuration.outflows):
        return
    if book.originals or book.exchanges:
        movements = [original.counted for original in book.originals.values()] + list(book.exchanges)
        for row in await driver.fetch(_ENTRIES, movements):
            book.limit_entries.setdefault(row["movement_id"], []).append(LimitEntry(*row))
    wanted = {entry.key for entries in book.limit_entries.values() for entry in entries}
    for side in {side for command in batch for side in _sides(book, command)}:
        wanted.update(_keys(book, *side))
    if book.configuration.outflows:
        for command in batch:
            wanted.update(_outflows(book, command))
    book.limit_used.update(await uses(driver, wanted))


def filled(book: Book, batch: Sequence[commands.Command]) -> Iterator[int]:
    """The accounts that the batch may credit under a limit on what is held: what is over of them has to go first, or it
    would count. The book's customers, accounts, quotes and holds are there already."""
    if not book.configuration.limits:
        return
    for act, currency, _, customer in {side for command in batch for side in _sides(book, command)}:
        families = book.configuration.limits_on(act, currency)
        if customer is not None and any(versions[0].period is Period.BALANCE for versions in families):
            code = book.configuration.currencies[currency].code
            if (account := book.accounts.get((AccountKind.CUSTOMER, customer, code))) is not None:
                yield account.id


async def uses(driver: Any, wanted: Collection[UseKey]) -> dict[UseKey, int]:
    """What has been used; what nobody has used yet is left out."""
    if not wanted:
        return {}
    found = await driver.fetch(_USES, *map(list, zip(*wanted, strict=True)))
    return {(row["limit_id"], row["subject_id"], row["period"]): row["used"] for row in found}


def _sides(book: Book, command: commands.Command) -> Iterator[_Side]:
    """The sides of a command that limits may count, as far as what it names exists."""
    match command:
        case commands.Issue():
            yield from _party(book, Act.ISSUE, command.currency, command.to)
        case commands.Transfer():
            yield from _party(book, Act.TRANSFER, command.currency, command.source)
            yield from _party(book, Act.RECEIVE, command.currency, command.target)
        case commands.ContributeToPool():
            yield from _party(book, Act.TRANSFER, command.currency, command.member)
        case commands.Redeem():
            yield from _party(book, Act.REDEEM, command.currency, command.customer)
        case commands.RedeemBasket():
            for currency in command.currencies:
                yield from _party(book, Act.REDEEM, currency, command.customer)
        case commands.Convert():
            yield from _party(book, Act.CONVERT, command.source_currency, command.source)
            yield from _party(book, Act.CONVERT_IN, command.target_currency, command.target)
        case commands.CaptureHold():
            yield from _captured(book, command)
        case commands.ExecuteQuote():
            offer = book.quotes.get(command.quote or 0)
            if offer is not None:
                rate = book.configuration.rates[offer.rate]
                yield Act.CONVERT, rate.source, offer.source.institution, offer.source.id
                yield Act.CONVERT_IN, rate.target, offer.target.institution, offer.target.id
        case _:
            pass


def _captured(book: Book, command: commands.CaptureHold) -> Iterator[_Side]:
    hold = book.holds.get(command.hold or 0)
    of = None if hold is None else book.configuration.currency(hold.currency)
    if hold is None or of is None:
        return
    act = Act.REDEEM if command.target is None else Act.TRANSFER
    yield act, of.id, hold.customer.institution, hold.customer.id
    if command.target is not None:
        yield from _party(book, Act.RECEIVE, of.code, command.target)


def _party(book: Book, act: Act, currency: str, party: commands.Party) -> Iterator[_Side]:
    of, home = book.configuration.currency(currency), book.configuration.institution_codes.get(party.institution)
    if of is not None and home is not None:
        customer = book.customers.get((home, party.reference))
        yield act, of.id, home, None if customer is None else customer.id


def _outflows(book: Book, command: commands.Command) -> Iterator[UseKey]:
    """What a conversion may count towards its rate's outflow; in a window that its own batch opens nothing has yet."""
    rates: Iterable[Rate] = ()
    if isinstance(command, commands.ExecuteQuote):
        offer = book.quotes.get(command.quote or 0)
        rates = () if offer is None else (book.configuration.rates[offer.rate],)
    elif isinstance(command, commands.Convert):
        pair = [book.configuration.currency(code) for code in (command.source_currency, command.target_currency)]
        rates = book.configuration.versions_of(*(0 if of is None else of.id for of in pair))
    bounded = [rate for rate in rates if rate.outflow_limit is not None]
    return (outflow_key(rate, window.id) for rate in bounded for window in book.open_windows())


def _keys(book: Book, act: Act, currency: int, home: int, customer: int | None) -> Iterator[UseKey]:
    """What a side may count towards, whichever versions will be in force. Who is not known has used nothing."""
    for versions in book.configuration.limits_on(act, currency):
        limit = versions[0]
        if limit.period is Period.BALANCE or (
            customer is None and limit.subject in (Subject.CUSTOMER, Subject.ACCOUNT)
        ):
            continue
        account = None
        if limit.subject is Subject.ACCOUNT:
            code = book.configuration.currencies[currency].code
            account = book.accounts.get((AccountKind.CUSTOMER, customer or 0, code))
            if account is None:
                continue
        subject = subject_of(limit, customer or 0, 0 if account is None else account.id, home)
        yield limit.family, subject, period_of(limit.period, limit.zone, book.at)


async def clippings(connection: AsyncConnection, of: Collection[int]) -> dict[int, Clipping]:
    """What was clipped of issues, by movement; of an issue that was granted whole there is none."""
    table = tables.clipping
    found = await connection.execute(select(table).where(table.c.journal_id == JOURNAL_ID, table.c.movement_id.in_(of)))
    return {row.movement_id: Clipping(row.movement_id, row.version_id, row.requested) for row in found}
