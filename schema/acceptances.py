"""Acceptances: the keys with which institutions accept their reports, and how a report stands with its institution."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids
from hub.acceptance import keys, reading, reports
from hub.acceptance.reports import Standing
from hub.access import Right, require
from hub.configuration import Configuration
from hub.errors import InvalidInput, NotFound, Refusal
from hub.ledger import commands
from hub.ledger.decide import Outcome
from hub.revocations import RevocationReason
from schema.context import Context, Info
from schema.directory import Institution, to_institution
from schema.enums import publish
from schema.fields import field, mutation
from schema.refusals import Refused, refusal_of, refused, result_of
from schema.scalars import JSON
from settlement import acceptance
from settlement.report import read

publish(
    Standing,
    "ReportStanding",
    "How a report stands with its institution.",
    AWAITED="Nothing has been said of it, and lines may still be disputed.",
    DISPUTED="A dispute of one of its lines has not ended.",
    ACCEPTED="The institution has accepted it with its signature.",
    ACCEPTED_BY_SILENCE="Lines cannot be disputed any more, and none is.",
)
publish(
    RevocationReason,
    "KeyRevocationReason",
    "Why a key is revoked.",
    COMPROMISED="Somebody else may have it.",
    SUPERSEDED="Another one is used.",
    UNSPECIFIED="No reason is told.",
)


@strawberry.type(description="An Ed25519 public key with which an institution accepts its reports.")
class AcceptanceKey:
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    institution: Institution = strawberry.field(description="Whose it is.")
    kid: str = strawberry.field(description="Its thumbprint (RFC 7638), as acceptances name it.")
    jwk: JSON = strawberry.field(description="The public key (RFC 8037).")
    proof: str = strawberry.field(description="The JWS by which its owner proved to hold it.")
    registered_at: datetime = strawberry.field(description="When it was registered.")
    registered_by: str = strawberry.field(description="By which person.")
    replaced_at: datetime | None = strawberry.field(description="Since when another one takes its place.")
    revoked_since: datetime | None = strawberry.field(
        description="It is not believed for what was kept then or later; null: it is not revoked."
    )
    revocation_reason: RevocationReason | None = strawberry.field(description="Why it is revoked.")


@strawberry.type(description="What an institution has signed over its report.")
class ReportAcceptance:
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    accepted_at: datetime = strawberry.field(description="When the hub kept it.")
    person: str = strawberry.field(description="Who brought it.")
    kid: str = strawberry.field(description="The key that signed it.")
    digest: str = strawberry.field(description="The digest of the report.")
    jws: str = strawberry.field(description="The signature with what is signed; anybody can verify it.")


@strawberry.type(description="How a report stands with its institution.")
class ReportState:
    standing: Standing = strawberry.field(description="How it stands now.")
    disputable_until: datetime = strawberry.field(description="From then on its lines cannot be disputed any more.")
    acceptance: ReportAcceptance | None = strawberry.field(description="The acceptance that counts, if there is one.")


@strawberry.type(description="For how long lines may be disputed.")
class DisputeTerms:
    id: strawberry.ID = strawberry.field(description="Their identifier.")
    days: int = strawberry.field(description="Days after the closing of a window, of those that close from now on.")
    set_by: str = strawberry.field(description="Who set them.")


@strawberry.input(description="A public key, and the proof that its owner holds it.")
class RegisterAcceptanceKeyInput:
    institution: str = strawberry.field(description="The institution's code.")
    jwk: JSON = strawberry.field(description="The public key as a JWK: kty OKP, crv Ed25519.")
    proof: str = strawberry.field(description="What `points-hub acceptance prove` writes: a JWS by that key.")


@strawberry.input(description="A report, and what its institution has signed over it.")
class AcceptReportInput:
    window_id: strawberry.ID = strawberry.field(description="The window.")
    institution: str = strawberry.field(description="The institution's code.")
    jws: str = strawberry.field(description="What `points-hub acceptance sign` writes: a JWS by its current key.")


AcceptanceKeyResult = Annotated[
    AcceptanceKey | Refused, strawberry.union("AcceptanceKeyResult", description="The key, or the refusal.")
]
ReportAcceptanceResult = Annotated[
    ReportAcceptance | Refused,
    strawberry.union("ReportAcceptanceResult", description="The acceptance, or the refusal."),
]
DisputeTermsResult = Annotated[
    DisputeTerms | Refused, strawberry.union("DisputeTermsResult", description="The terms, or the refusal.")
]


@strawberry.type
class AcceptanceQuery:
    @field("The keys of an institution that the caller sees from within, the newest first; of any other none.")
    async def acceptance_keys(
        self, info: Info, institution: Annotated[str, strawberry.argument(description="The institution's code.")]
    ) -> list[AcceptanceKey]:
        async with info.context.read() as reader:
            configuration = reader.configuration
            home = configuration.institution(institution)
            if home is None or not reader.sees(home.id):
                return []
        found = keys.keys_of(configuration.acceptance_keys.values(), home.id)
        return [to_key(configuration, one) for one in found]


@strawberry.type
class AcceptanceMutation:
    @mutation(
        "Register the public key with which an institution accepts its reports from now on, in the place of the one "
        "before. Refused unless the key has signed the proof. By the institution's own administrator, nobody else."
    )
    async def register_acceptance_key(
        self, info: Info, input: Annotated[RegisterAcceptanceKeyInput, strawberry.argument(description="The key.")]
    ) -> AcceptanceKeyResult:
        context = info.context
        async with context.read() as reader:
            home = reader.configuration.institution(input.institution)
            subject = 0 if home is None else home.id
            require(reader.viewer, Right.CONFIGURE, reader.configuration.institutions, subject, reader.at, exact=True)
        if home is None:
            return refused(NotFound(institution=input.institution), context.incoming.language)
        try:
            if not isinstance(input.jwk, dict):
                raise acceptance.NotGenuine("it is no JWK")
            kid, x = acceptance.check_possession(input.proof, input.jwk, context.settings.name, home.code)
        except acceptance.NotGenuine as error:
            return refused(InvalidInput(proof=error.detail), context.incoming.language)
        command = commands.RegisterAcceptanceKey(
            actor=context.actor, institution=home.code, kid=kid, x=x, proof=input.proof
        )
        return _key(context, await context.submit(command))

    @mutation(
        "Revoke a key: what it signed and the hub kept at an instant or later does not count. It is never taken back; "
        "an earlier instant can be told later. By an administrator of its institution, or the operator."
    )
    async def revoke_acceptance_key(
        self,
        info: Info,
        kid: Annotated[str, strawberry.argument(description="The key's thumbprint.")],
        since: Annotated[
            datetime, strawberry.argument(description="Since when it may have been in other hands; not yet to come.")
        ],
        reason: Annotated[RevocationReason, strawberry.argument(description="Why.")] = RevocationReason.UNSPECIFIED,
    ) -> AcceptanceKeyResult:
        command = commands.RevokeAcceptanceKey(actor=info.context.actor, kid=kid, since=since, reason=reason)
        return _key(info.context, await info.context.submit(command))

    @mutation("Accept a report of a closed window with its institution's signature. By its own administrator.")
    async def accept_report(
        self, info: Info, input: Annotated[AcceptReportInput, strawberry.argument(description="The acceptance.")]
    ) -> ReportAcceptanceResult:
        context = info.context
        try:
            command = await _signed(context, input)
        except Refusal as no:
            return refused(no, context.incoming.language)
        outcome = await context.submit(command)
        if (no_ := refusal_of(outcome, context.incoming.language)) is not None:
            return no_
        return to_acceptance(context.configuration, result_of(outcome, reports.Acceptance))

    @mutation(
        "Set for how many days, 1 to 365, lines of windows that close from now on may be disputed. By the operator."
    )
    async def set_dispute_days(
        self, info: Info, days: Annotated[int, strawberry.argument(description="Days after the closing.")]
    ) -> DisputeTermsResult:
        outcome = await info.context.submit(commands.SetDisputeDays(actor=info.context.actor, days=days))
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        made = result_of(outcome, reports.DisputeTerms)
        return DisputeTerms(id=strawberry.ID(ids.text(ids.DISPUTE_TERMS, made.id)), days=made.days, set_by=made.set_by)


async def _signed(context: Context, input: AcceptReportInput) -> commands.AcceptReport:
    """What is to be kept, if the institution's key has signed this very report.

    Raises:
        NotFound: there is no such report for the caller.
        InvalidInput: it is not signed so.
    """
    window = ids.number(input.window_id, ids.WINDOW)
    async with context.read() as reader:
        configuration = reader.configuration
        home = configuration.institution(input.institution)
        if window is None or home is None or not reader.sees(home.id):
            raise NotFound
        require(reader.viewer, Right.CONFIGURE, configuration.institutions, home.id, reader.at, exact=True)
        stored = await context.reports.report(reader, window, home.id)
    if stored is None:
        raise NotFound
    try:
        kid = acceptance.signer(input.jws)
        key = configuration.acceptance_keys.get(kid)
        if key is None or key.institution != home.id:
            raise acceptance.NotGenuine("it names no key of the institution")
        acceptance.check(input.jws, key.jwk, kid, acceptance.payload_over(read(stored.payload), stored.digest))
    except acceptance.NotGenuine as error:
        raise InvalidInput(jws=error.detail) from None
    return commands.AcceptReport(
        actor=context.actor, window=window, institution=home.code, digest=stored.digest, kid=kid, jws=input.jws
    )


def _key(context: Context, outcome: Outcome) -> AcceptanceKey | Refused:
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_key(context.configuration, result_of(outcome, keys.AcceptanceKey))


def to_key(configuration: Configuration, key: keys.AcceptanceKey) -> AcceptanceKey:
    return AcceptanceKey(
        id=strawberry.ID(ids.text(ids.ACCEPTANCE_KEY, key.id)),
        institution=to_institution(configuration.institutions[key.institution]),
        kid=key.kid,
        jwk=JSON(key.jwk),
        proof=key.proof,
        registered_at=key.registered_at,
        registered_by=key.registered_by,
        replaced_at=key.replaced_at,
        revoked_since=key.revoked_since,
        revocation_reason=key.reason,
    )


def to_acceptance(configuration: Configuration, made: reports.Acceptance) -> ReportAcceptance:
    return ReportAcceptance(
        id=strawberry.ID(ids.text(ids.ACCEPTANCE, made.id)),
        accepted_at=made.at,
        person=configuration.credentials[made.credential].person,
        kid=made.kid,
        digest=made.digest,
        jws=made.jws,
    )


def to_state(configuration: Configuration, found: reading.Stands) -> ReportState:
    accepted = found.acceptance
    return ReportState(
        standing=found.standing,
        disputable_until=found.until,
        acceptance=None if accepted is None else to_acceptance(configuration, accepted),
    )
