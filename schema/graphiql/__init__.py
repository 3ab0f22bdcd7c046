"""The GraphiQL page, for development: an editor for the API in the browser.

Invariant: everything it needs is served from here. Nothing is loaded from elsewhere and no script stands in the page,
which its Content-Security-Policy enforces. The third-party files are copies with their licences beside them: GraphiQL
3.9.0, React 18.3.1 and ReactDOM 18.3.1 (MIT), unchanged but for the fonts that were embedded in GraphiQL's style sheet:
they are left out, and the system's are used. ``index.html``, ``page.js`` and ``page.css`` are ours.
A key that is typed into the page stays in its memory: it is not stored.
"""

from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_FOLDER = Path(__file__).parent
_MEDIA = {
    "graphiql.min.css": "text/css",
    "graphiql.min.js": "text/javascript",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "react.production.min.js": "text/javascript",
    "react-dom.production.min.js": "text/javascript",
}

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        # GraphiQL's editor sets styles as it goes; no other inline content needs to be allowed.
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def wanted(accept: bytes) -> bool:
    """Whether a request with this Accept header is a browser that opens the page."""
    return b"text/html" in accept


def index() -> bytes:
    """The page."""
    return _file("index.html")


async def assets(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application with the page's files, and no others."""
    name = scope["path"].rpartition("/")[2]
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or name not in _MEDIA:
        response = Response("Not found", status_code=404, media_type="text/plain")
    else:
        response = Response(_file(name), media_type=_MEDIA[name], headers={"x-content-type-options": "nosniff"})
    await response(scope, receive, send)


@cache
def _file(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
