"""The endpoint over a real server: GraphQL over HTTP as specified, typed faults, nothing of a crash, WebSockets."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import httpx2
import pytest
import strawberry
import structlog
import uvicorn
from starlette.applications import Starlette
from strawberry.extensions import ParserCache
from strawberry.schema.config import StrawberryConfig
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from hub import errors
from schema.faults import CORE_FAULTS, Forbidden, Unauthenticated, Unavailable
from schema.http import GraphQLEndpoint, negotiated
from schema.incoming import Incoming
from schema.limits import Limits
from schema.scalars import SCALARS, Decimal

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
BODY_BYTES_MAX = 64 * 1024

log = structlog.get_logger("test")
revoked: set[str] = set()


class Unlisted(errors.Fault):
    """password=hunter2"""


@dataclass(frozen=True)
class Context:
    person: str | None
    incoming: Incoming


Info = strawberry.Info[Context, None]


@strawberry.type
class Moved:
    amount: Decimal
    memo: str | None


@strawberry.type
class NotMoved:
    reason: str


@strawberry.input
class MoveInput:
    amount: Decimal
    memo: str | None = None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return f"hello {name}"

    @strawberry.field
    async def viewer(self, info: Info) -> str:
        if info.context.person is None:
            raise Unauthenticated
        return info.context.person

    @strawberry.field
    def language(self, info: Info) -> str:
        return info.context.incoming.language

    @strawberry.field
    def secret(self) -> str | None:
        raise Forbidden(right="AUDIT")

    @strawberry.field
    def core_secret(self) -> str | None:
        raise errors.Forbidden(right="AUDIT")

    @strawberry.field
    def unlisted(self) -> str | None:
        raise Unlisted

    @strawberry.field
    async def crash(self) -> str | None:
        raise RuntimeError("password=hunter2")

    @strawberry.field
    async def lost(self) -> str | None:
        raise ConnectionRefusedError(111, "Connect call failed")

    @strawberry.field
    async def needed_but_lost(self) -> str:
        raise ConnectionRefusedError(111, "Connect call failed")

    @strawberry.field
    def number(self) -> Decimal | None:
        return 5  # type: ignore[return-value]

    @strawberry.field
    def required(self, value: int) -> int:
        return value

    @strawberry.field
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @strawberry.field
    def logged(self) -> str:
        log.info("in_resolver", **structlog.contextvars.get_contextvars())
        return "yes"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def move(self, info: Info, input: MoveInput) -> Annotated[Moved | NotMoved, strawberry.union("MoveResult")]:
        assert info.field_name == "move"
        assert info.python_name == "move"
        await asyncio.sleep(0)
        if input.amount == "0":
            return NotMoved(reason="INVALID_AMOUNT")
        return Moved(amount=input.amount, memo=input.memo)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncGenerator[str, None]:
        for number in range(1, to + 1):
            yield f"{info.context.person} {number}"

    @strawberry.subscription
    async def breaking(self) -> AsyncGenerator[str, None]:
        yield "one"
        raise RuntimeError("password=hunter2")

    @strawberry.subscription
    async def losing(self) -> AsyncGenerator[str, None]:
        yield "one"
        raise ConnectionRefusedError(111, "Connect call failed")


api = strawberry.Schema(Query, Mutation, Subscription, config=StrawberryConfig(scalar_map=SCALARS))


async def context(incoming: Incoming) -> Context:
    presented = incoming.authorization
    if presented is None:
        return Context(None, incoming)
    if presented == "Bearer busy":
        raise Unavailable
    if presented == "Bearer expired":
        raise errors.Unauthenticated
    if presented == "Bearer crash":
        raise RuntimeError("password=hunter2")
    scheme, _, key = presented.partition(" ")
    if scheme != "Bearer" or not key.startswith("key-") or key in revoked:
        raise Unauthenticated
    return Context(key.removeprefix("key-"), incoming)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    endpoint = GraphQLEndpoint(
        api,
        context,
        limits=Limits(depth=6),
        body_bytes_max=BODY_BYTES_MAX,
        deadline_seconds=1,
        allowed_origins=["https://console.example"],
        graphiql=True,
    )
    plain = GraphQLEndpoint(api, context)
    application = Starlette(routes=[*endpoint.routes(), *plain.routes("/plain")])
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_config=None, ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(timeout=5)


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as opened:
        del opened.headers["accept"]
        yield opened


def post(client: httpx2.Client, body: object, accept: str | None = None, **headers: str) -> httpx2.Response:
    sent = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    if accept is not None:
        sent["accept"] = accept
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/graphql", content=content, headers=sent)


def code(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    found: str = error["extensions"]["code"]
    return found


# --- the audits of GraphQL over HTTP, by their ids ------------------------------------------------------------------

TYPE = "query Type($name: String!) { __type(name: $name) { name } }"
HELLO = {"query": "{ __typename }"}
NAMED = {"query": "query Query { __typename }", "operationName": "Query"}
TYPED = {"query": TYPE, "variables": {"name": "sometype"}}
EXTENDED = {"query": "{ __typename }", "extensions": {"some": "value"}}
UNKNOWN = {"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"}
UNKNOWN_FIELD = {"query": "{ x8f31403dfe404bccbb0e835f2629c6a7 }"}
COERCION = {"query": "query CoerceFailure($id: ID!) { __typename }", "variables": {"id": None}}
MALFORMED = b'{ "not a JSON'

# id: (body, Accept, status, media of the answer)
POSTED: dict[str, tuple[Any, str | None, int, str]] = {
    "22EB": (HELLO, RESPONSE, 200, RESPONSE),
    "4655": (HELLO, JSON, 200, JSON),
    "47DE": (HELLO, "*/*", 200, JSON),
    "80D8": (HELLO, None, 200, JSON),
    "78D5": (HELLO, None, 200, JSON),
    "2C94": (HELLO, None, 200, JSON),
    "03D4": (HELLO, None, 200, JSON),
    "A5BF": (b"", None, 400, JSON),
    "423L": ({"notquery": "{ __typename }"}, RESPONSE, 400, RESPONSE),
    "34A2": (HELLO, RESPONSE, 200, RESPONSE),
    "13EE": (HELLO, JSON, 200, JSON),
    "8161": (NAMED, RESPONSE, 200, RESPONSE),
    "B8B3": (NAMED, JSON, 200, JSON),
    "2EA1": (TYPED, RESPONSE, 200, RESPONSE),
    "28B9": (TYPED, JSON, 200, JSON),
    "428F": (EXTENDED, RESPONSE, 200, RESPONSE),
    "1B7A": (EXTENDED, JSON, 200, JSON),
    "B6DC": (MALFORMED, JSON, 400, JSON),
    "BCF8": (MALFORMED, JSON, 400, JSON),
    "B7N8": (MALFORMED, RESPONSE, 400, RESPONSE),
    "8764": ({"qeury": "{ __typename }"}, None, 400, JSON),
    "3E3A": ({"qeury": "{ __typename }"}, None, 400, JSON),
    "572B": ({"query": "{"}, JSON, 200, JSON),
    "FDE2": (UNKNOWN, JSON, 200, JSON),
    "FDE2 with a name that can be parsed": (UNKNOWN_FIELD, JSON, 200, JSON),
    "7B9B": (COERCION, JSON, 200, JSON),
    "865D": ({"query": "{"}, RESPONSE, 400, RESPONSE),
    "556A": ({"query": "{"}, RESPONSE, 400, RESPONSE),
    "D586": ({"query": "{"}, RESPONSE, 400, RESPONSE),
    "51FE": (UNKNOWN, RESPONSE, 400, RESPONSE),
    "74FF": (UNKNOWN, RESPONSE, 400, RESPONSE),
    "5E5B": (UNKNOWN_FIELD, RESPONSE, 400, RESPONSE),
    "86EE": (COERCION, RESPONSE, 400, RESPONSE),
}
for index, invalid in enumerate(({"obj": "ect"}, 0, False, ["array"])):
    POSTED[f"LKJ{index}"] = ({"query": invalid}, None, 400, JSON)
    POSTED[f"6C0{index}"] = ({"query": "{ __typename }", "operationName": invalid}, None, 400, JSON)
for index, wrong in enumerate(("string", 0, False, ["array"])):
    POSTED[f"476{index}"] = ({"query": "{ __typename }", "variables": wrong}, None, 400, JSON)
    POSTED[f"58B{index}"] = ({"query": "{ __typename }", "extensions": wrong}, None, 400, JSON)
for index, parameter in enumerate(("variables", "operationName", "extensions")):
    POSTED[f"94B{index}"] = ({"query": "{ __typename }", parameter: None}, RESPONSE, 200, RESPONSE)
    POSTED[f"022{index}"] = ({"query": "{ __typename }", parameter: None}, JSON, 200, JSON)


@pytest.mark.parametrize("audit", POSTED)
def test_audit_of_posts(client: httpx2.Client, audit: str) -> None:
    body, accept, status, media = POSTED[audit]
    response = post(client, body, accept)
    assert response.status_code == status
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    answer = json.loads(response.content.decode("utf-8"))
    fails = status == 400 or audit.split()[0] in ("572B", "FDE2", "7B9B")
    assert ("errors" in answer) == fails
    assert ("data" in answer) == (not fails)
    if fails:
        assert all(error["extensions"]["code"] for error in answer["errors"])


def test_audit_82a3_answers_are_utf8(client: httpx2.Client) -> None:
    response = post(client, {"query": '{ hello(name: "积分") }'})
    assert json.loads(response.content.decode("utf-8")) == {"data": {"hello": "hello 积分"}}


def test_audit_bf61_requests_may_name_utf8(client: httpx2.Client) -> None:
    body = {"query": '{ __type(name: "Run🏃Swim🏊") { name } }'}
    assert post(client, body, content_type="application/json; charset=utf-8").status_code == 200


def test_audit_9abe_a_body_needs_its_content_type(client: httpx2.Client) -> None:
    assert client.post("/graphql", content=b'{"query": "{ __typename }"}').status_code == 415


def test_audit_5a70_queries_may_be_got(client: httpx2.Client) -> None:
    response = client.get("/graphql", params={"query": "{ __typename }"})
    assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})


def test_audit_9c48_mutations_may_not_be_got(client: httpx2.Client) -> None:
    response = client.get("/graphql", params={"query": "mutation { __typename }"}, headers={"accept": RESPONSE})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert code(response) == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("media", [RESPONSE, JSON])
def test_audits_d6d5_and_6a70_variables_may_be_got(client: httpx2.Client, media: str) -> None:
    params = {"query": TYPE, "variables": json.dumps({"name": "Query"})}
    response = client.get("/graphql", params=params, headers={"accept": media})
    assert (response.status_code, response.json()) == (200, {"data": {"__type": {"name": "Query"}}})


# --- what else may arrive -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "arrays"),
        (b' [{"query": "{ __typename }"}]', "arrays"),
        (b"null", "null"),
        (b'"{ __typename }"', "str"),
        (b'{"query": "\xff"}', "utf-8"),
        (b'{"query": "{ __typename }", "variables": {"a": NaN}}', "malformed"),
        (b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}", ""),
        (b'{"query": "{ __typename }"} trailing', "malformed"),
    ],
)
def test_a_body_that_is_no_request_is_refused(client: httpx2.Client, body: bytes, message: str) -> None:
    response = post(client, body)
    assert response.status_code == 400
    assert code(response) == "BAD_REQUEST"
    assert message in response.json()["errors"][0]["message"].lower()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/json; charset=latin-1"}, 415),
        ({"content_type": 'Application/JSON; charset="UTF-8"'}, 200),
        ({"content_encoding": "gzip"}, 415),
        ({"accept": "text/csv"}, 406),
        ({"accept": "application/json;q=0"}, 406),
        ({"accept": "application/*;q=0, */*"}, 406),
        ({"accept": "*/*;q=0"}, 406),
    ],
)
def test_media_types_are_checked(client: httpx2.Client, headers: dict[str, str], status: int) -> None:
    assert post(client, HELLO, **headers).status_code == status


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        (b"", JSON),
        (b"application/*", JSON),
        (b"application/graphql-response+json, application/json;q=0.9", RESPONSE),
        (b"application/json;q=0.5, application/graphql-response+json", RESPONSE),
        (b"application/json, application/graphql-response+json", JSON),
        (b"text/html, application/json;q=0.1", JSON),
        (b"application/graphql-response+json;charset=utf-8", RESPONSE),
        (b"application/json;q=0, */*", RESPONSE),
        (b"*/*, application/json;q=0", RESPONSE),
        (b"application/json;q=0.5, */*", RESPONSE),
        (b"application/graphql-response+json;q=0, application/*", JSON),
        (b"application/*;q=0.1, */*;q=0, application/json;q=0", RESPONSE),
        (b"application/json, text/plain, */*", JSON),
        (b"*/*, application/graphql-response+json", JSON),
        (b"application/graphql-response+json, */*", RESPONSE),
    ],
)
def test_the_most_wanted_media_type_is_taken(accept: bytes | None, media: str) -> None:
    assert negotiated(accept) == media.encode()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_not_served(client: httpx2.Client, method: str) -> None:
    response = client.request(method, "/graphql")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("query", ["", "query", "variables={}", "query={__typename}&variables=1", "query=%ff"])
def test_a_malformed_query_string_is_refused(client: httpx2.Client, query: str) -> None:
    response = client.get(f"/graphql?{query}", headers={"accept": RESPONSE})
    assert response.status_code == 400


def test_subscriptions_are_not_posted(client: httpx2.Client) -> None:
    response = post(client, {"query": "subscription { count(to: 1) }"})
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


def test_the_operation_must_be_named_when_there_are_more(client: httpx2.Client) -> None:
    two = "query A { hello } mutation B { __typename }"
    assert post(client, {"query": two}, RESPONSE).status_code == 400
    assert post(client, {"query": two, "operationName": "C"}, RESPONSE).status_code == 400
    assert post(client, {"query": two, "operationName": "B"}, RESPONSE).json() == {"data": {"__typename": "Mutation"}}
    got = client.get("/graphql", params={"query": two, "operationName": "B"})
    assert got.status_code == 405


def test_a_body_over_the_limit_is_refused_declared_or_not(client: httpx2.Client) -> None:
    large = json.dumps({"query": "{ hello }", "extensions": {"x": "x" * BODY_BYTES_MAX}}).encode()

    def chunked() -> Iterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    for content in (large, chunked()):
        response = client.post("/graphql", content=content, headers={"content-type": JSON})
        assert response.status_code == 413
        assert response.json()["errors"][0]["extensions"] == {"code": "BODY_TOO_LARGE", "maximum": BODY_BYTES_MAX}


def test_a_body_in_chunks_is_read_whole(client: httpx2.Client) -> None:
    content = iter([b'{"query": "{ he', b'llo }"}'])
    response = client.post("/graphql", content=content, headers={"content-type": JSON})
    assert response.json() == {"data": {"hello": "hello you"}}


def test_a_document_beyond_the_limits_is_refused(client: httpx2.Client) -> None:
    text = "{" + " ".join(f"a{number}: hello" for number in range(31)) + "}"
    response = post(client, {"query": text}, RESPONSE)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"] == {
        "code": "DOCUMENT_LIMIT",
        "limit": "aliases",
        "maximum": 30,
        "actual": 31,
    }


def test_a_request_over_its_deadline_is_told_so(client: httpx2.Client) -> None:
    response = post(client, {"query": "{ slow(seconds: 5) }"})
    assert (response.status_code, code(response)) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(("said", "status", "expected"), [(b"", 503, "UNAVAILABLE"), (b"}", 504, "DEADLINE_EXCEEDED")])
async def test_a_request_that_the_server_ends_is_told_whether_it_was_begun(
    said: bytes, status: int, expected: str
) -> None:
    """What the server cancels at its own end; the first has not said all of its body yet."""
    sent: list[dict[str, Any]] = []
    messages = asyncio.Queue[dict[str, Any]]()
    body = b'{"query": "{ slow(seconds: 9) }"' + said
    messages.put_nowait({"type": "http.request", "body": body, "more_body": not said})
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}

    async def send(message: Any) -> None:
        sent.append(message)

    request = asyncio.create_task(GraphQLEndpoint(api, context)(scope, messages.get, send))
    await asyncio.sleep(0.05)
    request.cancel()
    await request
    assert (sent[0]["status"], json.loads(sent[1]["body"])["errors"][0]["extensions"]["code"]) == (status, expected)


@pytest.mark.parametrize(
    ("sent", "headers"),
    [
        ('{"query": "{ hello', "content-length: 99"),
        ('5\r\n{"que', "transfer-encoding: chunked"),
    ],
)
def test_a_body_that_does_not_come_is_the_clients_delay(port: int, sent: str, headers: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(f"POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: {JSON}\r\n{headers}\r\n\r\n{sent}".encode())
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        [error] = json.loads(answer.read())["errors"]
    assert (answer.status, error["extensions"]) == (408, {"code": "REQUEST_TIMEOUT"})
    assert answer.headers["connection"] == "close"


# --- execution ------------------------------------------------------------------------------------------------------

MOVE = (
    "mutation M($input: MoveInput!) "
    "{ move(input: $input) { __typename ... on Moved { amount memo } ... on NotMoved { reason } } }"
)


@pytest.mark.parametrize("path", ["/graphql", "/plain"])
def test_a_mutation_with_a_union_and_strawberrys_info(client: httpx2.Client, path: str) -> None:
    for amount, expected in (
        ("1.50", {"__typename": "Moved", "amount": "1.50", "memo": None}),
        ("0", {"__typename": "NotMoved", "reason": "INVALID_AMOUNT"}),
    ):
        body = {"query": MOVE, "variables": {"input": {"amount": amount}}}
        assert client.post(path, json=body).json() == {"data": {"move": expected}}


@pytest.mark.parametrize("amount", [1, 1.5, "1e3", " 1", None])
def test_a_malformed_amount_fails_the_request(client: httpx2.Client, amount: object) -> None:
    response = post(client, {"query": MOVE, "variables": {"input": {"amount": amount}}}, RESPONSE)
    assert (response.status_code, code(response)) == (400, "BAD_INPUT")
    assert "data" not in response.json()


def test_a_null_for_an_argument_that_needs_a_value_is_the_callers_error(client: httpx2.Client) -> None:
    body = {"query": "query Q($v: Int = 1) { required(value: $v) }", "variables": {"v": None}}
    (error,) = post(client, body).json()["errors"]
    assert "not to be None" in error["message"]
    assert error["extensions"] == {"code": "BAD_INPUT"}


@pytest.mark.parametrize("field", ["secret", "coreSecret"])
def test_a_fault_in_a_resolver_is_shown(client: httpx2.Client, field: str) -> None:
    response = post(client, {"query": f"{{ hello {field} }}"})
    assert response.status_code == 200
    assert response.json() == {
        "errors": [
            {
                "message": "The key has no right to this operation.",
                "locations": [{"line": 1, "column": 9}],
                "path": [field],
                "extensions": {"code": "FORBIDDEN", "right": "AUDIT"},
            }
        ],
        "data": {"hello": "hello you", field: None},
    }


@pytest.mark.parametrize("field", ["crash", "number", "unlisted"])
def test_an_unexpected_error_is_logged_under_an_id_and_masked(client: httpx2.Client, field: str) -> None:
    with capture_logs() as logs:
        response = post(client, {"query": f"{{ {field} }}"}, RESPONSE)
    assert response.status_code == 200
    assert "hunter2" not in response.text
    (error,) = response.json()["errors"]
    (entry,) = logs
    assert error["message"] == "Internal error"
    assert error["path"] == [field]
    assert error["extensions"] == {"code": "INTERNAL", "id": entry["id"]}
    assert (entry["event"], entry["log_level"]) == ("internal_error", "error")
    if field == "crash":
        assert str(entry["exc_info"][1]) == "password=hunter2"


@pytest.mark.parametrize("media", [RESPONSE, JSON])
def test_a_lost_database_is_unavailable_and_one_line_of_the_log(client: httpx2.Client, media: str) -> None:
    with capture_logs() as logs:
        part = post(client, {"query": "{ hello lost again: lost }"}, media)
    assert (part.status_code, part.json()["data"]) == (200, {"hello": "hello you", "lost": None, "again": None})
    assert [(one["path"], one["extensions"]) for one in part.json()["errors"]] == [
        (["lost"], {"code": "UNAVAILABLE"}),
        (["again"], {"code": "UNAVAILABLE"}),
    ]
    [line] = logs
    assert (line["event"], line["log_level"], "exc_info" in line) == ("database out of reach", "warning", False)
    with capture_logs() as logs:
        whole = post(client, {"query": "{ hello neededButLost }"}, media)
    assert (whole.status_code, whole.headers["content-type"]) == (503, f"{media}; charset=utf-8")
    message = "The hub cannot answer now; the same request may be sent again."
    assert whole.json() == {"errors": [{"message": message, "extensions": {"code": "UNAVAILABLE"}}]}
    assert [line["log_level"] for line in logs] == ["warning"]


def test_every_fault_of_the_core_is_translated_or_meant_to_be_hidden() -> None:
    of_the_core = {kind for kind in errors.Fault.__subclasses__() if kind.__module__ == errors.__name__}
    assert of_the_core - set(CORE_FAULTS) == {errors.Unexpected}


def test_a_crash_outside_of_resolvers_is_masked_too(client: httpx2.Client) -> None:
    with capture_logs() as logs:
        response = post(client, HELLO, authorization="Bearer crash")
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"] == {"code": "INTERNAL", "id": logs[0]["id"]}
    assert "hunter2" not in response.text


@strawberry.type
class Toy:
    name: str


def test_an_endpoint_whose_schemas_extensions_would_not_run_is_not_made() -> None:
    with pytest.raises(ValueError, match="would not run"):
        GraphQLEndpoint(strawberry.Schema(Toy, extensions=[ParserCache]), context)


# --- who asks, in which language, under which id --------------------------------------------------------------------


def test_a_key_that_is_presented_must_be_valid(client: httpx2.Client) -> None:
    for presented in ("Bearer wrong", "Bearer expired", "Basic key-ann", "", "Bearer"):
        for media, response in (
            (RESPONSE, post(client, HELLO, RESPONSE, authorization=presented)),
            (JSON, post(client, MALFORMED, JSON, authorization=presented)),
        ):
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["content-type"] == f"{media}; charset=utf-8"
            assert code(response) == "UNAUTHENTICATED"
            assert "data" not in response.json()


def test_without_a_key_the_resolvers_decide(client: httpx2.Client) -> None:
    assert post(client, {"query": "{ hello }"}).json() == {"data": {"hello": "hello you"}}
    refused = post(client, {"query": "{ viewer }"})
    assert (refused.status_code, code(refused), refused.json()["data"]) == (200, "UNAUTHENTICATED", None)
    assert post(client, {"query": "{ viewer }"}, authorization="Bearer key-ann").json() == {"data": {"viewer": "ann"}}


def test_a_fault_of_the_context_is_answered_with_its_status(client: httpx2.Client) -> None:
    response = post(client, HELLO, authorization="Bearer busy")
    assert (response.status_code, code(response)) == (503, "UNAVAILABLE")


def test_the_language_is_known_to_the_resolvers(client: httpx2.Client) -> None:
    body = {"query": "{ language }"}
    assert post(client, body).json() == {"data": {"language": "en"}}
    assert post(client, body, accept_language="zh-CN,en;q=0.5").json() == {"data": {"language": "zh"}}


def test_a_request_has_an_id_in_its_answer_and_in_its_logs(client: httpx2.Client) -> None:
    with capture_logs() as logs:
        response = post(client, {"query": "{ logged }"}, x_request_id="partner-17.a_B")
    assert response.headers["x-request-id"] == "partner-17.a_B"
    assert logs[0]["request_id"] == "partner-17.a_B"
    assert "request_id" not in structlog.contextvars.get_contextvars()


def test_a_malformed_request_id_is_replaced(client: httpx2.Client) -> None:
    given = [post(client, HELLO, x_request_id=presented) for presented in ("a b", "x" * 65, "a/b", "a;b")]
    ids = {response.headers["x-request-id"] for response in given}
    assert len(ids) == 4
    assert all(len(one) == 16 and one.isalnum() for one in ids)


# --- the GraphiQL page ----------------------------------------------------------------------------------------------

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_browser_gets_the_page_with_nothing_from_elsewhere(client: httpx2.Client) -> None:
    response = client.get("/graphql", headers={"accept": BROWSER})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert "://" not in response.text
    named = [part.split('"')[0] for part in response.text.replace("href=", "src=").split('src="')[1:]]
    assert len(named) == 6
    for path in named:
        file = client.get(path)
        assert file.status_code == 200
        assert file.headers["content-type"].split(";")[0] == ("text/css" if path.endswith("css") else "text/javascript")


@pytest.mark.parametrize(
    "path", ["/graphiql/__init__.py", "/graphiql/index.html", "/graphiql/../http.py", "/graphiql/"]
)
def test_only_the_pages_files_are_served(client: httpx2.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_is_for_development_only(client: httpx2.Client) -> None:
    assert client.get("/plain", headers={"accept": BROWSER}).status_code == 406


# --- WebSockets -----------------------------------------------------------------------------------------------------


def opened(port: int, origin: str | None = None, **headers: str) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        origin=origin,  # type: ignore[arg-type]
        additional_headers=headers,
        proxy=None,
    )


def say(socket: ClientConnection, **message: object) -> None:
    socket.send(json.dumps(message))


def hear(socket: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(socket.recv(timeout=3))
    return heard


def begin(socket: ClientConnection, **payload: object) -> None:
    say(socket, type="connection_init", payload=payload)
    assert hear(socket) == {"type": "connection_ack"}


def ask(socket: ClientConnection, query: object, **more: object) -> None:
    say(socket, id="1", type="subscribe", payload={"query": query, **more})


def closed(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=3)
    return caught.value.rcvd.code if caught.value.rcvd else None


@pytest.mark.parametrize("by", ["header", "connection_init"])
def test_a_subscription_is_authenticated_either_way(port: int, by: str) -> None:
    presented = {"Authorization": "Bearer key-ann"}
    with opened(port, None, **(presented if by == "header" else {})) as socket:
        begin(socket, **(presented if by == "connection_init" else {}))
        ask(socket, "subscription S($to: Int!) { count(to: $to) }", variables={"to": 2})
        assert [hear(socket) for _ in range(3)] == [
            {"id": "1", "type": "next", "payload": {"data": {"count": "ann 1"}}},
            {"id": "1", "type": "next", "payload": {"data": {"count": "ann 2"}}},
            {"id": "1", "type": "complete"},
        ]


def test_without_a_key_a_socket_is_anonymous(port: int) -> None:
    with opened(port) as socket:
        begin(socket)
        ask(socket, "subscription { count(to: 1) }")
        assert hear(socket)["payload"] == {"data": {"count": "None 1"}}


@pytest.mark.parametrize("presented", ["Bearer wrong", "Bearer expired", "Bearer crash"])
def test_a_socket_with_an_invalid_key_is_closed(port: int, presented: str) -> None:
    with opened(port) as socket:
        say(socket, type="connection_init", payload={"Authorization": presented})
        assert closed(socket) == 4403
    with opened(port, Authorization=presented) as socket:
        say(socket, type="connection_init")
        assert closed(socket) == 4403


def test_a_key_revoked_meanwhile_opens_no_new_subscription(port: int) -> None:
    with opened(port) as socket:
        begin(socket, Authorization="Bearer key-bob")
        ask(socket, "subscription { count(to: 1) }")
        assert [hear(socket)["type"] for _ in range(2)] == ["next", "complete"]
        revoked.add("key-bob")
        ask(socket, "subscription { count(to: 1) }")
        assert closed(socket) == 4403


def test_queries_and_mutations_are_served_over_a_socket_as_well(port: int) -> None:
    with opened(port) as socket:
        begin(socket, **{"Accept-Language": "zh-CN"})
        ask(socket, "{ language }")
        assert hear(socket)["payload"] == {"data": {"language": "zh"}}
        assert hear(socket)["type"] == "complete"
        ask(socket, MOVE, variables={"input": {"amount": "2"}})
        assert hear(socket)["payload"] == {"data": {"move": {"__typename": "Moved", "amount": "2", "memo": None}}}


@pytest.mark.parametrize(
    ("query", "more", "expected"),
    [
        ("subscription { missing }", {}, "Cannot query field"),
        ("subscription { a: count(to: 1) b: count(to: 1) }", {}, "one top level field"),
        ("subscription S($to: Int!) { count(to: $to) }", {"variables": {"to": "x"}}, "invalid value"),
        ("subscription { count(to: 1) }", {"variables": "x"}, "Expected `object"),
        (7, {}, "Expected `str`"),
        ("{" + " ".join(f"a{number}: hello" for number in range(31)) + "}", {}, "limit of 30 aliases"),
    ],
)
def test_an_operation_that_cannot_run_gets_its_errors(
    port: int, query: object, more: dict[str, object], expected: str
) -> None:
    with opened(port) as socket:
        begin(socket)
        ask(socket, query, **more)
        heard = hear(socket)
        assert heard["type"] == "error"
        assert expected in heard["payload"][0]["message"]


@pytest.mark.parametrize(
    ("query", "more", "expected"),
    [
        ("{ nope }", {}, "VALIDATION_FAILED"),
        ("subscription { nope }", {}, "VALIDATION_FAILED"),
        ("{ hello", {}, "PARSE_FAILED"),
        ("query A { hello }", {"operationName": "B"}, "BAD_INPUT"),
        ("subscription A { count(to: 1) }", {"operationName": "B"}, "BAD_INPUT"),
        ("subscription S($to: Int!) { count(to: $to) }", {"variables": {"to": "x"}}, "BAD_INPUT"),
        ("{" + " ".join(f"a{number}: hello" for number in range(31)) + "}", {}, "DOCUMENT_LIMIT"),
        (7, {}, "BAD_REQUEST"),
    ],
)
def test_an_operation_that_is_refused_has_the_codes_of_http_and_ends_alone(
    port: int, client: httpx2.Client, query: Any, more: dict[str, Any], expected: str
) -> None:
    with opened(port) as socket:
        begin(socket)
        say(socket, id="other", type="subscribe", payload={"query": "{ slow(seconds: 0.3) }"})
        ask(socket, query, **more)
        heard = hear(socket)
        assert (heard["id"], heard["type"]) == ("1", "error")
        assert {error["extensions"]["code"] for error in heard["payload"]} == {expected}
        assert hear(socket)["payload"] == {"data": {"slow": "done"}}
    if "subscription" not in str(query):
        over_http = post(client, {"query": query, **more}).json()["errors"]
        assert [one["extensions"] for one in over_http] == [one["extensions"] for one in heard["payload"]]


def test_a_connection_has_no_more_than_so_many_operations_under_way(port: int) -> None:
    with opened(port) as socket:
        begin(socket)
        for number in range(101):
            say(socket, id=str(number), type="subscribe", payload={"query": "{ slow(seconds: 0.9) }"})
        heard = hear(socket)
    assert (heard["id"], heard["type"]) == ("100", "error")
    [error] = heard["payload"]
    assert error["extensions"] == {"code": "TOO_MANY_OPERATIONS", "maximum": 100}


def test_a_crash_in_a_subscription_is_masked(port: int) -> None:
    with capture_logs() as logs, opened(port) as socket:
        begin(socket)
        ask(socket, "subscription { breaking }")
        assert hear(socket)["payload"] == {"data": {"breaking": "one"}}
        (error,) = hear(socket)["payload"]["errors"]
        assert hear(socket)["type"] == "complete"
    assert error["extensions"] == {"code": "INTERNAL", "id": logs[0]["id"]}


def test_a_subscription_that_loses_the_database_is_told_so(port: int) -> None:
    with capture_logs() as logs, opened(port) as socket:
        begin(socket)
        ask(socket, "subscription { losing }")
        assert hear(socket)["payload"] == {"data": {"losing": "one"}}
        (error,) = hear(socket)["payload"]["errors"]
        assert hear(socket)["type"] == "complete"
    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert [line["log_level"] for line in logs] == ["warning"]


@pytest.mark.parametrize("message", ["[]", "7", '{"type": "subscribe", "id": "1", "payload": 7}', "{", '{"type": "x"}'])
def test_a_malformed_message_closes_the_socket(port: int, message: str) -> None:
    with opened(port) as socket:
        begin(socket)
        socket.send(message)
        assert closed(socket) == 4400


TWICE = json.dumps({"type": "subscribe", "id": "i" * 300, "payload": {"query": "{ slow(seconds: 0.5) }"}})
UNKEYED = {"type": "subscribe", "id": {"a": 1}, "payload": {"query": "{ hello }"}}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([json.dumps({"type": "x" * 300})], 4400),
        ([json.dumps({"type": "积" * 60})], 4400),  # 180 bytes and no more than 60 characters
        ([json.dumps({"type": ["x"]})], 4400),
        ([TWICE, TWICE], 4409),
        ([json.dumps(UNKEYED)], 4400),
        ([json.dumps({"type": "complete", "id": [1]})], 4400),
        (['{"type": "ping", "payload": ' + '{"a":' * 200_000 + "1" + "}" * 200_000 + "}"], 4400),
        (['{"type": "ping", "payload": ' + "1" * 5_000 + "}"], 4400),
        (['{"type": "subscribe", "id": "\\ud800", "payload": {"query": "{ hello }"}}'], 4400),
        ([TWICE, "{"], 4400),
        (["{", "{", "{"], 4400),
    ],
)
@pytest.mark.parametrize("introduced", [True, False])
def test_a_malformed_message_is_no_crash(
    port: int, messages: list[str], expected: int, introduced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if not introduced and TWICE in messages:
        expected = 4401
    caplog.set_level("WARNING")
    with capture_logs() as logs:
        with opened(port) as socket:
            if introduced:
                begin(socket)
            with suppress(ConnectionClosed):
                for message in messages:
                    socket.send(message)
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=3)
        time.sleep(0.1)  # for whatever is left to go wrong
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == expected
    assert (logs, caplog.records) == ([], [])


async def test_a_client_that_is_gone_before_its_socket_is_closed_is_no_crash() -> None:
    messages = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "websocket.close":
            raise OSError

    headers = [(b"host", b"hub.example")]
    scope = {"type": "websocket", "path": "/graphql", "headers": headers, "subprotocols": ["graphql-transport-ws"]}
    await GraphQLEndpoint(api, context)(scope, receive, send)
    assert sent == ["websocket.accept", "websocket.close"]


def test_nothing_is_served_before_the_introduction(port: int) -> None:
    with opened(port) as socket:
        ask(socket, "subscription { count(to: 1) }")
        assert closed(socket) == 4401


def test_pages_of_other_origins_may_not_open_a_socket(port: int) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{port + 1}"):
        with pytest.raises(InvalidStatus) as caught:
            opened(port, origin)
        assert caught.value.response.status_code == 403
    for origin in (f"http://127.0.0.1:{port}", "https://console.example"):
        with opened(port, origin) as socket:
            begin(socket)


def test_the_legacy_protocol_is_not_spoken(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/graphql", proxy=None) as socket:
        assert closed(socket) == 4406
