"""Share plans: by which versions fees are split over levels and third parties, and what a fee came to by one."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids
from hub import shares as core
from hub.configuration import Configuration
from hub.ledger import commands
from hub.points import normalise, render
from hub.sharing import SharedFee, concerns
from hub.versions import VersionStatus, in_force
from schema.amounts import Money, to_money
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, PointCurrency, to_currency, to_institution
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    core.Act,
    "FeeAct",
    "An act that has a fee.",
    CONVERSION="Points become others.",
    REDEMPTION="Points are spent at a merchant.",
)


@strawberry.type(
    description="One share of a plan: of a level of the acting institution's path, or of a third party; in percent of "
    "what fixed amounts leave, or a fixed amount."
)
class PlanShare:
    record: strawberry.Private[core.Share]
    money: strawberry.Private[str | None]
    level: int | None = strawberry.field(
        description="0: the operator, 1: its member, and so on downward; a level that the path does not reach is the "
        "acting institution itself."
    )

    @field("The third party.")
    def institution(self, info: Info) -> Institution | None:
        return _institution(info.context, self.record.institution)

    @field("Percent; those of a plan sum to 100.")
    def percent(self) -> Decimal | None:
        weight = self.record.weight
        return None if weight is None else Decimal(normalise(render(weight, 4)))

    @field("The fixed amount, taken before all percents, as far as the fee goes.")
    def amount(self) -> Money | None:
        fixed = self.record.fixed
        return None if fixed is None or self.money is None else to_money(fixed, self.money)


@strawberry.type(
    description="A version of a plan by which fees are split. Of the plans in force that are for an act the most "
    "specific one counts: by institution, then zone, then pair, then act, then money. Without one the fee is the "
    "operator's."
)
class SharePlan(Node):
    record: strawberry.Private[core.SharePlan]
    version: int = strawberry.field(description="Numbered from 1 among the versions for the same.")
    status: VersionStatus = strawberry.field(description="Where it is in its life.")
    act: core.Act | None = strawberry.field(description="Only fees of this act.")
    zone: str | None = strawberry.field(
        description="Only where the acting institution is counted in this economic zone."
    )
    money: str | None = strawberry.field(description="Only fees in this currency, ISO 4217.")
    effective_from: datetime | None = strawberry.field(
        description="When it starts; null until it is approved, if that is when it is to start."
    )
    effective_until: datetime | None = strawberry.field(description="The first instant at which it is over.")
    proposed_by: str = strawberry.field(description="The person who proposed it.")
    decided_by: str | None = strawberry.field(description="The person who approved, rejected or withdrew it.")

    @field("Only where this is given.")
    def source(self, info: Info) -> PointCurrency | None:
        return _currency(info.context, self.record.scope.source)

    @field("Only where it becomes this.")
    def target(self, info: Info) -> PointCurrency | None:
        return _currency(info.context, self.record.scope.target)

    @field("Only where this institution acts, or one below it.")
    def institution(self, info: Info) -> Institution | None:
        return _institution(info.context, self.record.scope.institution)

    @field(
        "The shares, in their order; ties of rounding are the earlier one's. All of them for the operator and for whom "
        "the plan is, and to others those by their name."
    )
    def shares(self, info: Info) -> list[PlanShare]:
        scope, seen = self.record.scope, info.context.sees
        is_theirs = info.context.viewer.sees_all or (scope.institution is not None and seen(scope.institution))
        return [
            PlanShare(record=one, money=scope.money, level=one.level)
            for one in self.record.shares
            if is_theirs or (one.institution is not None and seen(one.institution))
        ]


@strawberry.type(description="One share of a fee, and the version of the plan that made it.")
class FeeShare:
    record: strawberry.Private[SharedFee]
    plan_id: strawberry.ID = strawberry.field(description="The identifier of the plan's version.")
    kept: bool = strawberry.field(description="Whether it falls to who pays the fee, and so is not paid.")

    @field("Whose it is.")
    def institution(self, info: Info) -> Institution:
        return to_institution(info.context.configuration.institutions[self.record.share.institution])

    @field("How much.")
    def amount(self) -> Money:
        return to_money(self.record.share.amount, self.record.money)


SharePlanResult = Annotated[
    SharePlan | Refused, strawberry.union("SharePlanResult", description="The version as it is now, or why not.")
]


@strawberry.input(description="One share: either level or institution, and either percent or amount.")
class PlanShareInput:
    level: int | None = strawberry.field(default=None, description="0: the operator, 1: its member, and so on.")
    institution: str | None = strawberry.field(default=None, description="The code of a third party.")
    percent: Decimal | None = strawberry.field(default=None, description="At most four decimal places.")
    amount: Decimal | None = strawberry.field(default=None, description="In whole minor units of the plan's money.")


@strawberry.input(description="A new version of a plan. What is not said is whatever it is.")
class ProposeSharePlanInput:
    shares: list[PlanShareInput] = strawberry.field(description="In their order.")
    act: core.Act | None = strawberry.field(default=None, description="Only fees of this act.")
    source: str | None = strawberry.field(default=None, description="The code of the currency that is given.")
    target: str | None = strawberry.field(default=None, description="The code of the currency that it becomes.")
    institution: str | None = strawberry.field(default=None, description="Whose subtree acts, by code.")
    zone: str | None = strawberry.field(default=None, description="The economic zone of the acting institution.")
    money: str | None = strawberry.field(default=None, description="ISO 4217; needed for fixed amounts.")
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )


@strawberry.type
class ShareQuery:
    @field(
        "Versions of share plans, in the order in which they were proposed: the operator's all, others those approved "
        "ones that name their institution or one below it."
    )
    async def share_plans(
        self,
        info: Info,
        at: Annotated[
            datetime | None, strawberry.argument(description="Only the version of each plan in force at this instant.")
        ] = None,
        status: Annotated[VersionStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[SharePlan]:
        wanted = page(first, after, "share_plans", tuple[int])
        async with info.context.read() as reader:
            configuration, viewer = reader.configuration, reader.viewer
        found = [
            plan
            for plan in sorted(configuration.share_plans.values(), key=lambda plan: plan.id)
            if (wanted.after is None or plan.id > wanted.after[0])
            and (status is None or plan.status is status)
            and (at is None or _is_in_force(configuration, plan, at))
            and concerns(configuration, viewer, plan)
        ]
        return connect(found[: wanted.rows], wanted, to_share_plan, lambda plan: (plan.id,))


@strawberry.type
class ShareMutation:
    @mutation("Propose a version of the plan for what it says it is for. By the operator.")
    async def propose_share_plan(
        self, info: Info, input: Annotated[ProposeSharePlanInput, strawberry.argument(description="The plan.")]
    ) -> SharePlanResult:
        return await _configure(info, propose_command(info.context.actor, input))

    @mutation(
        "Approve a version: it is in force from its start on. By another person of the operator's than who proposed it."
    )
    async def approve_share_plan(self, info: Info, id: Id) -> SharePlanResult:
        return await _configure(info, commands.ApproveSharePlan(actor=info.context.actor, id=_number(id)))

    @mutation("End a version that is not approved. By the operator.")
    async def reject_share_plan(self, info: Info, id: Id, reason: Reason) -> SharePlanResult:
        return await _configure(info, commands.RejectSharePlan(actor=info.context.actor, id=_number(id), reason=reason))

    @mutation("End an approved version; fees that it split stay as they are. By the operator.")
    async def withdraw_share_plan(self, info: Info, id: Id, reason: Reason) -> SharePlanResult:
        command = commands.WithdrawSharePlan(actor=info.context.actor, id=_number(id), reason=reason)
        return await _configure(info, command)


def propose_command(actor: int, input: ProposeSharePlanInput) -> commands.ProposeSharePlan:
    return commands.ProposeSharePlan(
        actor=actor,
        shares=tuple(
            commands.ShareTerms(one.level, one.institution, decimal(one.percent), decimal(one.amount))
            for one in input.shares
        ),
        act=input.act,
        source=input.source,
        target=input.target,
        institution=input.institution,
        zone=input.zone,
        money=input.money,
        starts=input.effective_from,
        ends=input.effective_until,
    )


def _is_in_force(configuration: Configuration, plan: core.SharePlan, at: datetime) -> bool:
    found = in_force(configuration.sharing.get(plan.scope, ()), at)
    return found is not None and found.id == plan.id


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.SHARE_PLAN)


async def _configure(info: Info, command: commands.Command) -> SharePlan | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_share_plan(result_of(outcome, core.SharePlan))


async def share_plan_by_id(context: Context, id: int) -> SharePlan | None:
    """The version with this identifier, if it is the caller's business."""
    async with context.read() as reader:
        found = reader.configuration.share_plans.get(id)
        if found is None or not concerns(reader.configuration, reader.viewer, found):
            return None
    return to_share_plan(found)


