"""The HTTP edge of the API: GraphQL over HTTP (GET and POST) and over WebSocket, on one path.

It reads a request, asks the wiring's ``context_factory`` who is asking, executes, and writes what came of it.
Invariant: whatever arrives, the answer is a GraphQL response, and nothing of an unexpected exception leaves.
It knows no operation, no right and no business; resolvers decide what an anonymous caller may see.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs

import msgspec
import strawberry
import structlog
from graphql import GraphQLError
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from strawberry.types.execution import PreExecutionError

from schema import graphiql as page
from schema.faults import (
    BadRequest,
    BodyTooLarge,
    DeadlineExceeded,
    Fault,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
    formatted,
    hidden,
    translated,
)
from schema.incoming import ContextFactory, Incoming
from schema.limits import DocumentRefused, Limits
from schema.messages import language_of, weighed
from schema.operations import Operations, Parameters
from schema.sockets import Sockets

C = TypeVar("C")

JSON_MEDIA: Final = b"application/json"
RESPONSE_MEDIA: Final = b"application/graphql-response+json"
BODY_BYTES_MAX: Final = 16 * 1024 * 1024

_is_request_id = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Parameters).decode
_decode_map = msgspec.json.Decoder(dict[str, Any] | None).decode


class _Reply(NamedTuple):
    status: int
    media: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class _Course:
    """How far a request is. ``late``: what is true of it when its time is over; ``ended``: when the server's is."""

    late: type[Fault] = Unavailable  # nothing was done yet
    ended: type[Fault] = Unavailable


class _ClientGone(Exception):
    """The client went away before its request was complete."""


class GraphQLEndpoint(Generic[C]):
    """An ASGI application that serves one GraphQL schema; ``routes`` says where.

    Args:
        api: the schema. It must have no extensions, because none would run.
        context_factory: makes the resolvers' context of a request. It raises ``Unauthenticated`` for a key that is
            presented but not valid (401); without a key it returns an anonymous context. Another ``Fault`` is answered
            with its status. On a WebSocket it is asked at the start and again for each operation, so that a revoked
            key opens no new subscription.
        limits: of documents.
        body_bytes_max: a longer body is refused (413).
        deadline_seconds: the longest that a request may take, reading it included; None: no deadline.
        allowed_origins: origins besides the server's own whose pages may open a WebSocket.
        graphiql: serve the GraphiQL page to browsers; for development.
        on_operation: told the kind of each operation (query, mutation, subscription) before it is executed.
    """

    def __init__(
        self,
        api: strawberry.Schema,
        context_factory: ContextFactory[C],
        *,
        limits: Limits | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        deadline_seconds: float | None = None,
        allowed_origins: Sequence[str] = (),
        graphiql: bool = False,
        on_operation: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self._operations = Operations(api, limits or Limits(), on_operation)
        self._context_factory = context_factory
        self._body_bytes_max = body_bytes_max
        self._deadline_seconds = deadline_seconds
        self._graphiql = graphiql
        self._sockets = Sockets(self._operations, context_factory, allowed_origins)

    def routes(self, path: str = "/graphql") -> list[BaseRoute]:
        """The endpoint's routes for a Starlette application, the page's files included if it is served."""
        routes: list[BaseRoute] = [Route(path, self), WebSocketRoute(path, self)]
        return [*routes, Mount("/graphiql", page.assets)] if self._graphiql else routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            if scope["type"] == "websocket":
                scope["graphql.incoming"] = _incoming(scope, headers, request_id)
                await self._sockets(scope, receive, send)
                return
            try:
                reply = await self._guarded(scope, headers, request_id, receive)
            except _ClientGone:
                return
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [
                    (b"content-type", reply.media + b"; charset=utf-8"),
                    (b"content-length", str(len(reply.body)).encode()),
                    (b"cache-control", b"no-store"),
                    (b"x-request-id", request_id.encode()),
                    *reply.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})

    async def _guarded(self, scope: Scope, headers: dict[bytes, bytes], request_id: str, receive: Receive) -> _Reply:
        """The reply, whatever happens: a fault as itself, an unexpected exception as an internal error."""
        try:
            media = negotiated(headers.get(b"accept"))
        except NotAcceptable as fault:
            if self._graphiql and scope["method"] == "GET" and page.wanted(headers.get(b"accept", b"")):
                return _Reply(200, b"text/html", page.index(), page.HEADERS)
            return _fault(fault, JSON_MEDIA)
        course = _Course()
        try:
            try:
                async with asyncio.timeout(self._deadline_seconds) as deadline:
                    return await self._answer(scope, headers, request_id, receive, media, course)
            except TimeoutError:
                if deadline.expired():
                    raise course.late from None
                raise
        except asyncio.CancelledError:  # by the server, and by nobody else: it ends, and waits for requests no longer
            return _fault(course.ended(), media)
        except DocumentRefused as refused:
            return _refused(refused.errors, refused.code, media)
        except _ClientGone:
            raise
        except Exception as error:  # the last line: whatever is unexpected is logged and masked
            return _fault(translated(error) or hidden(error), media)

    async def _answer(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        request_id: str,
        receive: Receive,
        media: bytes,
        course: _Course,
    ) -> _Reply:
        method = scope["method"]
        if method == "POST":
            _check_media(headers)
            # Who asks is settled before the body is read: a bad key gets no 16 MiB of our memory.
            context = await self._context_factory(_incoming(scope, headers, request_id))
            course.late = RequestTimeout
            parameters = _posted(await _body(receive, headers, self._body_bytes_max))
        elif method == "GET":
            context = await self._context_factory(_incoming(scope, headers, request_id))
            parameters = _queried(scope["query_string"])
        else:
            raise MethodNotAllowed(f"{method} is not served here.", allow="GET, POST")
        course.late = course.ended = DeadlineExceeded
        result = await self._operations.execute(parameters, context, reading=method == "GET")
        if isinstance(result, PreExecutionError):
            return _refused(result.errors or [], "BAD_INPUT", media)
        if result.errors:
            shown = formatted(result.errors, "BAD_INPUT")
            if result.data is None and all(one["extensions"]["code"] == Unavailable.code for one in shown):
                raise Unavailable  # nothing came of the whole request, so its status says so and ``data`` is left out
            return _Reply(200, media, _encode({"errors": shown, "data": result.data}))
        return _Reply(200, media, _encode({"data": result.data}))


