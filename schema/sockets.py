"""WebSockets: the protocol graphql-transport-ws over Strawberry's handler, with the API's contexts and limits.

A socket may introduce itself with the headers that browsers cannot set. Invariants: the context factory is asked at the
start and again for each operation, so that a revoked key opens no new subscription; and a message
that is malformed closes the socket with a code and a reason, and leaves no trace in the log.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from json import JSONDecodeError
from typing import Any, Generic, TypeVar, cast

import msgspec
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.base import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, SubscribeMessage
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message as TransportMessage
from strawberry.types.unset import UNSET, UnsetType

from schema.faults import TooManyOperations, hidden, translated
from schema.incoming import ContextFactory, Incoming
from schema.messages import language_of
from schema.operations import Operations

C = TypeVar("C")

_CONNECTION_INIT_WAIT = timedelta(seconds=10)
_OPERATIONS_PER_CONNECTION_MAX = 100
_REASON_BYTES_MAX = 123  # a control frame holds 125 bytes, and the code takes two
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Caller(Generic[C]):
    """A WebSocket's caller before it has introduced itself; the handler sets ``connection_params`` when it does."""

    incoming: Incoming
    connection_params: dict[str, object] | None = None
    context: C | None = None


class _Socket(ASGIWebSocketAdapter):
    """Starlette's WebSocket as the handler has it. What is said to a socket that has been closed is said to nobody."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            await super().send_json(message)

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):  # the client was faster
                await super().close(code, _cut(reason))


def _cut(reason: str) -> str:
    """As much of a close frame's reason as there is room for."""
    return reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler of graphql-transport-ws, with the API's own context and its errors on malformed messages."""

    caller: _Caller[Any]

    async def handle_message(self, message: TransportMessage) -> None:
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Failed to parse message")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        if not self.connection_init_received:
            self.caller = self.context
        await super().handle_connection_init(message)
        if self.connection_acknowledged:
            self.context = self.caller.context

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if self.connection_acknowledged:
            try:
                await self.view.on_ws_connect(self.caller)
            except ConnectionRejectionError:
                await self.websocket.close(code=4403, reason="Forbidden")
                return
            self.context = self.caller.context
            if len(self.operations) >= _OPERATIONS_PER_CONNECTION_MAX and message["id"] not in self.operations:
                fault = TooManyOperations(maximum=_OPERATIONS_PER_CONNECTION_MAX)
                await self.send_message({"id": message["id"], "type": "error", "payload": [fault.formatted]})
                return
        await super().handle_subscribe(message)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> None:
        """None: whatever is wrong with an operation ends that one, and not the socket with all others."""


def _is_well_formed(message: object) -> bool:
    """Whether the handler can take a message for what its type says. Otherwise it is the client's mistake, no crash."""
    if not isinstance(message, dict) or not isinstance(kind := message.get("type"), str):
        return False
    if kind == "subscribe":
        return isinstance(message.get("id"), str) and isinstance(message.get("payload"), dict)
    return kind != "complete" or isinstance(message.get("id"), str)


class Sockets(GraphQL[Any, None], Generic[C]):
    """Strawberry's ASGI application, for WebSockets only: it checks the Origin and speaks the protocol."""

    graphql_transport_ws_handler_class = _Handler
    websocket_adapter_class = _Socket

    def __init__(
        self, operations: Operations, context_factory: ContextFactory[C], allowed_origins: Sequence[str]
    ) -> None:
        # Of a schema the handler only calls ``stream``; ours has the same caches, limits and masking as HTTP.
        super().__init__(
            cast(BaseSchema, operations),
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=_CONNECTION_INIT_WAIT,
            max_subscriptions_per_connection=None,  # the handler above says it with a code
            allowed_origins=allowed_origins,
        )
        self._context_factory = context_factory

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> _Caller[C]:
        return _Caller(request.scope["graphql.incoming"])

    async def on_ws_connect(self, context: _Caller[C]) -> UnsetType:
        """Make the caller's context; browsers cannot set headers, so ``connection_init`` may carry them.

        Raises:
            ConnectionRejectionError: the key is not valid, or the context could not be made; closes with 4403.
        """
        said = context.connection_params or {}
        incoming = context.incoming
        if isinstance(authorization := said.get("Authorization"), str):
            incoming = replace(incoming, authorization=authorization)
        if isinstance(language := said.get("Accept-Language"), str):
            incoming = replace(incoming, language=language_of(language.encode("utf-8", "replace")))
        try:
            context.context = await self._context_factory(incoming)
        except Exception as error:  # the socket has no room for more than a code
            if translated(error) is None:
                hidden(error)
            raise ConnectionRejectionError from None
        return cast(UnsetType, UNSET)  # Strawberry types its sentinel as Any

    def decode_json(self, data: str | bytes) -> object:
        """What a message says.

        Raises:
            JSONDecodeError: it is no JSON, nested too deeply, or holds what is no text or number of ours.
        """
        try:
            return msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise JSONDecodeError(str(error), "", 0) from None

    def encode_json(self, data: object) -> str:
        return _encode(data).decode()
