"""A worker: serves the connections that its parent hands it, until there are no more (see ``hub.serving``)."""

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hub.ledger.engine import COLLECTOR
from hub.metrics import Row

GRACEFUL_S = 12  # for the requests under way when there are no more
KEEP_ALIVE_S = 75
HEAD_S = 30  # for the head of a request, from a new connection's beginning or the head's first byte
_PDEATHSIG = 1

log = structlog.get_logger()


def work(channel: socket.socket, parent: int, app: Callable[[], ASGIApp], row: Row) -> NoReturn:
    """Be a worker until the channel ends; never returns into the parent's code."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _die_with(parent)
        row.begin()
        gc.set_threshold(*COLLECTOR)
        config = _config(app(), row)
        server = _Server(config, channel, parent)
        server.run(sockets=[])
        status = 0 if server.started else 1
    except SystemExit:
        pass  # the application did not start, and said why
    except BaseException as error:
        log.error("worker failed", error=repr(error), exc_info=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone; Linux only, elsewhere the channel's end says it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _config(app: ASGIApp, row: Row) -> uvicorn.Config:
    class Http(_Counted, _Prompt):
        pass

    class WebSocket(_Counted, WebSocketsSansIOProtocol):
        pass

    Http.row = WebSocket.row = row
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=Http,
        ws=WebSocket,
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
    )


class _Counted(asyncio.Protocol):
    """Tells the parent that a connection is over. A connection that became a WebSocket ends as that."""

    row: Row

    def connection_lost(self, exc: Exception | None) -> None:
        self.row.closed()
        super().connection_lost(exc)


class _Prompt(HttpToolsProtocol):
    """Closes a connection on which a request is not begun, or its head is not ended, in time: uvicorn would wait for
    ever. Between two requests its time for a kept connection counts, and for a body the application's."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._late is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(HEAD_S, self._give_up)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait()  # it is being answered, and may have been told to send no more meanwhile
        else:
            self.transport.close()


class _Server(uvicorn.Server):
    """Uvicorn over connections that were accepted elsewhere."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket, parent: int) -> None:
        super().__init__(config)
        self._channel = channel
        self._parent = parent
        self._opening: set[asyncio.Task[Any]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the parent gives the orders."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._take)
        self._channel.send(b"r")

    def _take(self) -> None:
        """Take one connection from the channel, or learn that there are no more."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        loop = asyncio.get_running_loop()
        if not message:
            if os.getppid() != self._parent:
                os._exit(1)
            loop.remove_reader(self._channel.fileno())
            self.should_exit = True
            return
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            task = loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )

        try:
            await loop.connect_accepted_socket(protocol, connection)
        except OSError:  # the client is gone
            connection.close()
            self.config.http_protocol_class.row.closed()  # type: ignore[attr-defined]
