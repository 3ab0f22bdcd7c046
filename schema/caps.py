"""Caps on what institutions' subtrees may owe: set by the level above, eased by two persons."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import cap_trials, ids, lookups
from hub.errors import InvalidAmount
from hub.ledger import commands
from hub.ledger.records import Exposure
from hub.money import UnknownMoney, format_millionths, minor_unit
from hub.points import MONEY_SCALE, parse
from hub.registry.caps import CAP_MAX
from schema.context import Info
from schema.directory import Position, to_position
from schema.faults import BadInput
from schema.fields import field, mutation
from schema.inputs import Id, Reason, decimal
from schema.refusals import Refused, refusal_of
from schema.scalars import Decimal

PositionResult = Annotated[
    Position | Refused, strawberry.union("PositionResult", description="The position under its cap, or why not.")
]


@strawberry.input(description="The most that an institution's subtree may owe in one currency.")
class SetDebitCapInput:
    institution: str = strawberry.field(description="The institution's code.")
    currency: str = strawberry.field(description="ISO 4217.")
    amount: Decimal | None = strawberry.field(
        default=None, description="In major units; it may be below what is owed now. Default: no cap."
    )


@strawberry.type(description="An act that would have been refused for a cap.")
class CapTrialAct:
    kind: str = strawberry.field(description="What it was, such as REDEEM or CONVERT.")
    at: datetime = strawberry.field(description="When.")
    exposure: Decimal = strawberry.field(description="What the exposure was after it.")
    sequence: str = strawberry.field(description="Its place in the order of all acts, as a decimal number.")


@strawberry.type(description="What a cap would have done.")
class CapTrial:
    since: datetime = strawberry.field(description="From when on.")
    exposure: Decimal = strawberry.field(description="What the subtree owes now.")
    headroom: Decimal = strawberry.field(description="What of the cap would be left now; below zero: it is too low.")
    peak: Decimal = strawberry.field(description="The most that the subtree owed in the period.")
    peak_at: datetime | None = strawberry.field(description="When it first did; null: it owed nothing.")
    refused: int = strawberry.field(
        description="How many acts would have been refused, each by the exposure that there was."
    )
    acts: list[CapTrialAct] = strawberry.field(description="The first hundred of them, in order.")


@strawberry.type
class CapQuery:
    @field(
        "What a cap on an institution's subtree would have done, exactly, from the legs of its money. Null for who "
        "does not see the institution."
    )
    async def cap_trial(
        self,
        info: Info,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
        currency: Annotated[str, strawberry.argument(description="ISO 4217.")],
        amount: Annotated[Decimal, strawberry.argument(description="The cap, in major units, at least zero.")],
        since: Annotated[
            datetime | None,
            strawberry.argument(
                description="From when on. Default: since the first window opened that is not settled."
            ),
        ] = None,
    ) -> CapTrial | None:
        async with info.context.read() as reader:
            node = reader.configuration.institution(institution)
            if node is None or not reader.sees(node.id):
                return None
            cap = _cap_of(amount, currency)
            done = await cap_trials.trial(reader, node.id, currency, cap, since)
        return to_trial(done, currency, cap)


@strawberry.type
class CapMutation:
    @mutation(
        "Cap what an institution's subtree may owe in one currency. What tightens the cap works at once; what raises "
        "or lifts it is proposed, and awaits another person. Not above the cap of a level above. By an administrator "
        "of the institution's parent or of one above that, or by the operator."
    )
    async def set_debit_cap(
        self, info: Info, input: Annotated[SetDebitCapInput, strawberry.argument(description="The cap.")]
    ) -> PositionResult:
        command = commands.SetDebitCap(
            actor=info.context.actor,
            institution=input.institution,
            currency=input.currency,
            amount=decimal(input.amount),
        )
        return await _configure(info, command)

    @mutation("Let a proposed cap take effect. By another person than who proposed it, with the same right.")
    async def approve_debit_cap(self, info: Info, id: Id) -> PositionResult:
        return await _configure(info, commands.ApproveDebitCap(actor=info.context.actor, id=ids.number(id, ids.CAP)))

    @mutation("End the proposal of a cap, which stays as it is. By whoever may set it.")
    async def reject_debit_cap(self, info: Info, id: Id, reason: Reason) -> PositionResult:
        command = commands.RejectDebitCap(actor=info.context.actor, id=ids.number(id, ids.CAP), reason=reason)
        return await _configure(info, command)


def _cap_of(amount: Decimal, currency: str) -> int:
    """A cap that could be set, in millionths.

    Raises:
        BadInput: it could not.
    """
    try:
        minor_unit(currency)
        cap = parse(decimal(amount), MONEY_SCALE)
    except (UnknownMoney, InvalidAmount):
        cap = -1
    if not 0 <= cap <= CAP_MAX:
        raise BadInput("A cap is an amount of an ISO 4217 currency, at least zero, with at most six decimal places.")
    return cap


def to_trial(done: cap_trials.Trial, currency: str, cap: int) -> CapTrial:
    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, currency))

    return CapTrial(
        since=done.since,
        exposure=shown(done.exposure),
        headroom=shown(cap - done.exposure),
        peak=shown(done.peak),
        peak_at=done.peak_at,
        refused=done.refused,
        acts=[
            CapTrialAct(kind=one.kind.name, at=one.at, exposure=shown(one.exposure), sequence=str(one.movement))
            for one in done.acts
        ],
    )


async def _configure(info: Info, command: commands.Command) -> Position | Refused:
    context = info.context
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    if not isinstance(outcome.result, tuple):
        raise TypeError(f"{type(outcome.result).__name__} is no position")
    home, currency = outcome.result
    async with context.read() as reader:
        found = (await lookups.positions(reader, {home})).get(home, [])
    nothing = Exposure(home, currency, 0, 0, 0, None)
    return to_position(next((one for one in found if one.currency == currency), nothing))
