"""``points-hub demo``: see it work."""

from pathlib import Path
from typing import Annotated

import typer

from hub import demo as story
from hub.cli.shared import OPTIONS

commands = typer.Typer(**OPTIONS)


@commands.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where the report's files stay; default: nothing stays.")
    ] = None,
) -> None:
    """See it work: a hub of its own with sixteen institutions and ten thousand acts, netted, reported, audited.

    Two of them keep their points in systems of their own, which simulators play.

    It takes half a minute, uses none of your settings or data, and stops with exit code 1 if anything is not as told.
    """
    raise typer.Exit(story.main(folder))
