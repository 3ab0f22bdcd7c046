"""Acts to reverse, read back whole: their movements, legs, lots and shares, and what of them was reversed before."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger import account_rows, lot_rows, prepaid_rows, rows
from hub.ledger.book import Book, Original
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.orders import exchange_of
from hub.ledger.records import AccountKind, Leg, Movement, MovementKind, Phase, Purpose

_REVERSIBLE = (
    MovementKind.ISSUE,
    MovementKind.TRANSFER,
    MovementKind.REDEEM,
    MovementKind.CONTRIBUTE,
    MovementKind.CLEAR,
)
_BY_SUBJECT = (MovementKind.CONVERT, MovementKind.CAPTURE)  # named by their conversion, or their hold
# Named by the movement that accepted them, where partners had to be asked, and otherwise by their own identifier.
_BY_EITHER = (MovementKind.ISSUE, MovementKind.TRANSFER, MovementKind.REDEEM)


async def load(connection: AsyncConnection, driver: Any, book: Book, needs: Needs) -> None:
    """Acts to reverse, by the identifier that was asked for: a conversion's, or a movement's. What was cleared because
    its customer left is none."""
    movement, leg = tables.movement, tables.leg
    converted = await rows.conversions(connection, tables.conversion.c.id.in_(needs.originals))
    found = await rows.movements(
        connection,
        and_(movement.c.id.in_(needs.originals), movement.c.kind.in_(_REVERSIBLE))
        | and_(movement.c.subject_id.in_(needs.originals), movement.c.kind.in_((*_BY_SUBJECT, *_BY_EITHER))),
    )
    found = {id: done for id, done in found.items() if _name(done) in needs.originals}
    if cleared := {id: done.subject for id, done in found.items() if done.kind is MovementKind.CLEAR}:
        runs = await rows.clearings(connection, tables.clearing.c.id.in_(cleared.values()))
        found = {id: done for id, done in found.items() if id not in cleared or done.subject in runs}
    if not found:
        return
    posted = (
        await connection.execute(
            select(leg)
            .where(leg.c.journal_id == JOURNAL_ID, leg.c.movement_id.in_(found))
            .order_by(leg.c.movement_id, leg.c.n)
        )
    ).all()
    involved = {account for row in posted for account in (row.debit_account_id, row.credit_account_id)}
    await account_rows.load(driver, book, involved)
    by_id = {account.id: account for account in book.accounts.values()}
    already = await reversed_amounts(connection, needs.originals)
    lots = await lot_rows.leg_pieces(connection, found)
    shares = await rows.fee_shares(connection, book.configuration, found)
    legs: dict[int, list[Leg]] = {}
    for row in posted:
        taken, given = lots.get((row.movement_id, row.n), ((), ()))
        one = Leg(
            by_id[row.debit_account_id],
            by_id[row.credit_account_id],
            row.amount,
            Purpose(row.purpose),
            row.window_id,
            Phase(row.phase),
            taken,
            given,
        )
        if taken and one.debit.kind == AccountKind.CUSTOMER:
            needs.issuer(one.debit.currency)
        legs.setdefault(row.movement_id, []).append(one)
        if one.window is not None:
            needs.institutions.update((one.debit.owner, one.credit.owner))
    granted = [id for id, done in found.items() if done.kind is MovementKind.ISSUE and done.terms is not None]
    draws = await prepaid_rows.draws(connection, granted) if granted else {}
    over_partners = {exchange_of(reference) for reference in book.done}
    for id, done in found.items():
        asked = _name(done)
        if asked in needs.originals:
            if done.target is not None and (needs.has_shortfall or asked in over_partners):
                needs.owners.add(done.target.id)  # no leg is of what a partner keeps for it
            conversion = converted.get(asked)
            if done.source is not None:
                book.people[done.source.id] = done.source  # whose points may be over when they come back
                if done.kind is MovementKind.CONTRIBUTE:
                    needs.givers.add(done.source.id)
            counted = asked if asked in over_partners else id
            reversed_before, shared = already.get(asked, 0), tuple(shares.get(id, ()))
            rest = (conversion, reversed_before, counted, shared, draws.get(id, ()))
            book.originals[asked] = Original(done, legs.get(id, []), *rest)
            if conversion is not None:
                needs.people.add(conversion.source.id)


def _name(done: Movement) -> int:
    """The identifier by which an act is asked for."""
    by_subject = done.kind in _BY_SUBJECT or (done.kind in _BY_EITHER and done.subject is not None)
    return (done.subject or 0) if by_subject else done.id


async def reversed_amounts(connection: AsyncConnection, of: Collection[int]) -> dict[int, int]:
    """How much of each act was reversed, in credited points, by the act's identifier. A reversal over partners names
    what accepted it, and that the act."""
    table = tables.movement
    accepted = await connection.execute(
        select(table.c.id, table.c.subject_id).where(
            table.c.journal_id == JOURNAL_ID, table.c.kind == MovementKind.ACCEPT_REVERSE, table.c.subject_id.in_(of)
        )
    )
    acts = {id: id for id in of} | {row.id: row.subject_id for row in accepted}
    found = await connection.execute(
        select(table.c.subject_id, func.sum(table.c.amount))
        .where(table.c.journal_id == JOURNAL_ID, table.c.kind == MovementKind.REVERSE, table.c.subject_id.in_(acts))
        .group_by(table.c.subject_id)
    )
    amounts: dict[int, int] = {}
    for subject, amount in found:
        amounts[acts[subject]] = amounts.get(acts[subject], 0) + int(amount)
    return amounts
