"""Amounts as the API shows them: exact decimal text with its currency. The mappers round nothing."""

import strawberry

from hub.currencies import PointCurrency
from hub.money import format_millionths, format_price
from hub.points import PERCENT_SCALE, normalise, render
from schema.scalars import Decimal


@strawberry.type(description="An amount of points.")
class Points:
    amount: Decimal = strawberry.field(description="With all the digits of the currency's scale.")
    currency: str = strawberry.field(description="The point currency's code.")


@strawberry.type(description="An amount of money, or a price in it.")
class Money:
    amount: Decimal = strawberry.field(
        description="At least the digits of the minor unit; amounts have six decimals at most, unit prices twelve."
    )
    currency: str = strawberry.field(description="ISO 4217.")


@strawberry.type(description="An exact ratio in lowest terms: target points per source points, in whole points.")
class Ratio:
    numerator: str = strawberry.field(description="Target points.")
    denominator: str = strawberry.field(description="Source points.")


def to_points(units: int, of: PointCurrency) -> Points:
    """``units``: smallest units of the currency."""
    return Points(amount=Decimal(render(units, of.scale)), currency=of.code)


def to_money(millionths: int, currency: str) -> Money:
    return Money(amount=Decimal(format_millionths(millionths, currency)), currency=currency)


def to_price(pico: int, currency: str) -> Money:
    """``pico``: 10^-12 of the currency's major unit."""
    return Money(amount=Decimal(format_price(pico, currency)), currency=currency)


def to_percent(millionths: int) -> Decimal:
    """``millionths`` of a percent, without trailing zeros."""
    return Decimal(normalise(render(millionths, PERCENT_SCALE)))


def to_units(units: int | None, scale: int) -> Decimal | None:
    """``units`` of ``10 ** -scale``, if there are any."""
    return None if units is None else Decimal(render(units, scale))
