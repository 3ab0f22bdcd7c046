"""How requests and callbacks prove who sends them: nothing, a bearer token, HMAC-SHA256 headers, OAuth 2 client
credentials, or HTTP message signatures (``signatures.py``).

HMAC: ``x-timestamp`` is whole seconds since 1970, ``x-signature`` the hexadecimal HMAC-SHA256 of
``timestamp.METHOD.path.body``, where the path has its query, as sent. Both are compared in constant time.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from urllib.parse import parse_qs, unquote_plus, urlsplit

import httpx2
import msgspec

from adapters.simulator.problems import Unauthenticated, WrongValue
from adapters.simulator.signatures import SKEW_S, Signatures

TOKEN_S = 600


class Scheme(StrEnum):
    """How requests are authenticated."""

    NONE = "none"
    BEARER = "bearer"
    HMAC = "hmac"
    OAUTH2 = "oauth2"
    RFC9421 = "rfc9421"


class Sent(msgspec.Struct, frozen=True):
    """What of a request is authenticated; names of headers in lower case. ``origin``: to which it was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    origin: str = "http://simulator.invalid"


def signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """What ``x-signature`` says."""
    signed = f"{timestamp}.{method}.{path}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Authentication:
    """One scheme with its secret, or its keys. ``client``: of OAuth 2. Tokens are kept in memory: after a restart, ask
    anew."""

    def __init__(
        self,
        scheme: Scheme,
        secret: str = "",
        client: str = "points-hub",
        clock: Callable[[], float] = time.time,
        signatures: Signatures | None = None,
    ) -> None:
        if scheme not in (Scheme.NONE, Scheme.RFC9421) and not secret:
            raise WrongValue(f"The scheme {scheme} needs a secret.", "secret")
        if (scheme is Scheme.RFC9421) != (signatures is not None):
            raise WrongValue("The scheme rfc9421 alone has keys: ours, and the client's public one.", "signing_key")
        self.scheme = scheme
        self.signatures = signatures
        self._secret = secret
        self._client = client
        self._clock = clock
        self._tokens: dict[str, float] = {}

    def check(self, sent: Sent) -> None:
        """Pass if a request is authentic.

        Raises:
            Unauthenticated: it is not, and why.
        """
        if self.scheme is Scheme.NONE:
            return
        if self.signatures is not None:
            self.signatures.check(_request(sent), sent.body)
            return
        if self.scheme is Scheme.HMAC:
            self._check_signature(sent)
            return
        scheme, _, token = sent.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send Authorization: Bearer and the token.")
        if self.scheme is Scheme.OAUTH2:
            if self._tokens.get(token, 0) <= self._clock():
                raise Unauthenticated("The token is unknown or over; ask for another at POST /oauth/token.")
        elif not _same(token, self._secret):
            raise Unauthenticated("The token is another.")

    def sign(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """The headers that prove a callback to be ours; under OAuth 2, where nobody gives us tokens, those of HMAC."""
        if self.scheme is Scheme.NONE:
            return {}
        if self.signatures is not None:
            return self.signatures.of_request(method, url, body)
        if self.scheme is Scheme.BEARER:
            return {"authorization": f"Bearer {self._secret}"}
        address = urlsplit(url)
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        timestamp = str(int(self._clock()))
        return {"x-timestamp": timestamp, "x-signature": signature(self._secret, timestamp, method, path, body)}

    def token(self, sent: Sent) -> dict[str, str | int]:
        """A new token for client credentials, given in a form or as Basic authentication.

        Raises:
            Unauthenticated: the credentials are others.
            WrongValue: another grant is asked for.
        """
        if self.scheme is not Scheme.OAUTH2:
            raise WrongValue(f"Requests are authenticated by {self.scheme} here.")
        form = {name: values[0] for name, values in parse_qs(sent.body.decode("ascii", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            raise WrongValue("'grant_type' is client_credentials.", "grant_type")
        client, secret = _basic(sent.headers) or (form.get("client_id", ""), form.get("client_secret", ""))
        if not (_same(client, self._client) and _same(secret, self._secret)):
            raise Unauthenticated("The client or its secret is another.")
        now = self._clock()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = now + TOKEN_S
        return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_S}

    def _check_signature(self, sent: Sent) -> None:
        timestamp, given = sent.headers.get("x-timestamp", ""), sent.headers.get("x-signature", "")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
            raise Unauthenticated("x-timestamp is whole seconds since 1970.")
        if abs(int(timestamp) - self._clock()) > SKEW_S:
            raise Unauthenticated(f"x-timestamp differs from the time here by more than {SKEW_S} seconds.")
        if not _same(given, signature(self._secret, timestamp, sent.method, sent.path, sent.body)):
            raise Unauthenticated("x-signature is not the HMAC-SHA256 of timestamp.METHOD.path.body in hexadecimal.")


def _request(sent: Sent) -> httpx2.Request:
    try:
        return httpx2.Request(sent.method, f"{sent.origin}{sent.path}", headers=list(sent.headers.items()))
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise Unauthenticated("The request is malformed.") from None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _basic(headers: Mapping[str, str]) -> tuple[str, str] | None:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote_plus(client), unquote_plus(secret)
