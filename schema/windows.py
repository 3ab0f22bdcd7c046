"""Settlement windows: what each came to, closing one, and confirming what was paid."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups
from hub.ledger import commands, records
from hub.ledger.decide import Outcome
from hub.ledger.records import WindowStatus
from hub.money import format_millionths
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import KEY, After, First, Id, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of
from schema.scalars import Decimal

publish(
    WindowStatus,
    "WindowStatus",
    "The life of a settlement window.",
    OPEN="What is done now falls into it.",
    CLOSED="Nothing falls into it any more, and its nets stand.",
    SETTLING="Some of its nets are confirmed.",
    SETTLED="All of its nets are confirmed.",
)


@strawberry.type(
    description="What an institution's own acts of a window come to, rounded to the minor unit. Over all institutions, "
    "the operator included, the nets of a currency sum to zero."
)
class Net:
    record: strawberry.Private[records.Net]
    currency: str = strawberry.field(description="ISO 4217.")
    debit: Decimal = strawberry.field(description="What it owes, exactly.")
    credit: Decimal = strawberry.field(description="What it is owed, exactly.")
    net: Decimal = strawberry.field(description="What it is paid; negative: what it pays.")
    confirmed: bool = strawberry.field(description="Whether the bank moved it; a zero net confirms itself.")

    @field("Whose net it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)


@strawberry.type(description="A stretch of time whose acts are netted and settled together.")
class SettlementWindow(Node):
    record: strawberry.Private[records.Window]
    model: str = strawberry.field(description="The settlement model that it belongs to.")
    number: int = strawberry.field(description="Its number within the model; windows are settled in this order.")
    status: WindowStatus = strawberry.field(description="Where it is in its life.")
    opened_at: datetime = strawberry.field(description="When it opened.")
    closed_at: datetime | None = strawberry.field(description="When it closed.")
    settled_at: datetime | None = strawberry.field(description="When the last of its nets was confirmed.")

    @field(
        "The nets of the caller's institution and of those below it, once the window is closed; the operator's: all."
    )
    async def nets(self, info: Info) -> list[Net]:
        found = await info.context.loaders.nets.load(self.record.id)
        return [to_net(net, confirmed) for net, confirmed in found]


WindowResult = Annotated[
    SettlementWindow | Refused, strawberry.union("WindowResult", description="The window as it is now, or why not.")
]


@strawberry.input(description="Which window to close.")
class CloseWindowInput:
    idempotency_key: str = strawberry.field(description=KEY)
    window_id: strawberry.ID = strawberry.field(description="The open window.")


@strawberry.input(description="What the bank moved for one net.")
class ConfirmSettlementInput:
    idempotency_key: str = strawberry.field(description=KEY)
    window_id: strawberry.ID = strawberry.field(description="The window.")
    institution: str = strawberry.field(description="The code of the institution whose net it is.")
    currency: str = strawberry.field(description="ISO 4217.")
    amount: Decimal = strawberry.field(description="What was moved, signed like the net; nothing else is accepted.")
    value_date: str | None = strawberry.field(default=None, description="The bank's value date, such as 2026-01-31.")
    reference: str = strawberry.field(description="The bank's reference.")


@strawberry.type
class WindowQuery:
    @field("A settlement window.")
    async def settlement_window(self, info: Info, id: Id) -> SettlementWindow | None:
        found = await window_by_id(info.context, ids.number(id, ids.WINDOW))
        return None if found is None else to_window(found)

    @field("Settlement windows, by number.")
    async def settlement_windows(
        self,
        info: Info,
        status: Annotated[WindowStatus | None, strawberry.argument(description="Only in this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[SettlementWindow]:
        wanted = page(first, after, tuple[int])
        async with info.context.read() as reader:
            beyond = None if wanted.after is None else wanted.after[0]
            found = await lookups.windows_page(reader, status, beyond, wanted.rows)
        return connect(found, wanted, to_window, lambda window: (window.number,))


@strawberry.type
class WindowMutation:
    @mutation(
        "Close the open window, net it, and open the next. Its reports are there when this answers. By the operator."
    )
    async def close_settlement_window(
        self, info: Info, input: Annotated[CloseWindowInput, strawberry.argument(description="The window.")]
    ) -> WindowResult:
        context = info.context
        command = commands.CloseWindow(
            actor=context.actor, key=input.idempotency_key, window=ids.number(input.window_id, ids.WINDOW)
        )
        outcome = await context.submit(command)
        if outcome.refusal is None:
            await context.reports.ensure(_window_id(outcome))
        return await _answer(context, outcome)

    @mutation(
        "Confirm that the bank moved a net. The last one settles the window. Windows are settled in the order of their "
        "numbers, which is tested before all else. By the operator."
    )
    async def confirm_settlement(
        self, info: Info, input: Annotated[ConfirmSettlementInput, strawberry.argument(description="The payment.")]
    ) -> WindowResult:
        context = info.context
        command = commands.ConfirmSettlement(
            actor=context.actor,
            key=input.idempotency_key,
            window=ids.number(input.window_id, ids.WINDOW),
            institution=input.institution,
            currency=input.currency,
            amount=decimal(input.amount),
            value_date=input.value_date,
            reference=input.reference,
        )
        return await _answer(context, await context.submit(command))


async def window_by_id(context: Context, id: int | None) -> records.Window | None:
    """The window with this identifier, if there is one."""
    async with context.read() as reader:
        return None if id is None else (await lookups.windows(reader, {id})).get(id)


async def _answer(context: Context, outcome: Outcome) -> SettlementWindow | Refused:
    """The window of an outcome as it is now, because a replay may come when it has moved on."""
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    found = await window_by_id(context, _window_id(outcome))
    if found is None:
        raise LookupError("the window of an outcome is gone")
    return to_window(found)


def _window_id(outcome: Outcome) -> int:
    """A fresh outcome names its window, a replayed one brings it."""
    if isinstance(outcome.result, records.Window):
        return outcome.result.id
    if isinstance(outcome.result, int):
        return outcome.result
    raise TypeError(f"{type(outcome.result).__name__} is no window")


def to_window(window: records.Window) -> SettlementWindow:
    return SettlementWindow(
        record=window,
        id=strawberry.ID(ids.text(ids.WINDOW, window.id)),
        model=window.model,
        number=window.number,
        status=window.status,
        opened_at=window.opened_at,
        closed_at=window.closed_at,
        settled_at=window.settled_at,
    )


def to_net(net: records.Net, confirmed: bool) -> Net:
    return Net(
        record=net,
        currency=net.currency,
        debit=Decimal(format_millionths(net.debits, net.currency)),
        credit=Decimal(format_millionths(net.credits, net.currency)),
        net=Decimal(format_millionths(net.net, net.currency)),
        confirmed=confirmed,
    )
