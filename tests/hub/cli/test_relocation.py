"""The commands of a relocation, from the list to the last customer, beside whoever serves the same database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub import ids, opening_files
from hub.cli import app
from hub.ending import FINDINGS
from hub.ledger import commands
from hub.settings import Settings, settings
from settlement import signing
from settlement.publish import Keys
from tests.conftest import Hub
from tests.hub.cli.here import Here
from tests.hub.moved import Moving, Played

Command = Callable[..., Awaitable[Any]]


@pytest.fixture
def command(hub: Hub, here: Here) -> Command:
    """A command in a thread of its own, because it has a loop of its own."""
    chosen = {"HUB_DATABASE_URL": hub.addresses.server, "HUB_DATABASE_OWNER_URL": hub.addresses.owner}
    env = {name: url.replace("+asyncpg", "") for name, url in chosen.items()} | {"HUB_DATA_DIR": str(here.folder)}

    async def run(*arguments: str) -> Any:
        settings.cache_clear()
        return await asyncio.to_thread(CliRunner().invoke, app, ["relocation", *arguments], env=env)

    return run


async def test_a_list_goes_to_the_partner_and_its_file_comes_back(
    hub: Hub, here: Here, command: Command, tmp_path: Path
) -> None:
    bank = await Moving(hub, Played()).open()
    run = await bank.fixed()
    id, given, returned = ids.text(ids.RELOCATION, run.id), tmp_path / "list.csv", tmp_path / "back.csv"
    done = await command("list", id, "--output", str(given))
    assert done.exit_code == 0, done.output
    told = opening_files.told(given.read_bytes(), 0)
    assert told.total == 550
    token = signing.take_apart((tmp_path / "list.csv.jws").read_text().strip())
    assert json.loads(token.payload)["sha256"] == told.digest
    assert any(
        signing.is_signed_by((tmp_path / "list.csv.jws").read_text().strip(), key)
        for key in Keys.of(Settings(data_dir=here.folder)).public()
    )

    lacking = {who: lots for who, lots in told.customers.items() if who != ("SHOP", "carol")}
    returned.write_bytes(opening_files.written(lacking.items(), 0))
    done = await command("compare", id, "--file", str(returned), "--json")
    assert done.exit_code == FINDINGS, done.output
    assert json.loads(done.stdout) | {"id": id, "status": "COMPARED", "differing": 1, "less": "50"} == json.loads(
        done.stdout
    )

    returned.write_bytes(given.read_bytes()[:-3])
    assert "is another one" in (await command("compare", id, "--file", str(returned))).output
    done = await command("compare", id, "--file", str(given))
    assert done.exit_code == 0, done.output
    assert "The hub has 550, the partner 550; 0 are moved." in done.stdout

    await hub.do(commands.CompleteRelocation(actor=hub.admin, id=run.id))
    done = await command("move", id, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["status"] == "DONE"
    await bank.is_in_order()


async def test_what_is_no_relocation_is_said(command: Command, hub: Hub) -> None:
    assert "no identifier of a relocation" in (await command("move", "cu_1")).output
    done = await command("move", "rl_1")
    assert type(done.exception).__name__ == "NotFound"
