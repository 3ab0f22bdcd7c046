"""Two served hubs that federate: a currency of the first lives in the second, which is killed in the middle. Nothing is
lost and nothing is there twice, over both."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub.programs import free_port
from tests.journeys.client import Client
from tests.journeys.conftest import environment_of, start
from tests.journeys.network import Network
from tests.journeys.test_crash import workers_of
from tests.journeys.test_partners import wait

MEMBERS = 4
START = 1_000
RESERVE = "RESERVE"


@dataclass
class Hub:
    """A served hub that can be killed and started again."""

    environment: dict[str, str]
    port: int
    process: subprocess.Popen[bytes]
    network: Network

    @property
    def operator(self) -> Client:
        return self.network.operator

    def kill(self) -> None:
        workers = workers_of(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)
        wait(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)

    def start(self) -> None:
        self.process = start(self.environment, self.port)

    def audit(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "hub", "audit"], env=self.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    environment = environment_of(folder) | {"HUB_PARTNER_LEASE_SECONDS": "3"}
    made = subprocess.run(
        [sys.executable, "-m", "hub", "init", "--json", "--person", "first"],
        env=environment,
        capture_output=True,
        check=True,
        timeout=120,
    )
    port = free_port()
    process = start(environment, port)
    operator = Client(f"http://127.0.0.1:{port}", json.loads(made.stdout)["secret"])
    second = operator.do("createCredential", institution="HUB", person="second", label="x", roles=["OPERATOR_ADMIN"])
    running = Hub(environment, port, process, Network(operator, Client(operator.url, second["secret"])))
    try:
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGTERM)
            running.process.wait(timeout=60)


@dataclass
class Federation:
    """The first hub converts JADE, which lives in the second as GEM, 2 to 3 into its own STAY."""

    first: Hub
    second: Hub
    air: str
    hotel: str
    stay: str
    home: str
    gem: str

    def convert(self, number: int, member: str, amount: str) -> str:
        made = self.first.operator.do(
            "convert",
            idempotencyKey=f"conversion {number}",
            source={"institution": self.air, "reference": member},
            target={"institution": self.hotel, "reference": member},
            sourceCurrency="JADE",
            targetCurrency=self.stay,
            sourceAmount=amount,
        )
        assert made["__typename"] == "Conversion", made
        return str(made["id"])

    def until(self, id: str, *statuses: str) -> Any:
        query = "query($id: ID!) { conversion(id: $id) { status refusal { details { key value } } } }"

        def found() -> Any:
            one = self.first.operator.ask(query, id=id)["conversion"]
            return one["status"] in statuses and one

        return wait(found, 120)

    def given(self) -> list[int]:
        """What the members have of GEM, and then the reserve."""
        who = [*(f"M{n}" for n in range(MEMBERS)), RESERVE]
        return [int(self.second.operator.balance(self.home, one, self.gem)) for one in who]

    def got(self) -> int:
        """What all members have of STAY."""
        return sum(int(self.first.operator.balance(self.hotel, f"M{n}", self.stay)) for n in range(MEMBERS))


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    with hub(folder / "first") as first, hub(folder / "second") as second:
        home = second.network.institution("AIR", "AIRLINE")
        gem = second.network.currency("GEM", home, transferable=True)
        for reference in (*(f"M{n}" for n in range(MEMBERS)), RESERVE):
            second.network.issue(gem, home, reference, str(START))
        trader = second.network.person(home, "INSTITUTION_TRADER", name="first hub")

        air, hotel = first.network.institution("AIR", "AIRLINE"), first.network.institution("HOTEL", "OTHER")
        config = {
            "url": f"{second.operator.url}/graphql", "allowPlainHttp": True, "key": trader.secret,
            "institution": home, "currency": gem, "reserve": {"reference": RESERVE},
        }  # fmt: skip
        registered = first.operator.do(
            "registerPointCurrency", code="JADE", name="Jade", issuer=air, rateConsent="OPERATOR",
            unitValue={"amount": "0.05", "currency": "CNY"}, adapter="graphql", adapterConfig=config,
        )  # fmt: skip
        assert registered["__typename"] == "PointCurrency", registered
        stay = first.network.currency("STAY", hotel)
        first.network.rate("JADE", stay, 3, 2)
        for number in range(MEMBERS):
            first.operator.do("enrollCustomer", institution=hotel, reference=f"M{number}")
        yield Federation(first, second, air, hotel, stay, home, gem)


def test_what_the_other_hub_refuses_is_refused_in_our_words(federation: Federation) -> None:
    refused = federation.until(federation.convert(0, "M0", str(START + 2)), "REFUSED")
    details = {one["key"]: one["value"] for one in refused["refusal"]["details"]}
    assert details["because"] == "INSUFFICIENT_POINTS"


@pytest.mark.long
def test_a_hub_that_is_killed_in_the_middle_loses_and_doubles_nothing(federation: Federation) -> None:
    """30 conversions of 2 GEM into 3 STAY, the second half of them while the other hub is dead: 60 GEM are in the
    reserve, and 90 STAY were credited."""
    before, got = federation.given(), federation.got()
    ids = [federation.convert(number, f"M{number % MEMBERS}", "2") for number in range(1, 16)]
    federation.until(ids[0], "COMPLETED")
    federation.second.kill()
    ids += [federation.convert(number, f"M{number % MEMBERS}", "2") for number in range(16, 31)]
    assert ids[0] == federation.convert(1, "M1", "2"), "the same request has the same conversion"
    federation.second.start()
    for id in ids:
        federation.until(id, "COMPLETED")
    after = federation.given()
    assert sum(after) == sum(before) == (MEMBERS + 1) * START
    assert after[-1] == before[-1] + 60
    assert federation.got() == got + 90
    federation.first.audit()
    federation.second.audit()
