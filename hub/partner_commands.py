"""The commands about partners: ``points-hub simulator`` and ``points-hub adapters``, wired as in ``hub.cli``."""

import asyncio
import json
import signal
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.conformance import certificate as certificates
from adapters.conformance.certificate import Certificate
from adapters.conformance.check import Result, Verdict
from adapters.conformance.checks import CHECKS, run_all
from adapters.conformance.kinds import kinds, version_of
from adapters.conformance.settings import FileHarness, WrongTrial, read
from adapters.simulator.app import create_app
from adapters.simulator.authentication import Authentication, Scheme
from adapters.simulator.problems import Problem
from adapters.simulator.rules import Programme
from adapters.simulator.serving import running
from adapters.simulator.store import Store, next_night
from hub import postgres, serving
from hub.clock import now
from hub.ending import FINDINGS
from hub.partners import FOLLOWING, Operation
from hub.points import SCALE_MAX
from hub.settings import Settings, settings
from settlement import signing
from settlement.publish import Keys

adapter_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help="Adapters to partners' systems."
)
_COLOURS = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.EXCEPTED: "yellow",
    Verdict.BESIDE: "dim",
}


def simulator(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0: every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0: any that is free.")] = 9000,
    data: Annotated[Path | None, typer.Option(dir_okay=False, help="Its books, a file; default: memory.")] = None,
    unit: Annotated[str, typer.Option(help="What its points are called.")] = "MILES",
    scale: Annotated[int, typer.Option(min=0, max=SCALE_MAX, help="Decimals of an amount.")] = 2,
    authentication: Annotated[Scheme, typer.Option(help="How requests are authenticated.")] = Scheme.NONE,
    secret: Annotated[
        str,
        typer.Option(envvar="SIMULATOR_SECRET", help="The token, key or client secret; better in SIMULATOR_SECRET."),
    ] = "",
    client: Annotated[str, typer.Option(help="The client's name, of OAuth 2.")] = "points-hub",
    callback: Annotated[str, typer.Option(metavar="URL", help="Where to POST what becomes of pending orders.")] = "",
    nightly: Annotated[
        str, typer.Option(metavar="TIME", help="Orders are pending until this time of day (UTC), or until 'asked'.")
    ] = "",
    without: Annotated[
        list[Operation] | None, typer.Option(help="An operation that it does not do; may be repeated.")
    ] = None,
    whole_only: Annotated[
        bool, typer.Option("--whole-only", help="Captures, releases and reversals of all only.")
    ] = False,
    hold_seconds: Annotated[int, typer.Option(min=1, help="How long a hold lasts.")] = 7 * 86_400,
    pending_ms: Annotated[int, typer.Option(min=0, help="How long a scripted pending order takes.")] = 3_000,
    magic: Annotated[bool, typer.Option("--magic/--no-magic", help="Whether amounts are read as scripts.")] = True,
) -> None:
    """Play a partner: a programme with members, orders, holds, a journal and callbacks, which misbehaves when told to.

    Open it in a browser for its members, orders and script; the last three digits of an amount script an order too.
    docs/guides/write-an-adapter.md has the table and the interface.
    """
    try:
        next_night(nightly or "asked", now())
        checked = Authentication(authentication, secret, client)
    except Problem as problem:
        raise typer.BadParameter(str(problem), param_hint=problem.field) from None
    programme = Programme(
        unit=unit,
        scale=scale,
        operations=frozenset(Operation) - set(without or ()),
        partial=frozenset() if whole_only else FOLLOWING,
        hold_for=timedelta(seconds=hold_seconds),
        pending_ms=pending_ms,
        nightly=nightly or None,
        magic=magic,
    )
    with serving.bind(host, port) as listeners:
        store = Store(programme, data, tells=bool(callback), clock=now)
        try:
            app = create_app(store, checked, callback or None, now)
            ended = asyncio.run(_serve(app, listeners))
        finally:
            store.close()
    raise typer.Exit(128 + ended)


@adapter_commands.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The adapter's kind; `points-hub adapters list` shows them.")],
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True, help="The trial's file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout and nothing else.")] = False,
) -> None:
    """Check an adapter against a partner: that it does what it declares, refuses the rest, and believes no broken line.

    It sends real orders: name a simulator as `sandbox`, or members of the partner's that may be used. What it found is
    signed with the hub's key and kept in `certificates` of HUB_DATA_DIR. The exit code is 0 only if nothing failed.
    """
    found = kinds()
    if name not in found:
        raise typer.BadParameter(f"No adapter {name!r} is installed; there is {', '.join(found) or 'none'}.")
    chosen = settings()
    try:
        harness = FileHarness(found[name].load(), read(config))
    except WrongTrial as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--config") from None
    postgres.claim(chosen.data_dir)
    key = Keys.of(chosen).current()  # a key that cannot be used is found out before the partner is asked anything
    made = asyncio.run(_checked(name, version_of(found[name]), chosen, harness, shown=not as_json))
    signed = certificates.payload(made)
    kept = certificates.keep(chosen.data_dir, name, key.sign(signed, certificates.TYP))
    if as_json:
        typer.echo(signed.decode())
    else:
        _show(made, kept)
    if not made.conforms:
        raise typer.Exit(FINDINGS)


@adapter_commands.command("list")
def listing(as_json: Annotated[bool, typer.Option("--json", help="Write one JSON array to stdout.")] = False) -> None:
    """List the installed kinds of adapter, each with its last certificate."""
    chosen = settings()
    rows = [_row(chosen, name, version_of(point)) for name, point in kinds().items()]
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


async def _serve(app: Any, listeners: Sequence[socket.socket]) -> int:
    """Serve until a signal asks to end; its number."""
    asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def ask(number: int) -> None:
        if not asked.done():
            asked.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    async with running(app, listeners):
        for listener in listeners:
            where, at = listener.getsockname()[:2]
            typer.echo(f"The simulator is at http://{f'[{where}]' if ':' in where else where}:{at}/", err=True)
        return await asked


async def _checked(name: str, version: str, chosen: Settings, harness: FileHarness, *, shown: bool) -> Certificate:
    """The certificate of all checks, run now."""
    partner = await harness.connect(None)
    capabilities = partner.capabilities
    await partner.close()
    results: list[Result] = []
    console = Console(stderr=True)
    with console.status("Checking", spinner="line") if shown and console.is_terminal else console.capture():
        async for result in run_all(harness):
            results.append(result)
    return certificates.made(name, version, chosen.name, now(), capabilities, results)


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
