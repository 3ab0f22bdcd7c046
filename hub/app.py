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
    /settlement/{institution}/jwks.json
                                 the public keys with which an institution accepts its reports
    /settlement/{window}/{institution}/report.pdf, and others of settlement.renderings.formats.FILES
                                 the report or its lines as a file, or what it owes one other and is owed;
                                 language is en or zh, with another institution's code
    /statements/{customer}/{currency}.csv
                                 a statement of a past period, for whoever may see the customer
    /.well-known/jwks.json       every public key that ever signed a report
    /health/live  /health/ready  whether the process runs; whether it can do its work, and if not why
    /metrics                     what all workers counted

It holds no business. Invariant: whatever is not a stream is answered as JSON, errors with a stable ``code`` and a
sentence, and nothing of an unexpected exception leaves.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import BinaryIO, Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.registry import Registry, installed
from hub import analysis, ids, lookups, partners, statements, uploads
from hub.acceptance.keys import keys_of
from hub.books import export
from hub.currencies import HOSTED
from hub.db import Database
from hub.errors import Fault, NotSetUp, Unauthenticated
from hub.exchange import Exchange, Patience
from hub.ledger import journal
from hub.ledger.engine import Engine, is_outage
from hub.metrics import CONTENT_TYPE, Board, Row
from hub.parquet import parquet
from hub.reading import Reading
from hub.reconciliation.daily import Daily
from hub.reconciliation.reconciling import Shelf
from hub.schedule import Schedule
from hub.sealing import SecretsKey
from hub.settings import Settings
from hub.updates import Updates
from hub.webhooks.deliveries import CHANNEL, Deliveries
from hub.webhooks.delivering import Deliverer
from hub.webhooks.following import Follower
from hub.webhooks.sender import Sender
from schema import faults
from schema.analysis import PATH as ANALYSIS
from schema.analysis import dimensions, table, visible
from schema.api import api
from schema.books import PATH as BOOKS
from schema.books import check_exportable
from schema.context import Context
from schema.http import GraphQLEndpoint
from schema.incoming import Incoming
from schema.scalars import parse_datetime
from schema.sheets import language, sheet
from schema.statements import PATH as STATEMENT
from schema.statements import check_order
from settlement.keyring import revoked
from settlement.proof import NoSuchLine, encode
from settlement.publish import Keys, Reports
from settlement.renderings.formats import FILES, FORMATS
from settlement.renderings.paper import Unrenderable
from settlement.renderings.press import Press
from settlement.signers import Signers
from settlement.signing import CURRENT, SigningError, SigningKey
from settlement.storing import StoredReport

REQUEST_S_MAX: Final = 30
READY_S_MAX: Final = 2
GRAPHQL: Final = "/graphql"
ANSWERS: Final = "/partners/{currency}/answers"
ANSWER_BYTES_MAX: Final = 65_536
PIECE_BYTES: Final = 1 << 18
LINES: Final = "/settlement/{window}/{code}/lines.ndjson"
RENDERING: Final = "/settlement/{window}/{code}/{file}"
LINE: Final = "/settlement/{window}/{code}/lines/{number:int}.json"
ACCEPTANCE_KEYS: Final = "/settlement/{code}/jwks.json"

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


