"""The carrier between our folder and a partner's server: what lies in ``outgoing`` goes there, results come into
``incoming``, and all else is as if the partner had the folder itself.

Each of its steps can be done again, and no other process of the folder carries meanwhile. A file that the server has
is moved to ``hub/sent``. If the line breaks at the very end of a sending, and the partner has taken the file before we
ask again, it finds the same file a second time, in which each reference is one that it knows.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec
import structlog

from adapters.file import durable
from adapters.file.batches import Batches, NotReady, results_file_of
from adapters.file.sftp import Listed, NotDone, Remote, Sftp, Unreachable, connected

log = structlog.get_logger()

WAIT_S: Final = 10  # for a visit, by whoever asks what became of an order
_SETTLED_S: Final = 2  # a file may be changed again within the second by which the server tells its time
_T = TypeVar("_T")


class Run(Protocol):
    """Does what is blocking in the thread that has the folder."""

    async def __call__(self, work: Callable[[], _T], /) -> _T:
        """What it returns."""


class _Fetched(msgspec.Struct, frozen=True):
    """A file as it was listed, and when so for the first time and fetched for the last, by the monotonic clock."""

    listed: Listed
    listed_at: float
    fetched_at: float


class Carrier:
    """The carrier of one folder. ``trouble``: what was wrong at the last visit, for people."""

    def __init__(self, sftp: Sftp, batches: Batches, run: Run) -> None:
        self._sftp = sftp
        self._batches = batches
        self._run = run
        self._visiting: asyncio.Task[None] | None = None
        self._next = 0.0  # of the monotonic clock
        self._fetched: dict[str, _Fetched] = {}
        self.trouble: str | None = None

    async def visit(self, *, now: bool = False) -> None:
        """Carry what there is, unless that was done ``look_every_s`` ago or later, or ``now``. Whoever asks meanwhile
        waits for the same visit, a short while; it goes on."""
        if now and self._visiting is not None:  # it may have looked before there was what is to go now
            await asyncio.wait({self._visiting}, timeout=WAIT_S)
        if self._visiting is None or self._visiting.done():
            if not now and time.monotonic() < self._next:
                return
            self._visiting = asyncio.create_task(self._visit())
        await asyncio.wait({self._visiting}, timeout=WAIT_S)

    async def close(self) -> None:
        """Let go of the server; what was under way is done again by whoever comes next."""
        if self._visiting is not None:
            self._visiting.cancel()
            await asyncio.wait({self._visiting})

    async def _visit(self) -> None:
        try:
            with durable.locked(self._batches.ours / "carrying", 0):
                self.trouble = await self._carried()
        except durable.Busy:  # another process is there, and what it brings is for all
            return
        except (Unreachable, NotReady, OSError) as error:
            self.trouble = str(error)
        finally:
            self._next = time.monotonic() + self._sftp.look_every_s
        if self.trouble is not None:
            log.warning("files not carried", host=self._sftp.host, trouble=self.trouble)

    async def _carried(self) -> str | None:
        """What was wrong with a file, which stops no other."""
        awaited, waiting = await self._run(self._batches.awaited), await self._run(self._batches.going_out)
        if not awaited and not waiting:
            return None
        wrong: list[str] = []
        try:
            async with asyncio.timeout(self._sftp.transfer_s), connected(self._sftp) as remote:
                there = await remote.files(self._sftp.incoming) if awaited else {}
                for name in awaited:
                    if (listed := there.get(results_file_of(name))) is not None:
                        wrong += await _tried(self._fetch(remote, results_file_of(name), listed))
                for path in waiting:
                    wrong += await _tried(self._send(remote, path))
        except TimeoutError:
            raise Unreachable(f"{self._sftp.host} took longer than {self._sftp.transfer_s} seconds.") from None
        return " ".join(wrong) or None

    async def _fetch(self, remote: Remote, name: str, listed: Listed) -> None:
        """Have a file of results here as it is there, unless we have had it since it was changed."""
        known, at = self._fetched.get(name), time.monotonic()
        if known is None or known.listed != listed:
            known = _Fetched(listed, at, at)
        elif known.fetched_at > known.listed_at + _SETTLED_S:
            return
        content, place = await remote.read(self._sftp.incoming, name), self._batches.incoming / name
        if content is None:
            return
        await self._run(lambda: _keep(place, content))
        self._fetched[name] = _Fetched(listed, known.listed_at, time.monotonic())

    async def _send(self, remote: Remote, path: Path) -> None:
        """Have a file of orders there. Whose results have come was there, even if we were not told so."""
        results = self._batches.incoming / results_file_of(path.stem.removeprefix("orders-"))
        content = await self._run(lambda: None if results.exists() else durable.read(path))
        if content is not None:
            await remote.put(self._sftp.outgoing, path.name, content)
        await self._run(lambda: durable.move(path, self._batches.sent / path.name))


def _keep(place: Path, content: bytes) -> None:
    """What has not changed is not written again, so that whoever looks at its time sees none that is new."""
    if durable.read(place) != content:
        durable.write(place, content)


async def _tried(one: Coroutine[None, None, None]) -> list[str]:
    try:
        await one
    except ConnectionError:  # of the line, so that no other file can be carried
        raise
    except (NotDone, durable.NoFile, OSError) as error:
        return [str(error)]
    return []
