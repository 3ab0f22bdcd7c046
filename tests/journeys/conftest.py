"""A real server for the journeys: two worker processes behind one port, the embedded PostgreSQL below."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.hub.programs import free_port
from tests.journeys.client import Client
from tests.journeys.network import Network


@dataclass
class Running:
    """A served hub."""

    url: str
    secret: str
    data_dir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def hub(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of the command line, on the same data folder."""
        return subprocess.run(
            [sys.executable, "-m", "hub", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def environment_of(folder: Path) -> dict[str, str]:
    """An environment whose only hub is the one in ``folder``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return environment | {"HUB_DATA_DIR": str(folder)}


def start(environment: dict[str, str], port: int, *, workers: int = 2) -> subprocess.Popen[bytes]:
    """A server in a session of its own, answering; what it says is kept beside its folder."""
    with Path(environment["HUB_DATA_DIR"]).with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", "--port", str(port), "--workers", str(workers)],
            env=environment,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health/ready", timeout=2).status_code == 200:
                return process
        except httpx2.TransportError:
            time.sleep(0.05)
        assert process.poll() is None, "the server ended while it started"
    raise AssertionError("the server is not ready after two minutes")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The journeys' shared server."""
    folder = tmp_path_factory.mktemp("journeys") / "data"
    environment = environment_of(folder)
    environment["HUB_QUOTE_TTL_SECONDS"] = "5"
    made = subprocess.run(
        [sys.executable, "-m", "hub", "init", "--json", "--person", "first"],
        env=environment,
        capture_output=True,
        check=True,
        timeout=120,
    )
    port = free_port()
    process = start(environment, port)
    try:
        yield Running(f"http://127.0.0.1:{port}", json.loads(made.stdout)["secret"], folder, environment, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def network(running: Running) -> Network:
    """The operator's two persons at the shared server."""
    operator = Client(running.url, running.secret)
    made = operator.do(
        "createCredential", institution="HUB", person="second", label="approves", roles=["OPERATOR_ADMIN"]
    )
    return Network(operator, Client(running.url, made["secret"]))
