"""The demo's own book: what must follow from the hub's answers, kept beside the hub and compared with it.

Each answered act says what it moved; the book adds it up as the hub's rules say who pays whom: a conversion's
settlement goes from the source's issuer to the target's and its fee to the operator, a redemption's value from the
issuer to the merchant. Exact decimals. Institutions and currencies stand under the network's codes.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hub.demo.network import OPERATOR, issuer, member


class Book:
    """Points in circulation per currency, money per institution, and each payment between two members that netting
    saves."""

    def __init__(self) -> None:
        self.points: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.money: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.gross: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.payments: defaultdict[str, int] = defaultdict(int)

    def issued(self, currency: str, amount: Decimal) -> None:
        """Points came into circulation."""
        self.points[currency] += amount

    def converted(self, source: str, target: str, source_amount: Decimal, answer: dict[str, Any]) -> None:
        """A completed conversion: the whole source amount is burned, the target amount is new."""
        self.points[source] -= source_amount
        self.points[target] += Decimal(answer["target"]["amount"])
        self._paid(issuer(source), issuer(target), answer["settlement"])
        self._paid(issuer(source), OPERATOR, answer["fee"])

    def redeemed(self, currency: str, amount: Decimal, merchant: str, answer: dict[str, Any]) -> None:
        """Points were burned for goods; the merchant gets their value and pays the fee out of it."""
        self.points[currency] -= amount
        self._paid(issuer(currency), merchant, answer["value"])
        self._paid(merchant, OPERATOR, answer["fee"])

    def unconverted(self, source: str, target: str, source_amount: Decimal, target_amount: Decimal) -> None:
        """The points of a conversion that was reversed in part."""
        self.points[source] += source_amount
        self.points[target] -= target_amount

    def paid_back(self, payer: str, payee: str, amount: Decimal, currency: str) -> None:
        """Money of a reversal, in the opposite direction of the act's."""
        self._paid(payer, payee, {"amount": str(amount), "currency": currency})

    def _paid(self, payer: str, payee: str, money: dict[str, str]) -> None:
        amount, currency = Decimal(money["amount"]), money["currency"]
        if payer == payee or not amount:
            return
        self.money[payer, currency] -= amount
        self.money[payee, currency] += amount
        if member(payer) != member(payee):  # what is owed within one member the hub pays nobody either
            self.gross[currency] += amount
            self.payments[currency] += 1
