"""What the commands share: the settings, where the database is, and how people are told of progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from hub import logs, postgres
from hub.db import Addresses, UnfitDatabase, addresses
from hub.errors import NotSetUp
from hub.settings import Settings, settings

OPTIONS: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "markdown",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout and nothing else.")]
File = partial(typer.Option, exists=True, dir_okay=False, readable=True)


def chosen_settings() -> Settings:
    """The settings; DEBUG logging is for every command, other levels are the server's."""
    chosen = settings()
    logs.configure(chosen.log_level, development=chosen.development)
    if not logs.is_debugging():
        logs.configure("WARNING", development=True)
    return chosen


@contextmanager
def database(chosen: Settings, *, new: bool = False) -> Iterator[Addresses]:
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
def progress_bar(text: str, *, total: int | None = None, shown: bool = True) -> Iterator[Progress]:
    """A progress bar on stderr, gone when done; none where stderr is no terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        progress.add_task(text, total=total)
        yield progress


def set_total(progress: Progress, total: int) -> None:
    progress.update(progress.task_ids[0], total=total)


def instant_of(option: str, text: str) -> datetime | None:
    """An instant of ISO 8601, in UTC where it says nothing else."""
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no instant such as 2026-01-01T00:00+08:00.", param_hint=option) from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
