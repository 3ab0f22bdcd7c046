"""Bindings: cards, numbers and telephones that name a customer, one active owner at a time. Pure.

While it is bound, an identifier stands wherever its institution's customers are named by reference: ``Book`` knows its
owner under it. It is never a reference as well, so a name has one meaning. The identifier is personal data: what is
kept for ever holds its opaque id only, and refusals tell it masked.
"""

import msgspec

from hub.access import Right
from hub.errors import AlreadyBound, Duplicate, InvalidInput, NotFound
from hub.institutions import Institution
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.commands import Party
from hub.ledger.draft import Draft
from hub.ledger.records import Binding, Identifier, Step, masked


def bind(book: Book, command: commands.BindIdentifier) -> Draft:
    """From now on the identifier names the customer, who is enrolled at the same institution. What was done under it
    before stays with whom it named then.

    Raises:
        InvalidInput: the identifier is blank, or the customer is another institution's.
        AlreadyBound: it names a customer, be it the same.
        Duplicate: a customer is enrolled under it.
    """
    home, acting = _home(book, command.actor, command.identifier)
    resolve.active(book, home.id)
    if command.customer.institution != home.code:
        raise InvalidInput(customer=command.customer.institution)
    name = (home.id, command.identifier.reference)
    if not name[1].strip():
        raise InvalidInput(identifier="empty")
    of = book.identifiers.get(name)
    if of is not None and of.id in book.bindings:
        raise AlreadyBound(institution=home.code, identifier=of.masked)
    if name in book.customers:
        raise Duplicate(institution=home.code, identifier=masked(name[1]))
    owner = resolve.known_customer(book, command.customer, home)
    draft = Draft(book)
    if of is None:
        of = Identifier(draft.new_id(), *name)
        draft.identifiers.append(of)
    made = Step(draft.new_id(), book.at, command.actor, acting)
    return _take(draft, Binding(identifier=of, customer=owner, made=made))


def unbind(book: Book, command: commands.UnbindIdentifier) -> Draft:
    """The identifier names nobody until it is bound again. Also of an institution that is closed.

    Raises:
        InvalidInput: the reason is blank.
        NotFound: the identifier names nobody.
    """
    home, acting = _home(book, command.actor, command.identifier)
    resolve.active(book, home.id, closing=True)
    if not command.reason.strip():
        raise InvalidInput(reason="empty")
    of = book.identifiers.get((home.id, command.identifier.reference))
    bound = None if of is None else book.bindings.get(of.id)
    if bound is None:
        raise NotFound(institution=home.code, identifier=masked(command.identifier.reference))
    draft = Draft(book)
    ended = Step(draft.new_id(), book.at, command.actor, acting)
    draft.memos.append((ended.id, command.reason))
    return _take(draft, msgspec.structs.replace(bound, ended=ended))


def _home(book: Book, actor: int, identifier: Party) -> tuple[Institution, int]:
    """The identifier's institution, and the one that thereby acts."""
    home = resolve.institution(book, identifier.institution)
    return home, resolve.allow(book, actor, Right.TRADE, home.id)


def _take(draft: Draft, binding: Binding) -> Draft:
    draft.bindings.append(binding)
    draft.result = binding
    return draft
