"""Debts: points that customers owe, and their issuer's giving them up. What is owed stands with the balances."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids
from hub.configuration import Configuration
from hub.ledger import commands, records
from hub.ledger.commands import ReversalShortfall
from schema.amounts import Points, to_points
from schema.context import Info
from schema.customers import Customer, to_customer
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import KEY, CustomerInput, decimal, party
from schema.issues import known
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    ReversalShortfall,
    "ReversalShortfall",
    "What becomes of points that are to be taken back and are not there any more.",
    REFUSE="The reversal is refused.",
    DEBT="The customer owes them; every later credit repays first.",
    WRITE_OFF="They are given up.",
)
REFUSED_IF_SHORT = ReversalShortfall.REFUSE  # unless the caller says otherwise


@strawberry.type(description="A debt of points, or a part of one, that was given up.")
class DebtWriteOff(Node):
    record: strawberry.Private[records.Movement]
    points: Points = strawberry.field(description="What was given up.")
    posted_at: datetime = strawberry.field(description="When.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")
    sequence: str = strawberry.field(description="Its place in the order of all acts, as a decimal number.")

    @field("Who owed them.")
    def customer(self) -> Customer:
        return to_customer(known(self.record.target))


WriteOffDebtResult = Annotated[
    DebtWriteOff | Refused, strawberry.union("WriteOffDebtResult", description="What was given up, or why nothing was.")
]


@strawberry.input(description="A debt to give up.")
class WriteOffDebtInput:
    idempotency_key: str = strawberry.field(description=KEY)
    customer: CustomerInput = strawberry.field(description="Who owes.")
    currency: str = strawberry.field(description="The point currency's code.")
    amount: Decimal | None = strawberry.field(default=None, description="How much of it. Default: all.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class DebtMutation:
    @mutation("Give up what a customer owes. By an administrator of the currency's issuer, or by the operator.")
    async def write_off_debt(
        self, info: Info, input: Annotated[WriteOffDebtInput, strawberry.argument(description="The debt.")]
    ) -> WriteOffDebtResult:
        context = info.context
        command = commands.WriteOffDebt(
            actor=context.actor,
            key=input.idempotency_key,
            customer=party(input.customer),
            currency=input.currency,
            amount=decimal(input.amount),
            reason=input.reason,
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_write_off(context.configuration, result_of(outcome, records.Movement), outcome.replayed)


def to_write_off(configuration: Configuration, movement: records.Movement, replayed: bool = False) -> DebtWriteOff:
    return DebtWriteOff(
        record=movement,
        id=strawberry.ID(ids.text(ids.WRITE_OFF, movement.id)),
        points=to_points(movement.amount, configuration.currencies[configuration.currency_codes[movement.currency]]),
        posted_at=movement.at,
        replayed=replayed,
        sequence=str(movement.id),
    )
