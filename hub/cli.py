"""The command line: ``points-hub``, also ``python -m hub``. Each command wires what it needs, runs, and says what came
of it: results on stdout, everything else on stderr, a failure in one sentence.

It decides no business: commands act through the same doors as the server, beside it if it runs. A signal that asks to
end makes an ordinary exit, so that whoever leaves last stops the embedded database.
"""

import asyncio
import getpass
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from uvicorn.importer import import_from_string

import hub
from hub import demo as story
from hub import ids, logs, postgres, serving
from hub import migrate as migrating
from hub.configuration import Configuration
from hub.db import Addresses, addresses
from hub.ending import EXIT_CODES, FAILED, FINDINGS, be_deaf, leave_when_asked, sentence_of
from hub.host import ClosedWindow, Expired, UnfitDatabase, check, close_window, reseal
from hub.host import audit as audit_all
from hub.host import clear as clear_points
from hub.host import expire as expire_all
from hub.ledger.engine import NotSetUp
from hub.ledger.records import Clearing, ClearingScope
from hub.money import format_millionths
from hub.points import render
from hub.registry import checks
from hub.sealing import SecretsKey
from hub.settings import Settings, settings
from hub.setup import set_up
from settlement import signing
from settlement.publish import Keys
from settlement.verify import Verdict
from settlement.verify import verify as verify_report

log = structlog.get_logger()

WORKERS_MAX = 64
_options: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "markdown",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
app = typer.Typer(**_options, epilog=EXIT_CODES)
window_commands = typer.Typer(**_options, help="Settlement windows.")
key_commands = typer.Typer(**_options, help="The keys that sign reports and that partners' secrets are kept under.")
app.add_typer(window_commands, name="window")
app.add_typer(key_commands, name="keys")

Json = Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout and nothing else.")]
File = partial(typer.Option, exists=True, dir_okay=False, readable=True)


def main() -> int:
    """Run the command that the arguments name; answers its exit code."""
    leave_when_asked()
    try:
        logs.configure("WARNING", development=True)
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Exception as error:
        if logs.is_debugging():
            traceback.print_exc()
        typer.echo(f"points-hub: {sentence_of(error)}", err=True)
        return FAILED
    return 0


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """**Points Hub**: points of one organisation's programme become points of another's, and what the organisations
    then owe each other is netted and settled against signed reports.

    Start with `points-hub init`, keep the key that it shows, then `points-hub serve`; or see it all with
    `points-hub demo`.

    Settings are environment variables. `HUB_DATA_DIR` is the folder of the embedded PostgreSQL and of the signing key
    (default `.hub`); `HUB_DATABASE_URL` names a PostgreSQL 15 or newer to use instead, as the role that serves, and
    `HUB_DATABASE_OWNER_URL` the same as the role that migrates. Several commands share one database: `audit` runs
    beside `serve`.
    """
    if version:
        typer.echo(f"points-hub {hub.__version__}")
        raise typer.Exit


