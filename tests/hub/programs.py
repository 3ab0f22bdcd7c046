"""Real programs for the tests that need some: the command line on a data folder, and processes that come and go."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
PROGRAM = (sys.executable, "-m", "hub")
READY_S_MAX = 60
COMMAND_S_MAX = 120
SOON_S_MAX = 10  # for what comes at once, on a machine with other work; less than a server waits for its workers


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment whose only hub is the one in ``folder``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return {**kept, "HUB_DATA_DIR": str(folder), **more}


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command run to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to hold in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_gone(pid: int) -> bool:
    """Whether a process has ended, even if nobody has collected it yet."""
    try:
        return bool(re.match(r"\d+ \(.*\) [ZX]", Path(f"/proc/{pid}/stat").read_text()))
    except OSError:
        return True


def children(pid: int) -> set[int]:
    """The processes that a process has started."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def free_port() -> int:
    """A port that nobody listens on, and that for a minute nobody is given who does not ask for its number.

    A connection has just ended on it: the kernel keeps such a port from those who take any, and lets a server have it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()  # before the other end, so that it is this port that is kept
        return int(listener.getsockname()[1])


@dataclass
class Served:
    """A hub that is served from ``folder`` under ``settings``, in a process group of its own. It may be killed and
    started again."""

    folder: Path
    port: int
    secret: str
    count: int  # of workers
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Begin, and wait until it is ready."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*PROGRAM, "serve", "--port", str(self.port), "--workers", str(self.count)],
                env=environment(self.folder, **self.settings), stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        assert until(self.is_ready, READY_S_MAX), self.log.read_text()

    def kill(self, *, whole: bool = True) -> None:
        """kill -9 of all its processes, or of the parent alone; none of them is left."""
        workers = self.workers
        (os.killpg if whole else os.kill)(self.process.pid, signal.SIGKILL)
        self.is_over(workers)

    def is_over(self, workers: Iterable[int]) -> None:
        """Fail unless it, which was killed, and these workers are soon gone."""
        self.process.wait(30)
        assert until(lambda: all(map(is_gone, workers)), SOON_S_MAX), "a worker outlived its parent"

    def end(self) -> None:
        """Ask it to end, and see that it does; what is there even so is killed."""
        try:
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command beside it."""
        return run(self.folder, *arguments, **self.settings)

    @property
    def log(self) -> Path:
        """What it says, kept beside its folder."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one's own."""
        return http.client.HTTPConnection(HOST, self.port, timeout=60)

    def get(self, path: str, secret: str | None = None) -> tuple[int, bytes]:
        """Status and body of a path."""
        connection = self.connect()
        try:
            connection.request("GET", path, headers={} if secret is None else {"authorization": f"Bearer {secret}"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, document: str, connection: http.client.HTTPConnection | None = None, **variables: Any) -> Any:
        """The value of the operation's only field."""
        own = connection or self.connect()
        try:
            body = json.dumps({"query": document, "variables": variables})
            own.request("POST", "/graphql", body, self.headers)
            answer = json.loads(own.getresponse().read())
            assert "errors" not in answer, answer
            [value] = answer["data"].values()
            return value
        finally:
            if connection is None:
                own.close()

    @property
    def headers(self) -> dict[str, str]:
        """What a request of the operator's carries."""
        return {"content-type": "application/json", "authorization": f"Bearer {self.secret}"}

    @property
    def workers(self) -> set[int]:
        """The processes that serve."""
        return children(self.process.pid)

    def is_ready(self) -> bool:
        """Whether it says so."""
        assert self.process.poll() is None, self.log.read_text()
        with suppress(OSError, http.client.HTTPException):
            return self.get("/health/ready")[0] == 200
        return False


@contextmanager
def served(
    folder: Path, secret: str, port: int | None = None, *, workers: int = 2, **settings: str
) -> Iterator[Served]:
    """A server that is ready, and ends with the block if it has not ended."""
    server = Served(folder, port or free_port(), secret, workers, settings)
    try:
        server.start()
        yield server
    finally:
        server.end()


@dataclass(frozen=True)
class Pattern:
    """A data folder that was set up once, to be copied: making one takes longer."""

    folder: Path
    told: str

    @property
    def secret(self) -> str:
        """The operator's first key."""
        return str(json.loads(self.told)["secret"])

    def copy(self, to: Path) -> Path:
        """A hub of one's own."""
        shutil.copytree(self.folder, to)
        return to
