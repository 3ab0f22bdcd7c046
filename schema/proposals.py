"""Proposals: asking for rates, and bringing one into force: proposed, accepted, approved, or ended."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, rates
from hub.access import Credential
from hub.configuration import Configuration
from hub.ledger import commands
from hub.rates import Funding, Life
from hub.registry.rates import is_party
from hub.versions import in_force
from schema.connection import Connection, connect, page
from schema.context import Info
from schema.fields import field, mutation
from schema.inputs import After, First, Id, MoneyInput, RatioInput, Reason, decimal, money_text
from schema.rates import Rate, to_rate
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.versions import VersionStatus

RateResult = Annotated[
    Rate | Refused, strawberry.union("RateResult", description="The version as it is now, or why not.")
]


@strawberry.input(
    description="A bonus: either percent, or perBlock with block. All amounts are in whole points of their currency."
)
class RateBonusInput:
    percent: Decimal | None = strawberry.field(
        default=None, description="Percent of the base target amount; 30 means 30 %."
    )
    cap: Decimal | None = strawberry.field(
        default=None, description="How many source points of one customer count, over the bonus' validity."
    )
    per_block: Decimal | None = strawberry.field(default=None, description="Target points for each whole block.")
    block: Decimal | None = strawberry.field(default=None, description="Source points in a block.")
    funded_by: Funding = strawberry.field(default=Funding.SOURCE_ISSUER, description="Who gives it.")
    starts: datetime | None = strawberry.field(name="from", default=None, description="Default: with the rate.")
    until: datetime | None = strawberry.field(default=None, description="Default: with the rate.")


@strawberry.input(description="A new version of a rate. All money of one rate is in one currency.")
class ProposeRateInput:
    source: str = strawberry.field(description="The code of the currency that is given.")
    target: str = strawberry.field(description="The code of the currency that it becomes.")
    ratio: RatioInput = strawberry.field(description="Target points per source points.")
    minimum: Decimal | None = strawberry.field(default=None, description="The least source points in one go.")
    maximum: Decimal | None = strawberry.field(default=None, description="The most source points in one go.")
    step: Decimal | None = strawberry.field(default=None, description="Source points come in multiples of it.")
    fee_fixed: MoneyInput | None = strawberry.field(default=None, description="The fee's fixed part.")
    fee_per_point: MoneyInput | None = strawberry.field(
        default=None, description="The fee's part per source point, with at most 12 decimal places."
    )
    fee_percent: Decimal | None = strawberry.field(
        default=None, description="The fee's part in percent of the settlement value; 30 means 30 %."
    )
    fee_cap: MoneyInput | None = strawberry.field(default=None, description="The most that the fee comes to.")
    bonuses: list[RateBonusInput] | None = strawberry.field(default=None, description="What is given on top.")
    settlement_price: MoneyInput | None = strawberry.field(
        default=None,
        description="What the source's issuer pays for each target point, with at most 12 decimal places. Default: the "
        "target's unit value.",
    )
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )
    life: Life = strawberry.field(
        default=Life.TARGET_POLICY, description="How long the target points live. Default: by their own policy."
    )
    allows_cashout: bool = strawberry.field(
        default=False, description="Whether points that cannot become money may become points that can."
    )
    outflow_limit: Decimal | None = strawberry.field(
        default=None,
        description="The most target points that it may credit in one settlement window. Default: no limit.",
    )


@strawberry.type
class RateQuery:
    @field(
        "Rate versions, in the order in which they were proposed. Approved ones are open to all; those in other states "
        "to the issuers of the two currencies and to the operator."
    )
    async def rates(
        self,
        info: Info,
        source: Annotated[str | None, strawberry.argument(description="Only from this currency.")] = None,
        target: Annotated[str | None, strawberry.argument(description="Only to this currency.")] = None,
        at: Annotated[
            datetime | None, strawberry.argument(description="Only the version of each pair in force at this instant.")
        ] = None,
        status: Annotated[VersionStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Rate]:
        wanted = page(first, after, "rates", tuple[int])
        async with info.context.read() as reader:
            configuration, viewer = reader.configuration, reader.viewer
        found = [
            rate
            for rate in matching(configuration, viewer, source, target, at, status)
            if wanted.after is None or rate.id > wanted.after[0]
        ]
        return connect(found[: wanted.rows], wanted, lambda rate: to_rate(configuration, rate), lambda rate: (rate.id,))


@strawberry.type
class RateMutation:
    @mutation("Propose a version. By an administrator of either issuer, who thereby agrees to it, or by the operator.")
    async def propose_rate(
        self, info: Info, input: Annotated[ProposeRateInput, strawberry.argument(description="The terms.")]
    ) -> RateResult:
        return await _configure(info, propose_command(info.context.actor, input))

    @mutation("Accept a version for an issuer. By an administrator of the issuer that it awaits.")
    async def accept_rate(self, info: Info, id: Id) -> RateResult:
        return await _configure(info, commands.AcceptRate(actor=info.context.actor, id=_number(id)))

    @mutation(
        "Approve a version: it is in force from its start on. By another person of the operator's than who proposed it."
    )
    async def approve_rate(self, info: Info, id: Id) -> RateResult:
        return await _configure(info, commands.ApproveRate(actor=info.context.actor, id=_number(id)))

    @mutation("End a version that is not approved. By the operator, or by an administrator of either issuer.")
    async def reject_rate(self, info: Info, id: Id, reason: Reason) -> RateResult:
        return await _configure(info, commands.RejectRate(actor=info.context.actor, id=_number(id), reason=reason))

    @mutation("End an approved version. By the operator, or by an administrator of either issuer.")
    async def withdraw_rate(
        self,
        info: Info,
        id: Id,
        reason: Reason,
        cancel_quotes: Annotated[
            bool,
            strawberry.argument(
                description="Whether its open quotes end as well, also of one that is withdrawn already; otherwise "
                "they are honoured."
            ),
        ] = False,
    ) -> RateResult:
        command = commands.WithdrawRate(
            actor=info.context.actor, id=_number(id), reason=reason, cancel_quotes=cancel_quotes
        )
        return await _configure(info, command)


def matching(
    configuration: Configuration,
    viewer: Credential,
    source: str | None,
    target: str | None,
    at: datetime | None,
    status: VersionStatus | None,
) -> list[rates.Rate]:
    """The versions that the arguments ask for and the viewer may see, by identifier."""
    pair = (configuration.currency(source or ""), configuration.currency(target or ""))
    if (source is not None and pair[0] is None) or (target is not None and pair[1] is None):
        return []
    return [
        rate
        for rate in sorted(configuration.rates.values(), key=lambda rate: rate.id)
        if (pair[0] is None or rate.source == pair[0].id)
        and (pair[1] is None or rate.target == pair[1].id)
        and (status is None or rate.status is status)
        and (at is None or _is_in_force(configuration, rate, at))
        and is_visible(configuration, viewer, rate)
    ]


def _is_in_force(configuration: Configuration, rate: rates.Rate, at: datetime) -> bool:
    found = in_force(configuration.versions_of(rate.source, rate.target), at)
    return found is not None and found.id == rate.id


def is_visible(configuration: Configuration, viewer: Credential, rate: rates.Rate) -> bool:
    """Whether a version exists for the viewer."""
    return rate.status is VersionStatus.APPROVED or is_party(configuration, viewer, rate)


def propose_command(actor: int, input: ProposeRateInput) -> commands.ProposeRate:
    return commands.ProposeRate(
        actor=actor,
        source=input.source,
        target=input.target,
        numerator=input.ratio.numerator,
        denominator=input.ratio.denominator,
        minimum=decimal(input.minimum),
        maximum=decimal(input.maximum),
        step=decimal(input.step),
        fee_fixed=money_text(input.fee_fixed),
        fee_per_point=money_text(input.fee_per_point),
        fee_percent=decimal(input.fee_percent),
        fee_cap=money_text(input.fee_cap),
        bonuses=tuple(_bonus_terms(bonus) for bonus in input.bonuses or ()),
        settlement_price=money_text(input.settlement_price),
        starts=input.effective_from,
        ends=input.effective_until,
        life=input.life,
        allows_cashout=input.allows_cashout,
        outflow_limit=decimal(input.outflow_limit),
    )


def _bonus_terms(bonus: RateBonusInput) -> commands.BonusTerms:
    return commands.BonusTerms(
        percent=decimal(bonus.percent),
        cap=decimal(bonus.cap),
        per_block=decimal(bonus.per_block),
        block=decimal(bonus.block),
        funded_by=bonus.funded_by,
        starts=bonus.starts,
        ends=bonus.until,
    )


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.RATE)


async def _configure(info: Info, command: commands.Command) -> Rate | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_rate(info.context.configuration, result_of(outcome, rates.Rate))
