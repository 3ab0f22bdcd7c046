"""Prepaid blocks: points that an institution has bought ahead, what its grants drew on them, and when little is
left."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, prepaids, statements
from hub import prepaid as core
from hub.configuration import Configuration
from hub.currencies import PointCurrency as Currency
from hub.ledger import commands
from hub.prepaid import BlockStatus, StepKind
from schema.amounts import Money, Points, to_money, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, MoneyInput, Reason, decimal, money_text
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    BlockStatus,
    "PrepaidBlockStatus",
    "The life of a prepaid block.",
    OFFERED="The issuer offers it.",
    SOLD="Its holder has bought it, and grants draw on it.",
    DECLINED="One side has ended the offer.",
)
publish(
    StepKind,
    "PrepaidStepKind",
    "What was done about a prepaid block.",
    SOLD="It was bought.",
    DECLINED="The offer was ended.",
    REFUND_PROPOSED="One side has proposed to hand points back.",
    REFUND_DECLINED="That was ended.",
    REFUNDED="The other side has accepted it: the points are handed back, and their part of the price is paid back.",
)


@strawberry.type(description="What a movement drew out of a prepaid block, or brought back to it.")
class PrepaidDraw:
    movement: strawberry.ID = strawberry.field(description="The movement: a grant, or the reversal of one.")
    at: datetime = strawberry.field(description="When.")
    points: Points = strawberry.field(description="Above zero: drawn. Below zero: brought back.")


@strawberry.type(description="A step of a prepaid block's way.")
class PrepaidStep:
    record: strawberry.Private[core.Step]
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    kind: StepKind = strawberry.field(description="What was done.")
    at: datetime = strawberry.field(description="When.")
    person: str = strawberry.field(description="By whom.")
    points: Points | None = strawberry.field(
        description="How many points are handed back, or are to be; null: all that is left, or none."
    )
    movement: strawberry.ID | None = strawberry.field(description="What was posted.")

    @field("Why, where somebody ended something.")
    async def reason(self, info: Info) -> str | None:
        return await info.context.loaders.memos.load(self.record.id)


@strawberry.type(
    description="Points that an institution buys of their issuer ahead. What is granted by its grant terms draws on "
    "its blocks, the one bought first before the others; points = drawn + refunded + left."
)
class PrepaidBlock(Node):
    record: strawberry.Private[core.Block]
    of: strawberry.Private[Currency]
    points: Points = strawberry.field(description="How many points.")
    price: Money = strawberry.field(description="For how much, in all.")
    status: BlockStatus = strawberry.field(description="Where it is in its life.")
    valid_until: datetime | None = strawberry.field(
        description="The first instant at which nothing is drawn on it any more; what is left then can be handed back."
    )
    offered_by: str = strawberry.field(description="The person who offered it.")
    offered_at: datetime = strawberry.field(description="When.")
    movement: strawberry.ID | None = strawberry.field(description="The movement by which it was sold.")
    drawn: Points = strawberry.field(description="What was granted of it and has not come back.")
    refunded: Points = strawberry.field(description="What was handed back for its part of the price.")
    left: Points = strawberry.field(description="What is neither.")

    @field("The points' currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("Who sells it.")
    def issuer(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.of.issuer)

    @field("Whose it is, or is to be.")
    def holder(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.holder)

    @field("The proposal to hand points back that stands, as a step of its history.")
    def proposal_id(self) -> strawberry.ID | None:
        number = self.record.proposal
        return None if number is None else strawberry.ID(ids.text(ids.PREPAID_STEP, number))

    @field("What was done about it after it was offered, in order.")
    async def history(self, info: Info) -> list[PrepaidStep]:
        async with info.context.read() as reader:
            found = await prepaids.steps(reader, self.record.id)
        return [to_step(info.context.configuration, self.of, step, at) for step, at in found]

    @field("What movements drew on it and brought back, the first one first.")
    async def draws(self, info: Info, first: First = 50, after: After = None) -> Connection[PrepaidDraw]:
        wanted = page(first, after, "draws", tuple[int, int])
        async with info.context.read() as reader:
            found = await prepaids.draws(reader, self.record.id, wanted.after, wanted.rows)
        return connect(
            found, wanted, lambda one: to_draw(self.of, one), lambda one: (one.draw.movement, one.draw.place)
        )


@strawberry.type(description="What an institution may still draw of a currency on all of its blocks.")
class PrepaidStock:
    holder_id: strawberry.Private[int]
    of: strawberry.Private[Currency]
    left: Points = strawberry.field(description="What may be drawn now.")
    threshold: Points | None = strawberry.field(description="Below how many points it is told; null: it is not.")
    low: bool = strawberry.field(description="Whether it was told that it is low, and has not been above since.")

    @field("Whose it is.")
    def holder(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.holder_id)

    @field("The points' currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)


@strawberry.type(
    description="What an issuer was paid ahead for blocks of one currency in one money: a contract liability. "
    "received = refunded + recognised + lapsed + liability."
)
class PrepaidLiability:
    of: strawberry.Private[Currency]
    received: Money = strawberry.field(description="The prices of all blocks that were sold by then.")
    refunded: Money = strawberry.field(description="What was paid back.")
    recognised: Money = strawberry.field(
        description="What was granted of them: from then on the points are an obligation of their own."
    )
    lapsed: Money = strawberry.field(description="What was left of blocks that are over.")
    liability: Money = strawberry.field(description="What points are still owed for.")

    @field("The points' currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("Whose liability it is.")
    def issuer(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.of.issuer)


PrepaidBlockResult = Annotated[
    PrepaidBlock | Refused, strawberry.union("PrepaidBlockResult", description="The block as it is now, or why not.")
]
PrepaidStockResult = Annotated[
    PrepaidStock | Refused, strawberry.union("PrepaidStockResult", description="The stock as it is now, or why not.")
]


@strawberry.input(description="Points that are offered ahead.")
class OfferPrepaidBlockInput:
    currency: str = strawberry.field(description="The point currency's code.")
    holder: str = strawberry.field(description="The code of the institution that is to buy them.")
    points: Decimal = strawberry.field(description="How many.")
    price: MoneyInput = strawberry.field(description="For how much in all, in whole minor units.")
    valid_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which nothing is drawn any more. Default: it does not end."
    )


@strawberry.input(description="When an institution is told that what it has prepaid is low.")
class SetPrepaidNoticeInput:
    currency: str = strawberry.field(description="The point currency's code.")
    holder: str = strawberry.field(description="The institution's code.")
    threshold: Decimal | None = strawberry.field(
        default=None, description="Below how many points it is told, once at each crossing. Default: never."
    )


Holder = Annotated[str | None, strawberry.argument(description="Only of this institution, by its code.")]
ProposalId = Annotated[strawberry.ID, strawberry.argument(description="The step of its history that proposes it.")]


@strawberry.type
class PrepaidQuery:
    @field("Prepaid blocks, the newest first: to their holders, to the issuers of their points, to those above these.")
    async def prepaid_blocks(
        self,
        info: Info,
        currency: Annotated[str | None, strawberry.argument(description="Only of this point currency.")] = None,
        holder: Holder = None,
        status: Annotated[BlockStatus | None, strawberry.argument(description="Only those that stand so.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[PrepaidBlock]:
        wanted = page(first, after, "prepaid_blocks", tuple[int])
        before = None if wanted.after is None else wanted.after[0]
        async with info.context.read() as reader:
            configuration = reader.configuration
            of = _number(configuration, holder)
            found = await prepaids.blocks(reader, currency, of, status, before, wanted.rows)
        return connect(found, wanted, lambda one: to_block(configuration, one), lambda one: (one.id,))

    @field("What may still be drawn of prepaid blocks, by holder and currency, of the blocks that the caller sees.")
    async def prepaid_stocks(self, info: Info, holder: Holder = None) -> list[PrepaidStock]:
        async with info.context.read() as reader:
            found = await prepaids.stocks(reader, _number(reader.configuration, holder))
            return [to_stock(reader.configuration, one) for one in found]

    @field(
        "What issuers were paid ahead and still owe points for, by point currency and money. Of the currencies whose "
        "issuers the caller sees from within."
    )
    async def prepaid_liabilities(
        self,
        info: Info,
        at: Annotated[
            datetime | None, strawberry.argument(description="The instant; what was posted at it counts. Default: now.")
        ] = None,
    ) -> list[PrepaidLiability]:
        async with info.context.read(past=None if at is None else statements.just_after(at)) as reader:
            nodes = {of.issuer for of in reader.configuration.currencies.values() if reader.sees(of.issuer)}
            found = await prepaids.liabilities(reader, nodes, at)
            return [to_liability(reader.configuration, *key, one) for key, one in found.items()]


@strawberry.type
class PrepaidMutation:
    @mutation(
        "Offer an institution a block of points for a price. Nothing is owed before it is accepted. By an "
        "administrator of the points' issuer."
    )
    async def offer_prepaid_block(
        self, info: Info, input: Annotated[OfferPrepaidBlockInput, strawberry.argument(description="The block.")]
    ) -> PrepaidBlockResult:
        command = commands.OfferBlock(
            actor=info.context.actor,
            currency=input.currency,
            holder=input.holder,
            points=decimal(input.points),
            price=money_text(input.price),
            until=input.valid_until,
        )
        return await _submit(info.context, command)

    @mutation(
        "Buy a block that is offered: its price is owed to the issuer in the window open now, and grants draw on it "
        "from now on. By an administrator of the institution that it is offered to."
    )
    async def accept_prepaid_block(self, info: Info, id: Id) -> PrepaidBlockResult:
        return await _submit(info.context, commands.AcceptBlock(actor=info.context.actor, id=_block(id)))

    @mutation("End an offer. By an administrator of the issuer or of the institution that it is made to.")
    async def decline_prepaid_block(self, info: Info, id: Id, reason: Reason) -> PrepaidBlockResult:
        command = commands.DeclineBlock(actor=info.context.actor, id=_block(id), reason=reason)
        return await _submit(info.context, command)

    @mutation(
        "Propose to hand back what is left of a block for its part of the price, instead of what was proposed before. "
        "By an administrator of either side."
    )
    async def propose_prepaid_refund(
        self,
        info: Info,
        id: Id,
        points: Annotated[
            Decimal | None, strawberry.argument(description="How many. Default: all that is left then.")
        ] = None,
    ) -> PrepaidBlockResult:
        command = commands.ProposeRefund(actor=info.context.actor, id=_block(id), points=decimal(points))
        return await _submit(info.context, command)

    @mutation(
        "Hand back what was proposed: the issuer owes its part of the price in the window open now. By an "
        "administrator of the other side."
    )
    async def accept_prepaid_refund(self, info: Info, id: Id, proposal_id: ProposalId) -> PrepaidBlockResult:
        proposal = ids.number(proposal_id, ids.PREPAID_STEP)
        return await _submit(
            info.context, commands.AcceptRefund(actor=info.context.actor, id=_block(id), proposal=proposal)
        )

    @mutation("End a proposal to hand back, also one's own. By an administrator of either side.")
    async def decline_prepaid_refund(
        self, info: Info, id: Id, proposal_id: ProposalId, reason: Reason
    ) -> PrepaidBlockResult:
        proposal = ids.number(proposal_id, ids.PREPAID_STEP)
        command = commands.DeclineRefund(actor=info.context.actor, id=_block(id), proposal=proposal, reason=reason)
        return await _submit(info.context, command)

    @mutation(
        "Say below how many points an institution is told that what it has prepaid of a currency is low; if it is, it "
        "is told at once. By an administrator of the institution, or the operator."
    )
    async def set_prepaid_notice(
        self, info: Info, input: Annotated[SetPrepaidNoticeInput, strawberry.argument(description="When.")]
    ) -> PrepaidStockResult:
        context = info.context
        command = commands.SetPrepaidNotice(
            actor=context.actor, currency=input.currency, holder=input.holder, points=decimal(input.threshold)
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        made = result_of(outcome, core.Notice)
        return to_stock(context.configuration, prepaids.Stock(made.holder, made.currency, made.left, made))


async def _submit(context: Context, command: commands.Command) -> PrepaidBlock | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_block(context.configuration, result_of(outcome, core.Block))


async def block_by_id(context: Context, id: int) -> PrepaidBlock | None:
    """A block, as far as the caller may see it."""
    async with context.read() as reader:
        found = await prepaids.block(reader, id)
        return None if found is None else to_block(reader.configuration, found)


def _block(id: str) -> int | None:
    return ids.number(id, ids.PREPAID_BLOCK)


def _number(configuration: Configuration, code: str | None) -> int | None:
    """The institution that is named; one that there is not has nothing."""
    return None if code is None else configuration.institution_codes.get(code, 0)


def _currency(configuration: Configuration, code: str) -> Currency:
    return configuration.currencies[configuration.currency_codes[code]]


def to_block(configuration: Configuration, found: core.Block) -> PrepaidBlock:
    of = _currency(configuration, found.currency)
    return PrepaidBlock(
        record=found,
        of=of,
        id=strawberry.ID(ids.text(ids.PREPAID_BLOCK, found.id)),
        points=to_points(found.units, of),
        price=to_money(found.value, found.money),
        status=found.status,
        valid_until=found.until,
        offered_by=configuration.credentials[found.credential].person,
        offered_at=found.at,
        movement=None if found.sold is None else strawberry.ID(ids.text(ids.ENTRY, found.sold)),
        drawn=to_points(found.drawn, of),
        refunded=to_points(found.refunded, of),
        left=to_points(found.left, of),
    )


def to_step(configuration: Configuration, of: Currency, step: core.Step, at: datetime) -> PrepaidStep:
    return PrepaidStep(
        record=step,
        id=strawberry.ID(ids.text(ids.PREPAID_STEP, step.id)),
        kind=step.kind,
        at=at,
        person=configuration.credentials[step.credential].person,
        points=None if step.units is None else to_points(step.units, of),
        movement=None if step.movement is None else strawberry.ID(ids.text(ids.ENTRY, step.movement)),
    )


def to_draw(of: Currency, found: prepaids.PastDraw) -> PrepaidDraw:
    movement = strawberry.ID(ids.text(ids.ENTRY, found.draw.movement))
    return PrepaidDraw(movement=movement, at=found.at, points=to_points(found.draw.units, of))


def to_stock(configuration: Configuration, found: prepaids.Stock) -> PrepaidStock:
    of, notice = _currency(configuration, found.currency), found.notice
    threshold = None if notice is None else notice.threshold
    return PrepaidStock(
        holder_id=found.holder,
        of=of,
        left=to_points(found.left, of),
        threshold=None if threshold is None else to_points(threshold, of),
        low=notice is not None and notice.low,
    )


def to_liability(configuration: Configuration, code: str, money: str, found: core.Liability) -> PrepaidLiability:
    return PrepaidLiability(
        of=_currency(configuration, code),
        received=to_money(found.received, money),
        refunded=to_money(found.refunded, money),
        recognised=to_money(found.recognised, money),
        lapsed=to_money(found.lapsed, money),
        liability=to_money(found.liability, money),
    )