@dataclass(frozen=True)
class Parts:
    """What a process has one of."""

    settings: Settings
    database: Database
    engine: Engine
    reading: Reading
    updates: Updates
    due: Updates
    schedule: Schedule
    sender: Sender
    deliverer: Deliverer
    sealer: SecretsKey
    keys: Keys
    reports: Reports
    press: Press
    adapters: Registry
    exchange: Exchange

    @classmethod
    def of(cls, settings: Settings, url: str, row: Row) -> "Parts":
        """The parts, not connected to anything yet."""
        database = Database(url, settings.database_connections)
        engine = Engine(database, queue_max=settings.queue_commands, batch_max=settings.batch_commands, observer=row)
        reading = Reading(database, engine)
        keys = Keys.of(settings)
        updates, due, adapters = Updates(url), Updates(url, CHANNEL), _adapters(settings)
        follower = Follower(database, engine, updates, row)
        minutes, shelf = settings.reconcile_after_minutes, Shelf.of(settings.data_dir)
        daily = None
        if minutes >= 0:
            daily = Daily(database, engine, reading, adapters, shelf, timedelta(minutes=minutes))
        sender, sealer = Sender(settings.webhook_networks, plain=settings.development), SecretsKey.of(settings)
        return cls(
            settings=settings,
            database=database,
            engine=engine,
            reading=reading,
            updates=updates,
            due=due,
            schedule=Schedule(
                url, database, engine, reading, row, settings.sweep_seconds, follower, daily, settings.billing_zone
            ),
            sender=sender,
            deliverer=Deliverer(database, engine, reading, due, sender, sealer, row),
            sealer=sealer,
            keys=keys,
            reports=(reports := Reports(database, keys, settings.name)),
            press=Press(reports),
            adapters=adapters,
            exchange=Exchange(database, engine, reading, updates, adapters, row, _patience(settings)),
        )

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """For as long as requests come, with the hub's own schedule and its webhooks beside them. At the end no command
        is taken any more, what is queued is committed and answered, and then the connections are closed."""
        self.schedule.start()
        self.exchange.start()
        self.deliverer.start()
        try:
            yield
        finally:
            await asyncio.gather(self.schedule.close(), self.deliverer.close(), self.exchange.close())
            await self.sender.close()
            await self.engine.close()
            await self.adapters.close()
            await asyncio.gather(self.updates.close(), self.due.close())
            await self.database.close()

    async def context(self, incoming: Incoming) -> Context:
        """The context of a request: of the key's credential, or of nobody.

        Raises:
            Unauthenticated: a key was presented, and is not a live one.
            Unavailable: the database cannot be asked.
        """
        credential = None if incoming.authorization is None else await self.credential(incoming.authorization)
        return Context(
            engine=self.engine,
            reading=self.reading,
            settings=self.settings,
            incoming=incoming,
            credential=credential,
            reports=self.reports,
            updates=self.updates,
            adapters=self.adapters,
            deliveries=Deliveries(self.database),
            sealer=self.sealer,
        )

    async def credential(self, authorization: str) -> int:
        """The credential behind an Authorization header.

        Raises:
            Unauthenticated, Unavailable: as ``context``.
        """
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        try:
            return await self.reading.authenticate(secret.strip())
        except NotSetUp as error:
            raise faults.Unavailable from error
        except Exception as error:
            if is_outage(error):
                raise faults.Unavailable from error
            raise

    async def ailments(self) -> list[str]:
        """Why this process cannot do its work; none: it is ready. Public, so no place or name is told."""
        found = []
        try:
            async with asyncio.timeout(READY_S_MAX), self.database.snapshot() as connection:
                if await journal.look(connection) is None:
                    found.append(str(NotSetUp()))
        except Exception as error:
            log.warning("not ready", error=repr(error))
            found.append("The database does not answer.")
        if self.engine.queue_depth >= self.settings.queue_commands:
            found.append("The queue of commands is full.")
        try:
            await asyncio.to_thread(_look_at_key, self.keys)
        except SigningError as error:
            log.warning("not ready", error=str(error))
            found.append(str(error.__doc__))
        return found


def _adapters(settings: Settings) -> Registry:
    """The adapters that are installed; one that cannot be used stops nothing but the currencies that need it."""
    registry = Registry(installed(), SecretsKey.of(settings), Signers.of(settings).verified)
    for name, reason in registry.broken.items():
        log.error("adapter unusable", adapter=name, reason=reason)
    return registry


def _patience(settings: Settings) -> Patience:
    return replace(
        Patience(),
        lease=timedelta(seconds=settings.partner_lease_seconds),
        give_up=timedelta(seconds=settings.partner_give_up_seconds),
    )


def _look_at_key(keys: Keys) -> None:
    """Unlike ``Keys.current`` this makes no key where one was lost."""
    if keys.text is not None:
        SigningKey.from_text(keys.text.get_secret_value())
    else:
        SigningKey.from_file(keys.folder / CURRENT)


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
        self._site = _site(parts, board, self._endpoint)
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
                await self._site(scope, receive, self._counted(scope, send, request_id))

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


# --- everything but the API -------------------------------------------------------------------------------------------