def to_share_plan(plan: core.SharePlan) -> SharePlan:
    return SharePlan(
        record=plan,
        id=strawberry.ID(ids.text(ids.SHARE_PLAN, plan.id)),
        version=plan.version,
        status=plan.status,
        act=plan.scope.act,
        zone=plan.scope.zone,
        money=plan.scope.money,
        effective_from=plan.starts,
        effective_until=plan.ends,
        proposed_by=plan.proposed_by,
        decided_by=plan.decided_by,
    )


async def fee_shares_of(context: Context, act: int, payer: int) -> list[FeeShare]:
    """The shares of an act's fee that the caller may see: its own and those below it, or all, if ``payer`` is among
    these."""
    found = await context.loaders.fee_shares.load(act)
    return [to_fee_share(one) for one in found if context.sees(payer, one.share.institution)]


def to_fee_share(shared: SharedFee) -> FeeShare:
    plan = strawberry.ID(ids.text(ids.SHARE_PLAN, shared.share.plan))
    return FeeShare(record=shared, plan_id=plan, kept=shared.share.n is None)


def _institution(context: Context, id: int | None) -> Institution | None:
    return None if id is None else to_institution(context.configuration.institutions[id])


def _currency(context: Context, id: int | None) -> PointCurrency | None:
    return None if id is None else to_currency(context.configuration.currencies[id])
