"""The wire: one request to the partner and its answer, and what is certain of a request that failed.

Nothing was done if no octet of the request left us; after that everything is possible. That is told by watching the
connection, not by the kind of error. Redirects are not followed, the environment's proxies are not used, and an answer
that is too long, compressed or no JSON, or has an object that names something twice, is not read.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import msgspec
from pydantic import SecretStr

from adapters.amounts import decode
from adapters.http_json import templates
from adapters.http_json.configuration import Call
from adapters.http_json.credentials import Auth, TokenRefused, signer
from adapters.http_json.proofs import Verification
from adapters.http_json.templates import Value
from adapters.tls import Tls
from hub.partners import NotProven

KEEP_ALIVE_S: Final = 30
TOKEN_BYTES_MAX: Final = 65_536
_JSON: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "points-hub"}


class NotSent(Exception):
    """Nothing of the request left us. ``halts``: it need not be tried again before somebody has looked."""

    def __init__(self, detail: str, *, halts: bool = False) -> None:
        super().__init__(detail)
        self.halts = halts


class Broken(Exception):
    """The request may have arrived, and there is no answer to it that can be believed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. ``document`` is None, with ``fault``, if it could not be read."""

    http: int
    document: Any
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the connections to a partner are made by. ``base_url``: what all paths follow. ``verify_answers``: only
    answers that it proves are believed."""

    base_url: str
    auth: Auth
    tls: Tls
    connect_s: int
    answers_within_s: int
    answer_bytes_max: int
    connections_max: int
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, SecretStr] = field(default_factory=dict)
    verify_answers: Verification | None = None


class Wire:
    """The connections to one partner."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._signer = signer(line.auth)
        secret = {name: value.get_secret_value() for name, value in line.secret_headers.items()}
        self._headers = httpx2.Headers(_JSON)
        self._headers.update(line.headers)
        self._headers.update(secret)
        self._client = httpx2.AsyncClient(
            verify=line.tls.context(),
            timeout=httpx2.Timeout(line.answers_within_s, connect=line.connect_s),
            limits=httpx2.Limits(
                max_connections=line.connections_max,
                max_keepalive_connections=line.connections_max,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def ask(self, call: Call, values: Mapping[str, Value]) -> Heard:
        """Send one request, and hear its answer.

        Raises:
            Unsendable: the values do not fit the configuration's templates; nothing was sent.
            NotSent: the partner could not be reached.
            Broken: there is no answer, and it may have been sent.
        """
        left = _Left()
        try:
            async with asyncio.timeout(self._line.answers_within_s):
                heard = await self._once(call, values, left)
                if heard.http == 401 and self._signer.renew():
                    heard = await self._once(call, values, left)  # it was not looked at
                return heard
        except TokenRefused as error:
            if left.octets:
                raise Broken(str(error)) from error
            raise NotSent(str(error), halts=error.halts) from error
        except templates.Unsendable:
            raise
        except Exception as error:  # whatever it is: what is certain of the request, the connection has told
            # Without its cause, whose text may have what the request had.
            raise (Broken if left.octets else NotSent)(_told(error)) from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _once(self, call: Call, values: Mapping[str, Value], left: "_Left") -> Heard:
        request = self._request(call, values)
        await self._signer.sign(request, self._token)
        request.extensions["trace"] = left.watch
        response = await self._client.send(request, stream=True)
        try:
            body, fault = await _read(response, self._line.answer_bytes_max)
        finally:
            await response.aclose()
        verification = self._line.verify_answers
        if verification is not None:
            try:
                verification.verify(response, body, datetime.now(UTC), {"@status"})
            except NotProven as error:
                raise Broken(f"The answer is not proven: {error}") from error
        if fault is None:
            try:
                return Heard(response.status_code, decode(body))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                fault = "it is no JSON, or an object in it names something twice"
        return Heard(response.status_code, None, fault)

    def _request(self, call: Call, values: Mapping[str, Value]) -> httpx2.Request:
        content = None
        headers = self._headers.copy()
        for name, template in call.headers.items():
            headers[name] = templates.header(template, values)
        if call.body is not None:
            content = msgspec.json.encode(templates.body(call.body, values))
            headers["content-type"] = "application/json"
        url = f"{self._line.base_url}{templates.path(call.path, values)}"
        query = templates.query(call.query, values)
        return self._client.build_request(call.method, url, params=query or None, headers=headers, content=content)

    async def _token(self, request: httpx2.Request) -> tuple[int, bytes]:
        response = await self._client.send(request, stream=True)
        try:
            body, fault = await _read(response, TOKEN_BYTES_MAX)
        finally:
            await response.aclose()
        if fault is not None:
            raise TokenRefused(f"The authorisation server's answer cannot be read: {fault}.", halts=False)
        return response.status_code, body


class _Left:
    """Whether an octet of a request has left us."""

    def __init__(self) -> None:
        self.octets = False

    async def watch(self, event: str, _: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.octets = True


def _told(error: Exception) -> str:
    """What is told of a request that failed. The library's words only where there was no connection, so that they
    cannot be of the request; otherwise they may repeat a header, ours or one that came back: then only their kind."""
    if isinstance(error, httpx2.ConnectError):
        return f"There is no connection: {error}."[:200]
    return f"The request failed ({type(error).__name__})."


async def _read(response: httpx2.Response, bytes_max: int) -> tuple[bytes, str | None]:
    """The body as it came, or what is wrong with it."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return b"", "it is compressed"
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > bytes_max:
            return b"", f"it is longer than {bytes_max} bytes"
        chunks.append(chunk)
    return b"".join(chunks), None
