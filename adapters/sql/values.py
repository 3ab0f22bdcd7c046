"""Values as a database keeps them: members by text, number or UUID; amounts whole or decimal; times.

Amounts are read as the driver hands them over, so that a column of binary fractions shows itself: it is a ``Misfit``,
as is whatever else is not what the configuration says. Inside, an amount is in smallest units of the partner's scale.
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Numeric, RowMapping, String, Uuid
from sqlalchemy.types import TypeEngine

from adapters.parts import MEMBER_MAX
from hub.points import AMOUNT_MAX, render

WORDS_MAX: Final = 200  # characters of a partner's own words that are kept
_INTEGER_MAX: Final = 2**63 - 1
_DIGITS_MAX: Final = 38
Key: TypeAlias = str | int | UUID


class Misfit(Exception):
    """The database is not what its configuration says."""


def columns(row: RowMapping) -> dict[str, Any]:
    """What a row says by its columns' names, without those that it has twice: they may say two things."""
    names = Counter(row.keys())
    return {name: row[name] for name, times in names.items() if times == 1}


class Naming(StrEnum):
    """What a column that names somebody is made of."""

    TEXT = "TEXT"
    INTEGER = "INTEGER"
    UUID = "UUID"

    @property
    def type(self) -> TypeEngine[Any]:
        """SQLAlchemy's type for it."""
        match self:
            case Naming.TEXT:
                return String()
            case Naming.INTEGER:
                return BigInteger()
            case Naming.UUID:
                return Uuid()

    def key(self, text: str) -> Key | None:
        """A name as the column has it; None if the column cannot hold it, so that it names nobody. One text only is
        right for a number or a UUID, because what is told apart here is one and the same there."""
        if not 0 < len(text) <= MEMBER_MAX or "\0" in text:
            return None
        if self is Naming.TEXT:
            return text
        found: Key
        try:
            found = int(text) if self is Naming.INTEGER else UUID(text)
        except ValueError:
            return None
        if str(found) != text or (isinstance(found, int) and abs(found) > _INTEGER_MAX):
            return None
        return found


class Form(StrEnum):
    """How amounts are kept: whole UNITS, the smallest there are, or DECIMAL whole points."""

    UNITS = "UNITS"
    DECIMAL = "DECIMAL"

    def type(self, scale: int) -> TypeEngine[Any]:
        """SQLAlchemy's type for an amount that is bound."""
        return BigInteger() if self is Form.UNITS else Numeric(_DIGITS_MAX, scale)

    def bound(self, units: int, scale: int) -> int | Decimal:
        """``units`` of ``scale`` decimals as the database takes them."""
        return units if self is Form.UNITS else Decimal(render(units, scale))

    def counted(self, units: int, scale: int) -> Fraction:
        """What ``units`` are in the database's own counting."""
        return Fraction(units, 1 if self is Form.UNITS else 10**scale)

    def units(self, found: object, scale: int) -> int:
        """What the database says, in smallest units of ``scale`` decimals.

        Raises:
            Misfit: it is no exact number, has digits that the points do not have, or is too large.
        """
        units = exact(found) * (1 if self is Form.UNITS else 10**scale)
        if units.denominator != 1 or abs(units) > AMOUNT_MAX * 1_000:
            raise Misfit(f"The amount {str(found)[:60]} is none of {scale} decimals.")
        return units.numerator


def exact(found: object) -> Fraction:
    """A number of the database, whatever its digits.

    Raises:
        Misfit: it is a binary fraction, or no number at all.
    """
    if type(found) is int:
        return Fraction(found)
    if isinstance(found, Decimal) and found.is_finite():
        return Fraction(found)
    raise Misfit(f"An amount is kept as {type(found).__name__}, not as an exact number.")


def instant(found: object, zone: ZoneInfo) -> datetime:
    """A time of the database; one without a zone is in ``zone``.

    Raises:
        Misfit: it is no time.
    """
    if not isinstance(found, datetime):
        raise Misfit(f"A time is kept as {type(found).__name__}.")
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def word(found: object) -> str | None:
    """A word of the partner's as text, whatever it is kept as."""
    return None if found is None else str(found)[:WORDS_MAX]


def no(found: object) -> bool:
    """Whether a flag is down; what is unclear is not."""
    return type(found) in (bool, int) and not found
