"""Bindings: cards, numbers and telephones that name a customer, one at a time. Of their text nobody is told more than
the last four characters: whoever needs it has it, and whoever reads it here does not need it."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, names
from hub.ledger import commands, records
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, owner_of, to_customer
from schema.directory import Institution, institution_of
from schema.fields import field, mutation
from schema.inputs import KEY, After, CustomerInput, First, party
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of


@strawberry.type(description="A card, number or telephone that names a customer for a time.")
class Binding(Node):
    record: strawberry.Private[records.Binding]
    identifier: str = strawberry.field(
        description="Its last four characters; of a short one, or one that was erased, none."
    )
    starts: datetime = strawberry.field(name="from", description="Since when it has named the customer.")
    until: datetime | None = strawberry.field(description="The first instant at which it did not any more.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("Whose identifier it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.identifier.institution)

    @field("Whom it names, or named.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)

    @field("Why it was ended.")
    async def memo(self, info: Info) -> str | None:
        ended = self.record.ended
        return None if ended is None else await info.context.loaders.memos.load(ended.id)


BindingResult = Annotated[
    Binding | Refused, strawberry.union("BindingResult", description="The binding as it is now, or why not.")
]


@strawberry.input(description="An identifier that is to name a customer.")
class BindIdentifierInput:
    idempotency_key: str = strawberry.field(description=KEY)
    institution: str = strawberry.field(description="The code of the institution that knows the identifier.")
    identifier: str = strawberry.field(
        description="A card's or member's number, or a telephone's, as acts will name it."
    )
    customer: CustomerInput = strawberry.field(description="An enrolled customer of the same institution.")


@strawberry.input(description="An identifier that is to name nobody any more.")
class UnbindIdentifierInput:
    idempotency_key: str = strawberry.field(description=KEY)
    institution: str = strawberry.field(description="The code of the institution that knows the identifier.")
    identifier: str = strawberry.field(description="The identifier.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class BindingQuery:
    @field(
        "What has named a customer, and from when until when, the newest first; empty for whoever does not see the "
        "institution from within."
    )
    async def bindings(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        first: First = 50,
        after: After = None,
    ) -> Connection[Binding]:
        wanted = page(first, after, "bindings", tuple[int])
        found: list[records.Binding] = []
        async with info.context.read() as reader:
            owner = await owner_of(reader, customer)
            if owner is not None:
                before = None if wanted.after is None else wanted.after[0]
                found = await names.bindings_page(reader, owner.id, before, wanted.rows)
        return connect(found, wanted, to_binding, lambda one: (one.id,))


@strawberry.type
class BindingMutation:
    @mutation(
        "Let an identifier name a customer wherever a reference does, until it is unbound; ALREADY_BOUND while it "
        "names somebody, DUPLICATE if somebody is enrolled under it. By a trader of the institution or of one above "
        "it, or by the operator."
    )
    async def bind_identifier(
        self, info: Info, input: Annotated[BindIdentifierInput, strawberry.argument(description="The binding.")]
    ) -> BindingResult:
        command = commands.BindIdentifier(
            actor=info.context.actor,
            key=input.idempotency_key,
            identifier=commands.Party(input.institution, input.identifier),
            customer=party(input.customer),
        )
        return await _answer(info, command)

    @mutation(
        "Let an identifier name nobody. What was done under it stays. By a trader of the institution or of one above "
        "it, or by the operator."
    )
    async def unbind_identifier(
        self, info: Info, input: Annotated[UnbindIdentifierInput, strawberry.argument(description="The identifier.")]
    ) -> BindingResult:
        command = commands.UnbindIdentifier(
            actor=info.context.actor,
            key=input.idempotency_key,
            identifier=commands.Party(input.institution, input.identifier),
            reason=input.reason,
        )
        return await _answer(info, command)


async def binding_by_id(context: Context, id: int) -> Binding | None:
    """A binding, as far as the caller may see it."""
    async with context.read() as reader:
        found = await names.binding(reader, id)
        if found is None or not reader.sees(found.customer.institution):
            return None
    return to_binding(found)


async def _answer(info: Info, command: commands.Command) -> Binding | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_binding(result_of(outcome, records.Binding), outcome.replayed)


def to_binding(binding: records.Binding, replayed: bool = False) -> Binding:
    return Binding(
        record=binding,
        id=strawberry.ID(ids.text(ids.BINDING, binding.id)),
        identifier=binding.identifier.masked,
        starts=binding.made.at,
        until=None if binding.ended is None else binding.ended.at,
        replayed=replayed,
    )
