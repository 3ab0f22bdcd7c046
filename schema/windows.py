"""Settlement windows: what each came to, closing one, and confirming what was paid."""

from datetime import datetime
from typing import Annotated

import strawberry
import structlog

from hub import defaults as core
from hub import errors, ids, lookups
from hub.clock import now
from hub.ledger import commands, records
from hub.ledger.decide import Outcome
from hub.ledger.records import WindowStatus
from hub.model_lookups import preview
from hub.money import format_millionths
from hub.payment_references import of_obligation, reference_of
from hub.windows import due_at
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.faults import FxRateMissing, ReportsOutstanding
from schema.fields import field, mutation
from schema.fx import NetExchange, to_net_exchange
from schema.inputs import KEY, After, First, Id, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of
from schema.scalars import Decimal
from schema.unpaid_nets import UnpaidNet
from settlement.making import NetsMismatch
from settlement.signing import SigningError

_log = structlog.get_logger()

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
    description="What two participants of a window owe one another, where each two net by themselves "
    "(DEFERRED_NET_BILATERAL), with everybody below them; as one of them sees it."
)
class Obligation:
    view: strawberry.Private[records.ObligationView]
    with_: strawberry.Private[int]
    id: strawberry.ID | None = strawberry.field(description="Null as long as the window is open.")
    currency: str = strawberry.field(description="ISO 4217.")
    amount: Decimal = strawberry.field(
        description="In whole minor units: what the counterparty pays; negative: what it is paid."
    )
    paid: bool = strawberry.field(description="Whether the bank moved it.")
    confirmed: bool = strawberry.field(
        description="Whether the bank moved all that the two owe one another of the window, in all currencies, so that "
        "it is final; what others have paid has no say in it."
    )
    payment_reference: str | None = strawberry.field(
        description="The end-to-end identifier under which the bank is to move it; null as long as the window is open."
    )

    @field("With whom.")
    def counterparty(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.with_)


