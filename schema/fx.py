"""FX rates: by which nets of several currencies become one, and what a net became."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from hub import fx as core
from hub import ids
from hub.ledger import commands, records
from hub.reading import Reader
from hub.versions import VersionStatus
from schema.amounts import Money, to_money
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal


@strawberry.type(
    description="One version of an FX rate: what one unit of a currency is worth in another. Of the approved versions "
    "of a pair the one that started last is in force; if that one was withdrawn, none is."
)
class FxRate(Node):
    version: int = strawberry.field(description="Numbered from 1 for each pair.")
    status: VersionStatus = strawberry.field(description="Where it is in its life.")
    base: str = strawberry.field(description="ISO 4217.")
    quote: str = strawberry.field(description="ISO 4217.")
    rate: Decimal = strawberry.field(description="How much of the quote currency one unit of the base currency is.")
    source: str = strawberry.field(description="Who published it.")
    quoted_on: date = strawberry.field(description="The day for which it was published.")
    effective_from: datetime | None = strawberry.field(description="Null until it is approved, if it starts then.")
    effective_until: datetime | None = strawberry.field(description="The first instant at which it is over.")
    proposed_by: str = strawberry.field(description="A person.")
    decided_by: str | None = strawberry.field(description="A person.")
    end_reason: str | None = strawberry.field(description="Why it was ended.")


@strawberry.type(description="What a net has become in the currency in which its window is settled.")
class NetExchange:
    record: strawberry.Private[records.NetExchange]

    @field("The net that was exchanged.")
    def net(self) -> Money:
        return to_money(self.record.net, self.record.currency)

    @field("What it has become, in whole minor units.")
    def value(self) -> Money:
        return to_money(self.record.value, self.record.into)

    @field("The version of the FX rate by which it was.")
    def fx_rate(self, info: Info) -> FxRate:
        return to_fx_rate(info.context.configuration.fx_rates[self.record.rate])


FxRateResult = Annotated[
    FxRate | Refused, strawberry.union("FxRateResult", description="The version as it is now, or why not.")
]


@strawberry.input(description="A version of the FX rate of a pair.")
class ProposeFxRateInput:
    base: str = strawberry.field(description="ISO 4217: the currency that is exchanged.")
    quote: str = strawberry.field(description="ISO 4217: the currency that it becomes.")
    rate: Decimal = strawberry.field(
        description="How much of the quote currency one unit of the base currency is; at most twelve decimal places."
    )
    source: str = strawberry.field(description="Who published it.")
    quoted_on: date = strawberry.field(description="The day for which it was published.")
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )


@strawberry.type
class FxQuery:
    @field(
        "Versions of FX rates, in the order in which they were proposed: those that were ever approved; all for the "
        "operator's callers."
    )
    async def fx_rates(
        self,
        info: Info,
        base: Annotated[str | None, strawberry.argument(description="Only from this currency.")] = None,
        quote: Annotated[str | None, strawberry.argument(description="Only into this currency.")] = None,
        at: Annotated[
            datetime | None, strawberry.argument(description="Only the version of each pair in force at this instant.")
        ] = None,
        status: Annotated[VersionStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[FxRate]:
        wanted = page(first, after, "fx_rates", tuple[int])
        async with info.context.read() as reader:
            configuration = reader.configuration
            found = [
                one
                for _, one in sorted(configuration.fx_rates.items())
                if (wanted.after is None or one.id > wanted.after[0])
                and base in (None, one.base)
                and quote in (None, one.quote)
                and (status is None or one.status is status)
                and (at is None or core.rate_in_force(configuration.fx.get(one.pair, ()), at) is one)
                and _is_visible(reader, one)
            ]
        return connect(found[: wanted.rows], wanted, to_fx_rate, lambda one: (one.id,))


@strawberry.type
class FxMutation:
    @mutation("Propose a version of an FX rate. By the operator.")
    async def propose_fx_rate(
        self, info: Info, input: Annotated[ProposeFxRateInput, strawberry.argument(description="The rate.")]
    ) -> FxRateResult:
        return await _configure(info, _command(info.context.actor, input))

    @mutation(
        "Approve a version: it is in force from its start on. By another person of the operator's than who proposed it."
    )
    async def approve_fx_rate(self, info: Info, id: Id) -> FxRateResult:
        return await _configure(info, commands.ApproveFxRate(actor=info.context.actor, id=_number(id)))

    @mutation("End a version that is not approved. By the operator.")
    async def reject_fx_rate(self, info: Info, id: Id, reason: Reason) -> FxRateResult:
        return await _configure(info, commands.RejectFxRate(actor=info.context.actor, id=_number(id), reason=reason))

    @mutation(
        "End an approved version. The one before it does not come back: closings that need the rate wait for another. "
        "By the operator."
    )
    async def withdraw_fx_rate(self, info: Info, id: Id, reason: Reason) -> FxRateResult:
        return await _configure(info, commands.WithdrawFxRate(actor=info.context.actor, id=_number(id), reason=reason))


async def fx_rate_by_id(context: Context, id: int) -> FxRate | None:
    """The version with this identifier, if it exists for the caller."""
    async with context.read() as reader:
        found = reader.configuration.fx_rates.get(id)
        return None if found is None or not _is_visible(reader, found) else to_fx_rate(found)


def _is_visible(reader: Reader, rate: core.FxRate) -> bool:
    """Reports name what was approved, so it is everybody's business."""
    return reader.viewer.sees_all or rate in reader.configuration.fx.get(rate.pair, ())


def _command(actor: int, input: ProposeFxRateInput) -> commands.ProposeFxRate:
    return commands.ProposeFxRate(
        actor=actor,
        base=input.base,
        quote=input.quote,
        rate=decimal(input.rate),
        source=input.source,
        quoted_on=input.quoted_on,
        starts=input.effective_from,
        ends=input.effective_until,
    )


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.FX_RATE)


async def _configure(info: Info, command: commands.Command) -> FxRate | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_fx_rate(result_of(outcome, core.FxRate))


def to_fx_rate(rate: core.FxRate) -> FxRate:
    return FxRate(
        id=strawberry.ID(ids.text(ids.FX_RATE, rate.id)),
        version=rate.version,
        status=rate.status,
        base=rate.base,
        quote=rate.quote,
        rate=Decimal(rate.text),
        source=rate.source,
        quoted_on=rate.quoted_on,
        effective_from=rate.starts,
        effective_until=rate.ends,
        proposed_by=rate.proposed_by,
        decided_by=rate.decided_by,
        end_reason=rate.reason,
    )


def to_net_exchange(made: records.NetExchange) -> NetExchange:
    return NetExchange(record=made)
