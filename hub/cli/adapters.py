"""``points-hub adapters``: what adapters are installed, and whether they do what they declare."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.conformance import certificate as certificates
from adapters.conformance.certificate import Certificate
from adapters.conformance.check import Result, Verdict
from adapters.conformance.checks import CHECKS, run_all
from adapters.conformance.settings import FileHarness, WrongTrial, read
from adapters.registry import Installed, digest, installed
from hub import postgres
from hub.cli.shared import OPTIONS, chosen_settings
from hub.clock import now
from hub.ending import FINDINGS
from hub.partners import Capabilities
from hub.settings import Settings
from settlement import signing
from settlement.publish import Keys

commands = typer.Typer(**OPTIONS, help="Adapters to partners' systems.")
_COLOURS = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.EXCEPTED: "yellow",
    Verdict.BESIDE: "dim",
}


@commands.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The adapter's kind; `points-hub adapters list` shows them.")],
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True, help="The trial's file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout and nothing else.")] = False,
) -> None:
    """Check an adapter against a partner: that it does what it declares, refuses the rest, and believes no broken line.

    It sends real orders: name a simulator as `sandbox`, or members of the partner's that may be used. What it found is
    signed with the hub's key and kept in `certificates` of HUB_DATA_DIR. The exit code is 0 only if nothing failed.
    """
    found = installed()
    if name in found.broken:
        raise typer.BadParameter(f"The adapter {name!r} cannot be loaded: {found.broken[name]}")
    if name not in found.kinds:
        raise typer.BadParameter(f"No adapter {name!r} is installed; there is {', '.join(found.kinds) or 'none'}.")
    chosen = chosen_settings()
    try:
        settings = read(config)
        harness = FileHarness(found.kinds[name], settings)
    except WrongTrial as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--config") from None
    postgres.claim(chosen.data_dir)
    key = Keys.of(chosen).current()  # a key that cannot be used is found out before the partner is asked anything
    capabilities, results = asyncio.run(_checked(harness, shown=not as_json))
    without = sorted({*settings.without, *([] if settings.address is None else [settings.address])})
    made = Certificate(
        adapter=name,
        version=found.versions[name],
        configuration=digest(name, harness.configuration, without),
        without=tuple(without),
        hub=chosen.name,
        at=now(),
        capabilities=certificates.listed(capabilities),
        results=tuple(results),
    )
    signed = certificates.payload(made)
    kept = certificates.keep(chosen.data_dir, name, key.sign(signed, certificates.TYP))
    if as_json:
        typer.echo(signed.decode())
    else:
        _show(made, kept)
    if not made.conforms:
        raise typer.Exit(FINDINGS)


@commands.command("list")
def listing(as_json: Annotated[bool, typer.Option("--json", help="Write one JSON array to stdout.")] = False) -> None:
    """List the installed kinds of adapter, each with its last certificate."""
    chosen = chosen_settings()
    rows = _rows(chosen, installed())
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo("No adapter is installed.")
        return
    table = Table("adapter", "version", "certificate", "checked at")
    for row in rows:
        table.add_row(*(escape(str(row[name] or "")) for name in ("adapter", "version", "certificate", "at")))
    Console().print(table)


async def _checked(harness: FileHarness, *, shown: bool) -> tuple[Capabilities, list[Result]]:
    """What the adapter declares, and the verdicts of all checks, run now."""
    partner = await harness.connect(None)
    capabilities = partner.capabilities
    await partner.close()
    results: list[Result] = []
    console = Console(stderr=True)
    with console.status("Checking", spinner="line") if shown and console.is_terminal else console.capture():
        async for result in run_all(harness):
            results.append(result)
    return capabilities, results


def _show(made: Certificate, kept: Path) -> None:
    table = Table("check", "verdict", "why", title=f"{made.adapter}, {made.version}", title_justify="left")
    clauses = {check.name: check.clause for check in CHECKS}
    for result in made.results:
        colour = _COLOURS[result.verdict]
        why = result.reason or ""
        if result.verdict is Verdict.FAILED:
            why = f"{clauses.get(result.check, '')} {why}".strip()
        table.add_row(result.check, f"[{colour}]{result.verdict.value.lower()}[/]", escape(why))
    Console().print(table)
    counted = ", ".join(f"{made.count(verdict)} {verdict.value.lower()}" for verdict in Verdict)
    typer.echo(f"{made.adapter} {'conforms' if made.conforms else 'does not conform'}: {counted}.")
    typer.echo(f"The certificate is {kept}.")


def _rows(chosen: Settings, found: Installed) -> list[dict[str, str | None]]:
    """All kinds by name, also those that cannot be loaded."""
    rows = [_row(chosen, name, found.versions[name]) for name in found.kinds]
    rows += [
        {"adapter": name, "version": None, "certificate": f"cannot be loaded: {why}", "at": None}
        for name, why in found.broken.items()
    ]
    return sorted(rows, key=lambda row: str(row["adapter"]))


def _row(chosen: Settings, name: str, version: str) -> dict[str, str | None]:
    """A kind and what is known of it; a certificate that is not ours counts for nothing."""
    row: dict[str, str | None] = {"adapter": name, "version": version, "certificate": "none", "at": None}
    token = certificates.kept(chosen.data_dir, name)
    if token is None:
        return row
    try:
        if not any(signing.is_signed_by(token, key) for key in Keys.of(chosen).public()):
            return row | {"certificate": "not signed by this hub"}
        found = certificates.read(signing.take_apart(token).payload)
    except ValueError:
        return row | {"certificate": "unreadable"}
    stands = "conforms" if found.conforms else "does not conform"
    if excepted := found.count(Verdict.EXCEPTED):
        stands = f"{stands}, {excepted} excepted"
    if found.version != version:
        stands = f"{stands}, of {found.version}"
    return row | {"certificate": stands, "at": found.at.isoformat()}
