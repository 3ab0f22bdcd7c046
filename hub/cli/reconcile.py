"""``points-hub reconcile``: compare a day of a partner's."""

import asyncio
import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.registry import Registry, installed
from hub import ids
from hub.cli.shared import OPTIONS, File, Json, chosen_settings, counted, database, progress_bar, set_total
from hub.ending import FINDINGS
from hub.host.door import check, own_engine
from hub.points import render
from hub.reconciliation.breaks import Run
from hub.reconciliation.reconciling import STAGES, Shelf, Told
from hub.reconciliation.reconciling import reconcile as reconcile_day
from hub.sealing import SecretsKey
from hub.settings import Settings

commands = typer.Typer(**OPTIONS)


@commands.command()
def reconcile(
    currency: Annotated[str, typer.Option(help="The point currency's code.")],
    day: Annotated[str, typer.Option(metavar="DAY", help="A day that is over, such as 2026-01-31.")],
    file: Annotated[Path | None, File(help="The partner's file of that day.")] = None,
    as_json: Json = False,
) -> None:
    """Compare a day of a currency that a partner keeps: the hub's ledger, the partner's journal, and its file.

    What does not agree is a break, and stays one until it has gone or two persons have ended it. A file that is given
    is kept in `reconcile/<currency>/<day>.csv` of the data folder once it was believed; one that is there is taken
    without being given, and so are those of the days beside it. Run again, it changes nothing that was ended. Ends with
    1 if breaks of the day are open.
    """
    chosen, wanted = chosen_settings(), _day(day)
    with progress_bar("Reconciling", shown=not as_json) as progress, database(chosen) as where:
        asyncio.run(check(where.server))
        set_total(progress, len(STAGES))
        told = partial(_begin, progress)
        run = asyncio.run(_compare(chosen, where.server, currency, wanted, file, told))
    _show(run, as_json)
    if run.open:
        raise typer.Exit(FINDINGS)


async def _compare(settings: Settings, url: str, currency: str, day: date, file: Path | None, told: Told) -> Run:
    """Compare a day with the file that is given or the one that is on the shelf; one that is given is put there."""
    shelf, registry = Shelf.of(settings.data_dir), Registry(installed(), SecretsKey.of(settings))
    try:
        async with own_engine(url) as (database, engine):
            given = shelf.files(currency, day, file)
            run = await reconcile_day(database, engine, registry, currency, day, given, told=told)
    finally:
        await registry.close()
    if file is not None:
        shelf.keep(currency, day, file)
    return run


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no day such as 2026-01-31.", param_hint="--day") from None


def _begin(progress: Progress, stage: str) -> None:
    progress.update(progress.task_ids[0], description=f"Reconciling: {stage}", completed=STAGES.index(stage))


def _show(run: Run, as_json: bool) -> None:
    sides = [
        {
            "source": side.source.value,
            "rows": side.rows,
            "taken": render(side.taken, run.scale),
            "given": render(side.given, run.scale),
        }
        for side in run.sides
    ]
    counts = {name: getattr(run, name) for name in ("matched", "opened", "unchanged", "settled", "vanished")}
    if as_json:
        told = {"id": ids.text(ids.RECONCILIATION, run.id), "currency": run.currency, "day": run.day}
        typer.echo(json.dumps(told | {"sides": sides, **counts, "open": run.open}))
        return
    table = Table("side", title=f"{run.currency}, {run.day}", title_justify="left")
    for heading in ("rows", "taken", "given"):
        table.add_column(heading, justify="right")
    for side in sides:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in side.values()))
    Console().print(table)
    typer.echo(f"{counted(run.matched, 'order')} agreed; {counted(run.open, 'break')} open, of which {run.opened} new.")
    if run.vanished:
        typer.echo(f"{counted(run.vanished, 'break')} matched later.")
