"""Cancellations: every issue that was made for one record, reversed in one act."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, issues
from hub.configuration import Configuration
from hub.ledger import commands, records
from hub.ledger.commands import ReversalShortfall
from hub.points import render
from schema.amounts import Points, to_points
from schema.context import Context, Info
from schema.debts import REFUSED_IF_SHORT
from schema.fields import mutation
from schema.inputs import KEY
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal


@strawberry.type(description="Issues of one record that were reversed together.")
class RecordCancellation(Node):
    issues: int = strawberry.field(description="How many issues.")
    points: Points = strawberry.field(description="What was reversed of them in all.")
    debt: Decimal = strawberry.field(description="What of it was not there any more, and is owed from then on.")
    written_off: Decimal = strawberry.field(description="What of it was not there any more, and was given up.")
    created_at: datetime = strawberry.field(description="When.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")


CancelRecordResult = Annotated[
    RecordCancellation | Refused,
    strawberry.union("CancelRecordResult", description="What was cancelled, or why nothing was."),
]


@strawberry.input(description="A record whose issues are to be cancelled.")
class CancelRecordInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    record: str = strawberry.field(description="What the points were issued for; at most 1,000 issues.")
    shortfall: ReversalShortfall = strawberry.field(
        default=REFUSED_IF_SHORT, description="What becomes of points that are not there any more."
    )
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class CancellationMutation:
    @mutation(
        "Reverse what is left of every issue that was made for a record, all of them or none. By a trader of the "
        "currency's issuer, or by the operator."
    )
    async def cancel_record(
        self, info: Info, input: Annotated[CancelRecordInput, strawberry.argument(description="The record.")]
    ) -> CancelRecordResult:
        context = info.context
        command = commands.CancelRecord(
            actor=context.actor,
            key=input.idempotency_key,
            currency=input.currency,
            record=input.record,
            shortfall=input.shortfall,
            reason=input.reason,
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_cancellation(context.configuration, result_of(outcome, records.Cancellation), outcome.replayed)


async def cancellation_by_id(context: Context, id: int) -> RecordCancellation | None:
    """A cancellation, for those who see the issuer."""
    async with context.read() as reader:
        found = await issues.cancellation(reader, id)
        if found is None or not reader.sees(found.for_institution):
            return None
        return to_cancellation(reader.configuration, found)


def to_cancellation(
    configuration: Configuration, done: records.Cancellation, replayed: bool = False
) -> RecordCancellation:
    of = configuration.currencies[configuration.currency_codes[done.currency]]
    return RecordCancellation(
        id=strawberry.ID(ids.text(ids.CANCELLATION, done.id)),
        issues=done.issues,
        points=to_points(done.amount, of),
        debt=Decimal(render(done.debt, of.scale)),
        written_off=Decimal(render(done.written_off, of.scale)),
        created_at=done.at,
        replayed=replayed,
    )
