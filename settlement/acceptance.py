"""Acceptances: what an institution signs over its report, and over its own public key, and whether it did.

Both are compact JWS like the hub's reports (``settlement.signing``), of canonical JSON (RFC 8785) of texts, each with a
``typ`` of its own, so that none is taken for another. An acceptance names the report by its digest, and beside it what
people read: the hub, the institution and the window. There is one right payload of each, so a payload is compared and
never interpreted.
"""

from collections.abc import Mapping
from typing import Any, Final

import rfc8785

from settlement.report import Reading
from settlement.signing import ALGORITHM, MalformedJws, SigningKey, is_signed_by, take_apart, thumbprint

TYP: Final = "points-hub-acceptance+jws"
KEY_TYP: Final = "points-hub-acceptance-key+jws"
_VERSION: Final = "1"


class NotGenuine(ValueError):
    """It is not what it has to be."""

    code = "NOT_GENUINE"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail


def payload_over(reading: Reading, digest: str | None) -> bytes | None:
    """What an institution signs to accept a report; None: what could be read of it is no whole report of a closed
    window."""
    if (
        reading.form.is_interim
        or digest is None
        or reading.hub is None
        or reading.institution is None
        or reading.window is None
    ):
        return None
    return rfc8785.dumps(
        {
            "type": "points-hub/acceptance",
            "version": _VERSION,
            "hub": reading.hub,
            "institution": reading.institution.code,
            "window": reading.window.id,
            "report": digest,
        }
    )


def possession(hub: str, institution: str, x: str) -> bytes:
    """What an institution signs to prove that it holds the private half of a key, at this hub and for itself."""
    key = {"crv": "Ed25519", "kty": "OKP", "x": x}
    return rfc8785.dumps(
        {
            "type": "points-hub/acceptance-key",
            "version": _VERSION,
            "hub": hub,
            "institution": institution,
            "key": key,
        }
    )


def accept(key: SigningKey, reading: Reading, digest: str) -> str:
    """A key's acceptance of a report.

    Raises:
        NotGenuine: it is no whole report.
    """
    payload = payload_over(reading, digest)
    if payload is None:
        raise NotGenuine("it is no whole report")
    return key.sign(payload, TYP)


def prove(key: SigningKey, hub: str, institution: str) -> str:
    """A key's proof that its owner holds it."""
    return key.sign(possession(hub, institution, key.public_jwk()["x"]), KEY_TYP)


def check_possession(token: str, jwk: Mapping[str, Any], hub: str, institution: str) -> tuple[str, str]:
    """The thumbprint and the ``x`` of a public key whose private half has signed a proof.

    Raises:
        NotGenuine: it is no Ed25519 public key, holds its private half, or has not signed just this.
    """
    if "d" in jwk:
        raise NotGenuine("the key holds its private half; it is no secret any more")
    try:
        kid, x = thumbprint(jwk), str(jwk["x"])
    except (ValueError, KeyError):
        raise NotGenuine("it is no Ed25519 public key") from None
    _check(token, jwk, kid, KEY_TYP, possession(hub, institution, x))
    return kid, x


def check(token: str, jwk: Mapping[str, Any], kid: str, payload: bytes | None) -> None:
    """Pass if a key has signed this acceptance.

    Raises:
        NotGenuine: it has not.
    """
    _check(token, jwk, kid, TYP, payload)


def signer(token: str) -> str:
    """The key that an acceptance names; nothing of it is believed yet.

    Raises:
        NotGenuine: it is no JWS, or names none.
    """
    try:
        kid = take_apart(token).header.get("kid")
    except MalformedJws as error:
        raise NotGenuine(str(error)) from None
    if not isinstance(kid, str):
        raise NotGenuine("it names no key")
    return kid


def _check(token: str, jwk: Mapping[str, Any], kid: str, typ: str, payload: bytes | None) -> None:
    try:
        said = take_apart(token)
    except MalformedJws as error:
        raise NotGenuine(str(error)) from None
    if dict(said.header) != {"alg": ALGORITHM, "kid": kid, "typ": typ}:
        raise NotGenuine(f"its header has to be alg {ALGORITHM}, the key's thumbprint as kid, typ {typ}")
    if payload is None or said.payload != payload:
        raise NotGenuine("something else is signed")
    if not is_signed_by(token, jwk):
        raise NotGenuine("the key has not signed it")
