"""A hub of the demo's own: a fresh data folder, a server on a free loopback port, both gone afterwards.

It takes no setting from the caller's environment, so that the demo can never speak to a hub that is in real use.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub.demo.client import wait_until_ready
from hub.demo.failure import DemoFailed
from hub.demo.process import HOST, free_port, program, tail

WORKERS = 2
INIT_SECONDS_MAX = 60
START_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A hub that is ready: its address, the key of the operator's first person, and what its commands are run with."""

    root: str
    key: str
    environment: dict[str, str]


@contextmanager
def serving(parent: Path | None) -> Iterator[Server]:
    """A server over an empty data folder, made under ``parent`` (None: the system's temporary folder).

    Raises:
        DemoFailed: it could not be set up or did not become ready.
    """
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    # The database's own processes may still be leaving, and delete files of their own.
    with TemporaryDirectory(prefix="data-", dir=parent, ignore_cleanup_errors=True) as data:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        environment["HUB_DATA_DIR"] = data
        key = _initialise(environment)
        log = Path(data) / "demo-server.log"
        port = free_port()
        words = ["serve", "--host", HOST, "--port", str(port), "--workers", str(WORKERS)]
        with program(words, environment, log) as process:
            root = f"http://{HOST}:{port}"
            if not wait_until_ready(f"{root}/health/ready", lambda: process.poll() is None, START_SECONDS_MAX):
                raise DemoFailed(f"The server did not become ready:\n{tail(log.read_text(errors='replace'))}")
            yield Server(root, key, environment)


def _initialise(environment: dict[str, str]) -> str:
    """Set up the empty data folder; returns the operator's first key, which is shown this once."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hub", "init", "--json"],
            env=environment, capture_output=True, text=True, timeout=INIT_SECONDS_MAX, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"Setting up the data folder took more than {INIT_SECONDS_MAX} s.") from None
    if done.returncode != 0:
        raise DemoFailed(f"The data folder could not be set up:\n{tail(done.stderr or done.stdout)}")
    try:
        told: Any = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise DemoFailed("Setting up the data folder did not answer in JSON.") from None
    key = told.get("secret") or told.get("key") if isinstance(told, dict) else None
    if not isinstance(key, str):
        raise DemoFailed("Setting up the data folder showed no key.")
    return key
