"""Uploads: files that are sent over HTTP, each to an endpoint of its own, and answered row by row as JSON or CSV.

    POST /settlement/{window}/{code}/comparison.json  (or .csv)
        an institution's own list of a window, compared with its report's lines; changes nothing
    POST /settlement/confirmations.json?apply=true  (or .csv)
        what a bank moved (camt.054, CSV or XLSX), matched to the nets that are due; applied only if it is asked to,
        and only if every row matches
    POST /books/bank-statements.json?apply=true  (or .csv)
        what segregated accounts held when days closed (camt.053, CSV or XLSX); kept only if it is asked to, and only if
        every row is of an account that is registered

A file is the request's body as it is. It is measured while it comes, and read outside of the event loop.
"""

import asyncio
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub import ids
from hub.errors import Refusal
from hub.ledger.engine import Engine
from hub.reading import Reading
from hub.spreadsheets import harmless
from schema.messages import language_of
from schema.refusals import refused
from settlement import banking, comparison, confirming, uploads
from settlement.publish import Reports
from settlement.storing import StoredReport

CONFIRMATIONS: Final = "/settlement/confirmations.{format}"
BANK_STATEMENTS: Final = "/books/bank-statements.{format}"
COMPARISON: Final = "/settlement/{window}/{code}/comparison.{format}"
FORMATS: Final = ("json", "csv")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_PRIVATE: Final = {"cache-control": "private, no-store"}


class Refused(Exception):
    """The request is refused with a status, a stable code and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


async def body(request: Request) -> bytes:
    """The file that a request brings.

    Raises:
        Refused: it is empty, too large or packed.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "UNSUPPORTED_ENCODING", "The file has to be sent as it is, without a content encoding.")
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > uploads.BYTES_MAX:
            raise Refused(413, "TOO_LARGE", f"The file is larger than {uploads.BYTES_MAX:,} octets.")
    if not found:
        raise Refused(400, "NO_FILE", "The request's body has to be the file.")
    return bytes(found)


async def rows(content: bytes, columns: uploads.Columns) -> list[uploads.Row]:
    """The rows of a file.

    Raises:
        Refused: it is none that can be read.
    """
    try:
        return await asyncio.to_thread(uploads.read, content, columns)
    except uploads.FileRefused as error:
        raise _unreadable(error) from None


async def compare(request: Request, reports: Reports, stored: StoredReport, code: str) -> Response:
    """Compare the file that a request brings with the lines of a report, which the caller may see.

    Raises:
        Refused: see ``body`` and ``rows``.
    """
    content = await body(request)
    digest = hashlib.sha256(content).hexdigest()
    found = await rows(content, comparison.COLUMNS)
    done = await comparison.compare(found, reports.lines(stored.window, stored.institution), digest)
    told = [asdict(one) for one in done.results]
    if request.path_params["format"] == "csv":
        return sheet(told)
    head = {"window": ids.text(ids.WINDOW, stored.window), "institution": code, "report": stored.digest, "file": digest}
    counts = dict(sorted(done.counts.items()))
    return answer({**head, "counts": counts, "rows": told, "disputable": done.disputable})


async def confirm(request: Request, reading: Reading, engine: Engine, reports: Reports, credential: int) -> Response:
    """Match a bank's file to the nets that are due, and apply it if that is asked for; 422: it was, and a row does not
    match, so nothing was done.

    Raises:
        Refused: see ``body``; the file cannot be read; or what was due has changed meanwhile.
        Fault: the credential is not the operator's.
    """
    applies = _applies(request)
    content = await body(request)
    try:
        done = await confirming.confirm(reading, engine, reports, credential, content, apply=applies)
    except uploads.FileRefused as error:
        raise _unreadable(error) from None
    except Refusal as error:
        raise _changed(request, error) from None
    status = 422 if applies and not done.taken else 200
    told = [asdict(one) for one in done.match.rows]
    if request.path_params["format"] == "csv":
        return sheet(told, status)
    head = {"file": done.digest, "applied": done.taken, "replayed": done.replayed}
    return answer({**head, "counts": done.match.counts, "rows": told}, status)


async def bank_statements(request: Request, reading: Reading, engine: Engine, credential: int) -> Response:
    """Look at what a bank says of segregated accounts, and keep it if that is asked for; 422: it was, and a row cannot
    be taken, so nothing was done.

    Raises:
        Refused: see ``body``; the file cannot be read; or what is registered has changed meanwhile.
        Fault: the credential is not the operator's.
    """
    applies = _applies(request)
    content = await body(request)
    try:
        done = await banking.take(reading, engine, credential, content, apply=applies)
    except uploads.FileRefused as error:
        raise _unreadable(error) from None
    except Refusal as error:
        raise _changed(request, error) from None
    status = 422 if applies and not done.taken else 200
    told = [asdict(one) for one in done.rows]
    if request.path_params["format"] == "csv":
        return sheet(told, status)
    head = {"file": done.digest, "applied": done.taken, "replayed": done.replayed}
    return answer({**head, "rows": told}, status)


def _changed(request: Request, error: Refusal) -> Refused:
    """What is said where it was different when it was looked at."""
    language = language_of(request.headers.get("accept-language", "").encode("latin-1"))
    return Refused(409, error.code, refused(error, language, replayed=False).message)


def _applies(request: Request) -> bool:
    said = request.query_params.get("apply", "false")
    if said not in ("true", "false"):
        raise Refused(400, "BAD_REQUEST", "apply is true or false.")
    return said == "true"


def _unreadable(error: uploads.FileRefused) -> Refused:
    status = 413 if error.wrong is uploads.Wrong.TOO_LARGE else 422
    return Refused(status, f"FILE_{error.wrong.value}", str(error))


def answer(content: dict[str, Any], status: int = 200) -> Response:
    """A result as JSON."""
    return JSONResponse(content, status, headers=_PRIVATE)


def sheet(told: Sequence[dict[str, Any]], status: int = 200) -> Response:
    """Rows as CSV, for machines and for spreadsheets, which shall compute nothing of it."""
    text = io.StringIO()
    names = list(told[0]) if told else ["row", "outcome"]
    writer = csv.writer(text)
    writer.writerows([names, *(_cells(row.values()) for row in told)])
    return Response(
        text.getvalue().encode(), status, headers=_PRIVATE, media_type="text/csv; charset=utf-8; header=present"
    )


def _cells(values: Iterable[object]) -> list[str]:
    texts = ("" if value is None else str(value) for value in values)
    return [text if _NUMBER.fullmatch(text) else harmless(text) for text in texts]
