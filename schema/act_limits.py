"""Limits on acts: how much of a currency may be issued, moved, converted, spent or held; setting them; what is left.

Not to be confused with the limits on documents, which are the file ``limits``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, limits, usage
from hub.access import Credential
from hub.clock import now
from hub.configuration import Configuration
from hub.institutions import is_below
from hub.ledger import commands
from hub.limits import Act, Measure, Mode, Period, Subject, in_force, is_known, shown, unit_of
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import owner_of
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, CustomerInput, First, Id, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    Act,
    "LimitAct",
    "What a limit counts: one side of an act. More may come.",
    ISSUE="Points that a customer is issued.",
    TRANSFER="Points that a customer transfers to another.",
    RECEIVE="Points that a customer receives by a transfer.",
    CONVERT="Points of the limit's currency that a customer converts.",
    CONVERT_IN="Points of the limit's currency that a customer is credited by a conversion.",
    REDEEM="Points that a customer spends at a merchant.",
)
publish(
    Subject,
    "LimitSubject",
    "For whom a limit counts by itself.",
    CUSTOMER="Each customer.",
    ACCOUNT="Each account; a customer has one of each currency.",
    INSTITUTION="Each institution: its own customers together.",
    PROGRAMME="All whom the limit concerns, together.",
)
publish(
    Period,
    "LimitPeriod",
    "How long a limit counts, before it begins anew: calendar periods in the limit's time zone.",
    DAY="A day, also one of 23 or 25 hours.",
    MONTH="A month.",
    YEAR="A year.",
    BALANCE="No period: what the account may hold after the act.",
)
publish(
    Measure,
    "LimitMeasure",
    "In what a limit counts.",
    POINTS="In points of its currency.",
    MONEY="In the money of its currency's unit value. A conversion counts its settlement value if that is in the same "
    "money; all else counts at the unit value, rounded half up to the millionth.",
)
publish(
    Mode,
    "LimitMode",
    "What becomes of an act that goes beyond a limit.",
    CLIP="The part that fits is issued. Only for points that are issued, counted in points.",
    REFUSE="It is refused.",
)


@strawberry.type(description="What a limit allows from an instant on, until a later version starts. Never edited.")
class LimitVersion:
    version: int = strawberry.field(description="Numbered from 1 in the order in which they were set.")
    amount: Decimal | None = strawberry.field(description="How much, in the limit's unit; null: it is lifted.")
    effective_from: datetime = strawberry.field(description="When it starts.")
    configured_by: str = strawberry.field(description="The person who set it.")
    configured_at: datetime = strawberry.field(description="When it was set, and so announced.")


@strawberry.type(
    description="How much of a point currency may be issued, moved, converted, spent or held. What was used comes back "
    "when an act is reversed, to the period in which it was used."
)
class Limit(Node):
    record: strawberry.Private[limits.Limit]
    code: str = strawberry.field(description="Its code, unique among the currency's limits.")
    name: str = strawberry.field(description="Its name.")
    act: Act = strawberry.field(description="What it counts.")
    subject: Subject = strawberry.field(description="For whom it counts by itself.")
    period: Period = strawberry.field(description="How long it counts.")
    measure: Measure = strawberry.field(description="In what it counts.")
    unit: str = strawberry.field(description="The code of the currency that its amounts are in.")
    mode: Mode = strawberry.field(description="What becomes of an act that goes beyond.")
    time_zone: str = strawberry.field(description="The time zone of its periods (IANA).")
    notice_days: int = strawberry.field(description="How many days before it starts a tighter version has to be set.")
    amount: Decimal | None = strawberry.field(description="How much it allows now; null: nothing bounds the act.")
    versions: list[LimitVersion] = strawberry.field(description="All of them, by their starts; also those to come.")

    @field("The institution that set it; it and those above it may change it.")
    def owner(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.owner)

    @field("The currency whose points it counts.")
    def currency(self, info: Info) -> PointCurrency:
        return to_currency(info.context.configuration.currencies[self.record.currency])

    @field("If it bounds a pair of currencies: what the points become.")
    def target(self, info: Info) -> PointCurrency | None:
        target = self.record.target
        return None if target is None else to_currency(info.context.configuration.currencies[target])

    @field("The institution whose customers, and those of all below it, are bound; null: everybody's.")
    def institution(self, info: Info) -> Institution | None:
        bound = self.record.institution
        return None if bound is None else institution_of(info.context.configuration, bound)


@strawberry.type(description="What a limit leaves a customer now.")
class Headroom:
    limit: Limit = strawberry.field(description="The limit.")
    period: str = strawberry.field(description="The period that counts now, such as 2024-03; BALANCE if none does.")
    amount: Decimal = strawberry.field(description="How much it allows, in its unit.")
    used: Decimal | None = strawberry.field(
        description="How much of it has been used; null where it is used by all together and not the caller's affair."
    )
    left: Decimal | None = strawberry.field(description="What is left of it, at least zero; null like `used`.")


LimitResult = Annotated[
    Limit | Refused, strawberry.union("LimitResult", description="The limit with all its versions, or why not.")
]


@strawberry.input(
    description="What all versions of a limit have in common. A target needs CONVERT; CLIP needs ISSUE and POINTS; "
    "BALANCE needs an act that credits (ISSUE, RECEIVE, CONVERT_IN) and counts for CUSTOMER or ACCOUNT."
)
class LimitTermsInput:
    name: str | None = strawberry.field(default=None, description="Its name, up to 200 characters. Default: its code.")
    act: Act = strawberry.field(description="What it counts.")
    subject: Subject = strawberry.field(default=Subject.CUSTOMER, description="For whom it counts by itself.")
    period: Period = strawberry.field(description="How long it counts.")
    measure: Measure = strawberry.field(default=Measure.POINTS, description="In what it counts.")
    mode: Mode = strawberry.field(default=Mode.REFUSE, description="What becomes of an act that goes beyond.")
    target: str | None = strawberry.field(
        default=None, description="Only conversions into this currency. Default: into any."
    )
    institution: str | None = strawberry.field(
        default=None, description="Only customers of this institution and of those below it. Default: everybody."
    )
    time_zone: str = strawberry.field(default="UTC", description="The time zone of its periods (IANA).")
    notice_days: int = strawberry.field(
        default=0, description="How many days before it starts a tighter version has to be set, this one too; 0 to 366."
    )


@strawberry.input(description="A new limit (with terms), or a new version of one (without).")
class SetLimitInput:
    currency: str = strawberry.field(description="The code of the currency whose points are counted.")
    code: str = strawberry.field(description="The limit's code among those of the currency: 1 to 32 characters.")
    amount: Decimal = strawberry.field(
        description="How much it allows: points, or money in the major unit. Zero lets nothing through."
    )
    effective_from: datetime | None = strawberry.field(
        default=None,
        description="When the version starts: not in the past, and one that allows less than before not before the "
        "limit's notice is over. Default: as soon as it may.",
    )
    terms: LimitTermsInput | None = strawberry.field(
        default=None, description="What a new limit counts; left out for a new version of the limit with this code."
    )


@strawberry.type
class LimitQuery:
    @field("Limits that concern the caller, in the order in which they were set.")
    async def limits(
        self,
        info: Info,
        currency: Annotated[str | None, strawberry.argument(description="Only on points of this currency.")] = None,
        institution: Annotated[
            str | None, strawberry.argument(description="Only those that bind this institution's customers.")
        ] = None,
        act: Annotated[Act | None, strawberry.argument(description="Only on this act.")] = None,
        at: Annotated[
            datetime | None, strawberry.argument(description="Only those that bound something at this instant.")
        ] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Limit]:
        wanted = page(first, after, "limits", tuple[int])
        async with info.context.read() as reader:
            configuration, viewer = reader.configuration, reader.viewer
        found = [
            versions
            for versions in _matching(configuration, viewer, currency, institution, act, at)
            if wanted.after is None or versions[0].family > wanted.after[0]
        ]
        return connect(
            found[: wanted.rows],
            wanted,
            lambda versions: to_limit(configuration, versions),
            lambda versions: (versions[0].family,),
        )

    @field("The limit with this identifier; null if there is none for the caller.")
    async def limit(self, info: Info, id: Id) -> Limit | None:
        return await limit_by_id(info.context, ids.number(id, ids.LIMIT))

    @field(
        "What the limits on an act leave a customer now; nothing for whoever does not see the customer's institution "
        "from within, and nothing is reserved."
    )
    async def headroom(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        currency: Annotated[str, strawberry.argument(description="The code of the currency whose points are counted.")],
        act: Annotated[Act, strawberry.argument(description="What is to be done.")],
        target: Annotated[
            str | None, strawberry.argument(description="The code of the currency that they are to become.")
        ] = None,
    ) -> list[Headroom]:
        async with info.context.read() as reader:
            configuration = reader.configuration
            of = configuration.currency(currency)
            if of is None:
                return []
            known = await owner_of(reader, customer)
            into = None if target is None else configuration.currency(target)
            found = [] if known is None else await usage.headroom(reader, known, act, of, into)
        return [to_headroom(configuration, one) for one in found]


@strawberry.type
class LimitMutation:
    @mutation(
        "Set a limit, or give one a new version. By an administrator of the currency's issuer or of one above it, or "
        "by the operator for the issuer; who has set it first owns it."
    )
    async def set_limit(
        self, info: Info, input: Annotated[SetLimitInput, strawberry.argument(description="The limit.")]
    ) -> LimitResult:
        return await _configure(info, set_limit_command(info.context.actor, input))

    @mutation("Lift a limit: from the instant on it bounds nothing. By an administrator of its owner or of one above.")
    async def lift_limit(
        self,
        info: Info,
        id: Id,
        effective_from: Annotated[
            datetime | None, strawberry.argument(description="When, not in the past. Default: now.")
        ] = None,
    ) -> LimitResult:
        number = ids.number(id, ids.LIMIT)
        return await _configure(info, commands.LiftLimit(actor=info.context.actor, id=number, starts=effective_from))


async def limit_by_id(context: Context, id: int | None) -> Limit | None:
    """A limit, as far as it exists for the caller."""
    async with context.read() as reader:
        found = reader.configuration.limits.get(id or 0)
        if found is None or not is_visible(reader.configuration, reader.viewer, found[0]):
            return None
    return to_limit(reader.configuration, found)


def is_visible(configuration: Configuration, viewer: Credential, limit: limits.Limit) -> bool:
    """Whether a limit exists for the viewer."""
    return viewer.sees_all or is_known(limit, configuration.institutions, viewer.institution)


def _matching(
    configuration: Configuration,
    viewer: Credential,
    currency: str | None,
    institution: str | None,
    act: Act | None,
    at: datetime | None,
) -> list[tuple[limits.Limit, ...]]:
    """The limits that the arguments ask for and the viewer may see, by identifier."""
    of, home = configuration.currency(currency or ""), configuration.institution(institution or "")
    if (currency is not None and of is None) or (institution is not None and home is None):
        return []
    found = []
    for _, versions in sorted(configuration.limits.items()):
        limit = versions[0]
        now_bounds = limit if at is None else in_force(versions, at)
        if (
            (of is None or limit.currency == of.id)
            and (act is None or limit.act is act)
            and (at is None or (now_bounds is not None and now_bounds.amount is not None))
            and (home is None or _binds(configuration, limit, home.id))
            and is_visible(configuration, viewer, limit)
        ):
            found.append(versions)
    return found


def _binds(configuration: Configuration, limit: limits.Limit, home: int) -> bool:
    return limit.institution is None or is_below(configuration.institutions, home, limit.institution)


def set_limit_command(actor: int, input: SetLimitInput) -> commands.SetLimit:
    terms = input.terms
    return commands.SetLimit(
        actor=actor,
        currency=input.currency,
        code=input.code,
        amount=decimal(input.amount),
        starts=input.effective_from,
        terms=None
        if terms is None
        else commands.LimitTerms(
            name=input.code if terms.name is None else terms.name,
            act=terms.act,
            target=terms.target,
            institution=terms.institution,
            subject=terms.subject,
            period=terms.period,
            measure=terms.measure,
            mode=terms.mode,
            zone=terms.time_zone,
            notice_days=terms.notice_days,
        ),
    )


async def _configure(info: Info, command: commands.Command) -> Limit | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    configuration = info.context.configuration
    return to_limit(configuration, configuration.limits[result_of(outcome, limits.Limit).family])


def to_limit(configuration: Configuration, versions: Sequence[limits.Limit]) -> Limit:
    terms = versions[0]
    # What was set by a database whose clock is ahead is in force all the same.
    current = in_force(versions, max(now(), *(version.configured_at for version in versions)))
    return Limit(
        record=terms,
        id=strawberry.ID(ids.text(ids.LIMIT, terms.family)),
        code=terms.code,
        name=terms.name,
        act=terms.act,
        subject=terms.subject,
        period=terms.period,
        measure=terms.measure,
        unit=unit_of(terms, configuration.currencies[terms.currency]),
        mode=terms.mode,
        time_zone=terms.zone,
        notice_days=terms.notice_days,
        amount=None if current is None else _shown(configuration, terms, current.amount),
        versions=[
            LimitVersion(
                version=version.version,
                amount=_shown(configuration, version, version.amount),
                effective_from=version.starts,
                configured_by=version.configured_by,
                configured_at=version.configured_at,
            )
            for version in versions
        ],
    )


def to_headroom(configuration: Configuration, room: usage.Headroom) -> Headroom:
    limit, used = room.limit, room.used
    amount = limit.amount or 0
    return Headroom(
        limit=to_limit(configuration, configuration.limits[limit.family]),
        period=room.period or limit.period.value,
        amount=Decimal(shown(limit, configuration.currencies[limit.currency], amount)),
        used=_shown(configuration, limit, used),
        left=None if used is None else _shown(configuration, limit, max(0, amount - used)),
    )


def _shown(configuration: Configuration, limit: limits.Limit, units: int | None) -> Decimal | None:
    return None if units is None else Decimal(shown(limit, configuration.currencies[limit.currency], units))
