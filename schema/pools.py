"""Pools: points that a family or a company shares, their members, and what these put in and take out."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, pools
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger import commands, records
from hub.ledger.commands import Command
from hub.ledger.records import MovementKind, PoolKind, PoolRight
from hub.reading import Reader
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import CHANNEL, KEY, After, CustomerInput, First, decimal, party
from schema.issues import known
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    PoolKind,
    "PoolKind",
    "Whose points a pool's are.",
    FAMILY="A family's.",
    CORPORATE="A company's.",
)
publish(
    PoolRight,
    "PoolRight",
    "What a member may do in a pool.",
    CONTRIBUTE="Put its own points in.",
    SPEND="Spend what is there.",
    MANAGE="Let members in and out, and say what they may do.",
)


@strawberry.type(description="A member of a pool.")
class PoolMember:
    record: strawberry.Private[pools.Member]
    rights: list[PoolRight] = strawberry.field(description="What it may do there.")

    @field("Who it is.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)

    @field("What is left in the pool of what it has put in, by currency; it takes that back when it leaves.")
    async def contributions(self, info: Info) -> list[Points]:
        given = await info.context.loaders.contributions.load(self.record.membership.pool)
        configuration = info.context.configuration
        mine = given.get(self.record.customer.id, {})
        return [
            to_points(units, of)
            for currency, units in sorted(mine.items())
            if (of := configuration.currency(currency)) is not None
        ]


@strawberry.type(description="A customer whose points its members share. For those who see its institution.")
class Pool(Node):
    record: strawberry.Private[records.Pool]
    kind: PoolKind = strawberry.field(description="Whose points they are.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("The customer that it is, with what it holds.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)

    @field("Who has all rights in it, always.")
    def owner(self) -> Customer:
        return to_customer(self.record.owner)

    @field("Its members.")
    async def members(self, info: Info, first: First = 50, after: After = None) -> Connection[PoolMember]:
        wanted = page(first, after, "members", tuple[int])
        async with info.context.read() as reader:
            start = 0 if wanted.after is None else wanted.after[0]
            found = await pools.members(reader, self.record.id, start, wanted.rows)
        return connect(found, wanted, to_member, lambda one: (one.customer.id,))


@strawberry.type(
    description="Points that a member put into a pool. Whoever leaves takes back what is left; before, it is reversed "
    "as far as the pool has points that this member put in."
)
class PoolContribution(Node):
    record: strawberry.Private[records.Movement]
    currency: strawberry.Private[PointCurrency]
    posted_at: datetime = strawberry.field(description="When.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")
    sequence: str = strawberry.field(description="Its place in the order of all acts, as a decimal number.")

    @field("What was put in.")
    def points(self) -> Points:
        return to_points(self.record.amount, self.currency)

    @field("Who put it in.")
    def member(self) -> Customer:
        return to_customer(known(self.record.source))

    @field("The customer that the pool is.")
    def pool(self) -> Customer:
        return to_customer(known(self.record.target))


PoolResult = Annotated[Pool | Refused, strawberry.union("PoolResult", description="The pool as it is now, or why not.")]
ContributeToPoolResult = Annotated[
    PoolContribution | Refused,
    strawberry.union("ContributeToPoolResult", description="What was put in, or why nothing was."),
]

THE_POOL = "The pool, as its institution knows it."


@strawberry.input(description="A new pool.")
class CreatePoolInput:
    idempotency_key: str = strawberry.field(description=KEY)
    institution: str = strawberry.field(description="The code of the pool's institution.")
    reference: str = strawberry.field(description="What the institution is to call the pool; no customer's reference.")
    kind: PoolKind = strawberry.field(description="Whose points they are.")
    owner: CustomerInput = strawberry.field(
        description="Its first member, with all rights: a customer of the institution or of one below it."
    )


@strawberry.input(description="A new member of a pool.")
class JoinPoolInput:
    pool: CustomerInput = strawberry.field(description=THE_POOL)
    member: CustomerInput = strawberry.field(
        description="Who joins: a customer of the pool's institution or of one below it."
    )
    rights: list[PoolRight] = strawberry.field(description="What it may do there.")
    by: CustomerInput = strawberry.field(description="The member that lets it in, with the right to MANAGE.")


@strawberry.input(description="Other rights of a member of a pool.")
class SetPoolRightsInput:
    pool: CustomerInput = strawberry.field(description=THE_POOL)
    member: CustomerInput = strawberry.field(description="Whose rights; not the owner's.")
    rights: list[PoolRight] = strawberry.field(description="What it may do there from now on.")
    by: CustomerInput = strawberry.field(description="The member that says so, with the right to MANAGE.")


@strawberry.input(description="The end of a membership.")
class LeavePoolInput:
    idempotency_key: str = strawberry.field(description=KEY)
    pool: CustomerInput = strawberry.field(description=THE_POOL)
    member: CustomerInput = strawberry.field(
        description="Who leaves, and takes back what is left of what it has put in and nothing holds; not the owner."
    )
    by: CustomerInput | None = strawberry.field(
        default=None, description="The member that puts it out, with the right to MANAGE. Default: it leaves by itself."
    )


@strawberry.input(description="Points that a member puts into a pool.")
class ContributeToPoolInput:
    idempotency_key: str = strawberry.field(description=KEY)
    pool: CustomerInput = strawberry.field(description=THE_POOL)
    member: CustomerInput = strawberry.field(description="Who puts them in, with the right to CONTRIBUTE.")
    currency: str = strawberry.field(description="The point currency's code.")
    amount: Decimal = strawberry.field(description="How many.")
    memo: str | None = strawberry.field(default=None, description="A note for both statements.")
    channel: str | None = strawberry.field(default=None, description=CHANNEL)


@strawberry.type
class PoolQuery:
    @field("The pool that an institution knows by this reference, for those who see the institution.")
    async def pool(
        self,
        info: Info,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
        reference: Annotated[str, strawberry.argument(description="What the institution calls the pool.")],
    ) -> Pool | None:
        async with info.context.read() as reader:
            home = reader.configuration.institution(institution)
            found = None if home is None else await lookups.customer(reader, home.id, reference)
            return None if found is None else await _seen(reader, found.id)


@strawberry.type
class PoolMutation:
    @mutation("Make a pool, a customer of an institution. By a trader of it or of one above it, or by the operator.")
    async def create_pool(
        self, info: Info, input: Annotated[CreatePoolInput, strawberry.argument(description="The pool.")]
    ) -> PoolResult:
        command = commands.CreatePool(
            actor=info.context.actor,
            key=input.idempotency_key,
            pool=commands.Party(input.institution, input.reference),
            kind=input.kind,
            owner=party(input.owner),
        )
        return await _submit(info.context, command)

    @mutation("Let a member into a pool. By a trader of the pool's institution or of one above it, or by the operator.")
    async def join_pool(
        self, info: Info, input: Annotated[JoinPoolInput, strawberry.argument(description="The member.")]
    ) -> PoolResult:
        return await _submit(info.context, _with_rights(commands.JoinPool, info.context, input))

    @mutation(
        "Say what a member may do in a pool. By a trader of the pool's institution or of one above it, or by the "
        "operator."
    )
    async def set_pool_rights(
        self, info: Info, input: Annotated[SetPoolRightsInput, strawberry.argument(description="The rights.")]
    ) -> PoolResult:
        return await _submit(info.context, _with_rights(commands.SetPoolRights, info.context, input))

    @mutation(
        "End a membership; the member takes back what is left of what it has put in. By a trader of the pool's "
        "institution or of one above it, or by the operator."
    )
    async def leave_pool(
        self, info: Info, input: Annotated[LeavePoolInput, strawberry.argument(description="Who leaves.")]
    ) -> PoolResult:
        command = commands.LeavePool(
            actor=info.context.actor,
            key=input.idempotency_key,
            pool=party(input.pool),
            member=party(input.member),
            by=None if input.by is None else party(input.by),
        )
        return await _submit(info.context, command)

    @mutation(
        "Put a member's points into a pool. By a trader of the member's institution or of one above it, or by the "
        "operator."
    )
    async def contribute_to_pool(
        self, info: Info, input: Annotated[ContributeToPoolInput, strawberry.argument(description="The points.")]
    ) -> ContributeToPoolResult:
        context = info.context
        command = commands.ContributeToPool(
            actor=context.actor,
            key=input.idempotency_key,
            pool=party(input.pool),
            member=party(input.member),
            currency=input.currency,
            amount=decimal(input.amount),
            memo=input.memo,
            channel=input.channel,
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_contribution(context.configuration, result_of(outcome, records.Movement), outcome.replayed)


def _with_rights(
    kind: type[commands.JoinPool | commands.SetPoolRights], context: Context, input: JoinPoolInput | SetPoolRightsInput
) -> Command:
    return kind(
        actor=context.actor,
        pool=party(input.pool),
        member=party(input.member),
        rights=tuple(input.rights),
        by=party(input.by),
    )


async def _submit(context: Context, command: Command) -> Pool | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_pool(result_of(outcome, records.PoolAct).pool, outcome.replayed)


async def _seen(reader: Reader, id: int) -> Pool | None:
    found = await pools.pool(reader, id)
    return None if found is None or not reader.sees(found.customer.institution) else to_pool(found)


async def pool_by_id(context: Context, id: int) -> Pool | None:
    """The pool with this identifier, if there is one for the caller."""
    async with context.read() as reader:
        return await _seen(reader, id)


async def contribution_by_id(context: Context, id: int) -> PoolContribution | None:
    """The contribution with this identifier, if there is one for the caller."""
    found = await context.loaders.movements.load(id)
    if found is None or found.kind is not MovementKind.CONTRIBUTE:
        return None
    return to_contribution(context.configuration, found)


def to_pool(pool: records.Pool, replayed: bool = False) -> Pool:
    return Pool(record=pool, id=strawberry.ID(ids.text(ids.POOL, pool.id)), kind=pool.kind, replayed=replayed)


def to_member(member: pools.Member) -> PoolMember:
    return PoolMember(record=member, rights=list(member.membership.rights or ()))


def to_contribution(
    configuration: Configuration, movement: records.Movement, replayed: bool = False
) -> PoolContribution:
    return PoolContribution(
        record=movement,
        id=strawberry.ID(ids.text(ids.CONTRIBUTION, movement.id)),
        currency=configuration.currencies[configuration.currency_codes[movement.currency]],
        posted_at=movement.at,
        replayed=replayed,
        sequence=str(movement.id),
    )
