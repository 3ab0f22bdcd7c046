"""Credentials: keys of named persons. A secret is made here, shown once, and only its hash goes on."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import access, ids
from hub.ledger import commands
from schema.context import Info
from schema.directory import Credential, Institution, institution_of, to_credential
from schema.fields import field, mutation
from schema.inputs import Id
from schema.refusals import Refused, refusal_of, result_of


@strawberry.type(description="A key that was just made.")
class NewCredential:
    credential: Credential = strawberry.field(description="The key.")
    secret: str = strawberry.field(description="What to present as `Authorization: Bearer`. It is shown this once.")


@strawberry.type(description="Who asks.")
class Viewer:
    credential: Credential = strawberry.field(description="The key that was presented.")
    institution: Institution = strawberry.field(description="Whose key it is.")
    roles: list[access.Role] = strawberry.field(description="What it is for.")


CredentialResult = Annotated[
    NewCredential | Refused, strawberry.union("CredentialResult", description="The new key, or why there is none.")
]
RevokeResult = Annotated[
    Credential | Refused, strawberry.union("RevokeResult", description="The key that was ended, or why it was not.")
]


@strawberry.input(description="A new key.")
class CreateCredentialInput:
    institution: str = strawberry.field(description="The code of the institution whose key it is.")
    person: str = strawberry.field(description="Who will use it, by name.")
    label: str = strawberry.field(description="What it is for, in words.")
    roles: list[access.Role] = strawberry.field(description="What it is for; at least one.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="The first instant at which it opens nothing any more. Default: none."
    )


@strawberry.type
class CredentialQuery:
    @field("Who asks.")
    async def viewer(self, info: Info) -> Viewer:
        async with info.context.read() as reader:
            configuration, found = reader.configuration, reader.viewer
        return Viewer(
            credential=to_credential(found),
            institution=institution_of(configuration, found.institution),
            roles=list(found.roles),
        )


@strawberry.type
class CredentialMutation:
    @mutation("Make a key for a person. By an administrator of the institution or of one above it, or by the operator.")
    async def create_credential(
        self, info: Info, input: Annotated[CreateCredentialInput, strawberry.argument(description="The key.")]
    ) -> CredentialResult:
        secret = access.new_secret()
        command = commands.CreateCredential(
            actor=info.context.actor,
            institution=input.institution,
            person=input.person,
            label=input.label,
            roles=tuple(input.roles),
            expires_at=input.expires_at,
            secret_hash=access.hash_secret(secret),
        )
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return NewCredential(credential=to_credential(result_of(outcome, access.Credential)), secret=secret)

    @mutation("End a key at once, everywhere. As createCredential; everybody may end their own.")
    async def revoke_credential(self, info: Info, id: Id) -> RevokeResult:
        command = commands.RevokeCredential(actor=info.context.actor, id=ids.number(id, ids.CREDENTIAL))
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_credential(result_of(outcome, access.Credential))
