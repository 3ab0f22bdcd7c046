"""Relay connections by keyset: a page starts after a key, never at an offset.

A resolver asks ``page`` what to fetch, fetches ``page.rows`` rows (one more than it shows) ordered by its key and
beyond ``page.after``, and ``connect`` makes the connection of them. A cursor is the list's name and the row's key:
opaque to clients, versioned, and checked against the name and the key's types on its way back, so that whatever comes
in is either a key of this list or ``BAD_CURSOR``. Invariant: the key is unique per row and the order total; nothing
here sorts or counts.

GraphQL names follow the node: ``Connection[Rate]`` is ``RateConnection`` with ``RateEdge``.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
import strawberry

from schema.faults import BadCursor, BadPage
from schema.limits import PAGE_ROWS_MAX

N = TypeVar("N")
R = TypeVar("R")
K = TypeVar("K", bound=tuple[Any, ...])

PAGE_ROWS_DEFAULT = 50
CURSOR_CHARACTERS_MAX = 1_024
_CURSOR_VERSION = 2
_BIGINT_MAX = 2**63 - 1


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are rows after it.")
    has_previous_page: bool = strawberry.field(description="Whether it was continued from a page before it.")
    start_cursor: str | None = strawberry.field(description="The first row's cursor.")
    end_cursor: str | None = strawberry.field(description="The last row's cursor, to continue after.")


@strawberry.type(description="A row of a list, with the cursor to continue after it.")
class Edge(Generic[N]):
    node: N = strawberry.field(description="The row.")
    cursor: str = strawberry.field(description="What continues after it.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[N]):
    edges: list[Edge[N]] = strawberry.field(description="Its rows, in order.")
    page_info: PageInfo = strawberry.field(description="Where it lies.")


@dataclass(frozen=True, slots=True)
class Page(Generic[K]):
    """What to fetch of the list ``name``: ``rows`` rows whose key comes after ``after``."""

    name: str
    first: int
    after: K | None

    @property
    def rows(self) -> int:
        """One more than is shown: it tells whether there is a next page."""
        return self.first + 1


def page(first: int | None, after: str | None, name: str, key: type[K]) -> Page[K]:
    """The page that the arguments ask for. ``name`` is the list's own, so that its cursors are of no other; ``key`` is
    the type of its key, such as ``tuple[int, str]``.

    Raises:
        BadPage: ``first`` is not in 1 to 200.
        BadCursor: ``after`` is no cursor of this list.
    """
    rows = PAGE_ROWS_DEFAULT if first is None else first
    if not 1 <= rows <= PAGE_ROWS_MAX:
        raise BadPage(f"first must be 1 to {PAGE_ROWS_MAX}, not {rows}.", minimum=1, maximum=PAGE_ROWS_MAX)
    return Page(name, rows, None if after is None else decode(after, name, key))


def connect(rows: Sequence[R], page: Page[K], node: Callable[[R], N], key: Callable[[R], K]) -> Connection[N]:
    """The connection of the rows fetched for ``page``: at most ``page.rows`` of them, in order."""
    edges = [Edge(node=node(row), cursor=encode(page.name, key(row))) for row in rows[: page.first]]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > page.first,
            has_previous_page=page.after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


def encode(name: str, key: tuple[Any, ...]) -> str:
    """The cursor of a row of the list ``name`` with this key (of ``str``, ``int`` and aware ``datetime``)."""
    return urlsafe_b64encode(msgspec.json.encode((_CURSOR_VERSION, name, key))).rstrip(b"=").decode()


def decode(cursor: str, name: str, key: type[K]) -> K:
    """The key that ``encode`` put into a ``cursor`` of the list ``name``.

    Raises:
        BadCursor: it is none, of another list, or holds what no row of ours can have.
    """
    if len(cursor) > CURSOR_CHARACTERS_MAX:
        raise BadCursor
    try:
        data = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        version, of, found = _decoder(key).decode(data)
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        raise BadCursor from None
    if (version, of) != (_CURSOR_VERSION, name) or not all(map(_storable, found)):
        raise BadCursor
    # The decoder was made for K, but msgspec types it as Any.
    return found  # type: ignore[no-any-return]


@cache
def _decoder(key: type[tuple[Any, ...]]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(tuple[int, str, key])  # type: ignore[valid-type]


def _storable(part: object) -> bool:
    """What PostgreSQL would refuse as a parameter is refused here, as the caller's mistake."""
    if isinstance(part, int):
        return abs(part) <= _BIGINT_MAX
    if isinstance(part, str):
        return "\0" not in part
    return not isinstance(part, datetime) or part.tzinfo is not None
