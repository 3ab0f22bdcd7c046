"""HTTP message signatures (RFC 9421): requests have to be signed by the client's key, and what the simulator says, in
answers and callbacks, is signed by its own.

A request's signature covers ``@method``, ``@authority``, ``@path``, ``@query`` and the body's Content-Digest, is of
now, and counts once: a request that somebody has copied is refused.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import httpx2
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    MappingKeyResolver,
    algorithms,
)
from http_message_signatures.httpx2 import adapt_message
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.simulator.problems import Unauthenticated, WrongValue

SKEW_S: Final = 300  # by which a signature's time may differ from ours, to either side
KEY_ID: Final = "simulator"  # of our own key
COVERED: Final = ("@method", "@authority", "@path", "@query")
_ALGORITHMS: Final = (algorithms.ED25519, algorithms.ECDSA_P256_SHA256, algorithms.RSA_PSS_SHA512)
_ADDED: Final = ("content-digest", "signature-input", "signature")


class Signatures:
    """The keys of both. ``client``: the name of the client's key. ``ours`` is a private key and ``theirs`` a public
    one, each as PEM: Ed25519, ECDSA P-256 or RSA.

    Raises:
        WrongValue: one of them is no such key.
    """

    def __init__(self, ours: bytes, theirs: bytes, client: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._signer = HTTPMessageSigner(
            signature_algorithm=_algorithm("private_key", ours, "signing_key"),
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={KEY_ID: ours}),
        )
        self._verifier = HTTPMessageVerifier(
            signature_algorithm=_algorithm("public_key", theirs, "client_key"),
            key_resolver=MappingKeyResolver(public_keys={client: theirs}, private_keys={}),
        )
        self._seen: dict[str, float] = {}  # signatures, and until when they would be of now

    def check(self, request: httpx2.Request, body: bytes) -> None:
        """Pass if a request is the client's, of now, and new.

        Raises:
            Unauthenticated: it is not, and why.
        """
        covered = [*COVERED, *(["content-digest"] if body else [])]
        try:
            results = self._verifier.verify(adapt_message(request), max_age=None, require_components=covered, body=body)
        except (HTTPMessageSignaturesException, ValueError) as error:
            raise Unauthenticated(f"The signature is missing or wrong: {error}") from None
        if not results:
            raise Unauthenticated("There is no signature.")
        now = self._clock()
        if any(abs(int(one.parameters["created"]) - now) > SKEW_S for one in results):
            raise Unauthenticated(f"'created' differs from the time here by more than {SKEW_S} seconds.")
        self._seen = {signature: until for signature, until in self._seen.items() if until > now}
        signature = request.headers["signature"]
        if signature in self._seen:
            raise Unauthenticated("The request was sent before; sign it anew, with another nonce.")
        self._seen[signature] = now + 2 * SKEW_S

    def of_request(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """The headers that prove a request, such as a callback, to be ours."""
        request = httpx2.Request(method, url, content=body)
        return self._signed(request, COVERED, body)

    def of_answer(self, status: int, body: bytes) -> dict[str, str]:
        """The headers that prove an answer to be ours."""
        asked = httpx2.Request("GET", "http://simulator.invalid/")
        return self._signed(httpx2.Response(status, content=body, request=asked), ("@status",), body)

    def _signed(
        self, message: httpx2.Request | httpx2.Response, covered: tuple[str, ...], body: bytes
    ) -> dict[str, str]:
        self._signer.sign(
            adapt_message(message),
            key_id=KEY_ID,
            created=datetime.fromtimestamp(int(self._clock()), UTC),
            covered_component_ids=covered,
            body=body,
        )
        return {name: message.headers[name] for name in _ADDED if name in message.headers}


class SignedAnswers:
    """An application whose answers below ``/v1`` are signed. They have one body each, as a response of JSON has."""

    def __init__(self, app: ASGIApp, signatures: Signatures) -> None:
        self._app = app
        self._signatures = signatures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []

        async def signing(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            if begun:
                start = begun.pop()
                added = self._signatures.of_answer(start["status"], message.get("body", b""))
                headers = [(name.encode(), value.encode()) for name, value in added.items()]
                await send({**start, "headers": [*start["headers"], *headers]})
            await send(message)

        await self._app(scope, receive, signing)


def _algorithm(kind: str, pem: bytes, field: str) -> type[HTTPSignatureAlgorithm]:
    """The algorithm that a key is for."""
    for algorithm in _ALGORITHMS:
        with suppress(Exception):  # whatever the libraries say of a key of another kind
            made = algorithm(**{kind: pem})
            if kind == "private_key":
                made.sign(b"")
            return algorithm
    raise WrongValue(f"It is no {kind.replace('_', ' ')} of Ed25519, ECDSA P-256 or RSA in PEM.", field)
