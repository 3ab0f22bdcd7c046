"""Adapters: the kinds of partners' systems that this hub can reach, and what each needs to be told."""

import strawberry

from hub.access import Right, require
from hub.currencies import HOSTED
from hub.errors import InvalidInput
from hub.ledger import commands
from schema.certificates import AdapterCertificate, to_certificate
from schema.context import Context, Info
from schema.fields import field
from schema.scalars import JSON


@strawberry.type(description="A kind of partner's system that keeps the balances of a currency itself.")
class Adapter:
    name: str = strawberry.field(description="What a currency is registered with as `adapter`.")
    version: str = strawberry.field(description="The distribution that brings it, and its version.")
    configuration_schema: JSON = strawberry.field(
        description="The JSON Schema of `adapterConfig`. What has the format `password` is kept encrypted, and never "
        "shown."
    )
    certificates: list[AdapterCertificate] = strawberry.field(
        description="What checks have found of it, the latest first: one for each configuration that was checked, also "
        "of other versions."
    )


@strawberry.type
class AdapterQuery:
    @field("The adapters that this hub has, by name; `hosted`, where the hub itself keeps the balances, is none.")
    async def adapters(self, info: Info) -> list[Adapter]:
        adapters = info.context.adapters
        async with info.context.read() as reader:  # for whoever has a key
            registered = reader.configuration.certificates.values()
        latest = sorted(registered, key=lambda one: one.found.checked_at, reverse=True)
        return [
            Adapter(
                name=name,
                version=adapters.versions.get(name, "unknown"),
                configuration_schema=JSON(shape),
                certificates=[to_certificate(one) for one in latest if one.found.adapter == name],
            )
            for name, shape in adapters.schemas()
        ]


async def reach(context: Context, adapter: str, configuration: object, issuer: str) -> commands.Connection | None:
    """How the partner of a currency of ``issuer`` is reached, for a command: checked, and with its secrets sealed, so
    that they go no further than here. None where the hub itself keeps the balances.

    Raises:
        Unauthenticated, Forbidden: the caller may not configure for the issuer; then nothing was looked at.
        InvalidInput: there is no such adapter, or what is wrong with the configuration, by its places.
    """
    if adapter == HOSTED and configuration is None:
        return None
    async with context.read() as reader:
        home = reader.configuration.institution_codes.get(issuer)
        if home is not None:  # if there is none, the core says so
            require(reader.viewer, Right.CONFIGURE, reader.configuration.institutions, home, reader.at)
    if adapter == HOSTED:
        raise InvalidInput(adapterConfig=f"There is none for {HOSTED}.")
    checked = await context.adapters.check(adapter, {} if configuration is None else configuration)
    return commands.Connection(checked.sealed, checked.scale, checked.operations, checked.partial)
