"""The hub as the benchmark meets it: started and ended by its command line, filled over its API.

Two institutions, a currency each, a rate of one to one between them, and 10,000 customers on both sides with more
points than any run can spend. Rates need two persons, so the operator gets a second one.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.workloads import AIRLINE, BANK, CUSTOMERS, MILES, POINTS

HOST = "127.0.0.1"
READY_S = 60.0
END_S = 30.0
ISSUE_ROWS = 1_000
FUNDS = "1000000000"
LOG_LINES_SHOWN = 30
QUIET = frozenset({"debug", "info"})


class _Line(msgspec.Struct):
    """A line of the hub's log."""

    level: str


class HubFailed(Exception):
    """The hub did not do what the benchmark needs before it can measure."""


@dataclass(frozen=True, slots=True)
class RunningHub:
    """A hub that answers: where, its first process, the operator's first credential, and what it logs to."""

    port: int
    pid: int
    institution: str
    secret: str
    log: Path

    def complaints(self) -> list[str]:
        """The end of what it logged of itself as wrong. The log goes with the benchmark's folder, so an answer that
        failed is explained here or nowhere."""
        return complaints(self.log.read_text(errors="replace").splitlines())


def complaints(lines: Iterable[str]) -> list[str]:
    """The last of a log's lines that are warnings, errors, or not the hub's own: a crash of Python's own, say."""
    return [line for line in lines if _level(line) not in QUIET][-LOG_LINES_SHOWN:]


def _level(line: str) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Line).level
    except msgspec.DecodeError:
        return None


