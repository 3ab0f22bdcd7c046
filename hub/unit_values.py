"""Unit values: approved versions of what one point of a currency is worth, which begin where the value ends that it was
registered with.

What depends on the value takes the one in force at the act, and keeps what came of it: what a redemption without terms
comes to, what limits in money count, the settlement price of a rate that names none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from hub import ids
from hub.currencies import PointCurrency
from hub.terms import Terms
from hub.versions import in_force


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitValue(Terms):
    """One version. ``money`` is the currency's, ``node`` its issuer."""

    prefix: ClassVar[str] = ids.UNIT_VALUE


def valued(of: PointCurrency, versions: Iterable[UnitValue], at: datetime) -> PointCurrency:
    """The currency with the unit value that is in force at ``at``: a version's, or the one it was registered with."""
    found = in_force(versions, at)
    return of if found is None else replace(of, unit_value=found.price)
