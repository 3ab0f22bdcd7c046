"""Faults: what the API answers with a GraphQL error instead of data, and what is hidden of a crash.

A fault is the caller's or the edge's trouble with the *request*: no key, no right, a malformed cursor, too large a
body. A business refusal is none; it is data (``Refused``). Each class is one noun: its docstring is its message,
``code`` is stable and stands in the error's ``extensions`` beside its details, ``status`` is the HTTP status when the
fault is met before execution begins.

Invariant: nothing of an unexpected exception leaves the process. It is logged whole under an id, and the caller gets
the id (``masked``). That the database cannot be reached is expected: ``Unavailable``, and one line in the log.
This module decides nothing about who may do what.
"""

import secrets
from collections.abc import Collection, Iterable
from typing import Any, ClassVar

import structlog
from graphql import GraphQLError, Node

from hub import errors
from hub.ledger.engine import is_outage
from settlement.signing import SigningError

_log = structlog.get_logger(__name__)


class Fault(GraphQLError):
    """The request cannot be served."""

    code: ClassVar[str] = "FAULT"
    status: ClassVar[int] = 400

    def __init__(self, message: str | None = None, *, nodes: Collection[Node] | None = None, **details: object) -> None:
        super().__init__(message or str(type(self).__doc__), nodes, extensions={"code": self.code, **details})


class BadRequest(Fault):
    """The request is not a well-formed GraphQL request."""

    code = "BAD_REQUEST"


class BadInput(Fault):
    """A value of the request is malformed."""

    code = "BAD_INPUT"


class BadCursor(Fault):
    """The cursor was not made by this list."""

    code = "BAD_CURSOR"


class BadPage(Fault):
    """The page's size is out of bounds."""

    code = "BAD_PAGE"


class NotPast(Fault):
    """The instant is not past yet: statements are of the past."""

    code = "NOT_PAST"


class NotMapped(Fault):
    """Accounts that moved have no place in the general ledger: name them first."""

    code = "NOT_MAPPED"


class TooManyParts(Fault):
    """The figures would have too many parts: ask for a shorter period, or divide them by less."""

    code = "TOO_MANY_PARTS"


class FxRateMissing(Fault):
    """No FX rate is in force by which a net could be exchanged, so the window would not close."""

    code = "FX_RATE_MISSING"


class SigningKeyUnusable(Fault):
    """The hub's signing key cannot be used, so nothing is signed, and nothing is closed; the hub's log says why."""

    code = "SIGNING_KEY_UNUSABLE"


class ReportsOutstanding(Fault):
    """The window is closed, but its reports could not be made; they are made when they are asked for."""

    code = "REPORTS_OUTSTANDING"


class NotTried(Fault):
    """In the period there is a window that is not settled by common nets, and on these no cap is tried."""

    code = "NOT_TRIED"


class ReportsGone(Fault):
    """Reports of the window were there and are gone; none is signed anew. Ask the operator."""

    code = "REPORTS_GONE"
    status = 409


class LimitExceeded(Fault):
    """The document passes a limit."""

    code = "DOCUMENT_LIMIT"


class TooManyOperations(Fault):
    """The connection has as many operations under way as it may: end one, or open another connection."""

    code = "TOO_MANY_OPERATIONS"


class Unauthenticated(Fault):
    """A valid key is needed: Authorization: Bearer <key>."""

    code = "UNAUTHENTICATED"
    status = 401


class Forbidden(Fault):
    """The key has no right to this operation."""

    code = "FORBIDDEN"
    status = 403


class NotFound(Fault):
    """There is no such thing, or it is not visible to the caller."""

    code = "NOT_FOUND"
    status = 404


class MethodNotAllowed(Fault):
    """The HTTP method does not fit the operation."""

    code = "METHOD_NOT_ALLOWED"
    status = 405


class NotAcceptable(Fault):
    """Answers are application/graphql-response+json or application/json."""

    code = "NOT_ACCEPTABLE"
    status = 406


class RequestTimeout(Fault):
    """The request's body did not come in time; nothing was done."""

    code = "REQUEST_TIMEOUT"
    status = 408


class BodyTooLarge(Fault):
    """The request's body is too large."""

    code = "BODY_TOO_LARGE"
    status = 413


