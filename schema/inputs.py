"""Inputs: what many requests are made of, and how a value of the request becomes text of a command."""

from typing import Annotated, overload

import strawberry

from hub.ledger.commands import MoneyText, Party
from hub.points import normalise
from schema.scalars import Decimal

First = Annotated[int | None, strawberry.argument(description="How many rows at most, 1 to 200.")]
After = Annotated[str | None, strawberry.argument(description="Continue after the row that carries this cursor.")]
Id = Annotated[strawberry.ID, strawberry.argument(description="Its identifier.")]
Reason = Annotated[str, strawberry.argument(description="Why, for the record; not blank.")]

KEY = "Names this request for ever within the caller's institution: the same request under it gets the same answer."
CHANNEL = (
    "Over which channel it comes, at most 64 characters; figures are divided by it. Where the currency keeps accounts "
    "by channel, what is spent comes from that account alone, and what is received goes there. Default: spent from "
    "all, received in the main one."
)
PRODUCT = "Of which product, in your words, at most 64 characters; figures are divided by it."
BY = "The member who spends, with the right to, where the points are a pool's. Default: they are no pool's."


@strawberry.input(description="A customer, as its institution knows it.")
class CustomerInput:
    institution: str = strawberry.field(description="The code of the customer's institution.")
    reference: str = strawberry.field(
        description="What the institution calls the customer, or a card, number or telephone that is bound to one."
    )


@strawberry.input(description="An amount of money, or a price in it.")
class MoneyInput:
    amount: Decimal = strawberry.field(description="In the currency's major unit.")
    currency: str = strawberry.field(description="ISO 4217.")


@strawberry.input(description="An exact ratio of two positive whole numbers: target points per source points.")
class RatioInput:
    numerator: str = strawberry.field(description="Target points.")
    denominator: str = strawberry.field(description="Source points.")


def party(customer: CustomerInput) -> Party:
    """The customer as commands name it."""
    return Party(customer.institution, customer.reference)


@overload
def decimal(value: Decimal) -> str: ...
@overload
def decimal(value: Decimal | None) -> str | None: ...
def decimal(value: Decimal | None) -> str | None:
    """The shortest text of a decimal, so that ``1.0`` and ``1.00`` are one request."""
    return None if value is None else normalise(value)


@overload
def money_text(value: MoneyInput) -> MoneyText: ...
@overload
def money_text(value: MoneyInput | None) -> MoneyText | None: ...
def money_text(value: MoneyInput | None) -> MoneyText | None:
    """Money as commands name it."""
    return None if value is None else MoneyText(normalise(value.amount), value.currency)
