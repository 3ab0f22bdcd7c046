"""Quotes: firm offers of a conversion, a look at one that binds nobody, and converting at a quote."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups
from hub.configuration import Configuration
from hub.ledger import commands, records
from schema.amounts import Money, Points, to_money, to_points
from schema.context import Context, Info
from schema.conversions import Conversion, ConversionResult, to_conversion, to_conversion_result
from schema.fields import field, mutation
from schema.inputs import BY, CHANNEL, KEY, CustomerInput, Id, decimal, party
from schema.node import Node
from schema.rates import Rate, to_rate
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal


@strawberry.type(description="A firm offer: these figures, until it expires, for one use.")
class Quote(Node):
    record: strawberry.Private[records.Quote]
    source: Points = strawberry.field(description="What is given.")
    target: Points = strawberry.field(description="What is received, bonus included.")
    bonus: Points = strawberry.field(description="What of it is bonus.")
    fee: Money = strawberry.field(description="What the source's issuer is charged.")
    settlement: Money = strawberry.field(description="What the source's issuer pays the target's.")
    expires_at: datetime = strawberry.field(description="The first instant at which it is over.")

    @field("The rate version that it is pinned to.")
    def rate(self, info: Info) -> Rate:
        configuration = info.context.configuration
        return to_rate(configuration, configuration.rates[self.record.rate])

    @field("The conversion that was made of it.")
    async def used_by(self, info: Info) -> Conversion | None:
        if self.record.used_by is None:
            return None
        found = await info.context.loaders.conversions.load(self.record.used_by)
        return None if found is None else to_conversion(info.context.configuration, found)


@strawberry.type(description="What a conversion would come to now. It binds nobody.")
class Preview:
    record: strawberry.Private[records.Quote]
    source: Points = strawberry.field(description="What would be given.")
    target: Points = strawberry.field(description="What would be received, bonus included.")
    bonus: Points = strawberry.field(description="What of it would be bonus.")
    fee: Money = strawberry.field(description="What the source's issuer would be charged.")
    settlement: Money = strawberry.field(description="What the source's issuer would pay the target's.")

    @field("The rate version in force.")
    def rate(self, info: Info) -> Rate:
        configuration = info.context.configuration
        return to_rate(configuration, configuration.rates[self.record.rate])


QuoteResult = Annotated[
    Quote | Refused, strawberry.union("QuoteResult", description="The offer, or why there is none.")
]
PreviewResult = Annotated[
    Preview | Refused, strawberry.union("PreviewResult", description="The figures, or why it would be refused.")
]


@strawberry.input(description="A conversion to be quoted.")
class RequestQuoteInput:
    source: CustomerInput = strawberry.field(description="Whose points are to be given.")
    target: CustomerInput = strawberry.field(description="Who is to receive.")
    source_currency: str = strawberry.field(description="The code of the currency that is given.")
    target_currency: str = strawberry.field(description="The code of the currency that it becomes.")
    source_amount: Decimal = strawberry.field(description="How many points are given.")


@strawberry.input(description="Which quote to convert at.")
class ExecuteQuoteInput:
    idempotency_key: str = strawberry.field(description=KEY)
    quote_id: strawberry.ID = strawberry.field(description="The quote.")
    channel: str | None = strawberry.field(default=None, description=CHANNEL)
    by: CustomerInput | None = strawberry.field(default=None, description=BY)


@strawberry.type
class QuoteQuery:
    @field("What a conversion would come to now; binding nobody, and needing no balance.")
    async def preview_conversion(
        self, info: Info, input: Annotated[RequestQuoteInput, strawberry.argument(description="The conversion.")]
    ) -> PreviewResult:
        context = info.context
        outcome = await context.look(quote_command(context, input, binding=False))
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_preview(context.configuration, result_of(outcome, records.Quote))

    @field("A quote; visible at both ends.")
    async def quote(self, info: Info, id: Id) -> Quote | None:
        return await quote_by_id(info.context, ids.number(id, ids.QUOTE))


@strawberry.type
class QuoteMutation:
    @mutation(
        "Ask for a firm offer. It reserves nothing under limits, which count when it is executed. By a trader of the "
        "source customer's institution or above it, or by the operator."
    )
    async def request_quote(
        self, info: Info, input: Annotated[RequestQuoteInput, strawberry.argument(description="The conversion.")]
    ) -> QuoteResult:
        context = info.context
        outcome = await context.submit(quote_command(context, input, binding=True))
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_quote(context.configuration, result_of(outcome, records.Quote))

    @mutation("Convert at a quote's figures, whatever the rate is now. By whoever may ask for such a quote.")
    async def execute_quote(
        self, info: Info, input: Annotated[ExecuteQuoteInput, strawberry.argument(description="The quote.")]
    ) -> ConversionResult:
        command = commands.ExecuteQuote(
            actor=info.context.actor,
            key=input.idempotency_key,
            quote=ids.number(input.quote_id, ids.QUOTE),
            channel=input.channel,
            by=None if input.by is None else party(input.by),
        )
        return to_conversion_result(info.context, await info.context.submit(command))


def quote_command(context: Context, input: RequestQuoteInput, *, binding: bool) -> commands.RequestQuote:
    return commands.RequestQuote(
        actor=context.actor,
        source=party(input.source),
        target=party(input.target),
        source_currency=input.source_currency,
        target_currency=input.target_currency,
        amount=decimal(input.source_amount),
        ttl_seconds=context.settings.quote_ttl_seconds,
        binding=binding,
    )


async def quote_by_id(context: Context, id: int | None) -> Quote | None:
    """The quote with this identifier, if there is one for the caller."""
    async with context.read() as reader:
        found = None if id is None else await lookups.quote(reader, id)
        if found is None or not reader.sees(found.source.institution, found.target.institution):
            return None
        return to_quote(reader.configuration, found)


def to_quote(configuration: Configuration, offer: records.Quote) -> Quote:
    rate, figures = configuration.rates[offer.rate], offer.figures
    source, target = configuration.currencies[rate.source], configuration.currencies[rate.target]
    return Quote(
        record=offer,
        id=strawberry.ID(ids.text(ids.QUOTE, offer.id)),
        source=to_points(figures.source, source),
        target=to_points(figures.target, target),
        bonus=to_points(figures.bonus, target),
        fee=to_money(figures.fee, rate.money),
        settlement=to_money(figures.settlement, rate.money),
        expires_at=offer.expires_at,
    )


def to_preview(configuration: Configuration, offer: records.Quote) -> Preview:
    rate, figures = configuration.rates[offer.rate], offer.figures
    source, target = configuration.currencies[rate.source], configuration.currencies[rate.target]
    return Preview(
        record=offer,
        source=to_points(figures.source, source),
        target=to_points(figures.target, target),
        bonus=to_points(figures.bonus, target),
        fee=to_money(figures.fee, rate.money),
        settlement=to_money(figures.settlement, rate.money),
    )
