"""Restrictions: freezes of a customer's accounts as such, and a customer's leaving."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import freezes, ids
from hub.ledger import commands, records
from hub.ledger.commands import Command
from hub.ledger.records import RestrictionKind
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, owner_of, to_customer
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import KEY, After, CustomerInput, First, party
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of

publish(
    RestrictionKind,
    "RestrictionKind",
    "What was done to a customer's accounts as such.",
    FREEZE="Nothing leaves them; what is credited arrives.",
    UNFREEZE="Their freeze was ended.",
    CLOSE="The customer has left: they were cleared, and nothing comes or goes any more.",
)


@strawberry.type(description="One line of the history of a customer's restrictions.")
class Restriction(Node):
    record: strawberry.Private[records.Restriction]
    kind: RestrictionKind = strawberry.field(description="What was done.")
    created_at: datetime = strawberry.field(description="When.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("Whose accounts.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)

    @field("Of which currency; null: all, also those that are opened later.")
    def currency(self, info: Info) -> PointCurrency | None:
        of = info.context.configuration.currency(self.record.currency)
        return None if of is None else to_currency(of)

    @field("Who has it so, and may end it.")
    def by(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.for_institution)

    @field("What was cleared when the customer left, by currency.")
    async def cleared(self, info: Info) -> list[Points]:
        if self.record.kind is not RestrictionKind.CLOSE:
            return []
        configuration = info.context.configuration
        found = await info.context.loaders.cleared.load(self.record.id)
        return [
            to_points(moved.amount, configuration.currencies[configuration.currency_codes[moved.currency]])
            for moved in found
        ]


RestrictionResult = Annotated[
    Restriction | Refused, strawberry.union("RestrictionResult", description="What was done, or why nothing was.")
]


@strawberry.input(description="Accounts of a customer to freeze, or to free.")
class FreezeAccountInput:
    idempotency_key: str = strawberry.field(description=KEY)
    customer: CustomerInput = strawberry.field(description="Whose accounts.")
    currency: str | None = strawberry.field(
        default=None, description="The point currency's code. Default: all, also those that are opened later."
    )
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.input(description="A customer who leaves.")
class CloseCustomerInput:
    idempotency_key: str = strawberry.field(description=KEY)
    customer: CustomerInput = strawberry.field(description="Who.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class RestrictionQuery:
    @field("The history of a customer's restrictions, the newest first, for those who see the customer's institution.")
    async def restrictions(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        first: First = 50,
        after: After = None,
    ) -> Connection[Restriction]:
        wanted = page(first, after, "restrictions", tuple[int])
        found: list[records.Restriction] = []
        async with info.context.read() as reader:
            owner = await owner_of(reader, customer)
            if owner is not None:
                before = None if wanted.after is None else wanted.after[0]
                found = await freezes.restrictions(reader, owner.id, before, wanted.rows)
        return connect(found, wanted, to_restriction, lambda one: (one.id,))


@strawberry.type
class RestrictionMutation:
    @mutation(
        "Freeze an account, or all of a customer's: nothing leaves it for its customer, and credits arrive. By a "
        "trader of the customer's institution or of one above it, or by the operator; an account of one currency also "
        "by a trader of its issuer."
    )
    async def freeze_account(
        self, info: Info, input: Annotated[FreezeAccountInput, strawberry.argument(description="The accounts.")]
    ) -> RestrictionResult:
        return await _submit(info.context, _of_account(commands.FreezeAccount, info.context, input))

    @mutation(
        "End a freeze of an account, or of all of a customer's; each ends by itself. By a trader of the institution "
        "that froze or of one above it, or by the operator."
    )
    async def unfreeze_account(
        self, info: Info, input: Annotated[FreezeAccountInput, strawberry.argument(description="The accounts.")]
    ) -> RestrictionResult:
        return await _submit(info.context, _of_account(commands.UnfreezeAccount, info.context, input))

    @mutation(
        "Clear a customer who leaves: free points go to their issuers' breakage, and nothing comes or goes any more. "
        "What is held, frozen, owed or another issuer's is in the way. By a trader of the customer's institution or of "
        "one above it, or by the operator, who clears other issuers' points as well."
    )
    async def close_customer(
        self, info: Info, input: Annotated[CloseCustomerInput, strawberry.argument(description="The customer.")]
    ) -> RestrictionResult:
        command = commands.CloseCustomer(
            actor=info.context.actor,
            key=input.idempotency_key,
            customer=party(input.customer),
            reason=input.reason,
        )
        return await _submit(info.context, command)


def _of_account(
    kind: type[commands.FreezeAccount | commands.UnfreezeAccount], context: Context, input: FreezeAccountInput
) -> Command:
    return kind(
        actor=context.actor,
        key=input.idempotency_key,
        customer=party(input.customer),
        currency=input.currency,
        reason=input.reason,
    )


async def _submit(context: Context, command: Command) -> Restriction | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_restriction(result_of(outcome, records.Restriction), outcome.replayed)


async def restriction_by_id(context: Context, id: int) -> Restriction | None:
    """A restriction, as far as the caller may see it: of the customer's institution from within, or of its own."""
    async with context.read() as reader:
        found = await freezes.restriction(reader, id)
        if found is None or not reader.sees(found.customer.institution, found.for_institution):
            return None
        return to_restriction(found)


def to_restriction(made: records.Restriction, replayed: bool = False) -> Restriction:
    return Restriction(
        record=made,
        id=strawberry.ID(ids.text(ids.RESTRICTION, made.id)),
        kind=made.kind,
        created_at=made.at,
        replayed=replayed,
    )
