"""The client counts what is not a right answer, whatever way it is wrong, and never counts it as done."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import chain, repeat

import msgspec
import pytest
from uvicorn.loops.uvloop import uvloop_loop_factory

from bench.client import Load, drive
from bench.workloads import workloads

HOST = "127.0.0.1"
SECONDS = 0.4


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def right(number: int) -> bytes:
    return http(b'{"data":{"transferPoints":{"__typename":"Transfer","id":"%d","replayed":false}}}' % number)


class Server:
    """Answers one request after the other with what ``answers`` yields; None closes the connection instead."""

    def __init__(self, answers: Iterator[bytes | None]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = next(self.answers)
                if answer is None:
                    break
                writer.write(answer)
                await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[int]:
    listener = await asyncio.start_server(server.serve, HOST, 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


def numbered() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield right(number)


def a_load(name: str = "single", connections: int = 1) -> Load:
    load = workloads("a-key", random.Random(7))[name].load
    return Load(name, connections, load.rows, load.headers, load.body, load.check)


async def failures(first: bytes | None) -> Counter[str]:
    """What is counted when the first answer is ``first``; all others are right and must be counted as done."""
    server = Server(chain([first], numbered()))
    async with listening(server) as port:
        found = await drive(a_load(), HOST, port, SECONDS)
    assert found.rows == len(server.requests) - 1 > 0
    return found.failures


async def test_right_answers_are_counted_once_over_kept_connections() -> None:
    server = Server(numbered())
    async with listening(server) as port:
        found = await drive(a_load(connections=3), HOST, port, 5 * SECONDS)
    assert found.failures.total() == 0
    assert found.rows == len(found.latencies_ms) == len(server.requests) > 3
    assert server.connections == 3
    assert found.client_cpu > 0


def test_the_loop_of_the_benchmark_serves_as_well() -> None:
    async def run() -> int:
        async with listening(Server(numbered())) as port:
            return (await drive(a_load(connections=3), HOST, port, SECONDS)).rows

    with asyncio.Runner(loop_factory=uvloop_loop_factory()) as runner:
        assert runner.run(run()) > 3


async def test_every_request_is_whole_and_has_a_key_of_its_own() -> None:
    server = Server(numbered())
    async with listening(server) as port:
        await drive(a_load(), HOST, port, SECONDS)
    assert all(b"\r\nauthorization: Bearer a-key\r\n" in request for request in server.requests)
    bodies = [msgspec.json.decode(request.partition(b"\r\n\r\n")[2]) for request in server.requests]
    inputs = [body["variables"]["input"] for body in bodies]
    assert len({one["idempotencyKey"] for one in inputs}) == len(inputs)
    assert all(one["from"] != one["to"] for one in inputs)


async def test_an_answer_in_pieces_is_one_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = b"content-length: "
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.partition(length)[2].partition(b"\r")[0]))
            for byte in right(1):
                writer.write(bytes([byte]))
                await writer.drain()

    async with await asyncio.start_server(serve, HOST, 0) as listener:
        found = await drive(a_load(), HOST, listener.sockets[0].getsockname()[1], SECONDS)
    assert (found.rows > 0, found.failures.total()) == (True, 0)


async def test_a_refusal_is_a_failure() -> None:
    refused = b'{"data":{"transferPoints":{"__typename":"Refused","reason":"RETRY_LATER","message":"."}}}'
    assert await failures(http(refused)) == {"refused: RETRY_LATER": 1}


async def test_errors_are_a_failure() -> None:
    assert await failures(http(b'{"data":null,"errors":[{"message":"no"}]}')) == {'errors: "no"': 1}


async def test_another_type_is_a_failure() -> None:
    issue = b'{"data":{"transferPoints":{"__typename":"Issue","id":"1"}}}'
    assert await failures(http(issue)) == {"a Issue instead of a Transfer": 1}


async def test_no_id_is_a_failure() -> None:
    assert await failures(http(b'{"data":{"transferPoints":{"__typename":"Transfer"}}}')) == {"no id": 1}


async def test_a_replay_of_a_new_key_is_a_failure() -> None:
    replayed = b'{"data":{"transferPoints":{"__typename":"Transfer","id":"1","replayed":true}}}'
    assert await failures(http(replayed)) == {"replayed": 1}


async def test_no_result_is_a_failure() -> None:
    assert await failures(http(b"{}")) == {"0 results for 1 rows": 1}


async def test_what_is_no_json_is_a_failure() -> None:
    (reason,) = await failures(http(b"<html>"))
    assert reason.startswith("unreadable answer")


async def test_an_http_error_is_a_failure_even_with_a_right_body() -> None:
    body = right(1).partition(b"\r\n\r\n")[2]
    assert await failures(http(body, "503 Service Unavailable")) == {"HTTP 503": 1}


async def test_a_dropped_connection_is_a_failure_and_is_opened_again() -> None:
    assert await failures(None) == {"connection dropped": 1}


async def test_an_answer_of_unknown_length_is_a_failure() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n{}"
    assert await failures(answer) == {"answer without HTTP/1.1 or content-length": 1}


async def test_no_answer_is_a_failure() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        found = await drive(a_load(connections=2), HOST, port, 1.0, grace_s=0.05)  # time to connect
    assert (found.rows, found.failures) == (0, {"no answer in time": 2})


async def test_nobody_listening_is_a_failure() -> None:
    async with listening(Server(numbered())) as port:
        pass
    found = await drive(a_load(), HOST, port, 0.05)
    assert found.rows == 0
    assert found.failures.total() == 1


async def test_a_fault_of_the_client_itself_ends_the_measurement() -> None:
    def broken(_body: bytes) -> Counter[str]:
        raise KeyError("broken")

    load = a_load()
    async with listening(Server(numbered())) as port:
        with pytest.raises(KeyError, match="broken"):
            await drive(Load("single", 1, 1, load.headers, load.body, broken), HOST, port, 0.05)


async def test_a_batch_counts_its_bad_rows_only() -> None:
    def batch(bad: int) -> bytes:
        rows: list[dict[str, object]] = [{"__typename": "Transfer", "id": str(number)} for number in range(500 - bad)]
        rows += [{"__typename": "Refused", "reason": "FROZEN", "message": "."}] * bad
        return http(msgspec.json.encode({"data": {"transferPointsBatch": rows}}))

    server = Server(chain([batch(2)], repeat(batch(0))))
    async with listening(server) as port:
        found = await drive(a_load("batch"), HOST, port, SECONDS)
    assert found.failures == {"refused: FROZEN": 2}
    assert found.rows == 500 * len(server.requests) - 2  # 498 of the first, all of the others


async def test_a_batch_that_fails_as_a_whole_counts_all_its_rows() -> None:
    short = http(b'{"data":{"transferPointsBatch":[{"__typename":"Transfer","id":"1"}]}}')
    server = Server(repeat(short))
    async with listening(server) as port:
        found = await drive(a_load("batch"), HOST, port, SECONDS)
    asked = len(server.requests)
    assert (found.rows, found.failures) == (0, {"1 results for 500 rows": 500 * asked})


def test_one_id_for_several_rows_is_wrong() -> None:
    check: Callable[[bytes], Counter[str]] = workloads("k", random.Random(7))["convert-batch"].load.check
    row = {"__typename": "Conversion", "id": "1", "status": "COMPLETED"}
    assert check(msgspec.json.encode({"data": {"convertBatch": [row] * 500}})) == {"the same id for several rows": 500}


def test_a_conversion_that_is_not_completed_is_wrong() -> None:
    check = workloads("k", random.Random(7))["convert"].load.check
    row = {"__typename": "Conversion", "id": "1", "status": "PENDING"}
    assert check(msgspec.json.encode({"data": {"convert": row}})) == {"status PENDING": 1}
