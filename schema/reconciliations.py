"""Reconciliations: days of partners' compared by three sides, and the breaks that are left to be ended."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids
from hub.configuration import Configuration
from hub.currencies import PointCurrency as Currency
from hub.ledger import commands
from hub.partners import Operation, Status
from hub.points import render
from hub.reconciliation import breaks as core
from hub.reconciliation import reading
from hub.reconciliation.breaks import BreakStatus, BreakType, Ending, Source, StepKind
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import PointCurrency, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    Source,
    "ReconciliationSource",
    "Who says what happened.",
    HUB="The hub's ledger.",
    JOURNAL="What the partner's adapter lists of the day.",
    FILE="The file that the partner sent.",
)
publish(
    BreakType,
    "BreakType",
    "In what the sides disagree; of several, the gravest.",
    MISSING_HERE="The partner did something that the hub knows nothing of.",
    MISSING_THERE="The hub knows it as done, and the partner does not list it.",
    STATUS="One side says that it was done, another that it was not, or that nobody knows.",
    DUPLICATE="The partner did it more than once.",
    UNIT="The partner counts it in another unit.",
    AMOUNT="Another amount, or the other way round.",
    MEMBER="Another member's points were moved.",
    DATE="It was done on a day on which it was not under way.",
)
publish(
    BreakStatus,
    "BreakStatus",
    "Where a break stands.",
    OPEN="Somebody has to look after it.",
    PROPOSED="One person has said how it is to end; another one has to approve.",
    MATCHED_LATER="A later comparison of the day did not find it any more.",
    CORRECTED="The hub's books follow the partner's now.",
    WRITTEN_OFF="The same, and the difference is the issuer's loss or gain.",
    ACCEPTED="Nothing was posted.",
)
publish(
    Ending,
    "BreakEnding",
    "How a break is ended.",
    CORRECTION="Have the hub's books follow the partner's: the difference goes to issuance; what is in doubt goes on "
    "as the partner's sides say.",
    WRITE_OFF="The same, and the difference goes to breakage, as the issuer's loss or gain.",
    ACCEPT="Post nothing.",
)
publish(
    StepKind,
    "BreakStepKind",
    "What happened to a break.",
    FOUND="A comparison found it.",
    CHANGED="A later comparison found it with other figures, or again.",
    MATCHED="A later comparison did not find it.",
    ASSIGNED="It was given an owner, or has none any more.",
    NOTED="Somebody commented on it.",
    PROPOSED="Somebody said how it is to end.",
    APPROVED="Another person approved, and it has ended.",
)


@strawberry.type(description="What one side lists of a day.")
class ReconciliationSide:
    source: Source = strawberry.field(description="Whose side.")
    rows: int = strawberry.field(description="How many rows it has.")
    taken: Decimal = strawberry.field(description="Points that were taken from members, of what was done.")
    given: Decimal = strawberry.field(description="Points that were given to members, of what was done.")
    digest: str = strawberry.field(
        description="SHA-256 of what was read, in hexadecimal; of a file, of all before its last line."
    )


@strawberry.type(description="A comparison of one day of a currency that a partner keeps, as it came out.")
class Reconciliation(Node):
    of: strawberry.Private[Currency]
    day: str = strawberry.field(description="The day, in the currency's time zone, such as 2026-01-31.")
    run_at: datetime = strawberry.field(description="When it was kept.")
    sides: list[ReconciliationSide] = strawberry.field(description="What was compared.")
    matched: int = strawberry.field(description="Orders that were done, on which all sides agree.")
    opened: int = strawberry.field(description="Breaks that are new, or open again.")
    unchanged: int = strawberry.field(description="Breaks that were open before, and are.")
    settled: int = strawberry.field(description="Breaks that were found again as they have been ended.")
    vanished: int = strawberry.field(description="Breaks that were open before, and were not found any more.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)


@strawberry.type(description="What one side says of a break's reference.")
class BreakSide:
    source: Source = strawberry.field(description="Whose side.")
    rows: int = strawberry.field(description="How often it lists it; 0: not at all.")
    operation: Operation | None = strawberry.field(description="What was done.")
    amount: Decimal = strawberry.field(
        description="What was done in all, as the member sees it: what was taken is below zero. The hub's with what "
        "ends of breaks have posted."
    )
    unit: str | None = strawberry.field(description="The partner's word for its points.")
    status: Status | None = strawberry.field(description="Whether it was done.")
    at: datetime | None = strawberry.field(description="When; the hub's is when it was asked.")
    partner_reference: str | None = strawberry.field(description="The partner's own reference.")


@strawberry.type(description="Something that happened to a break.")
class BreakStep:
    id: strawberry.ID = strawberry.field(description="Its identifier, by which a proposal is approved.")
    kind: StepKind = strawberry.field(description="What.")
    at: datetime = strawberry.field(description="When.")
    person: str = strawberry.field(description="By whom; the hub's own comparisons are by its host.")
    owner: str | None = strawberry.field(description="Whom it was given to.")
    ending: Ending | None = strawberry.field(description="How it is to end, or has ended.")
    posted: Decimal | None = strawberry.field(
        description="By how much the end has changed what the hub's books say of the partner's."
    )
    text: str = strawberry.field(description="What was said; of the first, whom the sides name, if that matters.")


@strawberry.type(description="Something on which the sides of a day do not agree.")
class Break(Node):
    of: strawberry.Private[Currency]
    record: strawberry.Private[core.Break]
    day: str = strawberry.field(description="The day, in the currency's time zone.")
    type: BreakType = strawberry.field(description="In what they disagree.")
    reference: str = strawberry.field(description="The reference by which the hub asked, or which the partner names.")
    status: BreakStatus = strawberry.field(description="Where it stands.")
    owner: str | None = strawberry.field(description="The person who looks after it.")
    found_at: datetime = strawberry.field(description="When it was found first.")
    age_days: int = strawberry.field(description="How many days ago it was found first.")
    difference: Decimal | None = strawberry.field(
        description="What the partner's books have more than the hub's; null: that is not clear."
    )
    sides: list[BreakSide] = strawberry.field(description="What each side says.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("What happened to it, in order.")
    async def history(self, info: Info) -> list[BreakStep]:
        async with info.context.read() as reader:
            found = await reading.history(reader, self.record.id)
        return [to_step(info.context.configuration, self.of, *one) for one in found]


BreakResult = Annotated[
    Break | Refused, strawberry.union("BreakResult", description="The break as it is then, or the refusal.")
]
Currencies = Annotated[str | None, strawberry.argument(description="Only of this currency.")]
Day = Annotated[str | None, strawberry.argument(description="Only of this day, such as 2026-01-31.")]


@strawberry.type
class ReconciliationQuery:
    @field("The comparison with this identifier, for those who see the currency's issuer from within.")
    async def reconciliation(self, info: Info, id: Id) -> Reconciliation | None:
        return await reconciliation_by_id(info.context, ids.number(id, ids.RECONCILIATION) or 0)

    @field("Comparisons, the newest first, of currencies whose issuer the caller sees from within.")
    async def reconciliations(
        self, info: Info, currency: Currencies = None, day: Day = None, first: First = 50, after: After = None
    ) -> Connection[Reconciliation]:
        wanted = page(first, after, "reconciliations", tuple[int])
        async with info.context.read() as reader:
            before = None if wanted.after is None else wanted.after[0]
            found = await reading.runs(reader, currency, day, before, wanted.rows)
            configuration = reader.configuration
        return connect(found, wanted, lambda one: to_reconciliation(configuration, one), lambda one: (one.id,))

    @field("Breaks, the newest first, of currencies whose issuer the caller sees from within.")
    async def breaks(
        self,
        info: Info,
        currency: Currencies = None,
        day: Day = None,
        status: Annotated[BreakStatus | None, strawberry.argument(description="Only those that stand so.")] = None,
        type: Annotated[BreakType | None, strawberry.argument(description="Only of this type.")] = None,
        owner: Annotated[str | None, strawberry.argument(description="Only those of this person.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Break]:
        wanted = page(first, after, "breaks", tuple[int])
        asked = reading.Wanted(currency=currency, day=day, status=status, type=type, owner=owner)
        async with info.context.read() as reader:
            found = await reading.breaks(reader, asked, None if wanted.after is None else wanted.after[0], wanted.rows)
            configuration, at = reader.configuration, reader.at
        return connect(found, wanted, lambda one: to_break(configuration, one, at), lambda one: (one.id,))


@strawberry.type
class ReconciliationMutation:
    @mutation("Give an open break an owner, or take it away from its owner. By the operator.")
    async def assign_break(
        self,
        info: Info,
        id: Id,
        owner: Annotated[
            str | None,
            strawberry.argument(description="A person of the operator's, as the key names it; null: nobody."),
        ] = None,
    ) -> BreakResult:
        asked = commands.AssignBreak(actor=info.context.actor, id=ids.number(id, ids.BREAK), owner=owner)
        return await _submit(info.context, asked)

    @mutation(
        "Comment on a break, or say where evidence is. By the operator, or an administrator of the currency's issuer."
    )
    async def note_break(
        self, info: Info, id: Id, text: Annotated[str, strawberry.argument(description="What is known; not blank.")]
    ) -> BreakResult:
        asked = commands.NoteBreak(actor=info.context.actor, id=ids.number(id, ids.BREAK), text=text)
        return await _submit(info.context, asked)

    @mutation("Say how an open break is to end, instead of what was said before. By the operator.")
    async def propose_break_end(
        self,
        info: Info,
        id: Id,
        ending: Annotated[Ending, strawberry.argument(description="How.")],
        text: Annotated[str, strawberry.argument(description="Why, and what proves it; not blank.")],
    ) -> BreakResult:
        number = ids.number(id, ids.BREAK)
        asked = commands.ProposeBreakEnd(actor=info.context.actor, id=number, ending=ending, text=text)
        return await _submit(info.context, asked)

    @mutation("End a break as it was proposed, and post what follows. By another person of the operator's.")
    async def approve_break_end(
        self,
        info: Info,
        id: Id,
        proposal_id: Annotated[
            strawberry.ID, strawberry.argument(description="The step of the break's history that is approved.")
        ],
    ) -> BreakResult:
        proposal = ids.number(proposal_id, ids.BREAK_STEP)
        asked = commands.ApproveBreakEnd(actor=info.context.actor, id=ids.number(id, ids.BREAK), proposal=proposal)
        return await _submit(info.context, asked)


async def _submit(context: Context, command: commands.Command) -> Break | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    found = result_of(outcome, core.Break)
    async with context.read() as reader:
        return to_break(reader.configuration, found, reader.at)


async def reconciliation_by_id(context: Context, id: int) -> Reconciliation | None:
    """A run, as far as the caller may see it."""
    async with context.read() as reader:
        found = await reading.run(reader, id)
        return None if found is None else to_reconciliation(reader.configuration, found)


async def break_by_id(context: Context, id: int) -> Break | None:
    """A break, as far as the caller may see it."""
    async with context.read() as reader:
        found = await reading.break_(reader, id)
        return None if found is None else to_break(reader.configuration, found, reader.at)


def _of(configuration: Configuration, currency: str) -> Currency:
    return configuration.currencies[configuration.currency_codes[currency]]


def to_reconciliation(configuration: Configuration, run: core.Run) -> Reconciliation:
    return Reconciliation(
        of=_of(configuration, run.currency),
        id=strawberry.ID(ids.text(ids.RECONCILIATION, run.id)),
        day=run.day,
        run_at=run.at,
        sides=[
            ReconciliationSide(
                source=side.source,
                rows=side.rows,
                taken=Decimal(render(side.taken, run.scale)),
                given=Decimal(render(side.given, run.scale)),
                digest=side.digest,
            )
            for side in run.sides
        ],
        matched=run.matched,
        opened=run.opened,
        unchanged=run.unchanged,
        settled=run.settled,
        vanished=run.vanished,
    )


def to_break(configuration: Configuration, found: core.Break, at: datetime) -> Break:
    of, figures = _of(configuration, found.currency), found.figures
    return Break(
        of=of,
        record=found,
        id=strawberry.ID(ids.text(ids.BREAK, found.id)),
        day=found.day,
        type=figures.type,
        reference=found.reference,
        status=found.status,
        owner=None if found.owner is None else configuration.credentials[found.owner].person,
        found_at=found.at,
        age_days=max(0, (at - found.at).days),
        difference=None if figures.difference is None else Decimal(render(figures.difference, of.scale)),
        sides=[
            BreakSide(
                source=side.source,
                rows=side.rows,
                operation=side.operation,
                amount=Decimal(render(side.amount, found.scale)),
                unit=side.unit,
                status=side.status,
                at=side.at,
                partner_reference=side.partner_reference,
            )
            for side in figures.sides
        ],
    )


def to_step(configuration: Configuration, of: Currency, step: core.BreakStep, at: datetime, text: str) -> BreakStep:
    persons = {one: configuration.credentials[one].person for one in (step.credential, step.owner) if one is not None}
    return BreakStep(
        id=strawberry.ID(ids.text(ids.BREAK_STEP, step.id)),
        kind=step.kind,
        at=at,
        person=persons[step.credential],
        owner=None if step.owner is None else persons[step.owner],
        ending=step.ending,
        posted=None if step.adjusted is None else Decimal(render(step.adjusted, of.scale)),
        text=text,
    )
