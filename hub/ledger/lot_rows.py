"""Lot rows: the lots and holds that a batch needs, read under the journal's lock.

Nothing is asked for accounts without lots and pending points. Of an account that spends, the lots are read in the order
of spending as far as the batch's amounts reach, whole groups of one end at a time, and all that are over; so an account
with ten thousand lots costs what its spending takes. Lots into which points only go need not be read.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.errors import InvalidAmount
from hub.ledger import rows
from hub.ledger.arrays import array
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.lots import Lot
from hub.ledger.needs import Needs
from hub.ledger.records import (
    Account,
    AccountKind,
    Customer,
    HoldAct,
    HoldKind,
    HoldStatus,
    Mark,
    Movement,
    MovementKind,
    Phase,
    Piece,
)
from hub.points import COUNTER_MAX, parse_positive

_COLUMNS = "account_id, expires_at, origin, earned_at, id, amount, held"

# Per account its lots that are over; and if it spends, so many of those that end after an instant, the first ends
# first, with all that end with the last one.
_LOTS = f"""
SELECT {_COLUMNS}
FROM unnest($1::text::bigint[], $2::text::bigint[], $3::text::timestamptz[]) AS wanted (account, units, beyond)
CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM lot WHERE journal_id = {JOURNAL_ID} AND account_id = wanted.account AND expires_at <= $4
    UNION ALL (
        SELECT {_COLUMNS} FROM lot
        WHERE journal_id = {JOURNAL_ID} AND account_id = wanted.account AND expires_at > wanted.beyond
          AND wanted.units > 0
        ORDER BY expires_at FETCH FIRST ($5::bigint) ROWS WITH TIES
    )
) l
"""
_FIRST, _TIMES = 64, 16  # lots of an account that are read at first, and how many times more each further time

_FREE = f"""
SELECT account_id, sum(amount - held)::bigint AS free FROM lot
WHERE journal_id = {JOURNAL_ID} AND account_id = ANY($1::text::bigint[]) GROUP BY account_id
"""

_PEOPLE = f"""
SELECT c.id, c.institution_id, r.reference FROM customer c
LEFT JOIN customer_reference r ON r.journal_id = c.journal_id AND r.customer_id = c.id
WHERE c.journal_id = {JOURNAL_ID} AND c.id = ANY($1::text::bigint[])
"""

_LOTS_OF = f"""
SELECT DISTINCT {", ".join(f"l.{column}" for column in _COLUMNS.split(", "))}
FROM lot_entry e JOIN lot l USING (journal_id, account_id, expires_at, origin)
WHERE e.journal_id = {JOURNAL_ID} AND e.movement_id = ANY($1::text::bigint[])
"""


async def hold_acts(connection: AsyncConnection, done: dict[int, Movement]) -> dict[int, HoldAct]:
    """What was done to holds, by the movement that did it."""
    held = {
        id: id if moved.kind in (MovementKind.HOLD, MovementKind.FREEZE) else moved.subject
        for id, moved in done.items()
        if moved.kind in _HOLD_KINDS
    }
    if not held:
        return {}
    found = await rows.holds(connection, tables.hold.c.id.in_(held.values()))
    return {id: HoldAct(id, found[of]) for id, of in held.items() if of in found}


_HOLD_KINDS = (
    MovementKind.HOLD,
    MovementKind.FREEZE,
    MovementKind.CAPTURE,
    MovementKind.RELEASE,
    MovementKind.REMOVE,
)


async def holds(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """Holds that are to be resolved, and whose accounts that takes."""
    if not needs.holds:
        return
    found = await rows.holds(connection, tables.hold.c.id.in_(needs.holds))
    book.holds.update(found)
    for held in found.values():
        needs.owners.add(held.customer.id)
        needs.issuer(held.currency)
    needs.owners.update(book.customers[one].id for one in needs.takers if one in book.customers)


async def lots(connection: AsyncConnection, driver: Any, book: Book, needs: Needs) -> set[int]:
    """Lots, pins, and holds that are over, of the loaded accounts that spend; answers whose accounts that takes
    besides."""
    before = set(needs.institutions)
    spenders = _spenders(book, needs)
    pending = {account.owner for account in spenders if account.pending_debits}
    if pending:
        hold = tables.hold
        over = await rows.holds(
            connection,
            and_(
                hold.c.customer_id.in_(pending),
                hold.c.status == HoldStatus.HELD.value,
                hold.c.kind == int(HoldKind.HOLD),
                hold.c.expires_at <= book.at,
            ),
        )
        mine = {(account.owner, account.currency) for account in spenders}
        book.holds.update((id, held) for id, held in over.items() if (held.customer.id, held.currency) in mine)
    if needs.leaving:
        await _leaving(connection, book, needs)
    if book.holds:
        for id, (pins, _) in (await pieces(connection, book.holds)).items():
            book.pins[id] = pins
        _take(book, await driver.fetch(_LOTS_OF, array(book.holds)))
    if book.originals:
        _take(book, await driver.fetch(_LOTS_OF, array(one.movement.id for one in book.originals.values())))
    wanted = {account.id: units for account, units in spenders.items() if account.aged}
    if wanted:
        await _reach(driver, book, wanted)
    if wanted and book.originals:  # what goes back is taken out of whole accounts
        for account, free in await driver.fetch(_FREE, array(wanted)):
            book.lots_beyond[account] = free - sum(lot.free for lot in book.lots.get(account, {}).values())
    await _lapsing(driver, book, needs)
    return needs.institutions - before


async def _reach(driver: Any, book: Book, wanted: dict[int, int]) -> None:
    """The lots of accounts that are over, and others in the order of their ends until they hold the units that are
    wanted or there are no more."""
    beyond, missing, most = dict.fromkeys(wanted, book.at), wanted, _FIRST
    while missing:
        numbers, units = array(missing), array(missing.values())
        after = array(beyond[account] for account in missing)
        found = await driver.fetch(_LOTS, numbers, units, after, book.at, most)
        _take(book, found)
        left, seen = dict(missing), dict.fromkeys(missing, 0)
        for account, ends, _, _, _, amount, held in found:
            if ends > book.at:
                left[account] -= amount - held
                seen[account] += 1
                beyond[account] = ends
        missing = {account: units for account, units in left.items() if units > 0 and seen[account] >= most}
        most *= _TIMES


async def _leaving(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """Everything of customers who leave: whatever is held or frozen of theirs, and the issuers of what they have."""
    leaving = {book.customers[one].id for one in needs.leaving if one in book.customers}
    hold = tables.hold
    where = and_(hold.c.customer_id.in_(leaving), hold.c.status == HoldStatus.HELD.value)
    book.holds.update(await rows.holds(connection, where))
    for account in book.accounts.values():
        if account.owner in leaving:
            needs.issuer(account.currency)


async def _lapsing(driver: Any, book: Book, needs: Needs) -> None:
    """Whose points are over, and the issuers that get them."""
    accounts = {account.id: account for account in book.accounts.values()}
    over = [
        accounts[number]
        for number, found in book.lots.items()
        if number in accounts and any(lot.expires_at <= book.at for lot in found.values())
    ]
    for currency in {account.currency for account in over} | {held.currency for held in book.holds.values()}:
        needs.issuer(currency)
    owners = {account.owner for account in over} | _late(book)
    if needs.emptied:
        owners.update(account.owner for account in accounts.values() if account.id in needs.emptied)
    if owners:
        for id, home, reference in await driver.fetch(_PEOPLE, array(owners)):
            book.people[id] = Customer(id, home, reference)


def _late(book: Book) -> set[int]:
    """To whom points would come back whose lots have ended meanwhile."""
    return {
        leg.debit.owner
        for original in book.originals.values()
        for leg in original.legs
        if any(piece.expires_at <= book.at for piece in leg.taken)
    }


def _spenders(book: Book, needs: Needs) -> dict[Account, int]:
    """The loaded accounts out of which points may go, and how many the batch may want of each."""
    found: dict[Account, int] = {}
    for party, code, amount in needs.spends:
        of = book.configuration.currency(code)
        home = book.configuration.institution_codes.get(party.institution)
        customer = None if home is None else book.customers.get((home, party.reference))
        account = None if customer is None else book.accounts.get((AccountKind.CUSTOMER, customer.id, code))
        if account is None or of is None or not (account.aged or account.pending_debits):
            continue
        try:
            found[account] = found.get(account, 0) + parse_positive(amount, of.scale)
        except InvalidAmount:
            continue
    for id in needs.quotes & book.quotes.keys():
        offer = book.quotes[id]
        code = book.configuration.currencies[book.configuration.rates[offer.rate].source].code
        account = book.accounts.get((AccountKind.CUSTOMER, offer.source.id, code))
        if account is not None and (account.aged or account.pending_debits):
            units = COUNTER_MAX if id in needs.quotes_apart else offer.figures.source
            found[account] = found.get(account, 0) + units
    for party, code in needs.apart:  # of a part nothing says how far in the order of spending its lots reach
        home = book.configuration.institution_codes.get(party.institution)
        customer = None if home is None else book.customers.get((home, party.reference))
        account = None if customer is None else book.accounts.get((AccountKind.CUSTOMER, customer.id, code))
        if account in found:
            found[account] = COUNTER_MAX
    if needs.parting:
        left = {book.customers[one].id for one in needs.parting if one in book.customers} & book.pools.keys()
        found.update((account, COUNTER_MAX) for account in book.accounts.values() if account.owner in left)
    for original in book.originals.values():
        for leg in original.legs:
            if leg.credit.kind == AccountKind.CUSTOMER:
                # Of a pool a member's lots are wanted, and nothing says how far in the order of spending they reach.
                units = COUNTER_MAX if original.movement.kind is MovementKind.CONTRIBUTE else leg.amount
                found[leg.credit] = found.get(leg.credit, 0) + units
    for held in book.holds.values():
        account = book.accounts.get((AccountKind.CUSTOMER, held.customer.id, held.currency))
        if account is not None and held.shortfall:
            found[account] = found.get(account, 0) + held.shortfall
    if needs.accounts:
        for account in book.accounts.values():
            if account.id in needs.accounts:
                found[account] = max(found.get(account, 0), account.balance if account.id in needs.emptied else 0)
    leaving = {book.customers[one].id for one in needs.leaving if one in book.customers}
    for account in book.accounts.values():
        if account.marks and account.marks & Mark.DEBT:
            debt = book.accounts[AccountKind.DEBT, account.owner, account.currency]
            found[account] = found.get(account, 0) - debt.balance
        if leaving and account.owner in leaving and account.kind == AccountKind.CUSTOMER:
            found[account] = COUNTER_MAX
    return {account: min(COUNTER_MAX, units) for account, units in found.items()}


def _take(book: Book, found: Iterable[Any]) -> None:
    for account, ends, origin, earned, id, amount, held in found:
        lots = book.lots.get(account)
        if lots is None:
            lots = book.lots[account] = {}
        key = (account, ends, origin)
        if key not in lots:
            lots[key] = Lot(account, ends, origin, earned, id, amount, held)


async def pieces(
    connection: AsyncConnection, movements: Collection[int]
) -> dict[int, tuple[tuple[Piece, ...], tuple[Piece, ...]]]:
    """What movements' first legs took out of lots, or pinned, and what they put into lots, in order."""
    by_leg = await leg_pieces(connection, movements)
    return {movement: found for (movement, n), found in by_leg.items() if n == 0}


