"""Keys: secrets sealed anew with another one, and a signing key revoked."""

import hashlib
from datetime import datetime

from sqlalchemy import select

from adapters.registry import resealed
from hub import tables
from hub.currencies import HOSTED
from hub.errors import InvalidInput
from hub.host.door import own_engine
from hub.ledger.commands import Connection, ResealWebhookSecrets, RevokeSigningKey, SetAdapterConfig
from hub.revocations import Revocation, RevocationReason
from hub.sealing import SecretsKey
from hub.settings import Settings
from settlement.publish import Keys
from settlement.signing import KeyInUse, KeyNotFound


async def reseal(url: str, key: SecretsKey) -> list[str]:
    """Seal the secrets of every partner and of every webhook anew with the first of the keys, so that the others are
    not needed any more; answers the codes of the currencies, and of the institutions with a webhook.

    Raises:
        InvalidInput: a configuration was changed meanwhile, and those before it are done; or a currency is on its way
            to a partner, with a configuration that is sealed until then.
        SealingError: a secret cannot be opened, or not sealed.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (_, engine):
        reached = [of for of in engine.configuration.currencies.values() if of.connection]
        for of in engine.configuration.currencies.values():
            if of.relocation is not None and of.adapter == HOSTED:
                raise InvalidInput(currency=of.code, relocation="It is on its way to a partner; complete or cancel it.")
        for of in reached:
            told = SetAdapterConfig(
                actor=engine.configuration.host.id,
                currency=of.code,
                connection=Connection(resealed(of.connection, key), of.scale, of.operations, of.partial),
                instead_of=hashlib.sha256(of.connection.encode()).hexdigest(),
            )
            await engine.ask(told)
        codes = {home: of.code for home, of in engine.configuration.institutions.items()}
        told_to = {codes[home]: of for home, of in engine.configuration.webhooks.items()}
        for code, webhook in told_to.items():
            renewed = ResealWebhookSecrets(
                actor=engine.configuration.host.id,
                institution=code,
                secret=key.seal(key.open(webhook.secret)),
                previous=None if webhook.previous is None else key.seal(key.open(webhook.previous)),
                instead_of=webhook.secret,
            )
            await engine.ask(renewed)
        return [of.code for of in reached] + list(told_to)


async def revoke(settings: Settings, url: str, kid: str, since: datetime, reason: RevocationReason) -> Revocation:
    """Have a signing key of this hub's believed no more for what happened at ``since`` or later; what it signed is
    signed anew when it is asked for.

    Raises:
        SigningError: there is no such key, or it is the one that signs.
        InvalidInput: the instant is yet to come.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    keys = Keys.of(settings)
    async with own_engine(url) as (database, engine):
        async with database.snapshot() as connection:  # also one that nobody vouches for any more
            named = set(await connection.scalars(select(tables.signing_key.c.kid)))
        if kid not in named | {member["kid"] for member in keys.public()}:
            raise KeyNotFound(kid)
        if keys.current().kid == kid:
            raise KeyInUse(kid)
        told = RevokeSigningKey(actor=engine.configuration.host.id, kid=kid, since=since, reason=reason)
        await engine.ask(told)
        return engine.configuration.revocations[kid]
