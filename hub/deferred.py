"""Deferred revenue: what a programme has been paid for points that it still has to honour, after IFRS 15. Pure.

Points are a performance obligation of their own (IFRS 15.B39 to B41). What is allocated to them is their stand-alone
selling price, the unit value less what is not expected to be redeemed ever (breakage); it becomes revenue in the
proportion in which the points that are expected to be redeemed have been (B44 to B47). Points that came out of another
programme count as issued, because that programme's issuer has paid for them, and points that went into another one as
redeemed, because this one's issuer has.
"""

from dataclasses import dataclass

from hub.currencies import PointCurrency, worth
from hub.points import PERCENT_SCALE, half_up

_WHOLE = 100 * 10**PERCENT_SCALE


@dataclass(frozen=True, slots=True)
class Points:
    """What there has been of a currency up to an instant, in smallest units: what came into circulation, and what of
    it has been honoured or has expired. Adjustments count as issued."""

    issued: int
    redeemed: int
    expired: int

    @property
    def outstanding(self) -> int:
        """What customers hold."""
        return self.issued - self.redeemed - self.expired


@dataclass(frozen=True, slots=True)
class DeferredRevenue:
    """The figure with all that explains it. Points in smallest units, money in millionths, ``breakage`` in 10^-6
    percent. ``allocated`` = ``recognised`` + ``deferred``."""

    points: Points
    breakage: int
    is_estimated: bool  # whether ``breakage`` was given; otherwise it is what has been seen
    expected_redeemed: int
    allocated: int
    recognised: int
    deferred: int


def observed_breakage(points: Points) -> int:
    """What part of the points whose fate is known has expired, in 10^-6 percent, HALF_UP; 0 if none is known."""
    known = points.redeemed + points.expired
    return half_up(points.expired * _WHOLE, known) if known > 0 else 0


def deferred_revenue(of: PointCurrency, points: Points, breakage: int | None) -> DeferredRevenue:
    """The deferred revenue of a currency, at its unit value. ``breakage``: the issuer's estimate of what part of all
    points issued will never be redeemed, in 10^-6 percent from 0 to 100 %; None: what has been seen so far.

    No estimate makes fewer points expected than have been redeemed, nor more than have not expired. Expected points
    are rounded HALF_UP to the smallest unit; money HALF_UP to the millionth; what is deferred is the exact rest.
    """
    rate = observed_breakage(points) if breakage is None else breakage
    expected = half_up(points.issued * (_WHOLE - rate), _WHOLE) if points.issued > 0 else 0
    expected = max(min(expected, points.issued - points.expired), points.redeemed, 0)
    allocated = worth(of, expected)
    recognised = worth(of, max(points.redeemed, 0))
    return DeferredRevenue(points, rate, breakage is not None, expected, allocated, recognised, allocated - recognised)
