"""Certificates of adapters: what the checks found, signed by whoever ran them, registered by the operator."""

import json
from datetime import datetime
from typing import Annotated

import strawberry

from hub import certificates as core
from hub import ids
from hub.access import Right, require
from hub.clock import now
from hub.currencies import HOSTED, PointCurrency
from hub.errors import InvalidInput
from hub.ledger import commands
from schema.context import Info
from schema.enums import publish
from schema.fields import mutation
from schema.ports import Adapters
from schema.refusals import Refused, refusal_of, refused, result_of
from schema.scalars import JSON

publish(
    core.Standing,
    name="CertificateStanding",
    description="How a currency's adapter stands by the certificates that are registered.",
    NONE="Its kind has none.",
    OUTDATED="Those of its kind are of another version.",
    OTHER_CONFIGURATION="Its kind was checked with another configuration.",
    FAILED="It was checked with this configuration, and a check failed.",
    CERTIFIED="It was checked with this configuration, and conforms.",
)


@strawberry.type(
    description="What the conformance checks found of an adapter of one version, with one configuration. It speaks for "
    "nothing else."
)
class AdapterCertificate:
    id: strawberry.ID = strawberry.field(description="Its identifier.")
    adapter: str = strawberry.field(description="The kind of adapter.")
    version: str = strawberry.field(description="The distribution that brought it, and its version.")
    checked_by: str = strawberry.field(description="The hub that ran the checks.")
    checked_at: datetime = strawberry.field(description="When it ran them.")
    signer: str = strawberry.field(description="The thumbprint (RFC 7638) of the key that signed it.")
    conforms: bool = strawberry.field(description="Whether no check failed, and one passed at least.")
    passed: int = strawberry.field(description="How many checks passed.")
    failed: int = strawberry.field(description="How many failed.")
    excepted: int = strawberry.field(description="How many were left out, each for a reason that it names.")
    beside: int = strawberry.field(description="How many did not concern it.")
    configuration: str = strawberry.field(
        description="The SHA-256, in hexadecimal, of the configuration without its secrets and without some fields."
    )
    without: list[str] = strawberry.field(description="The fields of the configuration that it does not speak of.")
    capabilities: JSON = strawberry.field(description="What the adapter declared to be able to do.")
    registered_at: datetime = strawberry.field(description="When it was registered here.")
    file: str = strawberry.field(description="The certificate itself, a JWS that anybody can verify.")


@strawberry.type(description="How a currency's adapter stands by its certificates.")
class AdapterCertification:
    standing: core.Standing = strawberry.field(description="How it stands.")
    certificate: AdapterCertificate | None = strawberry.field(description="The certificate that says so.")


AdapterCertificateResult = Annotated[
    AdapterCertificate | Refused,
    strawberry.union("AdapterCertificateResult", description="The certificate, or the refusal."),
]


@strawberry.type
class CertificateMutation:
    @mutation(
        "Register what the conformance checks found of an adapter, in the place of what was found before with the same "
        "configuration. Refused unless it is signed by this hub or by one that it believes, and is of what is "
        "installed. By the operator."
    )
    async def register_adapter_certificate(
        self,
        info: Info,
        certificate: Annotated[str, strawberry.argument(description="The signed file, as `adapters check` keeps it.")],
    ) -> AdapterCertificateResult:
        context = info.context
        async with context.read() as reader:
            tree = reader.configuration
            require(reader.viewer, Right.OPERATE, tree.institutions, tree.operator.id, reader.at)
        try:
            found = context.adapters.certificate(certificate, now())
        except InvalidInput as refusal:
            return refused(refusal, context.incoming.language)
        outcome = await context.submit(commands.RegisterCertificate(actor=context.actor, found=found))
        if (no := refusal_of(outcome, context.incoming.language)) is not None:
            return no
        return to_certificate(result_of(outcome, core.Certificate))


def certification(
    adapters: Adapters, registered: dict[tuple[str, str], core.Certificate], of: PointCurrency
) -> AdapterCertification | None:
    """How a currency stands; None where the hub keeps the balances."""
    if of.adapter == HOSTED or of.connection is None:
        return None
    sealed = of.connection
    stands, found = core.standing(
        (one for (adapter, _), one in registered.items() if adapter == of.adapter),
        adapters.versions.get(of.adapter),
        lambda without: adapters.digest(of.adapter, sealed, without),
    )
    return AdapterCertification(standing=stands, certificate=None if found is None else to_certificate(found))


def to_certificate(made: core.Certificate) -> AdapterCertificate:
    found = made.found
    return AdapterCertificate(
        id=strawberry.ID(ids.text(ids.CERTIFICATE, made.id)),
        adapter=found.adapter,
        version=found.version,
        checked_by=found.hub,
        checked_at=found.checked_at,
        signer=found.signer,
        conforms=found.conforms,
        passed=found.passed,
        failed=found.failed,
        excepted=found.excepted,
        beside=found.beside,
        configuration=found.configuration,
        without=list(found.without),
        capabilities=JSON(json.loads(found.capabilities)),
        registered_at=made.registered_at,
        file=found.token,
    )
