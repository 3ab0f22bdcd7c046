"""``points-hub init``: set up a hub."""

import asyncio
import getpass
import json
from typing import Annotated

import typer

from hub import ids, postgres
from hub.cli.shared import OPTIONS, Json, chosen_settings, database, progress_bar
from hub.migrate import migrate
from hub.registry import checks
from hub.setup import set_up
from settlement.publish import Keys

commands = typer.Typer(**OPTIONS)


@commands.command()
def init(
    person: Annotated[str, typer.Option(help="Who gets the first key; default: who runs this.")] = "",
    name: Annotated[str, typer.Option(help="The operator's name; default: HUB_NAME.")] = "",
    as_json: Json = False,
) -> None:
    """Set up a hub: the database, the operator `HUB`, and the operator's first key, which is shown only this once.

    A second run changes nothing and fails. For scripts: `points-hub init --json` writes `institution`,
    `credentialId` and `secret`.
    """
    chosen = chosen_settings()
    person = checks.person(person or _user())
    name = checks.name("name", name or chosen.name)
    with progress_bar("Setting up", shown=not as_json), database(chosen, new=True) as where:
        postgres.claim(chosen.data_dir)
        Keys.of(chosen).current()  # a key that cannot be used is found out before the hub has a history
        asyncio.run(migrate(where))
        institution, credential, secret = asyncio.run(set_up(where, name, person))
    shown = {"institution": institution, "credentialId": ids.text(ids.CREDENTIAL, credential), "secret": secret}
    if as_json:
        typer.echo(json.dumps(shown))
        return
    typer.echo(f"{name} is set up; its data are in {chosen.data_dir.resolve()}.\n")
    for label, value in (("institution", institution), ("person", person), ("key", secret)):
        typer.echo(f"  {label:12} {value}")
    typer.echo("\nThe key opens everything and is shown only now: keep it safe. Next: points-hub serve")


def _user() -> str:
    """Who runs this, for the record; some containers' users have no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
