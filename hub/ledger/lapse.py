"""Lapse: what time has done to accounts since they were last touched. Pure.

A batch settles this first for the accounts that it loads: holds whose time is over are released, and points whose lot
has ended, and which no hold pins, go to breakage. So every command meets accounts that are as they should be at its
instant, whether or not a sweep has come by; a sweep only loads accounts. On record as the host's doing.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter

import msgspec

from hub.ledger import breakage, commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.lots import Lot, total
from hub.ledger.records import (
    Account,
    AccountKind,
    Hold,
    HoldKind,
    HoldStatus,
    Lapsed,
    Movement,
    MovementKind,
    Phase,
)

ACCOUNTS_OF_DRAFT = 500
_IN_ORDER = attrgetter("expires_at", "earned_at", "id")


def lapses(book: Book) -> Iterator[Draft]:
    """What is due on the loaded accounts, as drafts; each is to be taken in before the next is asked for. In the order
    of identifiers, whatever order they were loaded in."""
    due = [one for one in book.holds.values() if one.kind is HoldKind.HOLD and one.status is HoldStatus.HELD]
    for hold in sorted((one for one in due if one.expires_at <= book.at), key=lambda one: one.id):
        draft = Draft(book)
        release(draft, hold, HoldStatus.EXPIRED, book.configuration.host.id)
        yield draft
    accounts = {account.id: account for account in book.accounts.values()}
    host = book.configuration.host.id
    due_lots = (
        (accounts[number], over)
        for number, lots in sorted(book.lots.items())
        if (over := _over(book, lots.values())) and not _is_fixed(book, accounts[number])
    )
    while some := list(islice(due_lots, ACCOUNTS_OF_DRAFT)):
        draft = Draft(book)
        for account, over in some:
            _expire(draft, account, over, host)
        yield draft


def sweep(book: Book, command: commands.Lapse) -> Draft:
    """Nothing more: what was due on these accounts was settled when they were loaded. Answers what that was. Asked for
    by the operator."""
    resolve.operating(book, command.actor)
    draft, asked = Draft(book), set(command.accounts)
    draft.result = tuple(one for one in book.lapsed if one.account in asked)
    return draft


def release(draft: Draft, hold: Hold, status: HoldStatus, credential: int) -> Hold:
    """End a hold and free its points; those whose lot has ended are gone. Answers the hold as it is now."""
    book = draft.book
    of = resolve.currency(book, hold.currency)
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
    if status is HoldStatus.EXPIRED:
        draft.lapsed.append(Lapsed(account.id, of.code, 0, 0, 1))
    expire(draft, account)
    return ended


def expire(draft: Draft, account: Account) -> None:
    """customer → breakage:C, for the account's points whose lots have ended and which no hold pins."""
    if over := _over(draft.book, draft.lots_of(account).values()):
        _expire(draft, account, over, draft.book.configuration.host.id)


def _over(book: Book, lots: Iterable[Lot]) -> list[Lot]:
    """Lots that have ended and of which no hold pins all."""
    at = book.at
    return [lot for lot in lots if lot.expires_at <= at and lot.amount > lot.held]


def _is_fixed(book: Book, account: Account) -> bool:
    """Whether the account's balance is on its way to another keeper as it is, with what is over: whoever keeps it then
    settles that."""
    of = book.configuration.currency(account.currency)
    return of is not None and of.relocation is not None and of.relocation.fixed


def _expire(draft: Draft, account: Account, over: list[Lot], host: int) -> None:
    if account.kind != AccountKind.CUSTOMER:
        return
    pieces = tuple(lot.piece(lot.free) for lot in sorted(over, key=_IN_ORDER))
    customer = draft.book.people[account.owner]
    gone = breakage.take(draft, MovementKind.EXPIRE, account, total(pieces), pieces, customer, credential=host)
    draft.lapsed.append(Lapsed(account.id, account.currency, len(pieces), gone.amount, 0))
