"""Reversals: an act's opposite, in whole or in parts. A reversal is final."""

from typing import Annotated

import strawberry

from hub import holdings, ids, lookups
from hub.configuration import Configuration
from hub.ledger import commands, records
from hub.ledger.commands import ReversalShortfall
from hub.ledger.records import ACCEPTED, HoldKind, MovementKind
from hub.points import render
from schema.acts import Act
from schema.amounts import Points, to_points
from schema.clearings import to_cleared
from schema.context import Context, Info
from schema.conversions import to_conversion
from schema.debts import REFUSED_IF_SHORT, to_write_off
from schema.fields import field, mutation
from schema.holds import to_hold
from schema.inputs import KEY, decimal
from schema.issues import to_issue
from schema.node import Node
from schema.pools import to_contribution
from schema.redemptions import to_redemption
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.transfers import to_transfer


@strawberry.type(description="The opposite of an act, or of a part of it.")
class Reversal(Act):
    points: Points = strawberry.field(description="What was reversed, in the points that the act credited.")

    @field(
        "The act: an Issue, Transfer, Redemption, Conversion, PoolContribution or ClearedPoints, or a Hold that was "
        "captured."
    )
    async def of(self, info: Info) -> Node:
        # Whoever sees a reversal sees what it reverses: an institution may since have moved from under who acted.
        subject = self.record.subject or 0
        async with info.context.read() as reader:
            conversion = (await lookups.conversions(reader, {subject})).get(subject)
            if conversion is not None:
                return to_conversion(reader.configuration, conversion)
            held = await holdings.hold(reader, HoldKind.HOLD, subject)
            if held is not None:
                return to_hold(reader.configuration, held, reader.at)
            movement = (await lookups.movements(reader, {subject})).get(subject)
            if movement is None:
                raise LookupError("a reversal of nothing")
            return to_act(reader.configuration, movement)

    @field("What of it was not there any more, and is owed from then on.")
    async def debt(self, info: Info) -> Decimal:
        return self._shown((await info.context.loaders.missing.load(self.record.id)).debt, info.context)

    @field("What of it was not there any more, and was given up.")
    async def written_off(self, info: Info) -> Decimal:
        return self._shown((await info.context.loaders.missing.load(self.record.id)).written_off, info.context)

    def _shown(self, units: int, context: Context) -> Decimal:
        configuration = context.configuration
        return Decimal(
            render(units, configuration.currencies[configuration.currency_codes[self.record.currency]].scale)
        )


ReversalResult = Annotated[
    Reversal | Refused, strawberry.union("ReversalResult", description="The reversal, or why there is none.")
]


@strawberry.input(description="An act to reverse.")
class ReverseInput:
    idempotency_key: str = strawberry.field(description=KEY)
    id: strawberry.ID = strawberry.field(
        description="Of an Issue, Transfer, Redemption, Conversion, PoolContribution or ClearedPoints, or of a Hold "
        "that was captured."
    )
    amount: Decimal | None = strawberry.field(
        default=None,
        description="How much, in the points that the act credited (a conversion's target points). Default: the rest.",
    )
    reason: str = strawberry.field(description="Why, for the record.")
    shortfall: ReversalShortfall = strawberry.field(
        default=REFUSED_IF_SHORT,
        description="What becomes of points that are not there any more. Another than REFUSE only for an Issue, by a "
        "trader of its currency's issuer, or by the operator.",
    )


_REVERSIBLE = (
    ids.ISSUE,
    ids.TRANSFER,
    ids.REDEMPTION,
    ids.CONVERSION,
    ids.HOLD,
    ids.CONTRIBUTION,
    ids.TAKEN,
)


@strawberry.type
class ReversalMutation:
    @mutation(
        "Reverse an act, in whole or in part, never more than all of it. By a trader of the institution that acted or "
        "of one above it, or by the operator; what a clearing took by a trader of the currency's issuer, or by the "
        "operator."
    )
    async def reverse(
        self, info: Info, input: Annotated[ReverseInput, strawberry.argument(description="The act.")]
    ) -> ReversalResult:
        context = info.context
        command = commands.Reverse(
            actor=context.actor,
            key=input.idempotency_key,
            id=ids.number(input.id, *_REVERSIBLE),
            amount=decimal(input.amount),
            reason=input.reason,
            shortfall=input.shortfall,
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_reversal(context.configuration, result_of(outcome, records.Movement), outcome.replayed)


def to_reversal(configuration: Configuration, movement: records.Movement, replayed: bool = False) -> Reversal:
    return Reversal(
        record=movement,
        id=strawberry.ID(ids.text(ids.REVERSAL, movement.id)),
        points=to_points(movement.amount, configuration.currencies[configuration.currency_codes[movement.currency]]),
        posted_at=movement.at,
        replayed=replayed,
        sequence=str(movement.id),
    )


def to_act(configuration: Configuration, movement: records.Movement) -> Node:
    """The node that a movement is; those of conversions and windows are none.

    Raises:
        LookupError: it is none.
    """
    match movement.kind if movement.kind is MovementKind.ACCEPT else ACCEPTED.get(movement.kind, movement.kind):
        case MovementKind.ISSUE:
            return to_issue(configuration, movement)
        case MovementKind.TRANSFER:
            return to_transfer(configuration, movement)
        case MovementKind.REDEEM:
            return to_redemption(configuration, movement)
        case MovementKind.CONTRIBUTE:
            return to_contribution(configuration, movement)
        case MovementKind.CLEAR:
            return to_cleared(configuration, movement)
        case MovementKind.WRITE_OFF:
            return to_write_off(configuration, movement)
        case MovementKind.REVERSE:
            return to_reversal(configuration, movement)
        case _:
            raise LookupError(f"{movement.kind.name} is no node")
