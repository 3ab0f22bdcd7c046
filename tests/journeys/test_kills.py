"""kill -9 while the hub is in each step of an exchange: the line to each partner holds a request of every step, before
the partner gets it or after it has answered, and whoever sent them is killed. Partners are programs with stores of
their own. Afterwards each conversion has ended, and every member has what it should, here and there.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from adapters.conformance.proxy import Breach, Fault, Proxy
from hub import postgres
from hub.audit import audit
from hub.db import Database
from hub.ledger.records import AccountKind
from hub.partners import ANSWER_S_MAX, Operation
from tests.conftest import driver_url
from tests.hub.programs import Pattern, Served
from tests.journeys.test_partners import START, Story, configured, told, wait
from tests.properties import invariants

PATIENCE_S = ANSWER_S_MAX  # more than it takes to get every conversion into its step
BEFORE, AFTER = Breach.SILENT_BEFORE, Breach.SILENT_AFTER


@dataclass(frozen=True)
class Held:
    """One conversion, and the request of its that the line holds. ``asked``: the order was lost, and it is held when
    it is asked for. ``refused``: the credit is, so that the debit is undone, or the hold released. ``again``: what the
    partner does when the order comes to it."""

    operation: Operation
    breach: Breach
    asked: bool = False
    again: str | None = None

    @property
    def refused(self) -> bool:
        return self.operation in (Operation.REVERSE, Operation.RELEASE)

    @property
    def ends(self) -> str:
        """How the conversion does."""
        return {Operation.REVERSE: "REVERSED", Operation.RELEASE: "REFUSED"}.get(self.operation, "COMPLETED")


def steps(*operations: Operation) -> list[Held]:
    return [
        *(Held(operation, AFTER, asked=True) for operation in operations),
        *(Held(operation, BEFORE) for operation in operations),
        *(Held(operation, AFTER) for operation in operations),
    ]


DEBITED = steps(Operation.DEBIT, Operation.CREDIT, Operation.REVERSE)
HELD = steps(Operation.HOLD, Operation.CAPTURE, Operation.RELEASE)
# By which references of such orders end.
LETTERS = {
    Operation.DEBIT: b"D",
    Operation.HOLD: b"H",
    Operation.CREDIT: b"C",
    Operation.CAPTURE: b"T",
    Operation.RELEASE: b"F",
    Operation.REVERSE: b"R",
}
# What else is wrong when whoever comes after sends what never came to its partner.
AGAIN = {
    Operation.HOLD: "WRONG_AMOUNT",
    Operation.CAPTURE: "PENDING_THEN_SUCCESS",
    Operation.RELEASE: "ERROR_DONE",
}


class Lines:
    """A proxy before each partner, in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self.proxies: list[Proxy] = []

    def __call__(self, url: str) -> str:
        proxy = Proxy("127.0.0.1", urlsplit(url).port or 0)
        self._do(proxy.__aenter__())
        self.proxies.append(proxy)
        return f"http://127.0.0.1:{proxy.port}"

    def arm(self, operation: Operation, breach: Breach, match: bytes) -> None:
        """Break the line to whoever is asked for such an operation."""
        airline, hotel = self.proxies
        (hotel if operation is Operation.CREDIT else airline).arm(Fault(breach=breach), match)

    @property
    def struck(self) -> int:
        return sum(proxy.struck for proxy in self.proxies)

    def until_struck(self, times: int) -> None:
        wait(lambda: self.struck >= times, 30)

    def close(self) -> None:
        for proxy in self.proxies:
            self._do(proxy.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def lines() -> Iterator[Lines]:
    made = Lines()
    try:
        yield made
    finally:
        made.close()


def kill_all(server: Served) -> None:
    """The whole server at once."""
    server.kill()
    server.start()


def kill_each_worker(server: Served) -> None:
    """One worker while the other one lives, then that one; their parent begins others."""
    for worker in server.workers:
        killing = server.workers
        os.kill(worker, signal.SIGKILL)
        wait(partial(has_another, server, killing), 30)


def has_another(server: Served, than: set[int]) -> bool:
    """Whether a worker serves that is none of these."""
    return bool(server.workers - than)


@pytest.mark.long
def test_killed_in_each_step_it_loses_and_doubles_nothing(pattern: Pattern, tmp_path: Path) -> None:
    """First the airline only debits, then it holds."""
    count = len(DEBITED) + len(HELD)
    with lines() as line, told(pattern, tmp_path, line, PATIENCE_S, count, **only_debiting()) as story:
        round_(story, line, 0, DEBITED, kill_all, {})
        whole = configured(f"http://127.0.0.1:{line.proxies[0].port}") | {"answersWithinS": PATIENCE_S}
        changed = 'mutation($c: JSON!) { setAdapterConfig(currency: "MILE", adapterConfig: $c) { __typename } }'
        told_so = story.operator.ask(changed, c=whole)["setAdapterConfig"]
        assert told_so == {"__typename": "PointCurrency"}
        round_(story, line, len(DEBITED), HELD, kill_each_worker, AGAIN)
        moved = [sum(at.available(f"M{n}") for n in range(count)) for at in (story.airline, story.hotel)]
        moved[0] -= count * START
    asyncio.run(check_books(story.server.folder, {"MILE": moved[0], "STAY": moved[1]}))


def only_debiting() -> dict[str, Any]:
    """Terms of a partner that holds nothing."""
    [order] = configured("http://127.0.0.1")["orders"]
    return {
        "orders": [order | {"operations": ["DEBIT", "CREDIT", "REVERSE"]}],
        "partial": ["REVERSE"],
        "answersWithinS": PATIENCE_S,
    }


def round_(
    story: Story,
    line: Lines,
    first: int,
    steps: list[Held],
    kill: Callable[[Served], None],
    again: dict[Operation, str],
) -> None:
    """Bring a conversion into each step, kill, and see how they end."""
    made: dict[str, Held] = {}
    goal = line.struck
    for number, held in enumerate(steps, first):
        if not held.asked:  # those that are asked for are held by now, and nobody else is taken for one
            line.until_struck(goal)
        member, operation = f"M{number}", held.operation
        order = b'"operation":"%b","member":"%b"' % (operation.encode(), member.encode())
        if held.refused:
            story.hotel.script("REFUSED", operation="CREDIT", member=member, reason="MEMBER_BLOCKED")
        if held.breach is BEFORE and operation in again:
            at = story.hotel if operation is Operation.CREDIT else story.airline
            at.script(again[operation], operation=operation.value, member=member)
        line.arm(operation, Breach.DROP_AFTER if held.asked else held.breach, order)
        if held.asked:
            line.arm(operation, held.breach, b"-%b HTTP/1.1" % LETTERS[operation])
            goal += 2
        answer = story.convert(member, "100")
        assert answer["__typename"] == "Conversion", answer
        made[answer["id"]] = held
    goal += sum(not held.asked for held in steps)
    line.until_struck(goal)
    for id, held in made.items():
        asked = under_way(story, id)
        assert asked["operation"] == held.operation, "it is in another step"
        assert (asked["attempts"], asked["status"]) == ((2, "UNKNOWN") if held.asked else (1, None))
    kill(story.server)
    asyncio.run(end_leases(story.server.folder, len(steps)))
    for number, (id, held) in enumerate(made.items(), first):
        story.until(id, held.ends)
        took, gave = (0, 0) if held.refused else (100, 150)  # 100 × 3/2
        assert story.airline.available(f"M{number}") == START - took
        assert story.hotel.available(f"M{number}") == gave


def under_way(story: Story, id: str) -> Any:
    """The order of a conversion that is at its partner."""
    asked = "query($id: ID!) { exchange(conversionId: $id) { orders { operation attempts status } } }"
    return story.operator.ask(asked, id=id)["exchange"]["orders"][-1]


@asynccontextmanager
async def looking(folder: Path) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """The hub's database, in which the audit finds nothing."""
    with postgres.lease(folder) as server:
        database = Database(server.url(postgres.SERVER))
        async with database.snapshot() as connection:
            assert (await audit(connection)).findings == ()
        await database.close()
        eyes = await asyncpg.connect(driver_url(server.url(postgres.OWNER)))
        try:
            yield eyes
        finally:
            await eyes.close()


async def end_leases(folder: Path, count: int) -> None:
    """What those who were killed had taken is free at once, as it would be when their leases are over."""
    async with looking(folder) as eyes:
        done = await eyes.execute("UPDATE partner_call SET leased_until = now() WHERE leased_until IS NOT NULL")
    assert done == f"UPDATE {count}", "somebody was at every call when they were killed"


async def check_books(folder: Path, moved: dict[str, float]) -> None:
    """The hub's tables agree with themselves, and with what partners' members have more or less."""
    async with looking(folder) as eyes:
        tables = await invariants.read(eyes)
    invariants.check_tables(tables)
    of = {(row["kind"], row["currency"]): invariants.balance(row) for row in tables["account"]}
    for code, change in moved.items():
        assert of[AccountKind.PARTNER, code] == change * 100  # in smallest units
        assert of.get((AccountKind.TRANSIT, code), 0) == 0
