"""A fault proxy: a TCP relay on loopback that breaks the line as it is told.

A fault is armed for one request and strikes when the client sends bytes in which ``match`` occurs, such as an order's
reference; so it does not matter on which connection the order travels, or what is asked before it. All else is relayed
as it is. What is random, the place at which an answer is cut, comes from the seed.
"""

import asyncio
import random
import socket
import ssl
import struct
from contextlib import suppress
from enum import StrEnum
from types import TracebackType

import msgspec

CHUNK = 65_536
_REPLAY_S_MAX = 5


class Breach(StrEnum):
    """How the line breaks."""

    DELAY = "DELAY"  # everything later, by ms
    DROP_BEFORE = "DROP_BEFORE"  # closed; the partner never gets the request whole
    DROP_AFTER = "DROP_AFTER"  # the partner has answered, and the answer is lost
    RESET = "RESET"  # the same, and the connection is reset
    SILENT_BEFORE = "SILENT_BEFORE"  # half open: nothing is passed on, nothing is ever answered
    SILENT_AFTER = "SILENT_AFTER"  # the partner has answered, and nothing ever arrives
    CUT_SHORT = "CUT_SHORT"  # a part of the answer arrives
    DUPLICATE = "DUPLICATE"  # the partner gets the request twice
    THROTTLE = "THROTTLE"  # the answer comes in pieces of a few bytes
    REPLACE = "REPLACE"  # the partner has answered, and another answer arrives


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One breach of the line. ``answer``: of REPLACE. ``after``: not before the client has sent so many octets, for
    lines that are encrypted."""

    breach: Breach
    after: int = 0
    ms: int = 0
    answer: bytes = b""


class Proxy:
    """A relay to ``host`` and ``port``; use as ``async with``. ``tls``: to the partner; from the client it is plain."""

    def __init__(self, host: str, port: int, *, seed: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._upstream = (host, port)
        self._tls = tls
        self._random = random.Random(seed)
        self._armed: list[tuple[bytes, Fault]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.struck = 0  # how many faults have struck

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        if self._server is None:
            raise RuntimeError("The proxy is not running.")
        return int(self._server.sockets[0].getsockname()[1])

    def arm(self, fault: Fault, match: bytes = b"") -> None:
        """Let a fault strike the next request with ``match`` in it."""
        self._armed.append((match, fault))

    async def close(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Cut the connections that are open; others can be made."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a connection is served by a task")
        self._tasks.add(task)
        try:
            with suppress(OSError):
                await self._relay(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_partner, to_partner = await asyncio.open_connection(*self._upstream, ssl=self._tls)
        line = _Line(reader, writer, from_partner, to_partner)
        ways = [asyncio.create_task(self._outward(line)), asyncio.create_task(self._inward(line))]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with suppress(_Closed):
                    task.result()
        finally:
            to_partner.close()
            for task in ways:
                task.cancel()
            await asyncio.wait(ways)

    async def _outward(self, line: "_Line") -> None:
        """From the client to the partner."""
        while data := await line.reader.read(CHUNK):
            if line.answered:
                line.request, line.answered, line.fault = b"", False, None
            line.request += data
            line.sent += len(data)
            if line.fault is None:
                line.fault = self._strike(line.request, line.sent)
            match None if line.fault is None else line.fault.breach:
                case Breach.DROP_BEFORE:
                    raise _Closed
                case Breach.SILENT_BEFORE:
                    continue
                case Breach.DELAY if line.fault is not None:
                    await asyncio.sleep(line.fault.ms / 1_000)
            line.to_partner.write(data)
            await line.to_partner.drain()

    async def _inward(self, line: "_Line") -> None:
        """From the partner to the client."""
        while data := await line.from_partner.read(CHUNK):
            fault, line.answered = line.fault, True
            match None if fault is None else fault.breach:
                case Breach.DROP_AFTER:
                    raise _Closed
                case Breach.RESET:
                    _reset(line.writer)
                    raise _Closed
                case Breach.SILENT_AFTER:
                    continue
                case Breach.REPLACE if fault is not None:
                    data = fault.answer
                case Breach.CUT_SHORT:
                    line.writer.write(data[: self._random.randrange(1, max(2, len(data)))])
                    await line.writer.drain()
                    raise _Closed
                case Breach.DUPLICATE:
                    line.fault = None
                    await self._replay(line.request)
                case Breach.THROTTLE:
                    for start in range(0, len(data), 7):
                        line.writer.write(data[start : start + 7])
                        await line.writer.drain()
                        await asyncio.sleep(0)
                    continue
            line.writer.write(data)
            await line.writer.drain()
            if fault is not None and fault.breach is Breach.REPLACE:
                raise _Closed
        if line.is_silent:  # a partner closes what it has not been asked on for a while, and the client must not notice
            await asyncio.Event().wait()

    async def _replay(self, request: bytes) -> None:
        """Send a request once more, and let its answer go."""
        reader, writer = await asyncio.open_connection(*self._upstream, ssl=self._tls)
        try:
            writer.write(request)
            async with asyncio.timeout(_REPLAY_S_MAX):
                await reader.read(CHUNK)
        except TimeoutError:
            pass
        finally:
            writer.close()

    def _strike(self, data: bytes, sent: int) -> Fault | None:
        for place, (match, fault) in enumerate(self._armed):
            if match in data and sent > fault.after:
                del self._armed[place]
                self.struck += 1
                return fault
        return None


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side gets a reset: what lingers for no time is thrown away."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _Closed(Exception):
    """The fault closes the line."""


class _Line:
    """One connection of a client, and the one to the partner that is its other half."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_partner: asyncio.StreamReader,
        to_partner: asyncio.StreamWriter,
    ) -> None:
        self.reader, self.writer = reader, writer
        self.from_partner, self.to_partner = from_partner, to_partner
        self.request = b""
        self.sent = 0  # octets by the client
        self.answered = False
        self.fault: Fault | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the client gets nothing more, not even an end."""
        return self.fault is not None and self.fault.breach in (Breach.SILENT_BEFORE, Breach.SILENT_AFTER)
