"""Acceptance terms: approved versions of the terms on which a point currency is taken by a merchant, or by all below a
node, and what they make of points that are redeemed there.

The nearest node's terms rule: a merchant's own, otherwise those of the node above it, and so on upward. Where there are
none, the currency's unit value is paid without a fee, unless the currency is taken on terms alone
(``hub.currencies.Policy``).
"""

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from hub import ids
from hub.fees import fee
from hub.points import MONEY_SCALE, PRICE_SCALE, half_up
from hub.terms import Step, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceTerms(Terms):
    """One version, of a point currency and a node: the merchant, or an institution all below which take the points. The
    issuer pays the price; the merchant pays the fee, see ``hub.fees``."""

    prefix: ClassVar[str] = ids.ACCEPTANCE_TERMS

    fee_fixed: int | None = None
    fee_per_point: int | None = None
    fee_percent: int | None = None
    fee_cap: int | None = None

    @property
    def party(self) -> Step:
        """Whose consent is needed besides the issuer's."""
        return Step.MERCHANT


class Payment(msgspec.Struct, frozen=True):
    """What an issuer pays for redeemed points, and what is charged to who gets it; in millionths of ``money``.
    ``terms``: the version that says so, None for the unit value."""

    money: str
    value: int
    fee: int
    terms: int | None


def payment(terms: AcceptanceTerms, units: int, scale: int) -> Payment:
    """What ``units`` smallest units of a currency of ``scale`` decimals come to: price × points, HALF_UP to the
    millionth, and the fee on the unrounded value."""
    over = 10 ** (scale + PRICE_SCALE - MONEY_SCALE)
    value = terms.price * units
    return Payment(terms.money, half_up(value, over), fee(terms, units, value, over), terms.id)
