"""The keyring: the hub's public keys as a verifier has them, the revoked ones among them, and opening what they signed.

A key is known by its computed thumbprint; what it calls itself does not count. A revoked key carries ``revoked`` with
``revoked_at`` (seconds since 1970) and ``reason``, as in OpenID Federation 1.0; it stays in the set, because what it
signed before is still to be verified. A revocation that cannot be read counts from the beginning of time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from settlement.members import Findings, shown
from settlement.signing import ALGORITHM, TYP, MalformedJws, is_signed_by, take_apart, thumbprint

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_MAX: Final = 253_402_300_799  # the last second of the year 9999
REASON: Final = "unspecified"


@dataclass(frozen=True, slots=True)
class Opened:
    """A JWS taken apart. ``payload`` None: it is none; ``kid`` None: no valid signature of a known key was found."""

    payload: bytes | None = None
    kid: str | None = None
    revoked_from: datetime | None = None  # the key is revoked for what happens from then on
    reason: str = ""


class Keyring:
    """The Ed25519 keys of a JWK set; a key that is there twice is revoked from the earlier instant on."""

    __slots__ = ("_keys", "_revoked")

    def __init__(self, findings: Findings, jwks: Mapping[str, Any], prefix: str = "") -> None:
        members = jwks.get("keys")
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._revoked: dict[str, tuple[datetime, str]] = {}
        for member in members if isinstance(members, list) else ():
            try:
                kid = thumbprint(member)
            except ValueError:
                continue  # a key of another kind, or for another use
            self._keys[kid] = member
            if "revoked" in member:
                revoked = revocation(member["revoked"])
                self._revoked[kid] = min(self._revoked.get(kid, revoked), revoked)
        if not self._keys:
            findings.add(f"{prefix}JWKS", "The key set holds no Ed25519 public key.")

    def open(self, findings: Findings, token: str, prefix: str, subject: str, typ: str = TYP) -> Opened:
        """The payload of a document of this ``typ``, and whose signature it carries; what is wrong is found under codes
        with ``prefix``.

        A signature under a header that is not exactly of this kind is not looked at: it is none of its signatures.
        """
        try:
            unverified = take_apart(token)
        except MalformedJws as error:
            findings.add(f"{prefix}JWS", f"{subject}: {error}")
            return Opened()
        header = unverified.header
        unknown = sorted(header.keys() - {"alg", "kid", "typ"})
        for name in unknown:
            findings.add(f"{prefix}HEADER", f"{subject}'s header has an unknown member {ascii(name)[:40]}.")
        is_ours = not unknown
        for name, expected in (("alg", ALGORITHM), ("typ", typ)):
            if header.get(name) != expected:
                is_ours = False
                found = ascii(header.get(name))[:40]
                findings.add(f"{prefix}{name.upper()}", f"{subject}'s header has {name} {found} and not {expected!r}.")
        kid = header.get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            findings.add(f"{prefix}KID", f"{subject} names a key that is not in the key set ({ascii(kid)[:60]}).")
            return Opened(unverified.payload)
        if not is_ours:
            return Opened(unverified.payload)
        if not is_signed_by(token, self._keys[kid]):
            findings.add(f"{prefix}SIGNATURE", f"{subject} is not signed by the key that it names ({kid}).")
            return Opened(unverified.payload)
        revoked_from, reason = self._revoked.get(kid, (None, ""))
        return Opened(unverified.payload, kid, revoked_from, reason)


def revocation(member: object) -> tuple[datetime, str]:
    """From when on a key is revoked, and why, by its ``revoked`` member."""
    if not isinstance(member, Mapping):
        return _EPOCH, REASON
    seconds, reason = member.get("revoked_at"), member.get("reason")
    if type(seconds) is not int or not 0 <= seconds <= _SECONDS_MAX:
        seconds = 0
    return _EPOCH + timedelta(seconds=seconds), shown(reason) if isinstance(reason, str) else REASON


def revoked(at: datetime, reason: str) -> dict[str, object]:
    """The ``revoked`` member of a key; a part of a second counts as revoked."""
    return {"revoked_at": (at - _EPOCH) // timedelta(seconds=1), "reason": reason}
