"""Debts: points that customers owe, because they were taken away after they had been spent. Pure.

A debt is the only balance below zero, of an account of its own (``AccountKind.DEBT``); the customer's account is marked
while there is one. Whatever is credited to that account repays it in the same act (``Draft.points``).
"""

from hub.access import Right
from hub.errors import ExceedsDebt
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Movement, MovementKind
from hub.points import parse_positive, render


def write_off(book: Book, command: commands.WriteOffDebt) -> Draft:
    """issuance:C → DEBT: the issuer gives up what a customer owes. By an administrator of the issuer, or the operator.

    Raises:
        ExceedsDebt: less is owed.
    """
    of = resolve.currency(book, command.currency)
    home = resolve.institution(book, command.customer.institution)
    acting = resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer, exact=True)
    resolve.active(book, resolve.credential(book, command.actor).institution, closing=True)
    resolve.reason(command.reason)
    customer = resolve.known_customer(book, command.customer, home)
    draft = Draft(book)
    account = book.accounts.get((AccountKind.CUSTOMER, customer.id, of.code))
    debt = 0 if account is None else book.debt(account)
    amount = debt if command.amount is None else parse_positive(command.amount, of.scale)
    if account is None or not 0 < amount <= debt:
        raise ExceedsDebt(debt=render(debt, of.scale), requested=render(amount, of.scale))
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.WRITE_OFF,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        amount=amount,
        target=customer,
    )
    draft.forgive(movement.id, account, draft.account(AccountKind.ISSUANCE, of.issuer, of.code), amount)
    draft.movements.append(movement)
    draft.memos.append((movement.id, command.reason))
    draft.result = movement
    return draft
