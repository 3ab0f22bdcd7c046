"""A guard between the driver and a partner's database: octets that are no PostgreSQL go no further.

asyncpg reads a message whose length is below zero for ever, in one step of the event loop, which no deadline ends; a
partner's server, or whoever can write to a plain line, would stop the whole process by it. So the driver speaks to a
socket in a folder that only this user can enter, and from there each message of the server's is looked at, its kind and
its length, before it is passed on. TLS ends here too, as towards the server it is the guard's line.
"""

import asyncio
import ssl
import struct
import tempfile
from contextlib import suppress
from typing import Final

MESSAGE_BYTES_MAX: Final = 256 << 20
_KINDS: Final = frozenset(b"123ACDEGHIKNRSTVWZcdnstv")  # of what a server says
_HEAD: Final = 5  # octets: the kind, and the length of the rest with itself
_CHUNK: Final = 65_536
_PORT: Final = 5432  # a name only
_ASK_FOR_TLS: Final = struct.pack("!ii", 8, 80877103)


class NoProtocol(Exception):
    """What the server says is no message of PostgreSQL's."""


class Messages:
    """Whether octets are messages of a server's, as they come."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def check(self, octets: bytes) -> None:
        """Look at the next octets.

        Raises:
            NoProtocol: a message among them has another kind, or a length that none has.
        """
        place = 0
        while place < len(octets):
            if self._left:
                taken = min(self._left, len(octets) - place)
                self._left -= taken
                place += taken
                continue
            more = octets[place : place + _HEAD - len(self._head)]
            self._head += more
            place += len(more)
            if len(self._head) == _HEAD:
                kind, length = struct.unpack("!Bi", self._head)
                if kind not in _KINDS or not 4 <= length <= MESSAGE_BYTES_MAX:
                    raise NoProtocol
                self._head, self._left = b"", length - 4


class Guard:
    """Where the driver connects to in the place of ``host`` and ``port``. ``tls``: towards the server, or None."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, connect_s: int) -> None:
        self._host, self._port = host, port
        self._tls = tls
        self._connect_s = connect_s
        self._folder = tempfile.TemporaryDirectory(prefix="hub-sql-")
        self._server: asyncio.Server | None = None
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def address(self) -> dict[str, str | int | bool]:
        """What the driver is told."""
        return {"host": self._folder.name, "port": _PORT, "ssl": False}

    async def start(self) -> None:
        """Listen, if it does not yet."""
        async with self._starting:
            if self._server is None:
                path = f"{self._folder.name}/.s.PGSQL.{_PORT}"
                self._server = await asyncio.start_unix_server(self._accept, path)

    async def close(self) -> None:
        """Cut all that goes through it."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:  # it was on its way
            writer.close()
            return
        task = asyncio.create_task(self._relay(reader, writer))
        self._tasks.add(task)

        def over(task: asyncio.Task[None]) -> None:  # also of one that was cancelled before it began
            self._tasks.discard(task)
            writer.transport.abort()

        task.add_done_callback(over)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, TimeoutError, NoProtocol):
            async with asyncio.timeout(self._connect_s):
                from_server, to_server = await self._connected()
            pumps = [
                asyncio.create_task(_pump(reader, to_server, None)),
                asyncio.create_task(_pump(from_server, writer, Messages())),
            ]
            try:
                done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
            finally:
                to_server.transport.abort()  # a silent line would never say that it is closed
                await _end(pumps)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        if self._tls is None:
            return reader, writer
        try:
            writer.write(_ASK_FOR_TLS)
            if await reader.readexactly(1) != b"S":
                raise NoProtocol
            await writer.start_tls(self._tls, server_hostname=self._host)
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: Messages | None) -> None:
    while octets := await reader.read(_CHUNK):
        if messages is not None:
            messages.check(octets)
        writer.write(octets)
        await writer.drain()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
