"""Acceptance keys: the public keys with which institutions accept their reports. Configuration, like all that is in
force.

An institution has one that is current; a new one replaces it, and what the old one signed stands. A revoked key is not
believed for what was kept at an instant or later. That its owner holds the private key was proved when it was
registered; the proof is kept beside it, so that anybody can verify it again. What a signature is, is the affair of
``settlement``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hub.revocations import RevocationReason


@dataclass(frozen=True, slots=True)
class AcceptanceKey:
    """An Ed25519 public key: ``x`` as in its JWK, ``kid`` its thumbprint (RFC 7638). ``proof``: a JWS by it."""

    id: int
    institution: int
    kid: str
    x: str
    proof: str
    registered_at: datetime
    registered_by: str
    replaced_at: datetime | None = None
    revoked_since: datetime | None = None
    reason: RevocationReason | None = None

    def is_believed(self, at: datetime) -> bool:
        """Whether what it signed, and was kept at ``at``, counts."""
        return self.revoked_since is None or at < self.revoked_since

    @property
    def is_current(self) -> bool:
        """Whether it may sign something new."""
        return self.replaced_at is None and self.revoked_since is None

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JWK (RFC 8037)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.kid, "alg": "Ed25519", "use": "sig"}


def keys_of(keys: Iterable[AcceptanceKey], institution: int) -> list[AcceptanceKey]:
    """An institution's keys, the newest first."""
    return sorted((one for one in keys if one.institution == institution), key=lambda one: -one.id)
