"""The whole API over a hub of its own: documents are executed as the HTTP edge does it, without HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from strawberry.types.execution import ExecutionResult

from adapters.registry import Installed, Registry, installed
from hub.sealing import SecretsKey
from hub.settings import Settings
from hub.updates import Updates
from hub.webhooks.deliveries import Deliveries
from schema.api import api
from schema.context import Context
from schema.faults import formatted
from schema.incoming import Incoming
from schema.limits import Limits
from schema.messages import Language
from schema.operations import Operations, Parameters
from settlement.interim import Interims
from settlement.publish import Keys, Reports
from settlement.supplementing import Supplements
from tests.conftest import Hub


@dataclass
class Caller:
    """Somebody who asks: a key's holder, or with None nobody in particular."""

    client: "Client"
    credential: int | None
    language: Language = "en"

    def context(self) -> Context:
        client = self.client
        return Context(
            engine=client.hub.engine,
            reading=client.hub.reading,
            settings=client.settings,
            incoming=Incoming(None, self.language, "request", None),
            credential=self.credential,
            reports=client.reports,
            interims=client.interims,
            supplements=client.supplements,
            updates=client.updates,
            adapters=client.adapters,
            deliveries=Deliveries(client.hub.database),
            sealer=SecretsKey.of(client.settings),
        )

    async def execute(self, document: str, **variables: Any) -> ExecutionResult:
        """What comes of a document."""
        result = await self.client.operations.execute(Parameters(document, variables), self.context(), reading=False)
        assert isinstance(result, ExecutionResult), result
        return result

    async def ask(self, document: str, **variables: Any) -> Any:
        """The data, or for a document with one root field the value of that; there are no errors."""
        result = await self.execute(document, **variables)
        assert not result.errors, formatted(result.errors, "BAD_INPUT")
        assert result.data is not None
        return next(iter(result.data.values())) if len(result.data) == 1 else result.data

    async def codes(self, document: str, **variables: Any) -> list[str]:
        """The codes of the errors."""
        result = await self.execute(document, **variables)
        return [error["extensions"]["code"] for error in formatted(result.errors or [], "BAD_INPUT")]


@dataclass
class Client:
    """The API of one process."""

    hub: Hub
    settings: Settings
    reports: Reports
    interims: Interims
    supplements: Supplements
    updates: Updates
    operations: Operations
    adapters: Registry

    def caller(self, credential: int | None, language: Language = "en") -> Caller:
        return Caller(self, credential, language)


@pytest.fixture(scope="session")
def kinds() -> Installed:
    """The kinds of adapters, found once: looking for them takes longer than most of a test."""
    return installed()


@pytest.fixture
async def client(hub: Hub, tmp_path: Path, kinds: Installed) -> AsyncIterator[Client]:
    settings = Settings(data_dir=tmp_path, public_url="https://hub.example/")
    updates = Updates(hub.addresses.server)
    reports = Reports(hub.database, Keys.of(settings), settings.name)
    adapters = Registry(kinds, SecretsKey.of(settings))
    interims = Interims(hub.database, Keys.of(settings), settings.name)
    supplements = Supplements(hub.database, Keys.of(settings), settings.name, reports)
    yield Client(hub, settings, reports, interims, supplements, updates, Operations(api, Limits()), adapters)
    await adapters.close()
    await updates.close()
