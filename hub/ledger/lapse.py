"""Lapse: what time has done to accounts since they were last touched. Pure.

A batch settles this first for the accounts that it loads: holds whose time is over are released, and points whose lot
has ended, and which no hold pins, go to breakage. So every command meets accounts that are as they should be at its
instant, whether or not a sweep has come by; a sweep only loads accounts. On record as the host's doing.
"""

from collections.abc import Iterator

import msgspec

from hub.access import Right
from hub.ledger import commands, resolve
from hub.ledger.book import Book, Draft
from hub.ledger.records import Account, AccountKind, Hold, HoldKind, HoldStatus, Movement, MovementKind, Phase


def lapses(book: Book) -> Iterator[Draft]:
    """What is due on the loaded accounts, as drafts; each is to be taken in before the next is asked for."""
    for hold in list(book.holds.values()):
        if hold.kind is HoldKind.HOLD and hold.status is HoldStatus.HELD and hold.expires_at <= book.at:
            draft = Draft(book)
            release(draft, hold, HoldStatus.EXPIRED, book.configuration.host.id)
            yield draft
    accounts = {account.id: account for account in book.accounts.values()}
    for number, lots in list(book.lots.items()):
        if any(lot.free > 0 and lot.expires_at <= book.at for lot in lots.values()):
            draft = Draft(book)
            expire(draft, accounts[number])
            yield draft


def sweep(book: Book, command: commands.Lapse) -> Draft:
    """Nothing more: what was due on these accounts was settled when they were loaded. Asked for by the operator."""
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    return Draft(book)


def release(draft: Draft, hold: Hold, status: HoldStatus, credential: int) -> Hold:
    """End a hold and free its points; those whose lot has ended are gone. Answers the hold as it is now."""
    book = draft.book
    of = book.configuration.currencies[book.configuration.currency_codes[hold.currency]]
    account = draft.account(AccountKind.CUSTOMER, hold.customer.id, hold.currency)
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.RELEASE,
        at=book.at,
        credential=credential,
        for_institution=hold.for_institution,
        currency=hold.currency,
        amount=hold.amount,
        source=hold.customer,
        subject=hold.id,
    )
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    draft.points(movement.id, account, issuance, hold.amount, book.pins.get(hold.id, ()), (), Phase.VOIDED)
    draft.movements.append(movement)
    ended = msgspec.structs.replace(hold, status=status, resolved_by=movement.id)
    draft.holds.append(ended)
    expire(draft, account)
    return ended


def expire(draft: Draft, account: Account) -> None:
    """customer → breakage:C, for the account's points whose lots have ended and which no hold pins."""
    book = draft.book
    over = [lot for lot in draft.lots_of(account).values() if lot.free > 0 and lot.expires_at <= book.at]
    if not over or account.kind != AccountKind.CUSTOMER:
        return
    of = book.configuration.currencies[book.configuration.currency_codes[account.currency]]
    pieces = tuple(lot.piece(lot.free) for lot in sorted(over, key=lambda lot: (lot.expires_at, lot.earned_at, lot.id)))
    amount = sum(piece.amount for piece in pieces)
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.EXPIRE,
        at=book.at,
        credential=book.configuration.host.id,
        for_institution=of.issuer,
        currency=of.code,
        amount=amount,
        source=book.people[account.owner],
    )
    draft.points(movement.id, account, draft.account(AccountKind.BREAKAGE, of.issuer, of.code), amount, pieces)
    draft.movements.append(movement)
