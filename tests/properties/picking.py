"""Picking: what commands are about, by a seed."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hub.ledger import commands
from hub.points import render
from tests.properties.model.calendar import FOR_EVER
from tests.properties.model.model import Model
from tests.properties.model.purses import Who
from tests.properties.model.records import Kept, Way
from tests.properties.world import CHANNELS, CURRENCIES, HOMES_OF_POOLS, PARENTS, PLACES, POOLS

NO_HOLD = 777
Drawn = tuple[commands.Command, Callable[[], tuple[set[str], Any]]]


class Picking:
    """The dice, the model, and what was asked."""

    def __init__(self, actor: int, seed: int) -> None:
        self.actor = actor
        self.dice = random.Random(seed)
        self.model = Model(PARENTS, list(CURRENCIES.values()), {"SHOP"})
        self.kept: dict[str, Kept] = {}
        self.final: list[int] = []  # what was done and cannot be reversed
        self.seen: dict[str, int] = {}  # how often each verdict came, for the test of the test

    def saw(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    def key(self) -> str:
        return f"k{self.dice.getrandbits(60)}"

    def who(self) -> Who:
        """Mostly somebody with points; at SHOP, where nobody is enrolled by himself, c1 stays unknown."""
        if self.dice.random() < 0.08:
            return self.dice.choice(POOLS)
        owing = sorted(who for (who, _), units in self.model.debts.items() if units)
        return self.dice.choice(owing) if owing and self.dice.random() < 0.1 else self.person()

    def giver(self, code: str) -> Who:
        """Mostly somebody who has points of the currency to spend."""
        rich = sorted(who for (who, of), purse in self.model.purses.items() if of == code and purse.available)
        return self.dice.choice(rich) if rich and self.dice.random() < 0.6 else self.who()

    def person(self) -> Who:
        return self.dice.choice([*PLACES, "BANK", "AIR", "STORE"]), self.dice.choice(["c0", "c0", "c0", "c1"])

    def member(self, pool: Who) -> Who:
        """Somebody who could be one, and mostly is."""
        found = self.model.pools.get(pool)
        if found is not None and self.dice.random() < 0.8:
            return self.dice.choice(sorted(found.rights))
        return self.dice.choice(HOMES_OF_POOLS.get(pool[0], PLACES)), self.dice.choice(["c0", "c1"])

    def way(self, giver: Who) -> Way:
        """How somebody spends: of a pool a member does."""
        dice = self.dice
        by = self.member(giver) if dice.random() < (0.95 if giver in POOLS else 0.01) else None
        return Way(self.channel(), by)

    def fitting(self, act: str, code: str, who: Who, typical: int) -> str:
        """An amount that now and then just fits under a limit, or just does not."""
        if code in CURRENCIES and self.dice.random() < 0.3 and (room := self.model.room(act, code, who)):
            return render(max(1, room + self.dice.choice([-1, 0, 0, 1])), CURRENCIES[code].scale)
        return self.amount(code, typical)

    def channel(self) -> str | None:
        return self.dice.choice(CHANNELS) if self.dice.random() < 0.4 else None

    def currency(self) -> str:
        return self.dice.choice(["BP", "BP", "MI", "GP", "NT"]) if self.dice.random() > 0.02 else "NONE"

    def amount(self, code: str, typical: int) -> str:
        scale = CURRENCIES[code].scale if code in CURRENCIES else 0
        if self.dice.random() < 0.06:
            return self.dice.choice(["0", "-5", "1e3", "", "01", "1.0001", str(10**16), "٣", "0.001"])
        text = render(self.dice.choice([1, self.dice.randint(1, typical), self.dice.randint(1, typical * 3)]), scale)
        return text + "0" * self.dice.randrange(3) if "." in text else text

    def later(self, days: int) -> datetime:
        """An instant within so many days; often one at which something ends already."""
        ends = self.ends()
        if ends and self.dice.random() < 0.3:
            return self.dice.choice(ends)
        return self.model.now + timedelta(seconds=self.dice.randint(1, days * 86_400))

    def ends(self) -> list[datetime]:
        """When something ends from now on, soon first."""
        found = {hold.until for hold in self.model.holds.values() if hold.status == "HELD"}
        found |= {lot.part.end for purse in self.model.purses.values() for lot in purse.lots.values()}
        return sorted(end for end in found if self.model.now < end < FOR_EVER)[:6]

    def jump(self) -> timedelta | datetime:
        """How long nothing happens now, or until when: just before an end, at it, or after it."""
        promised = [one for one in self.model.holds.values() if one.status == "HELD"]
        pinned = {part.end for one in promised for part in one.pins if self.model.now < part.end < one.until}
        if pinned and self.dice.random() < 0.5:
            return min(pinned)  # points end that are held
        if (ends := self.ends()) and self.dice.random() < 0.5:
            return self.dice.choice(ends[:3]) + timedelta(microseconds=self.dice.choice([-1, 0, 0, 1]))
        return timedelta(hours=self.dice.choice([1, 5, 24, 24, 24 * 9, 24 * 9, 24 * 40]))

    def promised(self, *, frozen: bool = False) -> int:
        """A hold or a freeze, mostly one that is open."""
        known = [number for number, one in self.model.holds.items() if one.frozen == frozen][-20:]
        if self.dice.random() < 0.03:
            known = list(self.model.holds)  # not of its kind
        if self.dice.random() < 0.85:
            known = [number for number in known if self.model.holds[number].status == "HELD"]
        return self.dice.choice(known) if known and self.dice.random() > 0.03 else NO_HOLD
