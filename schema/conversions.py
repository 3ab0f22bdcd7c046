"""Conversions: points of one currency that became points of another. Visible at both ends."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, rates
from hub.access import Credential
from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency
from hub.errors import stored
from hub.ledger import commands, records
from hub.ledger.decide import Outcome
from hub.ledger.records import ConversionStatus
from hub.points import normalise
from schema.amounts import Money, Points, to_money, to_points
from schema.batches import homes, submit_rows
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import BY, CHANNEL, KEY, After, CustomerInput, First, Id, decimal, party
from schema.node import Node
from schema.rates import Rate, to_rate
from schema.refusals import Refused, refusal_of, refused, result_of
from schema.scalars import Decimal
from schema.shares import FeeShare, fee_shares_of
from schema.windows import SettlementWindow, to_window

publish(
    ConversionStatus,
    "ConversionStatus",
    "The life of a conversion.",
    PENDING="A partner has not answered yet.",
    COMPLETED="The points have arrived.",
    REFUSED="A partner refused, and nothing was changed.",
    REVERSED="All of it was reversed.",
    IN_DOUBT="It is unknown what a partner did; it is asked again.",
)


@strawberry.type(description="Points of one currency that became points of another.")
class Conversion(Node):
    record: strawberry.Private[records.Conversion]
    at_rate: strawberry.Private[rates.Rate]
    of_source: strawberry.Private[PointCurrency]
    of_target: strawberry.Private[PointCurrency]
    status: ConversionStatus = strawberry.field(description="Where it is in its life; as it is now, replayed or not.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    completed_at: datetime | None = strawberry.field(description="When the points arrived.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")
    sequence: str = strawberry.field(description="Its place in the order of all acts, as a decimal number.")

    @field("Why a partner refused it, if one did.")
    async def refusal(self, info: Info) -> Refused | None:
        if not self.with_partner or self.status not in (ConversionStatus.REFUSED, ConversionStatus.REVERSED):
            return None
        found = await info.context.loaders.exchanges.load(self.record.id)
        if found is None or found.refusal is None:
            return None
        return refused(stored(found.refusal, found.details or {}), info.context.incoming.language)

    @field("What was given.")
    def source(self) -> Points:
        return to_points(self.record.figures.source, self.of_source)

    @field("What was received, bonus included.")
    def target(self) -> Points:
        return to_points(self.record.figures.target, self.of_target)

    @field("What of it is bonus.")
    def bonus(self) -> Points:
        return to_points(self.record.figures.bonus, self.of_target)

    @field("What the source's issuer is charged.")
    def fee(self) -> Money:
        return to_money(self.record.figures.fee, self.at_rate.money)

    @field(
        "How a plan split the fee: the shares of the caller's institution and of those below it; all of them for who "
        "pays the fee. Empty without a plan, and before the fee is posted."
    )
    async def fee_shares(self, info: Info) -> list[FeeShare]:
        return await fee_shares_of(info.context, self.record.id, self.of_source.issuer)

    @field("What the source's issuer pays the target's.")
    def settlement(self) -> Money:
        return to_money(self.record.figures.settlement, self.at_rate.money)

    @field("The rate version that it was made at.")
    def rate(self, info: Info) -> Rate:
        return to_rate(info.context.configuration, self.at_rate)

    @property
    def with_partner(self) -> bool:
        """Whether a partner keeps one of its ends."""
        return self.of_source.adapter != HOSTED or self.of_target.adapter != HOSTED

    @field("The settlement window that its money falls into; null as long as it has not.")
    async def window(self, info: Info) -> SettlementWindow | None:
        window: int | None = self.record.window
        if self.with_partner:
            exchange = await info.context.loaders.exchanges.load(self.record.id)
            window = None if exchange is None else exchange.window
        found = None if window is None else await info.context.loaders.windows.load(window)
        return None if found is None else to_window(found)


ConversionResult = Annotated[
    Conversion | Refused, strawberry.union("ConversionResult", description="The conversion, or why there is none.")
]


@strawberry.input(description="A conversion at the rate of the moment.")
class ConvertInput:
    idempotency_key: str = strawberry.field(description=KEY)
    source: CustomerInput = strawberry.field(description="Whose points are given.")
    target: CustomerInput = strawberry.field(description="Who receives; enrolled if the institution has that so.")
    source_currency: str = strawberry.field(description="The code of the currency that is given.")
    target_currency: str = strawberry.field(description="The code of the currency that it becomes.")
    source_amount: Decimal = strawberry.field(description="How many points are given.")
    min_target_amount: Decimal | None = strawberry.field(
        default=None, description="The least that is to be received, bonus included; otherwise SLIPPAGE."
    )
    channel: str | None = strawberry.field(default=None, description=CHANNEL)
    by: CustomerInput | None = strawberry.field(default=None, description=BY)


@strawberry.type
class ConversionQuery:
    @field("A conversion.")
    async def conversion(self, info: Info, id: Id) -> Conversion | None:
        return await conversion_by_id(info.context, ids.number(id, ids.CONVERSION))

    @field(
        "Conversions that have an end at the caller's institution or below it, the newest first; the operator's: all."
    )
    async def conversions(
        self,
        info: Info,
        institution: Annotated[
            str | None, strawberry.argument(description="Only with an end at the institution of this code.")
        ] = None,
        status: Annotated[ConversionStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Conversion]:
        wanted = page(first, after, "conversions", tuple[int])
        found: list[records.Conversion] = []
        async with info.context.read() as reader:
            configuration = reader.configuration
            home = None if institution is None else configuration.institution(institution)
            if institution is None or home is not None:
                found = await lookups.conversions_page(
                    reader,
                    within(configuration, reader.viewer),
                    None if home is None else home.id,
                    status,
                    None if wanted.after is None else wanted.after[0],
                    wanted.rows,
                )
        return connect(found, wanted, lambda one: to_conversion(configuration, one), lambda one: (one.id,))


@strawberry.type
class ConversionMutation:
    @mutation(
        "Convert points. By a trader of the source customer's institution or of one above it, or by the operator."
    )
    async def convert(
        self, info: Info, input: Annotated[ConvertInput, strawberry.argument(description="The conversion.")]
    ) -> ConversionResult:
        outcome = await info.context.submit(convert_command(info.context.actor, input))
        return to_conversion_result(info.context, outcome)

    @mutation("Convert many: at most 10,000 rows, each standing alone, one result per row in order.")
    async def convert_batch(
        self, info: Info, input: Annotated[list[ConvertInput], strawberry.argument(description="The rows.")]
    ) -> list[ConversionResult]:
        context = info.context
        actor = context.actor
        rows = [convert_command(actor, row) for row in input]
        return [to_conversion_result(context, outcome) for outcome in await submit_rows(context, rows, sources)]


async def conversion_by_id(context: Context, id: int | None) -> Conversion | None:
    """The conversion with this identifier, if there is one for the caller."""
    async with context.read() as reader:
        found = None if id is None else (await lookups.conversions(reader, {id})).get(id)
        if found is None or not reader.sees(found.source.institution, found.target.institution):
            return None
        return to_conversion(reader.configuration, found)


def within(configuration: Configuration, viewer: Credential) -> set[int] | None:
    """The viewer's institution and all below it; None: the whole hub is open to it."""
    if viewer.sees_all:
        return None
    found, waiting = set(), [viewer.institution]
    while waiting:
        node = waiting.pop()
        found.add(node)
        waiting.extend(configuration.children.get(node, ()))
    return found