async def leg_pieces(
    connection: AsyncConnection, movements: Collection[int]
) -> dict[tuple[int, int], tuple[tuple[Piece, ...], tuple[Piece, ...]]]:
    """What legs took out of lots, or pinned there, and what they put into lots, in order; by movement and leg."""
    if not movements:
        return {}
    entry, leg = tables.lot_entry, tables.leg
    found = await connection.execute(
        select(entry, leg.c.phase, leg.c.debit_account_id)
        .join(
            leg,
            and_(
                leg.c.journal_id == entry.c.journal_id, leg.c.movement_id == entry.c.movement_id, leg.c.n == entry.c.n
            ),
        )
        .where(entry.c.journal_id == JOURNAL_ID, entry.c.movement_id.in_(movements))
        .order_by(entry.c.movement_id, entry.c.n, entry.c.place)
    )
    taken: dict[tuple[int, int], tuple[list[Piece], list[Piece]]] = {}
    for row in found:
        units = row.amount if row.phase == Phase.POSTED else row.held
        out_of = row.account_id == row.debit_account_id
        sides = taken.setdefault((row.movement_id, row.n), ([], []))
        sides[0 if out_of else 1].append(Piece(row.expires_at, row.earned_at, row.origin, abs(units)))
    return {key: (tuple(out), tuple(into)) for key, (out, into) in taken.items()}
