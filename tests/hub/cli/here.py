"""Commands that start no database, run in this process; much faster."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.cli import main
from hub.settings import settings


@dataclass(frozen=True)
class Done:
    """What a command that ran in this process came to."""

    returncode: int
    stdout: str
    stderr: str


class Here:
    """Runs commands in this process, for those that start no database; much faster."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._captured = folder, patch, captured

    def run(self, *arguments: str, **more: str) -> Done:
        with self._patch.context() as patch:
            patch.setattr("sys.argv", ["points-hub", *arguments])
            for name, value in {"HUB_DATA_DIR": str(self.folder), **more}.items():
                patch.setenv(name, value)
            settings.cache_clear()
            code = main()
        return Done(code, *self._captured.readouterr())


def says_why(done: Done | subprocess.CompletedProcess[str], pattern: str) -> None:
    """It could not be done: code 3, one sentence on stderr, nothing on stdout."""
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.fullmatch(rf"points-hub: [^\n]*{pattern}[^\n]*\n", done.stderr), done.stderr
