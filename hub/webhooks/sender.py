"""The sender: one signed POST to an endpoint, and what came of it. Nothing of the database is known here.

The host is resolved for each attempt; every address must be one that may be reached (``addresses``), and the connection
goes to an address that was checked, under the host's name: a name that is resolved twice could be another the second
time. Redirects are not followed, no proxy of the environment is used, no connection is kept (it would carry one host's
certificate to another at the same address), and of an answer only the beginning is read.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx2
from standardwebhooks import Webhook

from hub.webhooks.addresses import Network, is_allowed

ATTEMPT_S_MAX: Final = 15
ANSWER_BYTES_MAX: Final = 4_096
EXCERPT_CHARACTERS: Final = 200
WAIT_MAX: Final = timedelta(days=1)
_PORTS: Final = {"https": 443, "http": 80}
GONE: Final = 410

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: the status that was answered, or none, and why it is no success. ``wait``: how long the
    endpoint asks to be left alone."""

    status: int | None
    error: str | None
    wait: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Whether the event was taken in."""
        return self.error is None


class NotSent(Exception):
    """Nothing was sent, for a reason that its receiver may read."""


def signed(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The specification's headers for a body that is sent at ``at`` (in UTC), signed with each of ``secrets``."""
    text = body.decode()
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(id, at, text) for secret in secrets),
    }


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the machine's resolver has them now.

    Raises:
        OSError: there are none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Sender:
    """Sends for one process. ``plain``: whether http is allowed too; ``networks``: whose addresses are, besides public
    ones; ``trust``: whose certificates, by default those that the machine trusts."""

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        plain: bool = False,
        resolve: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
        seconds_max: int = ATTEMPT_S_MAX,
    ) -> None:
        self._networks = networks
        self._plain = plain
        self._resolve = resolve
        self._seconds_max = seconds_max
        self._client = httpx2.AsyncClient(
            verify=True if trust is None else trust,
            trust_env=False,
            follow_redirects=False,
            timeout=seconds_max,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            headers={"user-agent": "points-hub", "accept": "*/*", "accept-encoding": "identity"},
        )

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST a body to an endpoint; all of it within ``seconds_max``. Never raises for what the endpoint does."""
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._post(url, headers, body)
        except NotSent as error:
            return Answer(None, str(error))
        except TimeoutError:
            return Answer(None, f"No answer within {self._seconds_max} seconds.")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Answer(None, _readable(_told(error)))

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        parts = urlsplit(url)
        addresses = await self._addresses(parts)
        for address in addresses[:-1]:
            with suppress(httpx2.ConnectError):
                return await self._post_to(address, parts, headers, body)
        return await self._post_to(addresses[-1], parts, headers, body)

    async def _post_to(self, address: str, parts: SplitResult, headers: Mapping[str, str], body: bytes) -> Answer:
        host = parts.hostname or ""
        pinned = parts._replace(netloc=_netloc(address, parts.port)).geturl()
        async with self._client.stream(
            "POST",
            pinned,
            content=body,
            headers={**headers, "host": _netloc(host, parts.port)},
            extensions={"sni_hostname": host},  # the name in the handshake, and the one that the certificate is held to
        ) as response:
            beginning = await _beginning(response)
        if response.is_success:
            return Answer(response.status_code, None)
        error = _readable(f"{response.status_code}: {beginning.decode(errors='replace')}")
        return Answer(response.status_code, error, _wait(response.headers.get("retry-after", "")))

    async def _addresses(self, parts: SplitResult) -> Sequence[str]:
        """The addresses of the endpoint's host, of which every one may be reached."""
        if parts.scheme != "https" and not (parts.scheme == "http" and self._plain):
            raise NotSent("The URL is not https.")
        if not parts.hostname:
            raise NotSent("The URL has no host.")
        try:
            found = await self._resolve(parts.hostname, parts.port or _PORTS[parts.scheme])
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise NotSent("The host has no address.")
        if not all(is_allowed(address, self._networks) for address in found):
            raise NotSent("The host has an address that is not public.")
        return found


def _told(error: Exception) -> str:
    """What is told of a request that failed. The library's words only where there was no connection, so that they
    cannot be of the request; otherwise they may repeat a header, ours or one that came back: then only their kind."""
    if isinstance(error, httpx2.ConnectError):
        return f"There is no connection: {error}."[:200]
    return f"The request failed ({type(error).__name__})."


def _netloc(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


async def _beginning(response: httpx2.Response) -> bytes:
    """As much of an answer as is looked at; the rest is not read."""
    found = b""
    async for chunk in response.aiter_raw():
        found += chunk
        if len(found) >= ANSWER_BYTES_MAX:
            break
    return found[:ANSWER_BYTES_MAX]


def _wait(text: str) -> timedelta | None:
    """What Retry-After asks for in seconds, a day at most; as a date it is not heard."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return min(timedelta(seconds=int(text)), WAIT_MAX)


def _readable(text: str) -> str:
    """What is kept of an error: printable, and short."""
    return "".join(one if one.isprintable() else " " for one in text[:EXCERPT_CHARACTERS]).strip()
