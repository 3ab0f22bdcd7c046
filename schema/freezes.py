"""Freezes: points of a customer that must not be spent until somebody decides about them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import strawberry

from hub import holdings, ids
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger import commands, records
from hub.ledger.commands import Command, FreezeOutcome
from hub.ledger.records import HoldKind, HoldStatus
from hub.points import render
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, owner_of, to_customer
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import KEY, After, CustomerInput, First, Id, decimal, party
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    FreezeOutcome,
    "FreezeOutcome",
    "What becomes of a freeze.",
    RELEASE="Its points are free again.",
    REMOVE="Its points are taken away, and what was missing is taken from what is available, owed, or written off.",
)


class FreezeStatus(StrEnum):
    """A freeze's life; it is decided once."""

    FROZEN = "FROZEN"
    RELEASED = "RELEASED"
    REMOVED = "REMOVED"


publish(
    FreezeStatus,
    "FreezeStatus",
    str(FreezeStatus.__doc__),
    FROZEN="Its points are not to be spent.",
    RELEASED="Its points are free again.",
    REMOVED="Its points were taken away.",
)
_STATUS = {HoldStatus.HELD: FreezeStatus.FROZEN, HoldStatus.CAPTURED: FreezeStatus.REMOVED}


@strawberry.type(description="Points of a customer that must not be spent until somebody decides about them.")
class Freeze(Node):
    record: strawberry.Private[records.Hold]
    of: strawberry.Private[PointCurrency]
    points: Points = strawberry.field(description="What was to be frozen.")
    frozen: Decimal = strawberry.field(description="What of it was available, and was frozen.")
    shortfall: Decimal = strawberry.field(description="What of it was not there.")
    status: FreezeStatus = strawberry.field(description="Where it stands.")
    created_at: datetime = strawberry.field(description="When it was made.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("Whose points they are.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)

    @field("What was taken away in the end: what was frozen, and of the shortfall what was available by then.")
    async def removed(self, info: Info) -> Decimal:
        if self.record.status is not HoldStatus.CAPTURED:
            return Decimal("0")
        gone = await self._missing(info.context)
        return self._shown(self.record.amount + self.record.shortfall - gone.debt - gone.written_off)

    @field("What the customer came to owe by it.")
    async def debt(self, info: Info) -> Decimal:
        return self._shown((await self._missing(info.context)).debt)

    @field("What was given up.")
    async def written_off(self, info: Info) -> Decimal:
        return self._shown((await self._missing(info.context)).written_off)

    async def _missing(self, context: Context) -> records.Missing:
        return await context.loaders.missing.load(self.record.resolved_by or 0)

    def _shown(self, units: int) -> Decimal:
        return Decimal(render(units, self.of.scale))


FreezeResult = Annotated[
    Freeze | Refused, strawberry.union("FreezeResult", description="The freeze as it is now, or why not.")
]


@strawberry.input(description="Points to freeze.")
class FreezePointsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    customer: CustomerInput = strawberry.field(description="Whose points.")
    amount: Decimal = strawberry.field(description="How many; of these, what is available is frozen.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.input(description="A freeze to decide.")
class ResolveFreezeInput:
    idempotency_key: str = strawberry.field(description=KEY)
    freeze_id: strawberry.ID = strawberry.field(description="The freeze.")
    outcome: FreezeOutcome = strawberry.field(description="What becomes of it.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class FreezeQuery:
    @field(
        "The freeze with this identifier, for those who see the customer's institution, who froze, or the points' "
        "issuer."
    )
    async def freeze(self, info: Info, id: Id) -> Freeze | None:
        return await freeze_by_id(info.context, ids.number(id, ids.FREEZE) or 0)

    @field(
        "A customer's freezes, the newest first, for those who see the customer's institution; of one currency also "
        "for those who see its issuer."
    )
    async def freezes(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        currency: Annotated[str | None, strawberry.argument(description="Only of this point currency.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Freeze]:
        wanted = page(first, after, "freezes", tuple[int])
        found: list[records.Hold] = []
        async with info.context.read() as reader:
            configuration = reader.configuration
            of = configuration.currency(currency or "")
            owner = await owner_of(reader, customer, *([] if of is None else [of.issuer]))
            if owner is not None:
                before = None if wanted.after is None else wanted.after[0]
                found = await holdings.holds(reader, HoldKind.FREEZE, owner.id, currency, before, wanted.rows)
        return connect(found, wanted, lambda one: to_freeze(configuration, one), lambda one: (one.id,))


@strawberry.type
class FreezeMutation:
    @mutation(
        "Freeze points, as on a return or a suspicion: what is available of them, and the rest is kept as a shortfall. "
        "By a trader of the currency's issuer, or of the customer's institution or one above it, or by the operator."
    )
    async def freeze_points(
        self, info: Info, input: Annotated[FreezePointsInput, strawberry.argument(description="The points.")]
    ) -> FreezeResult:
        command = commands.FreezePoints(
            actor=info.context.actor,
            key=input.idempotency_key,
            currency=input.currency,
            customer=party(input.customer),
            amount=decimal(input.amount),
            reason=input.reason,
        )
        return await _submit(info.context, command)

    @mutation(
        "Decide a freeze. It is released by a trader of who froze or of one above, and points are removed by one of "
        "their issuer alone; the issuer and the operator may do both."
    )
    async def resolve_freeze(
        self, info: Info, input: Annotated[ResolveFreezeInput, strawberry.argument(description="The decision.")]
    ) -> FreezeResult:
        command = commands.ResolveFreeze(
            actor=info.context.actor,
            key=input.idempotency_key,
            freeze=ids.number(input.freeze_id, ids.FREEZE),
            outcome=input.outcome,
            reason=input.reason,
        )
        return await _submit(info.context, command)


async def _submit(context: Context, command: Command) -> Freeze | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_freeze(context.configuration, result_of(outcome, records.HoldAct).hold, outcome.replayed)


async def freeze_by_id(context: Context, id: int) -> Freeze | None:
    """A freeze, as far as the caller may see it."""
    async with context.read() as reader:
        found = await holdings.hold(reader, HoldKind.FREEZE, id)
        if found is None:
            return None
        of = reader.configuration.currencies[reader.configuration.currency_codes[found.currency]]
        if not reader.sees(found.customer.institution, found.for_institution, of.issuer):
            return None
        return to_freeze(reader.configuration, found)


def to_freeze(configuration: Configuration, held: records.Hold, replayed: bool = False) -> Freeze:
    of = configuration.currencies[configuration.currency_codes[held.currency]]
    return Freeze(
        record=held,
        of=of,
        id=strawberry.ID(ids.text(ids.FREEZE, held.id)),
        points=to_points(held.amount + held.shortfall, of),
        frozen=Decimal(render(held.amount, of.scale)),
        shortfall=Decimal(render(held.shortfall, of.scale)),
        status=_STATUS.get(held.status, FreezeStatus.RELEASED),
        created_at=held.at,
        replayed=replayed,
    )
