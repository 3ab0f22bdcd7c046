"""``points-hub clear``: clear a currency at a year's end."""

import asyncio
import json
from functools import partial
from typing import Annotated

import typer

from hub import ids
from hub.cli.shared import OPTIONS, Json, chosen_settings, counted, database, instant_of, progress_bar, set_total
from hub.configuration import Configuration
from hub.host.door import check
from hub.host.runs import clear as clear_points
from hub.ledger.records import Clearing, ClearingScope
from hub.points import render

commands = typer.Typer(**OPTIONS)


@commands.command()
def clear(
    currency: Annotated[str, typer.Argument(help="The point currency's code.")],
    earned_before: Annotated[
        str,
        typer.Option(
            metavar="INSTANT",
            help="Only points earned before, such as 2025-01-01T00:00+08:00, the beginning of a day of the currency's. "
            "Default: 1 January of last year, so that those earned last year and this one stay.",
        ),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="All points, also those without an age.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "year-end clear",
    as_json: Json = False,
) -> None:
    """Clear a currency at a year's end: take every customer's points, all or the old ones; they go to breakage.

    Held and frozen points stay; once they are free, another clearing takes them. Points without an age (that never
    end, of a currency that keeps none) are taken with `--all` only. It works in chunks, each committed: interrupted,
    the same command, or a running server, goes on where it stopped. To clear at a set time, order it with
    `clearPoints`.
    """
    chosen, cut = chosen_settings(), instant_of("--earned-before", earned_before)
    if everything and cut is not None:
        raise typer.BadParameter("--all takes points of every age.", param_hint="--earned-before")
    scope = ClearingScope.ALL if everything else ClearingScope.EARNED_BEFORE
    with progress_bar("Clearing", shown=not as_json) as progress, database(chosen) as where:
        asyncio.run(check(where.server))
        begun, told = partial(set_total, progress), partial(progress.advance, progress.task_ids[0])
        run, configuration = asyncio.run(clear_points(where.server, currency, scope, cut, reason, begun, told))
    _show_cleared(run, configuration, as_json)


def _show_cleared(run: Clearing, configuration: Configuration, as_json: bool) -> None:
    of = configuration.currencies[configuration.currency_codes[run.currency]]
    units = {"cleared": run.cleared, "pinned": run.pinned, "ageless": run.ageless}
    points = {name: render(amount, of.scale) for name, amount in units.items()}
    if as_json:
        cut = None if run.earned_before is None else run.earned_before.isoformat()
        typer.echo(
            json.dumps({"id": ids.text(ids.CLEARING, run.id), "earnedBefore": cut, "accounts": run.accounts, **points})
        )
        return
    typer.echo(f"{points['cleared']} {of.code} of {counted(run.accounts, 'account')} went to breakage.")
    if run.pinned:
        typer.echo(f"{points['pinned']} stay because they are held or frozen.")
    if run.ageless:
        typer.echo(f"{points['ageless']} stay because nobody knows when they were earned.")
