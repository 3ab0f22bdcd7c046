"""Conversions over two partners: how long one takes from being accepted to being completed, if each partner answers in
20 ms. The partners are simulators as programs of their own, reached over HTTP by an adapter's configuration.

The times are the ledger's: of the batch that accepted a conversion, and of the one that completed it.
"""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import hub
from bench.figures import percentile

NAME = "partners"
ANSWER_MS = 20
TO_REACH_MS = 80.0  # the median of one at a time
MEMBERS = 8
LOADS = {"one at a time": (1, 200), "8 at once": (8, 400)}  # how many are under way, and how many are made
WAIT_S = 60.0
CONFIGURATION: dict[str, Any] = {
    "allowPlainHttp": True,
    "unit": "MILES",
    "scale": 2,
    "orders": [
        {
            "operations": ["DEBIT", "CREDIT", "REVERSE"],
            "call": {
                "method": "POST",
                "path": "/v1/orders",
                "body": {
                    "reference": "{reference}",
                    "operation": "{operation}",
                    "member": "{member}",
                    "amount": "{amount}",
                    "unit": "{unit}",
                    "of": "{of}",
                },
            },
        }
    ],
    "answer": {
        "status": "status",
        "statuses": {"SUCCEEDED": "SUCCEEDED", "REFUSED": "REFUSED", "PENDING": "PENDING"},
        "reference": "reference",
        "partnerReference": "partnerReference",
        "amount": "amount",
        "unit": "unit",
        "time": "at",
    },
    "status": {
        "call": {"method": "GET", "path": "/v1/orders/{reference}"},
        "absent": [{"http": [404], "code": "UNKNOWN_REFERENCE"}],
    },
}


class PartnersFailed(Exception):
    """A conversion did not complete."""


def measure(console: Console, data_dir: Path) -> bool:
    """Convert under each load; whether the median of one at a time is as it has to be."""
    table = Table(title=f"conversions over two partners, {ANSWER_MS} ms each", title_justify="left")
    for heading in ("load", "p50 ms", "p99 ms", "conversions/s", "to reach"):
        table.add_column(heading, justify="left" if heading == "load" else "right")
    reached = True
    with ExitStack() as stack:
        running = stack.enter_context(hub.running(data_dir, 2, {}))
        airline, hotel = (stack.enter_context(_simulator(data_dir)) for _ in range(2))
        trader = _furnish(running, airline, hotel)
        for name, (at_once, wanted) in LOADS.items():
            latencies, seconds = _convert(trader, name, at_once, wanted)
            p50_ms, aim = percentile(latencies, 0.5), TO_REACH_MS if at_once == 1 else None
            reached = reached and (aim is None or p50_ms < aim)
            table.add_row(
                name,
                f"{'[green]' if aim is None or p50_ms < aim else '[red]'}{p50_ms:.1f}",
                f"{percentile(latencies, 0.99):.1f}",
                f"{wanted / seconds:,.0f}",
                "" if aim is None else f"{aim:.0f}",
            )
    console.print(table)
    code, said = hub.audit(data_dir)
    console.print(f"audit: exit code {code}\n{said}", markup=False, highlight=False)
    return reached and code == 0


@contextmanager
def _simulator(data_dir: Path) -> Iterator[int]:
    """A partner's port; it answers slowly, and is ended."""
    port = hub.free_port()
    process = subprocess.Popen(
        hub.command("simulator", "--port", str(port), "--no-magic"),
        env=hub.environment(data_dir, {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + WAIT_S
        while True:
            try:
                _post(port, "/sandbox/script", {"behaviour": "SLOW", "ms": ANSWER_MS, "next": 10_000})
                break
            except OSError:
                if time.monotonic() > until:
                    raise PartnersFailed("a simulator did not start") from None
                time.sleep(0.05)
        for number in range(MEMBERS):
            _post(port, "/sandbox/members", {"member": f"m{number}", "available": "1000000"})
        yield port
    finally:
        process.terminate()
        process.wait(hub.END_S)


def _post(port: int, path: str, body: object) -> None:
    connection = http.client.HTTPConnection(hub.HOST, port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status >= 300:
            raise PartnersFailed(f"{path}: HTTP {answer.status}: {answer.read()[:200]!r}")
    finally:
        connection.close()


def _furnish(running: hub.RunningHub, airline: int, hotel: int) -> hub.Api:
    """Two institutions whose points are at partners, and a rate between them; the operator's way to the hub."""
    operator = hub.Api(running.port, running.secret)
    checker = hub.Api(running.port, operator.credential(running.institution, "bench-checker", "OPERATOR_ADMIN"))
    for code, currency, port in (("AIR", "MILE", airline), ("HOTEL", "STAY", hotel)):
        institution = {"code": code, "name": code, "kind": "OTHER"}
        operator.mutate(
            "createInstitution", "input: CreateInstitutionInput!", institution, "... on Institution { code }"
        )
        registered = {
            "code": currency,
            "name": currency,
            "issuer": code,
            "scale": 2,
            "unitValue": {"amount": "0.05", "currency": "CNY"},
            "rateConsent": "OPERATOR",
            "adapter": "http_json",
            "adapterConfig": CONFIGURATION | {"baseUrl": f"http://{hub.HOST}:{port}"},
        }
        operator.mutate(
            "registerPointCurrency", "input: RegisterPointCurrencyInput!", registered, "... on PointCurrency { code }"
        )
    proposed = {"source": "MILE", "target": "STAY", "ratio": {"numerator": "1", "denominator": "1"}}
    rate = operator.mutate("proposeRate", "input: ProposeRateInput!", proposed, "... on Rate { id }")
    checker.mutate("approveRate", "id: ID!", rate["id"], "... on Rate { status }")
    return operator


def _convert(operator: hub.Api, load: str, at_once: int, wanted: int) -> tuple[list[float], float]:
    """The latencies of so many conversions in milliseconds, and the seconds of all."""
    latencies: list[float] = []
    waiting: list[str] = []
    began, until, made = time.perf_counter(), time.monotonic() + WAIT_S, 0
    while made < wanted or waiting:
        while made < wanted and len(waiting) < at_once:
            party = {"reference": f"m{made % MEMBERS}"}
            value = {
                "idempotencyKey": f"{load} {made}",
                "source": {"institution": "AIR", **party},
                "target": {"institution": "HOTEL", **party},
                "sourceCurrency": "MILE",
                "targetCurrency": "STAY",
                "sourceAmount": "1",
            }
            waiting.append(operator.mutate("convert", "input: ConvertInput!", value, "... on Conversion { id }")["id"])
            made += 1
        time.sleep(0.01)
        for id in list(waiting):
            found = operator.ask("conversion", "id: ID!", id, "status createdAt completedAt")
            if found["status"] == "COMPLETED":
                span = datetime.fromisoformat(found["completedAt"]) - datetime.fromisoformat(found["createdAt"])
                latencies.append(span.total_seconds() * 1_000)
                waiting.remove(id)
            elif found["status"] != "PENDING" or time.monotonic() > until:
                raise PartnersFailed(f"a conversion is {found['status']}")
    return latencies, time.perf_counter() - began