class UnsupportedMedia(Fault):
    """A request's body is application/json in UTF-8, not compressed."""

    code = "UNSUPPORTED_MEDIA"
    status = 415


class Unavailable(Fault):
    """The hub cannot answer now; the same request may be sent again."""

    code = "UNAVAILABLE"
    status = 503


class DeadlineExceeded(Fault):
    """No answer in time; whether the act took place is unknown: ask again with the same idempotencyKey."""

    code = "DEADLINE_EXCEEDED"
    status = 504


class Internal(Fault):
    """Internal error"""

    code = "INTERNAL"
    status = 500


# The core's faults as the API's. What is missing here is answered as an internal error.
CORE_FAULTS: dict[type[errors.Fault], type[Fault]] = {
    errors.Unauthenticated: Unauthenticated,
    errors.Forbidden: Forbidden,
    errors.NotPast: NotPast,
    errors.TooManyParts: TooManyParts,
    errors.NotMapped: NotMapped,
    errors.NotTried: NotTried,
    errors.ReportsGone: ReportsGone,
}


def translated(error: BaseException | None) -> Fault | None:
    """The API's fault that ``error`` is or, being one of the core's, stands for; None if it is unexpected. What is
    wrong with the signing key is logged: it tells of places on the hub's machine."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, SigningError):
        _log.error("signing key unusable", reason=str(error))
        return SigningKeyUnusable()
    if isinstance(error, errors.Fault) and (kind := CORE_FAULTS.get(type(error))) is not None:
        fault = kind()
        fault.extensions = {**error.details, "code": kind.code}
        return fault
    return None


def hidden(error: BaseException) -> Fault:
    """The fault in place of an unexpected ``error``: ``Unavailable`` when the database could not be reached, which is
    logged in a line; else ``Internal``, and ``error`` is logged with its traceback under its id."""
    if _lost(error):
        tell_outage(error)
        return Unavailable()
    identifier = secrets.token_hex(8)
    _log.error("internal_error", id=identifier, exc_info=(type(error), error, error.__traceback__))
    return Internal(id=identifier)


def masked(errors: Iterable[GraphQLError], code: str) -> list[GraphQLError]:
    """The errors of one result, what was not expected among them as ``hidden`` shows it; those without a code of their
    own get ``code``. However many fields could not be read for want of the database, it is logged once.

    Expected are faults, errors about the document (they have no path, or name the node that is wrong), and errors with
    a code of their own. A scalar that cannot show what a resolver returned has neither: it is our fault, not theirs.
    """
    shown: list[GraphQLError] = []
    told = False
    for error in errors:
        cause = error.original_error
        if (cause is None and (error.path is None or error.nodes)) or (
            isinstance(cause, GraphQLError) and (_has_code(cause) or cause.nodes or error.path is None)
        ):
            shown.append(error if _has_code(error) else _coded(error, code))
            continue
        fault = translated(cause)
        if fault is None:
            unexpected = cause or error
            fault = Unavailable() if told and _lost(unexpected) else hidden(unexpected)
            told = told or isinstance(fault, Unavailable)
        fault.path, fault.locations = error.path, error.locations
        shown.append(fault)
    return shown


def formatted(errors: Iterable[GraphQLError], code: str) -> list[dict[str, Any]]:
    """The errors as a response shows them: ``masked``."""
    return [{**error.formatted} for error in masked(errors, code)]


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    """The same error with a code; ``error`` itself may be remembered with its document."""
    extensions = {**(error.extensions or {}), "code": code}
    return GraphQLError(
        error.message, error.nodes, error.source, error.positions, error.path, error.original_error, extensions
    )


def tell_outage(error: BaseException) -> None:
    """Log in a line that the database could not be reached."""
    # Of a failed statement the driver's word alone: SQLAlchemy's has the parameters in it, which are customers'.
    _log.warning("database out of reach", error=repr(getattr(error, "orig", None) or error))


def _lost(error: BaseException) -> bool:
    return isinstance(error, Exception) and is_outage(error)


def _has_code(error: GraphQLError) -> bool:
    return bool(error.extensions and error.extensions.get("code"))
