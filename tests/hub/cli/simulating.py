"""A simulator that is a program."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hub.programs import PROGRAM, environment

ROOT = Path(__file__).parents[3]


@contextmanager
def simulating(folder: Path, *arguments: str, end: int = signal.SIGTERM, **more: str) -> Iterator[str]:
    """The address of a simulator that runs as a program and ends when asked, or is killed."""
    words = [*PROGRAM, "simulator", "--port", "0", *arguments]
    environ = environment(folder, **more)
    with subprocess.Popen(words, env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.fullmatch(r"The simulator is at (https?://127\.0\.0\.1:\d+)/\n", said)
        assert found, said + process.stderr.read()
        try:
            yield found[1]
        except BaseException:
            process.kill()  # nobody waits for it
            raise
        process.send_signal(end)
        assert process.wait(30) == (-end if end == signal.SIGKILL else 128 + end)
        assert process.stderr.read() == ""
