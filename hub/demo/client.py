"""One person's connection to a hub: GraphQL over HTTP with a key, connections kept alive.

An expected refusal comes back as a `Refusal`, never as an exception; anything else that is not an answer raises
`DemoFailed` with one sentence. What the hub asks to be sent again (`RETRY_LATER`) is sent again with the same
idempotency key, which cannot do it twice. This is the demo's only file that knows an HTTP client.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import urljoin

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportError, TransportQueryError

from hub.demo.failure import DemoFailed

ANSWER_SECONDS_MAX = 60
RETRIES_MAX = 30
RETRY_PAUSE_SECONDS = 0.2
PROBE_SECONDS_MAX = 5
# Loopback needs no proxy, whatever the environment says.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The hub's considered "no": a stable reason, a sentence in the caller's language and the figures behind it."""

    reason: str
    message: str
    replayed: bool
    details: dict[str, str]


Answer = Row | Refusal


class Connection:
    """An open connection of one key; use as ``async with``. ``root`` is the server's address, without a path."""

    def __init__(self, root: str, secret: str, language: str = "en") -> None:
        self.root = root.rstrip("/") + "/"
        self._headers = {"Authorization": f"Bearer {secret}", "Accept-Language": language}
        self._stack = AsyncExitStack()
        self._session: AsyncClientSession | None = None

    async def __aenter__(self) -> "Connection":
        transport = AIOHTTPTransport(
            url=urljoin(self.root, "graphql"),
            headers=self._headers,
            timeout=ANSWER_SECONDS_MAX,
        )
        client = Client(transport=transport, fetch_schema_from_transport=False, execute_timeout=ANSWER_SECONDS_MAX)
        self._session = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None
        await self._stack.aclose()

    async def ask(self, document: str, **variables: Any) -> Any:
        """The value of the operation's only field: an object, a list or None."""
        if self._session is None:
            raise DemoFailed("The connection to the hub was used before it was opened.")
        request = GraphQLRequest(_parsed(document).document, variable_values=variables)
        try:
            try:
                answer = await self._session.execute(request)
            except TransportConnectionFailed:
                # The server may close an idle connection just as it is used again; the same key cannot act twice.
                answer = await self._session.execute(request)
        except TransportQueryError as error:
            first = (error.errors or [{"message": str(error)}])[0]
            raise DemoFailed(f"The hub rejected {_name(document)}: {first['message']}") from error
        except (TransportError, TimeoutError) as error:
            raise DemoFailed(f"The hub did not answer {_name(document)}: {error or type(error).__name__}") from error
        (value,) = answer.values()
        return value

    async def act(self, document: str, **variables: Any) -> Answer:
        """The result of a mutation or query whose field is a union with `Refused`."""
        for _ in range(RETRIES_MAX):
            answer = _answer(await self.ask(document, **variables))
            if not _try_again(answer):
                return answer
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
        raise DemoFailed(f"The hub was still busy after {RETRIES_MAX} tries of {_name(document)}.")

    async def must(self, document: str, **variables: Any) -> Row:
        """Like `act`, for what has to succeed."""
        answer = await self.act(document, **variables)
        if isinstance(answer, Refusal):
            raise DemoFailed(f"The hub refused {_name(document)}: {answer.reason}, {answer.message}")
        return answer

    async def refused(self, reason: str, document: str, **variables: Any) -> Refusal:
        """Like `act`, for what has to be refused, and for that ``reason``."""
        answer = await self.act(document, **variables)
        if not isinstance(answer, Refusal):
            raise DemoFailed(f"The hub accepted {_name(document)}, which should be refused as {reason}.")
        if answer.reason != reason:
            raise DemoFailed(f"The hub refused {_name(document)} as {answer.reason}, not as {reason}: {answer.message}")
        return answer

    async def acts(self, document: str, rows: Sequence[Row]) -> list[Answer]:
        """The results of a bulk mutation, one per row and in order."""
        answers: list[Answer] = []
        for _ in range(RETRIES_MAX):
            if not answers:
                answers = await self._rows(document, rows)
            elif again := [place for place, answer in enumerate(answers) if _try_again(answer)]:
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
                repeated = await self._rows(document, [rows[place] for place in again])
                for place, answer in zip(again, repeated, strict=True):
                    answers[place] = answer
            else:
                return answers
        raise DemoFailed(f"The hub was still busy after {RETRIES_MAX} tries of {_name(document)}.")

    async def _rows(self, document: str, rows: Sequence[Row]) -> list[Answer]:
        answers = [_answer(value) for value in await self.ask(document, input=list(rows))]
        if len(answers) != len(rows):
            raise DemoFailed(f"The hub answered {len(answers)} of {len(rows)} rows of {_name(document)}.")
        return answers

    async def fetch(self, address: str) -> bytes:
        """The body behind ``address``, which may be relative to the server's root; sent with this key."""
        request = urllib.request.Request(urljoin(self.root, address), headers=self._headers)
        try:
            return await asyncio.to_thread(_body, request, ANSWER_SECONDS_MAX)
        except OSError as error:
            raise DemoFailed(f"The file {address} could not be fetched: {error}") from error


async def sandbox(url: str, body: Row | None = None, method: str = "POST") -> Any:
    """What a simulated partner answers to whom tries it out, which is no part of what the hub asks of it."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
    try:
        answer = await asyncio.to_thread(_body, request, ANSWER_SECONDS_MAX)
    except OSError as error:
        raise DemoFailed(f"The partner did not answer at {url}: {error}") from error
    return json.loads(answer) if answer else None


def wait_until_ready(url: str, alive: Callable[[], bool], seconds_max: float) -> bool:
    """Whether what is at ``url`` can be fetched, before time runs out or ``alive`` turns false."""
    until = time.monotonic() + seconds_max
    while alive() and time.monotonic() < until:
        try:
            _body(urllib.request.Request(url), PROBE_SECONDS_MAX)
        except OSError:  # not listening yet, or listening and not ready
            time.sleep(0.1)
        else:
            return True
    return False


def _body(request: urllib.request.Request, seconds_max: float) -> bytes:
    with _DIRECT.open(request, timeout=seconds_max) as answer:
        content: bytes = answer.read()
        return content


@lru_cache(maxsize=64)
def _parsed(document: str) -> GraphQLRequest:
    return GraphQLRequest(document)


def _name(document: str) -> str:
    return document.split("(")[0].split("{")[0].split()[-1]


def _answer(value: Row) -> Answer:
    if value["__typename"] != "Refused":
        return value
    details = {detail["key"]: detail["value"] for detail in value["details"]}
    return Refusal(value["reason"], value["message"], value["replayed"], details)


def _try_again(answer: Answer) -> bool:
    return isinstance(answer, Refusal) and answer.reason == "RETRY_LATER"
