"""``points-hub window``: settlement windows."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hub import ids
from hub.cli.shared import OPTIONS, Json, chosen_settings, database, progress_bar
from hub.host import ClosedWindow, check, close_window
from hub.models import DEFAULT_MODEL
from hub.money import format_millionths

commands = typer.Typer(**OPTIONS)
Model = Annotated[str, typer.Argument(help="The settlement model whose window it is.")]


@commands.callback()
def _root() -> None:
    """Settlement windows."""


@commands.command("close")
def close(model: Model = DEFAULT_MODEL, as_json: Json = False) -> None:
    """Close the open settlement window: net what everybody owes, and sign the reports. The next window opens at once.

    Runs beside `serve`; what is under way falls into one window or the other.
    """
    chosen = chosen_settings()
    with progress_bar("Closing the window", shown=not as_json), database(chosen) as where:
        asyncio.run(check(where.server))
        closed = asyncio.run(close_window(chosen, where.server, model))
    if as_json:
        typer.echo(json.dumps(_closed_as_json(closed)))
        return
    of = "" if model == DEFAULT_MODEL else f" of {model}"
    title = f"window {closed.window.number}{of}"
    if not closed.nets:
        typer.echo(f"{title[0].upper()}{title[1:]} is closed; nobody owed anybody anything in it.")
        return
    table = Table("institution", "currency", title=f"{title}, closed", title_justify="left")
    for heading in ("owes", "is owed", "net"):
        table.add_column(heading, justify="right")
    for net in _closed_as_json(closed)["nets"]:
        table.add_row(*net.values())
    Console().print(table)
    typer.echo("Its reports are signed.")


def _closed_as_json(closed: ClosedWindow) -> dict[str, Any]:
    window = closed.window
    return {
        "window": ids.text(ids.WINDOW, window.id),
        "model": window.model,
        "number": window.number,
        "status": window.status.name,
        "nets": [
            {
                "institution": closed.codes[net.institution],
                "currency": net.currency,
                **{
                    label: format_millionths(value, net.currency)
                    for label, value in (("debit", net.debits), ("credit", net.credits), ("net", net.net))
                },
            }
            for net in closed.nets
        ],
    }
