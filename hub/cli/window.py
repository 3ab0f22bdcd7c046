"""``points-hub window``: settlement windows."""

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hub import ids
from hub.cli.output import CannotWrite
from hub.cli.shared import OPTIONS, Json, chosen_settings, database, progress_bar
from hub.ending import FINDINGS, OUTSTANDING, sentence_of
from hub.host.door import check
from hub.host.windows import ClosedWindow, ReportsOutstanding, close_window, confirm_payments, sign_first
from hub.ledger.records import Window, WindowStatus
from hub.models import DEFAULT_MODEL
from hub.money import format_millionths

commands = typer.Typer(**OPTIONS)
Model = Annotated[str, typer.Argument(help="The settlement model whose window it is.")]


@commands.callback()
def _root() -> None:
    """Settlement windows."""


@commands.command("close")
def close(
    model: Model = DEFAULT_MODEL,
    as_json: Json = False,
    lines: Annotated[
        Path | None,
        typer.Option(
            help="Write all lines of the window to this file (NDJSON) while they are added up.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Close the open settlement window: net what everybody owes, and sign the reports. The next window opens at once.

    Runs beside `serve`; what is under way falls into one window or the other. The signing key and the file are tested
    first. If the reports cannot be made even so, the window is closed all the same and the exit code is 4: do not close
    again, but ask for the reports (`settlementReport`) once what the sentence says is put right.
    """
    chosen = chosen_settings()
    closed: ClosedWindow | None = None
    try:
        with progress_bar("Closing the window", shown=not as_json), database(chosen) as where:
            asyncio.run(check(where.server))
            closed = asyncio.run(close_window(chosen, where.server, model, lines))
        _show(closed, as_json)
    except ReportsOutstanding as outstanding:
        _tell_outstanding(outstanding, as_json)
        raise typer.Exit(OUTSTANDING) from None
    except Exception as error:  # whoever is told that it could not be done tries again, and closes the next one
        if closed is None or isinstance(error, BrokenPipeError):
            raise
        done = f"Window {closed.window.number} of {closed.window.model} is closed and its reports are signed."
        typer.echo(f"points-hub: {done} {sentence_of(error)}", err=True)
        raise typer.Exit(OUTSTANDING) from None


@commands.command("confirm")
def confirm(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The bank's file: camt.054, CSV or XLSX.")
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Confirm the nets, if every row matches.")] = False,
    as_json: Json = False,
) -> None:
    """Match what a bank says that it moved to the nets that are due, row by row. Without `--apply` nothing is changed;
    with it all of the file is taken, or nothing. The same file again changes nothing. The exit code is 0 only if every
    row matches.
    """
    chosen = chosen_settings()
    with progress_bar("Matching", shown=not as_json), database(chosen) as where:
        asyncio.run(check(where.server))
        done = asyncio.run(confirm_payments(chosen, where.server, file.read_bytes(), apply=apply))
    if as_json:
        told = {"file": done.digest, "applied": done.taken, "replayed": done.replayed, "counts": done.match.counts}
        typer.echo(json.dumps({**told, "rows": [asdict(row) for row in done.match.rows]}))
    elif done.replayed:
        typer.echo("The file was taken before; nothing is changed.")
    else:
        table = Table(*("row", "outcome", "institution", "currency", "amount", "due", "what is wrong"))
        for row in done.match.rows:
            table.add_row(str(row.row), row.outcome, row.institution, row.currency, row.amount, row.expected, row.told)
        Console().print(table)
        whole = "Every row matches; run it with --apply to confirm them."
        typer.echo("The nets are confirmed." if done.taken else whole if done.match.is_whole else "Nothing is changed.")
    if not done.taken and not done.match.is_whole:
        raise typer.Exit(FINDINGS)


@commands.command("sign")
def sign(
    number: Annotated[int, typer.Argument(min=1, help="The window's number in its model.")],
    model: Model = DEFAULT_MODEL,
) -> None:
    """Sign the first reports of a closed window that was paid, or disputed, before there were any. It is your word that
    there never were: a copy in a member's hands, or a finding of `audit`, says otherwise. Runs beside `serve`.

    Ordinary windows do not need it: their reports are signed when they close, before they are paid, and when they are
    asked for. It is refused where reports of later windows, supplements or acceptances show that there were some.
    """
    chosen = chosen_settings()
    with progress_bar("Signing"), database(chosen) as where:
        asyncio.run(check(where.server))
        signed = asyncio.run(sign_first(chosen, where.server, model, number))
    typer.echo(f"The reports of window {signed.number} are signed.")


def _show(closed: ClosedWindow, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_closed_as_json(closed)))
        return
    of = "" if closed.window.model == DEFAULT_MODEL else f" of {closed.window.model}"
    title = f"window {closed.window.number}{of}"
    if not closed.nets:
        typer.echo(f"{title[0].upper()}{title[1:]} is closed; nobody owed anybody anything in it.")
        return
    table = Table("institution", "currency", title=f"{title}, closed", title_justify="left")
    headings = ("owes", "is owed", "net", "to pay")
    for heading in headings if any(net.exchanged for net in closed.nets) else headings[:3]:
        table.add_column(heading, justify="right")
    for net in _closed_as_json(closed)["nets"]:
        table.add_row(*net.values())
    Console().print(table)
    typer.echo("Its reports are signed.")


def _tell_outstanding(outstanding: ReportsOutstanding, as_json: bool) -> None:
    window, why = outstanding.window, outstanding.__cause__
    typer.echo(
        f"points-hub: Window {window.number} of {window.model} is closed, but its reports or lines are outstanding, "
        "and are made when they are asked for (settlementReport), or when the next window closes. What stopped them: "
        f"{sentence_of(why) if isinstance(why, Exception) else outstanding}",
        err=True,
    )
    if as_json:
        told = {**_window_as_json(window), "status": WindowStatus.CLOSED.name, "reports": "OUTSTANDING"}
        with suppress(CannotWrite, BrokenPipeError):  # the sentence says it, and the exit code
            typer.echo(json.dumps(told))


def _window_as_json(window: Window) -> dict[str, Any]:
    return {
        "window": ids.text(ids.WINDOW, window.id),
        "model": window.model,
        "number": window.number,
        "status": window.status.name,
    }


def _closed_as_json(closed: ClosedWindow) -> dict[str, Any]:
    is_exchanged = any(net.exchanged for net in closed.nets)
    return {
        **_window_as_json(closed.window),
        "reports": "SIGNED",
        "nets": [
            {
                "institution": closed.codes[net.institution],
                "currency": net.currency,
                **{
                    label: format_millionths(value, net.currency)
                    for label, value in (("debit", net.debits), ("credit", net.credits), ("net", net.net))
                },
                **({"payable": format_millionths(net.payable, net.currency)} if is_exchanged else {}),
            }
            for net in closed.nets
        ],
    }
