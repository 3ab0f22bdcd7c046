"""Transfers: points that pass from a customer to another."""

from collections.abc import Iterable
from typing import Annotated

import strawberry

from hub import ids
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger import commands, records
from hub.ledger.decide import Outcome
from hub.points import normalise
from schema.acts import Act
from schema.amounts import Points, to_points
from schema.batches import homes, submit_rows
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.fields import field, mutation
from schema.inputs import BY, CHANNEL, KEY, CustomerInput, party
from schema.issues import known
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal


@strawberry.type(description="Points that passed from a customer to another.")
class Transfer(Act):
    currency: strawberry.Private[PointCurrency]

    @field("What was transferred.")
    def points(self) -> Points:
        return to_points(self.record.amount, self.currency)

    @field("Who gave them.", name="from")
    def giver(self) -> Customer:
        return to_customer(known(self.record.source))

    @field("Who received them.", name="to")
    def taker(self) -> Customer:
        return to_customer(known(self.record.target))


TransferPointsResult = Annotated[
    Transfer | Refused,
    strawberry.union("TransferPointsResult", description="What was transferred, or why nothing was."),
]


@strawberry.input(description="Points to pass from a customer to another.")
class TransferPointsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    giver: CustomerInput = strawberry.field(name="from", description="Who gives them.")
    taker: CustomerInput = strawberry.field(
        name="to", description="Who receives them; enrolled if the institution has that so."
    )
    amount: Decimal = strawberry.field(description="How many.")
    memo: str | None = strawberry.field(default=None, description="A note for the customers' statements.")
    channel: str | None = strawberry.field(default=None, description=CHANNEL)
    by: CustomerInput | None = strawberry.field(default=None, description=BY)


@strawberry.type
class TransferMutation:
    @mutation("Transfer points. By a trader of the giver's institution or of one above it, or by the operator.")
    async def transfer_points(
        self, info: Info, input: Annotated[TransferPointsInput, strawberry.argument(description="The points.")]
    ) -> TransferPointsResult:
        outcome = await info.context.submit(transfer_command(info.context.actor, input))
        return to_transfer_result(info.context, outcome)

    @mutation("Transfer many points: at most 10,000 rows, each standing alone, one result per row in order.")
    async def transfer_points_batch(
        self, info: Info, input: Annotated[list[TransferPointsInput], strawberry.argument(description="The rows.")]
    ) -> list[TransferPointsResult]:
        context = info.context
        actor = context.actor
        rows = [transfer_command(actor, row) for row in input]
        return [to_transfer_result(context, outcome) for outcome in await submit_rows(context, rows, givers)]


def transfer_command(actor: int, input: TransferPointsInput) -> commands.Transfer:
    return commands.Transfer(
        actor=actor,
        key=input.idempotency_key,
        currency=input.currency,
        source=party(input.giver),
        target=party(input.taker),
        amount=normalise(input.amount),
        memo=input.memo,
        channel=input.channel,
        by=None if input.by is None else party(input.by),
    )


def givers(configuration: Configuration, rows: Iterable[commands.Transfer]) -> set[int]:
    """For whom rows trade: the givers' institutions."""
    return homes(configuration, {((row.currency,), row.source.institution) for row in rows})


def to_transfer_result(context: Context, outcome: Outcome) -> Transfer | Refused:
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_transfer(context.configuration, result_of(outcome, records.Movement), outcome.replayed)


def to_transfer(configuration: Configuration, movement: records.Movement, replayed: bool = False) -> Transfer:
    return Transfer(
        record=movement,
        id=strawberry.ID(ids.text(ids.TRANSFER, movement.id)),
        currency=configuration.currencies[configuration.currency_codes[movement.currency]],
        posted_at=movement.at,
        replayed=replayed,
        sequence=str(movement.id),
    )
