"""The documents of settlement as files: reports, their lines, public keys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.progress import Progress


def lines_in(path: Path, progress: Progress) -> Iterator[bytes]:
    """The lines in a file, each with its line break."""
    with path.open("rb") as file:
        while chunk := file.readlines(1 << 20):
            yield from chunk
            progress.advance(progress.task_ids[0], sum(map(len, chunk)))


def token_in(path: Path) -> str:
    """The report in a file: a JWS."""
    return path.read_bytes().decode("ascii", "replace").strip()


def jwks_in(path: Path) -> dict[str, Any]:
    """The public keys in a file.

    Raises:
        BadParameter: it holds none.
    """
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path} holds no JWK set.", param_hint="--jwks")
    return found
