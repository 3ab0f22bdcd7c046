"""Grant terms: approved versions of the price at which an institution other than the issuer may issue a currency's
points, which it buys from the issuer with each of them. All below the institution may, too; the nearest terms rule."""

from dataclasses import dataclass
from typing import ClassVar

from hub import ids
from hub.points import MONEY_SCALE, PRICE_SCALE, half_up
from hub.terms import Step, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms(Terms):
    """One version, of a point currency and who grants. The grantor pays the price, to the issuer, for what is not drawn
    on its prepaid blocks (``hub.prepaid``); with ``prepaid_only`` nothing is granted beyond these."""

    prepaid_only: bool = False

    prefix: ClassVar[str] = ids.GRANT_TERMS

    @property
    def party(self) -> Step:
        """Whose consent is needed besides the issuer's."""
        return Step.GRANTOR


def cost(terms: GrantTerms, units: int, scale: int) -> int:
    """What the grantor pays for ``units`` smallest units of a currency of ``scale`` decimals: price × points, in
    millionths, HALF_UP."""
    return half_up(terms.price * units, 10 ** (scale + PRICE_SCALE - MONEY_SCALE))