def convert_command(actor: int, input: ConvertInput) -> commands.Convert:
    return commands.Convert(
        actor=actor,
        key=input.idempotency_key,
        source=party(input.source),
        target=party(input.target),
        source_currency=input.source_currency,
        target_currency=input.target_currency,
        amount=normalise(input.source_amount),
        minimum_target=decimal(input.min_target_amount),
        channel=input.channel,
        by=None if input.by is None else party(input.by),
    )


def sources(configuration: Configuration, rows: Iterable[commands.Convert]) -> set[int]:
    """For whom rows trade: the source customers' institutions."""
    return homes(configuration, {((row.source_currency, row.target_currency), row.source.institution) for row in rows})


def to_conversion_result(context: Context, outcome: Outcome) -> Conversion | Refused:
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_conversion(context.configuration, result_of(outcome, records.Conversion), outcome.replayed)


def to_conversion(configuration: Configuration, conversion: records.Conversion, replayed: bool = False) -> Conversion:
    rate = configuration.rates[conversion.rate]
    return Conversion(
        record=conversion,
        at_rate=rate,
        of_source=configuration.currencies[rate.source],
        of_target=configuration.currencies[rate.target],
        id=strawberry.ID(ids.text(ids.CONVERSION, conversion.id)),
        status=conversion.status,
        created_at=conversion.at,
        completed_at=conversion.completed_at,
        replayed=replayed,
        sequence=str(conversion.id),
    )
