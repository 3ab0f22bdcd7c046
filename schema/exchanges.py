"""Exchanges: the way of an act whose points are in partners' systems, and the file that the operator keeps."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import strawberry

from hub import cases, ids, lookups
from hub import currencies as core
from hub.cases import Case
from hub.configuration import Configuration
from hub.currencies import PartnerState
from hub.errors import Forbidden
from hub.ledger import commands, orders, records
from hub.ledger.orders import EvidenceKind, ExchangeState
from hub.partners import Operation, Reason, Status
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.conversions import Conversion, to_conversion
from schema.directory import PointCurrency, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.reversals import to_act

_OF = "The act: a Conversion, Redemption, Transfer, Issue or Reversal."
_ACTS = (ids.CONVERSION, ids.REDEMPTION, ids.TRANSFER, ids.ISSUE, ids.REVERSAL)

publish(
    ExchangeState,
    "ExchangeState",
    "Where an act is on its way over partners' systems.",
    DEBITING="Who keeps the points that are given is asked to take them.",
    HOLDING="Who keeps the points that are given is asked to hold them.",
    CREDITING="Who keeps the points that come is asked to give them.",
    CAPTURING="Who holds points is asked to take them.",
    COLLECTING="A hold was over before its points were taken, and who kept them is asked to take them all the same.",
    RELEASING="Who holds points is asked to free them.",
    REFUNDING="Who took points is asked to give them back.",
    COMPLETED="Partners have done their part.",
    REFUSED="A partner refused, and nothing was changed.",
    REVERSED="A partner refused, and what was taken was given back.",
)
publish(
    Operation,
    "PartnerOperation",
    "What a partner is asked to do to a member's points.",
    DEBIT="Take them.",
    CREDIT="Give them.",
    HOLD="Promise them.",
    CAPTURE="Take what was promised.",
    RELEASE="Free what was promised.",
    REVERSE="Undo what it did before.",
)
publish(
    Status,
    "PartnerStatus",
    "What is known of an order.",
    SUCCEEDED="It was done.",
    REFUSED="It was not done, and never will be.",
    PENDING="The partner has taken it, and not done it yet.",
    UNKNOWN="Nobody knows; the partner is asked again.",
    ABSENT="It was certainly not done so far.",
)
publish(
    Reason,
    "PartnerReason",
    "Why a partner refused, in the hub's words.",
    INSUFFICIENT_POINTS="The member has too few points.",
    NO_SUCH_MEMBER="The partner does not know the member.",
    MEMBER_BLOCKED="The partner does not let the member.",
    LIMIT_EXCEEDED="A limit of the partner's was in the way.",
    INVALID_AMOUNT="The partner moves no such amount.",
    NOT_SUPPORTED="The partner does not do this.",
    EXCEEDS_ORIGINAL="More was to be undone than was done.",
    OTHER="Something else; its own code says more.",
)
publish(
    EvidenceKind,
    "EvidenceKind",
    "What a person puts into the file of an exchange.",
    NOTE="Something that is good to know.",
    PROPOSAL="What became of the order, as far as this person can tell.",
    APPROVAL="That the last proposal is to count; by another person.",
)


class EvidenceOutcome(StrEnum):
    DONE = "DONE"
    NOT_DONE = "NOT_DONE"


publish(
    EvidenceOutcome,
    "EvidenceOutcome",
    "What became of an order, by evidence.",
    DONE="The partner did what was asked.",
    NOT_DONE="The partner did not do it, and will not.",
)


@strawberry.type(description="Something that is asked of a partner, under a reference by which it tells repetitions.")
class PartnerOrder:
    reference: str = strawberry.field(description="The hub's reference, by which the partner can be asked.")
    operation: Operation = strawberry.field(description="What is asked.")
    points: Points = strawberry.field(description="Of how many points.")
    asked_at: datetime = strawberry.field(description="When it was written down, before it was sent.")
    attempts: int | None = strawberry.field(description="How often it was tried; null once it is answered for good.")
    due_at: datetime | None = strawberry.field(description="When it is tried next.")
    status: Status | None = strawberry.field(description="What was known after the last attempt.")
    code: str | None = strawberry.field(description="The partner's own code then.")
    message: str | None = strawberry.field(description="The partner's own words then.")


@strawberry.type(description="A state that an exchange came into, and the answer that brought it there.")
class ExchangeStep:
    state: ExchangeState = strawberry.field(description="The state.")
    in_doubt: bool = strawberry.field(description="Whether nobody knew what had become of the order under way.")
    at: datetime = strawberry.field(description="When.")
    reference: str | None = strawberry.field(description="The order that was answered; null where it began.")
    status: Status | None = strawberry.field(description="What was answered.")
    reason: Reason | None = strawberry.field(description="Why it was refused, if it was.")
    code: str | None = strawberry.field(description="The partner's own code.")
    partner_reference: str | None = strawberry.field(description="The partner's own reference.")


@strawberry.type(description="An answer of a partner's that was not believed, because it does not fit its order.")
class PartnerIncident:
    reference: str = strawberry.field(description="The order.")
    at: datetime = strawberry.field(description="When it came.")
    text: str = strawberry.field(description="What was wrong with it.")


@strawberry.type(description="What a person put into the file of an exchange.")
class ExchangeEvidence:
    id: strawberry.ID = strawberry.field(description="Its identifier, by which it is approved.")
    kind: EvidenceKind = strawberry.field(description="What it is.")
    outcome: EvidenceOutcome | None = strawberry.field(description="What became of the order, by it.")
    reference: str | None = strawberry.field(description="The order that it is about.")
    text: str = strawberry.field(description="What it says.")
    person: str = strawberry.field(description="Who put it there.")
    at: datetime = strawberry.field(description="When.")


@strawberry.type(description="The way of an act over partners' systems, with everything that was asked and answered.")
class Exchange(Node):
    state: ExchangeState = strawberry.field(description="Where it is.")
    in_doubt: bool = strawberry.field(description="Whether nobody knows what became of the order under way.")
    act: Node = strawberry.field(description="What was asked for: a Conversion, or another act.")
    conversion: Conversion | None = strawberry.field(description="The conversion, if it is one.")
    orders: list[PartnerOrder] = strawberry.field(description="What was asked of partners, in order.")
    steps: list[ExchangeStep] = strawberry.field(description="How it came to where it is.")
    incidents: list[PartnerIncident] = strawberry.field(description="Answers that were not believed.")
    evidence: list[ExchangeEvidence] = strawberry.field(description="What persons put into its file.")


ExchangeResult = Annotated[
    Exchange | Refused, strawberry.union("ExchangeResult", description="The exchange as it is then, or the refusal.")
]
PartnerStateResult = Annotated[
    PointCurrency | Refused, strawberry.union("PartnerStateResult", description="The currency, or the refusal.")
]


@strawberry.type
class ExchangeQuery:
    @field("The way of an act over partners' systems. For the operator.")
    async def exchange(
        self, info: Info, conversion_id: Annotated[strawberry.ID, strawberry.argument(description=_OF)]
    ) -> Exchange | None:
        async with info.context.read() as reader:
            number = ids.number(conversion_id, *_ACTS)
            found = {} if number is None or not reader.viewer.sees_all else await cases.exchanges(reader, {number})
        return await _exchange(info.context, found[number]) if number in found else None

    @field("Exchanges of whose order nobody knows what became, the oldest first. For the operator.")
    async def exchanges_in_doubt(self, info: Info, first: First = 50, after: After = None) -> Connection[Exchange]:
        wanted = page(first, after, "exchanges_in_doubt", tuple[int])
        async with info.context.read() as reader:
            if not reader.viewer.sees_all:
                raise Forbidden
            found = await cases.in_doubt(reader, None if wanted.after is None else wanted.after[0], wanted.rows)
        shown = {one.id: await _exchange(info.context, one) for one in found}
        return connect(found, wanted, lambda one: shown[one.id], lambda one: (one.id,))


@strawberry.type
class ExchangeMutation:
    @mutation(
        "Put evidence into the file of an exchange: a note, or with an outcome what became of the order that is in "
        "doubt. By the operator."
    )
    async def add_exchange_evidence(
        self,
        info: Info,
        conversion_id: Annotated[strawberry.ID, strawberry.argument(description=_OF)],
        text: Annotated[str, strawberry.argument(description="What is known, and from where.")],
        outcome: Annotated[
            EvidenceOutcome | None, strawberry.argument(description="What is proposed to count; null: a note.")
        ] = None,
    ) -> ExchangeResult:
        command = commands.AddEvidence(
            actor=info.context.actor,
            exchange=ids.number(conversion_id, *_ACTS),
            done=None if outcome is None else outcome is EvidenceOutcome.DONE,
            text=text,
        )
        return await _result(info.context, command)

    @mutation("Have the last proposal count as the partner's answer. By another person of the operator's.")
    async def approve_exchange_evidence(
        self,
        info: Info,
        conversion_id: Annotated[strawberry.ID, strawberry.argument(description=_OF)],
        evidence_id: Annotated[strawberry.ID, strawberry.argument(description="The proposal that is approved.")],
    ) -> ExchangeResult:
        command = commands.ApproveEvidence(
            actor=info.context.actor,
            exchange=ids.number(conversion_id, *_ACTS),
            proposal=ids.number(evidence_id, ids.EVIDENCE),
        )
        return await _result(info.context, command)

    @mutation(
        "Say how things stand with the partner who keeps a currency. By an administrator of the issuer's or the "
        "operator; a halt is made and ended by the operator alone."
    )
    async def set_partner_state(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The currency's code.")],
        state: Annotated[PartnerState, strawberry.argument(description="How things stand from now on.")],
        reason: Annotated[str, strawberry.argument(description="Why.")],
    ) -> PartnerStateResult:
        command = commands.SetPartnerState(actor=info.context.actor, currency=currency, state=state, reason=reason)
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_currency(result_of(outcome, core.PointCurrency))


async def _result(context: Context, command: commands.Command) -> Exchange | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return await _exchange(context, result_of(outcome, orders.Exchange))


async def _exchange(context: Context, found: orders.Exchange) -> Exchange:
    async with context.read() as reader:
        made = (await lookups.conversions(reader, {found.id})).get(found.id)
        done = (await lookups.movements(reader, {found.id}))[found.id]
        return to_exchange(reader.configuration, await cases.case(reader, found), made, done)


def to_exchange(
    configuration: Configuration, case: Case, made: records.Conversion | None, accepted: records.Movement
) -> Exchange:
    found = case.exchange
    conversion = None if made is None else to_conversion(configuration, made)
    return Exchange(
        id=strawberry.ID(ids.text(ids.EXCHANGE, found.id)),
        state=found.state,
        in_doubt=found.in_doubt,
        act=to_act(configuration, accepted) if conversion is None else conversion,
        conversion=conversion,
        orders=[
            PartnerOrder(
                reference=one.reference,
                operation=one.operation,
                points=to_points(one.amount, configuration.currencies[configuration.currency_codes[one.currency]]),
                asked_at=one.asked_at,
                attempts=one.attempts,
                due_at=one.due_at,
                status=one.status,
                code=one.code,
                message=one.message,
            )
            for one in case.orders
        ],
        steps=[
            ExchangeStep(
                state=step.state,
                in_doubt=step.in_doubt,
                at=at,
                reference=step.order,
                status=step.status,
                reason=step.reason,
                code=step.code,
                partner_reference=step.partner_reference,
            )
            for step, at in case.steps
        ],
        incidents=[PartnerIncident(reference=one.reference, at=one.at, text=one.text) for one in case.incidents],
        evidence=[
            ExchangeEvidence(
                id=strawberry.ID(ids.text(ids.EVIDENCE, said.id)),
                kind=said.kind,
                outcome=None
                if said.done is None
                else (EvidenceOutcome.DONE if said.done else EvidenceOutcome.NOT_DONE),
                reference=said.order or None,
                text=text,
                person=configuration.credentials[said.credential].person,
                at=at,
            )
            for said, at, text in case.evidence
        ],
    )
