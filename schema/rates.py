"""Rates: versions of the terms on which one point currency becomes another, and how one comes into force."""

from datetime import datetime

import strawberry

from hub import ids, losses, rates
from hub.clock import now
from hub.configuration import Configuration
from schema.amounts import Money, Ratio, to_money, to_percent, to_price, to_units
from schema.context import Info
from schema.directory import PointCurrency, to_currency
from schema.enums import publish
from schema.fields import field
from schema.losses import LosingCycles, to_losing
from schema.node import Node
from schema.scalars import Decimal
from schema.versions import VersionStatus

publish(
    rates.Life,
    "Life",
    "How long converted points live. Points that come back to a currency in which they have been end when they would "
    "have ended there.",
    TARGET_POLICY="By the target currency's own policy.",
    CARRIED="For what is left of the source's; where the source never ends, by the target's policy.",
)
publish(
    rates.Funding,
    "BonusFunding",
    "Who gives a bonus.",
    SOURCE_ISSUER="The source's issuer, who pays for it like for the rest.",
    TARGET_ISSUER="The target's issuer, without being paid for it.",
)
publish(
    rates.Step,
    "RateStep",
    "Whose word a proposed rate still needs.",
    SOURCE_ISSUER="The source's issuer accepts it.",
    TARGET_ISSUER="The target's issuer accepts it.",
    OPERATOR="Another person than the proposer approves it for the operator.",
)


@strawberry.type(
    description="A bonus on top of a rate: a percentage of the base target amount, or an amount per whole block of "
    "source points. Each is rounded down by itself."
)
class RateBonus:
    percent: Decimal | None = strawberry.field(description="Percent of the base target amount; 30 means 30 %.")
    cap: Decimal | None = strawberry.field(
        description="How many source points of one customer count, over the bonus' validity."
    )
    per_block: Decimal | None = strawberry.field(description="Target points for each whole block.")
    block: Decimal | None = strawberry.field(description="Source points in a block.")
    funded_by: rates.Funding = strawberry.field(description="Who gives it.")
    starts: datetime | None = strawberry.field(name="from", description="When it begins; null: with the rate.")
    until: datetime | None = strawberry.field(description="The first instant at which it is over.")


@strawberry.type(description="One version of the terms on which one point currency becomes another. Never edited.")
class Rate(Node):
    record: strawberry.Private[rates.Rate]
    version: int = strawberry.field(description="Numbered from 1 for each pair of currencies.")
    status: VersionStatus = strawberry.field(description="Where it is in its life.")
    awaiting: list[rates.Step] = strawberry.field(description="Whose word it still needs.")
    minimum: Decimal | None = strawberry.field(description="The least source points in one go.")
    maximum: Decimal | None = strawberry.field(description="The most source points in one go.")
    step: Decimal | None = strawberry.field(description="Source points come in multiples of it.")
    fee_percent: Decimal | None = strawberry.field(
        description="The fee's part in percent of the settlement value; 30 means 30 %."
    )
    effective_from: datetime | None = strawberry.field(
        description="When it starts; null until it is approved, if that is when it is to start."
    )
    effective_until: datetime | None = strawberry.field(description="The first instant at which it is over.")
    life: rates.Life = strawberry.field(description="How long the target points live.")
    allows_cashout: bool = strawberry.field(
        description="Whether points that cannot become money may become points that can."
    )
    outflow_limit: Decimal | None = strawberry.field(
        description="The most target points that it credits in one settlement window; reversals give back to theirs."
    )
    proposed_by: str = strawberry.field(description="The person who proposed it.")
    accepted_by: list[str] = strawberry.field(description="The persons who accepted it for the issuers.")
    decided_by: str | None = strawberry.field(description="The person who approved, rejected or withdrew it.")

    @field(
        "The losing cycles through its pair, as all stands when it is in force: what the operator looks at before it "
        "approves it. None for anybody else, nor of a version that has ended."
    )
    def losing_cycles(self, info: Info) -> LosingCycles:
        over = self.record.status in (VersionStatus.REJECTED, VersionStatus.WITHDRAWN)
        if over or not info.context.viewer.sees_all:
            return to_losing(None)
        return to_losing(losses.losing_with(info.context.configuration, self.record, now()))

    @field("What is given.")
    def source(self, info: Info) -> PointCurrency:
        return to_currency(info.context.configuration.currencies[self.record.source])

    @field("What it becomes.")
    def target(self, info: Info) -> PointCurrency:
        return to_currency(info.context.configuration.currencies[self.record.target])

    @field("Target points per source points.")
    def ratio(self) -> Ratio:
        return Ratio(numerator=str(self.record.numerator), denominator=str(self.record.denominator))

    @field(
        "The fee's fixed part. The fee is charged to the source's issuer: fixed + per source point + percent of the "
        "settlement value, then the cap; rounded half up to the millionth."
    )
    def fee_fixed(self) -> Money | None:
        return _money(self.record.fee_fixed, self.record.money)

    @field("The fee's part per source point.")
    def fee_per_point(self) -> Money | None:
        value = self.record.fee_per_point
        return None if value is None else to_price(value, self.record.money)

    @field("The most that the fee comes to.")
    def fee_cap(self) -> Money | None:
        return _money(self.record.fee_cap, self.record.money)

    @field("What is given on top.")
    def bonuses(self, info: Info) -> list[RateBonus]:
        currencies = info.context.configuration.currencies
        scales = (currencies[self.record.source].scale, currencies[self.record.target].scale)
        return [to_bonus(bonus, *scales) for bonus in self.record.bonuses]

    @field(
        "What the source's issuer pays the target's for each target point, bonuses included that the source's issuer "
        "gives; rounded half up to the millionth."
    )
    def settlement_price(self) -> Money:
        return to_price(self.record.price, self.record.money)


def to_rate(configuration: Configuration, rate: rates.Rate) -> Rate:
    scale = configuration.currencies[rate.source].scale
    return Rate(
        record=rate,
        id=strawberry.ID(ids.text(ids.RATE, rate.id)),
        version=rate.version,
        status=rate.status,
        awaiting=list(rate.awaiting),
        minimum=to_units(rate.minimum, scale),
        maximum=to_units(rate.maximum, scale),
        step=to_units(rate.step, scale),
        fee_percent=None if rate.fee_percent is None else to_percent(rate.fee_percent),
        effective_from=rate.starts,
        effective_until=rate.ends,
        life=rate.life,
        allows_cashout=rate.allows_cashout,
        outflow_limit=to_units(rate.outflow_limit, configuration.currencies[rate.target].scale),
        proposed_by=rate.proposed_by,
        accepted_by=list(rate.accepted_by),
        decided_by=rate.decided_by,
    )


def to_bonus(bonus: rates.Bonus, source_scale: int, target_scale: int) -> RateBonus:
    return RateBonus(
        percent=None if bonus.percent is None else to_percent(bonus.percent),
        cap=to_units(bonus.cap, source_scale),
        per_block=to_units(bonus.per_block, target_scale),
        block=to_units(bonus.block, source_scale),
        funded_by=bonus.funded_by,
        starts=bonus.starts,
        until=bonus.ends,
    )


def _money(millionths: int | None, currency: str) -> Money | None:
    return None if millionths is None else to_money(millionths, currency)
