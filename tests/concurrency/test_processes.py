"""Two worker processes on one hub."""

import asyncio
import json
import sys
from pathlib import Path

from tests.concurrency.world import found
from tests.conftest import Hub
from tests.properties import invariants

ROOT = Path(__file__).parents[2]
COUNT = 200


async def work(hub: Hub, number: int) -> dict[str, list[object]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.concurrency.worker"),
        *(hub.addresses.server, str(hub.admin), str(number), str(COUNT)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    told: dict[str, list[object]] = json.loads(said)
    return told


async def test_two_processes_share_one_ledger(hub: Hub) -> None:
    await found(hub, 3, "500")
    first, second = await asyncio.gather(work(hub, 1), work(hub, 2))
    assert len(first) == len(second) == 2 * COUNT
    for key, told in [*first.items(), *second.items()]:
        assert told[0] in ("OK", "INSUFFICIENT_POINTS"), key
    for place in range(COUNT):
        one, other = first[f"shared-{place}"], second[f"shared-{place}"]
        assert one[0] == other[0]
        assert {one[1], other[1]} == {False, True}  # done once, replayed once
        assert one[2:] == other[2:]  # the same act
    balances = [await hub.balance("BP", "BANK", f"u{number}") for number in range(3)]
    assert sum(balances) == 1500
    assert min(balances) >= 0
    moved = [500, 500, 500]
    acts = {**first, **second}
    for key, told in acts.items():
        if told[0] == "OK":
            place = int(key.rpartition("-")[2])
            moved[place % 3] -= 1 + place % 40
            moved[(place + 1) % 3] += 1 + place % 40
    assert moved == balances
    entries = await hub.sql("SELECT count(*) FROM journal_entry")
    assert entries[0][0] < 3 * COUNT  # batches of many
    await invariants.check(hub)
