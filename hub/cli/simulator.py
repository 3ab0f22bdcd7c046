"""``points-hub simulator``: a partner to try against."""

import asyncio
import signal
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.simulator.app import create_app
from adapters.simulator.authentication import Authentication, Scheme
from adapters.simulator.nights import next_night
from adapters.simulator.problems import Problem
from adapters.simulator.rules import Programme
from adapters.simulator.serving import Tls, running
from adapters.simulator.signatures import Signatures
from adapters.simulator.store import Store
from hub import serving
from hub.cli.shared import OPTIONS
from hub.clock import now
from hub.partners import FOLLOWING, Operation
from hub.points import SCALE_MAX

commands = typer.Typer(**OPTIONS)


@commands.command()
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
    client: Annotated[str, typer.Option(help="The client's name, of OAuth 2 and rfc9421.")] = "points-hub",
    signing_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its private key as PEM, of rfc9421.")
    ] = None,
    client_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The client's public key as PEM, of rfc9421.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Speak TLS with this certificate, PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The certificate's private key, PEM.")
    ] = None,
    client_authority: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Who vouches for clients, PEM: asks for mTLS.")
    ] = None,
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
        signatures = None
        if signing_key is not None and client_key is not None:
            signatures = Signatures(signing_key.read_bytes(), client_key.read_bytes(), client)
        checked = Authentication(authentication, secret, client, signatures=signatures)
    except Problem as problem:
        raise typer.BadParameter(str(problem), param_hint=problem.field) from None
    tls = None if tls_certificate is None or tls_key is None else Tls(tls_certificate, tls_key, client_authority)
    if tls is None and (tls_certificate, tls_key, client_authority) != (None, None, None):
        raise typer.BadParameter("TLS needs a certificate and its key.", param_hint="tls_certificate")
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
            ended = asyncio.run(_serve(app, listeners, tls))
        finally:
            store.close()
    raise typer.Exit(128 + ended)


async def _serve(app: Any, listeners: Sequence[socket.socket], tls: Tls | None) -> int:
    """Serve until a signal asks to end; its number."""
    asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def ask(number: int) -> None:
        if not asked.done():
            asked.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    scheme = "http" if tls is None else "https"
    async with running(app, listeners, tls):
        for listener in listeners:
            where, at = listener.getsockname()[:2]
            typer.echo(f"The simulator is at {scheme}://{f'[{where}]' if ':' in where else where}:{at}/", err=True)
        return await asked
