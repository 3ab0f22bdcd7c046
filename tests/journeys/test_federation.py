"""Two served hubs that federate: a currency of the first lives in the second, which is killed in the middle. Nothing is
lost and nothing is there twice, over both."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub.programs import Pattern, Served, run, served
from tests.journeys.client import Client
from tests.journeys.network import Network, network_of
from tests.journeys.test_partners import wait

MEMBERS = 4
START = 1_000
RESERVE = "RESERVE"


@dataclass(frozen=True)
class Hub:
    """A served hub that can be killed and started again."""

    server: Served
    network: Network

    @property
    def operator(self) -> Client:
        return self.network.operator

    def audit(self) -> None:
        done = self.server.run("audit")
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def hub(folder: Path, secret: str) -> Iterator[Hub]:
    with served(folder, secret, HUB_PARTNER_LEASE_SECONDS="3") as server:
        yield Hub(server, network_of(server))


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
def federation(pattern: Pattern, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    made = run(folder / "second", "init", "--json")  # no copy, so that neither knows the other's keys
    assert made.returncode == 0, made.stderr
    copy, secret = pattern.copy(folder / "first"), json.loads(made.stdout)["secret"]
    with hub(copy, pattern.secret) as first, hub(folder / "second", secret) as second:
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
    federation.second.server.kill()
    ids += [federation.convert(number, f"M{number % MEMBERS}", "2") for number in range(16, 31)]
    assert ids[0] == federation.convert(1, "M1", "2"), "the same request has the same conversion"
    federation.second.server.start()
    for id in ids:
        federation.until(id, "COMPLETED")
    after = federation.given()
    assert sum(after) == sum(before) == (MEMBERS + 1) * START
    assert after[-1] == before[-1] + 60
    assert federation.got() == got + 90
    federation.first.audit()
    federation.second.audit()
