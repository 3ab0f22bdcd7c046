"""Restrictions: freezes of a customer's accounts as such, and a customer's leaving. Pure.

Nothing leaves a frozen account for its customer; credits arrive, debts are repaid, and time takes what is over. A
freeze of all of a customer's accounts is also one of those that are opened later. Who froze, or one above, unfreezes:
what the operator or the issuer froze is not for the customer's institution to free.
"""

from hub.access import Right
from hub.errors import CustomerClosed, Duplicate, Frozen, NotFound, PointsUnresolved
from hub.institutions import is_below
from hub.ledger import breakage, commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import (
    Account,
    AccountKind,
    Customer,
    HoldKind,
    HoldStatus,
    Mark,
    MovementKind,
    Restriction,
    RestrictionKind,
)
from hub.points import render

ALL = ""  # in place of a currency: all of a customer's accounts
_WHY = {HoldKind.HOLD: "held", HoldKind.FREEZE: "frozen", HoldKind.EXCHANGE: "converting"}
CLEARED_ON_EXIT = "CLEARED_ON_EXIT"


def freeze(book: Book, command: commands.FreezeAccount) -> Draft:
    """Freeze an account, or all of a customer's. An account by the currency's issuer or the customer's institution; all
    by the latter.

    Raises:
        Duplicate: it is frozen.
        CustomerClosed: the customer has left.
    """
    customer, currency = _subject(book, command)
    before = _standing(book, customer, currency)
    if before is not None:
        raise Duplicate(customer=customer.reference or "", currency=currency or "*")
    draft = _restricted(book, command, customer, currency, RestrictionKind.FREEZE)
    if currency == ALL:
        draft.customer_marks[customer.id] = int(Mark.CUSTOMER_FROZEN)
        for account in _accounts(book, customer):
            draft.mark(account, draft.marks_of(account) | Mark.CUSTOMER_FROZEN)
    else:
        account = draft.account(AccountKind.CUSTOMER, customer.id, currency)
        draft.mark(account, draft.marks_of(account) | Mark.FROZEN)
    return draft


def unfreeze(book: Book, command: commands.UnfreezeAccount) -> Draft:
    """End a freeze of an account, or of all of a customer's; each kind ends by itself.

    Raises:
        NotFound: it is not frozen.
        CustomerClosed: the customer has left.
        Forbidden: it was frozen by somebody else, who is not below the caller.
    """
    customer, currency = _subject(book, command)
    before = _standing(book, customer, currency)
    if before is None:
        raise NotFound(customer=customer.reference or "", currency=currency or "*")
    resolve.allow(book, command.actor, Right.TRADE, before.for_institution)
    draft = _restricted(book, command, customer, currency, RestrictionKind.UNFREEZE)
    if currency == ALL:
        draft.customer_marks[customer.id] = 0
        for account in _accounts(book, customer):
            draft.mark(account, draft.marks_of(account) & ~Mark.CUSTOMER_FROZEN)
    else:
        account = draft.account(AccountKind.CUSTOMER, customer.id, currency)
        draft.mark(account, draft.marks_of(account) & ~Mark.FROZEN)
    return draft


def close(book: Book, command: commands.CloseCustomer) -> Draft:
    """customer → breakage:C, for every currency that the customer's institution or one above it issues; then nothing
    comes or goes any more. Asked for by the customer's institution; the operator clears all currencies.

    Raises:
        Frozen: an account is.
        PointsUnresolved: points are held or frozen, or owed, or another issuer's.
        CustomerClosed: the customer has left before.
    """
    home = resolve.institution(book, command.customer.institution)
    resolve.allow(book, command.actor, Right.TRADE, home.id)
    resolve.active(book, resolve.credential(book, command.actor).institution, closing=True)
    resolve.reason(command.reason)
    customer = resolve.known_customer(book, command.customer, home)
    if _standing(book, customer, ALL) is not None:
        raise Frozen
    accounts = _accounts(book, customer)
    for account in accounts:
        _check_leaving(book, command.actor, customer, account)
    draft = _restricted(book, command, customer, ALL, RestrictionKind.CLOSE)
    draft.customer_marks[customer.id] = int(Mark.CLOSED)
    for account in accounts:
        draft.mark(account, draft.marks_of(account) | Mark.CLOSED)
        if account.balance:
            _clear(draft, command.actor, home.id, customer, account)
    return draft


def _check_leaving(book: Book, actor: int, customer: Customer, account: Account) -> None:
    of = resolve.currency(book, account.currency)
    resolve.unfrozen(account)
    for held in book.holds.values():
        if (held.customer.id, held.currency) == (customer.id, of.code) and held.status is HoldStatus.HELD:
            raise PointsUnresolved(currency=of.code, **{_WHY[held.kind]: render(held.amount, of.scale)})
    if account.marks & Mark.DEBT:
        raise PointsUnresolved(currency=of.code, debt=render(book.debt(account), of.scale))
    is_ours = is_below(book.configuration.institutions, customer.institution, of.issuer)
    if account.balance and not is_ours and not resolve.credential(book, actor).operates:
        raise PointsUnresolved(currency=of.code, total=render(account.balance, of.scale))


def _clear(draft: Draft, actor: int, acting: int, customer: Customer, account: Account) -> None:
    movement = breakage.take(
        draft,
        MovementKind.CLEAR,
        account,
        account.balance,
        draft.spend(account, account.balance),
        customer,
        credential=actor,
        acting=acting,
        subject=draft.restrictions[0].id,
    )
    draft.memos.append((movement.id, CLEARED_ON_EXIT))


def _subject(book: Book, command: commands.FreezeAccount | commands.UnfreezeAccount) -> tuple[Customer, str]:
    """Whose accounts, and of which currency, if the actor may restrict them at all."""
    home = resolve.institution(book, command.customer.institution)
    if command.currency is None:
        resolve.allow(book, command.actor, Right.TRADE, home.id)
        resolve.active(book, resolve.credential(book, command.actor).institution, closing=True)
    else:
        resolve.guard(book, command.actor, resolve.currency(book, command.currency), home.id)
    resolve.reason(command.reason)
    return resolve.known_customer(book, command.customer, home), command.currency or ALL


def _standing(book: Book, customer: Customer, currency: str) -> Restriction | None:
    """The freeze that stands, if one does.

    Raises:
        CustomerClosed: the customer has left.
    """
    left = book.restrictions.get((customer.id, ALL))
    if left is not None and left.kind is RestrictionKind.CLOSE:
        raise CustomerClosed
    found = book.restrictions.get((customer.id, currency))
    return found if found is not None and found.kind is RestrictionKind.FREEZE else None


def _restricted(
    book: Book,
    command: commands.FreezeAccount | commands.UnfreezeAccount | commands.CloseCustomer,
    customer: Customer,
    currency: str,
    kind: RestrictionKind,
) -> Draft:
    """A draft with the restriction that is asked for, in the name of the asking institution itself."""
    draft = Draft(book)
    made = Restriction(
        id=draft.new_id(),
        kind=kind,
        at=book.at,
        credential=command.actor,
        for_institution=resolve.credential(book, command.actor).institution,
        customer=customer,
        currency=currency,
    )
    draft.restrictions.append(made)
    draft.memos.append((made.id, command.reason))
    draft.result = made
    return draft


def _accounts(book: Book, customer: Customer) -> list[Account]:
    """The customer's accounts, by currency."""
    found = [
        account
        for account in book.accounts.values()
        if account.kind == AccountKind.CUSTOMER and account.owner == customer.id
    ]
    return sorted(found, key=lambda account: account.currency)
