"""``points-hub migrate``: bring the database's schema up to the program."""

import asyncio

import typer

from hub import migrate as migrating
from hub.cli.shared import OPTIONS, chosen_settings, database

commands = typer.Typer(**OPTIONS)


@commands.command()
def migrate() -> None:
    """Bring the database's schema up to this program; nothing changes if it is there.

    Run it after an update and before `serve`, if `HUB_DATABASE_URL` is set; the embedded database is brought up to date
    by `serve` itself.
    """
    with database(chosen_settings()) as where:
        asyncio.run(migrating.migrate(where))
    typer.echo(f"The database's schema is {migrating.newest()}, this program's.")
