"""Debts against a small model that shares nothing with the code that decides: credits repay first, nothing is lost.

The model knows, of each of two customers, what there is and what is owed; freezes, gifts, issues, reversals and
write-offs happen in any order, of points that never end and of points that do.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.audit import audit
from hub.currencies import ExpiryKind
from hub.ledger import commands
from hub.ledger.commands import FreezeOutcome, Party, ReversalShortfall
from tests.conftest import Hub

NAMES = ("x", "y")
REFUSE, DEBT, WRITE_OFF = ReversalShortfall


@dataclass
class Model:
    """Whole points. ``given_up``: written off, or never there when they were taken."""

    there: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    owed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    issues: list[list[Any]] = field(default_factory=list)  # identifier, who, amount, repaid, reversed

    def credit(self, who: str, amount: int) -> int:
        """What of it repays."""
        repaid = min(self.owed[who], amount)
        self.owed[who] -= repaid
        self.there[who] += amount - repaid
        return repaid

    def remove(self, who: str, amount: int) -> None:
        taken = min(self.there[who], amount)
        self.there[who] -= taken
        self.owed[who] += amount - taken

    def reverse(self, place: int, part: int, shortfall: ReversalShortfall) -> bool:
        """Whether it is done; shares are rounded down in all."""
        issue = self.issues[place]
        _, who, whole, repaid, before = issue
        back = repaid * (before + part) // whole - repaid * before // whole
        taken = min(self.there[who], part - back)
        missing = part - back - taken
        if missing and shortfall is REFUSE:
            return False
        self.there[who] -= taken
        self.owed[who] += back + (missing if shortfall is DEBT else 0)
        issue[4] += part
        return True


WHO = st.sampled_from(NAMES)
UNITS = st.integers(1, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("issue"), WHO, UNITS),
        st.tuples(st.just("give"), WHO, UNITS),
        st.tuples(st.just("remove"), WHO, UNITS),
        st.tuples(st.just("write off"), WHO, UNITS),
        st.tuples(st.just("reverse"), st.integers(0, 5), UNITS, st.sampled_from([REFUSE, DEBT, WRITE_OFF])),
    ),
    min_size=4,
    max_size=14,
)


class Play:
    """The same steps on the hub and on the model, for a currency of their own."""

    def __init__(self, hub: Hub, currency: str) -> None:
        self.hub, self.currency, self.model = hub, currency, Model()
        self._keys = 0

    async def ask(self, kind: type[commands.Keyed], **of: Any) -> Any:
        self._keys += 1
        return await self.hub.try_(kind(actor=self.hub.admin, key=f"{self.currency}-{self._keys}", **of))

    def party(self, who: str) -> Party:
        return Party("BANK", f"{self.currency}-{who}")

    async def step(self, kind: str, *of: Any) -> None:
        model, terms = self.model, {"currency": self.currency}
        if kind == "issue":
            who, amount = of
            told = {"earned_at": None, "expires_at": None, "memo": None}
            done = await self.ask(commands.Issue, **terms, **told, to=self.party(who), amount=str(amount))
            model.issues.append([done.result.id, who, amount, model.credit(who, amount), 0])
        elif kind == "give":
            who, amount = of
            other = NAMES[1 - NAMES.index(who)]
            ends = {"source": self.party(who), "target": self.party(other), "memo": None}
            done = await self.ask(commands.Transfer, **terms, **ends, amount=str(amount))
            assert (done.refusal is None) == (model.there[who] >= amount)
            if done.refusal is None:
                model.there[who] -= amount
                model.credit(other, amount)
        elif kind == "remove":
            who, amount = of
            frozen = await self.ask(
                commands.FreezePoints, **terms, customer=self.party(who), amount=str(amount), reason="r"
            )
            id = frozen.result.hold.id
            assert frozen.result.hold.amount == min(model.there[who], amount)
            await self.ask(commands.ResolveFreeze, freeze=id, outcome=FreezeOutcome.REMOVE, reason="r")
            model.remove(who, amount)
        elif kind == "write off":
            who, amount = of
            done = await self.ask(
                commands.WriteOffDebt, **terms, customer=self.party(who), amount=str(amount), reason="r"
            )
            assert (done.refusal is None) == (model.owed[who] >= amount)
            model.owed[who] -= amount if done.refusal is None else 0
        elif model.issues:
            place, amount, shortfall = of[0] % len(model.issues), of[1], of[2]
            id, _, whole, _, before = model.issues[place]
            part = min(amount, whole - before)
            if part:
                done = await self.ask(commands.Reverse, id=id, amount=str(part), reason="r", shortfall=shortfall)
                assert (done.refusal is None) == model.reverse(place, part, shortfall)
        await self.compare()

    async def compare(self) -> None:
        rows = await self.hub.sql(
            """SELECT r.reference, a.kind, a.credits_posted - a.debits_posted, a.marks, a.aged FROM account a
            LEFT JOIN customer_reference r ON r.customer_id = a.owner_id WHERE a.currency = $1""",
            self.currency,
        )
        assert sum(row[2] for row in rows) == 0
        there = {row[0]: row[2] for row in rows if row[1] == 1}
        owed = {row[0]: -row[2] for row in rows if row[1] == 8}
        for who in NAMES:
            name = self.party(who).reference
            assert there.get(name, 0) == self.model.there[who]
            assert owed.get(name, 0) == self.model.owed[who]
        for name, kind, balance, marks, aged in rows:
            if kind == 1:
                assert marks == (4 if owed.get(name) else 0)
                assert aged in (0, balance)


@pytest.mark.parametrize("expiry", [ExpiryKind.NEVER, ExpiryKind.MONTHS_AFTER_EARNING])
async def test_debts_are_what_the_model_says(hub: Hub, expiry: ExpiryKind) -> None:
    await hub.institution("BANK")
    loop, plays = asyncio.get_running_loop(), 0

    async def play(steps: list[Any]) -> None:
        nonlocal plays
        plays += 1
        code = f"C{plays}"
        await hub.currency(code, "BANK", expiry=expiry, months=None if expiry is ExpiryKind.NEVER else 12)
        one = Play(hub, code)
        for who in NAMES:
            await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=one.party(who)))
        for step in steps:
            await one.step(*step)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def run(steps: list[Any]) -> None:
        asyncio.run_coroutine_threadsafe(play(steps), loop).result()

    await asyncio.to_thread(run)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
