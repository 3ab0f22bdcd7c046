"""Point currencies: asking for them, and registering one."""

from typing import Annotated

import strawberry

from hub import currencies as core
from hub.currencies import AccountMode, ExpiryKind, HeldExpiry, RateConsent, Shortfall
from hub.errors import InvalidInput, UnknownCurrency
from hub.ledger import commands
from schema.adapters import reach
from schema.connection import Connection, connect, page
from schema.context import Info
from schema.directory import PointCurrency, to_currency
from schema.fields import field, mutation
from schema.inputs import After, First, MoneyInput, money_text
from schema.refusals import Refused, refusal_of, refused, result_of
from schema.scalars import JSON

PointCurrencyResult = Annotated[
    PointCurrency | Refused,
    strawberry.union("PointCurrencyResult", description="The point currency, or why there is none."),
]


@strawberry.input(description="When a currency's points end.")
class ExpiryPolicyInput:
    kind: ExpiryKind = strawberry.field(description="The rule.")
    months: int | None = strawberry.field(
        default=None, description="Needed for MONTHS_AFTER_EARNING, possible for the ends of month and year."
    )


@strawberry.input(
    description="How a currency's points are kept. What is left out stays as it is, or as it is by default."
)
class PointsPolicyInput:
    hold_days_max: int | None = strawberry.field(
        default=None, description="How many days a hold may last. Default: 30."
    )
    held_expiry: HeldExpiry | None = strawberry.field(
        default=None, description="What becomes of held points that end. Default: HONOUR."
    )
    grace_days: int | None = strawberry.field(
        default=None, description="How many days points stay that come back after their end. Default: 0, none."
    )
    shortfall: Shortfall | None = strawberry.field(
        default=None, description="What becomes of points to be taken away that are spent. Default: DEBT."
    )
    notice_days: int | None = strawberry.field(
        default=None, description="How many days before their end customers are told. Default: 30."
    )
    keeps_age: bool | None = strawberry.field(
        default=None, description="Whether points are kept apart by the day of earning. Default: no."
    )
    accounts: AccountMode | None = strawberry.field(
        default=None,
        description="Into which of a customer's accounts points go from now on; those that there are stay. "
        "Default: UNIFIED.",
    )
    groups: list[str] | None = strawberry.field(
        default=None,
        description="For GROUP: those that have an account, as paths such as retail/gold; the first that a customer is "
        "in decides. Default: none.",
    )
    needs_terms: bool | None = strawberry.field(
        default=None,
        description="Whether only merchants with acceptance terms take the points, from the next act on; otherwise all "
        "do, at the unit value. Default: no.",
    )


@strawberry.input(description="A new point currency.")
class RegisterPointCurrencyInput:
    code: str = strawberry.field(
        description="1 to 32 letters, digits, `_`, `.` or `-`; unique, for ever, and not that of money."
    )
    name: str = strawberry.field(description="Its name, at most 200 characters.")
    issuer: str = strawberry.field(description="The code of the institution that owes its points.")
    scale: int = strawberry.field(default=0, description="How many decimal places an amount may have, 0 to 6.")
    unit_value: MoneyInput = strawberry.field(
        description="The settlement value of one point, with at most 12 decimal places."
    )
    expiry: ExpiryPolicyInput | None = strawberry.field(default=None, description="Default: its points do not end.")
    transferable: bool = strawberry.field(
        default=True, description="Whether a customer's points may pass to another customer."
    )
    cashable: bool = strawberry.field(default=False, description="Whether points may become money.")
    rate_consent: RateConsent = strawberry.field(
        default=RateConsent.ISSUER,
        description="Whether the issuer itself accepts rates or leaves that to the operator.",
    )
    adapter: str = strawberry.field(default="hosted", description='Who keeps the balances; "hosted": the hub.')
    time_zone: str = strawberry.field(
        default="UTC", description="The time zone of the programme's calendar, as IANA names it, such as Asia/Shanghai."
    )
    policy: PointsPolicyInput | None = strawberry.field(default=None, description="How its points are kept.")
    adapter_config: JSON | None = strawberry.field(
        default=None, description='What the partner adapter needs, see `adapters`; nothing for "hosted".'
    )


