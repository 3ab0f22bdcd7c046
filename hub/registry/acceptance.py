"""Configuring acceptance: institutions' keys, and for how long lines may be disputed. Pure.

Whose key it is must be beyond doubt, so an institution's own administrator registers it: neither one above it nor the
operator, who is the other side. That a key's owner holds it was found out before.
"""

from dataclasses import replace

from hub.acceptance.keys import AcceptanceKey, keys_of
from hub.acceptance.reports import DAYS_MAX, DisputeTerms
from hub.access import Right
from hub.errors import Duplicate, InvalidInput, NotFound
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft


def register(book: Book, command: commands.RegisterAcceptanceKey) -> Draft:
    """A public key with which an institution accepts its reports from now on, in the place of the one before. By its
    own administrator.

    Raises:
        Forbidden: somebody else asks.
        Duplicate: the key is, or was, registered, here or for another institution.
    """
    node = resolve.institution(book, command.institution)
    asking = resolve.own_word(book, command.actor, node.id)
    if command.kid in book.configuration.acceptance_keys:
        raise Duplicate(key=command.kid)
    draft = Draft(book)
    made = AcceptanceKey(
        id=draft.new_id(),
        institution=node.id,
        kid=command.kid,
        x=command.x,
        proof=command.proof,
        registered_at=book.at,
        registered_by=asking.person,
    )
    for before in keys_of(book.configuration.acceptance_keys.values(), node.id):
        if before.replaced_at is None:
            draft.nouns.append(replace(before, replaced_at=book.at))
    draft.nouns.append(made)
    draft.result = made
    return draft


def revoke(book: Book, command: commands.RevokeAcceptanceKey) -> Draft:
    """A key is not believed for what was kept at an instant or later, a part of a second included. By an administrator
    of its institution, or by the operator, who may have to be quick. Again with the same or a later instant changes
    nothing: a revocation is never taken back.

    Raises:
        NotFound: there is no such key for the caller.
        InvalidInput: the instant is yet to come.
    """
    asking = resolve.credential(book, command.actor)
    known = book.configuration.acceptance_keys.get(command.kid)
    if known is None or not resolve.sees(book, asking, known.institution):
        raise NotFound
    resolve.allow(book, command.actor, Right.CONFIGURE, known.institution, exact=True)
    since = command.since.replace(microsecond=0)
    if since > book.at:
        raise InvalidInput(since="is yet to come")
    draft = Draft(book)
    if known.revoked_since is None or since < known.revoked_since:
        known = replace(known, revoked_since=since, reason=command.reason)
        draft.nouns.append(known)
    draft.result = known
    return draft


def set_days(book: Book, command: commands.SetDisputeDays) -> Draft:
    """For how many days after its closing a window's lines may be disputed, of windows that close later. By the
    operator.

    Raises:
        InvalidInput: it is not 1 to 365.
    """
    resolve.operating(book, command.actor)
    if not 0 < command.days <= DAYS_MAX:
        raise InvalidInput(days=command.days, maximum=DAYS_MAX)
    draft = Draft(book)
    person = resolve.credential(book, command.actor).person
    made = DisputeTerms(id=draft.new_id(), days=command.days, set_by=person)
    draft.nouns.append(made)
    draft.result = made
    return draft
