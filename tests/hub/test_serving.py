"""Serving: real parents, real workers, real kills; the application is the smallest that shows them."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from hub.serving import CannotListen, bind
from tests.hub.programs import SOON_S_MAX, children, is_gone, until

SERVER = """
import asyncio, os, sys
from hub import logs, serving

logs.configure("INFO", development=False)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        if os.environ.get("BROKEN"):
            raise RuntimeError("broken")
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.7)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})

def ready():
    sys.stdout.write(f"{listeners[0].getsockname()[1]}\\n")
    sys.stdout.flush()

with serving.bind("127.0.0.1", int(sys.argv[1])) as listeners:
    serving.serve(listeners, lambda board, row: app, int(sys.argv[2]), ready)
"""


class Serving:
    """A server of the test's own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(self, path: str = "/") -> int:
        """The worker that answers on a connection of its own."""
        connection = self.connect()
        try:
            return answer(connection, path)
        finally:
            connection.close()

    def workers(self) -> set[int]:
        """The processes that serve."""
        return children(self.process.pid)


def answer(connection: http.client.HTTPConnection, path: str = "/") -> int:
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    return int(response.read())


@contextmanager
def serving(workers: int, port: int = 0, head_s: float | None = None) -> Iterator[Serving]:
    """``head_s``: how long a worker waits for a request's head, if not as long as it always does."""
    sooner = "" if head_s is None else f"from hub import worker\nworker.HEAD_S = {head_s}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", sooner + SERVER, str(port), str(workers)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Serving(process, int(process.stdout.readline()))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def two() -> Iterator[Serving]:
    with serving(2) as server:
        yield server


@pytest.mark.parametrize("connections", [4, 64])
def test_kept_connections_are_split_evenly(two: Serving, connections: int) -> None:
    kept = [two.connect() for _ in range(connections)]
    shares = Counter(answer(connection) for connection in kept)
    assert sorted(shares.values()) == [connections // 2, connections // 2]
    for connection in kept:
        connection.close()


def test_the_worker_with_the_fewest_connections_gets_the_next(two: Serving) -> None:
    kept: dict[int, list[http.client.HTTPConnection]] = {}
    for _ in range(6):
        connection = two.connect()
        kept.setdefault(answer(connection), []).append(connection)
    left, right = kept
    for connection in kept[left]:
        connection.close()
    time.sleep(0.2)  # for the worker to notice
    fresh = [two.connect() for _ in range(3)]
    assert [answer(connection) for connection in fresh] == [left] * 3
    for connection in [*kept[right], *fresh]:
        connection.close()


def test_asked_to_end_it_answers_what_is_under_way_and_takes_no_more(two: Serving) -> None:
    answered: list[int] = []
    asking = Thread(target=lambda: answered.append(two.ask("/slow")))
    asking.start()
    time.sleep(0.3)
    two.process.terminate()
    assert two.process.wait(40) == 0
    asking.join()
    assert len(answered) == 1
    with pytest.raises(ConnectionRefusedError):
        two.ask()


def test_a_signal_to_the_whole_group_is_the_parents_affair(two: Serving) -> None:
    answered: list[int] = []
    asking = Thread(target=lambda: answered.append(two.ask("/slow")))
    asking.start()
    time.sleep(0.3)
    os.killpg(two.process.pid, signal.SIGINT)
    assert two.process.wait(40) == 0
    asking.join()
    assert len(answered) == 1


@pytest.mark.parametrize(
    "sent", ["", "GET / HTTP/1.1\r\nhost: hu", "GET / HTTP/1.1\r\nhost: hub\r\n\r\nGET / HTTP/1.1\r\n"]
)
def test_a_connection_whose_request_does_not_come_is_closed(sent: str) -> None:
    """Nothing, a part of the first request's head, and a part of the second's; byte by byte is no better."""
    with serving(1, head_s=1) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(sent.encode())
        is_open = True
        with suppress(ConnectionError):
            for _ in range(100):
                time.sleep(0.1)
                raw.setblocking(False)
                with suppress(BlockingIOError):
                    if not raw.recv(65_536):
                        is_open = False
                        break
                raw.setblocking(True)
                if sent:
                    raw.sendall(b"x")
            assert not is_open
        assert len(server.workers()) == 1
        assert server.ask("/slow") in server.workers()  # whose answer may take as long as it likes


def test_workers_end_with_their_parent(two: Serving) -> None:
    workers = two.workers()
    assert len(workers) == 2
    os.kill(two.process.pid, signal.SIGKILL)
    assert until(lambda: all(map(is_gone, workers)), SOON_S_MAX)


def test_a_dead_worker_is_replaced_and_the_others_serve_meanwhile(two: Serving) -> None:
    workers = two.workers()
    victim = two.ask()
    os.kill(victim, signal.SIGKILL)
    assert until(lambda: victim not in two.workers(), SOON_S_MAX)
    assert two.ask() in workers - {victim}
    assert until(lambda: len(two.workers()) == 2, SOON_S_MAX)
    fresh = two.workers() - workers
    assert until(lambda: two.ask() in fresh, SOON_S_MAX)


def test_killed_as_a_group_it_can_be_started_again_at_once() -> None:
    with serving(2) as server:
        port = server.port
        assert server.ask()
        os.killpg(server.process.pid, signal.SIGKILL)
        with serving(2, port) as again:
            assert again.ask() in again.workers()


def test_a_worker_that_cannot_start_ends_all_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "1")
    done = subprocess.run([sys.executable, "-c", SERVER, "0", "2"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "WorkersFailed" in done.stderr
    assert "broken" in done.stderr


def test_a_taken_port_is_named(two: Serving) -> None:
    with pytest.raises(CannotListen, match=f"port {two.port}: another program uses it"), bind("127.0.0.1", two.port):
        pass
