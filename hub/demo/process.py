"""Programs of the hub's that the demo runs beside itself: started on a free loopback port, and stopped at the end."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
STOP_SECONDS_MAX = 20
LOG_LINES_SHOWN = 15


@contextmanager
def program(words: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``points-hub`` with these words, as a process of its own that writes to ``log``; stopped afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", *words],
            env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        _stop(process)


def free_port() -> int:
    """A port that was free a moment ago; whoever takes it in between makes the start fail, loudly."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def tail(output: str) -> str:
    """The last lines of what a program said."""
    return "\n".join(output.rstrip().splitlines()[-LOG_LINES_SHOWN:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the program to finish; end it if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
