"""The demo on real terms: sixteen institutions, ten thousand acts, two partners' own systems, netting, an audit.

`main` starts a hub of its own, tells the story to it and leaves nothing behind but the report's files; `run` tells it
to any hub. The demo is a client: it knows the hub by its GraphQL API and its commands only, and it stops with one
sentence and a code other than 0 as soon as anything does not go as told.
"""

import asyncio
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from rich.console import Console
from rich.markup import escape

from hub.demo.failure import DemoFailed
from hub.demo.server import serving
from hub.demo.story import run

LOG_COLUMNS = 120

__all__ = ["DemoFailed", "main", "run"]


def main(folder: Path | None = None) -> int:
    """The demo from start to end; returns the exit code.

    The data live in a fresh folder under ``folder`` (None: the system's temporary folder), removed at the end. The
    report's files stay in ``folder``/report; without a folder they go too.
    """
    # Into a file or a pipe, where no terminal says how wide it is, the tables keep their shape.
    console = Console(width=None if sys.stdout.isatty() else LOG_COLUMNS)
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with TemporaryDirectory(prefix="points-hub-demo-") as scratch:
            report = Path(scratch) / "report" if folder is None else folder / "report"
            console.print("Setting up a hub of its own and starting it ...", style="dim")
            with serving(folder) as server:
                asyncio.run(run(server.root, server.key, report, console, environment=server.environment))
    except DemoFailed as error:
        console.print(f"\n[bold red]The demo stops:[/] {escape(str(error))}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted.")
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    """End like a program that was asked to, so that the server is stopped and the folder removed on the way out."""
    sys.exit(128 + number)
