"""Fees: what terms take for an act, and how one is put together. Pure.

fixed + per point + percent of the value, then the cap. Every part is exact until the one rounding at the end.
"""

from dataclasses import dataclass
from typing import Protocol

from hub.points import PERCENT_SCALE, half_up


class Charging(Protocol):
    """Terms that charge: ``fee_fixed`` and ``fee_cap`` in millionths of money, ``fee_per_point`` in 10^-12 of it per
    whole point, ``fee_percent`` in 10^-6 percent. None: there is no such part."""

    @property
    def fee_fixed(self) -> int | None: ...

    @property
    def fee_per_point(self) -> int | None: ...

    @property
    def fee_percent(self) -> int | None: ...

    @property
    def fee_cap(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Fees:
    """The parts of a fee by themselves."""

    fee_fixed: int | None
    fee_per_point: int | None
    fee_percent: int | None
    fee_cap: int | None


def fee(terms: Charging, points: int, value: int, denominator: int) -> int:
    """The fee in millionths, HALF_UP, where ``points`` × ``fee_per_point`` and ``value`` are over ``denominator``
    millionths."""
    hundred = 100 * 10**PERCENT_SCALE
    numerator = (terms.fee_per_point or 0) * points * hundred + (terms.fee_percent or 0) * value
    due = (terms.fee_fixed or 0) + half_up(numerator, denominator * hundred)
    return due if terms.fee_cap is None else min(due, terms.fee_cap)
