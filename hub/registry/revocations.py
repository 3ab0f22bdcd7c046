"""Revoking a signing key of the hub's. Pure. That there is such a key is for the caller to know, who has the keys."""

from dataclasses import replace

from hub.errors import InvalidInput
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.revocations import Revocation


def revoke(book: Book, command: commands.RevokeSigningKey) -> Draft:
    """A key is not believed for what happened at an instant or later, a part of a second included. By the operator.
    Again with the same or a later instant changes nothing: a revocation is never taken back.

    Raises:
        InvalidInput: the instant is yet to come.
    """
    resolve.operating(book, command.actor)
    since = command.since.replace(microsecond=0)
    if since > book.at:
        raise InvalidInput(since="is yet to come")
    draft = Draft(book)
    known = book.configuration.revocations.get(command.kid)
    if known is not None and known.since <= since:
        draft.result = known
        return draft
    fresh = Revocation(0, command.kid, since, command.reason)
    made = replace(fresh, id=draft.new_id() if known is None else known.id)
    draft.nouns.append(made)
    draft.result = made
    return draft
