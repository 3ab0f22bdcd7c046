"""Relocations: a currency's balances on their way from the hub to a partner who keeps them from then on, or back."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, keepers, relocations
from hub.configuration import Configuration
from hub.currencies import PointCurrency as Currency
from hub.errors import Refusal
from hub.ledger import commands, opening, records
from hub.ledger.commands import Command
from hub.ledger.opening import ENDED, RelocationStatus
from hub.points import render
from hub.reading import Reader
from schema.adapters import reach
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.directory import PointCurrency, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id
from schema.node import Node
from schema.refusals import Refused, refusal_of, refused, result_of
from schema.scalars import JSON, Decimal

publish(
    RelocationStatus,
    "RelocationStatus",
    "The life of a relocation.",
    PROPOSED="The adapter's configuration was checked; nothing has changed yet.",
    APPROVED="By another person; from its time on nothing new is begun with the currency.",
    FIXED="Nothing is under way any more, and no balance changes from here on.",
    COMPARED="The partner's balance of every customer is on record.",
    MOVING="There is no way back: customer after customer is moved.",
    DONE="The balances are kept where they were to go.",
    CANCELLED="It was ended before, and everything goes on where it was.",
)


@strawberry.type(description="Something of a currency that is under way, and that a relocation waits for.")
class RelocationWait:
    what: str = strawberry.field(
        description="holds, freezes, quotes, exchanges, debts, pools, frozenAccounts, endedLots or clearings. More may "
        "come."
    )
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="A customer of whose points a partner has more or less than the hub.")
class BalanceDifference:
    who: strawberry.Private[records.Customer]
    ours: Decimal = strawberry.field(description="What the hub has.")
    theirs: Decimal = strawberry.field(description="What the partner has.")

    @field("The customer.")
    def customer(self) -> Customer:
        return to_customer(self.who)


@strawberry.type(
    description="A currency's balances on their way to another keeper. They are fixed at one place in the journal, "
    "compared customer by customer, and moved only if nothing differs or two persons accept what does."
)
class Relocation(Node):
    of: strawberry.Private[Currency]
    run: strawberry.Private[opening.Relocation]
    status: RelocationStatus = strawberry.field(description="Where it is.")
    leaves: str = strawberry.field(description='Who keeps the balances before: "hosted", or an adapter.')
    adapter: str = strawberry.field(description="Who keeps them afterwards.")
    starts_at: datetime = strawberry.field(description="From when on nothing new is begun, once it is approved.")
    memo: str = strawberry.field(description="Why, in the words of who proposed it.")
    proposed_by: str | None = strawberry.field(description="The person who proposed it, for the operator's eyes.")
    approved_by: str | None = strawberry.field(description="The person who approved it, for the operator's eyes.")
    created_at: datetime = strawberry.field(description="When it was proposed.")
    ended_at: datetime | None = strawberry.field(description="When it was done or cancelled.")
    round: int = strawberry.field(description="How often the partner's balances were read; the last time counts.")
    customers: int = strawberry.field(description="How many customers were compared so far.")
    ours: Decimal = strawberry.field(description="What the hub has of their points.")
    theirs: Decimal = strawberry.field(description="What the partner has of them.")
    differing: int = strawberry.field(description="Of how many customers the two differ.")
    more: Decimal = strawberry.field(description="What the partner has more of some.")
    less: Decimal = strawberry.field(description="What it has less of others.")
    accepted: bool = strawberry.field(description="Whether two persons have accepted what differs.")
    moved: Decimal = strawberry.field(description="How many points have been moved.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("What it waits for before the balances can be fixed, or moved; nothing once it has ended.")
    async def waits_for(self, info: Info) -> list[RelocationWait]:
        if self.run.status in ENDED:
            return []
        async with info.context.read() as reader:
            of = reader.configuration.currency(self.of.code)
            found = {} if of is None else await relocations.waits(reader, of)
        return [RelocationWait(what=what, count=count) for what, count in sorted(found.items())]

    @field("Customers of whose points a partner that is to keep them has more or less than the hub.")
    async def differences(self, info: Info, first: First = 50, after: After = None) -> Connection[BalanceDifference]:
        wanted = page(first, after, "differences", tuple[int])
        start, scale = 0 if wanted.after is None else wanted.after[0], self.of.scale
        async with info.context.read() as reader:
            found = await relocations.differences(reader, self.run, start, wanted.rows)

        def shown(one: tuple[records.Customer, opening.OpeningBalance]) -> BalanceDifference:
            who, balance = one
            ours, theirs = (Decimal(render(units, scale)) for units in (balance.ours, balance.theirs))
            return BalanceDifference(who=who, ours=ours, theirs=theirs)

        return connect(found, wanted, shown, lambda one: (one[0].id,))


RelocationResult = Annotated[
    Relocation | Refused,
    strawberry.union("RelocationResult", description="The relocation as it is now, or why nothing was done."),
]


@strawberry.input(description="Where a currency's balances are to go.")
class ProposeRelocationInput:
    currency: str = strawberry.field(description="The currency's code.")
    adapter: str = strawberry.field(description='Who is to keep them: an adapter; or "hosted", the hub.')
    adapter_config: JSON | None = strawberry.field(
        default=None, description='What the partner adapter needs, see `adapters`; nothing for "hosted".'
    )
    starts_at: datetime | None = strawberry.field(
        default=None, description="From when on nothing new is begun. Default: as soon as it is approved."
    )
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.input(description="Differences, named so that nobody accepts what he has not read.")
class AcceptDifferencesInput:
    relocation_id: strawberry.ID = strawberry.field(description="The relocation.")
    differing: int = strawberry.field(description="Of how many customers the balances differ.")
    more: Decimal = strawberry.field(description="What the partner has more.")
    less: Decimal = strawberry.field(description="What it has less.")


@strawberry.type
class RelocationQuery:
    @field("The relocation with this identifier, for those who see the currency's issuer from within.")
    async def relocation(self, info: Info, id: Id) -> Relocation | None:
        return await relocation_by_id(info.context, ids.number(id, ids.RELOCATION) or 0)

    @field("A currency's relocations, the newest first, for those who see its issuer from within.")
    async def relocations(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The currency's code.")],
        first: First = 50,
        after: After = None,
    ) -> Connection[Relocation]:
        wanted = page(first, after, "relocations", tuple[int])
        found: list[opening.Relocation] = []
        async with info.context.read() as reader:
            of = reader.configuration.currency(currency)
            if of is not None and reader.sees(of.issuer):
                before = None if wanted.after is None else wanted.after[0]
                found = await relocations.of_currency(reader, of.code, before, wanted.rows)
            shown = [to_relocation(reader.configuration, one, names=reader.viewer.sees_all) for one in found]
        return connect(shown, wanted, lambda one: one, lambda one: (one.run.id,))


@strawberry.type
class RelocationMutation:
    @mutation(
        "Propose that another keeper takes a currency's balances over. The partner is asked whether it answers. By an "
        "administrator of the currency's issuer or of one above it, or by the operator."
    )
    async def propose_relocation(
        self,
        info: Info,
        input: Annotated[ProposeRelocationInput, strawberry.argument(description="Where to, and when.")],
    ) -> RelocationResult:
        context = info.context
        async with context.read() as reader:
            of = reader.configuration.currency(input.currency)
            issuer = "" if of is None else reader.configuration.institutions[of.issuer].code
        try:
            reached = await reach(context, input.adapter, input.adapter_config, issuer)
            if of is not None and reached is not None:
                await keepers.probe(context.adapters, of, input.adapter, reached.sealed)
        except Refusal as refusal:
            return refused(refusal, context.incoming.language)
        command = commands.ProposeRelocation(
            actor=context.actor,
            currency=input.currency,
            adapter=input.adapter,
            connection=reached,
            starts_at=input.starts_at,
            reason=input.reason,
        )
        return await _submit(context, command)

    @mutation(
        "Approve a relocation: from its time on nothing new is begun with the currency, and what is under way ends. By "
        "the operator, another person than proposed it."
    )
    async def approve_relocation(self, info: Info, id: Id) -> RelocationResult:
        return await _submit(info.context, commands.ApproveRelocation(actor=info.context.actor, id=_number(id)))

    @mutation(
        "Let no balance of the currency change any more, once nothing is under way; refused with what it waits for. "
        "By the operator."
    )
    async def fix_balances(self, info: Info, id: Id) -> RelocationResult:
        return await _submit(info.context, commands.FixBalances(actor=info.context.actor, id=_number(id)))

    @mutation("Accept what differs; it counts once two persons of the operator's have.")
    async def accept_differences(
        self,
        info: Info,
        input: Annotated[AcceptDifferencesInput, strawberry.argument(description="Which differences.")],
    ) -> RelocationResult:
        command = commands.AcceptDifferences(
            actor=info.context.actor,
            id=_number(input.relocation_id),
            differing=input.differing,
            more=input.more,
            less=input.less,
        )
        return await _submit(info.context, command)

    @mutation("Begin to move the points; there is no way back. The hub works it off by itself. By the operator.")
    async def complete_relocation(self, info: Info, id: Id) -> RelocationResult:
        return await _submit(info.context, commands.CompleteRelocation(actor=info.context.actor, id=_number(id)))

    @mutation(
        "End a relocation whose completion has not begun; everything goes on where it was. By an administrator of the "
        "currency's issuer or of one above it, or by the operator."
    )
    async def cancel_relocation(
        self, info: Info, id: Id, reason: Annotated[str, strawberry.argument(description="Why, for the record.")]
    ) -> RelocationResult:
        command = commands.CancelRelocation(actor=info.context.actor, id=_number(id), reason=reason)
        return await _submit(info.context, command)


def _number(id: str) -> int | None:
    return ids.number(id, ids.RELOCATION)


async def _submit(context: Context, command: Command) -> Relocation | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    run = result_of(outcome, opening.Relocation)
    return to_relocation(context.configuration, run, names=context.viewer.sees_all)


async def relocation_by_id(context: Context, id: int) -> Relocation | None:
    """A relocation, as far as the caller may see it."""
    async with context.read() as reader:
        found = await relocations.relocation(reader, id)
        if found is None or not _is_visible(reader, found):
            return None
        return to_relocation(reader.configuration, found, names=reader.viewer.sees_all)


def _is_visible(reader: Reader, run: opening.Relocation) -> bool:
    of = reader.configuration.currency(run.currency)
    return of is not None and reader.sees(of.issuer)


def to_relocation(configuration: Configuration, run: opening.Relocation, *, names: bool) -> Relocation:
    of = configuration.currencies[configuration.currency_codes[run.currency]]

    def shown(units: int) -> Decimal:
        return Decimal(render(units, of.scale))

    def person(credential: int | None) -> str | None:
        return configuration.credentials[credential].person if names and credential is not None else None

    return Relocation(
        of=of,
        run=run,
        id=strawberry.ID(ids.text(ids.RELOCATION, run.id)),
        status=run.status,
        leaves=run.leaves,
        adapter=run.adapter,
        starts_at=run.starts_at,
        memo=run.reason,
        proposed_by=person(run.credential),
        approved_by=person(run.approved_by),
        created_at=run.at,
        ended_at=run.ended_at,
        round=run.round,
        customers=run.customers,
        ours=shown(run.ours),
        theirs=shown(run.theirs),
        differing=run.differing,
        more=shown(run.more),
        less=shown(run.less),
        accepted=run.accepted,
        moved=shown(run.moved),
    )
