"""Configuring keys: a named person's credential is made, and revoked at once. Pure: the caller makes the secret."""

from dataclasses import replace

from hub.access import OPERATOR_ROLES, Credential, Right, Role, person_key
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.institutions import Institution
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.registry import checks


def first(draft: Draft, operator: Institution, person: str, secret_hash: str) -> Credential:
    """The operator's first key, made once when the hub is set up."""
    credential = Credential(
        id=draft.new_id(),
        institution=operator.id,
        person=person,
        label="first key",
        roles=(Role.OPERATOR_ADMIN,),
        secret_hash=secret_hash,
        created_at=draft.book.at,
        expires_at=None,
        revoked_at=None,
    )
    draft.nouns.append(credential)
    return credential


def host(draft: Draft, operator: Institution) -> Credential:
    """Who the command line on the hub's own host acts as. It has no secret, so nobody can present it."""
    credential = Credential(
        id=draft.new_id(),
        institution=operator.id,
        person="host",
        label="command line on the hub's host",
        roles=(Role.OPERATOR_ADMIN,),
        secret_hash="",
        created_at=draft.book.at,
        expires_at=None,
        revoked_at=None,
    )
    draft.nouns.append(credential)
    return credential


def create(book: Book, command: commands.CreateCredential) -> Draft:
    """A key for a person of an institution, by an administrator of it or of one above it, or by the operator. Operator
    roles are for the operator's own people, and given by them.

    Raises:
        InvalidInput: no role, a role of the operator's for another institution, an expiry in the past, or a person who
            is there already by a name that differs in capitals or width alone.
    """
    home = resolve.institution(book, command.institution)
    resolve.allow(book, command.actor, Right.CONFIGURE, home.id)
    asking = resolve.credential(book, command.actor)
    checks.person(command.person)
    checks.name("label", command.label)
    colleagues = {other.person for other in book.configuration.credentials.values() if other.institution == home.id}
    for other in colleagues - {command.person}:
        if person_key(other) == person_key(command.person):
            raise InvalidInput(person=command.person[:60], writtenBefore=other[:60])
    roles = tuple(dict.fromkeys(command.roles))
    if not roles:
        raise InvalidInput(roles="none")
    if not OPERATOR_ROLES.isdisjoint(roles):
        if home.parent is not None:
            raise InvalidInput(roles="the operator's")
        if not asking.operates:
            raise Forbidden(right=Right.OPERATE.value)
    if command.expires_at is not None and command.expires_at <= book.at:
        raise InvalidInput(expiresAt=command.expires_at.isoformat())
    draft = Draft(book)
    credential = Credential(
        id=draft.new_id(),
        institution=home.id,
        person=command.person,
        label=command.label,
        roles=roles,
        secret_hash=command.secret_hash,
        created_at=book.at,
        expires_at=command.expires_at,
        revoked_at=None,
    )
    draft.nouns.append(credential)
    draft.result = credential
    return draft


def revoke(book: Book, command: commands.RevokeCredential) -> Draft:
    """End a key at once, everywhere. By whoever may make one like it (``create``); everybody may revoke their own.
    Revoking again changes nothing.

    Raises:
        NotFound: there is no such key, or not for the caller.
        Forbidden: it is an operator's, and the caller is none.
    """
    asking = resolve.credential(book, command.actor)
    found = book.configuration.credentials.get(command.id or 0)
    if found is None or not found.secret_hash or not resolve.sees(book, asking, found.institution):
        raise NotFound
    if found.id != asking.id:
        resolve.allow(book, command.actor, Right.CONFIGURE, found.institution)
        if not (asking.operates or OPERATOR_ROLES.isdisjoint(found.roles)):
            raise Forbidden(right=Right.OPERATE.value)
    draft = Draft(book)
    draft.result = found
    if found.revoked_at is None:
        draft.result = replace(found, revoked_at=book.at)
        draft.nouns.append(draft.result)
    return draft
