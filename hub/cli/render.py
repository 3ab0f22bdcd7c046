"""``points-hub render``: a settlement report as a file for people or other programs, made without a hub."""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.documents import jwks_in, lines_in, token_in
from hub.cli.shared import OPTIONS, File, counted, progress_bar
from hub.ending import FINDINGS
from hub.errors import Failure
from settlement.lines import LineError, parse
from settlement.members import Finding
from settlement.merkle import Root
from settlement.renderings.formats import render as make
from settlement.renderings.paper import Unrenderable
from settlement.renderings.statement import known
from settlement.signing import INTERIM_TYP, MalformedJws, take_apart
from settlement.verify import verify

commands = typer.Typer(**OPTIONS)


class Format(StrEnum):
    """What a report can be rendered as."""

    pdf = "pdf"
    xlsx = "xlsx"
    csv = "csv"
    parquet = "parquet"
    camt053 = "camt053"


class Language(StrEnum):
    """What its words can be in."""

    chinese = "zh-CN"
    english = "en"


class NotRendered(Failure):
    """The report cannot be rendered so."""


@commands.command()
def render(
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The report: a JWS.")],
    to: Annotated[Format, typer.Option("--format", help="What to make of it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.", dir_okay=False)],
    lines: Annotated[
        Path | None, File(help="Its lines (NDJSON), all of them in their order; Parquet is of them alone.")
    ] = None,
    jwks: Annotated[
        Path | None, File(help="The hub's public keys: with them nothing is written of a report that does not verify.")
    ] = None,
    counterparty: Annotated[
        str | None,
        typer.Option("--with", metavar="CODE", help="Only what the report's institution and this one owe each other."),
    ] = None,
    language: Annotated[Language, typer.Option(help="The language of its words.")] = Language.english,
) -> None:
    """Make a PDF, a workbook, CSV, Parquet or a camt.053 message of a signed report; needs no hub, database or network.

    Everybody who has the report makes the same file of it, byte for byte. Without `--jwks` the signature is not
    checked, and that is said; the lines are always held against the report. Example:
    `points-hub render report.jws --lines lines.ndjson --jwks jwks.json --format pdf --language zh-CN -o report.pdf`
    """
    payload = _checked(report, lines, jwks)
    part = output.with_name(f"{output.name}.part")
    try:
        make(payload, lines, to.value, "zh" if language is Language.chinese else "en", part, counterparty)
        os.replace(part, output)
    except Unrenderable as error:
        raise NotRendered(str(error)) from None
    finally:
        part.unlink(missing_ok=True)
    verified = "the report was verified first" if jwks is not None else "its signature was not checked: no --jwks"
    typer.echo(f"{output.name} is written; {verified}.")


def _checked(report: Path, lines: Path | None, jwks: Path | None) -> bytes:
    """The payload, once everything that can be checked of it is found to be right."""
    token = token_in(report)
    with progress_bar("Verifying", total=None if lines is None else lines.stat().st_size) as progress:
        given = None if lines is None else lines_in(lines, progress)
        try:
            if jwks is None:
                findings = _compared(token, given)
            else:
                findings = [*verify(token, given, jwks_in(jwks), interim=_says_interim(token)).findings]
            payload = b"" if findings else take_apart(token).payload
        except (MalformedJws, Unrenderable) as error:
            raise NotRendered(str(error)) from None
    for finding in findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if findings:
        typer.echo(f"{counted(len(findings), 'finding')}: nothing is rendered of this report.", err=True)
        raise typer.Exit(FINDINGS)
    return payload


def _says_interim(token: str) -> bool:
    """Which of the two it is to be verified as: whatever is made of an interim statement says what it is."""
    try:
        return take_apart(token).header.get("typ") == INTERIM_TYP
    except MalformedJws:
        return False


def _compared(token: str, lines: Iterable[bytes] | None) -> list[Finding]:
    """What is wrong with the lines of a report that might be anybody's."""
    stated, root = known(take_apart(token).payload).lines, Root()
    for line in lines or ():
        content = line.removesuffix(b"\n")
        root.add(content)
        try:
            parse(content)
        except LineError as error:
            return [Finding(error.code, f"Line {root.count}: {error}")]
    if lines is None or (root.count, root.hexdigest()) == (stated.count, stated.root):
        return []
    return [Finding("LINE_ROOT", f"The lines' root is {root.hexdigest()}; the report has {stated.root}.")]
