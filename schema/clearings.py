"""Clearings: a currency's points taken from all customers at a set time, all or those of an age."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import clearings, ids
from hub.clock import now
from hub.configuration import Configuration
from hub.currencies import PointCurrency as Currency
from hub.ledger import commands, records
from hub.ledger.commands import Command
from hub.ledger.records import ClearingScope, ClearingStatus, MovementKind
from hub.points import render
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.directory import PointCurrency, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import KEY, After, First, Id
from schema.issues import known
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    ClearingScope,
    "ClearingScope",
    "Which points a clearing takes.",
    ALL="All, also those without an age.",
    EARNED_BEFORE="Those that were earned before an instant; points without an age stay.",
)
publish(
    ClearingStatus,
    "ClearingStatus",
    "A clearing's life.",
    SCHEDULED="Its time has not come.",
    RUNNING="It is at work, account by account.",
    DONE="It has looked at every account.",
    CANCELLED="It was ended before; what it had taken stays taken.",
)


@strawberry.type(
    description="Points that a clearing took of one customer. It is reversed by a trader of their issuer, or by the "
    "operator: they come back with the ends that they had."
)
class ClearedPoints(Node):
    record: strawberry.Private[records.Movement]
    of: strawberry.Private[Currency]
    posted_at: datetime = strawberry.field(description="When.")
    sequence: str = strawberry.field(description="Its place in the order of all acts, as a decimal number.")

    @field("What was taken.")
    def points(self) -> Points:
        return to_points(self.record.amount, self.of)

    @field("Of whom.")
    def customer(self) -> Customer:
        return to_customer(known(self.record.source))


@strawberry.type(description="Points of a currency that are taken from every customer, and go to breakage.")
class PointsClearing(Node):
    of: strawberry.Private[Currency]
    status: ClearingStatus = strawberry.field(description="Where it stands now.")
    scope: ClearingScope = strawberry.field(description="Which points it takes.")
    earned_before: datetime | None = strawberry.field(description="It takes points that were earned before; null: all.")
    starts_at: datetime = strawberry.field(description="From when on it is at work.")
    reason: str = strawberry.field(description="Why.")
    created_at: datetime = strawberry.field(description="When it was ordered.")
    ended_at: datetime | None = strawberry.field(description="When it was done or cancelled.")
    accounts: int = strawberry.field(description="How many customers that had points it has looked at.")
    cleared: Decimal = strawberry.field(description="The points that it has taken.")
    pinned: Decimal = strawberry.field(
        description="Points that it would have taken and left, because they were held or frozen."
    )
    without_age: Decimal = strawberry.field(
        description="Points that it left, because nobody knows when they were earned."
    )
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("What it took of each customer, also what was given back since, the oldest first.")
    async def taken(self, info: Info, first: First = 50, after: After = None) -> Connection[ClearedPoints]:
        wanted = page(first, after, "taken", tuple[int])
        async with info.context.read() as reader:
            start = 0 if wanted.after is None else wanted.after[0]
            found = await clearings.taken(reader, ids.number(self.id, ids.CLEARING) or 0, start, wanted.rows)
        return connect(found, wanted, lambda one: to_cleared(info.context.configuration, one), lambda one: (one.id,))


PointsClearingResult = Annotated[
    PointsClearing | Refused,
    strawberry.union("PointsClearingResult", description="The clearing as it is now, or why there is none."),
]


@strawberry.input(description="A year-end clear, or any other.")
class ClearPointsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    scope: ClearingScope = strawberry.field(
        default=ClearingScope.EARNED_BEFORE, description="Which points. Default: those of an age."
    )
    earned_before: datetime | None = strawberry.field(
        default=None,
        description="The beginning of a day in the currency's time zone; points earned from then on stay. Default: 1 "
        "January of the year before the one in which it begins, so at the turn to 2026 points earned in or before 2024 "
        "are taken.",
    )
    at: datetime | None = strawberry.field(default=None, description="When it begins, not in the past. Default: now.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class ClearingQuery:
    @field("The clearing with this identifier, for those who see the currency's issuer from within.")
    async def points_clearing(self, info: Info, id: Id) -> PointsClearing | None:
        return await clearing_by_id(info.context, ids.number(id, ids.CLEARING) or 0)

    @field("A currency's clearings, the newest first, for those who see its issuer from within.")
    async def points_clearings(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The point currency's code.")],
        first: First = 50,
        after: After = None,
    ) -> Connection[PointsClearing]:
        wanted = page(first, after, "points_clearings", tuple[int])
        found: list[records.Clearing] = []
        async with info.context.read() as reader:
            configuration, at = reader.configuration, reader.at
            of = configuration.currency(currency)
            if of is not None and reader.sees(of.issuer):
                before = None if wanted.after is None else wanted.after[0]
                found = await clearings.of_currency(reader, of.code, before, wanted.rows)
        return connect(found, wanted, lambda one: to_clearing(configuration, one, at), lambda one: (one.id,))


@strawberry.type
class ClearingMutation:
    @mutation(
        "Order a clearing; the hub works it off from its time on, each customer once. By an administrator of the "
        "currency's issuer, or by the operator."
    )
    async def clear_points(
        self, info: Info, input: Annotated[ClearPointsInput, strawberry.argument(description="What to clear.")]
    ) -> PointsClearingResult:
        command = commands.ClearPoints(
            actor=info.context.actor,
            key=input.idempotency_key,
            currency=input.currency,
            scope=input.scope,
            earned_before=input.earned_before,
            starts_at=input.at,
            reason=input.reason,
        )
        return await _submit(info.context, command)

    @mutation(
        "End a clearing that is not done; what it has taken stays taken. By an administrator of the currency's issuer, "
        "or by the operator."
    )
    async def cancel_points_clearing(self, info: Info, id: Id) -> PointsClearingResult:
        return await _submit(
            info.context, commands.CancelClearing(actor=info.context.actor, id=ids.number(id, ids.CLEARING))
        )


async def _submit(context: Context, command: Command) -> PointsClearing | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_clearing(context.configuration, result_of(outcome, records.Clearing), now(), outcome.replayed)


async def clearing_by_id(context: Context, id: int) -> PointsClearing | None:
    """A clearing, as far as the caller may see it."""
    async with context.read() as reader:
        found = await clearings.clearing(reader, id)
        if found is None or not reader.sees(found.for_institution):
            return None
        return to_clearing(reader.configuration, found, reader.at)


async def cleared_by_id(context: Context, id: int) -> ClearedPoints | None:
    """What a clearing took of a customer, as far as the caller may see it."""
    found = await context.loaders.movements.load(id)
    if found is None or found.kind is not MovementKind.CLEAR:
        return None
    async with context.read() as reader:
        run = await clearings.clearing(reader, found.subject or 0)
    return None if run is None else to_cleared(context.configuration, found)  # a customer who left is cleared as well


def to_cleared(configuration: Configuration, movement: records.Movement) -> ClearedPoints:
    return ClearedPoints(
        record=movement,
        of=configuration.currencies[configuration.currency_codes[movement.currency]],
        id=strawberry.ID(ids.text(ids.TAKEN, movement.id)),
        posted_at=movement.at,
        sequence=str(movement.id),
    )


def to_clearing(
    configuration: Configuration, run: records.Clearing, at: datetime, replayed: bool = False
) -> PointsClearing:
    of = configuration.currencies[configuration.currency_codes[run.currency]]

    def shown(units: int) -> Decimal:
        return Decimal(render(units, of.scale))

    return PointsClearing(
        of=of,
        id=strawberry.ID(ids.text(ids.CLEARING, run.id)),
        status=run.status_at(at),
        scope=run.scope,
        earned_before=run.earned_before,
        starts_at=run.starts_at,
        reason=run.reason,
        created_at=run.at,
        ended_at=run.ended_at,
        accounts=run.accounts,
        cleared=shown(run.cleared),
        pinned=shown(run.pinned),
        without_age=shown(run.ageless),
        replayed=replayed,
    )
