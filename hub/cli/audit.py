"""``points-hub audit``: recompute everything from the rows."""

import asyncio
import re
from typing import Annotated

import typer

from hub.cli.shared import OPTIONS, chosen_settings, counted, database, progress_bar
from hub.ending import FINDINGS
from hub.host.door import audit as audit_all
from hub.host.door import check

commands = typer.Typer(**OPTIONS)

_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-fA-F]{64})")


@commands.command()
def audit(
    heads: Annotated[
        list[str] | None,
        typer.Option(
            "--head",
            metavar="ENTRY:HASH",
            help="An entry of the journal and its hash, as an earlier audit said or a report names them "
            "(journal.batch, journal.hash): it must be there still. May be given several times.",
        ),
    ] = None,
) -> None:
    """Recompute everything from the rows alone: every balance, every hash of the journal, every report's figures.

    Lists everything that is wrong; the exit code is 0 only if nothing is. Needs the right to read only, sees one
    instant, and runs beside `serve`. Signatures are held against the public keys in the data folder and in
    HUB_SIGNING_JWKS, never against what the database says of keys. Whoever could rewrite the whole history, hashes and
    all, is found by a head that was kept elsewhere: give it with --head.
    """
    kept = dict(_head(text) for text in heads or ())
    chosen = chosen_settings()
    with database(chosen) as where, progress_bar("Auditing") as progress:
        asyncio.run(check(where.server, empty=True))

        def told(stage: str, done: int, total: int) -> None:
            progress.update(progress.task_ids[0], description=f"Auditing: {stage}", completed=done, total=total)

        found = asyncio.run(audit_all(chosen, where.server, told, kept))
    for finding in found.findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if not found.ok:
        typer.echo(f"{counted(len(found.findings), 'finding')}: the books are not in order.", err=True)
        raise typer.Exit(FINDINGS)
    rows = ", ".join(f"{count:,} of {table}" for table, count in sorted(found.counts.items()) if count)
    typer.echo(f"Nothing is wrong up to entry {found.batch} of the journal (hash {found.hash.hex()}).\nRead: {rows}.")


def _head(text: str) -> tuple[int, bytes]:
    """An entry's number and hash.

    Raises:
        BadParameter: the text is not both.
    """
    match = _HEAD.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            "it is ENTRY:HASH, as 570:459d…, the hash of 64 hexadecimal digits.", param_hint="--head"
        )
    return int(match[1]), bytes.fromhex(match[2])
