"""Amounts: whole smallest units inside, decimal text at the edge, and every rounding by its name.

Nothing here is inexact: an amount is an integer in the smallest unit of its currency (``10 ** -scale``), a unit price
an integer in ``10 ** -12`` of money, a ratio two integers. A float never appears.
"""

import re
from fractions import Fraction

from hub.errors import InvalidAmount

SCALE_MAX = 6
PRICE_SCALE = 12  # unit prices: settlement prices, unit values, fees per point
MONEY_SCALE = 6  # money is counted in millionths of its major unit
PERCENT_SCALE = 6
AMOUNT_MAX = 10**15  # smallest units in one act: counters of 64 bits hold thousands of such acts
COUNTER_MAX = 2**63 - 1

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


def normalise(text: str) -> str:
    """The shortest text of the same plain decimal: ``1.50`` is ``1.5``, ``2.00`` is ``2``."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def parse(text: str, scale: int) -> int:
    """Decimal ``text`` as an integer in ``10 ** -scale``; trailing zeros do not count as digits.

    Raises:
        InvalidAmount: the text is no plain decimal, or has more digits than ``scale``.
    """
    if not _DECIMAL.fullmatch(text):
        raise InvalidAmount(amount=text[:60])
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > scale or len(whole) > 30:
        raise InvalidAmount(amount=text[:60], scale=scale)
    return int(whole + fraction) * int(10 ** (scale - len(fraction)))


def parse_positive(text: str, scale: int) -> int:
    """An act's amount in smallest units: more than zero and at most ``AMOUNT_MAX``.

    Raises:
        InvalidAmount: it is malformed, has too many digits, is not positive, or is too large.
    """
    units = parse(text, scale)
    if not 0 < units <= AMOUNT_MAX:
        raise InvalidAmount(amount=text[:60])
    return units


def render(units: int, scale: int) -> str:
    """``units`` of ``10 ** -scale`` as decimal text with all ``scale`` digits."""
    if scale == 0:
        return str(units)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).zfill(scale + 1)
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest integer, halves away from zero; for numbers not below zero."""
    return (2 * numerator + denominator) // (2 * denominator)


def share(part: int, whole: int, amount: int) -> int:
    """The share of ``amount`` that ``part`` is of ``whole``, rounded down."""
    return amount * part // whole


def ratio(numerator: str, denominator: str) -> Fraction | None:
    """Two positive whole numbers as a fraction in lowest terms; None when they are not."""
    if not (re.fullmatch(r"[0-9]{1,18}", numerator) and re.fullmatch(r"[0-9]{1,18}", denominator)):
        return None
    if int(numerator) == 0 or int(denominator) == 0:
        return None
    return Fraction(int(numerator), int(denominator))
