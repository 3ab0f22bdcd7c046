"""``points-hub verify``: recompute a settlement report without a hub."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.documents import jwks_in, lines_in, token_in
from hub.cli.shared import OPTIONS, File, counted, progress_bar
from hub.ending import FINDINGS
from settlement.lines import instant_text
from settlement.proof import NoSuchLine, encode, prove
from settlement.verify import Verdict
from settlement.verify import verify as verify_report

commands = typer.Typer(**OPTIONS)


@commands.command()
def verify(
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The report: a JWS.")],
    jwks: Annotated[Path, File(help="The hub's public keys, from its /.well-known/jwks.json.")],
    lines: Annotated[
        Path | None, File(help="Its lines, one JSON object each (NDJSON), in their order; all of them.")
    ] = None,
    line: Annotated[
        str,
        typer.Option(
            metavar="FILE|NUMBER",
            help="One of its lines with its proof, instead of all lines; or, with `--lines`, the number of the line "
            "whose proof to write, from 1.",
        ),
    ] = "",
    previous: Annotated[Path | None, File(help="The same institution's report of the window before.")] = None,
    child: Annotated[
        list[Path] | None, File(help="A report of the same window whose nets it takes over; may be given repeatedly.")
    ] = None,
    acceptance: Annotated[Path | None, File(help="What its institution has signed over it: a JWS.")] = None,
    acceptance_jwks: Annotated[Path | None, File(help="The institution's public keys, to verify that with.")] = None,
    interim: Annotated[
        bool, typer.Option("--interim", help="It is a statement of an open window, of which nothing is final.")
    ] = False,
) -> None:
    """Recompute a settlement report from its lines and check its signature; needs no hub, database or network.

    Lists everything that is wrong; the exit code is 0 only if nothing is. Example:
    `points-hub verify report.jws --lines lines.ndjson --jwks jwks.json`
    """
    keys = jwks_in(jwks)
    number = int(line) if line.isascii() and line.isdecimal() else None
    proof = _proof(line) if line and number is None else None
    if lines is None and proof is None:
        raise typer.BadParameter("all lines are needed, or one with its proof (--line FILE).", param_hint="--lines")
    if (acceptance is None) != (acceptance_jwks is None):
        raise typer.BadParameter("they belong together.", param_hint="--acceptance, --acceptance-jwks")
    if interim and (previous is not None or child or acceptance is not None):
        raise typer.BadParameter("it stands alone: no --previous, --child or --acceptance.", param_hint="--interim")
    signed: tuple[str | None, dict[str, Any] | None] = (None, None)
    if acceptance is not None and acceptance_jwks is not None:
        signed = token_in(acceptance), jwks_in(acceptance_jwks)
    before = None if previous is None else token_in(previous)
    with progress_bar("Verifying", total=None if lines is None else lines.stat().st_size) as progress:
        given = None if lines is None else lines_in(lines, progress)
        below = map(token_in, child or ())
        verdict = verify_report(token_in(report), given, keys, before, below, proof, *signed, interim=interim)
    for finding in verdict.findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if not verdict.ok:
        typer.echo(f"{counted(len(verdict.findings), 'finding')}: this report is not to be believed.", err=True)
        raise typer.Exit(FINDINGS)
    typer.echo(_genuine(verdict), err=number is not None)
    if number is not None and lines is not None:
        typer.echo(_proved(verdict, lines, number))


def _proved(verdict: Verdict, lines: Path, number: int) -> str:
    """The proof of a line of a report that was found to be genuine."""
    with progress_bar("Proving", total=lines.stat().st_size) as progress:
        try:
            proof = prove(lines_in(lines, progress), verdict.digest or "", number, verdict.lines_checked or 0)
        except NoSuchLine as error:
            raise typer.BadParameter(str(error), param_hint="--line") from None
    return encode(proof).decode()


def _proof(line: str) -> bytes:
    try:
        return Path(line).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{line}: {error.strerror}.", param_hint="--line") from None


def _genuine(verdict: Verdict) -> str:
    reading = verdict.reading
    if reading.institution is None or reading.window is None or reading.lines is None:
        raise AssertionError("a report without findings was read")
    said = f"Genuine{'' if verdict.lines_checked is None else ' and complete'}: "
    what = "interim statement" if reading.form.is_interim else "report"
    said += f"{reading.institution.code}'s {what} of window {reading.window.number}, "
    said += "" if verdict.lines_checked is None else f"{counted(verdict.lines_checked, 'line')}, "
    said += f"{counted(len(reading.nets), 'net')}, signed with {verdict.kid}"
    if verdict.line_checked is not None:
        said += f"; line {verdict.line_checked:,} is one of its {counted(reading.lines.count, 'line')}"
    if verdict.children_checked:
        said += f"; it agrees with {counted(verdict.children_checked, 'report')} below it"
    said += "; it follows the previous report" if verdict.previous_checked else ""
    said += "." if verdict.accepted_by is None else f"; its institution has accepted it with {verdict.accepted_by}."
    if reading.form.is_interim and reading.journal is not None:
        when = instant_text(reading.window.closed_at)
        said += f"\nINTERIM: up to batch {reading.journal.batch} of the journal, {when}; nothing of it is final."
    if verdict.revoked_from is not None:
        said += (
            f"\nIts key is revoked from {instant_text(verdict.revoked_from)} on, after the window closed. Whoever has "
            "a stolen key can date a report back: fetch it again, signed with another key, or hold it against the "
            "report that follows it (--previous)."
        )
    return said
