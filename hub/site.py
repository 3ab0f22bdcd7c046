"""The site: every path but the API's, each for who may see what it serves, and what is said where something is wrong.

Which paths there are stands with the application (``hub.app``). It holds no business.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from hub import analysis, ids, lookups, partners, statements, uploads
from hub.acceptance.keys import keys_of
from hub.books import export
from hub.currencies import HOSTED
from hub.errors import Fault, Unauthenticated
from hub.ledger.engine import is_outage
from hub.metrics import CONTENT_TYPE, Board
from hub.parquet import parquet
from hub.wiring import Parts
from schema import faults
from schema.analysis import PATH as ANALYSIS
from schema.analysis import dimensions, table, visible
from schema.books import PATH as BOOKS
from schema.books import check_exportable
from schema.scalars import parse_datetime
from schema.sheets import language, sheet
from schema.statements import PATH as STATEMENT
from schema.statements import check_order
from settlement.interim import Asked, ask
from settlement.keyring import revoked
from settlement.proof import NoSuchLine, encode
from settlement.renderings.formats import FILES, FORMATS
from settlement.renderings.paper import Unrenderable
from settlement.storing import StoredReport

ANSWERS: Final = "/partners/{currency}/answers"
ANSWER_BYTES_MAX: Final = 65_536
PIECE_BYTES: Final = 1 << 18
LINES: Final = "/settlement/{window}/{code}/lines.ndjson"
RENDERING: Final = "/settlement/{window}/{code}/{file}"
INTERIM: Final = "/settlement/{window}/{code}/interim/{batch:int}/{file}"
LINE: Final = "/settlement/{window}/{code}/lines/{number:int}.json"
PRIVATE: Final = {"cache-control": "private, no-store"}
ACCEPTANCE_KEYS: Final = "/settlement/{code}/jwks.json"


def site(parts: Parts, board: Board, api: Sequence[BaseRoute]) -> Starlette:
    """The paths of one process, those of the ``api`` among them; running it runs the process' parts."""

    async def live(_: Request) -> Response:
        return _json({"live": True})

    async def ready(_: Request) -> Response:
        ailments = await parts.ailments()
        return _json({"ready": not ailments, "reasons": ailments}, 503 if ailments else 200)

    async def metrics(_: Request) -> Response:
        return Response(board.page(), media_type=CONTENT_TYPE)

    async def keys(_: Request) -> Response:
        return JSONResponse(await parts.reports.jwks(), headers={"cache-control": "public, max-age=60"})

    async def comparison(request: Request) -> Response:
        if request.path_params["format"] not in uploads.FORMATS:
            raise faults.NotFound
        stored = await _report(parts, request)
        return await uploads.compare(request, parts.reports, stored, request.path_params["code"])

    async def confirmations(request: Request) -> Response:
        if request.path_params["format"] not in uploads.FORMATS:
            raise faults.NotFound
        credential = await _credential(parts, request)
        return await uploads.confirm(request, parts.reading, parts.engine, parts.reports, credential)

    async def bank_statements(request: Request) -> Response:
        if request.path_params["format"] not in uploads.FORMATS:
            raise faults.NotFound
        credential = await _credential(parts, request)
        return await uploads.bank_statements(request, parts.reading, parts.engine, credential)

    return Starlette(
        routes=[
            Route(ANSWERS, partial(_answer, parts), methods=["POST"]),
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
            Route("/.well-known/jwks.json", keys),
            Route(LINES, partial(_lines, parts)),
            Route(LINE, partial(_line, parts)),
            Route(uploads.CONFIRMATIONS, confirmations, methods=["POST"]),
            Route(uploads.COMPARISON, comparison, methods=["POST"]),
            Route(uploads.BANK_STATEMENTS, bank_statements, methods=["POST"]),
            Route(ACCEPTANCE_KEYS, partial(_acceptance_keys, parts)),
            Route(RENDERING, partial(_rendering, parts)),
            Route(INTERIM, partial(_interim, parts)),
            Route(STATEMENT, partial(_statement, parts)),
            Route(ANALYSIS, partial(_figures, parts)),
            Route(BOOKS, partial(_entries, parts)),
            *api,
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
    if name not in FILES:
        await _credential(parts, request)
        raise faults.NotFound
    language(request.query_params.get("language"))  # before anything is read
    stored = await _report(parts, request)
    return await _file(parts, request, stored.payload, parts.reports.lines(stored.window, stored.institution))


async def _interim(parts: Parts, request: Request) -> Response:
    """An interim statement up to a batch, its lines or a file of it, for those who may see the institution."""
    name = request.path_params["file"]
    if name not in (*FILES, "lines.ndjson", "statement.jws"):
        await _credential(parts, request)
        raise faults.NotFound
    language(request.query_params.get("language"))
    asked = await _asked(parts, request)
    if name == "lines.ndjson":
        return StreamingResponse(parts.interims.lines(asked), media_type="application/x-ndjson", headers=PRIVATE)
    made = await parts.interims.make(asked)
    if made is None:
        raise faults.NotFound
    if name == "statement.jws":
        return Response(f"{await parts.interims.sign(made)}\n", media_type="application/jose", headers=PRIVATE)
    return await _file(parts, request, made.payload, parts.interims.lines(asked), f"-interim-{asked.head.batch}")


async def _asked(parts: Parts, request: Request) -> Asked:
    """The interim statement that the path names, for those who may see its institution."""
    credential = await _credential(parts, request)
    number, batch = ids.number(request.path_params["window"], ids.WINDOW), request.path_params["batch"]
    async with parts.reading.open(credential) as reader:
        institution = reader.configuration.institution(request.path_params["code"])
        if number is None or institution is None or not reader.sees(institution.id):
            raise faults.NotFound
        window = (await lookups.windows(reader, {number})).get(number)
        asked = None if window is None else await ask(reader, window, institution.id, batch)
    if asked is None:
        raise faults.NotFound
    return asked


async def _file(
    parts: Parts, request: Request, payload: bytes, lines: AsyncIterator[bytes], suffix: str = ""
) -> Response:
    """The file of a report that the path names."""
    name = request.path_params["file"]
    file, asked = FILES[name], language(request.query_params.get("language")) or "en"
    try:
        made = await parts.press.make(payload, lines, file, asked, request.query_params.get("with"))
    except Unrenderable as error:
        return _error(422, error.code, str(error))
    of = f"{request.path_params['window']}-{request.path_params['code']}{suffix}"
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
    return unavailable() if is_outage(error) else _plain(faults.Internal)


def unavailable() -> Response:
    """What is said where nothing can be answered now, and the same may be sent again: every act here is done once."""
    return _plain(faults.Unavailable)


def _plain(fault: type[faults.Fault]) -> Response:
    return _error(fault.status, fault.code, str(fault.__doc__))
