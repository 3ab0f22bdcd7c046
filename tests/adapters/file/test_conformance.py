"""The adapter passes the suite, over a folder and over SFTP, and a partner that is a process of its own."""

import asyncio
from collections.abc import Mapping

import pytest

from adapters.conformance.checks import CHECKS
from adapters.conformance.suite import PartnerConformance
from adapters.conformance.trial import Harness, Seeded, Upstream
from hub.partners import Partner
from hub.points import parse, render
from tests.adapters.file.conftest import Exchanged
from tests.adapters.file.server import Server

BESIDE_S = 0.1  # for another connection that is at the server, and carries for all
NO_LINE = "An order is taken by the folder; test_kills.py, test_results.py and test_carrier.py break what is behind it."


class FolderHarness:
    """The harness of a folder."""

    upstream: Upstream | None = None
    exceptions: Mapping[str, str] = {one.name: NO_LINE for one in CHECKS if one.name.startswith("survives-")}

    def __init__(self, exchanged: Exchanged) -> None:
        self.exchanged = exchanged
        self.hub = exchanged.connect()
        self.members = 0
        self.composed = False  # since the last night

    async def connect(self, port: int | None) -> Partner:
        return self.exchanged.connect()

    async def member(self, available: int) -> Seeded:
        self.members += 1
        async with self.exchanged.lock:
            self.exchanged.enroll(f"T-{self.members}", render(available, 2))
        return Seeded(f"T-{self.members}")

    async def available(self, partner: Partner, member: Seeded) -> int | None:
        return parse(self.exchanged.available(member.reference), 2)

    async def settle(self) -> None:
        """A night of the partner's, once all that was composed has come to it."""
        async with self.exchanged.lock:
            self.composed = await self.hub.compose() is not None or self.composed
            if self.composed and self._has_gone():
                self.composed = False
                await self.exchanged.night()
                return
        await asyncio.sleep(BESIDE_S)

    def _has_gone(self) -> bool:
        """Whether nothing waits to be carried, because another connection was at the server just then."""
        ours = self.exchanged.folder
        return self.exchanged.theirs == ours or not any((ours / "outgoing").iterdir())


class TestFile(PartnerConformance):
    @pytest.fixture
    def harness(self, exchanged: Exchanged) -> Harness:
        return FolderHarness(exchanged)


class TestSftp(PartnerConformance):
    @pytest.fixture
    def harness(self, exchanged: Exchanged, server: Server) -> Harness:
        return FolderHarness(exchanged)
