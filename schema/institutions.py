"""Institutions: asking for them, making and moving them."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import institutions as core
from hub.institutions import Kind, Status
from hub.ledger import commands
from schema.connection import Connection, connect, page
from schema.context import Info
from schema.directory import Institution, to_institution
from schema.fields import field, mutation
from schema.inputs import After, First, Reason
from schema.refusals import Refused, refusal_of, result_of

Code = Annotated[str, strawberry.argument(description="The institution's code.")]

InstitutionResult = Annotated[
    Institution | Refused,
    strawberry.union("InstitutionResult", description="The institution as it is now, or why not."),
]


@strawberry.input(description="A new institution.")
class CreateInstitutionInput:
    code: str = strawberry.field(description="1 to 32 letters, digits, `_`, `.` or `-`; unique, and for ever.")
    name: str = strawberry.field(description="Its name, at most 200 characters.")
    kind: Kind = strawberry.field(description="What it is to its customers; not OPERATOR.")
    parent: str | None = strawberry.field(
        default=None, description="The code of the institution above it. Default: the operator."
    )
    zones: list[str] | None = strawberry.field(default=None, description="The economic zones it belongs to.")
    auto_enroll: bool = strawberry.field(
        default=True,
        description="Whether a credit to an unknown reference enrolls that customer; otherwise it is NOT_FOUND.",
    )
    set_off: bool = strawberry.field(
        default=True,
        description="Whether what it and its children owe and are owed is set off; false for a legal entity that "
        "forbids it.",
    )


@strawberry.input(description="The economic zones of an institution from an instant on.")
class SetZonesInput:
    institution: str = strawberry.field(description="The institution's code.")
    zones: list[str] = strawberry.field(
        description="Names of at most 200 characters; its figures are counted in the first. An empty list: no zone."
    )
    effective_from: datetime | None = strawberry.field(
        default=None, description="From when on, not in the past. Default: now."
    )


@strawberry.type
class InstitutionQuery:
    @field("The institution with this code.")
    async def institution(self, info: Info, code: Code) -> Institution | None:
        async with info.context.read() as reader:
            found = reader.configuration.institution(code)
        return None if found is None else to_institution(found)

    @field("All institutions, by code.")
    async def institutions(self, info: Info, first: First = 50, after: After = None) -> Connection[Institution]:
        wanted = page(first, after, "institutions", tuple[str])
        async with info.context.read() as reader:
            configuration = reader.configuration
        codes = sorted(
            code for code in configuration.institution_codes if wanted.after is None or code > wanted.after[0]
        )
        found = [configuration.institutions[configuration.institution_codes[code]] for code in codes[: wanted.rows]]
        return connect(found, wanted, to_institution, lambda node: (node.code,))


@strawberry.type
class InstitutionMutation:
    @mutation("Add an institution. By the operator.")
    async def create_institution(
        self,
        info: Info,
        input: Annotated[CreateInstitutionInput, strawberry.argument(description="The institution.")],
    ) -> InstitutionResult:
        command = commands.CreateInstitution(
            actor=info.context.actor,
            code=input.code,
            name=input.name,
            kind=input.kind,
            parent=input.parent,
            zones=tuple(input.zones or ()),
            auto_enroll=input.auto_enroll,
            set_off=input.set_off,
        )
        return await _configure(info, command)

    @mutation(
        "Put an institution, with all below it, below another: for rights at once, for money from the next settlement "
        "window on. By the operator."
    )
    async def move_institution(
        self,
        info: Info,
        code: Code,
        parent: Annotated[str, strawberry.argument(description="The code of the institution to stand below.")],
    ) -> InstitutionResult:
        return await _configure(info, commands.MoveInstitution(actor=info.context.actor, code=code, parent=parent))

    @mutation(
        "Say whether an institution is a legal entity that forbids set-off: then it and each of its children settle "
        "with the hub by themselves, and above it debtors count gross. From the next settlement window on. By the "
        "operator."
    )
    async def set_set_off(
        self,
        info: Info,
        code: Code,
        allowed: Annotated[bool, strawberry.argument(description="Whether set-off is allowed.")],
    ) -> InstitutionResult:
        return await _configure(info, commands.SetSetOff(actor=info.context.actor, code=code, allowed=allowed))

    @mutation(
        "Put an institution into economic zones from an instant on, now or later; its figures are counted in the "
        "first. By the operator."
    )
    async def set_zones(
        self, info: Info, input: Annotated[SetZonesInput, strawberry.argument(description="The zones.")]
    ) -> InstitutionResult:
        command = commands.SetZones(
            actor=info.context.actor,
            institution=input.institution,
            zones=tuple(input.zones),
            starts=input.effective_from,
        )
        return await _configure(info, command)

    @mutation("Suspend, close or reactivate an institution, and thereby all below it. By the operator.")
    async def set_institution_status(
        self,
        info: Info,
        code: Code,
        status: Annotated[Status, strawberry.argument(description="The new status.")],
        reason: Reason,
    ) -> InstitutionResult:
        command = commands.SetInstitutionStatus(actor=info.context.actor, code=code, status=status, reason=reason)
        return await _configure(info, command)


async def _configure(info: Info, command: commands.Command) -> Institution | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_institution(result_of(outcome, core.Institution))
