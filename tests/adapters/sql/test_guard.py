"""What is no PostgreSQL never reaches the driver; all else does, over TLS too."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sql.guard import MESSAGE_BYTES_MAX, Messages, NoProtocol
from hub.partners import Status
from tests.adapters.http_json.certificates import Holder, holder, server_context
from tests.adapters.sql.conftest import Books

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
KINDS = "123ACDEGHIKNRSTVWZcdnstv"


def message(kind: str, body: bytes) -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


@given(st.lists(st.builds(message, st.sampled_from(KINDS), st.binary(max_size=40)), max_size=8), st.integers(1, 9))
def test_messages_pass_however_they_are_cut(messages: list[bytes], size: int) -> None:
    octets, found = b"".join(messages), Messages()
    for start in range(0, len(octets), size):
        found.check(octets[start : start + size])


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x00\x00\x00\x00\x04",
        b"H" + struct.pack("!i", -1),
        b"D" + struct.pack("!i", 3),
        b"D" + struct.pack("!i", MESSAGE_BYTES_MAX + 1),
        b"HTTP/1.1 502 Bad Gateway\r\n",
        b"\x00\xff\x13noise\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_octets_that_are_no_message_do_not(wrong: bytes, size: int) -> None:
    octets, found = message("Z", b"I") + wrong, Messages()

    def check() -> None:
        for start in range(0, len(octets), size):
            found.check(octets[start : start + size])

    with pytest.raises(NoProtocol):
        check()


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Somebody on loopback, in the place of a database."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("noise", [b"\x00\xff\x13noise\r\n\r\n", b"R" + struct.pack("!i", -5), b"R" * 400])
async def test_whoever_answers_noise_from_the_first_octet_on_is_no_database(books: Books, noise: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(noise)
        await writer.drain()
        await reader.read()

    async with listening(serve) as port, asyncio.timeout(10):
        assert (await books.connect(port).perform(books.order("M-1"))).status is Status.ABSENT


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Holder:
    return holder("authority")


@asynccontextmanager
async def over_tls(books: Books, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """The partner's database, which speaks TLS when it is asked; without a context it has none."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == struct.pack("!ii", 8, 80877103)
        writer.write(b"N" if context is None else b"S")
        if context is None:
            return
        await writer.start_tls(context)
        back, forth = await asyncio.open_connection("127.0.0.1", books.port)
        try:
            await asyncio.gather(_copy(reader, forth), _copy(back, writer))
        finally:
            forth.close()

    async with listening(serve) as port:
        yield port


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(65_536):
        writer.write(octets)
        await writer.drain()
    writer.close()


async def told(books: Books, port: int, **tls: str) -> Status:
    """What becomes of an order."""
    partner = books.connect(port, allowPlain=False, host="localhost", tls=tls)
    return (await partner.perform(books.order(await books.member()))).status


async def test_the_line_is_tls_and_the_authority_is_verified(books: Books, authority: Holder, tmp_path: Path) -> None:
    context = server_context(holder("database", authority), tmp_path)
    async with over_tls(books, context) as port:
        assert await told(books, port, authority=authority.pem) is Status.SUCCEEDED
        assert await told(books, port, authority=holder("another").pem) is Status.ABSENT
    elsewhere = server_context(holder("database", authority, host="elsewhere.example"), tmp_path)
    async with over_tls(books, elsewhere) as port:
        assert await told(books, port, authority=authority.pem) is Status.ABSENT


async def test_our_certificate_is_shown(books: Books, authority: Holder, tmp_path: Path) -> None:
    ours = holder("hub", authority)
    context = server_context(holder("database", authority), tmp_path, clients=authority)
    async with over_tls(books, context) as port:
        shown = {"authority": authority.pem, "certificate": ours.pem, "key": ours.key_pem}
        assert await told(books, port, **shown) is Status.SUCCEEDED
        assert await told(books, port, authority=authority.pem) is not Status.SUCCEEDED


async def test_a_database_without_tls_gets_nothing_of_us(books: Books, authority: Holder) -> None:
    async with over_tls(books, None) as port:
        assert await told(books, port, authority=authority.pem) is Status.ABSENT
