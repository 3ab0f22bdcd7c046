"""Redemptions: points that a customer spends at a merchant."""

from collections.abc import Iterable
from typing import Annotated

import strawberry

from hub import acceptance_terms, ids
from hub.configuration import Configuration
from hub.ledger import commands, records
from hub.ledger.decide import Outcome
from hub.points import normalise
from schema.acts import Act
from schema.amounts import Money, Points, to_money, to_points
from schema.batches import homes, submit_rows
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.directory import Institution, institution_of
from schema.fields import field, mutation
from schema.inputs import BY, CHANNEL, KEY, PRODUCT, CustomerInput, party
from schema.issues import known
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.shares import FeeShare, fee_shares_of
from schema.terms import AcceptanceTerms, seen, to_acceptance


@strawberry.type(description="Points that a customer spent at a merchant; they are gone.")
class Redemption(Act):
    points: Points = strawberry.field(description="What was spent.")
    value: Money = strawberry.field(description="What the issuer pays the merchant for them.")
    fee: Money = strawberry.field(description="What the merchant is charged for that.")

    @field("The terms that say so; null where it is the unit value, and for who is no party to them.")
    def terms(self, info: Info) -> AcceptanceTerms | None:
        found = seen(info, self.record.terms)
        return to_acceptance(found) if isinstance(found, acceptance_terms.AcceptanceTerms) else None

    @field(
        "How a plan split the fee: the shares of the caller's institution and of those below it; all of them for the "
        "merchant. Empty without a plan, and before the fee is posted."
    )
    async def fee_shares(self, info: Info) -> list[FeeShare]:
        return await fee_shares_of(info.context, self.record.id, self.record.merchant or 0)

    @field("Who spent them.")
    def customer(self) -> Customer:
        return to_customer(known(self.record.source))

    @field("Where.")
    def merchant(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.merchant or 0)


RedeemPointsResult = Annotated[
    Redemption | Refused, strawberry.union("RedeemPointsResult", description="What was spent, or why nothing was.")
]


@strawberry.input(description="Points to spend at a merchant.")
class RedeemPointsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    customer: CustomerInput = strawberry.field(description="Who spends them.")
    merchant: str = strawberry.field(description="The merchant's code.")
    amount: Decimal = strawberry.field(description="How many.")
    memo: str | None = strawberry.field(default=None, description="A note for the customer's statement.")
    channel: str | None = strawberry.field(default=None, description=CHANNEL)
    by: CustomerInput | None = strawberry.field(default=None, description=BY)
    product: str | None = strawberry.field(default=None, description=PRODUCT)


@strawberry.type
class RedemptionMutation:
    @mutation("Spend points. By a trader of the customer's institution or of one above it, or by the operator.")
    async def redeem_points(
        self, info: Info, input: Annotated[RedeemPointsInput, strawberry.argument(description="The points.")]
    ) -> RedeemPointsResult:
        outcome = await info.context.submit(redemption_command(info.context.actor, input))
        return to_redemption_result(info.context, outcome)

    @mutation("Spend points of many: at most 10,000 rows, each standing alone, one result per row in order.")
    async def redeem_points_batch(
        self, info: Info, input: Annotated[list[RedeemPointsInput], strawberry.argument(description="The rows.")]
    ) -> list[RedeemPointsResult]:
        context = info.context
        actor = context.actor
        rows = [redemption_command(actor, row) for row in input]
        return [to_redemption_result(context, outcome) for outcome in await submit_rows(context, rows, spenders)]


def redemption_command(actor: int, input: RedeemPointsInput) -> commands.Redeem:
    return commands.Redeem(
        actor=actor,
        key=input.idempotency_key,
        currency=input.currency,
        customer=party(input.customer),
        merchant=input.merchant,
        amount=normalise(input.amount),
        memo=input.memo,
        channel=input.channel,
        by=None if input.by is None else party(input.by),
        product=input.product,
    )


def spenders(configuration: Configuration, rows: Iterable[commands.Redeem]) -> set[int]:
    """For whom rows trade: the customers' institutions."""
    return homes(configuration, {((row.currency,), row.customer.institution) for row in rows})


def to_redemption_result(context: Context, outcome: Outcome) -> Redemption | Refused:
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_redemption(context.configuration, result_of(outcome, records.Movement), outcome.replayed)


def to_redemption(configuration: Configuration, movement: records.Movement, replayed: bool = False) -> Redemption:
    of = configuration.currencies[configuration.currency_codes[movement.currency]]
    money = movement.money or of.money
    return Redemption(
        record=movement,
        id=strawberry.ID(ids.text(ids.REDEMPTION, movement.id)),
        points=to_points(movement.amount, of),
        value=to_money(movement.value or 0, money),
        fee=to_money(movement.fee or 0, money),
        posted_at=movement.at,
        replayed=replayed,
        sequence=str(movement.id),
    )
