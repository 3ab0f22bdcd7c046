"""Pages by keyset: sizes in bounds, cursors that are keys of their own list or refused."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
import strawberry

from schema.connection import Connection, connect, decode, encode, page
from schema.faults import BadCursor, BadPage
from tests.schema.conftest import Client

NUMBERS = list(range(1, 8))


@strawberry.type
class Number:
    value: int


def connection(first: int | None, after: str | None) -> Connection[Number]:
    asked = page(first, after, "numbers", tuple[int])
    beyond = [number for number in NUMBERS if asked.after is None or number > asked.after[0]]
    return connect(beyond[: asked.rows], asked, node=lambda row: Number(value=row), key=lambda row: (row,))


@strawberry.type
class Query:
    @strawberry.field
    def numbers(self, first: int | None = 50, after: str | None = None) -> Connection[Number]:
        return connection(first, after)


api = strawberry.Schema(Query)

DOCUMENT = """query Q($first: Int, $after: String) { numbers(first: $first, after: $after) {
  edges { cursor node { value } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def raw(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_the_types_are_named_after_the_node() -> None:
    sdl = str(api)
    assert "type NumberConnection {" in sdl
    assert "type NumberEdge {" in sdl
    assert "type PageInfo {" in sdl
    assert "edges: [NumberEdge!]!" in sdl
    assert "pageInfo: PageInfo!" in sdl


def test_following_the_cursors_shows_every_row_once_and_in_order() -> None:
    seen: list[int] = []
    after: str | None = None
    pages = []
    while True:
        result = api.execute_sync(DOCUMENT, {"first": 3, "after": after})
        assert result.errors is None
        shown: Any = (result.data or {})["numbers"]
        seen += [edge["node"]["value"] for edge in shown["edges"]]
        info = shown["pageInfo"]
        assert info["startCursor"] == shown["edges"][0]["cursor"]
        assert info["endCursor"] == shown["edges"][-1]["cursor"]
        pages.append((len(shown["edges"]), info["hasNextPage"], info["hasPreviousPage"]))
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    assert seen == NUMBERS
    assert pages == [(3, True, False), (3, True, True), (1, False, True)]


def test_a_page_that_ends_with_the_list_has_no_next_one() -> None:
    shown = connection(7, None)
    assert len(shown.edges) == 7
    assert not shown.page_info.has_next_page


def test_an_empty_page_has_no_cursors() -> None:
    shown = connection(3, encode("numbers", (7,)))
    assert shown.edges == []
    assert (shown.page_info.start_cursor, shown.page_info.end_cursor) == (None, None)
    assert shown.page_info.has_previous_page


def test_fetching_asks_for_one_row_more_than_is_shown() -> None:
    assert page(None, None, "numbers", tuple[int]).rows == 51
    assert page(200, None, "numbers", tuple[int]).rows == 201


@pytest.mark.parametrize("first", [0, -1, 201, 2**31 - 1])
def test_a_size_out_of_bounds_is_refused(first: int) -> None:
    with pytest.raises(BadPage) as caught:
        page(first, None, "numbers", tuple[int])
    assert caught.value.extensions == {"code": "BAD_PAGE", "minimum": 1, "maximum": 200}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ((1,), tuple[int]),
        (("A'\"\\☃",), tuple[str]),
        ((2**63 - 1, "x"), tuple[int, str]),
        ((datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC), 7), tuple[datetime, int]),
    ],
)
def test_a_cursor_gives_its_key_back(key: tuple[Any, ...], kind: type[tuple[Any, ...]]) -> None:
    cursor = encode("numbers", key)
    assert cursor.isascii()
    assert "=" not in cursor
    assert decode(cursor, "numbers", kind) == key


@pytest.mark.parametrize(
    ("cursor", "kind"),
    [
        ("", tuple[int]),
        ("!!!", tuple[int]),
        ("é", tuple[int]),
        ("\0", tuple[int]),
        ("A" * 1_025, tuple[int]),
        (raw('[2,"numbers",[7]') + "x", tuple[int]),
        (raw("7"), tuple[int]),
        (raw("[1]"), tuple[int]),
        (raw('[2,"numbers",7]'), tuple[int]),
        (raw('[1,"numbers",[7]]'), tuple[int]),
        (raw('[2,"numbers",["7"]]'), tuple[int]),
        (raw('[2,"numbers",[7,8]]'), tuple[int]),
        (raw('[2,"numbers",[7.5]]'), tuple[int]),
        (raw('[2,"numbers",[9223372036854775808]]'), tuple[int]),
        (raw('[2,"numbers",[null]]'), tuple[str]),
        (raw('[2,"numbers",["\\u0000"]]'), tuple[str]),
        (raw('[2,"numbers",["\\ud800"]]'), tuple[str]),
        (raw('[2,"numbers",["2026-01-31T00:00:00"]]'), tuple[datetime]),
        (raw("[" * 300), tuple[int]),
        (encode("numbers", ("A",)), tuple[int]),
        (encode("numbers", (1,)), tuple[str]),
        (encode("others", (1,)), tuple[int]),
        (raw("[1,[7]]"), tuple[int]),  # of 0.1.0
    ],
)
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str, kind: type[tuple[Any, ...]]) -> None:
    with pytest.raises(BadCursor):
        decode(cursor, "numbers", kind)


def test_the_errors_code_reaches_the_client() -> None:
    for variables, code in (({"after": "nonsense"}, "BAD_CURSOR"), ({"first": 201}, "BAD_PAGE")):
        result = api.execute_sync(DOCUMENT, dict(variables))
        assert result.errors is not None
        assert (result.errors[0].extensions or {})["code"] == code


async def test_a_list_refuses_the_cursors_of_another(client: Client) -> None:
    caller = client.caller(client.hub.admin)
    windows = await caller.ask("{ settlementWindows { edges { cursor } } }")
    cursor = windows["edges"][0]["cursor"]
    own, others = "settlementWindows", ("rates", "conversions", "acceptanceTerms", "grantTerms", "unitValues")
    document = "query Q($after: String) { %s(after: $after) { edges { cursor } } }"
    assert await caller.ask(document % own, after=cursor) == {"edges": []}
    assert [await caller.codes(document % other, after=cursor) for other in others] == [["BAD_CURSOR"]] * len(others)
