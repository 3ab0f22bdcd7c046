"""``points-hub verify``: recompute a settlement report without a hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.documents import jwks_in, lines_in, token_in
from hub.cli.shared import OPTIONS, File, counted, progress_bar
from hub.ending import FINDINGS
from settlement.lines import instant_text
from settlement.proof import NoSuchLine, encode, prove
from settlement.verify import Finding, Verdict, verify_supplements
from settlement.verify import verify as verify_report

commands = typer.Typer(**OPTIONS)


@commands.command()
def verify(
    jwks: Annotated[Path, File(help="The hub's public keys, from its /.well-known/jwks.json.")],
    report: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help="The report: a JWS. Left out with supplements of an institution that has none.",
        ),
    ] = None,
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
    supplement: Annotated[
        list[Path] | None,
        File(help="What was signed after it of nets that were not paid, from the first on; may be given repeatedly."),
    ] = None,
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
    after = [token_in(path) for path in supplement or ()]
    if report is None:
        if not after or lines or line or previous or child or acceptance or acceptance_jwks or interim:
            raise typer.BadParameter("without a report there are supplements only.", param_hint="REPORT")
        _conclude(verify_supplements(after, keys))
        typer.echo(f"Genuine: {counted(len(after), 'supplement')}, of an institution without a report.")
        return
    if lines is None and proof is None:
        raise typer.BadParameter("all lines are needed, or one with its proof (--line FILE).", param_hint="--lines")
    if (acceptance is None) != (acceptance_jwks is None):
        raise typer.BadParameter("they belong together.", param_hint="--acceptance, --acceptance-jwks")
    if interim and (previous is not None or child or acceptance is not None or supplement):
        said = "it stands alone: no --previous, --child, --acceptance or --supplement."
        raise typer.BadParameter(said, param_hint="--interim")
    signed: tuple[str | None, dict[str, Any] | None] = (None, None)
    if acceptance is not None and acceptance_jwks is not None:
        signed = token_in(acceptance), jwks_in(acceptance_jwks)
    before = None if previous is None else token_in(previous)
    with progress_bar("Verifying", total=None if lines is None else lines.stat().st_size) as progress:
        given = None if lines is None else lines_in(lines, progress)
        below = map(token_in, child or ())
        verdict = verify_report(
            token_in(report), given, keys, before, below, proof, *signed, interim=interim, supplements=after
        )
    _conclude(verdict.findings)
    typer.echo(_genuine(verdict), err=number is not None)
    if number is not None and lines is not None:
        typer.echo(_proved(verdict, lines, number))


def _conclude(findings: Sequence[Finding]) -> None:
    """List what is wrong, and end if anything is."""
    for finding in findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if findings:
        typer.echo(f"{counted(len(findings), 'finding')}: this report is not to be believed.", err=True)
        raise typer.Exit(FINDINGS)


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
    said += f"; {counted(verdict.supplements_checked, 'supplement')} after it" if verdict.supplements_checked else ""
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
