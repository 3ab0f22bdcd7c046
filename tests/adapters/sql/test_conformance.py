"""The adapter passes every check, by a table and by procedures, on a real database and over a line that breaks."""

from collections.abc import Mapping

import pytest

from adapters.conformance.suite import PartnerConformance
from adapters.conformance.trial import Harness, Seeded, Upstream
from hub.partners import Partner
from hub.points import parse, render
from tests.adapters.sql.conftest import PROCEDURE, PROCEDURES, TABLE, Books


class BooksHarness:
    """The partner's own books tell balances."""

    exceptions: Mapping[str, str] = {}

    def __init__(self, books: Books, text: str) -> None:
        self._books, self._text = books, text
        self.upstream: Upstream | None = Upstream("127.0.0.1", books.port)

    async def connect(self, port: int | None) -> Partner:
        return self._books.connect(port, self._text)

    async def member(self, available: int) -> Seeded:
        number = await self._books.member(render(available, 2))
        return Seeded(number, {"membershipNumber": number} | ({"familyName": "Li"} if self._text == TABLE else {}))

    async def available(self, partner: Partner, member: Seeded) -> int | None:
        return parse(await self._books.balance(member.reference), 2)

    async def settle(self) -> None:
        """Nothing is ever pending."""


class TestTables(PartnerConformance):
    @pytest.fixture
    def harness(self, books: Books) -> Harness:
        return BooksHarness(books, TABLE)


class TestProcedures(PartnerConformance):
    @pytest.fixture
    async def harness(self, books: Books) -> Harness:
        await books.owner.execute(PROCEDURES)
        await books.owner.execute("GRANT ALL ON member, orders_done TO PUBLIC")
        return BooksHarness(books, PROCEDURE)
