"""Spelling: the one way in which a report's payload writes a text, a currency, an amount or a rate.

Each function takes a text and answers what it says, or raises ValueError with what it is not.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from hub.money import InvalidMoney, UnknownMoney, format_millionths, parse_millionths
from hub.points import PRICE_SCALE, parse
from settlement.lines import is_text

_RATE: Final = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{0,11}[1-9])?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FX_RATE: Final = re.compile(r"fx_(?:0|[1-9a-f][0-9a-f]{0,15})")


def text(value: str) -> str:
    """A name or a code."""
    if not is_text(value):
        raise ValueError("is no plain text")
    return value


def currency(value: str) -> str:
    """An ISO 4217 currency that has a minor unit."""
    try:
        format_millionths(0, value)
    except UnknownMoney:
        raise ValueError("is no currency that can be paid") from None
    return value


def money(of: str) -> Callable[[str], int]:
    """An amount of a currency, in millionths."""

    def parsed(value: str) -> int:
        try:
            found = parse_millionths(value)
        except InvalidMoney:
            raise ValueError("is no plain decimal") from None
        if format_millionths(found, of) != value:
            raise ValueError("is an amount in another spelling")
        return found

    return parsed


def rate(value: str) -> str:
    """An FX rate: a decimal above zero without trailing zeros."""
    if not _RATE.fullmatch(value) or not parse(value, PRICE_SCALE):
        raise ValueError("is no rate")
    return value


def rate_id(value: str) -> str:
    """The identifier of a version of an FX rate."""
    if not _FX_RATE.fullmatch(value):
        raise ValueError("is no rate's identifier")
    return value


def day(value: str) -> date:
    """A day, such as 2026-01-31."""
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("is no day")
