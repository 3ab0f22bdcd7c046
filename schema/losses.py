"""Losses: cycles of rates in which an issuer loses money, for the operator to see before it approves one."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import losses
from hub.clock import now
from hub.points import PRICE_SCALE, half_up
from schema.amounts import Money, to_price
from schema.context import Info
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.fields import field


@strawberry.type(
    description="A cycle of point currencies by which an issuer loses money each time that somebody converts around "
    "it, though no points multiply."
)
class LosingCycle:
    record: strawberry.Private[losses.Losing]

    @field("The currencies in their order, the first one again at the end.")
    def currencies(self, info: Info) -> list[PointCurrency]:
        found = info.context.configuration.currencies
        return [to_currency(found[id]) for id in self.record.currencies]

    @field("Who loses.")
    def issuer(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.issuer)

    @field(
        "What it loses at settlement prices for one point of the first currency, without fees and with bonuses at "
        "their best; points that are lost on the way count at the first one's unit value. Half up to twelve decimals."
    )
    def loss(self) -> Money:
        exact = self.record.loss * 10**PRICE_SCALE
        return to_price(half_up(exact.numerator, exact.denominator), self.record.money)


@strawberry.type(description="The losing cycles that were found.")
class LosingCycles:
    cycles: list[LosingCycle] = strawberry.field(description="Shorter ones first.")
    is_whole: bool = strawberry.field(
        description="Whether these are all; where very many currencies are exchanged the search ends before."
    )


@strawberry.type
class LossQuery:
    @field("The losing cycles of the rates in force, for the operator; none for anybody else.")
    async def losing_cycles(
        self,
        info: Info,
        at: Annotated[datetime | None, strawberry.argument(description="At which instant. Default: now.")] = None,
    ) -> LosingCycles:
        async with info.context.read() as reader:
            if not reader.viewer.sees_all:
                return to_losing(None)
            return to_losing(losses.losing_at(reader.configuration, at or now()))


def to_losing(found: losses.Found | None) -> LosingCycles:
    cycles = () if found is None else found.cycles
    return LosingCycles(cycles=[LosingCycle(record=one) for one in cycles], is_whole=found is None or found.is_whole)
