"""``points-hub audit``: recompute everything from the rows."""

import asyncio

import typer

from hub.cli.shared import OPTIONS, chosen_settings, counted, database, progress_bar
from hub.ending import FINDINGS
from hub.host.door import audit as audit_all
from hub.host.door import check

commands = typer.Typer(**OPTIONS)


@commands.command()
def audit() -> None:
    """Recompute everything from the rows alone: every balance, every hash of the journal, every report's figures.

    Lists everything that is wrong; the exit code is 0 only if nothing is. Needs the right to read only, sees one
    instant, and runs beside `serve`. Signatures are held against the public keys in the data folder and in
    HUB_SIGNING_JWKS, never against what the database says of keys.
    """
    chosen = chosen_settings()
    with database(chosen) as where, progress_bar("Auditing") as progress:
        asyncio.run(check(where.server, empty=True))

        def told(stage: str, done: int, total: int) -> None:
            progress.update(progress.task_ids[0], description=f"Auditing: {stage}", completed=done, total=total)

        found = asyncio.run(audit_all(chosen, where.server, told))
    for finding in found.findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if not found.ok:
        typer.echo(f"{counted(len(found.findings), 'finding')}: the books are not in order.", err=True)
        raise typer.Exit(FINDINGS)
    rows = ", ".join(f"{count:,} of {table}" for table, count in sorted(found.counts.items()) if count)
    typer.echo(f"Nothing is wrong up to entry {found.batch} of the journal (hash {found.hash.hex()}).\nRead: {rows}.")
