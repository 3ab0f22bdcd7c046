"""Customers and their points in the model: what they have, owe and may spend, and what time takes."""

from collections import Counter, defaultdict
from datetime import datetime
from fractions import Fraction
from math import floor

from tests.properties.model.calendar import FOR_EVER, end_of_life
from tests.properties.model.owing import Owing
from tests.properties.model.purses import MAIN, Part, Purse, Who, total
from tests.properties.model.records import Pool, Promise, Way
from tests.properties.model.terms import Currency, Policy

HALF = Fraction(1, 2)
MILLION = 10**6
ALL = ""  # in place of a currency: every account of a customer


class Customers(Owing):
    """Purses, debts, freezes and pools."""

    def __init__(self, parents: dict[str, str], currencies: list[Currency], closed_to_strangers: set[str]) -> None:
        super().__init__(parents)
        self.closed_to_strangers = closed_to_strangers
        self.currencies = {currency.code: currency for currency in currencies}
        self.policies = {code: Policy() for code in self.currencies}
        self.customers: set[Who] = set()
        self.purses: dict[tuple[Who, str], Purse] = defaultdict(Purse)
        self.debts: dict[tuple[Who, str], int] = defaultdict(int)
        self.missing: dict[str, list[int]] = {code: [0, 0] for code in self.currencies}  # owed, and given up
        self.frozen: set[tuple[Who, str]] = set()
        self.pools: dict[Who, Pool] = {}
        self.spenders: list[Who] = []  # members, as often as they spent of pools
        self.breakage: dict[str, int] = defaultdict(int)
        self.holds: dict[int, Promise] = {}
        self.now = FOR_EVER
        self.met: Counter[str] = Counter()  # what of several kinds came together, for the test of the tests

    # --- time ------------------------------------------------------------------------------------------------------

    def pass_time(self, now: datetime) -> None:
        """It is ``now``: holds whose time is over hold nothing, and points that are over and not held are gone."""
        self.now = now
        for hold in self.holds.values():
            if hold.status == "HELD" and hold.until <= now:
                self._end(hold, "EXPIRED")
                self._meet("a hold of a frozen account is over", self.is_frozen(hold.who, hold.currency.code))
        for (_, code), purse in self.purses.items():
            self.breakage[code] += purse.lapse(now)

    def _meet(self, what: str, happens: object = True) -> None:
        self.met[what] += bool(happens)

    def _end(self, hold: Promise, status: str) -> Purse:
        purse = self.purses[hold.who, hold.currency.code]
        purse.pin(hold.pins, -1)
        hold.status = status
        return purse

    def _lapse(self, who: Who, of: Currency) -> None:
        self.breakage[of.code] += self.purses[who, of.code].lapse(self.now)

    def _by_day(self, of: Currency, earned: datetime, end: datetime) -> bool:
        """Whether points are kept apart by their day: if the policy has it so, or their end does not tell it."""
        return self.policies[of.code].keeps_age or end != end_of_life(of.ends, of.months, of.zone, earned)

    # --- getting ---------------------------------------------------------------------------------------------------

    def _unknown(self, *customers: Who) -> set[str]:
        return {"NOT_FOUND" for who in customers if who not in self.customers}

    def _credited(self, who: Who) -> set[str]:
        stranger = who not in self.customers and who[0] in self.closed_to_strangers
        return {"NOT_FOUND"} if stranger else set()

    def _part(self, code: str, channel: str | None) -> str:
        """The part that points go into which come over a channel."""
        return channel or MAIN if self.policies[code].by_channel else MAIN

    def _give(self, who: Who, code: str, parts: list[Part], by: str) -> int:
        """Put points into a purse. They repay what is owed, unless they are over; answers how many did. ``by``: what
        kind of act does."""
        purse = self.purses[who, code]
        purse.put(parts)
        lasting = total(part for part in parts if part.end > self.now)
        repaid = min(lasting, self.debts[who, code])
        if repaid:
            purse.take(purse.choose(repaid, self.now))
            self.debts[who, code] -= repaid
            self._meet(f"a debt is repaid by {by}")
        return repaid

    def _not_in(self, pool: Who, member: Who | None) -> set[str]:
        if pool not in self.pools:
            return {"NOT_FOUND"}
        return set() if member in self.pools[pool].rights else {"NOT_A_MEMBER"}

    # --- spending --------------------------------------------------------------------------------------------------

    def is_frozen(self, who: Who, code: str) -> bool:
        """Whether nothing may leave the customer's account."""
        return not self.frozen.isdisjoint({(who, code), (who, ALL)})

    def _from(self, code: str, way: Way) -> str | None:
        """The part that is spent from; None: all."""
        return way.channel if self.policies[code].by_channel else None

    def _may_spend(self, who: Who, of: Currency, units: int | None, way: Way) -> set[str]:
        """Why somebody may not spend so much, if so."""
        reasons = self._unknown(who)
        if who in self.pools:
            rights = None if way.by is None else self.pools[who].rights.get(way.by)
            if rights is None:
                reasons |= {"NOT_A_MEMBER"}
            elif "SPEND" not in rights:
                reasons |= {"POOL_RIGHT_MISSING"}
        elif way.by is not None:
            reasons |= {"INVALID_INPUT"}
        if self.is_frozen(who, of.code):
            reasons |= {"FROZEN"}
        if units is not None and who in self.customers and self._there(who, of.code, way) < units:
            reasons |= {"INSUFFICIENT_POINTS"}
        return reasons | ({"INVALID_AMOUNT"} if units is None else set())

    def _there(self, who: Who, code: str, way: Way) -> int:
        return self.purses[who, code].available_in(self._from(code, way))

    def _spend(self, who: Who, code: str, units: int, way: Way) -> list[Part]:
        """Take points out of a purse, in the order of spending."""
        purse = self.purses[who, code]
        parts = purse.choose(units, self.now, part=self._from(code, way))
        purse.take(parts)
        self._by(who, way)
        return parts

    def _by(self, who: Who, way: Way) -> None:
        if who in self.pools and way.by is not None:
            self.spenders.append(way.by)

    @staticmethod
    def _worth(of: Currency, units: int) -> int:
        return floor(Fraction(units, 10**of.scale) * of.value * MILLION + HALF)
