"""Caps on what institutions' subtrees may owe: set by the level above, eased by two persons."""

from typing import Annotated

import strawberry

from hub import ids, lookups
from hub.ledger import commands
from hub.ledger.records import Exposure
from schema.context import Info
from schema.directory import Position, to_position
from schema.fields import mutation
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
