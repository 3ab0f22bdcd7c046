"""Unpaid nets: how nets that were not paid are shown, with who bears them and what was done about them."""

from datetime import datetime

import strawberry

from hub import defaults as core
from hub import ids, unpaid_nets
from hub.configuration import Configuration
from hub.defaults import DefaultStatus, DefaultStepKind
from hub.money import format_millionths
from hub.waterfall import Source
from schema.context import Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field
from schema.scalars import Decimal

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


@strawberry.type
class UnpaidNet:
    """All of a default but its window, which is a type that knows its defaults."""

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
