"""Limits in the model: what acts count under them, and what that lets through."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.properties.model.customers import Customers
from tests.properties.model.purses import Who
from tests.properties.model.records import Act, Refused, UseKey
from tests.properties.model.terms import Currency, Limit, Version


@dataclass(frozen=True)
class Side:
    """One side of an act: whose points of which currency it changes. ``value``: what it settles, in millionths;
    ``target``: what the points become."""

    act: str
    of: Currency
    who: Who
    units: int
    value: int | None = None
    target: str | None = None


class Limits(Customers):
    """What was used of every limit."""

    def __init__(self, parents: dict[str, str], currencies: list[Currency], closed_to_strangers: set[str]) -> None:
        super().__init__(parents, currencies, closed_to_strangers)
        self.limits: dict[int, Limit] = {}
        self.used: dict[UseKey, int] = defaultdict(int)

    def _bounds(self, side: Side) -> Iterator[tuple[int, Limit, Version, int]]:
        """The limits on a side that hold now, the oldest first, with what holds of them."""
        for number, limit in self.limits.items():
            version = limit.version(self.now)
            if version is None or version.amount is None or (limit.act, limit.currency) != (side.act, side.of.code):
                continue
            if limit.target not in (None, side.target):
                continue
            if limit.institution in (None, *self.above(side.who[0], self.parents)):
                yield number, limit, version, version.amount

    def _key(self, number: int, limit: Limit, side: Side) -> UseKey:
        subject: Any = {
            "CUSTOMER": side.who,
            "ACCOUNT": (side.who, side.of.code),
            "INSTITUTION": side.who[0],
            "PROGRAMME": side.of.code,
        }[limit.subject]
        return number, subject, limit.period_at(self.now)

    def _before(self, number: int, limit: Limit, side: Side) -> int:
        """What counts already."""
        if limit.period == "BALANCE":
            balance = self.purses[side.who, side.of.code].balance
            return self._worth(side.of, balance) if limit.of_money else balance
        return self.used[self._key(number, limit, side)]

    def room(self, act: str, code: str, who: Who) -> int | None:
        """The least that limits on points leave somebody of an act; None: there are none, or nothing is left."""
        side = Side(act, self.currencies[code], who, 0)
        left = [
            most - self._before(number, limit, side)
            for number, limit, _, most in self._bounds(side)
            if not limit.of_money
        ]
        return min(left) if left and min(left) > 0 else None

    def _fitting(self, side: Side) -> tuple[int, int | None]:
        """How many of an issue's units limits let through that clip, and the version that says so."""
        granted, by = side.units, None
        for number, limit, version, most in self._bounds(side):
            left = max(0, most - self._before(number, limit, side))
            if limit.clips and left < granted:
                granted, by = left, version.number
        return granted, by

    def _count(self, *sides: Side) -> list[tuple[UseKey, int]]:
        """What an act counts.

        Raises:
            Refused: it is more than a limit lets through.
        """
        counted = []
        for side in sides:
            for number, limit, _, most in self._bounds(side):
                if limit.period == "BALANCE":
                    after = self.purses[side.who, side.of.code].balance + side.units
                    if (self._worth(side.of, after) if limit.of_money else after) > most:
                        raise Refused("LIMIT_EXCEEDED")
                    continue
                units = side.units
                if limit.of_money:
                    units = self._worth(side.of, units) if side.value is None else side.value
                key = self._key(number, limit, side)
                if self.used[key] + units > most:
                    raise Refused("LIMIT_EXCEEDED")
                if units:
                    counted.append((key, units))
        return counted

    def _use(self, act: Act) -> Act:
        """Count an act."""
        for key, units in act.counted:
            self.used[key] += units
        return act
