"""A worker process of its own on a hub: asks its share of a ring of transfers, and of keys that others ask as well."""

import asyncio
import json
import sys

from hub.db import Database
from hub.errors import Fault
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.engine import Engine


async def main(url: str, actor: int, number: int, count: int) -> dict[str, list[object]]:
    database = Database(url)
    engine = Engine(database, batch_max=25)

    def transfer(key: str, place: int) -> commands.Transfer:
        return commands.Transfer(
            actor=actor,
            key=key,
            currency="BP",
            source=Party("BANK", f"u{place % 3}"),
            target=Party("BANK", f"u{(place + 1) % 3}"),
            amount=str(1 + place % 40),
            memo=None,
        )

    async def ask(key: str, place: int) -> tuple[str, list[object]]:
        [answer] = await engine.submit([transfer(key, place)])
        if isinstance(answer, Fault):
            return key, [type(answer).__name__]
        if answer.refusal is not None:
            return key, [answer.refusal.code, answer.replayed]
        return key, ["OK", answer.replayed, getattr(answer.result, "id", None)]

    own = [ask(f"own-{number}-{place}", place) for place in range(count)]
    shared = [ask(f"shared-{place}", place) for place in range(count)]
    told = await asyncio.gather(*own, *shared)
    await engine.close()
    await database.close()
    return dict(told)


if __name__ == "__main__":
    url, actor, number, count = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(main(url, int(actor), int(number), int(count)))))