def _site(parts: Parts, board: Board, endpoint: GraphQLEndpoint[Context]) -> Starlette:
    async def live(_: Request) -> Response:
        return _json({"live": True})

    async def ready(_: Request) -> Response:
        ailments = await parts.ailments()
        return _json({"ready": not ailments, "reasons": ailments}, 503 if ailments else 200)

    async def metrics(_: Request) -> Response:
        return Response(board.page(), media_type=CONTENT_TYPE)

    async def keys(_: Request) -> Response:
        return JSONResponse(await parts.reports.jwks(), headers={"cache-control": "public, max-age=60"})

    async def lines(request: Request) -> Response:
        return await _lines(parts, request)

    async def line(request: Request) -> Response:
        return await _line(parts, request)

    async def rendering(request: Request) -> Response:
        return await _rendering(parts, request)

    async def statement(request: Request) -> Response:
        return await _statement(parts, request)

    async def figures(request: Request) -> Response:
        return await _figures(parts, request)

    async def entries(request: Request) -> Response:
        return await _entries(parts, request)

    async def answer(request: Request) -> Response:
        return await _answer(parts, request)

    async def comparison(request: Request) -> Response:
        if request.path_params["format"] not in uploads.FORMATS:
            raise faults.NotFound
        stored = await _report(parts, request)
        return await uploads.compare(request, parts.reports, stored, request.path_params["code"])

    async def confirmations(request: Request) -> Response:
        if request.path_params["format"] not in uploads.FORMATS:
            raise faults.NotFound
        credential = await _credential(parts, request)
        return await uploads.confirm(request, parts.reading, parts.engine, credential)

    async def acceptance_keys(request: Request) -> Response:
        return await _acceptance_keys(parts, request)

    return Starlette(
        routes=[
            Route(ANSWERS, answer, methods=["POST"]),
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
            Route("/.well-known/jwks.json", keys),
            Route(LINES, lines),
            Route(LINE, line),
            Route(uploads.CONFIRMATIONS, confirmations, methods=["POST"]),
            Route(uploads.COMPARISON, comparison, methods=["POST"]),
            Route(ACCEPTANCE_KEYS, acceptance_keys),
            Route(RENDERING, rendering),
            Route(STATEMENT, statement),
            Route(ANALYSIS, figures),
            Route(BOOKS, entries),
            *endpoint.routes(GRAPHQL),
        ],
        exception_handlers={
            HTTPException: _http_error,
            Fault: _fault,
            faults.Fault: _fault,
            uploads.Refused: _upload_refused,
            Exception: _unexpected,
        },
        lifespan=parts.running,
    )


async def _credential(parts: Parts, request: Request) -> int:
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise Unauthenticated
    return await parts.credential(authorization)


async def _lines(parts: Parts, request: Request) -> Response:
    """The lines of an institution's report, for those who may see the institution; the operator's are all of them."""
    stored = await _report(parts, request)
    return StreamingResponse(
        parts.reports.lines(stored.window, stored.institution),
        media_type="application/x-ndjson",
        headers={"cache-control": "private, no-store"},
    )


async def _line(parts: Parts, request: Request) -> Response:
    """One line of a report with its proof; it takes a reading of all of them."""
    stored = await _report(parts, request)
    try:
        proof = await parts.reports.proof(stored, request.path_params["number"])
    except NoSuchLine:
        raise faults.NotFound from None
    return Response(
        encode(proof) + b"\n", media_type="application/json", headers={"cache-control": "private, no-store"}
    )


async def _acceptance_keys(parts: Parts, request: Request) -> Response:
    """The public keys of an institution, for those who may see its reports, as a JWK set; those that are revoked say
    so, as the hub's own do."""
    credential = await _credential(parts, request)
    async with parts.reading.open(credential) as reader:
        institution = reader.configuration.institution(request.path_params["code"])
        if institution is None or not reader.sees(institution.id):
            raise faults.NotFound
        found = keys_of(reader.configuration.acceptance_keys.values(), institution.id)
    members: list[dict[str, object]] = []
    for key in found:
        member: dict[str, object] = {**key.jwk}
        if key.revoked_since is not None:
            member["revoked"] = revoked(key.revoked_since, key.reason or "unspecified")
        members.append(member)
    return JSONResponse({"keys": members}, headers={"cache-control": "private, no-store"})


async def _rendering(parts: Parts, request: Request) -> Response:
    """A report, or its lines, as a file, for those who may see the institution."""
    name = request.path_params["file"]
    file = FILES.get(name)
    if file is None:
        await _credential(parts, request)
        raise faults.NotFound
    asked = language(request.query_params.get("language")) or "en"
    stored = await _report(parts, request)
    try:
        made = await parts.press.make(stored, file, asked, request.query_params.get("with"))
    except Unrenderable as error:
        return _error(422, error.code, str(error))
    of = f"{request.path_params['window']}-{request.path_params['code']}"
    return StreamingResponse(
        _pieces(made),
        media_type=FORMATS[file.format].media,
        headers={
            "cache-control": "private, no-store",
            "content-disposition": f'attachment; filename="{of}-{name}"',
        },
    )


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def _report(parts: Parts, request: Request) -> StoredReport:
    """The report that the path names, for those who may see its institution."""
    credential = await _credential(parts, request)
    window = ids.number(request.path_params["window"], ids.WINDOW)
    async with parts.reading.open(credential) as reader:
        institution = reader.configuration.institution(request.path_params["code"])
        if window is None or institution is None or not reader.sees(institution.id):
            raise faults.NotFound
        stored = await parts.reports.report(reader, window, institution.id)
        if stored is None:
            raise faults.NotFound
        return stored


