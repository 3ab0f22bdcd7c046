"""What every configured price and fee must be: decimals that the ledger counts, of one money, within bounds. Pure."""

from collections.abc import Iterable
from typing import Protocol

from hub.errors import InvalidAmount, InvalidInput
from hub.fees import Fees
from hub.ledger import resolve
from hub.ledger.commands import MoneyText
from hub.points import MONEY_SCALE, PERCENT_SCALE, PRICE_SCALE, parse

PRICE_MAX = 10 ** (PRICE_SCALE + 9)  # a thousand million of money for one point
FEE_MAX = 10**15  # millionths


class FeeTerms(Protocol):
    """What is proposed to be charged, in the words of who proposes."""

    @property
    def fee_fixed(self) -> MoneyText | None: ...

    @property
    def fee_per_point(self) -> MoneyText | None: ...

    @property
    def fee_percent(self) -> str | None: ...

    @property
    def fee_cap(self) -> MoneyText | None: ...


def one_money(amounts: Iterable[MoneyText | None], *more: str) -> str:
    """The one money that all amounts, and whatever else has some, are in.

    Raises:
        InvalidInput: there is more than one, or none.
        UnknownCurrency: it is not in ISO 4217.
    """
    monies = {one.currency for one in amounts if one is not None} | set(more)
    if len(monies) != 1:
        raise InvalidInput(currencies=",".join(sorted(monies)))
    return resolve.money(monies.pop())


def price(text: str, least: int = 0) -> int:
    """A price of one point in 10^-12 of money.

    Raises:
        InvalidAmount: it is malformed, too fine, below ``least`` or too large.
    """
    return _between(text, PRICE_SCALE, least, PRICE_MAX)


def fees(terms: FeeTerms) -> Fees:
    """The parts of a fee in units.

    Raises:
        InvalidAmount: one is malformed, too fine, below zero or too large.
    """

    def part(value: MoneyText | None, scale: int) -> int | None:
        return None if value is None else _between(value.amount, scale, 0, FEE_MAX * 10 ** (scale - MONEY_SCALE))

    return Fees(
        fee_fixed=part(terms.fee_fixed, MONEY_SCALE),
        fee_per_point=part(terms.fee_per_point, PRICE_SCALE),
        fee_percent=percent(terms.fee_percent, 100),
        fee_cap=part(terms.fee_cap, MONEY_SCALE),
    )


def percent(text: str | None, most: int) -> int | None:
    """A percentage in 10^-6 percent.

    Raises:
        InvalidAmount: it is malformed, too fine, below zero or above ``most`` percent.
    """
    return None if text is None else _between(text, PERCENT_SCALE, 0, most * 10**PERCENT_SCALE)


def _between(text: str, scale: int, least: int, most: int) -> int:
    value = parse(text, scale)
    if not least <= value <= most:
        raise InvalidAmount(amount=text)
    return value
