"""The guide's adapter against each misbehaviour of the simulator's: what it says, and what the hub believes."""

from datetime import UTC, datetime

import pytest

from adapters.simulator.script import Behaviour
from hub.partners import Operation, Order, Reason, Status, judge
from tests.adapters.conftest import Playing
from tests.adapters.example import Configuration, kind


def order(reference: str = "PH-1") -> Order:
    return Order(
        reference=reference,
        operation=Operation.DEBIT,
        member="M-1",
        amount=1_000,
        currency="MILE",
        scale=2,
        asked_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("behaviour", "believed", "later"),
    [
        (Behaviour.REFUSED, Status.REFUSED, Status.REFUSED),
        (Behaviour.PENDING_THEN_SUCCESS, Status.PENDING, Status.PENDING),
        (Behaviour.ERROR_NOT_DONE, Status.UNKNOWN, Status.ABSENT),
        (Behaviour.ERROR_DONE, Status.UNKNOWN, Status.SUCCEEDED),
        (Behaviour.TIMEOUT_DONE, Status.UNKNOWN, Status.SUCCEEDED),
        (Behaviour.DOWN, Status.UNKNOWN, Status.ABSENT),
        (Behaviour.BUSY, Status.ABSENT, Status.ABSENT),
        (Behaviour.WRONG_AMOUNT, Status.UNKNOWN, Status.SUCCEEDED),
        (Behaviour.WRONG_UNIT, Status.UNKNOWN, Status.SUCCEEDED),
        (Behaviour.WRONG_REFERENCE, Status.UNKNOWN, Status.SUCCEEDED),
    ],
)
async def test_the_hub_believes_what_can_be_known_and_asks_for_the_rest(
    simulator: Playing, behaviour: Behaviour, believed: Status, later: Status
) -> None:
    await simulator.script(behaviour, reason=Reason.LIMIT_EXCEEDED, ms=600_000)
    partner = kind.connect(Configuration(url=simulator.url))
    if behaviour is Behaviour.TIMEOUT_DONE:
        partner.client.timeout = 1
    asked = order()
    judged = judge(asked, await partner.perform(asked), partner.capabilities, datetime.now(UTC))
    assert judged.answer.status is believed
    assert (judged.incident is not None) is behaviour.startswith("WRONG")
    assert (await partner.status(asked)).status is later
    await partner.close()
