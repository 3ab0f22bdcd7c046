"""Fee schedules: versions of what an institution pays the operator, and how one comes into force."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import bills, ids
from hub.ledger import commands
from hub.versions import VersionStatus
from schema.amounts import Money, to_money, to_percent, to_price
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, to_institution
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, MoneyInput, Reason, decimal, money_text
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    bills.Step,
    "FeeScheduleStep",
    "Whose word a proposed fee schedule still needs.",
    INSTITUTION="The institution accepts it.",
    OPERATOR="Another person than the proposer approves it for the operator.",
)


@strawberry.type(
    description="A version of what an institution pays the operator for a month, for itself and those below it that "
    "have none. A month is billed by the versions in force at its first instant."
)
class FeeSchedule(Node):
    record: strawberry.Private[bills.FeeSchedule]
    version: int = strawberry.field(description="Numbered from 1 for each institution.")
    status: VersionStatus = strawberry.field(description="Where it is in its life.")
    awaiting: list[bills.Step] = strawberry.field(description="Whose word it still needs.")
    vat_percent: Decimal = strawberry.field(description="Value added tax; 6 means 6 %.")
    gross: bool = strawberry.field(description="Whether the prices include the tax; otherwise it comes on top.")
    effective_from: datetime | None = strawberry.field(
        description="When it starts; null until it is approved, if that is when it is to start."
    )
    effective_until: datetime | None = strawberry.field(description="The first instant at which it is over.")
    proposed_by: str = strawberry.field(description="The person who proposed it.")
    accepted_by: list[str] = strawberry.field(description="The persons who accepted it for the institution.")
    decided_by: str | None = strawberry.field(description="The person who approved, rejected or withdrew it.")

    @field("Who pays.")
    def institution(self, info: Info) -> Institution:
        return to_institution(info.context.configuration.institutions[self.record.institution])

    @field("For being a member for a month.")
    def membership(self) -> Money:
        return to_money(self.record.membership, self.record.money)

    @field("For each issue, transfer, conversion, redemption and captured hold.")
    def per_movement(self) -> Money:
        return to_price(self.record.per_movement, self.record.money)

    @field("For each whole point in these.")
    def per_point(self) -> Money:
        return to_price(self.record.per_point, self.record.money)


FeeScheduleResult = Annotated[
    FeeSchedule | Refused, strawberry.union("FeeScheduleResult", description="The version as it is now, or why not.")
]


@strawberry.input(description="A new version of an institution's prices, at least one, all in one currency.")
class ProposeFeeScheduleInput:
    institution: str = strawberry.field(description="Who pays, by code.")
    membership: MoneyInput | None = strawberry.field(default=None, description="For being a member for a month.")
    per_movement: MoneyInput | None = strawberry.field(
        default=None, description="For each movement, with at most 12 decimal places."
    )
    per_point: MoneyInput | None = strawberry.field(
        default=None, description="For each whole point moved, with at most 12 decimal places."
    )
    vat_percent: Decimal = strawberry.field(description="Value added tax, 0 to 100; 6 means 6 %.")
    gross: bool = strawberry.field(default=False, description="Whether the prices include the tax.")
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )


@strawberry.type
class FeeScheduleQuery:
    @field(
        "Fee schedules, in the order in which they were proposed: those of the caller's institution and of those below "
        "it; the operator's: all."
    )
    async def fee_schedules(
        self,
        info: Info,
        institution: Annotated[str | None, strawberry.argument(description="Only the institution's of this code.")] = (
            None
        ),
        status: Annotated[VersionStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[FeeSchedule]:
        wanted = page(first, after, "fee_schedules", tuple[int])
        async with info.context.read() as reader:
            configuration = reader.configuration
            home = None if institution is None else configuration.institution(institution)
            found = [
                one
                for one in sorted(configuration.fee_schedules.values(), key=lambda one: one.id)
                if (wanted.after is None or one.id > wanted.after[0])
                and (institution is None or (home is not None and one.institution == home.id))
                and (status is None or one.status is status)
                and reader.sees(one.institution)
            ]
        return connect(found[: wanted.rows], wanted, to_fee_schedule, lambda one: (one.id,))


@strawberry.type
class FeeScheduleMutation:
    @mutation("Propose what an institution pays. By the operator.")
    async def propose_fee_schedule(
        self, info: Info, input: Annotated[ProposeFeeScheduleInput, strawberry.argument(description="The prices.")]
    ) -> FeeScheduleResult:
        command = commands.ProposeFeeSchedule(
            actor=info.context.actor,
            institution=input.institution,
            membership=money_text(input.membership),
            per_movement=money_text(input.per_movement),
            per_point=money_text(input.per_point),
            vat_percent=decimal(input.vat_percent),
            gross=input.gross,
            starts=input.effective_from,
            ends=input.effective_until,
        )
        return await _configure(info, command)

    @mutation("Accept a version. By an administrator of its institution or of one above it, but not by the operator.")
    async def accept_fee_schedule(self, info: Info, id: Id) -> FeeScheduleResult:
        return await _configure(info, commands.AcceptFeeSchedule(actor=info.context.actor, id=_number(id)))

    @mutation(
        "Approve a version: it is in force from its start on. By another person of the operator's than who proposed it."
    )
    async def approve_fee_schedule(self, info: Info, id: Id) -> FeeScheduleResult:
        return await _configure(info, commands.ApproveFeeSchedule(actor=info.context.actor, id=_number(id)))

    @mutation("End a version that is not approved. By the operator, or by an administrator of its institution.")
    async def reject_fee_schedule(self, info: Info, id: Id, reason: Reason) -> FeeScheduleResult:
        command = commands.RejectFeeSchedule(actor=info.context.actor, id=_number(id), reason=reason)
        return await _configure(info, command)

    @mutation("End an approved version: months that are not billed yet are billed without it. By the operator.")
    async def withdraw_fee_schedule(self, info: Info, id: Id, reason: Reason) -> FeeScheduleResult:
        command = commands.WithdrawFeeSchedule(actor=info.context.actor, id=_number(id), reason=reason)
        return await _configure(info, command)


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.FEE_SCHEDULE)


async def _configure(info: Info, command: commands.Command) -> FeeSchedule | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_fee_schedule(result_of(outcome, bills.FeeSchedule))


async def fee_schedule_by_id(context: Context, id: int) -> FeeSchedule | None:
    """The version with this identifier, if there is one for the caller."""
    async with context.read() as reader:
        found = reader.configuration.fee_schedules.get(id)
        if found is None or not reader.sees(found.institution):
            return None
    return to_fee_schedule(found)


def to_fee_schedule(schedule: bills.FeeSchedule) -> FeeSchedule:
    return FeeSchedule(
        record=schedule,
        id=strawberry.ID(ids.text(ids.FEE_SCHEDULE, schedule.id)),
        version=schedule.version,
        status=schedule.status,
        awaiting=list(schedule.awaiting),
        vat_percent=to_percent(schedule.vat),
        gross=schedule.gross,
        effective_from=schedule.starts,
        effective_until=schedule.ends,
        proposed_by=schedule.proposed_by,
        accepted_by=list(schedule.accepted_by),
        decided_by=schedule.decided_by,
    )
