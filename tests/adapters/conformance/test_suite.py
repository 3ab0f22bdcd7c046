"""The shipped suite, inherited as everybody inherits it: the guide's adapter conforms."""

from collections.abc import AsyncIterator

import pytest

from adapters.conformance.settings import FileHarness, TrialSettings
from adapters.conformance.suite import PartnerConformance
from adapters.conformance.trial import Harness
from tests.adapters.conftest import playing
from tests.adapters.example import kind


class TestAirline(PartnerConformance):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with playing() as simulator:
            url = simulator.url
            yield FileHarness(kind, TrialSettings(configuration={"url": url}, sandbox=url, address="url"))
