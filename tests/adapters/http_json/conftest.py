"""A bank behind a real server, and the partner that is connected to it."""

from collections.abc import AsyncIterator

import pytest

from adapters.http_json.partner import HttpJsonPartner
from tests.adapters.http_json.bank import Bank, connected
from tests.adapters.http_json.server import Server, serving


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
async def server(bank: Bank) -> AsyncIterator[Server]:
    async with serving(bank) as running:
        yield running


@pytest.fixture
async def partner(server: Server) -> AsyncIterator[HttpJsonPartner]:
    made = connected(server)
    yield made
    await made.close()