@strawberry.type
class CurrencyQuery:
    @field("The point currency with this code.")
    async def point_currency(
        self, info: Info, code: Annotated[str, strawberry.argument(description="The currency's code.")]
    ) -> PointCurrency | None:
        async with info.context.read() as reader:
            found = reader.configuration.currency(code)
        return None if found is None else to_currency(found)

    @field("All point currencies, by code.")
    async def point_currencies(self, info: Info, first: First = 50, after: After = None) -> Connection[PointCurrency]:
        wanted = page(first, after, "point_currencies", tuple[str])
        async with info.context.read() as reader:
            configuration = reader.configuration
        codes = sorted(code for code in configuration.currency_codes if wanted.after is None or code > wanted.after[0])
        found = [configuration.currencies[configuration.currency_codes[code]] for code in codes[: wanted.rows]]
        return connect(found, wanted, to_currency, lambda of: (of.code,))


@strawberry.type
class CurrencyMutation:
    @mutation("Register a point currency. By an administrator of its issuer or of one above it, or by the operator.")
    async def register_point_currency(
        self,
        info: Info,
        input: Annotated[RegisterPointCurrencyInput, strawberry.argument(description="The currency.")],
    ) -> PointCurrencyResult:
        try:
            reached = await reach(info.context, input.adapter, input.adapter_config, input.issuer)
        except InvalidInput as refusal:
            return refused(refusal, info.context.incoming.language)
        outcome = await info.context.submit(register_command(info.context.actor, input, reached))
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_currency(result_of(outcome, core.PointCurrency))

    @mutation(
        "Reach a currency's partner by another configuration, such as one with a new secret; its adapter stays. By an "
        "administrator of its issuer or of one above it, or by the operator."
    )
    async def set_adapter_config(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The currency's code.")],
        adapter_config: Annotated[
            JSON, strawberry.argument(description="The whole configuration, its secrets too: nothing stays of the old.")
        ],
    ) -> PointCurrencyResult:
        async with info.context.read() as reader:
            configuration = reader.configuration
        try:
            found = configuration.currency(currency)
            if found is None:
                raise UnknownCurrency(currency=currency)
            issuer = configuration.institutions[found.issuer].code
            reached = await reach(info.context, found.adapter, adapter_config, issuer)
            if reached is None:
                raise InvalidInput(currency=currency)
        except (InvalidInput, UnknownCurrency) as refusal:
            return refused(refusal, info.context.incoming.language)
        command = commands.SetAdapterConfig(actor=info.context.actor, currency=currency, connection=reached)
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_currency(result_of(outcome, core.PointCurrency))

    @mutation(
        "Change how a currency's points are kept, from the next act on. By an administrator of its issuer or of one "
        "above it, or by the operator."
    )
    async def set_points_policy(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The currency's code.")],
        policy: Annotated[PointsPolicyInput, strawberry.argument(description="What changes.")],
    ) -> PointCurrencyResult:
        command = commands.SetPointsPolicy(actor=info.context.actor, currency=currency, policy=policy_terms(policy))
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_currency(result_of(outcome, core.PointCurrency))


def policy_terms(input: PointsPolicyInput | None) -> commands.PolicyTerms:
    if input is None:
        return commands.PolicyTerms()
    return commands.PolicyTerms(
        hold_days_max=input.hold_days_max,
        held_expiry=input.held_expiry,
        grace_days=input.grace_days,
        shortfall=input.shortfall,
        notice_days=input.notice_days,
        keeps_age=input.keeps_age,
        accounts=input.accounts,
        groups=None if input.groups is None else tuple(input.groups),
        needs_terms=input.needs_terms,
    )


def register_command(
    actor: int, input: RegisterPointCurrencyInput, reached: commands.Connection | None
) -> commands.RegisterPointCurrency:
    return commands.RegisterPointCurrency(
        actor=actor,
        code=input.code,
        name=input.name,
        issuer=input.issuer,
        scale=input.scale,
        unit_value=money_text(input.unit_value),
        expiry=ExpiryKind.NEVER if input.expiry is None else input.expiry.kind,
        expiry_months=None if input.expiry is None else input.expiry.months,
        transferable=input.transferable,
        cashable=input.cashable,
        rate_consent=input.rate_consent,
        adapter=input.adapter,
        time_zone=input.time_zone,
        policy=policy_terms(input.policy),
        connection=reached,
    )
