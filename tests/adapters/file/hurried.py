"""One of several processes that stage orders and let them go out at once; for test_kills.

    hurried.py FOLDER NUMBER ROUNDS

says "ready", waits for a line, and then in each round stages three orders of its own and one that all stage.
"""

import asyncio
import sys
from datetime import UTC, datetime

from adapters.file import kind
from adapters.file.configuration import Configuration
from hub.partners import Operation, Order, Status

AT = datetime.now(UTC)


def order(reference: str) -> Order:
    """An order that is the same in every process but for its time."""
    fields = {"operation": Operation.DEBIT, "member": "M-1", "amount": 5, "currency": "J", "scale": 0}
    return Order(reference=reference, asked_at=AT, **fields)  # type: ignore[arg-type]


async def main(folder: str, number: str, rounds: int) -> None:
    """All rounds."""
    told = {"folder": folder, "unit": "MILES", "cutOff": "22:30", "zone": "UTC", "operations": ["DEBIT"]}
    partner = kind.connect(Configuration.model_validate(told))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for turn in range(rounds):
        own = [f"PH-{turn}-{number}-{place}" for place in range(3)]
        for reference in (*own, f"PH-{turn}"):
            assert (await partner.perform(order(reference))).status is Status.PENDING
        await partner.compose()
    await partner.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
