"""Registering certificates of adapters. By the operator. Pure: that a certificate is genuine, was found out before."""

from hub.certificates import Certificate
from hub.errors import Duplicate, InvalidInput
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft


def register(book: Book, command: commands.RegisterCertificate) -> Draft:
    """What the checks found of an adapter, in the place of what was found of it before with the same configuration.

    Raises:
        Duplicate: it is registered.
        InvalidInput: a later one of the same adapter and configuration is.
    """
    resolve.operating(book, command.actor)
    draft = Draft(book)
    made = Certificate(id=draft.new_id(), found=command.found, registered_at=book.at)
    known = book.configuration.certificates.get(made.of)
    if known is not None and known.found.token == made.found.token:
        raise Duplicate(certificate=made.found.adapter)
    if known is not None and known.found.checked_at >= made.found.checked_at:
        raise InvalidInput(certificate="There is a later one.")
    draft.nouns.append(made)
    draft.result = made
    return draft
