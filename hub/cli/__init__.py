"""The command line: ``points-hub``, also ``python -m hub``. Each command wires what it needs, runs, and says what came
of it: results on stdout, everything else on stderr, a failure in one sentence.

It decides no business: commands act through the same doors as the server, beside it if it runs. A signal that asks to
end makes an ordinary exit, so that whoever leaves last stops the embedded database. Each command is in the module of
its name, which is imported when it is called: half of them need neither the API nor the adapters.
"""

import traceback
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import hub
from hub import logs
from hub.cli.output import watched
from hub.cli.shared import OPTIONS
from hub.ending import EXIT_CODES, FAILED, leave_when_asked, sentence_of

COMMANDS = (
    "init",
    "migrate",
    "serve",
    "demo",
    "audit",
    "verify",
    "acceptance",
    "render",
    "expire",
    "clear",
    "bill",
    "reconcile",
    "simulator",
    "window",
    "keys",
    "adapters",
    "relocation",
)


class _OnDemand(TyperGroup):
    """Knows the commands by name, and imports each when it is wanted. Typer's types of commands are its own."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        command = get_command(import_module(f"hub.cli.{cmd_name}").commands)
        command.name = cmd_name
        return command


app = typer.Typer(**OPTIONS, cls=_OnDemand, epilog=EXIT_CODES)


def main() -> int:
    """Run the command that the arguments name; answers its exit code."""
    leave_when_asked()
    try:
        logs.configure("WARNING", development=True)
        with watched():
            app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Exception as error:
        if logs.is_debugging():
            traceback.print_exc()
        typer.echo(f"points-hub: {sentence_of(error)}", err=True)
        return FAILED
    return 0


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """**Points Hub**: points of one organisation's programme become points of another's, and what the organisations
    then owe each other is netted and settled against signed reports.

    Start with `points-hub init`, keep the key that it shows, then `points-hub serve`; or see it all with
    `points-hub demo`.

    Settings are environment variables. `HUB_DATA_DIR` is the folder of the embedded PostgreSQL and of the signing key
    (default `.hub`); `HUB_DATABASE_URL` names a PostgreSQL 15 or newer to use instead, as the role that serves, and
    `HUB_DATABASE_OWNER_URL` the same as the role that migrates. Several commands share one database: `audit` runs
    beside `serve`.
    """
    if version:
        typer.echo(f"points-hub {hub.__version__}")
        raise typer.Exit
