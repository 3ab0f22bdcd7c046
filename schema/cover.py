"""Cover: on which terms institutions owe, and what they have put up at the settlement bank."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import cover as core
from hub import covers, ids
from hub.configuration import Configuration
from hub.cover import EntryStatus, Pot
from hub.ledger import commands
from hub.money import format_millionths
from schema.amounts import to_percent
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, Reason, decimal
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    Pot,
    "CoverPot",
    "What money at the settlement bank is for.",
    COLLATERAL="Put up for its own debts.",
    FUND="A contribution to the default fund, for everybody's.",
    LIQUIDITY="Put up to pay with where each act is paid at once.",
    RECOVERED="What a debtor has paid later, to who had been cut; it is only paid out.",
)
publish(
    EntryStatus,
    "CoverEntryStatus",
    "The life of what is put up or taken back.",
    PROPOSED="One person has recorded it.",
    POSTED="Another has approved it, and it counts.",
    REJECTED="It was ended, and never counted.",
)


@strawberry.type(description="On which terms an institution owes.")
class CoverTerms:
    needed: bool = strawberry.field(description="Whether what worsens its exposure has to be covered.")
    line: Decimal = strawberry.field(description="How much of the exposure need not be.")
    haircut_percent: Decimal = strawberry.field(description="What of the collateral does not count; 30 means 30 %.")
    fund: Decimal = strawberry.field(description="What it has agreed to contribute to the default fund.")
    due_days: int = strawberry.field(description="After how many days from the end of a window its net is due.")


@strawberry.type(description="Easier terms, that wait for a second person.")
class CoverProposal:
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    terms: CoverTerms = strawberry.field(description="The terms.")
    proposed_by: str = strawberry.field(description="Who proposed them.")
    proposed_at: datetime = strawberry.field(description="When.")


@strawberry.type(description="How an institution that settles with the hub is covered, in one currency.")
class Cover:
    standing: strawberry.Private[covers.Standing]
    currency: str = strawberry.field(description="ISO 4217.")
    terms: CoverTerms = strawberry.field(description="The terms in force.")
    proposal: CoverProposal | None = strawberry.field(description="What would ease them, if that is proposed.")
    collateral: Decimal = strawberry.field(description="What it has put up for its own debts.")
    fund: Decimal = strawberry.field(description="What it has in the default fund.")
    liquidity: Decimal = strawberry.field(
        description="What it can pay at once with, to the millionth, where each act is paid at once."
    )
    recovered: Decimal = strawberry.field(description="What was recovered for it, and is to be paid out.")
    exposure: Decimal = strawberry.field(description="What it and all below it owe.")
    available: Decimal | None = strawberry.field(
        description="By how much the exposure may grow before cover is missing; null: it need not be covered."
    )

    @field("Whose cover it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.standing.institution)


@strawberry.type(description="What was put up, or taken back, at the settlement bank.")
class CoverEntry:
    record: strawberry.Private[core.CoverEntry]
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    pot: Pot = strawberry.field(description="For what.")
    amount: Decimal = strawberry.field(description="Above zero: put up. Below zero: taken back.")
    currency: str = strawberry.field(description="ISO 4217.")
    value_date: str | None = strawberry.field(description="The bank's value date.")
    reference: str = strawberry.field(description="The bank's reference.")
    status: EntryStatus = strawberry.field(description="Where it is in its life.")
    recorded_by: str = strawberry.field(description="Who recorded it.")
    recorded_at: datetime = strawberry.field(description="When.")
    decided_by: str | None = strawberry.field(description="Who approved or rejected it.")
    decided_at: datetime | None = strawberry.field(description="When.")

    @field("Who put it up, or took it back.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)

    @field("Why it was rejected, if it was.")
    async def rejection(self, info: Info) -> str | None:
        decision = self.record.decision
        return None if decision is None else await info.context.loaders.memos.load(decision)


CoverResult = Annotated[
    Cover | Refused, strawberry.union("CoverResult", description="The cover as it is now, or why not.")
]
CoverEntryResult = Annotated[
    CoverEntry | Refused, strawberry.union("CoverEntryResult", description="The entry as it is now, or why not.")
]


@strawberry.input(description="On which terms an institution that settles with the hub owes in one currency.")
class SetCoverInput:
    institution: str = strawberry.field(description="The institution's code.")
    currency: str = strawberry.field(description="ISO 4217.")
    needed: bool = strawberry.field(description="Whether what worsens its exposure has to be covered.")
    line: Decimal = strawberry.field(
        default=Decimal("0"), description="How much of the exposure need not be, in major units."
    )
    haircut_percent: Decimal = strawberry.field(
        default=Decimal("0"), description="What of the collateral does not count; at most four decimal places."
    )
    fund: Decimal = strawberry.field(
        default=Decimal("0"), description="What it has to leave in the default fund, in major units."
    )
    due_days: int = strawberry.field(
        default=core.DUE_DAYS, description="After how many days from the end of a window its net is due, 0 to 60."
    )


@strawberry.input(description="What the bank moved, or is to move.")
class RecordCoverEntryInput:
    institution: str = strawberry.field(description="The institution's code.")
    currency: str = strawberry.field(description="ISO 4217.")
    pot: Pot = strawberry.field(description="For what.")
    amount: Decimal = strawberry.field(
        description="Above zero: the bank received it. Below zero: it pays it out. In whole minor units."
    )
    value_date: str | None = strawberry.field(default=None, description="The bank's value date, such as 2026-01-31.")
    reference: str = strawberry.field(description="The bank's reference; it is recorded once in a currency.")


Whose = Annotated[str | None, strawberry.argument(description="Only of this institution, by its code.")]


@strawberry.type
class CoverQuery:
    @field(
        "How the caller's institution and those below it are covered, where they have agreed on terms or put something "
        "up. For the operator's callers all."
    )
    async def covers(self, info: Info, institution: Whose = None) -> list[Cover]:
        async with info.context.read() as reader:
            of = _seen(reader.configuration, info.context, institution)
            return [to_cover(one) for one in await covers.standings(reader, of)]

    @field("What the caller's institution and those below it put up and took back, the newest first.")
    async def cover_entries(
        self,
        info: Info,
        institution: Whose = None,
        currency: Annotated[str | None, strawberry.argument(description="Only in this currency, ISO 4217.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[CoverEntry]:
        wanted = page(first, after, "cover_entries", tuple[int])
        before = None if wanted.after is None else wanted.after[0]
        async with info.context.read() as reader:
            configuration = reader.configuration
            of = _seen(configuration, info.context, institution)
            found = await covers.entries(reader, of, currency, before, wanted.rows)
        return connect(found, wanted, lambda one: to_entry(configuration, one), lambda one: (one.id,))


@strawberry.type
class CoverMutation:
    @mutation(
        "Say on which terms an institution that settles with the hub owes. What asks for more cover works at once; "
        "what asks for less is proposed, and awaits another person. By the operator."
    )
    async def set_cover(
        self, info: Info, input: Annotated[SetCoverInput, strawberry.argument(description="The terms.")]
    ) -> CoverResult:
        command = commands.SetCover(
            actor=info.context.actor,
            institution=input.institution,
            currency=input.currency,
            needed=input.needed,
            line=decimal(input.line),
            haircut_percent=decimal(input.haircut_percent),
            fund=decimal(input.fund),
            due_days=input.due_days,
        )
        return await _configure(info.context, command)

    @mutation("Let proposed terms of cover take effect. By another person of the operator's.")
    async def approve_cover(self, info: Info, id: Id) -> CoverResult:
        command = commands.ApproveCover(actor=info.context.actor, id=ids.number(id, ids.COVER))
        return await _configure(info.context, command)

    @mutation("End the proposal of terms of cover, which stay as they are. By the operator.")
    async def reject_cover(self, info: Info, id: Id, reason: Reason) -> CoverResult:
        command = commands.RejectCover(actor=info.context.actor, id=ids.number(id, ids.COVER), reason=reason)
        return await _configure(info.context, command)

    @mutation(
        "Record that the bank received what somebody puts up, or that it is to pay some of it back. Nothing is taken "
        "back that has to be there. It counts when another person has approved it. By the operator."
    )
    async def record_cover_entry(
        self, info: Info, input: Annotated[RecordCoverEntryInput, strawberry.argument(description="The payment.")]
    ) -> CoverEntryResult:
        command = commands.RecordCoverEntry(
            actor=info.context.actor,
            institution=input.institution,
            currency=input.currency,
            pot=input.pot,
            amount=decimal(input.amount),
            value_date=input.value_date,
            reference=input.reference,
        )
        return await _submit(info.context, command)

    @mutation("Let what was recorded count. By another person of the operator's.")
    async def approve_cover_entry(self, info: Info, id: Id) -> CoverEntryResult:
        command = commands.ApproveCoverEntry(actor=info.context.actor, id=ids.number(id, ids.COVER_ENTRY))
        return await _submit(info.context, command)

    @mutation("End what was recorded, and does not count. By the operator.")
    async def reject_cover_entry(self, info: Info, id: Id, reason: Reason) -> CoverEntryResult:
        number = ids.number(id, ids.COVER_ENTRY)
        command = commands.RejectCoverEntry(actor=info.context.actor, id=number, reason=reason)
        return await _submit(info.context, command)


def _seen(configuration: Configuration, context: Context, code: str | None) -> set[int]:
    """The institutions that the caller sees, or the one of them that it asks for."""
    named = configuration.institutions if code is None else {configuration.institution_codes.get(code, 0)}
    return {node for node in named if node in configuration.institutions and context.sees(node)}


async def _configure(context: Context, command: commands.Command) -> Cover | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    node, currency = result_of(outcome, tuple)
    async with context.read() as reader:
        found = await covers.standings(reader, {node})
    return to_cover(next(one for one in found if one.currency == currency))


async def _submit(context: Context, command: commands.Command) -> CoverEntry | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_entry(context.configuration, result_of(outcome, core.CoverEntry))


def to_cover(standing: covers.Standing) -> Cover:
    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, standing.currency))

    proposal, available = standing.proposal, standing.available
    return Cover(
        standing=standing,
        currency=standing.currency,
        terms=_to_terms(standing.terms, standing.currency),
        proposal=None
        if proposal is None
        else CoverProposal(
            id=strawberry.ID(ids.text(ids.COVER, proposal.id)),
            terms=_to_terms(proposal.terms, standing.currency),
            proposed_by=proposal.person,
            proposed_at=proposal.at,
        ),
        collateral=shown(standing.pots[Pot.COLLATERAL]),
        fund=shown(standing.pots[Pot.FUND]),
        liquidity=shown(standing.pots[Pot.LIQUIDITY]),
        recovered=shown(standing.pots[Pot.RECOVERED]),
        exposure=shown(standing.exposure),
        available=None if available is None else shown(available),
    )


def _to_terms(terms: core.CoverTerms, currency: str) -> CoverTerms:
    return CoverTerms(
        needed=terms.needed,
        line=Decimal(format_millionths(terms.line, currency)),
        haircut_percent=to_percent(terms.haircut * 100),
        fund=Decimal(format_millionths(terms.fund, currency)),
        due_days=terms.due_days,
    )


def to_entry(configuration: Configuration, entry: core.CoverEntry) -> CoverEntry:
    persons = configuration.credentials
    return CoverEntry(
        record=entry,
        id=strawberry.ID(ids.text(ids.COVER_ENTRY, entry.id)),
        pot=entry.pot,
        amount=Decimal(format_millionths(entry.amount, entry.currency)),
        currency=entry.currency,
        value_date=entry.value_date,
        reference=entry.reference,
        status=entry.status,
        recorded_by=persons[entry.credential].person,
        recorded_at=entry.at,
        decided_by=None if entry.decided_by is None else persons[entry.decided_by].person,
        decided_at=entry.decided_at,
    )
