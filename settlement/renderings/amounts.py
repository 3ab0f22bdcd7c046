"""Amounts for people: the digits of an exact decimal text, grouped as a language's readers write numbers.

No digit is lost, added or rounded. Files that other programs compute with take the text as it is.
"""

from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.numbers import NumberPattern, parse_pattern

from settlement.renderings.words import LANGUAGES, Language

_DIGITS: Final = 100  # Decimal rounds to 28 where it is told nothing else


@lru_cache(maxsize=8)
def _locale(language: Language) -> Locale:
    return Locale.parse(LANGUAGES[language], sep="-")


@lru_cache(maxsize=64)
def _pattern(language: Language, digits: int) -> NumberPattern:
    whole = str(_locale(language).decimal_formats[None].pattern).partition(".")[0]
    return parse_pattern(f"{whole}.{'0' * digits}" if digits else whole)


def grouped(text: str, language: Language) -> str:
    """Plain decimal ``text`` as ``language`` writes it, with all its digits: ``1234.50`` is ``1,234.50``."""
    pattern = _pattern(language, len(text.partition(".")[2]))
    with localcontext(Context(prec=_DIGITS)):
        shown: str = pattern.apply(Decimal(text), _locale(language))
    return shown


def instant(at: datetime) -> str:
    """An instant in UTC, the same in every language, to the second and beyond only where it goes beyond."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ").removesuffix(".000000")
