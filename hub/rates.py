"""Rates: approved versions of the terms on which one point currency becomes another, and what they make of an amount.

What all versions have, and which one is in force, is in ``hub.versions``. Every figure is exact until its one, named
rounding. What this file does not do: ask who may propose or approve (``hub.registry.rates``), or look for cycles
(``hub.arbitrage``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from hub.errors import AboveMaximum, AmountTooSmall, BelowMinimum, InvalidAmount, NotAMultiple
from hub.fees import fee
from hub.points import AMOUNT_MAX, MONEY_SCALE, PERCENT_SCALE, PRICE_SCALE, half_up, render
from hub.versions import Version


class Funding(StrEnum):
    """Who gives a bonus: the source's issuer pays for it like for the rest, the target's gives it unpaid."""

    SOURCE_ISSUER = "SOURCE_ISSUER"
    TARGET_ISSUER = "TARGET_ISSUER"


class Life(StrEnum):
    """How long converted points live: by the target currency's own policy, or for what was left of the source's. Where
    the source never ends, there is nothing to carry, and the target's policy rules."""

    TARGET_POLICY = "TARGET_POLICY"
    CARRIED = "CARRIED"


class Step(StrEnum):
    """Whose word a proposed rate still needs."""

    SOURCE_ISSUER = "SOURCE_ISSUER"
    TARGET_ISSUER = "TARGET_ISSUER"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Bonus:
    """Percent of the base amount (in 10^-6 percent), or ``per_block`` target units for every ``block`` source units.

    ``cap``: the source units of one customer that count, over the bonus' validity.
    """

    percent: int | None
    per_block: int | None
    block: int | None
    cap: int | None
    funded_by: Funding
    starts: datetime | None
    ends: datetime | None

    def is_live(self, at: datetime) -> bool:
        """Whether it is given at ``at``."""
        return (self.starts is None or self.starts <= at) and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Version):
    """One version, of a pair. Source and target are point currencies' ids; bounds in source units; fee amounts in
    millionths of ``money``, ``fee_per_point`` and ``price`` in 10^-12 of it per whole point; ``fee_percent`` in 10^-6
    percent. ``allows_cashout``: points that cannot become money may become cashable ones by this rate.
    ``outflow_limit``: the most target units that it credits in one settlement window. ``cancels_quotes``: whether its
    withdrawal has cancelled its open quotes; None: it is not withdrawn, or was before that was kept."""

    source: int
    target: int
    numerator: int
    denominator: int
    minimum: int | None
    maximum: int | None
    step: int | None
    money: str
    fee_fixed: int | None
    fee_per_point: int | None
    fee_percent: int | None
    fee_cap: int | None
    price: int
    bonuses: tuple[Bonus, ...]
    awaiting: tuple[Step, ...] = ()
    life: Life = Life.TARGET_POLICY
    allows_cashout: bool = False
    outflow_limit: int | None = None
    cancels_quotes: bool | None = None

    def yield_at(self, at: datetime, source_scale: int, target_scale: int) -> Fraction:
        """The most whole target points that one source point can become at ``at``: the ratio with every live bonus at
        its best. Minimums, steps, fees and rounding are left out, because they only take."""
        base = Fraction(self.numerator, self.denominator)
        best = base
        for bonus in self.bonuses:
            if not bonus.is_live(at):
                continue
            if bonus.percent is not None:
                best += base * Fraction(bonus.percent, 100 * 10**PERCENT_SCALE)
            if bonus.per_block is not None and bonus.block is not None:
                best += Fraction(bonus.per_block * 10**source_scale, bonus.block * 10**target_scale)
        return best


@dataclass(frozen=True, slots=True)
class Figures:
    """What a conversion comes to. Points in smallest units, money in millionths; ``bonus`` is part of ``target``.

    ``eligible``: for each bonus of the rate, the source units that it counts. ``residue``: the fraction of a target
    unit that rounding the base amount leaves, recorded and not returned.
    """

    source: int
    target: int
    bonus: int
    fee: int
    settlement: int
    eligible: tuple[int, ...]
    residue: Fraction


def check_bounds(rate: Rate, source: int, scale: int) -> None:
    """Pass if ``source`` units are within the rate's minimum, maximum and step.

    Raises:
        BelowMinimum, AboveMaximum, NotAMultiple: with the bound, in whole points.
    """
    if rate.minimum is not None and source < rate.minimum:
        raise BelowMinimum(minimum=render(rate.minimum, scale))
    if rate.maximum is not None and source > rate.maximum:
        raise AboveMaximum(maximum=render(rate.maximum, scale))
    if rate.step is not None and source % rate.step:
        raise NotAMultiple(step=render(rate.step, scale))


def figures(
    rate: Rate,
    source: int,
    source_scale: int,
    target_scale: int,
    headroom: Sequence[int],
    at: datetime,
) -> Figures:
    """What ``source`` units come to under ``rate``, with ``headroom[i]`` source units left under bonus i's cap.

    The base amount and each bonus are rounded down by themselves to target units; the settlement value is the price of
    the credited points (without bonuses that the target's issuer gives), HALF_UP to the millionth; the fee is
    fixed + per source point + percent of the unrounded settlement value, then capped, HALF_UP to the millionth.

    Raises:
        BelowMinimum, AboveMaximum, NotAMultiple: the rate's bounds.
        AmountTooSmall: the target would be no unit at all.
        InvalidAmount: a figure would be larger than the ledger carries.
    """
    check_bounds(rate, source, source_scale)
    up, down = 10**target_scale, 10**source_scale
    divisor = rate.denominator * down
    base, rest = divmod(source * rate.numerator * up, divisor)
    bonus_total, paid, eligible = 0, base, []
    for index, bonus in enumerate(rate.bonuses):
        counted = 0
        if bonus.is_live(at):
            counted = source if bonus.cap is None else min(source, headroom[index])
        eligible.append(counted)
        amount = 0
        if bonus.percent is not None:
            amount = counted * rate.numerator * up * bonus.percent // (divisor * 100 * 10**PERCENT_SCALE)
        elif bonus.per_block is not None and bonus.block is not None:
            amount = counted // bonus.block * bonus.per_block
        bonus_total += amount
        if bonus.funded_by is Funding.SOURCE_ISSUER:
            paid += amount
    target = base + bonus_total
    if target == 0:
        raise AmountTooSmall(source=render(source, source_scale))
    to_money = 10 ** (PRICE_SCALE - MONEY_SCALE)
    settlement = half_up(rate.price * paid, up * to_money)
    charged = fee(rate, source * up, rate.price * paid * down, up * down * to_money)
    if max(target, settlement, charged) > AMOUNT_MAX * 1000:
        raise InvalidAmount(amount=render(source, source_scale))
    return Figures(source, target, bonus_total, charged, settlement, tuple(eligible), Fraction(rest, divisor))
