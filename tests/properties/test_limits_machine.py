"""Random acts under random limits on the real hub, in batches, through two engines, over days; then all of it is
counted again from rows.

A failing run is repeated with LIMIT_SEEDS=<its seed>; LIMIT_STEPS makes runs longer.
"""

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.audit import audit
from hub.ledger import commands, journal
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.records import Conversion, Movement, Quote
from hub.limits import Act, Measure, Mode, Period, Subject
from tests.concurrency.world import two
from tests.conftest import Hub
from tests.properties import invariants

SEEDS = [int(seed) for seed in os.environ.get("LIMIT_SEEDS", "1,2,3").split(",")]
STEPS = int(os.environ.get("LIMIT_STEPS", "60"))
HOMES = {"u0": "BANK", "u1": "BANK", "u2": "BRANCH", "u3": "AIR"}
KINDS = ["issue", "issue", "transfer", "redeem", "convert", "quote", "execute", "reverse", "reverse"]
EVERY = [Act.ISSUE, Act.ISSUE, Act.TRANSFER, Act.RECEIVE, Act.CONVERT, Act.CONVERT_IN, Act.REDEEM]


class Machine:
    """Draws limits and batches of commands, and remembers what can be reversed."""

    def __init__(self, hub: Hub, seed: int) -> None:
        self.hub = hub
        self.dice = random.Random(seed)
        self.keys = 0
        self.acts: list[int] = []
        self.quotes: list[int] = []
        self.seen: Counter[str] = Counter()

    async def begin(self) -> None:
        hub = self.hub
        for code, parent in (("BANK", None), ("BRANCH", "BANK"), ("AIR", None), ("SHOP", None)):
            await hub.institution(code, parent=parent)
        await hub.currency("BP", "BANK", scale=1, unit_value="0.0333333")
        await hub.currency("MI", "AIR", unit_value="0.07")
        await hub.rate("BP", "MI", "1:3", fee_percent="1")
        await hub.rate("MI", "BP", "2:1")  # 2 of 3: no cycle gains
        for name in HOMES:
            await hub.issue("BP", HOMES[name], name, "500")
        for number in range(10):
            await self.limit(f"l{number}")

    async def limit(self, code: str) -> None:
        pick = self.dice.choice
        act, currency = pick(EVERY), pick(["BP", "BP", "MI"])
        period, subject = pick([Period.DAY, Period.DAY, Period.MONTH, Period.YEAR]), pick(list(Subject))
        measure, mode = pick([Measure.POINTS, Measure.POINTS, Measure.MONEY]), Mode.REFUSE
        if act in (Act.ISSUE, Act.RECEIVE, Act.CONVERT_IN) and self.dice.random() < 0.3:
            period, subject = Period.BALANCE, pick([Subject.CUSTOMER, Subject.ACCOUNT])
        if act is Act.ISSUE and measure is Measure.POINTS and self.dice.random() < 0.7:
            mode = Mode.CLIP
        most = 400 if subject in (Subject.CUSTOMER, Subject.ACCOUNT) else 900
        await self.hub.limit(
            code, str(self.dice.randint(20, most) // (15 if measure is Measure.MONEY else 1)), currency,
            act=act, period=period, subject=subject, measure=measure, mode=mode,
            target=pick([None, "MI"]) if act is Act.CONVERT and currency == "BP" else None,
            institution=pick([None, None, "BANK", "BRANCH"]), zone=pick(["UTC", "Asia/Tokyo", "America/New_York"]),
        )  # fmt: skip

    def command(self) -> commands.Command:
        dice, self.keys = self.dice, self.keys + 1
        keyed: dict[str, Any] = {"actor": self.hub.admin, "key": f"k{self.keys}"}
        one, other = dice.sample([*HOMES, f"new{self.keys}"], 2)
        amount, currency = str(dice.randint(1, 90)), dice.choice(["BP", "BP", "MI"])
        match dice.choice(KINDS):
            case "issue":
                nothing: dict[str, Any] = {"earned_at": None, "expires_at": None, "memo": None}
                return commands.Issue(**keyed, currency=currency, to=party(one), amount=amount, **nothing)
            case "transfer":
                ends: dict[str, Any] = {"source": party(one), "target": party(other)}
                return commands.Transfer(**keyed, currency=currency, **ends, amount=amount, memo=None)
            case "redeem":
                return commands.Redeem(
                    **keyed, currency=currency, customer=party(one), merchant="SHOP", amount=amount, memo=None
                )
            case "reverse" if self.acts:
                part = dice.choice([None, "1", str(dice.randint(1, 40))])
                return commands.Reverse(**keyed, id=dice.choice(self.acts), amount=part, reason="returned")
            case "execute" if self.quotes:
                return commands.ExecuteQuote(**keyed, quote=dice.choice(self.quotes))
            case what:
                pair = ("BP", "MI") if currency == "BP" else ("MI", "BP")
                deal: dict[str, Any] = {"source": party(one), "target": party(other), "amount": amount}
                deal |= {"source_currency": pair[0], "target_currency": pair[1]}
                if what == "quote":
                    return commands.RequestQuote(actor=self.hub.admin, **deal, ttl_seconds=600)
                return commands.Convert(**keyed, **deal, minimum_target=None)

    def learn(self, command: commands.Command, outcome: Outcome) -> None:
        result = outcome.result
        if isinstance(result, Quote):
            self.quotes.append(result.id)
        elif isinstance(result, Conversion | Movement) and not isinstance(command, commands.Reverse):
            self.acts.append(result.id)
        verdict = "OK" if outcome.refusal is None else outcome.refusal.code
        self.seen[f"{type(command).__name__} {verdict}"] += 1

    async def change(self) -> None:
        """Give some limit another amount, or lift it."""
        versions = self.dice.choice(list(self.hub.engine.configuration.limits.values()))
        limit = versions[-1]
        if self.dice.random() < 0.2:
            await self.hub.do(commands.LiftLimit(actor=self.hub.admin, id=limit.family, starts=None))
            return
        code, amount = self.hub.engine.configuration.currencies[limit.currency].code, str(self.dice.randint(0, 300))
        await self.hub.do(
            commands.SetLimit(
                actor=self.hub.admin, currency=code, code=limit.code, amount=amount, starts=None, terms=None
            )
        )


def party(name: str) -> Party:
    return Party(HOMES.get(name, "BRANCH"), name)


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_acts_under_random_limits_are_counted_right(
    hub: Hub, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, passed, real = Machine(hub, seed), timedelta(), journal._head

    def head(row: Any, clock: journal.Clock) -> Any:
        found = real(row, clock)
        return None if found is None else replace(found, at=max(found.at, row["now"] + passed))

    monkeypatch.setattr(journal, "_head", head)
    await machine.begin()
    async with two(hub) as doors:
        for step in range(STEPS):
            batch = [machine.command() for _ in range(machine.dice.randint(1, 9))]
            for command, answer in zip(batch, await doors[step % 2].batch(batch), strict=True):
                assert isinstance(answer, Outcome), answer
                machine.learn(command, answer)
            if machine.dice.random() < 0.15:
                passed += timedelta(hours=machine.dice.choice([1, 9, 24, 24 * 20]))
            if machine.dice.random() < 0.1:
                await machine.change()
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    for name in ("Issue", "Transfer", "Redeem", "Convert"):
        assert machine.seen[f"{name} OK"] > 0, machine.seen
    assert sum(count for verdict, count in machine.seen.items() if "LIMIT_EXCEEDED" in verdict) > 0
    assert machine.seen["Reverse OK"] > 0
    assert len(await hub.sql("SELECT 1 FROM limit_entry WHERE amount < 0")) > 0
