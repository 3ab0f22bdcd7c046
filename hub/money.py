"""Settlement money: whole millionths of a currency's major unit inside, decimal text outside.

Which currencies there are, and how many digits their minor unit has, is ISO 4217's table. A currency is money here only
if it has a minor unit: gold, test codes and "no currency" cannot be paid, so they are refused. Nothing here rounds or
knows a rate; point currencies have scales of their own (``hub.points``).
"""

import re
from collections.abc import Mapping
from typing import Final

import iso4217

MILLIONTHS: Final = 1_000_000
_DIGITS: Final = 6  # decimal digits of a millionth
_PRICE_DIGITS: Final = 12  # of a unit price

_MINOR_UNITS: Mapping[str, int] = {
    code: int(digits)
    for code, row in iso4217.raw_table.items()
    if isinstance(code, str) and isinstance(digits := row["CcyMnrUnts"], str) and digits.isdecimal()
}
_SHAPE = re.compile(r"(-?)(0|[1-9][0-9]{0,29})(?:\.([0-9]{1,6}))?")


class UnknownMoney(ValueError):
    """The code names no ISO 4217 currency that has a minor unit."""

    code = "UNKNOWN_MONEY"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{self.__doc__} ({currency[:40]!r})")
        self.currency = currency


class InvalidMoney(ValueError):
    """The text is no plain decimal of at most six digits after the point."""

    code = "INVALID_MONEY"

    def __init__(self, text: str) -> None:
        super().__init__(f"{self.__doc__} ({text[:40]!r})")
        self.text = text


def minor_unit(currency: str) -> int:
    """How many decimal digits the minor unit of ``currency`` has: CNY 2, JPY 0, BHD 3 (ISO 4217, upper case).

    Raises:
        UnknownMoney: the code is not in the table, or has no minor unit (XAU, XXX).
    """
    try:
        return _MINOR_UNITS[currency]
    except KeyError:
        raise UnknownMoney(currency) from None


def is_money(currency: str) -> bool:
    """Whether ISO 4217 uses this code, payable or not."""
    return currency in iso4217.raw_table


def minor_unit_millionths(currency: str) -> int:
    """One minor unit of ``currency`` in millionths of its major unit: CNY 10,000, JPY 1,000,000.

    Raises:
        UnknownMoney: as ``minor_unit``.
    """
    return int(10 ** (_DIGITS - minor_unit(currency)))


def format_millionths(value: int, currency: str) -> str:
    """``value`` millionths as the one decimal text of that amount.

    At least the digits of the currency's minor unit, more only where they are not zero, six at most; zero has no sign.
    So equal amounts are equal texts: 4,800 is ``0.0048`` and 6,000,000 is ``6.00`` in CNY.

    Raises:
        UnknownMoney: as ``minor_unit``.
    """
    digits = minor_unit(currency)
    whole, fraction = divmod(abs(value), MILLIONTHS)
    text = f"{fraction:06d}"
    decimals = text[:digits] + text[digits:].rstrip("0")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def format_price(value_pico: int, currency: str) -> str:
    """A unit price of ``value_pico`` 10^-12 as the one decimal text of it: at least the digits of the currency's minor
    unit, more only where they are not zero, twelve at most; not below zero.

    Raises:
        UnknownMoney: as ``minor_unit``.
    """
    digits = minor_unit(currency)
    whole, fraction = divmod(value_pico, 10**_PRICE_DIGITS)
    text = f"{fraction:0{_PRICE_DIGITS}d}"
    decimals = text[:digits] + text[digits:].rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def parse_millionths(text: str) -> int:
    """Plain decimal ``text`` in millionths, exactly.

    ASCII digits, at most 30 before and six after the point; no plus, exponent, space, leading zero or negative zero.

    Raises:
        InvalidMoney: the text is anything else.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise InvalidMoney(text)
    sign, whole, fraction = match.groups()
    value = int(whole) * MILLIONTHS + int((fraction or "").ljust(_DIGITS, "0"))
    if sign and value == 0:
        raise InvalidMoney(text)
    return -value if sign else value
