"""Defaults: nets that were not paid, who bears them, and what the debtor pays later."""

from typing import Annotated

import strawberry

from hub import defaults as core
from hub import ids, unpaid_nets
from hub.ledger import commands
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason, decimal
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.windows import Default, WindowResult, to_default, to_window, window_by_id

DefaultResult = Annotated[
    Default | Refused, strawberry.union("DefaultResult", description="The default as it is now, or why not.")
]


@strawberry.input(description="A net that was due and is not paid.")
class ProposeDefaultInput:
    window_id: strawberry.ID = strawberry.field(description="The window, which is the next to be settled.")
    institution: str = strawberry.field(description="The code of whose net it is.")
    currency: str = strawberry.field(description="ISO 4217.")
    reason: str = strawberry.field(description="What is known, for the record; not blank.")


@strawberry.input(description="What a debtor has paid of what it was declared not to have.")
class RepayDefaultInput:
    default_id: strawberry.ID = strawberry.field(description="The default.")
    amount: Decimal = strawberry.field(description="In whole minor units, at most what is outstanding.")
    value_date: str | None = strawberry.field(default=None, description="The bank's value date, such as 2026-01-31.")
    reference: str = strawberry.field(description="The bank's reference.")


@strawberry.type
class DefaultQuery:
    @field(
        "Nets that were not paid, the newest first: of the caller's institution and those below it, and those of which "
        "these bear something. For the operator's callers all."
    )
    async def defaults(
        self,
        info: Info,
        window_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this window.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Default]:
        wanted = page(first, after, "defaults", tuple[int])
        before = None if wanted.after is None else wanted.after[0]
        context = info.context
        async with context.read() as reader:
            seen = {node for node in reader.configuration.institutions if context.sees(node)}
            of = None if reader.viewer.sees_all else seen
            window = None if window_id is None else ids.number(window_id, ids.WINDOW) or 0
            found = await unpaid_nets.defaults(reader, window, of, before, wanted.rows)
        return connect(found, wanted, to_default, lambda one: (one.id,))


@strawberry.type
class DefaultMutation:
    @mutation("Say that a net that is due was not paid. Another person has to agree. By the operator.")
    async def propose_default(
        self, info: Info, input: Annotated[ProposeDefaultInput, strawberry.argument(description="The net.")]
    ) -> DefaultResult:
        command = commands.ProposeDefault(
            actor=info.context.actor,
            window=ids.number(input.window_id, ids.WINDOW),
            institution=input.institution,
            currency=input.currency,
            reason=input.reason,
        )
        return await _submit(info.context, command)

    @mutation(
        "Declare a net unpaid: it becomes a receivable, and the pay-outs of its currency in its window wait. By "
        "another person of the operator's than who proposed it."
    )
    async def approve_default(self, info: Info, id: Id) -> DefaultResult:
        return await _submit(
            info.context, commands.ApproveDefault(actor=info.context.actor, id=ids.number(id, ids.DEFAULT))
        )

    @mutation("End the proposal to declare a net unpaid. By the operator.")
    async def reject_default(self, info: Info, id: Id, reason: Reason) -> DefaultResult:
        command = commands.RejectDefault(actor=info.context.actor, id=ids.number(id, ids.DEFAULT), reason=reason)
        return await _submit(info.context, command)

    @mutation(
        "Let the nets that were declared unpaid be borne: by the debtor's collateral, by the default fund, and by "
        "cutting the pay-outs, which then go on. When every other pay-in of the currency has come. By the operator."
    )
    async def cover_defaults(
        self,
        info: Info,
        window_id: Annotated[strawberry.ID, strawberry.argument(description="The window.")],
        currency: Annotated[str, strawberry.argument(description="ISO 4217.")],
    ) -> WindowResult:
        context, window = info.context, ids.number(window_id, ids.WINDOW)
        outcome = await context.submit(commands.CoverDefaults(actor=context.actor, window=window, currency=currency))
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        if window is not None:
            await context.supplements.ensure(window)
        found = await window_by_id(context, window)
        if found is None:
            raise LookupError("the window of an outcome is gone")
        return to_window(found)

    @mutation(
        "Record that a debtor has paid something of what it was declared not to have. Who was cut gets it first, then "
        "the default fund, then the debtor's collateral. By the operator."
    )
    async def repay_default(
        self, info: Info, input: Annotated[RepayDefaultInput, strawberry.argument(description="The payment.")]
    ) -> DefaultResult:
        command = commands.RepayDefault(
            actor=info.context.actor,
            id=ids.number(input.default_id, ids.DEFAULT),
            amount=decimal(input.amount),
            value_date=input.value_date,
            reference=input.reference,
        )
        return await _submit(info.context, command)


async def _submit(context: Context, command: commands.Command) -> Default | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    found = result_of(outcome, core.Default)
    if found.is_standing:  # its supplements are there when this answers
        await context.supplements.ensure(found.window)
    return to_default(found)
