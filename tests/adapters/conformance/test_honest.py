"""Partners that can less, and say so, conform as well: what they declare decides what is asked of them."""

from collections.abc import AsyncIterator, Mapping
from datetime import date

import pytest

from adapters.conformance.check import Verdict
from adapters.conformance.checks import CHECKS, run_all
from adapters.conformance.settings import FileHarness, TrialSettings
from adapters.simulator.authentication import Authentication, Scheme
from adapters.simulator.rules import Programme
from hub.partners import Answer, Entry, Member, Operation, Order, PartnerUnavailable, Reason, Settling, Status
from tests.adapters.conformance.broken import declaring
from tests.adapters.conftest import playing
from tests.adapters.example import Airline, Configuration

SOME = frozenset({Operation.CREDIT, Operation.DEBIT, Operation.REVERSE})
FEW = frozenset({Operation.CREDIT})
FAULTS = {check.name: "Tried with the whole adapter." for check in CHECKS if check.name.startswith("survives-")}


class Simple(declaring(operations=FEW, partial=frozenset(), status=False, journal=False, lookup=None)):  # type: ignore[misc]
    """Points are given, and nothing can be asked."""

    async def perform(self, order: Order) -> Answer:
        if order.operation not in self.capabilities.operations:
            return Answer(status=Status.REFUSED, reason=Reason.NOT_SUPPORTED)
        answer: Answer = await super().perform(order)
        return answer

    async def status(self, order: Order) -> Answer:
        return Answer(status=Status.UNKNOWN)

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        return None

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        raise PartnerUnavailable
        yield  # it lists, as far as the type goes


class Whole(declaring(operations=SOME, partial=frozenset(), maximum=100_000)):  # type: ignore[misc]
    """Reversals of the whole only, orders up to a bound, no holds: the partner refuses the rest."""


class WithToken(Airline):
    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.client.headers["authorization"] = "Bearer token"


WHOLE = Programme(operations=SOME, partial=frozenset(), maximum=100_000)
TOKEN = Authentication(Scheme.BEARER, "token")


@pytest.mark.parametrize(
    ("adapter", "programme", "authentication", "beside"),
    [
        (Simple, Programme(), None, 8),  # 3 parts, 3 bounds of what follows, overdrafts, the fields of a look-up
        (Whole, WHOLE, None, 4),  # part and bound of a capture and of a release
        (declaring(settling=Settling.NIGHTLY), Programme(nightly="asked"), None, 0),
        (WithToken, Programme(unit="MILES", magic=False), TOKEN, 0),
    ],
    ids=["simple", "whole", "nightly", "token"],
)
async def test_an_honest_adapter_conforms(
    adapter: type[Airline], programme: Programme, authentication: Authentication | None, beside: int
) -> None:
    class Kind:
        configuration = Configuration
        connect = adapter

    async with playing(programme, authentication=authentication) as simulator:
        url = simulator.url
        settings = TrialSettings(configuration={"url": url}, sandbox=url, address="url", exceptions=FAULTS)
        results = [result async for result in run_all(FileHarness(Kind(), settings))]
    assert [result for result in results if result.verdict is Verdict.FAILED] == []
    assert len([result for result in results if result.verdict is Verdict.BESIDE]) == beside, results
