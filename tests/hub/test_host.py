"""What the hub's own machine does beside the server, where the command line's tests do not show it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from adapters.registry import Registry, installed
from hub.errors import InvalidInput
from hub.host.keys import reseal
from hub.ledger import commands
from hub.partners import PartnerUnavailable
from hub.sealing import NotOpened, SecretsKey
from tests.conftest import Hub
from tests.hub.registry.asking import currency, institution

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
CONFIGURATION = {
    "baseUrl": "https://points.bank.example",
    "unit": "P",
    "auth": {"scheme": "bearer", "token": "t-1"},
    "orders": [{"operations": ["DEBIT"], "call": {"path": "/v1"}}],
    "answer": {"status": "s", "statuses": {"OK": "SUCCEEDED"}},
}


def key(*keys: str) -> SecretsKey:
    return SecretsKey(Path("nowhere"), SecretStr(",".join(keys)))


async def kept(hub: Hub) -> str:
    await hub.reading.refresh()
    found = hub.engine.configuration.currency("BP")
    assert found is not None
    return found.connection


async def registered(hub: Hub, of: SecretsKey) -> str:
    """A currency whose partner's secret is sealed with ``of``."""
    await hub.do(institution(hub))
    checked = await Registry(installed(), of).check("http_json", CONFIGURATION)
    told = commands.Connection(checked.sealed, checked.scale)
    await hub.do(currency(hub, adapter="http_json", connection=told, scale=0))
    await hub.do(currency(hub, code="HOSTED"))
    return checked.sealed


async def test_after_resealing_the_old_key_is_not_needed(hub: Hub) -> None:
    before = await registered(hub, key(OLD))
    with pytest.raises(PartnerUnavailable):
        Registry(installed(), key(NEW)).connect("http_json", before)
    assert await reseal(hub.addresses.server, key(NEW, OLD)) == ["BP"]
    partner = Registry(installed(), key(NEW)).connect("http_json", await kept(hub))
    assert partner.capabilities.unit == "P"
    await partner.close()


async def test_without_the_old_key_nothing_is_resealed(hub: Hub) -> None:
    before = await registered(hub, key(OLD))
    with pytest.raises(NotOpened):
        await reseal(hub.addresses.server, key(NEW))
    assert await kept(hub) == before


async def test_what_was_changed_meanwhile_is_not_replaced(hub: Hub) -> None:
    before = await registered(hub, key(OLD))
    digest = hashlib.sha256(before.encode()).hexdigest()
    told = commands.SetAdapterConfig(
        actor=hub.admin, currency="BP", connection=commands.Connection("newer", 0), instead_of=digest
    )
    await hub.do(told)
    with pytest.raises(InvalidInput):
        await hub.do(told)
    assert await kept(hub) == "newer"


async def test_secrets_of_webhooks_are_resealed_as_well(hub: Hub) -> None:
    await hub.institution("BANK")
    sealed = [key(OLD).seal(secret) for secret in ("whsec_one", "whsec_two")]
    actor: dict[str, Any] = {"actor": hub.admin, "institution": "BANK"}
    await hub.do(commands.SetWebhook(**actor, url="https://bank.example/hooks", types=("*",), secret=sealed[0]))
    await hub.do(commands.RotateWebhookSecret(**actor, secret=sealed[1]))
    assert await reseal(hub.addresses.server, key(NEW, OLD)) == ["BANK"]
    await hub.reading.refresh()
    [kept_] = hub.engine.configuration.webhooks.values()
    assert (key(NEW).open(kept_.secret), key(NEW).open(kept_.previous or "")) == ("whsec_two", "whsec_one")
    with pytest.raises(InvalidInput):
        await hub.do(commands.ResealWebhookSecrets(**actor, secret="x", previous=None, instead_of=sealed[1]))
