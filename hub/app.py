"""The application of one worker: its parts wired once, and the paths on which they are met.

    /graphql                     the API (schema.http), dispatched before any router: that alone saves a third
    /partners/{currency}/answers what a partner tells without having been asked, signed in its adapter's way
    /settlement/{window}/{institution}/lines.ndjson
                                 the lines behind a report, for whoever may see it
    /settlement/{window}/{institution}/lines/{number}.json
                                 one of them, with the proof that the report holds it
    /analysis.parquet            what came into circulation and went out of it, for who sees the currencies' issuers
    /books/{day}.csv             a day of the books for the operator's general ledger
    /settlement/{window}/{institution}/comparison.json  comparison.csv
                                 an institution's own list is sent there, and compared with its lines (hub.uploads)
    /settlement/confirmations.json  confirmations.csv
                                 what a bank moved is sent there, by the operator (hub.uploads)
    /books/bank-statements.json  bank-statements.csv
                                 what a bank says of segregated accounts is sent there, by the operator (hub.uploads)
    /settlement/{institution}/jwks.json
                                 the public keys with which an institution accepts its reports
    /settlement/{window}/{institution}/report.pdf, and others of settlement.renderings.formats.FILES
                                 the report or its lines as a file, or what it owes one other and is owed;
                                 language is en or zh, with another institution's code
    /settlement/{window}/{institution}/interim/{batch}/statement.jws, lines.ndjson, report.pdf and others
                                 what an open window came to up to a batch of the journal, each file marked as interim
    /statements/{customer}/{currency}.csv
                                 a statement of a past period, for whoever may see the customer
    /.well-known/jwks.json       every public key that ever signed a report
    /health/live  /health/ready  whether the process runs; whether it can do its work, and if not why
    /metrics                     what all workers counted

It holds no business. Invariant: whatever is not a stream is answered as JSON, errors with a stable ``code`` and a
sentence, and nothing of an unexpected exception leaves. That holds for what the server gives up when it ends, too.
"""

import asyncio
import logging
import secrets
from contextvars import ContextVar
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.ledger.engine import is_outage
from hub.metrics import Board, Row
from hub.settings import Settings
from hub.site import site, unavailable
from hub.wiring import Parts
from schema import faults
from schema.api import api
from schema.http import GraphQLEndpoint

REQUEST_S_MAX: Final = 30
GRAPHQL: Final = "/graphql"

_KINDS: Final = {
    "analysis.parquet": "analysis",
    "books": "books",
    "partners": "answers",
    "settlement": "lines",
    "statements": "statements",
    ".well-known": "keys",
    "health": "health",
    "metrics": "metrics",
}
_kind: ContextVar[str] = ContextVar("kind")

log = structlog.get_logger()


def create_app(settings: Settings, url: str, board: Board, row: Row) -> ASGIApp:
    """The application over the database at ``url``; counts in ``row``, shows all of ``board``."""
    return Application(Parts.of(settings, url, row), board, row)


class Application:
    """Dispatches, counts and logs requests."""

    def __init__(self, parts: Parts, board: Board, row: Row) -> None:
        settings = parts.settings
        self._endpoint = GraphQLEndpoint(
            api,
            parts.context,
            deadline_seconds=REQUEST_S_MAX,
            allowed_origins=settings.origins,
            graphiql=settings.development,
            on_operation=_note,
        )
        self._site = site(parts, board, self._endpoint.routes(GRAPHQL))
        self._row = row
        self._log_all = settings.log_level.upper() == logging.getLevelName(logging.DEBUG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._site(scope, receive, send)
        elif scope["path"] == GRAPHQL:
            _kind.set("none" if scope["type"] == "http" else "subscription")
            await self._endpoint(scope, receive, self._counted(scope, send, None))
        else:
            _kind.set(_KINDS.get(scope["path"].split("/", 2)[1], "other"))
            request_id = secrets.token_hex(8)
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._answer(scope, receive, self._counted(scope, send, request_id))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The site's answer, or, when the server ends and waits for requests no longer, that there is none.

        Raises:
            Exception: an unexpected one, which the site has answered; a database out of reach is not.
        """
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._site(scope, receive, noted)
        except asyncio.CancelledError:  # by the server, and by nobody else; a stream that has begun breaks off
            if not begun:
                await unavailable()(scope, receive, send)
        except Exception as error:
            if not is_outage(error):
                raise
            faults.tell_outage(error)

    def _counted(self, scope: Scope, send: Send, request_id: str | None) -> Send:
        """``send``, which also counts the answer; ``request_id`` is shown in it, the endpoint shows one by itself."""

        async def counted(message: Message) -> None:
            if (status := _status(message)) is not None:
                if request_id is not None:
                    message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                self._row.answered(_kind.get(), status)
                if status >= 400 or self._log_all:
                    _tell(scope, status, message)
            await send(message)

        return counted


def _note(kind: str) -> None:
    """Note the kind of the request's operation for whoever counts the answer."""
    _kind.set(kind)


def _status(message: Message) -> int | None:
    """The status that a message begins an answer with."""
    kind = message["type"]
    if kind == "http.response.start" or kind == "websocket.http.response.start":
        return int(message["status"])
    return 101 if kind == "websocket.accept" else None


def _tell(scope: Scope, status: int, message: Message) -> None:
    level = logging.DEBUG if status < 400 else logging.INFO if status < 500 else logging.WARNING
    told = dict(message.get("headers", ())).get(b"x-request-id", b"").decode()
    with structlog.contextvars.bound_contextvars(request_id=told):
        log.log(level, "request", method=scope.get("method"), path=scope["path"], status=status, operation=_kind.get())
