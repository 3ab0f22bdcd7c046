"""The fault proxy: what each breach of the line lets through, to the partner and back."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.conformance.proxy import Breach, Fault, Proxy

HOST = "127.0.0.1"
ANSWER_S_MAX = 20


@dataclass
class Partner:
    """Answers each line with itself in capital letters, and keeps what it got."""

    port: int = 0
    got: list[bytes] = field(default_factory=list)
    lines: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while line := await reader.readline():
            if not line.endswith(b"\n"):
                break  # half a line is no request
            self.got.append(line)
            await self.lines.put(line)
            writer.write(line.upper())
        writer.close()

    def close(self) -> None:
        """End every connection."""
        for writer in self.writers:
            writer.close()


@asynccontextmanager
async def listening(partner: Partner) -> AsyncIterator[Partner]:
    server = await asyncio.start_server(partner.serve, HOST, 0)
    partner.port = server.sockets[0].getsockname()[1]
    async with server:
        yield partner


@dataclass
class Line:
    """A proxy with a partner behind it, and a client's connection to it."""

    partner: Partner
    proxy: Proxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, text: bytes) -> bytes:
        """What comes back of a line, up to its end or the connection's."""
        self.writer.write(text + b"\n")
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self.reader.readline()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with listening(Partner()) as partner, Proxy(HOST, partner.port, seed=3) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        yield Line(partner, proxy, reader, writer)
        writer.close()


async def test_without_a_fault_everything_passes(line: Line) -> None:
    assert [await line.ask(text) for text in (b"one", b"two")] == [b"ONE\n", b"TWO\n"]
    assert line.proxy.struck == 0


async def test_a_fault_strikes_what_it_matches_once(line: Line) -> None:
    line.proxy.arm(Fault(breach=Breach.REPLACE, answer=b"lie\n"), b"two")
    assert await line.ask(b"one") == b"ONE\n"
    assert await line.ask(b"two") == b"lie\n"
    assert line.partner.got == [b"one\n", b"two\n"]
    assert line.proxy.struck == 1
    reader, writer = await asyncio.open_connection(HOST, line.proxy.port)
    assert await Line(line.partner, line.proxy, reader, writer).ask(b"two") == b"TWO\n"
    writer.close()


@pytest.mark.parametrize(("breach", "arrives"), [(Breach.DROP_BEFORE, []), (Breach.DROP_AFTER, [b"one\n"])])
async def test_a_connection_is_closed_before_or_after_the_partner_did_it(
    line: Line, breach: Breach, arrives: list[bytes]
) -> None:
    line.proxy.arm(Fault(breach=breach))
    assert await line.ask(b"one") == b""
    assert line.partner.got == arrives


async def test_a_connection_is_reset(line: Line) -> None:
    line.proxy.arm(Fault(breach=Breach.RESET))
    with pytest.raises(ConnectionResetError):
        await line.ask(b"one")
    assert line.partner.got == [b"one\n"]


@pytest.mark.parametrize(("breach", "arrives"), [(Breach.SILENT_BEFORE, False), (Breach.SILENT_AFTER, True)])
async def test_a_line_falls_silent(line: Line, breach: Breach, arrives: bool) -> None:
    line.proxy.arm(Fault(breach=breach), b"one")
    line.writer.write(b"one\n")
    if arrives:
        assert await line.partner.lines.get() == b"one\n"
    reader, writer = await asyncio.open_connection(HOST, line.proxy.port)
    other = Line(line.partner, line.proxy, reader, writer)
    assert await other.ask(b"two") == b"TWO\n"  # the proxy has had its turn
    assert line.partner.got == ([b"one\n"] if arrives else []) + [b"two\n"]
    await line.proxy.close()
    assert await line.reader.read() == b""  # and nothing came by then
    writer.close()


@pytest.mark.parametrize("breach", [Breach.SILENT_BEFORE, Breach.SILENT_AFTER])
async def test_a_line_stays_silent_when_the_partner_closes_it(line: Line, breach: Breach) -> None:
    """As servers do with connections on which nothing is asked."""
    assert await line.ask(b"one") == b"ONE\n"
    line.proxy.arm(Fault(breach=breach), b"two")
    line.writer.write(b"two\n")
    reader, writer = await asyncio.open_connection(HOST, line.proxy.port)
    other = Line(line.partner, line.proxy, reader, writer)
    assert await other.ask(b"three") == b"THREE\n"  # the proxy has had its turn
    assert line.proxy.struck == 1
    line.partner.close()
    assert await reader.read() == b""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await line.reader.read()
    writer.close()


async def test_an_answer_is_cut_short_at_a_place_of_the_seed() -> None:
    cut = []
    for _ in range(2):
        async with listening(Partner()) as partner, Proxy(HOST, partner.port, seed=11) as proxy:
            proxy.arm(Fault(breach=Breach.CUT_SHORT))
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            cut.append(await Line(partner, proxy, reader, writer).ask(b"a longer line than one"))
            writer.close()
    assert cut[0] == cut[1]
    assert b"A LONGER LINE THAN ONE".startswith(cut[0])
    assert 0 < len(cut[0]) < 22


async def test_a_request_is_doubled_and_answered_once(line: Line) -> None:
    line.proxy.arm(Fault(breach=Breach.DUPLICATE), b"one")
    assert [await line.ask(b"one"), await line.ask(b"two")] == [b"ONE\n", b"TWO\n"]
    assert line.partner.got == [b"one\n", b"one\n", b"two\n"]


@pytest.mark.parametrize("breach", [Breach.DELAY, Breach.THROTTLE])
async def test_a_slow_line_loses_nothing(line: Line, breach: Breach) -> None:
    line.proxy.arm(Fault(breach=breach, ms=10))
    assert await line.ask(b"a line of more than seven bytes") == b"A LINE OF MORE THAN SEVEN BYTES\n"
    assert line.partner.got == [b"a line of more than seven bytes\n"]


async def test_a_closed_proxy_refuses_connections(line: Line) -> None:
    port = line.proxy.port
    await line.proxy.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)


async def test_a_partner_that_is_not_there_closes_the_line() -> None:
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        async with Proxy(HOST, nobody.getsockname()[1]) as proxy:
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            assert await reader.read() == b""
            writer.close()


async def test_a_client_that_resets_its_line_harms_nobody(line: Line) -> None:
    with socket.create_connection((HOST, line.proxy.port)) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert await line.ask(b"one") == b"ONE\n"
