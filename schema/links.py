"""Links: customers of two institutions who are one person, as both institutions say. Visible to both sides only."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, names
from hub.ledger import commands, records
from hub.ledger.records import LinkStatus
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import KEY, After, CustomerInput, First, Id, Reason, party
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of

publish(
    LinkStatus,
    "CustomerLinkStatus",
    "The life of a link. Only an active one says that two customers are one person.",
    PROPOSED="One institution has vouched for its customer's consent; the other has yet to.",
    ACTIVE="Both have.",
    ENDED="One of them has taken its word back.",
    REJECTED="It was ended before it was accepted.",
)
Key = Annotated[str, strawberry.argument(description=KEY)]


@strawberry.type(description="One step in a link's life.")
class CustomerLinkChange:
    step: strawberry.Private[records.Step]
    status: LinkStatus = strawberry.field(description="Where the link was after it.")
    at: datetime = strawberry.field(description="When.")

    @field("Whose word it was.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.step.for_institution)

    @field("The evidence of a proposal, or the reason of an end.")
    async def memo(self, info: Info) -> str | None:
        return await info.context.loaders.memos.load(self.step.id)


@strawberry.type(
    description="Customers of two institutions who are one person, by the consent that both institutions vouch for. It "
    "joins these two and nobody else. Points that are not transferable are converted to the same person only."
)
class CustomerLink(Node):
    record: strawberry.Private[records.Link]
    status: LinkStatus = strawberry.field(description="Where it is in its life; as it is now, replayed or not.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("The customer of the institution that proposed it.")
    def a(self) -> Customer:
        return to_customer(self.record.a)

    @field("The customer of the other institution.")
    def b(self) -> Customer:
        return to_customer(self.record.b)

    @field("Its whole life, the first step first.")
    def changes(self) -> list[CustomerLinkChange]:
        return [CustomerLinkChange(step=step, status=status, at=step.at) for status, step in self.record.changes]


CustomerLinkResult = Annotated[
    CustomerLink | Refused, strawberry.union("CustomerLinkResult", description="The link as it is now, or why not.")
]


@strawberry.input(description="Two customers who are one person.")
class ProposeCustomerLinkInput:
    idempotency_key: str = strawberry.field(description=KEY)
    a: CustomerInput = strawberry.field(description="The caller's customer, who has consented.")
    b: CustomerInput = strawberry.field(description="The other institution's customer.")
    evidence: str | None = strawberry.field(
        default=None, description="What proves the consent, such as the number of a form. Both institutions see it."
    )


@strawberry.type
class LinkQuery:
    @field("A customer's links, in the order in which they were proposed, as far as the caller sees one of the sides.")
    async def customer_links(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        status: Annotated[LinkStatus | None, strawberry.argument(description="Only links in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[CustomerLink]:
        wanted = page(first, after, "customer_links", tuple[int])
        found: list[records.Link] = []
        async with info.context.read() as reader:
            home = reader.configuration.institution(customer.institution)
            of = None if home is None else await lookups.customer(reader, home.id, customer.reference)
            if of is not None:
                found = [
                    link
                    for link in await names.links_of(reader, of.id)
                    if reader.sees(link.a.institution, link.b.institution)
                    and (status is None or link.status is status)
                    and (wanted.after is None or link.id > wanted.after[0])
                ]
        return connect(found[: wanted.rows], wanted, to_link, lambda one: (one.id,))


@strawberry.type
class LinkMutation:
    @mutation(
        "Propose that a customer of the caller's and one of another institution are one person. By a trader or an "
        "administrator of the first customer's institution or of one above it, or by the operator on its behalf."
    )
    async def propose_customer_link(
        self, info: Info, input: Annotated[ProposeCustomerLinkInput, strawberry.argument(description="The two.")]
    ) -> CustomerLinkResult:
        command = commands.ProposeLink(
            actor=info.context.actor,
            key=input.idempotency_key,
            a=party(input.a),
            b=party(input.b),
            evidence=input.evidence,
        )
        return await _answer(info, command)

    @mutation(
        "Say that the second customer has consented as well: the link is active. By a trader or an administrator of "
        "that customer's institution or of one above it; not by the operator, who does not know the customer."
    )
    async def accept_customer_link(self, info: Info, id: Id, idempotency_key: Key) -> CustomerLinkResult:
        command = commands.AcceptLink(actor=info.context.actor, key=idempotency_key, id=ids.number(id, ids.LINK))
        return await _answer(info, command)

    @mutation(
        "End an active link at once, or reject a proposed one. By a trader or an administrator of either customer's "
        "institution or of one above it, or by the operator."
    )
    async def end_customer_link(self, info: Info, id: Id, reason: Reason, idempotency_key: Key) -> CustomerLinkResult:
        command = commands.EndLink(
            actor=info.context.actor, key=idempotency_key, id=ids.number(id, ids.LINK), reason=reason
        )
        return await _answer(info, command)


async def link_by_id(context: Context, id: int) -> CustomerLink | None:
    """A link, as far as the caller may see it."""
    async with context.read() as reader:
        found = await names.link(reader, id)
        if found is None or not reader.sees(found.a.institution, found.b.institution):
            return None
    return to_link(found)


async def _answer(info: Info, command: commands.Command) -> CustomerLink | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_link(result_of(outcome, records.Link), outcome.replayed)


def to_link(link: records.Link, replayed: bool = False) -> CustomerLink:
    return CustomerLink(
        record=link, id=strawberry.ID(ids.text(ids.LINK, link.id)), status=link.status, replayed=replayed
    )
