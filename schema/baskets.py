"""Baskets: money at a merchant that is paid with points of several currencies in one act."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups
from hub.configuration import Configuration
from hub.ledger import commands, records
from schema.amounts import Money, to_money
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.directory import Institution, institution_of
from schema.fields import field, mutation
from schema.inputs import KEY, CustomerInput, MoneyInput, money_text, party
from schema.node import Node
from schema.redemptions import Redemption, to_redemption
from schema.refusals import Refused, refusal_of, result_of


@strawberry.type(description="Money at a merchant that was paid with points of several currencies.")
class Basket(Node):
    record: strawberry.Private[records.Basket]
    amount: Money = strawberry.field(description="What was to be paid.")
    paid: Money = strawberry.field(description="What the points came to.")
    rest: Money = strawberry.field(description="What is left, to be paid in another way.")
    redemptions: list[Redemption] = strawberry.field(
        description="What paid for it, in the order of the currencies; each is reversed by itself."
    )
    posted_at: datetime = strawberry.field(description="When.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("Who paid.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)

    @field("Where.")
    def merchant(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.merchant)


RedeemBasketResult = Annotated[
    Basket | Refused, strawberry.union("RedeemBasketResult", description="What was paid, or why nothing was.")
]


@strawberry.input(description="Money to be paid at a merchant with points.")
class RedeemBasketInput:
    idempotency_key: str = strawberry.field(description=KEY)
    customer: CustomerInput = strawberry.field(description="Who pays.")
    merchant: str = strawberry.field(description="The merchant's code.")
    amount: MoneyInput = strawberry.field(description="What is to be paid, in whole minor units.")
    currencies: list[str] = strawberry.field(
        description="The codes of the point currencies, in the order in which they pay: a brand's own first, then "
        "those that are taken everywhere. Each pays as much as there is of it and as fits; at most ten."
    )
    leaves_rest: bool = strawberry.field(
        default=False, description="Whether what the points do not reach for may be paid in another way."
    )
    memo: str | None = strawberry.field(default=None, description="A note for the customer's statement.")


@strawberry.type
class BasketMutation:
    @mutation(
        "Pay an amount of money with points of several currencies, each by its terms at the merchant; all of it "
        "happens or nothing. By a trader of the customer's institution or of one above it, or by the operator."
    )
    async def redeem_basket(
        self, info: Info, input: Annotated[RedeemBasketInput, strawberry.argument(description="The basket.")]
    ) -> RedeemBasketResult:
        context = info.context
        command = commands.RedeemBasket(
            actor=context.actor,
            key=input.idempotency_key,
            customer=party(input.customer),
            merchant=input.merchant,
            amount=money_text(input.amount),
            currencies=tuple(input.currencies),
            leaves_rest=input.leaves_rest,
            memo=input.memo,
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_basket(context.configuration, result_of(outcome, records.Basket), outcome.replayed)


async def basket_by_id(context: Context, id: int) -> Basket | None:
    """A basket, for those who see the customer's institution, the merchant or who acted."""
    async with context.read() as reader:
        found = await lookups.basket(reader, id)
        if found is None or not reader.sees(found.customer.institution, found.merchant, found.for_institution):
            return None
        return to_basket(reader.configuration, found)


def to_basket(configuration: Configuration, made: records.Basket, replayed: bool = False) -> Basket:
    return Basket(
        record=made,
        id=strawberry.ID(ids.text(ids.BASKET, made.id)),
        amount=to_money(made.amount, made.money),
        paid=to_money(made.amount - made.rest, made.money),
        rest=to_money(made.rest, made.money),
        redemptions=[to_redemption(configuration, one, replayed) for one in made.redemptions],
        posted_at=made.at,
        replayed=replayed,
    )
