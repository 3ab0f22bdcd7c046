"""Acceptance terms: approved versions of the terms on which a point currency is taken by a merchant, or by all below a
node, and what they make of points that are redeemed there.

The nearest node's terms rule: a merchant's own, otherwise those of the node above it, and so on upward. Where there are
none, the currency's unit value is paid without a fee, unless the currency is taken on terms alone
(``hub.currencies.Policy``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from hub import ids
from hub.fees import fee
from hub.institutions import Institution, ancestry
from hub.points import MONEY_SCALE, PRICE_SCALE, half_up
from hub.terms import ByNode, Step, Terms
from hub.versions import in_force


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


@dataclass(frozen=True, slots=True)
class Payment:
    """What an issuer pays for redeemed points, and what is charged to who gets it; in millionths of ``money``.
    ``terms``: the version that says so, None for the unit value."""

    money: str
    value: int
    fee: int
    terms: int | None


def nearest(
    by_node: ByNode[AcceptanceTerms], nodes: Mapping[int, Institution], merchant: int, at: datetime
) -> AcceptanceTerms | None:
    """The version in force at ``at`` of the node nearest to ``merchant`` that has one."""
    for node in ancestry(nodes, merchant):
        found = in_force(by_node.get(node.id, ()), at)
        if found is not None:
            return found
    return None


def payment(terms: AcceptanceTerms, units: int, scale: int) -> Payment:
    """What ``units`` smallest units of a currency of ``scale`` decimals come to: price × points, HALF_UP to the
    millionth, and the fee on the unrounded value."""
    over = 10 ** (scale + PRICE_SCALE - MONEY_SCALE)
    value = terms.price * units
    return Payment(terms.money, half_up(value, over), fee(terms, units, value, over), terms.id)
