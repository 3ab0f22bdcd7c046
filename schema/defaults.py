"""Defaults: nets that were not paid, who bears them, and what the debtor pays later."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import defaults as core
from hub import ids, unpaid_nets
from hub.configuration import Configuration
from hub.defaults import DefaultStatus, DefaultStepKind
from hub.ledger import commands
from hub.money import format_millionths
from hub.waterfall import Source
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason, decimal
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.windows import SettlementWindow, WindowResult, to_window, window_by_id

publish(
    DefaultStatus,
    "DefaultStatus",
    "The life of a net that was not paid.",
    PROPOSED="One person has said so.",
    REJECTED="It was ended, and the net is due as before.",
    DECLARED="It is a receivable; pay-outs of its currency in its window wait.",
    COVERED="It is settled who bears it, and the pay-outs go on.",
    REPAID="The debtor has paid all of it after all.",
)
publish(
    DefaultStepKind,
    "DefaultStepKind",
    "What was done about a net that was not paid, in the order of the waterfall.",
    PROPOSED="One person said that it was not paid.",
    REJECTED="That was ended.",
    DECLARED="Another person agreed: the net became a receivable.",
    COLLATERAL="The debtor's collateral was drawn on.",
    FUND="The default fund was drawn on: the debtor's own contribution, then the others' in proportion to them.",
    CUT="The pay-outs were cut in proportion to them.",
    COVERED="All of it is borne.",
    REPAID="The debtor paid: who was cut gets it first, then the fund, then the debtor's collateral.",
)
publish(
    Source,
    "LossSource",
    "What bears a net that was not paid, in this order; what comes later goes the other way round.",
    COLLATERAL="The debtor's collateral.",
    OWN_FUND="The debtor's own contribution to the default fund.",
    FUND="The others' contributions, in proportion to them.",
    CUT="The pay-outs of the currency in the window, in proportion to them.",
)


@strawberry.type(description="What one institution bears of a net that was not paid.")
class LossShare:
    record: strawberry.Private[core.Borne]
    source: Source = strawberry.field(description="Out of what.")
    amount: Decimal = strawberry.field(description="How much.")
    repaid: Decimal = strawberry.field(description="What of it came back.")
    advanced: bool = strawberry.field(
        description="Whether it is the operator's, in place of those who had been paid before the default."
    )

    @field("Who bears it.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)


@strawberry.type(description="One thing that was done about a net that was not paid.")
class DefaultStep:
    record: strawberry.Private[core.DefaultStep]
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    kind: DefaultStepKind = strawberry.field(description="What.")
    amount: Decimal = strawberry.field(description="With how much.")
    at: datetime = strawberry.field(description="When.")
    person: str = strawberry.field(description="Whose key it was.")
    value_date: str | None = strawberry.field(description="The bank's value date of what was paid.")
    reference: str | None = strawberry.field(description="The bank's reference of what was paid.")

    @field("Why, where somebody had to say so.")
    async def text(self, info: Info) -> str | None:
        return await info.context.loaders.memos.load(self.record.id)


@strawberry.type(description="A net that was not paid.")
class Default:
    record: strawberry.Private[core.Default]
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    currency: str = strawberry.field(description="ISO 4217.")
    amount: Decimal = strawberry.field(description="What was not paid.")
    repaid: Decimal = strawberry.field(description="What of it the debtor has paid since.")
    outstanding: Decimal = strawberry.field(description="What the debtor still owes of it.")
    status: DefaultStatus = strawberry.field(description="Where it is in its life.")
    proposed_at: datetime = strawberry.field(description="When it was first said.")

    @field("Whose net it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)

    @field("The window that it is of.")
    async def window(self, info: Info) -> SettlementWindow | None:
        found = await info.context.loaders.windows.load(self.record.window)
        return None if found is None else to_window(found)

    @field("Who bears how much of it, as far as the caller sees them.")
    def shares(self, info: Info) -> list[LossShare]:
        return [_to_share(one, self.currency) for one in self.record.borne if info.context.sees(one.institution)]

    @field("What was done about it, in order; for who sees the debtor from within.")
    async def steps(self, info: Info) -> list[DefaultStep]:
        if not info.context.sees(self.record.institution):
            return []
        async with info.context.read() as reader:
            found = await unpaid_nets.steps(reader, {self.record.id})
            configuration = reader.configuration
        first = core.DefaultStep(
            id=self.record.id,
            of=self.record.id,
            kind=DefaultStepKind.PROPOSED,
            credential=self.record.credential,
            amount=self.record.amount,
            at=self.record.at,
        )
        return [_to_step(configuration, one, self.currency) for one in (first, *found.get(self.record.id, ()))]


DefaultResult = Annotated[
    Default | Refused, strawberry.union("DefaultResult", description="The default as it is now, or why not.")
]


@strawberry.input(description="A net that was due and is not paid.")
class ProposeDefaultInput:
    window_id: strawberry.ID = strawberry.field(description="The window, which is the next to be settled.")
    institution: str = strawberry.field(description="The code of whose net it is.")
    currency: str = strawberry.field(description="ISO 4217.")
    reason: str = strawberry.field(description="What is known, for the record; not blank.")


@strawberry.input(description="What a debtor has paid of what it was declared not to have.")
class RepayDefaultInput:
    default_id: strawberry.ID = strawberry.field(description="The default.")
    amount: Decimal = strawberry.field(description="In whole minor units, at most what is outstanding.")
    value_date: str | None = strawberry.field(default=None, description="The bank's value date, such as 2026-01-31.")
    reference: str = strawberry.field(description="The bank's reference.")


@strawberry.type
class DefaultQuery:
    @field(
        "Nets that were not paid, the newest first: of the caller's institution and those below it, and those of which "
        "these bear something. For the operator's callers all."
    )
    async def defaults(
        self,
        info: Info,
        window_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this window.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Default]:
        wanted = page(first, after, tuple[int])
        before = None if wanted.after is None else wanted.after[0]
        context = info.context
        async with context.read() as reader:
            seen = {node for node in reader.configuration.institutions if context.sees(node)}
            of = None if reader.viewer.sees_all else seen
            window = None if window_id is None else ids.number(window_id, ids.WINDOW) or 0
            found = await unpaid_nets.defaults(reader, window, of, before, wanted.rows)
        return connect(found, wanted, to_default, lambda one: (one.id,))


@strawberry.type
class DefaultMutation:
    @mutation("Say that a net that is due was not paid. Another person has to agree. By the operator.")
    async def propose_default(
        self, info: Info, input: Annotated[ProposeDefaultInput, strawberry.argument(description="The net.")]
    ) -> DefaultResult:
        command = commands.ProposeDefault(
            actor=info.context.actor,
            window=ids.number(input.window_id, ids.WINDOW),
            institution=input.institution,
            currency=input.currency,
            reason=input.reason,
        )
        return await _submit(info.context, command)

    @mutation(
        "Declare a net unpaid: it becomes a receivable, and the pay-outs of its currency in its window wait. By "
        "another person of the operator's than who proposed it."
    )
    async def approve_default(self, info: Info, id: Id) -> DefaultResult:
        return await _submit(
            info.context, commands.ApproveDefault(actor=info.context.actor, id=ids.number(id, ids.DEFAULT))
        )

    @mutation("End the proposal to declare a net unpaid. By the operator.")
    async def reject_default(self, info: Info, id: Id, reason: Reason) -> DefaultResult:
        command = commands.RejectDefault(actor=info.context.actor, id=ids.number(id, ids.DEFAULT), reason=reason)
        return await _submit(info.context, command)

    @mutation(
        "Let the nets that were declared unpaid be borne: by the debtor's collateral, by the default fund, and by "
        "cutting the pay-outs, which then go on. When every other pay-in of the currency has come. By the operator."
    )
    async def cover_defaults(
        self,
        info: Info,
        window_id: Annotated[strawberry.ID, strawberry.argument(description="The window.")],
        currency: Annotated[str, strawberry.argument(description="ISO 4217.")],
    ) -> WindowResult:
        context, window = info.context, ids.number(window_id, ids.WINDOW)
        outcome = await context.submit(commands.CoverDefaults(actor=context.actor, window=window, currency=currency))
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        found = await window_by_id(context, window)
        if found is None:
            raise LookupError("the window of an outcome is gone")
        return to_window(found)

    @mutation(
        "Record that a debtor has paid something of what it was declared not to have. Who was cut gets it first, then "
        "the default fund, then the debtor's collateral. By the operator."
    )
    async def repay_default(
        self, info: Info, input: Annotated[RepayDefaultInput, strawberry.argument(description="The payment.")]
    ) -> DefaultResult:
        command = commands.RepayDefault(
            actor=info.context.actor,
            id=ids.number(input.default_id, ids.DEFAULT),
            amount=decimal(input.amount),
            value_date=input.value_date,
            reference=input.reference,
        )
        return await _submit(info.context, command)


async def _submit(context: Context, command: commands.Command) -> Default | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_default(result_of(outcome, core.Default))


def to_default(default: core.Default) -> Default:
    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, default.currency))

    return Default(
        record=default,
        id=strawberry.ID(ids.text(ids.DEFAULT, default.id)),
        currency=default.currency,
        amount=shown(default.amount),
        repaid=shown(default.repaid),
        outstanding=shown(default.outstanding),
        status=default.status,
        proposed_at=default.at,
    )


def _to_share(borne: core.Borne, currency: str) -> LossShare:
    return LossShare(
        record=borne,
        source=borne.source,
        amount=Decimal(format_millionths(borne.amount, currency)),
        repaid=Decimal(format_millionths(borne.repaid, currency)),
        advanced=borne.advanced,
    )


def _to_step(configuration: Configuration, step: core.DefaultStep, currency: str) -> DefaultStep:
    if step.at is None:
        raise ValueError("a step of no time")
    return DefaultStep(
        record=step,
        id=strawberry.ID(ids.text(ids.DEFAULT_STEP, step.id)),
        kind=step.kind,
        amount=Decimal(format_millionths(step.amount, currency)),
        at=step.at,
        person=configuration.credentials[step.credential].person,
        value_date=step.value_date,
        reference=step.reference,
    )
