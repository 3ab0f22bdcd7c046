"""Credentials: how our requests prove who sends them. TLS certificates are the connection's (``wire.py``)."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Protocol

import httpx2
from http_message_signatures import HTTPMessageSigner, HTTPSignatureAlgorithm, MappingKeyResolver, algorithms
from http_message_signatures.httpx2 import adapt_message
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from adapters.amounts import TimeForm, WrongAnswer, decode
from adapters.http_json import templates
from adapters.parts import Part

ALGORITHMS: Final[dict[str, type[HTTPSignatureAlgorithm]]] = {
    "ed25519": algorithms.ED25519,
    "hmac-sha256": algorithms.HMAC_SHA256,
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
}
Algorithm = Literal["ed25519", "hmac-sha256", "ecdsa-p256-sha256", "rsa-pss-sha512"]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
_WRITTEN: Final = r"^[ -~]*$"  # as it can stand between quotation marks in a header
_SIGNED: Final = {"timestamp", "method", "path", "body", "nonce"}


def _header(text: str) -> str:
    # Where it was pasted with the end of its line, a library would refuse it at each request, and might repeat it.
    if not templates.is_header(text):
        raise ValueError("it can be no header's value: printable ASCII, without a space at either end")
    return text


def _secret_header(secret: SecretStr) -> SecretStr:
    _header(secret.get_secret_value())
    return secret


HeaderText = Annotated[str, AfterValidator(_header)]
SecretHeaderText = Annotated[SecretStr, AfterValidator(_secret_header)]


class TokenRefused(Exception):
    """The authorisation server gave no token, so nothing was sent; ``halts`` if it said that we are not welcome."""

    def __init__(self, detail: str, *, halts: bool) -> None:
        super().__init__(detail)
        self.halts = halts


class NoAuth(Part):
    scheme: Literal["none"]


class BearerAuth(Part):
    """``Authorization: Bearer`` with a token that does not change."""

    scheme: Literal["bearer"]
    token: SecretHeaderText = Field(min_length=1)


class HeaderAuth(Part):
    """A header with a secret value."""

    scheme: Literal["header"]
    name: HeaderName
    value: SecretHeaderText = Field(min_length=1)


class HmacAuth(Part):
    """HMAC-SHA256 over ``message``, a template of timestamp, method, path (with its query), body and nonce."""

    scheme: Literal["hmac"]
    key: SecretStr = Field(min_length=1)
    key_encoding: Literal["TEXT", "HEX", "BASE64"] = "TEXT"
    message: str = "{timestamp}.{method}.{path}.{body}"
    timestamp: TimeForm = TimeForm(form="UNIX")
    timestamp_header: HeaderName = "x-timestamp"
    signature_header: HeaderName = "x-signature"
    signature_prefix: str = Field(default="", max_length=40)
    signature_encoding: Literal["HEX", "BASE64"] = "HEX"
    nonce_header: HeaderName | None = None
    key_id: HeaderText | None = Field(default=None, max_length=200)
    key_id_header: HeaderName = "x-key-id"

    @model_validator(mode="after")
    def _is_a_key(self) -> "HmacAuth":
        self.octets()
        return self

    @model_validator(mode="after")
    def _is_sendable(self) -> "HmacAuth":
        _header(f"{self.signature_prefix}0")
        _header(str(self.timestamp.show(datetime.now(UTC))))
        return self

    @field_validator("message")
    @classmethod
    def _names(cls, message: str) -> str:
        if unknown := templates.names(message) - _SIGNED:
            raise ValueError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(_SIGNED))}")
        return message

    def octets(self) -> bytes:
        """The key."""
        text = self.key.get_secret_value()
        try:
            if self.key_encoding == "HEX":
                return bytes.fromhex(text)
            if self.key_encoding == "BASE64":
                return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise ValueError(f"the key is not in {self.key_encoding}") from None
        return text.encode()

    def mac(self, *, timestamp: str, method: str, path: str, body: bytes, nonce: str = "") -> str:
        """The signature, as it stands in the header after its prefix."""
        texts = {"timestamp": timestamp, "method": method, "path": path, "nonce": nonce}
        told = templates.octets(self.message, {**{name: one.encode() for name, one in texts.items()}, "body": body})
        digest = hmac.new(self.octets(), told, hashlib.sha256).digest()
        return digest.hex() if self.signature_encoding == "HEX" else base64.b64encode(digest).decode()


class OAuth2Auth(Part):
    """OAuth 2 client credentials: a token is fetched, kept until shortly before its end, and fetched anew once if it is
    not accepted."""

    scheme: Literal["oauth2"]
    token_url: str = Field(max_length=500)
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretStr = Field(min_length=1)
    client_authentication: Literal["BASIC", "BODY"] = "BASIC"
    scope: str | None = Field(default=None, max_length=500)
    audience: str | None = Field(default=None, max_length=500)
    early_s: int = Field(default=30, ge=0, le=3_600)


class SignatureAuth(Part):
    """HTTP message signatures (RFC 9421) over the request, its body by Content-Digest."""

    scheme: Literal["rfc9421"]
    algorithm: Algorithm
    key_id: str = Field(min_length=1, max_length=200, pattern=_WRITTEN)
    key: SecretStr = Field(min_length=1)
    components: tuple[str, ...] = ("@method", "@authority", "@path", "@query", "content-digest")
    tag: str | None = Field(default=None, max_length=100, pattern=_WRITTEN)

    @model_validator(mode="after")
    def _is_a_key(self) -> "SignatureAuth":
        fits(self.algorithm, self.key, private=True)
        return self


Auth = Annotated[
    NoAuth | BearerAuth | HeaderAuth | HmacAuth | OAuth2Auth | SignatureAuth, Field(discriminator="scheme")
]


def fits(algorithm: str, key: SecretStr, *, private: bool) -> None:
    """Pass if the algorithm can be used with the key.

    Raises:
        ValueError: it cannot; the key is not repeated.
    """
    octets = key.get_secret_value().encode()
    try:
        made = ALGORITHMS[algorithm](**{"private_key" if private else "public_key": octets})
        if private:
            made.sign(b"")
    except Exception:  # the libraries' many errors may quote the text
        raise ValueError(f"the key is no {'private' if private else 'public'} key of {algorithm}") from None


Send = Callable[[httpx2.Request], Awaitable[tuple[int, bytes]]]


class Signer(Protocol):
    """Puts the proof on a request."""

    async def sign(self, request: httpx2.Request, send: Send) -> None:
        """Add what proves who sends the request; ``send`` is for requests that this needs itself.

        Raises:
            TokenRefused: it cannot be had.
        """

    def renew(self) -> bool:
        """Whether a request that was answered 401 is worth another try, with another proof."""


def signer(auth: Auth) -> Signer:
    """What signs requests by a configuration."""
    match auth:
        case NoAuth():
            return _Fixed({})
        case BearerAuth():
            return _Fixed({"authorization": f"Bearer {auth.token.get_secret_value()}"})
        case HeaderAuth():
            return _Fixed({auth.name: auth.value.get_secret_value()})
        case HmacAuth():
            return _Hmac(auth)
        case OAuth2Auth():
            return _OAuth2(auth)
        case SignatureAuth():
            return _Signature(auth)


class _Fixed:
    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    async def sign(self, request: httpx2.Request, send: Send) -> None:
        request.headers.update(self._headers)

    def renew(self) -> bool:
        return False


class _Hmac:
    def __init__(self, auth: HmacAuth) -> None:
        self._auth = auth

    async def sign(self, request: httpx2.Request, send: Send) -> None:
        auth, nonce = self._auth, ""
        timestamp = str(auth.timestamp.show(datetime.now(UTC)))
        if auth.nonce_header is not None:
            nonce = secrets.token_hex(16)
            request.headers[auth.nonce_header] = nonce
        if auth.key_id is not None:
            request.headers[auth.key_id_header] = auth.key_id
        target = request.url.raw_path.decode("ascii")
        mac = auth.mac(timestamp=timestamp, method=request.method, path=target, body=request.content, nonce=nonce)
        request.headers[auth.timestamp_header] = timestamp
        request.headers[auth.signature_header] = f"{auth.signature_prefix}{mac}"

    def renew(self) -> bool:
        return False


class _Signature:
    def __init__(self, auth: SignatureAuth) -> None:
        self._auth = auth
        keys = MappingKeyResolver(public_keys={}, private_keys={auth.key_id: auth.key.get_secret_value().encode()})
        self._signer = HTTPMessageSigner(signature_algorithm=ALGORITHMS[auth.algorithm], key_resolver=keys)

    async def sign(self, request: httpx2.Request, send: Send) -> None:
        auth = self._auth
        covered = [one for one in auth.components if one != "content-digest"]  # of the body it is added
        self._signer.sign(
            adapt_message(request),
            key_id=auth.key_id,
            nonce=secrets.token_hex(16),
            label="hub",
            tag=auth.tag,
            covered_component_ids=covered,
            body=request.content if "content-digest" in auth.components else None,
        )

    def renew(self) -> bool:
        return False


class _OAuth2:
    def __init__(self, auth: OAuth2Auth) -> None:
        self._auth = auth
        self._token: str | None = None
        self._ends_s = 0  # of the process's monotonic clock
        self._fetching = asyncio.Lock()

    async def sign(self, request: httpx2.Request, send: Send) -> None:
        async with self._fetching:
            if self._token is None or time.monotonic_ns() // 10**9 >= self._ends_s:
                self._token = await self._fetch(send)
            request.headers["authorization"] = f"Bearer {self._token}"

    def renew(self) -> bool:
        self._token = None
        return True

    async def _fetch(self, send: Send) -> str:
        auth = self._auth
        fields = {"grant_type": "client_credentials", "scope": auth.scope, "audience": auth.audience}
        login = None
        if auth.client_authentication == "BASIC":
            login = httpx2.BasicAuth(auth.client_id, auth.client_secret.get_secret_value())
        else:
            fields |= {"client_id": auth.client_id, "client_secret": auth.client_secret.get_secret_value()}
        told = {name: value for name, value in fields.items() if value is not None}
        request = httpx2.Request("POST", auth.token_url, data=told, headers={"accept": "application/json"})
        if login is not None:
            request = next(login.auth_flow(request))
        asked_s = time.monotonic_ns() // 10**9
        status, body = await send(request)
        if status != 200:
            raise TokenRefused(f"The authorisation server answers {status}.", halts=status in (400, 401, 403))
        token, lasts_s = _token(body)
        self._ends_s = asked_s + max(0, lasts_s - auth.early_s)
        return token


def _token(body: bytes) -> tuple[str, int]:
    try:
        found = decode(body)
        token, lasts_s = found["access_token"], found.get("expires_in", 60)
        if type(token) is not str or not token or not templates.is_header(token):
            raise WrongAnswer
        return token, min(int(lasts_s), 86_400)
    except (WrongAnswer, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TokenRefused("The authorisation server's answer holds no token.", halts=False) from None
