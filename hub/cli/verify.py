"""``points-hub verify``: recompute a settlement report without a hub."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from hub.cli.shared import OPTIONS, File, counted, progress_bar
from hub.ending import FINDINGS
from settlement.verify import Verdict
from settlement.verify import verify as verify_report

commands = typer.Typer(**OPTIONS)


@commands.command()
def verify(
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The report: a JWS.")],
    lines: Annotated[Path, File(help="Its lines, one JSON object each (NDJSON), in their order.")],
    jwks: Annotated[Path, File(help="The hub's public keys, from its /.well-known/jwks.json.")],
    previous: Annotated[Path | None, File(help="The same institution's report of the window before.")] = None,
    child: Annotated[
        list[Path] | None, File(help="A report of the same window whose nets it takes over; may be given repeatedly.")
    ] = None,
) -> None:
    """Recompute a settlement report from its lines and check its signature; needs no hub, database or network.

    Lists everything that is wrong; the exit code is 0 only if nothing is. Example:
    `points-hub verify report.jws --lines lines.ndjson --jwks jwks.json`
    """
    keys = _jwks(jwks)
    before = None if previous is None else _token(previous)
    with progress_bar("Verifying", total=lines.stat().st_size) as progress:
        verdict = verify_report(_token(report), _read_lines(lines, progress), keys, before, map(_token, child or ()))
    for finding in verdict.findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if not verdict.ok:
        typer.echo(f"{counted(len(verdict.findings), 'finding')}: this report is not to be believed.", err=True)
        raise typer.Exit(FINDINGS)
    typer.echo(_genuine(verdict))


def _read_lines(path: Path, progress: Progress) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.readlines(1 << 20):
            yield from chunk
            progress.advance(progress.task_ids[0], sum(map(len, chunk)))


def _token(path: Path) -> str:
    return path.read_bytes().decode("ascii", "replace").strip()


def _jwks(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path} holds no JWK set.", param_hint="--jwks")
    return found


def _genuine(verdict: Verdict) -> str:
    reading = verdict.reading
    if reading.institution is None or reading.window is None:
        raise AssertionError("a report without findings was read")
    agreed = counted(verdict.children_checked, "report")
    below = f"; it agrees with {agreed} below it" if verdict.children_checked else ""
    return (
        f"Genuine and complete: {reading.institution.code}'s report of window {reading.window.number}, "
        f"{counted(verdict.lines_checked or 0, 'line')}, {counted(len(reading.nets), 'net')}, signed with {verdict.kid}"
        + below
        + ("; it follows the previous report." if verdict.previous_checked else ".")
    )
