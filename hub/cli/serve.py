"""``points-hub serve``: the API, until asked to end."""

import asyncio
import os
import sys
from functools import partial
from typing import Annotated, Any

import structlog
import typer
from uvicorn.importer import import_from_string

from hub import logs, postgres, serving
from hub.cli.shared import OPTIONS, chosen_settings, database
from hub.ending import be_deaf
from hub.host.door import check
from hub.migrate import migrate
from hub.sealing import SecretsKey
from settlement.publish import Keys

commands = typer.Typer(**OPTIONS)

log = structlog.get_logger()

WORKERS_MAX = 64


@commands.command()
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
    chosen = chosen_settings()
    logs.configure(chosen.log_level, development=chosen.development or sys.stderr.isatty())
    with serving.bind(host, port) as listeners, database(chosen) as where:  # a taken port is found out first
        if chosen.database_url is None:
            asyncio.run(migrate(where))
        asyncio.run(check(where.server))
        postgres.claim(chosen.data_dir)
        Keys.of(chosen).public()
        SecretsKey.of(chosen).check()
        create = import_from_string("hub.app:create_app")  # named, not imported: other commands start without it
        here = [f"http://{_address(listener.getsockname())}" for listener in listeners]
        ready = partial(log.info, "serving", at=here, workers=workers)
        try:
            serving.serve(listeners, partial(create, chosen, where.server), workers, ready)
        finally:
            be_deaf()


def _address(name: tuple[Any, ...]) -> str:
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
