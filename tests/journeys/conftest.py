"""A real server for the journeys: two worker processes behind one port, the embedded PostgreSQL below."""

from collections.abc import Iterator

import pytest

from tests.hub.programs import Pattern, Served, served
from tests.journeys.network import Network, network_of


@pytest.fixture(scope="session")
def running(pattern: Pattern, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The journeys' shared server. Its memory is the C library's, which a library's write beyond its own brings down;
    Python's forgives it where a block is rounded up."""
    folder = pattern.copy(tmp_path_factory.mktemp("journeys") / "data")
    with served(folder, pattern.secret, HUB_QUOTE_TTL_SECONDS="5", PYTHONMALLOC="malloc") as server:
        yield server


@pytest.fixture(scope="session")
def network(running: Served) -> Network:
    """See ``network_of``, at the shared server."""
    return network_of(running)
