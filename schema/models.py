"""Settlement models: which money is settled together, how, and when its windows close."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import calendars, ids, lookups, models
from hub.ledger import commands
from hub.model_lookups import is_visible
from hub.models import ModelKind
from hub.versions import VersionStatus, in_force
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.windows import SettlementWindow, to_window

publish(
    ModelKind,
    "SettlementModelKind",
    "How the money of a window is settled.",
    DEFERRED_NET_MULTILATERAL="When it has closed, by one net of each participant and currency.",
    DEFERRED_NET_BILATERAL="When it has closed, pair by pair: each two participants net with one another alone, and "
    "who owes pays the other, in each currency.",
    IMMEDIATE_GROSS="Act by act, at once: out of the payer's liquidity at the settlement bank into the payee's, and "
    "without it the act is refused. What is promised, billed or corrected is the default's.",
)


@strawberry.type(description="When windows close: at these times of its clock, on these days of the week.")
class SettlementCalendar:
    time_zone: str = strawberry.field(description="IANA.")
    cut_offs: list[str] = strawberry.field(description="Such as 16:30, in ascending order.")
    weekdays: list[int] = strawberry.field(description="From 1, which is Monday.")
    holidays: list[str] = strawberry.field(description="Days on which no window closes, such as 2026-10-01.")


@strawberry.type(
    description="One version of a settlement model. It takes the money of acts between its members, with all that "
    "stands below them, in its currencies; what none takes, the model `default` does."
)
class SettlementModel(Node):
    record: strawberry.Private[models.SettlementModel]
    code: str = strawberry.field(description="As a window names its model.")
    name: str = strawberry.field(description="For people.")
    kind: ModelKind = strawberry.field(description="How its windows are settled; the same in all versions.")
    version: int = strawberry.field(description="Numbered from 1 in each model.")
    status: VersionStatus = strawberry.field(description="Where it is in its life.")
    currencies: list[str] = strawberry.field(description="ISO 4217; of `default` none are named.")
    calendar: SettlementCalendar | None = strawberry.field(description="Null: its windows are closed by somebody.")
    settle_in: str | None = strawberry.field(
        description="ISO 4217: what nets are exchanged into when a window closes. Null: each currency is paid by "
        "itself."
    )
    effective_from: datetime | None = strawberry.field(description="Null until it is approved, if it starts then.")
    effective_until: datetime | None = strawberry.field(description="The first instant at which it is over.")
    proposed_by: str = strawberry.field(description="A person.")
    decided_by: str | None = strawberry.field(description="A person.")
    end_reason: str | None = strawberry.field(description="Why it was ended.")

    @field(
        "Its members, direct children of the operator, which takes part in every model; of `default` none are named."
    )
    def members(self, info: Info) -> list[Institution]:
        return [institution_of(info.context.configuration, one) for one in self.record.members]

    @field("The open window of its model; null as long as no version was approved.")
    async def window(self, info: Info) -> SettlementWindow | None:
        async with info.context.read() as reader:
            found = await lookups.open_window(reader, self.code)
        return None if found is None else to_window(found)


ModelResult = Annotated[
    SettlementModel | Refused,
    strawberry.union("SettlementModelResult", description="The version as it is now, or why not."),
]


@strawberry.input(description="When windows close.")
class SettlementCalendarInput:
    time_zone: str = strawberry.field(description="IANA, such as Asia/Shanghai.")
    cut_offs: list[str] = strawberry.field(description="Such as 16:30; one that its clock jumps over comes with that.")
    weekdays: list[int] = strawberry.field(description="From 1, which is Monday.")
    holidays: list[str] | None = strawberry.field(
        default=None, description="Days on which no window closes, such as 2026-10-01."
    )


@strawberry.input(description="A version of a settlement model, which is made by its first.")
class ProposeSettlementModelInput:
    code: str = strawberry.field(description="`default` for a calendar of what no model takes.")
    name: str = strawberry.field(description="For people.")
    kind: ModelKind = strawberry.field(
        default=ModelKind.DEFERRED_NET_MULTILATERAL, description="The same in all versions."
    )
    members: list[str] | None = strawberry.field(
        default=None, description="Codes of direct children of the operator; of `default` none."
    )
    currencies: list[str] | None = strawberry.field(default=None, description="ISO 4217; of `default` none.")
    calendar: SettlementCalendarInput | None = strawberry.field(
        default=None, description="Default: windows are closed by somebody."
    )
    settle_in: str | None = strawberry.field(
        default=None,
        description="ISO 4217: nets in other currencies are exchanged into it when a window closes. Default: each "
        "currency is paid by itself.",
    )
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )


@strawberry.type
class ModelQuery:
    @field("The version of a settlement model in force now; null: there is none for the caller.")
    async def settlement_model(
        self, info: Info, code: Annotated[str, strawberry.argument(description="The model's code.")]
    ) -> SettlementModel | None:
        async with info.context.read() as reader:
            found = in_force(reader.configuration.models.get(code, ()), reader.at)
            return None if found is None or not is_visible(reader, found) else to_model(found)

    @field(
        "Versions of settlement models, in the order in which they were proposed: approved ones of which the caller's "
        "member is a member, and those of `default`; all for the operator's callers."
    )
    async def settlement_models(
        self,
        info: Info,
        code: Annotated[str | None, strawberry.argument(description="Only of this model.")] = None,
        status: Annotated[VersionStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[SettlementModel]:
        wanted = page(first, after, "settlement_models", tuple[int])
        async with info.context.read() as reader:
            found = [
                one
                for _, one in sorted(reader.configuration.model_versions.items())
                if (wanted.after is None or one.id > wanted.after[0])
                and (code is None or one.code == code)
                and (status is None or one.status is status)
                and is_visible(reader, one)
            ]
        return connect(found[: wanted.rows], wanted, to_model, lambda one: (one.id,))


@strawberry.type
class ModelMutation:
    @mutation("Propose a version of a settlement model. By the operator.")
    async def propose_settlement_model(
        self, info: Info, input: Annotated[ProposeSettlementModelInput, strawberry.argument(description="The terms.")]
    ) -> ModelResult:
        return await _configure(info, _command(info.context.actor, input))

    @mutation(
        "Approve a version: it takes money from its start on, and the first opens the model's first window. By another "
        "person of the operator's than who proposed it."
    )
    async def approve_settlement_model(self, info: Info, id: Id) -> ModelResult:
        return await _configure(info, commands.ApproveModel(actor=info.context.actor, id=_number(id)))

    @mutation("End a version that is not approved. By the operator.")
    async def reject_settlement_model(self, info: Info, id: Id, reason: Reason) -> ModelResult:
        return await _configure(info, commands.RejectModel(actor=info.context.actor, id=_number(id), reason=reason))

    @mutation(
        "End an approved version: the one before it takes the money again, or `default`. What is in its windows is "
        "settled as it would have been. By the operator."
    )
    async def withdraw_settlement_model(self, info: Info, id: Id, reason: Reason) -> ModelResult:
        return await _configure(info, commands.WithdrawModel(actor=info.context.actor, id=_number(id), reason=reason))


async def model_by_id(context: Context, id: int) -> SettlementModel | None:
    """The version with this identifier, if it exists for the caller."""
    async with context.read() as reader:
        found = reader.configuration.model_versions.get(id)
        return None if found is None or not is_visible(reader, found) else to_model(found)


def _command(actor: int, input: ProposeSettlementModelInput) -> commands.ProposeModel:
    calendar = input.calendar
    return commands.ProposeModel(
        actor=actor,
        code=input.code,
        name=input.name,
        kind=input.kind,
        members=tuple(input.members or ()),
        currencies=tuple(input.currencies or ()),
        calendar=None
        if calendar is None
        else commands.CalendarTerms(
            zone=calendar.time_zone,
            cut_offs=tuple(calendar.cut_offs),
            weekdays=tuple(calendar.weekdays),
            holidays=tuple(calendar.holidays or ()),
        ),
        settle_in=input.settle_in,
        starts=input.effective_from,
        ends=input.effective_until,
    )


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.MODEL)


async def _configure(info: Info, command: commands.Command) -> SettlementModel | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_model(result_of(outcome, models.SettlementModel))


def to_model(model: models.SettlementModel) -> SettlementModel:
    return SettlementModel(
        record=model,
        id=strawberry.ID(ids.text(ids.MODEL, model.id)),
        code=model.code,
        name=model.name,
        kind=model.kind,
        version=model.version,
        status=model.status,
        currencies=list(model.currencies),
        calendar=None if model.calendar is None else to_calendar(model.calendar),
        settle_in=model.settle_in,
        effective_from=model.starts,
        effective_until=model.ends,
        proposed_by=model.proposed_by,
        decided_by=model.decided_by,
        end_reason=model.reason,
    )


def to_calendar(calendar: calendars.Calendar) -> SettlementCalendar:
    return SettlementCalendar(
        time_zone=calendar.zone,
        cut_offs=[one.isoformat(timespec="minutes") for one in calendar.cut_offs],
        weekdays=list(calendar.weekdays),
        holidays=[day.isoformat() for day in calendar.holidays],
    )
