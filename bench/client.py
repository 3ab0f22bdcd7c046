"""The client: one process, one closed loop per connection, HTTP/1.1 with keep-alive written by hand.

Each connection sends its next request when the answer to the last has come and was checked. Whatever is not a right
answer is a failure and is counted with its reason, for each row that was asked: a refusal, an error, an HTTP status
other than 200, a connection that was dropped or never answered. Nothing is sent again.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from bench.figures import Measurement

GRACE_S = 30.0
RECONNECT_PAUSE_S = 0.1
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n|$)", re.IGNORECASE)

Check = Callable[[bytes], Counter[str]]


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: ``body`` makes the next request, ``check`` counts an answer's bad rows by their faults."""

    name: str
    connections: int
    rows: int
    headers: dict[str, str]
    body: Callable[[], bytes]
    check: Check
    path: str = "/graphql"


@dataclass(slots=True)
class Tally:
    """What came back so far."""

    rows: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    last_answer: float = 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection that asks until ``deadline`` (by the loop's clock) and then closes.

    ``ended`` is set when the connection is gone, for whatever reason.
    """

    def __init__(self, load: Load, head: bytes, deadline: float, tally: Tally) -> None:
        self._load, self._head, self._deadline, self._tally = load, head, deadline, tally
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._asked: float | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent
        try:
            self._ask()
        except Exception as error:
            self._broken(error)

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            while (answer := self._take()) is not None:
                self._answered(*answer)
        except Exception as error:
            self._broken(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asked is not None:
            self._fail("connection dropped")
        if not self.ended.done():
            self.ended.set_result(None)

    def give_up(self, reason: str) -> None:
        """Count what is still unanswered as failed and leave."""
        if self._asked is not None:
            self._fail(reason)
        if self._transport is not None:
            self._transport.abort()

    def _broken(self, error: Exception) -> None:
        """The client's own fault: not a failed answer, but the end of the measurement."""
        if not self.ended.done():
            self.ended.set_exception(error)
        self.give_up("the client broke")

    def _ask(self) -> None:
        assert self._transport is not None
        if self._loop.time() >= self._deadline:
            self._transport.close()
            return
        body = self._load.body()
        self._asked = time.perf_counter()
        self._transport.write(self._head % len(body) + body)

    def _take(self) -> tuple[int, bytes] | None:
        """The next whole answer's status and body, or None while some of it is missing."""
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = CONTENT_LENGTH.search(received, 0, end)
        if length is None or not received.startswith(b"HTTP/1.1 "):
            self.give_up("answer without HTTP/1.1 or content-length")
            received.clear()
            return None
        start, stop = end + 4, end + 4 + int(length[1])
        if len(received) < stop:
            return None
        status, body = int(received[9:12]), bytes(received[start:stop])
        del received[:stop]
        return status, body

    def _answered(self, status: int, body: bytes) -> None:
        if self._asked is None:
            self.give_up("answer without a question")
            self._tally.failures["answer without a question"] += 1
            return
        now, tally = time.perf_counter(), self._tally
        if status != 200:
            self._fail(f"HTTP {status}")
        else:
            faults = self._load.check(body)
            tally.failures += faults
            tally.rows += self._load.rows - faults.total()
            tally.latencies_ms.append((now - self._asked) * 1000)
            tally.last_answer = now
            self._asked = None
        self._ask()

    def _fail(self, reason: str) -> None:
        self._tally.failures[reason] += self._load.rows
        self._asked = None


async def drive(load: Load, host: str, port: int, seconds: float, grace_s: float = GRACE_S) -> Measurement:
    """Send ``load`` for ``seconds`` and wait for what is then under way, at most ``grace_s``.

    The rate's time runs from the first request to the last answer.
    """
    loop = asyncio.get_running_loop()
    deadline, tally = loop.time() + seconds, Tally()
    head = "".join(f"{name}: {value}\r\n" for name, value in {"host": f"{host}:{port}", **load.headers}.items())
    request = f"POST {load.path} HTTP/1.1\r\n{head}".replace("%", "%%").encode() + b"content-length: %d\r\n\r\n"
    live: set[Connection] = set()

    async def keep() -> None:
        while loop.time() < deadline:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(load, request, deadline, tally), host, port
                )
            except OSError as error:
                tally.failures[f"no connection: {error.strerror or error}"] += load.rows
                await asyncio.sleep(RECONNECT_PAUSE_S)
                continue
            live.add(connection)
            await connection.ended
            live.discard(connection)

    started, cpu_started = time.perf_counter(), time.process_time()
    tasks = [asyncio.create_task(keep()) for _ in range(load.connections)]
    _, pending = await asyncio.wait(tasks, timeout=seconds + grace_s)
    for connection in list(live):
        connection.give_up("no answer in time")
    wall = time.perf_counter() - started
    cpu = time.process_time() - cpu_started
    for task in pending:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    if not tally.rows and not tally.failures:
        tally.failures["nothing was asked"] += 1
    return Measurement(
        name=load.name,
        rows=tally.rows,
        seconds=max(tally.last_answer - started, min(seconds, wall)),
        latencies_ms=tally.latencies_ms,
        failures=tally.failures,
        client_cpu=cpu / wall,
    )