async def _statement(parts: Parts, request: Request) -> Response:
    """A customer's statement of a past period as CSV, for those who see the customer's institution from within."""
    credential = await _credential(parts, request)
    query = request.query_params
    starts, until = parse_datetime(query.get("from")), parse_datetime(query.get("until"))
    check_order(starts, until)
    labels = language(query.get("labels"))
    id = ids.number(request.path_params["customer"], ids.CUSTOMER)
    async with parts.reading.open(credential, past=until) as reader:
        customer = None if id is None else (await lookups.customers(reader, {id})).get(id)
        currency = reader.configuration.currency(request.path_params["currency"])
        if customer is None or currency is None or not reader.sees(customer.institution):
            raise faults.NotFound
        account = await statements.account(reader.connection, customer.id, currency.code)
        found = await statements.statement(reader.connection, account, starts, until)
    return StreamingResponse(
        sheet(found, starts, until, currency, statements.pages(parts.database, found), labels),
        media_type="text/csv; charset=utf-8; header=present",
        headers={
            "cache-control": "private, no-store",
            "content-disposition": f'attachment; filename="{ids.text(ids.CUSTOMER, customer.id)}-{currency.code}.csv"',
        },
    )


async def _figures(parts: Parts, request: Request) -> Response:
    """What came into circulation and went out of it, as Parquet."""
    credential = await _credential(parts, request)
    query = request.query_params
    by = dimensions(query.getlist("by"))
    starts, until = (None if text is None else parse_datetime(text) for text in (query.get("from"), query.get("until")))
    if starts is not None and until is not None:
        check_order(starts, until)
    async with parts.reading.open(credential, past=until) as reader:
        of = visible(reader, query.get("currency"))
        columns, rows = table(reader.configuration, by, await analysis.flows(reader, of, by, starts, until))
    return Response(
        await asyncio.to_thread(parquet, columns, rows),
        media_type="application/vnd.apache.parquet",
        headers={
            "cache-control": "private, no-store",
            "content-disposition": 'attachment; filename="analysis.parquet"',
        },
    )


async def _entries(parts: Parts, request: Request) -> Response:
    """Each line of a day of the books, for the operator's general ledger."""
    credential = await _credential(parts, request)
    async with parts.reading.open(credential) as reader:
        day = await check_exportable(reader, request.path_params["day"])
        configuration = reader.configuration
    return StreamingResponse(
        export.lines(parts.database, configuration, day),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"cache-control": "private, no-store", "content-disposition": f'attachment; filename="{day}.csv"'},
    )


async def _answer(parts: Parts, request: Request) -> Response:
    """What a partner tells of an order. It is thanked for whatever is proven to be its own, also twice and too late, so
    that it need not ask itself whether it was heard; what is proven by nothing is refused without saying why."""
    await parts.reading.refresh()
    of = parts.engine.configuration.currency(request.path_params["currency"])
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            return _error(413, "TOO_LARGE", "The message is too large.")
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    try:
        if of is None or of.adapter == HOSTED:
            raise partners.NotProven
        await parts.exchange.heard(of, partners.Message(request.method, target, headers, body))
    except partners.NotProven:
        return _error(401, "NOT_PROVEN", "Nothing proves that this is a partner's answer to an order.")
    except partners.PartnerUnavailable:
        return _error(503, "UNAVAILABLE", "The answer cannot be taken now.", {"retry-after": "60"})
    return Response(status_code=204)


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(content, status, headers={"cache-control": "no-store", **(headers or {})})


def _error(
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    details: Mapping[str, object] | None = None,
) -> Response:
    more = {"details": details} if details else {}
    return _json({"error": {"code": code, "message": message, **more}}, status, headers)


async def _fault(_: Request, error: Exception) -> Response:
    """A fault, of the API's or of the core's; what is neither stays unexpected."""
    fault = faults.translated(error)
    if fault is None:
        raise error
    headers = {"www-authenticate": "Bearer"} if isinstance(fault, faults.Unauthenticated) else None
    details = {name: value for name, value in (fault.extensions or {}).items() if name != "code"}
    return _error(fault.status, fault.code, fault.message, headers, details)


async def _upload_refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, uploads.Refused):
        raise error
    return _error(error.status, error.code, error.message)


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "BAD_REQUEST")
    return _error(error.status_code, code, error.detail, error.headers)


async def _unexpected(_: Request, error: Exception) -> Response:
    fault: type[faults.Fault] = faults.Unavailable if is_outage(error) else faults.Internal
    return _error(fault.status, fault.code, str(fault.__doc__))
