"""Baskets: an amount of money that is paid with points of several currencies, one after the other. Pure.

Each currency pays as much as its points are worth up to what is still to be paid, in whole smallest units; the next one
pays what is left. Money is never rounded in anybody's favour: what no unit fits into any more is the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.points import MONEY_SCALE, PRICE_SCALE, half_up


@dataclass(frozen=True, slots=True)
class Purse:
    """Points of one currency: ``available`` smallest units of ``scale`` decimals, taken at ``price``, in 10^-12 of
    money per whole point."""

    available: int
    scale: int
    price: int

    def worth(self, units: int) -> int:
        """``units`` at the price, in millionths, HALF_UP."""
        return half_up(self.price * units, self._over)

    def fitting(self, amount: int) -> int:
        """The most of its units that are worth no more than ``amount`` millionths."""
        return min(self.available, amount * self._over // self.price) if self.price else 0

    @property
    def _over(self) -> int:
        return int(10 ** (self.scale + PRICE_SCALE - MONEY_SCALE))


def split(amount: int, purses: Iterable[Purse]) -> tuple[list[int], int]:
    """How many units each purse pays of ``amount`` millionths, and what is left."""
    spent, rest = [], amount
    for purse in purses:
        units = purse.fitting(rest)
        spent.append(units)
        rest -= purse.worth(units)
    return spent, rest