def environment(data_dir: Path, extra: dict[str, str]) -> dict[str, str]:
    """The hub's own embedded server in ``data_dir``, whatever the caller's shell points at."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return {**kept, "HUB_DATA_DIR": str(data_dir), **extra}


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("points-hub")), *arguments]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def initialise(data_dir: Path) -> dict[str, str]:
    """``points-hub init``: the operator's code and first credential."""
    done = subprocess.run(
        command("init", "--json"), env=environment(data_dir, {}), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise HubFailed(f"points-hub init ended with {done.returncode}:\n{done.stderr[-2000:]}")
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def audit(data_dir: Path) -> tuple[int, str]:
    """``points-hub audit``: its exit code and the end of what it said."""
    done = subprocess.run(command("audit"), env=environment(data_dir, {}), capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()[-2000:]


@contextmanager
def running(data_dir: Path, workers: int, extra: dict[str, str]) -> Iterator[RunningHub]:
    """A hub in ``data_dir``, ready to answer; ended with SIGTERM, or killed when that does not end it in time.

    Raises:
        HubFailed: a command failed, or it was not ready in time; the message holds the end of its log.
    """
    operator = initialise(data_dir)
    port, log = free_port(), data_dir.with_name("serve.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command("serve", "--host", HOST, "--port", str(port), "--workers", str(workers)),
            env=environment(data_dir, extra),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        try:
            _wait_until_ready(process, port)
            yield RunningHub(port, process.pid, operator["institution"], operator["secret"], log)
        except HubFailed as failed:
            tail = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            raise HubFailed("\n".join([str(failed), *tail])) from failed
    finally:
        _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise HubFailed(f"points-hub serve ended with {process.returncode}")
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass  # not listening yet
        finally:
            connection.close()
        time.sleep(0.05)
    raise HubFailed(f"the hub was not ready within {READY_S:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Api:
    """Setting up over the API, request by request on one connection; anything but success ends the benchmark."""

    def __init__(self, port: int, secret: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "authorization": f"Bearer {secret}",
        }

    def mutate(self, field: str, argument: str, value: object, selection: str) -> Any:
        """The result of a mutation with one ``argument`` (name and type, ``input: X!``); no row may be refused."""
        name, _, kind = argument.partition(": ")
        document = (
            f"mutation($value: {kind}) {{ {field}({name}: $value) "
            f"{{ __typename {selection} ... on Refused {{ reason message }} }} }}"
        )
        result = self._send(field, document, value)
        for row in result if isinstance(result, list) else [result]:
            if row["__typename"] == "Refused":
                raise HubFailed(f"{field} was refused: {row['reason']}: {row['message']}")
        return result

    def _send(self, field: str, document: str, value: object) -> Any:
        body = json.dumps({"query": document, "variables": {"value": value}})
        self._connection.request("POST", "/graphql", body, self._headers)
        response = self._connection.getresponse()
        text = response.read().decode(errors="replace")
        if response.status != 200:
            raise HubFailed(f"{field}: HTTP {response.status}: {text[:500]}")
        answer = json.loads(text)
        if answer.get("errors"):
            raise HubFailed(f"{field}: {answer['errors'][0]}")
        return answer["data"][field]

    def ask(self, field: str, argument: str, value: object, selection: str) -> Any:
        """What a query finds by one ``argument`` (name and type, ``id: ID!``)."""
        name, _, kind = argument.partition(": ")
        document = f"query($value: {kind}) {{ {field}({name}: $value) {{ {selection} }} }}"
        return self._send(field, document, value)

    def credential(self, institution: str, person: str, role: str) -> str:
        """The secret of a new credential."""
        wanted = {"institution": institution, "person": person, "label": "bench", "roles": [role]}
        result = self.mutate(
            "createCredential", "input: CreateCredentialInput!", wanted, "... on NewCredential { secret }"
        )
        secret: str = result["secret"]
        return secret


def furnish(hub: RunningHub) -> Api:
    """The two institutions with their currencies; the operator's way to the hub."""
    operator = Api(hub.port, hub.secret)
    for code, name, kind, currency, unit_value in (
        (BANK, "Bench bank", "BANK", POINTS, "0.01"),
        (AIRLINE, "Bench airline", "AIRLINE", MILES, "0.01"),
    ):
        institution = {"code": code, "name": name, "kind": kind}
        operator.mutate(
            "createInstitution", "input: CreateInstitutionInput!", institution, "... on Institution { code }"
        )
        registered = {
            "code": currency,
            "name": f"{name} points",
            "issuer": code,
            "unitValue": {"amount": unit_value, "currency": "CNY"},
            "rateConsent": "OPERATOR",
        }
        operator.mutate(
            "registerPointCurrency", "input: RegisterPointCurrencyInput!", registered, "... on PointCurrency { code }"
        )
    return operator


def set_up(hub: RunningHub) -> str:
    """Fill a fresh hub with what the workloads need; the key of the bank's trader."""
    operator = furnish(hub)
    checker = Api(hub.port, operator.credential(hub.institution, "bench-checker", "OPERATOR_ADMIN"))
    proposed = {"source": POINTS, "target": MILES, "ratio": {"numerator": "1", "denominator": "1"}}
    rate = operator.mutate("proposeRate", "input: ProposeRateInput!", proposed, "... on Rate { id }")
    checker.mutate("approveRate", "id: ID!", rate["id"], "... on Rate { status }")
    traders = {code: operator.credential(code, "bench-trader", "INSTITUTION_TRADER") for code in (BANK, AIRLINE)}
    for code, currency in ((BANK, POINTS), (AIRLINE, MILES)):
        trader = Api(hub.port, traders[code])
        for first in range(1, CUSTOMERS + 1, ISSUE_ROWS):
            rows = [
                {
                    "idempotencyKey": f"bench-funds-{number}",
                    "currency": currency,
                    "to": {"institution": code, "reference": f"c{number}"},
                    "amount": FUNDS,
                }
                for number in range(first, min(first + ISSUE_ROWS, CUSTOMERS + 1))
            ]
            trader.mutate("issuePointsBatch", "input: [IssuePointsInput!]!", rows, "... on Issue { id }")
    return traders[BANK]
