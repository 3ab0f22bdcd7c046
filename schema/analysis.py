"""Analysis: what came into circulation and went out of it, divided; and what of it is still owed for, as revenue.

For whoever sees a currency's issuer from within. Currencies are never added, and every division of one has the same
totals.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from hub import analysis, deferred, statements
from hub.analysis import FIGURES, Dimension, Flow
from hub.configuration import Configuration
from hub.currencies import PointCurrency as Currency
from hub.errors import InvalidAmount
from hub.points import MONEY_SCALE, PERCENT_SCALE, parse, render
from hub.reading import Reader
from schema.amounts import Money, Points, to_money, to_percent, to_points, to_price
from schema.context import Info
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.enums import publish
from schema.faults import BadInput
from schema.fields import field
from schema.movements import Code
from schema.scalars import Decimal
from schema.statements import check_order

PATH = "/analysis.parquet"
DIMENSIONS_MAX = 4
_INSTITUTIONS = frozenset({Dimension.INSTITUTION, Dimension.ACTING, Dimension.MERCHANT})

publish(
    Dimension,
    "AnalysisDimension",
    "What figures are divided by.",
    INSTITUTION="The institution of the customer whose points they are.",
    LEVEL="How many levels stand above that institution, as the tree is now; 0: the operator.",
    ZONE="The economic zone in which that institution was at the act.",
    ACTING="The institution that asked for the act.",
    MERCHANT="Where points were redeemed.",
    PRODUCT="The product that the act named.",
    CHANNEL="The channel over which the act came.",
    VERSION="The version of the rate or terms that priced the act, by its identifier; none: of acts at the unit value, "
    "and of the issuer's own.",
    DAY="The day of the act in the programme's time zone, as 2026-03-31.",
    MONTH="The month, as 2026-03.",
    YEAR="The year, as 2026.",
)


@strawberry.type(description="Which part of a dimension figures are of.")
class AnalysisPart:
    dimension: Dimension = strawberry.field(description="The dimension.")
    value: str | None = strawberry.field(
        description="An institution's code, a number of levels, or a name; null: of those acts to which none applies."
    )
    institution: Institution | None = strawberry.field(description="The institution, where the part is one.")


@strawberry.type(
    description="What came into circulation and went out of it, of one currency and part: circulation = issued + "
    "convertedIn - redeemed - convertedOut - expired + adjusted. Reversals count under what they take back."
)
class PointsFigures:
    record: strawberry.Private[Flow]
    of: strawberry.Private[Currency]
    parts: list[AnalysisPart] = strawberry.field(description="Of which part of each dimension, as they were asked for.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("What its issuer gave.")
    def issued(self) -> Decimal:
        return _units(self.record.issued, self.of)

    @field("What other currencies became.")
    def converted_in(self) -> Decimal:
        return _units(self.record.converted_in, self.of)

    @field("What was spent at merchants.")
    def redeemed(self) -> Decimal:
        return _units(self.record.redeemed, self.of)

    @field("What became other currencies.")
    def converted_out(self) -> Decimal:
        return _units(self.record.converted_out, self.of)

    @field("Breakage: what was cleared, or not spent in its time.")
    def expired(self) -> Decimal:
        return _units(self.record.expired, self.of)

    @field(
        "What changed circulation otherwise: points removed after a freeze, debts forgiven, and what partners' books "
        "and the hub's were made to agree by."
    )
    def adjusted(self) -> Decimal:
        return _units(self.record.adjusted, self.of)

    @field("The change in what customers hold; from the beginning on, what they hold.")
    def circulation(self) -> Points:
        return to_points(self.record.circulation, self.of)

    @field("The circulation at the unit value; over a currency's parts it sums to that of the whole.")
    def liability(self) -> Money:
        return to_money(self.record.liability, self.of.money)


@strawberry.type(
    description="What a programme has been paid for points that it still has to honour, after IFRS 15 (B39 to B47), "
    "with all that explains it: deferred = allocated - recognised."
)
class DeferredRevenue:
    record: strawberry.Private[deferred.DeferredRevenue]
    of: strawberry.Private[Currency]
    at: datetime = strawberry.field(description="The instant; what was posted at it counts.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("All points that came into circulation: issued, converted into it, and adjusted.")
    def issued(self) -> Decimal:
        return _units(self.record.points.issued, self.of)

    @field("What of them was honoured: spent at merchants, or converted out of it.")
    def redeemed(self) -> Decimal:
        return _units(self.record.points.redeemed, self.of)

    @field("What of them expired or was cleared.")
    def expired(self) -> Decimal:
        return _units(self.record.points.expired, self.of)

    @field("What customers hold: issued - redeemed - expired.")
    def outstanding(self) -> Decimal:
        return _units(self.record.points.outstanding, self.of)

    @field("What part of all points issued is expected never to be redeemed, in percent.")
    def breakage_percent(self) -> Decimal:
        return to_percent(self.record.breakage)

    @field("Whether that was given; otherwise it is what part of the points whose fate is known has expired.")
    def breakage_is_estimated(self) -> bool:
        return self.record.is_estimated

    @field(
        "How many points are expected to be redeemed in all: issued less that part, but not less than were redeemed "
        "and not more than have not expired."
    )
    def expected_redeemed(self) -> Decimal:
        return _units(self.record.expected_redeemed, self.of)

    @field("The value of one point, at which all is counted.")
    def unit_value(self) -> Money:
        return to_price(self.of.unit_value, self.of.money)

    @field("What is allocated to the points: expectedRedeemed at the unit value.")
    def allocated(self) -> Money:
        return to_money(self.record.allocated, self.of.money)

    @field("What of it has become revenue: redeemed at the unit value.")
    def recognised(self) -> Money:
        return to_money(self.record.recognised, self.of.money)

    @field("What has not: the contract liability.")
    def deferred(self) -> Money:
        return to_money(self.record.deferred, self.of.money)


@strawberry.type
class AnalysisQuery:
    @field(
        "What came into circulation and went out of it over a past period, in parts by all dimensions together, "
        "ordered by currency and part. Of the currencies whose issuers the caller sees from within. Without a "
        "dimension: one row a currency. The same is served as Parquet at /analysis.parquet?by=CHANNEL&by=MONTH, with "
        "`currency`, `from` and `until` likewise."
    )
    async def points_analysis(
        self,
        info: Info,
        by: Annotated[list[Dimension] | None, strawberry.argument(description="At most four dimensions.")] = None,
        currency: Annotated[
            str | None, strawberry.argument(description="Of one point currency. Default: of all.")
        ] = None,
        starts: Annotated[
            datetime | None,
            strawberry.argument(name="from", description="The first instant that counts. Default: the beginning."),
        ] = None,
        until: Annotated[
            datetime | None,
            strawberry.argument(description="The first instant that does not count any more. Default: now."),
        ] = None,
    ) -> list[PointsFigures]:
        wanted = check_dimensions(by or [])
        if starts is not None and until is not None:
            check_order(starts, until)
        async with info.context.read(past=until) as reader:
            configuration = reader.configuration
            found = await analysis.flows(reader, visible(reader, currency), wanted, starts, until)
        return [to_figures(configuration, wanted, flow) for flow in found]

    @field(
        "The deferred revenue of a currency at a past instant. Null: there is no such currency, or the caller does not "
        "see its issuer from within."
    )
    async def deferred_revenue(
        self,
        info: Info,
        currency: Code,
        at: Annotated[
            datetime | None, strawberry.argument(description="The instant; what was posted at it counts. Default: now.")
        ] = None,
        breakage_percent: Annotated[
            Decimal | None,
            strawberry.argument(
                description="The estimate of what part of all points issued will never be redeemed, 0 to 100. Default: "
                "what has been seen so far."
            ),
        ] = None,
    ) -> DeferredRevenue | None:
        breakage = None if breakage_percent is None else _breakage(breakage_percent)
        until = None if at is None else statements.just_after(at)
        async with info.context.read(past=until) as reader:
            found = visible(reader, currency)
            if not found:
                return None
            [of] = found
            then = at or reader.at
            of = reader.configuration.valued(of, then)
            points = await analysis.points_so_far(reader, of, until)
        return DeferredRevenue(record=deferred.deferred_revenue(of, points, breakage), of=of, at=then)


def visible(reader: Reader, code: str | None) -> list[Currency]:
    """The currencies whose figures are open to the viewer; of one code, if it is given."""
    currencies = reader.configuration.currencies.values()
    return [of for of in currencies if code in (None, of.code) and reader.sees(of.issuer)]


def check_dimensions(by: Sequence[Dimension]) -> list[Dimension]:
    """The dimensions that figures are divided by.

    Raises:
        BadInput: there are too many, or one is named twice.
    """
    if len(by) > DIMENSIONS_MAX or len(set(by)) < len(by):
        raise BadInput(f"Figures are divided by at most {DIMENSIONS_MAX} different dimensions.")
    return list(by)


def to_figures(configuration: Configuration, by: Sequence[Dimension], flow: Flow) -> PointsFigures:
    parts = [to_part(configuration, dimension, value) for dimension, value in zip(by, flow.key, strict=True)]
    return PointsFigures(
        record=flow, of=configuration.currencies[configuration.currency_codes[flow.currency]], parts=parts
    )


def dimensions(names: Sequence[str]) -> list[Dimension]:
    """The dimensions that a request names.

    Raises:
        BadInput: one is none, or see ``check_dimensions``.
    """
    try:
        return check_dimensions([Dimension(name) for name in names])
    except ValueError:
        raise BadInput(f"by is any of {', '.join(Dimension)}.") from None


def table(
    configuration: Configuration, by: Sequence[Dimension], flows: Sequence[Flow]
) -> tuple[dict[str, str], list[dict[str, object]]]:
    """The figures as columns with their types, and rows: amounts of points and of money as decimals with six places."""
    types = {"currency": "VARCHAR", **{one.lower(): "VARCHAR" for one in by}}
    types |= dict.fromkeys((*FIGURES, "circulation", "liability"), "DECIMAL(38, 6)") | {"money": "VARCHAR"}
    return types, [_row(configuration, by, flow) for flow in flows]


def _row(configuration: Configuration, by: Sequence[Dimension], flow: Flow) -> dict[str, object]:
    of = configuration.currencies[configuration.currency_codes[flow.currency]]
    parts = [to_part(configuration, dimension, value) for dimension, value in zip(by, flow.key, strict=True)]
    return {
        "currency": of.code,
        **{part.dimension.lower(): part.value for part in parts},
        **{name: render(getattr(flow, name), of.scale) for name in (*FIGURES, "circulation")},
        "liability": render(flow.liability, MONEY_SCALE),
        "money": of.money,
    }


def to_part(configuration: Configuration, dimension: Dimension, value: analysis.Value) -> AnalysisPart:
    of = institution_of(configuration, value) if dimension in _INSTITUTIONS and isinstance(value, int) else None
    said = of.code if of is not None else None if value is None else str(value)
    return AnalysisPart(dimension=dimension, value=said, institution=of)


def _breakage(percent: Decimal) -> int:
    """In 10^-6 percent.

    Raises:
        BadInput: it is no percentage.
    """
    try:
        found = parse(percent, PERCENT_SCALE)
    except InvalidAmount as error:
        raise BadInput(f"breakagePercent is from 0 to 100, with at most {PERCENT_SCALE} decimal places.") from error
    if not 0 <= found <= 100 * 10**PERCENT_SCALE:
        raise BadInput("breakagePercent is from 0 to 100.")
    return found


def _units(units: int, of: Currency) -> Decimal:
    return Decimal(render(units, of.scale))
