"""Holds: points that are promised until an instant, then captured or free again."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import holdings, ids
from hub.clock import now
from hub.configuration import Configuration
from hub.ledger import commands, records
from hub.ledger.commands import Command
from hub.ledger.records import HoldKind, HoldStatus
from hub.points import render
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, owner_of, to_customer
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import BY, CHANNEL, KEY, After, CustomerInput, First, Id, decimal, party
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    HoldStatus,
    "HoldStatus",
    "A hold's life; it is resolved once.",
    HELD="Its points are not to be spent.",
    CAPTURED="Its points, or a part of them, were taken; the rest is free.",
    RELEASED="It was ended, and its points are free.",
    EXPIRED="Its time is over, and its points are free.",
)


@strawberry.type(description="Points of a customer that are promised until an instant.")
class Hold(Node):
    record: strawberry.Private[records.Hold]
    points: Points = strawberry.field(description="What is held.")
    status: HoldStatus = strawberry.field(description="Where it stands now.")
    captured: Decimal = strawberry.field(description="What was taken of it.")
    expires_at: datetime = strawberry.field(description="The first instant at which it holds nothing any more.")
    created_at: datetime = strawberry.field(description="When it was made.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("Whose points they are.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)


HoldResult = Annotated[Hold | Refused, strawberry.union("HoldResult", description="The hold as it is now, or why not.")]


@strawberry.input(description="Points to hold.")
class HoldPointsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    customer: CustomerInput = strawberry.field(description="Whose points.")
    amount: Decimal = strawberry.field(description="How many.")
    expires_at: datetime = strawberry.field(
        description="Until when, at most as many days ahead as the currency's policy has it (holdDaysMax)."
    )
    memo: str | None = strawberry.field(default=None, description="A note for the customer's statement.")
    channel: str | None = strawberry.field(default=None, description=CHANNEL)
    by: CustomerInput | None = strawberry.field(default=None, description=BY)


@strawberry.input(description="A hold to take points of. The rest of it is free again.")
class CaptureHoldInput:
    idempotency_key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="The hold.")
    amount: Decimal | None = strawberry.field(default=None, description="How many. Default: all.")
    to: CustomerInput | None = strawberry.field(
        default=None, description="Who receives them. Default: they are burned."
    )
    merchant: str | None = strawberry.field(
        default=None,
        description="The code of the merchant at whom they are spent, and whom their issuer pays, as for a redemption.",
    )


@strawberry.input(description="A hold to end.")
class ReleaseHoldInput:
    idempotency_key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="The hold.")


@strawberry.type
class HoldQuery:
    @field("The hold with this identifier, for those who see the customer's institution.")
    async def hold(self, info: Info, id: Id) -> Hold | None:
        return await hold_by_id(info.context, ids.number(id, ids.HOLD) or 0)

    @field("A customer's holds, the newest first, for those who see the customer's institution.")
    async def holds(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        currency: Annotated[str | None, strawberry.argument(description="Only of this point currency.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Hold]:
        wanted = page(first, after, "holds", tuple[int])
        found: list[records.Hold] = []
        async with info.context.read() as reader:
            configuration, at = reader.configuration, reader.at
            owner = await owner_of(reader, customer)
            if owner is not None:
                before = None if wanted.after is None else wanted.after[0]
                found = await holdings.holds(reader, HoldKind.HOLD, owner.id, currency, before, wanted.rows)
        return connect(found, wanted, lambda one: to_hold(configuration, one, at), lambda one: (one.id,))


@strawberry.type
class HoldMutation:
    @mutation("Hold points. By a trader of the customer's institution or of one above it, or by the operator.")
    async def hold_points(
        self, info: Info, input: Annotated[HoldPointsInput, strawberry.argument(description="The points.")]
    ) -> HoldResult:
        command = commands.HoldPoints(
            actor=info.context.actor,
            key=input.idempotency_key,
            currency=input.currency,
            customer=party(input.customer),
            amount=decimal(input.amount),
            expires_at=input.expires_at,
            memo=input.memo,
            channel=input.channel,
            by=None if input.by is None else party(input.by),
        )
        return await _submit(info.context, command)

    @mutation(
        "Take held points, all or a part, to a customer, at a merchant, or to be burned. By a trader of the customer's "
        "institution or of one above it, or by the operator."
    )
    async def capture_hold(
        self, info: Info, input: Annotated[CaptureHoldInput, strawberry.argument(description="What to take.")]
    ) -> HoldResult:
        command = commands.CaptureHold(
            actor=info.context.actor,
            key=input.idempotency_key,
            hold=ids.number(input.hold_id, ids.HOLD),
            amount=decimal(input.amount),
            target=None if input.to is None else party(input.to),
            merchant=input.merchant,
        )
        return await _submit(info.context, command)

    @mutation("End a hold. By a trader of the customer's institution or of one above it, or by the operator.")
    async def release_hold(
        self, info: Info, input: Annotated[ReleaseHoldInput, strawberry.argument(description="The hold.")]
    ) -> HoldResult:
        command = commands.ReleaseHold(
            actor=info.context.actor, key=input.idempotency_key, hold=ids.number(input.hold_id, ids.HOLD)
        )
        return await _submit(info.context, command)


async def _submit(context: Context, command: Command) -> Hold | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    held = result_of(outcome, records.HoldAct).hold
    return to_hold(context.configuration, held, now(), outcome.replayed)


async def hold_by_id(context: Context, id: int) -> Hold | None:
    """A hold, as far as the caller may see it."""
    async with context.read() as reader:
        found = await holdings.hold(reader, HoldKind.HOLD, id)
        if found is None or not reader.sees(found.customer.institution):
            return None
        return to_hold(reader.configuration, found, reader.at)


def to_hold(configuration: Configuration, held: records.Hold, at: datetime, replayed: bool = False) -> Hold:
    of = configuration.currencies[configuration.currency_codes[held.currency]]
    return Hold(
        record=held,
        id=strawberry.ID(ids.text(ids.HOLD, held.id)),
        points=to_points(held.amount, of),
        status=held.status_at(at),
        captured=Decimal(render(held.captured, of.scale)),
        expires_at=held.expires_at,
        created_at=held.at,
        replayed=replayed,
    )