@app.command()
def init(
    person: Annotated[str, typer.Option(help="Who gets the first key; default: who runs this.")] = "",
    name: Annotated[str, typer.Option(help="The operator's name; default: HUB_NAME.")] = "",
    as_json: Json = False,
) -> None:
    """Set up a hub: the database, the operator `HUB`, and the operator's first key, which is shown only this once.

    A second run changes nothing and fails. For scripts: `points-hub init --json` writes `institution`,
    `credentialId` and `secret`.
    """
    chosen = _settings()
    person = checks.name("person", person or _user())
    name = checks.name("name", name or chosen.name)
    with _progress("Setting up", shown=not as_json), _database(chosen, new=True) as where:
        postgres.claim(chosen.data_dir)
        Keys.of(chosen).current()  # a key that cannot be used is found out before the hub has a history
        asyncio.run(migrating.migrate(where))
        institution, credential, secret = asyncio.run(set_up(where, name, person))
    shown = {"institution": institution, "credentialId": ids.text(ids.CREDENTIAL, credential), "secret": secret}
    if as_json:
        typer.echo(json.dumps(shown))
        return
    typer.echo(f"{name} is set up; its data are in {chosen.data_dir.resolve()}.\n")
    for label, value in (("institution", institution), ("person", person), ("key", secret)):
        typer.echo(f"  {label:12} {value}")
    typer.echo("\nThe key opens everything and is shown only now: keep it safe. Next: points-hub serve")


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this program; nothing changes if it is there.

    Run it after an update and before `serve`, if `HUB_DATABASE_URL` is set; the embedded database is brought up to date
    by `serve` itself.
    """
    with _database(_settings()) as where:
        asyncio.run(migrating.migrate(where))
    typer.echo(f"The database's schema is {migrating.newest()}, this program's.")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0: every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0: any that is free.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=WORKERS_MAX, help="Processes that serve; default: one for each core, at most 4.")
    ] = min(os.cpu_count() or 1, 4),
) -> None:
    """Serve the API at `/graphql` until asked to end (Ctrl-C or SIGTERM); what was asked by then is answered.

    Also served: `/health/live`, `/health/ready`, `/metrics` for Prometheus, `/.well-known/jwks.json`, and the lines
    behind each report. Logs go to stderr, as JSON unless that is a terminal. `HUB_ENVIRONMENT=development` logs for
    people too, and serves GraphiQL at `/graphql`.
    """
    chosen = _settings()
    logs.configure(chosen.log_level, development=chosen.development or sys.stderr.isatty())
    with serving.bind(host, port) as listeners, _database(chosen) as where:  # a taken port is found out first
        if chosen.database_url is None:
            asyncio.run(migrating.migrate(where))
        asyncio.run(check(where.server))
        postgres.claim(chosen.data_dir)
        Keys.of(chosen).current()
        create = import_from_string("hub.app:create_app")  # named, not imported: other commands start without it
        here = [f"http://{_address(listener.getsockname())}" for listener in listeners]
        ready = partial(log.info, "serving", at=here, workers=workers)
        try:
            serving.serve(listeners, partial(create, chosen, where.server), workers, ready)
        finally:
            be_deaf()


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where the report's files stay; default: nothing stays.")
    ] = None,
) -> None:
    """See it work: a hub of its own with fourteen institutions and ten thousand acts, netted, reported, audited.

    It takes half a minute, uses none of your settings or data, and stops with exit code 1 if anything is not as told.
    """
    raise typer.Exit(story.main(folder))


@app.command()
def audit() -> None:
    """Recompute everything from the rows alone: every balance, every hash of the journal, every report's figures.

    Lists everything that is wrong; the exit code is 0 only if nothing is. Needs the right to read only, sees one
    instant, and runs beside `serve`.
    """
    with _database(_settings()) as where, _progress("Auditing") as progress:
        asyncio.run(check(where.server, empty=True))

        def told(stage: str, done: int, total: int) -> None:
            progress.update(progress.task_ids[0], description=f"Auditing: {stage}", completed=done, total=total)

        found = asyncio.run(audit_all(where.server, told))
    for finding in found.findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if not found.ok:
        typer.echo(f"{_count(len(found.findings), 'finding')}: the books are not in order.", err=True)
        raise typer.Exit(FINDINGS)
    rows = ", ".join(f"{count:,} of {table}" for table, count in sorted(found.counts.items()) if count)
    typer.echo(f"Nothing is wrong up to entry {found.batch} of the journal (hash {found.hash.hex()}).\nRead: {rows}.")


@app.command()
def verify(
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The report: a JWS.")],
    lines: Annotated[Path, File(help="Its lines, one JSON object each (NDJSON), in their order.")],
    jwks: Annotated[Path, File(help="The hub's public keys, from its /.well-known/jwks.json.")],
    previous: Annotated[Path | None, File(help="The same institution's report of the window before.")] = None,
) -> None:
    """Recompute a settlement report from its lines and check its signature; needs no hub, database or network.

    Lists everything that is wrong; the exit code is 0 only if nothing is. Example:
    `points-hub verify report.jws --lines lines.ndjson --jwks jwks.json`
    """
    keys = _jwks(jwks)
    before = None if previous is None else _token(previous)
    with _progress("Verifying", total=lines.stat().st_size) as progress:
        verdict = verify_report(_token(report), _read_lines(lines, progress), keys, before)
    for finding in verdict.findings:
        typer.echo(f"{finding.code}: {finding.sentence}")
    if not verdict.ok:
        typer.echo(f"{_count(len(verdict.findings), 'finding')}: this report is not to be believed.", err=True)
        raise typer.Exit(FINDINGS)
    typer.echo(_genuine(verdict))


@app.command()
def expire(
    as_of: Annotated[
        str, typer.Option(metavar="INSTANT", help="Until when, such as 2026-01-01T00:00+08:00; default: now.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Settle what time has done: points whose lot has ended go to breakage, holds whose time is over are released.

    Nothing depends on it, because points that are over are gone for everybody at that very instant; it posts what
    nobody has touched since. A running server does the same by itself (`HUB_SWEEP_SECONDS`). It works in chunks, each
    committed: interrupted, it has lost nothing; run again, it finds only the rest.

    Notices of points that will end soon are made as well, each once.

    `--as-of` picks the accounts on which something had ended by then; what has ended on them by now goes with it.
    Points that a hold pins are honoured until the hold ends.
    """
    chosen, instant = _settings(), _instant("--as-of", as_of)
    with _progress("Expiring", shown=not as_json) as progress, _database(chosen) as where:
        asyncio.run(check(where.server))
        task = progress.task_ids[0]
        begun, told = partial(_begun, progress), partial(progress.advance, task)
        expired = asyncio.run(expire_all(where.server, instant, begun, told))
    _show_expired(expired, as_json)


