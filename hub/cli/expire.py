"""``points-hub expire``: settle what time has done."""

import asyncio
import json
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hub.cli.shared import OPTIONS, Json, chosen_settings, counted, database, instant_of, progress_bar, set_total
from hub.host.door import check
from hub.host.runs import Expired
from hub.host.runs import expire as expire_all
from hub.points import render

commands = typer.Typer(**OPTIONS)


@commands.command()
def expire(
    as_of: Annotated[
        str, typer.Option(metavar="INSTANT", help="Until when, such as 2026-01-01T00:00+08:00; default: now.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Settle what time has done: points whose lot has ended go to breakage, holds whose time is over are released.

    Nothing depends on it, because points that are over are gone for everybody at that very instant; it posts what
    nobody has touched since. A running server does the same by itself (`HUB_SWEEP_SECONDS`). It works in chunks, each
    committed: interrupted, it has lost nothing; run again, it finds only the rest.

    Notices of points that will end soon are made as well, each once.

    `--as-of` picks the accounts on which something had ended by then; what has ended on them by now goes with it.
    Points that a hold pins are honoured until the hold ends.
    """
    chosen, instant = chosen_settings(), instant_of("--as-of", as_of)
    with progress_bar("Expiring", shown=not as_json) as progress, database(chosen) as where:
        asyncio.run(check(where.server))
        task = progress.task_ids[0]
        begun, told = partial(set_total, progress), partial(progress.advance, task)
        expired = asyncio.run(expire_all(where.server, instant, begun, told))
    _show_expired(expired, as_json)


def _show_expired(expired: Expired, as_json: bool) -> None:
    scales = {of.code: of.scale for of in expired.configuration.currencies.values()}
    found = [
        {"currency": code, "lots": of.lots, "points": render(of.units, scales[code]), "holds": of.holds}
        for code, of in sorted(expired.tally.by_currency.items())
    ]
    if as_json:
        typer.echo(json.dumps({"expired": found, "notices": expired.notices}))
        return
    if expired.notices:
        typer.echo(f"{counted(expired.notices, 'notice')} made of points that will end.")
    if not found:
        typer.echo("Nothing was due.")
        return
    table = Table("currency", title="settled", title_justify="left")
    for heading in ("lots", "points to breakage", "holds released"):
        table.add_column(heading, justify="right")
    for row in found:
        table.add_row(str(row["currency"]), f"{row['lots']:,}", str(row["points"]), f"{row['holds']:,}")
    Console().print(table)