@lru_cache(maxsize=256)
def negotiated(accept: bytes | None) -> bytes:
    """The media type of the answer: the most wanted of the two we have; application/json for whoever does not care.

    Raises:
        NotAcceptable: neither is accepted.
    """
    if accept is None or not accept.strip():
        return JSON_MEDIA
    ranges: dict[str, tuple[float, int]] = {}
    for place, (name, quality) in enumerate(weighed(accept)):
        # A browser's trailing */* is no wish for JSON; a page is what it asked for.
        if name != "*/*" or b"text/html" not in accept:
            ranges.setdefault(name, (quality, -place))
    wanted: list[tuple[tuple[float, int], bytes]] = []
    for media in (JSON_MEDIA, RESPONSE_MEDIA):
        # Of the ranges that a type is in, the most specific says how much it is wanted (RFC 9110, section 12.5.1).
        named = next((ranges[name] for name in (media.decode(), "application/*", "*/*") if name in ranges), None)
        if named is not None and named[0] > 0:
            wanted.append((named, media))
    if not wanted:
        raise NotAcceptable
    return max(wanted, key=lambda one: one[0])[1]  # the first of equals, then application/json


def _request_id(presented: bytes | None) -> str:
    if presented is not None and _is_request_id(presented):
        return presented.decode()
    return secrets.token_hex(8)


def _incoming(scope: Scope, headers: Mapping[bytes, bytes], request_id: str) -> Incoming:
    authorization = headers.get(b"authorization")
    client = scope.get("client")
    return Incoming(
        authorization.decode("latin-1") if authorization is not None else None,
        language_of(headers.get(b"accept-language")),
        request_id,
        client[0] if client else None,
    )


def _check_media(headers: Mapping[bytes, bytes]) -> None:
    media, _, options = headers.get(b"content-type", b"").lower().partition(b";")
    charset = re.search(rb"charset\s*=\s*\"?([^\s;\"]+)", options)
    if media.strip() != JSON_MEDIA or (charset and charset[1] not in (b"utf-8", b"utf8")):
        raise UnsupportedMedia
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMedia


async def _body(receive: Receive, headers: Mapping[bytes, bytes], bytes_max: int) -> bytes:
    if int(headers.get(b"content-length", b"0")) > bytes_max:
        raise BodyTooLarge(f"The request's body is larger than {bytes_max} bytes.", maximum=bytes_max)
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise BodyTooLarge(f"The request's body is larger than {bytes_max} bytes.", maximum=bytes_max)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _posted(body: bytes) -> Parameters:
    if not body:
        raise BadRequest("The request has no body.")
    if body.lstrip()[:1] == b"[":
        raise BadRequest("A request is one operation; arrays of operations are not served.")
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(str(error)) from None
    except RecursionError:
        raise BadRequest("The request's JSON is nested too deeply.") from None


def _queried(query_string: bytes) -> Parameters:
    try:
        found = parse_qs(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise BadRequest("The query string is malformed.") from None
    values = {name: given[0] for name, given in found.items()}
    if "query" not in values:
        raise BadRequest("The request has no parameter `query`.")
    try:
        return Parameters(
            query=values["query"],
            variables=_decode_map(values.get("variables") or "null"),
            operationName=values.get("operationName") or None,
            extensions=_decode_map(values.get("extensions") or "null"),
        )
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"A parameter is malformed: {error}") from None


def _refused(errors: Sequence[GraphQLError], code: str, media: bytes) -> _Reply:
    """Of a request that was not executed: no ``data`` at all, and a status that older clients read as success."""
    return _Reply(400 if media == RESPONSE_MEDIA else 200, media, _encode({"errors": formatted(errors, code)}))


def _fault(fault: Fault, media: bytes) -> _Reply:
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(fault, Unauthenticated):
        headers = ((b"www-authenticate", b"Bearer"),)
    elif isinstance(fault, MethodNotAllowed):
        headers = ((b"allow", str((fault.extensions or {}).get("allow", "")).encode()),)
    elif isinstance(fault, BodyTooLarge | RequestTimeout):
        headers = ((b"connection", b"close"),)  # what is left of the body is not worth reading
    return _Reply(fault.status, media, _encode({"errors": formatted([fault], fault.code)}), headers)
