"""Serving the simulator: one process, one thread, one event loop, so that its orders follow each other."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACEFUL_S = 2


class Tls(msgspec.Struct, frozen=True):
    """With what TLS is spoken, as files of PEM. ``clients``: who may vouch for clients, which then have to show a
    certificate (mTLS)."""

    certificate: Path
    key: Path
    clients: Path | None = None

    def options(self) -> dict[str, Any]:
        """What the server is told of it."""
        asked = ssl.CERT_NONE if self.clients is None else ssl.CERT_REQUIRED
        files = {"ssl_certfile": self.certificate, "ssl_keyfile": self.key, "ssl_ca_certs": self.clients}
        return {**files, "ssl_cert_reqs": asked}


class _Protocol(H11Protocol):
    """Lets the application cut its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Uvicorn within a loop of ours, which gets the signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: whoever runs the loop ends it."""
        yield


@asynccontextmanager
async def running(app: ASGIApp, sockets: Sequence[socket.socket], tls: Tls | None = None) -> AsyncIterator[None]:
    """The application is served on bound sockets while the context lasts; closes them."""
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_S,
        **({} if tls is None else tls.options()),
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(list(sockets)))
    try:
        waiting = asyncio.create_task(server.listening.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            raise RuntimeError("The simulator did not start.") from task.exception()
        yield
    finally:
        server.should_exit = True
        await task
