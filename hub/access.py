"""Who may do what: credentials of named persons, their roles, and the one question that is asked of them.

A credential belongs to one institution and one person. Its secret is 256 random bits, shown once; the hub keeps only
the SHA-256 of it, which needs no salt because such a secret cannot be guessed. Rights are decided by ``require`` alone,
on the edge for a quick answer and again under the journal's lock, so that no right outlives its revocation.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.errors import Forbidden, Unauthenticated
from hub.institutions import Institution, is_below


class Role(StrEnum):
    """What a credential is for. OPERATOR roles belong to the operator's credentials only."""

    OPERATOR_ADMIN = "OPERATOR_ADMIN"
    OPERATOR_AUDITOR = "OPERATOR_AUDITOR"
    INSTITUTION_ADMIN = "INSTITUTION_ADMIN"
    INSTITUTION_TRADER = "INSTITUTION_TRADER"
    INSTITUTION_AUDITOR = "INSTITUTION_AUDITOR"


OPERATOR_ROLES = frozenset({Role.OPERATOR_ADMIN, Role.OPERATOR_AUDITOR})


class Right(StrEnum):
    """What a request wants to do for an institution."""

    OPERATE = "operate"  # what only the operator does: members, caps, approvals, windows
    CONFIGURE = "configure"  # an institution's own keys, currencies, rates and limits
    TRADE = "trade"  # acts for customers
    VOUCH = "vouch"  # say that a customer has consented
    READ = "read"


_GRANTED: dict[Right, frozenset[Role]] = {
    Right.OPERATE: frozenset(),
    Right.CONFIGURE: frozenset({Role.INSTITUTION_ADMIN}),
    Right.TRADE: frozenset({Role.INSTITUTION_TRADER}),
    Right.VOUCH: frozenset({Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER}),
    Right.READ: frozenset({Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER, Role.INSTITUTION_AUDITOR}),
}


@dataclass(frozen=True, slots=True)
class Credential:
    """A named person's key. ``secret_hash`` is hexadecimal SHA-256."""

    id: int
    institution: int
    person: str
    label: str
    roles: tuple[Role, ...]
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether the key opens anything at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def operates(self) -> bool:
        """Whether it is an administrator of the operator's, who may act for anybody, on record."""
        return Role.OPERATOR_ADMIN in self.roles

    @property
    def sees_all(self) -> bool:
        """Whether the whole hub is open to its eyes."""
        return not OPERATOR_ROLES.isdisjoint(self.roles)


def person_key(name: str) -> str:
    """What persons are told apart by: their names, without capitals and the width of characters. Who shares it is one
    person, also at two institutions: nobody can tell from the record that it is not so."""
    return unicodedata.normalize("NFKC", name).casefold()


def new_secret() -> str:
    """A fresh secret: 256 random bits in a form that secret scanners can recognise."""
    return f"phk_{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def require(
    credential: Credential | None,
    right: Right,
    institutions: Mapping[int, Institution],
    institution: int,
    now: datetime,
    *,
    exact: bool = False,
) -> None:
    """Pass if ``credential`` has ``right`` for ``institution`` at ``now``; ``exact``: not for those below its own.

    Raises:
        Unauthenticated: there is no live credential.
        Forbidden: its roles, or its place in the tree, do not reach that far.
    """
    if credential is None or not credential.is_live(now):
        raise Unauthenticated
    if credential.operates or (right is Right.READ and credential.sees_all):
        return
    if _GRANTED[right].isdisjoint(credential.roles):
        raise Forbidden(right=right.value)
    if credential.institution != institution and (
        exact or not is_below(institutions, institution, credential.institution)
    ):
        raise Forbidden(right=right.value)