@app.command()
def clear(
    currency: Annotated[str, typer.Argument(help="The point currency's code.")],
    earned_before: Annotated[
        str,
        typer.Option(
            metavar="INSTANT",
            help="Only points earned before, such as 2025-01-01T00:00+08:00, the beginning of a day of the currency's. "
            "Default: 1 January of last year, so that those earned last year and this one stay.",
        ),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="All points, also those without an age.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "year-end clear",
    as_json: Json = False,
) -> None:
    """Clear a currency at a year's end: take every customer's points, all or the old ones; they go to breakage.

    Held and frozen points stay; once they are free, another clearing takes them. Points without an age (that never
    end, of a currency that keeps none) are taken with `--all` only. It works in chunks, each committed: interrupted,
    the same command, or a running server, goes on where it stopped. To clear at a set time, order it with
    `clearPoints`.
    """
    chosen, cut = _settings(), _instant("--earned-before", earned_before)
    if everything and cut is not None:
        raise typer.BadParameter("--all takes points of every age.", param_hint="--earned-before")
    scope = ClearingScope.ALL if everything else ClearingScope.EARNED_BEFORE
    with _progress("Clearing", shown=not as_json) as progress, _database(chosen) as where:
        asyncio.run(check(where.server))
        begun, told = partial(_begun, progress), partial(progress.advance, progress.task_ids[0])
        run, configuration = asyncio.run(clear_points(where.server, currency, scope, cut, reason, begun, told))
    _show_cleared(run, configuration, as_json)


@window_commands.command("close")
def close(as_json: Json = False) -> None:
    """Close the open settlement window: net what everybody owes, and sign the reports. The next window opens at once.

    Runs beside `serve`; what is under way falls into one window or the other.
    """
    chosen = _settings()
    with _progress("Closing the window", shown=not as_json), _database(chosen) as where:
        asyncio.run(check(where.server))
        closed = asyncio.run(close_window(chosen, where.server))
    if as_json:
        typer.echo(json.dumps(_closed_as_json(closed)))
        return
    if not closed.nets:
        typer.echo(f"Window {closed.window.number} is closed; nobody owed anybody anything in it.")
        return
    table = Table("institution", "currency", title=f"window {closed.window.number}, closed", title_justify="left")
    for heading in ("owes", "is owed", "net"):
        table.add_column(heading, justify="right")
    for net in _closed_as_json(closed)["nets"]:
        table.add_row(*net.values())
    Console().print(table)
    typer.echo("Its reports are signed.")


@key_commands.command("rotate")
def rotate() -> None:
    """Replace the signing key in the data folder. The old key's public half stays, so that what it signed can be
    verified for ever; its private half is destroyed. A running server signs with the new key from its next report on.
    """
    keys = Keys.of(_settings())
    if keys.text is not None:
        raise signing.SigningError("it comes from HUB_SIGNING_KEY; change it there")
    old = signing.SigningKey.from_file(keys.folder / signing.CURRENT)
    new = signing.rotate(keys.folder)
    typer.echo(f"Reports are signed with {new.kid} from now on; {old.kid} is kept for verification.")


@key_commands.command("reseal")
def reseal_secrets() -> None:
    """Seal the secrets of partners' configurations anew, with the first of the keys that HUB_SECRETS_KEY or the file in
    the data folder holds; afterwards the others can be taken away. Runs beside `serve`.
    """
    chosen = _settings()
    with _progress("Sealing"), _database(chosen) as where:
        asyncio.run(check(where.server))
        done = asyncio.run(reseal(where.server, SecretsKey.of(chosen)))
    typer.echo(f"The secrets of {len(done)} partners are sealed with the first key.")


# --- what the commands share ------------------------------------------------------------------------------------------


def _instant(option: str, text: str) -> datetime | None:
    """An instant of ISO 8601, in UTC where it says nothing else."""
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no instant such as 2026-01-01T00:00+08:00.", param_hint=option) from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)


def _begun(progress: Progress, total: int) -> None:
    progress.update(progress.task_ids[0], total=total)


def _show_expired(expired: Expired, as_json: bool) -> None:
    scales = {of.code: of.scale for of in expired.configuration.currencies.values()}
    found = [
        {"currency": code, "lots": of.lots, "points": render(of.units, scales[code]), "holds": of.holds}
        for code, of in sorted(expired.tally.by_currency.items())
    ]
    if as_json:
        typer.echo(json.dumps({"expired": found, "notices": expired.notices}))
        return
    if expired.notices:
        typer.echo(f"{_count(expired.notices, 'notice')} made of points that will end.")
    if not found:
        typer.echo("Nothing was due.")
        return
    table = Table("currency", title="settled", title_justify="left")
    for heading in ("lots", "points to breakage", "holds released"):
        table.add_column(heading, justify="right")
    for row in found:
        table.add_row(str(row["currency"]), f"{row['lots']:,}", str(row["points"]), f"{row['holds']:,}")
    Console().print(table)


def _show_cleared(run: Clearing, configuration: Configuration, as_json: bool) -> None:
    of = configuration.currencies[configuration.currency_codes[run.currency]]
    units = {"cleared": run.cleared, "pinned": run.pinned, "ageless": run.ageless}
    points = {name: render(amount, of.scale) for name, amount in units.items()}
    if as_json:
        cut = None if run.earned_before is None else run.earned_before.isoformat()
        typer.echo(
            json.dumps({"id": ids.text(ids.CLEARING, run.id), "earnedBefore": cut, "accounts": run.accounts, **points})
        )
        return
    typer.echo(f"{points['cleared']} {of.code} of {_count(run.accounts, 'account')} went to breakage.")
    if run.pinned:
        typer.echo(f"{points['pinned']} stay because they are held or frozen.")
    if run.ageless:
        typer.echo(f"{points['ageless']} stay because nobody knows when they were earned.")


def _settings() -> Settings:
    """The settings; DEBUG logging is for every command, other levels are the server's."""
    chosen = settings()
    logs.configure(chosen.log_level, development=chosen.development)
    if not logs.is_debugging():
        logs.configure("WARNING", development=True)
    return chosen


@contextmanager
def _database(chosen: Settings, *, new: bool = False) -> Iterator[Addresses]:
    """Where the database is. Unless it is to be ``new``, an embedded one is used only where ``init`` has made one: the
    folder of a mistyped HUB_DATA_DIR is not filled with an empty database.

    Raises:
        NotSetUp: there is none.
        NotOurFolder: there is something else.
        UnfitDatabase: the settings name no PostgreSQL.
    """
    folder = chosen.data_dir
    if chosen.database_url is None and not new and not (folder / "postgres").exists():
        if folder.exists():
            postgres.claim(folder)
        raise NotSetUp
    with addresses(chosen) as where:
        if not all(url.startswith("postgresql+asyncpg://") for url in (where.server, where.owner)):
            raise UnfitDatabase("The URL of a database begins with postgresql://")
        yield where


@contextmanager
def _progress(text: str, *, total: int | None = None, shown: bool = True) -> Iterator[Progress]:
    """A progress bar on stderr, gone when done; none where stderr is no terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        progress.add_task(text, total=total)
        yield progress


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
    return (
        f"Genuine and complete: {reading.institution.code}'s report of window {reading.window.number}, "
        f"{_count(verdict.lines_checked or 0, 'line')}, {_count(len(reading.nets), 'net')}, signed with {verdict.kid}"
        + ("; it follows the previous report." if verdict.previous_checked else ".")
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _closed_as_json(closed: ClosedWindow) -> dict[str, Any]:
    window = closed.window
    return {
        "window": ids.text(ids.WINDOW, window.id),
        "number": window.number,
        "status": window.status.name,
        "nets": [
            {
                "institution": closed.codes[net.institution],
                "currency": net.currency,
                **{
                    label: format_millionths(value, net.currency)
                    for label, value in (("debit", net.debits), ("credit", net.credits), ("net", net.net))
                },
            }
            for net in closed.nets
        ],
    }


def _address(name: tuple[Any, ...]) -> str:
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def _user() -> str:
    """Who runs this, for the record; some containers' users have no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