@strawberry.type(
    description="What an institution's own acts of a window and its children's nets come to, in whole minor units. "
    "Over all that settle with the hub, the operator included, the nets of a currency sum to zero."
)
class Net:
    record: strawberry.Private[records.NetView]
    currency: str = strawberry.field(description="ISO 4217.")
    debit: Decimal = strawberry.field(
        description="What it owes: by its own acts, and what its children bring that owe."
    )
    credit: Decimal = strawberry.field(
        description="What it is owed: by its own acts, and what its children bring that are owed."
    )
    own_debit: Decimal = strawberry.field(description="What it owes by its own acts, exactly.")
    own_credit: Decimal = strawberry.field(description="What it is owed by its own acts, exactly.")
    net: Decimal = strawberry.field(
        description="Credit less debit, rounded to the minor unit: what it is paid; negative: what it pays."
    )
    payable: Decimal = strawberry.field(
        description="What the bank moves for it, signed like the net: the net, with what others have become in its "
        "currency. Nothing of one that goes to a parent, or became another currency itself."
    )
    confirmed: bool = strawberry.field(
        description="Whether the bank moved it, or what it became a part of, and nothing is due of the others of the "
        "window of who settles it; a zero net confirms itself."
    )
    paid: bool = strawberry.field(
        description="Whether the bank moved it, or what it became a part of. As long as something is due in the other "
        "currencies, it is not confirmed, and frees nothing."
    )
    due: Decimal = strawberry.field(
        description="What the bank has still to move for it, signed like the net: nothing of one that goes to a parent "
        "or was declared unpaid, and of a pay-out what is not cut."
    )
    payment_reference: str | None = strawberry.field(
        description="The end-to-end identifier under which the bank is to move it; null if it does not."
    )

    @field(
        "Of a participant of a window that is netted in pairs, the obligations of which this net is the sum: they are "
        "paid, and the net itself is not. Empty otherwise."
    )
    def obligations(self) -> list[Obligation]:
        return [to_obligation(one, self.record.net.institution) for one in self.record.obligations]

    @field("Whose net it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.net.institution)

    @field("What it has become in another currency, or what nets of others have become in its own.")
    def exchanges(self) -> list[NetExchange]:
        return [to_net_exchange(one) for one in self.record.exchanges]

    @field("The institution whose net it becomes a part of; null: it settles with the hub.")
    def parent(self, info: Info) -> Institution | None:
        parent = self.record.parent
        return None if parent is None else institution_of(info.context.configuration, parent)


EveryLevel = Annotated[
    bool, strawberry.argument(description="Whether the operator's callers also see the nets that go to a parent.")
]


@strawberry.type(description="A stretch of time whose acts are netted and settled together.")
class SettlementWindow(Node):
    record: strawberry.Private[records.Window]
    model: str = strawberry.field(description="The settlement model that it belongs to.")
    number: int = strawberry.field(description="Its number within the model, whose windows are settled in this order.")
    status: WindowStatus = strawberry.field(description="Where it is in its life.")
    opened_at: datetime = strawberry.field(description="When it opened.")
    closed_at: datetime | None = strawberry.field(description="When it closed.")
    settled_at: datetime | None = strawberry.field(description="When the last of its nets was confirmed.")
    due_at: datetime | None = strawberry.field(
        description="The cut-off that it was closed for by the hub itself, which may have been later; null: it is "
        "open, or was closed by somebody."
    )

    @field("As long as it is open, when it is due to close by its model's calendar.")
    def closes_at(self, info: Info) -> datetime | None:
        is_open = self.status is WindowStatus.OPEN
        return due_at(info.context.configuration, self.record, now()) if is_open else None

    @field(
        "The nets of the caller's institution and of those below it, once the window is closed. The operator's callers "
        "see those of all that settle with the hub."
    )
    async def nets(self, info: Info, every_level: EveryLevel = False) -> list[Net]:
        found = await info.context.loaders.nets.load(self.record.id)
        return [to_net(one) for one in settling(info.context, found, every_level)]

    @field("The nets of it that were not paid, as `defaults` shows them, in the order in which that was said.")
    async def defaults(self, info: Info) -> list["Default"]:
        return [to_default(one) for one in await info.context.loaders.defaults.load(self.record.id)]


@strawberry.type(description="A net that was not paid.")
class Default(UnpaidNet):
    @field("The window that it is of.")
    async def window(self, info: Info) -> SettlementWindow | None:
        found = await info.context.loaders.windows.load(self.record.window)
        return None if found is None else to_window(found)


def settling(context: Context, nets: list[records.NetView], every_level: bool) -> list[records.NetView]:
    """The nets that are shown: to who sees all, those that settle with the hub, unless every level is asked for."""
    return [one for one in nets if one.parent is None or every_level or not context.viewer.sees_all]


WindowResult = Annotated[
    SettlementWindow | Refused, strawberry.union("WindowResult", description="The window as it is now, or why not.")
]


@strawberry.input(description="Which window to close.")
class CloseWindowInput:
    idempotency_key: str = strawberry.field(description=KEY)
    window_id: strawberry.ID = strawberry.field(description="An open window.")


@strawberry.input(description="What the bank moved for one net.")
class ConfirmSettlementInput:
    idempotency_key: str = strawberry.field(description=KEY)
    window_id: strawberry.ID = strawberry.field(description="The window.")
    institution: str = strawberry.field(description="The code of the institution whose net it is.")
    currency: str = strawberry.field(description="ISO 4217.")
    amount: Decimal = strawberry.field(description="What was moved, signed like the net; nothing else is accepted.")
    value_date: str | None = strawberry.field(default=None, description="The bank's value date, such as 2026-01-31.")
    reference: str = strawberry.field(description="The bank's reference.")
    counterparty: str | None = strawberry.field(
        default=None,
        description="Where each two participants net by themselves, the code of the other one; the amount is then that "
        "of the obligation between the two, negative if the institution paid it. Otherwise null.",
    )


@strawberry.type
class WindowQuery:
    @field("A settlement window.")
    async def settlement_window(self, info: Info, id: Id) -> SettlementWindow | None:
        found = await window_by_id(info.context, ids.number(id, ids.WINDOW))
        return None if found is None else to_window(found)

    @field(
        "What closing an open window now would give: its nets, as those of a closed one are shown; null: there is no "
        "such window for the caller, or it is not open. Where an FX rate is missing, so that it would not close, that "
        "is the error."
    )
    async def settlement_preview(self, info: Info, window_id: Id, every_level: EveryLevel = False) -> list[Net] | None:
        number = ids.number(window_id, ids.WINDOW)
        async with info.context.read() as reader:
            window = None if number is None else await lookups.window_seen(reader, number)
            if window is None or window.status is not WindowStatus.OPEN:
                return None
            try:
                found = await preview(reader, window)
            except errors.FxRateMissing as no:
                raise FxRateMissing(base=no.details["base"], quote=no.details["quote"]) from None
        seen = [one for one in found if reader.sees(one.net.institution)]
        return [to_net(one) for one in settling(info.context, seen, every_level)]

    @field("Settlement windows of the models that the caller sees, in the order in which they were opened.")
    async def settlement_windows(
        self,
        info: Info,
        status: Annotated[WindowStatus | None, strawberry.argument(description="Only in this state.")] = None,
        model: Annotated[str | None, strawberry.argument(description="Only of this model.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[SettlementWindow]:
        wanted = page(first, after, "settlement_windows", tuple[int])
        async with info.context.read() as reader:
            beyond = None if wanted.after is None else wanted.after[0]
            found = await lookups.windows_page(reader, status, model, beyond, wanted.rows)
        return connect(found, wanted, to_window, lambda window: (window.ordinal,))


@strawberry.type
class WindowMutation:
    @mutation(
        "Close an open window, net it, and open its model's next. Its reports are there when this answers. It stays "
        "open if they could not be signed (SIGNING_KEY_UNUSABLE). If they could not be made even so, it is closed "
        "and the error says so (REPORTS_OUTSTANDING): they are made when they are asked for. By the operator."
    )
    async def close_settlement_window(
        self, info: Info, input: Annotated[CloseWindowInput, strawberry.argument(description="The window.")]
    ) -> WindowResult:
        context = info.context
        command = commands.CloseWindow(
            actor=context.actor, key=input.idempotency_key, window=ids.number(input.window_id, ids.WINDOW)
        )
        outcome = await _close(context, command)
        if outcome.refusal is None:
            window = _window_id(outcome)
            try:
                await context.reports.ensure(window)
            except (SigningError, NetsMismatch, errors.ReportsGone) as error:
                _log.error("reports outstanding", window=ids.text(ids.WINDOW, window), reason=str(error))
                raise ReportsOutstanding(windowId=ids.text(ids.WINDOW, window)) from None
        return await _answer(context, outcome)

    @mutation(
        "Confirm that the bank moved a net. The last one of a participant frees what it owed, in all currencies; the "
        "last of all settles the window. A model's windows are settled in the order of their numbers, which is tested "
        "before all else. By the operator."
    )
    async def confirm_settlement(
        self, info: Info, input: Annotated[ConfirmSettlementInput, strawberry.argument(description="The payment.")]
    ) -> WindowResult:
        context, window = info.context, ids.number(input.window_id, ids.WINDOW)
        async with context.read() as reader:
            may = reader.viewer.sees_all
        if may and window is not None:  # what is paid was reported before
            await context.reports.have(window)
        command = commands.ConfirmSettlement(
            actor=context.actor,
            key=input.idempotency_key,
            window=window,
            institution=input.institution,
            currency=input.currency,
            amount=decimal(input.amount),
            value_date=input.value_date,
            reference=input.reference,
            counterparty=input.counterparty,
        )
        return await _answer(context, await context.submit(command))


async def window_by_id(context: Context, id: int | None) -> records.Window | None:
    """The window with this identifier, if there is one."""
    async with context.read() as reader:
        return None if id is None else await lookups.window_seen(reader, id)


async def _close(context: Context, command: commands.CloseWindow) -> Outcome:
    """What a closing comes to. Without a key to sign with nothing is closed: whoever may not close it is told that
    first, and who has closed it is answered again.

    Raises:
        SigningError: it would be closed, and its reports could not be signed.
        Fault: as ``Context.submit``.
    """
    try:
        await context.reports.check_key()
    except SigningError:
        outcome = await context.look(command)
        if outcome.refusal is None and not outcome.replayed:
            raise
        return outcome
    return await context.submit(command)


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
        due_at=window.due_at,
    )


def to_default(default: core.Default) -> Default:
    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, default.currency))

    return Default(
        record=default,
        id=strawberry.ID(ids.text(ids.DEFAULT, default.id)),
        currency=default.currency,
        amount=shown(default.amount),
        repaid=shown(default.repaid),
        outstanding=shown(default.outstanding),
        status=default.status,
        proposed_at=default.at,
    )


def to_net(view: records.NetView) -> Net:
    net = view.net

    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, net.currency))

    return Net(
        record=view,
        currency=net.currency,
        debit=shown(net.debits + view.below_debits),
        credit=shown(net.credits + view.below_credits),
        own_debit=shown(net.debits),
        own_credit=shown(net.credits),
        net=shown(net.net),
        payable=shown(net.payable if view.parent is None else 0),
        confirmed=view.confirmed,
        due=shown(view.due),
        paid=view.paid,
        payment_reference=(
            reference_of(net.window, net.institution, net.currency)
            if view.parent is None and net.payable and not view.obligations
            else None
        ),
    )


def to_obligation(view: records.ObligationView, of: int) -> Obligation:
    """An obligation as the participant ``of`` sees it."""
    owed = view.obligation
    amount = owed.amount if owed.creditor == of else -owed.amount
    return Obligation(
        view=view,
        with_=owed.debtor if owed.creditor == of else owed.creditor,
        id=strawberry.ID(ids.text(ids.OBLIGATION, owed.id)) if owed.id else None,
        currency=owed.currency,
        amount=Decimal(format_millionths(amount, owed.currency)),
        paid=view.paid,
        confirmed=view.confirmed,
        payment_reference=of_obligation(owed.id) if owed.id else None,
    )
