"""Every breach of the line at every step of an exchange. Afterwards the line is whole, and points are there once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from adapters.conformance.proxy import Breach, Fault, Proxy
from hub.audit import audit
from tests.conftest import Hub
from tests.exchange.world import AL, HAN, Quick, World, world
from tests.properties import invariants

ANSWERS_WITHIN_S = 1
# What somebody else's order came to, whole and well-formed.
ANOTHER = (
    b'{"reference":"PH-1-D","partnerReference":"A-1","amount":"200.00","unit":"MILES","status":"SUCCEEDED",'
    b'"at":"2031-01-01T00:00:00Z"}'
)

FAULTS = {
    Breach.DELAY: Fault(breach=Breach.DELAY, ms=1_500 * ANSWERS_WITHIN_S),
    Breach.REPLACE: Fault(
        breach=Breach.REPLACE,
        answer=b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANOTHER)
        + ANOTHER,
    ),
}
ASKING = b"GET /v1/orders/PH-"


class Impatient(Quick):
    answers_within_s = ANSWERS_WITHIN_S


class Lines:
    """A proxy in front of each partner: the airline's, then the hotel's."""

    def __init__(self) -> None:
        self.proxies: list[Proxy] = []

    @asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[str]:
        async with Proxy("127.0.0.1", urlsplit(url).port or 0) as proxy:
            self.proxies.append(proxy)
            yield f"http://127.0.0.1:{proxy.port}"

    @property
    def struck(self) -> int:
        return sum(proxy.struck for proxy in self.proxies)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def two(hub: Hub, lines: Lines) -> AsyncIterator[World]:
    async with world(hub, kind=Impatient(), line=lines.__call__) as made:
        yield made
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def fault_of(breach: Breach) -> Fault:
    return FAULTS.get(breach, Fault(breach=breach))


@pytest.mark.parametrize("breach", Breach)
async def test_a_breach_at_debit_and_credit_costs_no_points(two: World, lines: Lines, breach: Breach) -> None:
    airline, hotel = lines.proxies
    airline.arm(fault_of(breach), b'"DEBIT"')
    hotel.arm(fault_of(breach), b'"CREDIT"')
    assert await two.settled(await two.convert(AL, HAN, "MILE>STAY", "200")) == "COMPLETED"
    assert lines.struck == 2
    assert await two.points() == ("99800.00", "300.00", 100_000)  # 200 × 3/2


@pytest.mark.parametrize("breach", Breach)
async def test_a_breach_at_a_refund_costs_no_points(two: World, lines: Lines, breach: Breach) -> None:
    airline, _ = lines.proxies
    airline.arm(fault_of(breach), b'"REVERSE"')
    await two.hotel.script("REFUSED", operation="CREDIT", reason="MEMBER_BLOCKED")
    assert await two.settled(await two.convert(AL, HAN, "MILE>STAY", "200")) == "REVERSED"
    assert lines.struck == 1
    assert await two.points() == ("100000.00", "0.00", 100_000)


@pytest.mark.parametrize("breach", Breach)
async def test_a_breach_while_an_order_is_asked_for_costs_no_points(two: World, lines: Lines, breach: Breach) -> None:
    for proxy, operation in zip(lines.proxies, (b'"DEBIT"', b'"CREDIT"'), strict=True):
        proxy.arm(Fault(breach=Breach.DROP_AFTER), operation)
        proxy.arm(fault_of(breach), ASKING)
    assert await two.settled(await two.convert(AL, HAN, "MILE>STAY", "200")) == "COMPLETED"
    assert lines.struck == 4
    assert await two.points() == ("99800.00", "300.00", 100_000)
