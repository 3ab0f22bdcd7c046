"""Proofs: how a partner's answers and callbacks prove that they are the partner's, and of now."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import httpx2
from http_message_signatures import HTTPMessageSignaturesException, HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.httpx2 import adapt_message
from pydantic import Field, SecretStr, field_validator, model_validator

from adapters.amounts import WrongAnswer
from adapters.http_json import templates
from adapters.http_json.credentials import ALGORITHMS, Algorithm, HmacAuth, fits
from adapters.parts import Part
from hub.partners import Message, NotProven

_ORIGIN = "https://callbacks.invalid"  # of callbacks without a Host


class Verification(Part):
    """The partner's signature by RFC 9421. ``components``: what it has to cover, besides a body's Content-Digest.
    ``window_s``: how far the time of signing may be from ours."""

    scheme: Literal["rfc9421"]
    algorithm: Algorithm
    key_id: str = Field(min_length=1, max_length=200)
    key: SecretStr = Field(min_length=1)
    components: tuple[str, ...] = ()
    window_s: int = Field(default=300, ge=1, le=3_600)

    @model_validator(mode="after")
    def _is_a_key(self) -> "Verification":
        fits(self.algorithm, self.key, private=False)
        return self

    def verify(self, message: httpx2.Request | httpx2.Response, body: bytes, now: datetime, least: set[str]) -> None:
        """Pass if the message is signed by this key, near ``now``, over ``least`` and the body at least.

        Raises:
            NotProven: it is not.
        """
        keys = MappingKeyResolver(public_keys={self.key_id: self.key.get_secret_value().encode()}, private_keys={})
        verifier = HTTPMessageVerifier(signature_algorithm=ALGORITHMS[self.algorithm], key_resolver=keys)
        required = sorted({*self.components, *least})
        try:
            results = verifier.verify(adapt_message(message), max_age=None, require_components=required, body=body)
        except HTTPMessageSignaturesException as error:
            raise NotProven(f"The signature is not the partner's: {error}") from None
        for one in results:
            _near(datetime.fromtimestamp(int(one.parameters["created"]), UTC), now, self.window_s)
        if not results:
            raise NotProven("There is no signature.")


class HmacProof(HmacAuth):
    """The partner's HMAC, described like ours. It covers the body and the time at least."""

    window_s: int = Field(default=300, ge=1, le=3_600)

    @field_validator("message")
    @classmethod
    def _covers(cls, message: str) -> str:
        if missing := {"timestamp", "body"} - templates.names(message):
            raise ValueError(f"it has to cover {', '.join(sorted(missing))}")
        return message

    def verify(self, message: Message, now: datetime) -> None:
        """Pass if the message carries the HMAC of its contents, of a time near ``now``.

        Raises:
            NotProven: it does not.
        """
        timestamp = _header(message, self.timestamp_header)
        nonce = "" if self.nonce_header is None else _header(message, self.nonce_header)
        told = _header(message, self.signature_header)
        right = self.signature_prefix + self.mac(
            timestamp=timestamp, method=message.method, path=message.path, body=message.body, nonce=nonce
        )
        if not hmac.compare_digest(told.encode(), right.encode()):
            raise NotProven("The signature is not the partner's.")
        try:
            at = self.timestamp.read(timestamp)
        except WrongAnswer as error:
            raise NotProven(str(error)) from None
        _near(at.replace(tzinfo=UTC) if at.tzinfo is None else at, now, self.window_s)


Proof = Annotated[HmacProof | Verification, Field(discriminator="scheme")]


def prove(proof: HmacProof | Verification, message: Message, now: datetime) -> None:
    """Pass if a callback is the partner's, and of now.

    Raises:
        NotProven: it is not.
    """
    if isinstance(proof, HmacProof):
        proof.verify(message, now)
        return
    host = next((value for name, value in message.headers if name == "host"), None)
    origin = _ORIGIN if host is None else f"https://{host}"
    try:
        request = httpx2.Request(message.method, f"{origin}{message.path}", headers=list(message.headers))
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise NotProven("The request is malformed.") from None
    proof.verify(request, message.body, now, {"@method", "@path"})


def _header(message: Message, name: str) -> str:
    found = [value for one, value in message.headers if one == name.lower()]
    if len(found) != 1:
        raise NotProven(f"There is not one {name}.")
    return found[0]


def _near(at: datetime, now: datetime, window_s: int) -> None:
    if abs(at - now) > timedelta(seconds=window_s):
        raise NotProven(f"It was signed at {at.isoformat()}, which is not within {window_s} seconds of now.")
