"""Parts and pools against a model that knows nothing of accounts: heaps of points with labels, spent one by one.

Random walks through the engine: the currency's mode changes on the way, members come and go, spendings are reversed.
After each step every heap is where the model has it.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hub.audit import audit
from hub.currencies import AccountMode
from hub.ledger import commands
from hub.ledger.commands import Party, PolicyTerms
from hub.ledger.decide import Outcome
from hub.ledger.records import PoolKind, PoolRight
from tests.conftest import Hub

PEOPLE = ("ann", "bea", "cem")
POOL = "fam"
CHANNELS = (None, "web", "pos")
YEARS = (2095, 2096, None)
STEPS = 220


@dataclass
class Heap:
    """Points that nothing tells apart. ``year`` None: they never end; without labels as well they are plain."""

    year: int | None
    part: str
    giver: str | None
    since: int  # when they were earned: the number of a step
    made: int
    amount: int

    @property
    def key(self) -> tuple[int | None, str, str | None]:
        return self.year, self.part, self.giver

    @property
    def is_plain(self) -> bool:
        return self.key == (None, "", None)

    @property
    def turn(self) -> tuple[bool, int, int, int]:
        """Its place in the order of spending."""
        return self.is_plain, self.year or 9999, self.since, self.made


class Model:
    def __init__(self) -> None:
        self.heaps: dict[str, list[Heap]] = {who: [] for who in (*PEOPLE, POOL)}
        self.members = {"ann"}
        self.by_channel = False
        self.step = 0
        self._made = 0

    def put(self, who: str, year: int | None, part: str, giver: str | None, since: int, amount: int) -> None:
        self._made += 1
        new = Heap(year, part, giver, since, self._made, amount)
        old = next((heap for heap in self.heaps[who] if heap.key == new.key), None)
        if old is None:
            self.heaps[who].append(new)
        else:
            old.since, old.amount = min(old.since, since), old.amount + amount

    def take(self, who: str, amount: int, channel: str | None) -> list[Heap] | None:
        """What is taken, in order; None: there is not enough."""
        part = channel if self.by_channel else None
        fitting = [heap for heap in self.heaps[who] if part is None or heap.part == part]
        if sum(heap.amount for heap in fitting) < amount:
            return None
        taken = []
        for heap in sorted(fitting, key=lambda one: one.turn):
            some = min(amount, heap.amount)
            if some:
                taken.append(Heap(heap.year, heap.part, heap.giver, heap.since, heap.made, some))
                heap.amount -= some
                amount -= some
        self.heaps[who] = [heap for heap in self.heaps[who] if heap.amount]
        return taken

    def move(self, taken: list[Heap], to: str, channel: str | None, giver: str | None = None) -> None:
        """A plain heap that gets a label is as old as that."""
        part = (channel or "") if self.by_channel else ""
        for heap in taken:
            since = self.step if heap.is_plain else heap.since
            self.put(to, heap.year, part, giver, since, heap.amount)

    def state(self) -> dict[str, dict[tuple[int | None, str, str | None], int]]:
        return {who: {heap.key: heap.amount for heap in heaps} for who, heaps in self.heaps.items()}


class Walk:
    def __init__(self, hub: Hub, seed: int) -> None:
        self.hub = hub
        self.random = random.Random(seed)
        self.model = Model()
        self.spendings: list[tuple[int, str, list[Heap]]] = []
        self.refused = 0
        self.done: Counter[str] = Counter()

    def who(self, reference: str) -> Party:
        return Party("BANK", reference)

    async def ask(self, kind: type[commands.Command], /, **fields: Any) -> Outcome:
        if kind.keyed:
            fields["key"] = f"k{self.model.step}"
        return await self.hub.try_(kind(actor=self.hub.admin, **fields))

    async def begin(self) -> None:
        await self.hub.institution("BANK")
        await self.hub.institution("SHOP")
        await self.hub.currency("BP", "BANK")
        for one in PEOPLE:
            await self.hub.do(commands.EnrollCustomer(actor=self.hub.admin, customer=self.who(one)))
        await self.ask(commands.CreatePool, pool=self.who(POOL), kind=PoolKind.FAMILY, owner=self.who("ann"))

    async def go(self) -> None:
        steps = [self.issue] * 4 + [self.transfer, self.redeem] * 3 + [self.contribute] * 4
        steps += [self.member] * 3 + [self.reverse] * 2 + [self.mode]
        for _ in range(STEPS):
            self.model.step += 1
            step = self.random.choice(steps)
            before = self.model.state()
            await step()
            self.done[step.__name__] += self.model.state() != before
            assert await self.stored() == self.model.state(), (self.model.step, step.__name__)

    async def issue(self) -> None:
        to, channel = self.random.choice((*PEOPLE, POOL)), self.random.choice(CHANNELS)
        year, amount = self.random.choice(YEARS), self.random.randint(20, 150)
        await self.ask(
            commands.Issue,
            currency="BP",
            to=self.who(to),
            amount=str(amount),
            earned_at=None,
            expires_at=None if year is None else datetime(year, 1, 1, tzinfo=UTC),
            memo=None,
            channel=channel,
        )
        part = (channel or "") if self.model.by_channel else ""
        self.model.put(to, year, part, None, self.model.step, amount)

    def spending(self) -> tuple[str, str | None, int, str | None]:
        giver = self.random.choice((*PEOPLE, POOL))
        member = self.random.choice(sorted(self.model.members)) if giver == POOL else None
        return giver, self.random.choice((None, None, "web", "pos", "")), self.random.randint(1, 120), member

    def holds(self, outcome: Outcome, taken: list[Heap] | None) -> bool:
        """Whether the hub and the model agree that there is enough."""
        assert (outcome.refusal is None) == (taken is not None), outcome.refusal
        if taken is None:
            assert outcome.refusal is not None
            assert outcome.refusal.code == "INSUFFICIENT_POINTS"
            self.refused += 1
        return taken is not None

    async def transfer(self) -> None:
        giver, channel, amount, member = self.spending()
        to = self.random.choice([one for one in (*PEOPLE, POOL) if one != giver])
        outcome = await self.ask(
            commands.Transfer,
            currency="BP",
            source=self.who(giver),
            target=self.who(to),
            amount=str(amount),
            memo=None,
            channel=channel,
            by=member and self.who(member),
        )
        taken = self.model.take(giver, amount, channel)
        if self.holds(outcome, taken):
            self.model.move(taken or [], to, channel)

    async def redeem(self) -> None:
        giver, channel, amount, member = self.spending()
        outcome = await self.ask(
            commands.Redeem,
            currency="BP",
            customer=self.who(giver),
            merchant="SHOP",
            amount=str(amount),
            memo=None,
            channel=channel,
            by=member and self.who(member),
        )
        taken = self.model.take(giver, amount, channel)
        if self.holds(outcome, taken):
            result: Any = outcome.result
            self.spendings.append((result.id, giver, taken or []))

    async def contribute(self) -> None:
        giver, channel = self.random.choice(sorted(self.model.members)), self.random.choice(CHANNELS)
        amount = self.random.randint(1, 40)
        outcome = await self.ask(
            commands.ContributeToPool,
            pool=self.who(POOL),
            member=self.who(giver),
            currency="BP",
            amount=str(amount),
            memo=None,
            channel=channel,
        )
        taken = self.model.take(giver, amount, channel)
        if self.holds(outcome, taken):
            self.model.move(taken or [], POOL, channel, giver)

    async def member(self) -> None:
        """Bea or cem joins, or leaves with what is left of its own."""
        one = self.random.choice(PEOPLE[1:])
        if one not in self.model.members:
            rights = tuple(PoolRight)
            await self.ask(
                commands.JoinPool, pool=self.who(POOL), member=self.who(one), rights=rights, by=self.who("ann")
            )
            self.model.members.add(one)
            return
        await self.ask(commands.LeavePool, pool=self.who(POOL), member=self.who(one), by=None)
        self.model.members.discard(one)
        own = sorted((heap for heap in self.model.heaps[POOL] if heap.giver == one), key=lambda heap: heap.turn)
        self.model.heaps[POOL] = [heap for heap in self.model.heaps[POOL] if heap.giver != one]
        self.model.move(own, one, None)

    async def reverse(self) -> None:
        if self.spendings:
            id, giver, taken = self.spendings.pop(self.random.randrange(len(self.spendings)))
            outcome = await self.ask(commands.Reverse, id=id, amount=None, reason="back")
            assert outcome.refusal is None
            for heap in reversed(taken):
                self.model.put(giver, heap.year, heap.part, heap.giver, heap.since, heap.amount)

    async def mode(self) -> None:
        self.model.by_channel = not self.model.by_channel
        mode = AccountMode.CHANNEL if self.model.by_channel else AccountMode.UNIFIED
        await self.ask(commands.SetPointsPolicy, currency="BP", policy=PolicyTerms(accounts=mode))

    async def stored(self) -> dict[str, dict[tuple[int | None, str, str | None], int]]:
        people = {row[0]: row[1] for row in await self.hub.sql("SELECT customer_id, reference FROM customer_reference")}
        found: dict[str, dict[tuple[int | None, str, str | None], int]] = {who: {} for who in people.values()}
        for owner, balance in await self.hub.sql(
            "SELECT owner_id, credits_posted - debits_posted - aged FROM account WHERE kind = 1"
        ):
            if balance:
                found[people[owner]][None, "", None] = balance
        for owner, ends, origin, amount in await self.hub.sql(
            "SELECT a.owner_id, l.expires_at, l.origin, l.amount FROM lot l JOIN account a ON a.id = l.account_id"
        ):
            labels = msgspec.json.decode(origin or "{}")
            giver = labels.get("giver")
            key = (None if ends.year == 9999 else ends.year, labels.get("part", ""), giver and people[giver])
            found[people[owner]][key] = amount
        return found


@pytest.mark.parametrize("seed", range(2))
async def test_every_heap_of_points_is_where_the_model_has_it(hub: Hub, seed: int) -> None:
    walk = Walk(hub, seed)
    await walk.begin()
    await walk.go()
    assert walk.refused > 1
    assert {name for name, count in walk.done.items() if count} == {
        *("issue", "transfer", "redeem", "contribute", "member", "reverse"),
    }
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
