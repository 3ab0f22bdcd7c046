"""``points-hub relocation``: what takes long while a currency's balances move to another keeper."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hub import ids
from hub.cli.shared import OPTIONS, Json, chosen_settings, counted, database, progress_bar, set_total
from hub.configuration import Configuration
from hub.ending import FINDINGS
from hub.errors import InvalidAmount
from hub.host.balances import compare_balances, list_balances, move_balances
from hub.host.door import check
from hub.ledger.opening import Relocation
from hub.opening_files import Malformed
from hub.points import render

commands = typer.Typer(**OPTIONS, help="Moving a currency's balances to a partner, or back.")
Id = Annotated[str, typer.Argument(help="The relocation's identifier, such as rl_c00000.")]


@commands.command("list")
def listing(
    relocation: Id,
    output: Annotated[Path, typer.Option(dir_okay=False, help="The file to write; its signature goes beside it.")],
) -> None:
    """Write the balances of every customer, with each lot's end, as they were fixed, for the partner to load.

    Beside the file goes `FILE.jws`: the file's digest, signed with the hub's key.
    """
    chosen = chosen_settings()
    with progress_bar("Listing"), database(chosen) as where:
        asyncio.run(check(where.server))
        raw, signed = asyncio.run(list_balances(chosen, where.server, _number(relocation)))
    output.write_bytes(raw)
    signature = output.with_name(f"{output.name}.jws")
    signature.write_text(f"{signed}\n", encoding="ascii")
    typer.echo(f"{output} and its signature {signature} are for the partner.")


@commands.command("compare")
def compare(
    relocation: Id,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="The partner's balances as a file.")
    ] = None,
    field: Annotated[
        str, typer.Option(help="The field of the partner's lookup that takes the hub's reference, if it has several.")
    ] = "",
    total: Annotated[str, typer.Option(help="The partner's own total, where it is asked member by member.")] = "",
    as_json: Json = False,
) -> None:
    """Put the partner's balance of every customer on record, beside the hub's: out of its file, or asked member by
    member.

    Interrupted, the same command goes on where it stopped; of what is compared already it begins a new round. The exit
    code is 0 only if nothing differs.
    """
    chosen, raw = chosen_settings(), None if file is None else file.read_bytes()
    with progress_bar("Comparing", shown=not as_json) as progress, database(chosen) as where:
        asyncio.run(check(where.server))
        told = partial(progress.advance, progress.task_ids[0])
        try:
            run, configuration = asyncio.run(
                compare_balances(chosen, where.server, _number(relocation), raw, field or None, total or None, told)
            )
        except Malformed as malformed:
            raise typer.BadParameter(f"{file}: {malformed}.", param_hint="--file") from None
        except InvalidAmount:
            raise typer.BadParameter(f"{total} is no amount of this currency.", param_hint="--total") from None
    _show(run, configuration, as_json)
    if run.differing:
        raise typer.Exit(FINDINGS)


@commands.command("move")
def move(relocation: Id, as_json: Json = False) -> None:
    """Move the points of a relocation whose completion has begun.

    A running server does so by itself; several at once move everybody once. It works in chunks, each committed:
    interrupted, the same command goes on where it stopped.
    """
    with progress_bar("Moving", shown=not as_json) as progress, database(chosen_settings()) as where:
        asyncio.run(check(where.server))
        begun, told = partial(set_total, progress), partial(progress.advance, progress.task_ids[0])
        run, configuration = asyncio.run(move_balances(where.server, _number(relocation), begun, told))
    _show(run, configuration, as_json)


def _number(relocation: str) -> int:
    found = ids.number(relocation, ids.RELOCATION)
    if found is None:
        raise typer.BadParameter(f"{relocation} is no identifier of a relocation.")
    return found


def _show(run: Relocation, configuration: Configuration, as_json: bool) -> None:
    of = configuration.currencies[configuration.currency_codes[run.currency]]
    units = {"ours": run.ours, "theirs": run.theirs, "more": run.more, "less": run.less, "moved": run.moved}
    points = {name: render(amount, of.scale) for name, amount in units.items()}
    if as_json:
        figures = {"round": run.round, "customers": run.customers, "differing": run.differing, **points}
        standing = {"id": ids.text(ids.RELOCATION, run.id), "status": run.status.value, **figures}
        typer.echo(json.dumps({**standing, "digest": run.digest}))
        return
    typer.echo(f"{of.code} is {run.status.value}: {counted(run.customers, 'customer')}.")
    typer.echo(f"The hub has {points['ours']}, the partner {points['theirs']}; {points['moved']} are moved.")
    if run.differing:
        typer.echo(f"{counted(run.differing, 'customer')} differ: {points['more']} more there, {points['less']} less.")
