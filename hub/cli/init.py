"""``points-hub init``: set up a hub."""

import asyncio
import getpass
import json
from typing import Annotated

import typer

from hub import ids, postgres
from hub.cli.output import CannotWrite
from hub.cli.shared import OPTIONS, Json, chosen_settings, database, progress_bar
from hub.errors import Failure
from hub.migrate import migrate
from hub.registry import checks
from hub.setup import KeyVoid, set_up
from settlement.publish import Keys

commands = typer.Typer(**OPTIONS)


class NotShown(Failure):
    """The first key could not be written to the output, so no hub was set up: run it again where the output is read."""


@commands.command()
def init(
    person: Annotated[str, typer.Option(help="Who gets the first key; default: who runs this.")] = "",
    name: Annotated[str, typer.Option(help="The operator's name; default: HUB_NAME.")] = "",
    as_json: Json = False,
) -> None:
    """Set up a hub: the database, the operator `HUB`, and the operator's first key, which is shown only this once.

    The key is written out before the hub is made, so that no hub is without one: if the command fails, the key is void.
    A second run changes nothing and fails. For scripts: `points-hub init --json` writes `institution`,
    `credentialId` and `secret`.
    """
    chosen = chosen_settings()
    person = checks.person(person or _user())
    name = checks.name("name", name or chosen.name)
    is_shown = False

    def show(institution: str, credential: int, secret: str) -> None:
        nonlocal is_shown
        progress.stop()  # which may have stdout in its hands
        is_shown = True
        shown = {"institution": institution, "credentialId": ids.text(ids.CREDENTIAL, credential), "secret": secret}
        try:
            typer.echo(json.dumps(shown) if as_json else _for_people(institution, person, secret))
        except (BrokenPipeError, CannotWrite):
            is_shown = False
            raise NotShown from None

    with progress_bar("Setting up", shown=not as_json) as progress, database(chosen, new=True) as where:
        postgres.claim(chosen.data_dir)
        Keys.of(chosen).current()  # a key that cannot be used is found out before the hub has a history
        asyncio.run(migrate(where))
        try:
            asyncio.run(set_up(where, name, person, show))
        except SystemExit:  # asked to end, before the hub was made
            if is_shown:
                typer.echo(f"points-hub: {KeyVoid()}", err=True)
            raise
    if not as_json:
        typer.echo(f"{name} is set up; its data are in {chosen.data_dir.resolve()}. Next: points-hub serve")


def _for_people(institution: str, person: str, secret: str) -> str:
    labelled = (("institution", institution), ("person", person), ("key", secret))
    rows = "".join(f"  {label:12} {value}\n" for label, value in labelled)
    return f"{rows}\nThe key opens everything and is shown only now: keep it safe.\n"


def _user() -> str:
    """Who runs this, for the record; some containers' users have no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
