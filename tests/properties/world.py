"""A small world for the machine and the simulator, and its clock."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hub.ledger.commands import MoneyText
from hub.points import render
from tests.properties.model.terms import Bonus, Currency, Rate

PARENTS = {"GROUP": "HUB", "BANK": "GROUP", "STORE": "GROUP", "AIR": "HUB", "SHOP": "AIR"}
BP = Currency("BP", "BANK", 0, Fraction("0.05"), ends="MONTHS_AFTER_EARNING", months=2, zone="Asia/Shanghai")
MI = Currency("MI", "AIR", 2, Fraction("0.0333"), ends="END_OF_MONTH", months=1, zone="America/Havana")
GP = Currency("GP", "STORE", 1, Fraction("0.123456789012"))
NT = Currency("NT", "BANK", 0, Fraction("0.01"), transferable=False, ends="END_OF_YEAR", zone="Africa/Cairo")
CURRENCIES = {one.code: one for one in (BP, MI, GP, NT)}
RATES = [
    Rate(
        BP,
        MI,
        Fraction(2, 3),
        MI.value,
        (Bonus(percent=Fraction(10), cap=500), Bonus(per_block=50, block=100, paid=False)),
        minimum=10,
        fee_per_point=Fraction("0.0006"),
        fee_percent=Fraction(1),
        fee_cap=Fraction("0.5"),
    ),
    Rate(MI, BP, Fraction(1, 1), BP.value, step=25, carried=True),
    Rate(BP, GP, Fraction(3, 7), Fraction("0.07"), fee_fixed=Fraction("0.003"), carried=True),
    Rate(GP, BP, Fraction(1, 1), BP.value, (Bonus(percent=Fraction("0.5")),)),
    Rate(
        GP,
        MI,
        Fraction(1, 3),
        MI.value,
        (Bonus(percent=Fraction(50), cap=100), Bonus(percent=Fraction(7), cap=60)),
        carried=True,
    ),
    Rate(NT, BP, Fraction(1, 10), BP.value, fee_percent=Fraction("33.333333")),
]
START = datetime(2031, 1, 29, 15, 30, tzinfo=UTC)  # before the month that has no 30th
PLACES = ["BANK", "STORE", "AIR", "SHOP"]


POOLS = [("GROUP", "fam"), ("AIR", "fam")]
HOMES_OF_POOLS = {"GROUP": ["BANK", "STORE"], "AIR": ["AIR", "SHOP"]}
CHANNELS = [None, "web", "pos", ""]
# What of several kinds must have come together in the model, or it was for nothing that all of it is drawn at once.
TOGETHER = {
    "a hold of a frozen account is over",
    "headroom comes back to a period that is over",
    "an issue is clipped",
    "a capture counts under a limit",
    *(f"a debt is repaid by {act}" for act in ("an issue", "a transfer", "a conversion", "a capture", "a reversal")),
    "a repaid debt is owed again",
    "a debt is written off",
    "points are missing and owed",
    "points are missing and given up",
    "points are over that were frozen",
    "a member takes points along",
    "points of a member who has left come back to the pool",
    "a contribution comes back after some of it was spent",
    "who has left is to get a contribution back",
    "what a contribution repaid is owed again",
}
_TICK = timedelta(microseconds=1)  # as little as two batches are apart


class Clock:
    """The hub's time, which passes only when it is asked for, and jumps; ``told`` is all that it said."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.told: list[datetime] = []

    def __call__(self, _database: datetime) -> datetime:
        self.now += _TICK
        self.told.append(self.now)
        return self.now

    def jump(self, to: timedelta | datetime) -> None:
        """Let nothing happen for a while, or until then; never backwards."""
        target = self.now + to if isinstance(to, timedelta) else to - _TICK
        self.now = max(self.now, target)


def decimal(value: Fraction) -> str:
    """A fraction of ten's powers as text."""
    units = value * 10**12
    assert units.denominator == 1
    return render(int(units), 12)


def money(value: Fraction) -> MoneyText:
    return MoneyText(decimal(value), "CNY")
