"""Revocations: which of the hub's own signing keys are not to be believed, from which instant on, and why.

Configuration, like all that is in force, so it is journalled and known to every process. A revocation stands for ever
and can only be moved to an earlier instant. What a signature is, is the affair of ``settlement``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RevocationReason(StrEnum):
    """Why a key is revoked; the words are those of OpenID Federation 1.0."""

    COMPROMISED = "compromised"
    SUPERSEDED = "superseded"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class Revocation:
    """The key ``kid`` does not speak for what happened at ``since`` or later. ``id`` is of the first revocation."""

    id: int
    kid: str
    since: datetime
    reason: RevocationReason
