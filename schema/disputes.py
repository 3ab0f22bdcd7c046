"""Disputes: lines of reports that an institution does not agree with, and what becomes of them."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups
from hub.acceptance import disputes as core
from hub.acceptance import reading
from hub.acceptance.disputes import DisputeOutcome, DisputeReason, DisputeStatus, DisputeStepKind, Statement
from hub.configuration import Configuration
from hub.ledger import commands
from hub.ledger.records import Window
from hub.money import format_millionths
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, to_institution
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.windows import SettlementWindow, to_window

publish(
    DisputeReason,
    "DisputeReason",
    "Why a line is disputed.",
    AMOUNT="The amount is another one.",
    UNKNOWN="The institution knows nothing of the act.",
    DUPLICATE="The act is counted more than once.",
    PARTY="Another institution owes it, or is owed it.",
    PERIOD="The act belongs to another window.",
    OTHER="What the text says.",
)
publish(
    DisputeStatus,
    "DisputeStatus",
    "Where a dispute stands.",
    OPEN="The other institution of the line, or the operator, has to answer.",
    ANSWERED="Two persons of the operator's have to decide.",
    RESOLVED="It has ended.",
)
publish(
    DisputeOutcome,
    "DisputeOutcome",
    "How a dispute has ended.",
    UPHELD="The line is corrected, in whole or in part, in the window that was open then.",
    REJECTED="The line stands.",
    WITHDRAWN="Who opened it has taken it back.",
)
publish(
    DisputeStepKind,
    "DisputeStepKind",
    "What happened to a dispute.",
    OPENED="The institution disputed the line.",
    ANSWERED="The other side, or the operator, answered.",
    NOTED="Somebody added evidence.",
    WITHDRAWN="The institution took it back.",
    PROPOSED="A person of the operator's said how it is to end.",
    APPROVED="Another one approved, and it has ended.",
)


@strawberry.type(description="A line of a report: who owes whom how much.")
class ReportLine:
    movement: strawberry.ID = strawberry.field(description="The line's movement, as in the report's lines.")
    leg: int = strawberry.field(description="Its number in the movement.")
    payer: Institution = strawberry.field(description="Who owes.")
    payee: Institution = strawberry.field(description="Who is owed.")
    amount: Decimal = strawberry.field(description="How much, in the major unit.")
    currency: str = strawberry.field(description="ISO 4217.")


@strawberry.type(description="Something that happened to a dispute.")
class DisputeStep:
    id: strawberry.ID = strawberry.field(description="Its identifier, by which a proposal is approved.")
    kind: DisputeStepKind = strawberry.field(description="What.")
    at: datetime = strawberry.field(description="When.")
    person: str = strawberry.field(description="By whom.")
    outcome: DisputeOutcome | None = strawberry.field(description="How it is to end, or has ended.")
    amount: Decimal | None = strawberry.field(description="By how much the line is to be, or was, corrected.")
    text: str = strawberry.field(description="What was said.")
    references: list[str] = strawberry.field(description="Where evidence of it is.")


@strawberry.type(description="A line of an institution's report that it does not agree with.")
class Dispute(Node):
    record: strawberry.Private[core.Dispute]
    window: SettlementWindow = strawberry.field(description="The closed window.")
    institution: Institution = strawberry.field(description="Who disputes it.")
    line: ReportLine = strawberry.field(description="The line.")
    reason: DisputeReason = strawberry.field(description="Why.")
    expected: Decimal | None = strawberry.field(description="What the amount should be, if that was said.")
    status: DisputeStatus = strawberry.field(description="Where it stands.")
    outcome: DisputeOutcome | None = strawberry.field(description="How it has ended.")
    corrected: Decimal = strawberry.field(description="By how much the line was corrected.")
    opened_at: datetime = strawberry.field(description="When it was opened.")

    @field("What happened to it, in order.")
    async def history(self, info: Info) -> list[DisputeStep]:
        async with info.context.read() as reader:
            found = await reading.history(reader, self.record.id)
        return [to_step(info.context.configuration, self.record.line.currency, *one) for one in found]


@strawberry.type(description="The disputes that were opened, in the order of the lines.")
class OpenedDisputes:
    disputes: list[Dispute] = strawberry.field(description="The disputes.")


@strawberry.input(description="What is said, and where evidence of it is. No secrets: they are refused.")
class EvidenceInput:
    text: str = strawberry.field(description="What is said; not blank.")
    references: list[str] = strawberry.field(
        default_factory=list, description="Where evidence is, such as a ticket or a document's address; at most 20."
    )


@strawberry.input(description="A line, and why it is disputed.")
class DisputedLineInput:
    movement: strawberry.ID = strawberry.field(description="The line's movement, as in the report's lines.")
    leg: int = strawberry.field(description="Its number in the movement.")
    reason: DisputeReason = strawberry.field(description="Why.")
    expected: Decimal | None = strawberry.field(default=None, description="What the amount should be.")
    evidence: EvidenceInput = strawberry.field(description="What is said of it.")


@strawberry.input(description="Lines of a report that its institution does not agree with: all are disputed, or none.")
class OpenDisputesInput:
    window_id: strawberry.ID = strawberry.field(description="The window.")
    institution: str = strawberry.field(description="The code of the institution whose report it is.")
    lines: list[DisputedLineInput] = strawberry.field(description="The lines, at most 1,000.")


@strawberry.input(description="How an answered dispute is to end.")
class ProposeDisputeEndInput:
    id: strawberry.ID = strawberry.field(description="The dispute.")
    outcome: DisputeOutcome = strawberry.field(description="UPHELD or REJECTED.")
    amount: Decimal | None = strawberry.field(
        default=None,
        description="By how much the line is corrected where upheld. Default: all that is left of it.",
    )
    evidence: EvidenceInput = strawberry.field(description="Why, and what proves it.")


DisputeResult = Annotated[
    Dispute | Refused, strawberry.union("DisputeResult", description="The dispute as it is then, or the refusal.")
]
OpenDisputesResult = Annotated[
    OpenedDisputes | Refused, strawberry.union("OpenDisputesResult", description="The disputes, or the refusal.")
]


@strawberry.type
class DisputeQuery:
    @field("Disputes, the newest first, of lines one of whose two institutions the caller sees from within.")
    async def disputes(
        self,
        info: Info,
        window_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this window.")] = None,
        institution: Annotated[
            str | None, strawberry.argument(description="Only those that this institution has opened.")
        ] = None,
        status: Annotated[DisputeStatus | None, strawberry.argument(description="Only those that stand so.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Dispute]:
        wanted = page(first, after, "disputes", tuple[int])
        window = None if window_id is None else ids.number(window_id, ids.WINDOW) or 0
        async with info.context.read() as reader:
            configuration = reader.configuration
            home = None if institution is None else configuration.institution_codes.get(institution, 0)
            before = None if wanted.after is None else wanted.after[0]
            found = await reading.disputes(reader, window, home, status, before, wanted.rows)
            windows = await lookups.windows(reader, {one.line.window for one in found})
        return connect(found, wanted, lambda one: to_dispute(configuration, windows, one), lambda one: (one.id,))


@strawberry.type
class DisputeMutation:
    @mutation(
        "Dispute lines of a report of a closed window, each once, until the deadline. By the institution's own "
        "administrator."
    )
    async def open_disputes(
        self, info: Info, input: Annotated[OpenDisputesInput, strawberry.argument(description="The lines.")]
    ) -> OpenDisputesResult:
        context, window = info.context, ids.number(input.window_id, ids.WINDOW)
        async with context.read() as reader:
            home = reader.configuration.institution(input.institution)
            may = home is not None and reader.sees(home.id)
        if may and window is not None:  # the lines are those of a report
            await context.reports.have(window)
        command = commands.OpenDisputes(
            actor=context.actor,
            window=window,
            institution=input.institution,
            lines=tuple(
                commands.DisputedLine(
                    movement=ids.number(one.movement, ids.ENTRY),
                    leg=one.leg,
                    reason=one.reason,
                    expected=decimal(one.expected),
                    said=_said(one.evidence),
                )
                for one in input.lines
            ),
        )
        outcome = await context.submit(command)
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        made = [one for one in result_of(outcome, list) if isinstance(one, core.Dispute)]
        async with context.read() as reader:
            windows = await lookups.windows(reader, {one.line.window for one in made})
        return OpenedDisputes(disputes=[to_dispute(context.configuration, windows, one) for one in made])

    @mutation("Answer an open dispute. By an administrator of the line's other institution, or by the operator.")
    async def answer_dispute(
        self, info: Info, id: Id, evidence: Annotated[EvidenceInput, strawberry.argument(description="The answer.")]
    ) -> DisputeResult:
        number = ids.number(id, ids.DISPUTE)
        return await _submit(
            info.context, commands.AnswerDispute(actor=info.context.actor, id=number, said=_said(evidence))
        )

    @mutation("Add evidence to a dispute. By an administrator of either institution of the line, or by the operator.")
    async def note_dispute(
        self, info: Info, id: Id, evidence: Annotated[EvidenceInput, strawberry.argument(description="What is known.")]
    ) -> DisputeResult:
        number = ids.number(id, ids.DISPUTE)
        return await _submit(
            info.context, commands.NoteDispute(actor=info.context.actor, id=number, said=_said(evidence))
        )

    @mutation("Take a dispute back, for good. By an administrator of the institution that opened it.")
    async def withdraw_dispute(self, info: Info, id: Id, reason: Reason) -> DisputeResult:
        number = ids.number(id, ids.DISPUTE)
        return await _submit(info.context, commands.WithdrawDispute(actor=info.context.actor, id=number, reason=reason))

    @mutation("Say how an answered dispute is to end, instead of what was said before. By the operator.")
    async def propose_dispute_end(
        self, info: Info, input: Annotated[ProposeDisputeEndInput, strawberry.argument(description="How.")]
    ) -> DisputeResult:
        command = commands.ProposeDisputeEnd(
            actor=info.context.actor,
            id=ids.number(input.id, ids.DISPUTE),
            outcome=input.outcome,
            amount=decimal(input.amount),
            said=_said(input.evidence),
        )
        return await _submit(info.context, command)

    @mutation(
        "End a dispute as it was proposed; one that is upheld corrects its line in the open window. By another person "
        "of the operator's."
    )
    async def approve_dispute_end(
        self,
        info: Info,
        id: Id,
        proposal_id: Annotated[
            strawberry.ID, strawberry.argument(description="The step of the dispute's history that is approved.")
        ],
    ) -> DisputeResult:
        proposal = ids.number(proposal_id, ids.DISPUTE_STEP)
        command = commands.ApproveDisputeEnd(
            actor=info.context.actor, id=ids.number(id, ids.DISPUTE), proposal=proposal
        )
        return await _submit(info.context, command)


async def _submit(context: Context, command: commands.Command) -> Dispute | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    found = result_of(outcome, core.Dispute)
    async with context.read() as reader:
        windows = await lookups.windows(reader, {found.line.window})
        return to_dispute(reader.configuration, windows, found)


async def dispute_by_id(context: Context, id: int) -> Dispute | None:
    """A dispute, as far as the caller may see it."""
    async with context.read() as reader:
        found = await reading.dispute(reader, id)
        if found is None:
            return None
        windows = await lookups.windows(reader, {found.line.window})
        return to_dispute(reader.configuration, windows, found)


def _said(evidence: EvidenceInput) -> Statement:
    return Statement(evidence.text, tuple(evidence.references))


def to_dispute(configuration: Configuration, windows: dict[int, Window], found: core.Dispute) -> Dispute:
    line, nodes = found.line, configuration.institutions

    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, line.currency))

    return Dispute(
        record=found,
        id=strawberry.ID(ids.text(ids.DISPUTE, found.id)),
        window=to_window(windows[line.window]),
        institution=to_institution(nodes[found.institution]),
        line=ReportLine(
            movement=strawberry.ID(ids.text(ids.ENTRY, line.movement)),
            leg=line.leg,
            payer=to_institution(nodes[line.payer]),
            payee=to_institution(nodes[line.payee]),
            amount=shown(line.amount),
            currency=line.currency,
        ),
        reason=found.reason,
        expected=None if found.expected is None else shown(found.expected),
        status=found.status,
        outcome=found.outcome,
        corrected=shown(found.corrected),
        opened_at=found.at,
    )


def to_step(
    configuration: Configuration, currency: str, step: core.DisputeStep, at: datetime, said: Statement
) -> DisputeStep:
    return DisputeStep(
        id=strawberry.ID(ids.text(ids.DISPUTE_STEP, step.id)),
        kind=step.kind,
        at=at,
        person=configuration.credentials[step.credential].person,
        outcome=step.outcome,
        amount=None if step.amount is None else Decimal(format_millionths(step.amount, currency)),
        text=said.text,
        references=list(said.references),
    )
