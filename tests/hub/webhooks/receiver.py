"""A receiver on the loopback: real HTTP, what it was sent, and what it is to answer."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The event's identifier."""
        return self.headers["webhook-id"]

    @property
    def payload(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def signatures(self) -> list[str]:
        """The signatures, in the order of the header."""
        return self.headers["webhook-signature"].split(" ")

    def signature_of(self, secret: str) -> str:
        """What the specification has for these headers, this body and a secret, computed without any library."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


@dataclass
class Receiver:
    """``answer``: the status for a request; it may wait. ``answered``: what was answered to its end."""

    answer: Callable[[Received], Any]
    extra: str = ""
    text: bytes = b""
    received: list[Received] = field(default_factory=list)
    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.partition(": ") for line in head[1:] if line)
            headers = {name.lower(): value for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Received(head[0].split(" ")[1], headers, body)
            self.received.append(request)
            self.arrived.set()
            status = self.answer(request)
            if asyncio.iscoroutine(status):
                status = await status
            writer.write(f"HTTP/1.1 {status} X\r\n{self.extra}content-length: {len(self.text)}\r\n\r\n".encode())
            writer.write(self.text)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def has(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        async with asyncio.timeout(30):
            while len(self.received) < count:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def receiving(
    answer: Callable[[Received], Any] = lambda _: 204, *, tls: ssl.SSLContext | None = None, **more: Any
) -> AsyncIterator[Receiver]:
    """A receiver, for as long as the block lasts."""
    made = Receiver(answer, **more)
    handlers: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await made.serve(reader, writer)
        finally:
            handlers.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()[:2]
    made.url = f"{'http' if tls is None else 'https'}://{host}:{port}/hook"
    try:
        yield made
    finally:
        server.close()
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
