"""A second hub, served as a program of its own, with an institution whose members' points another hub moves."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.conformance.trial import Seeded, Upstream
from adapters.graphql.configuration import Configuration
from adapters.graphql.partner import HubPartner
from hub.partners import Operation, Order, Partner
from hub.points import parse, render
from tests.hub.programs import HOST, Pattern, served
from tests.journeys.client import Client, key

SCALE = 2
RESERVE = "RESERVE"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Other:
    """The second hub. Its institution AIR enrolls nobody by itself, and JADE has two decimals."""

    port: int
    operator: Client
    key: str

    def configuration(self, port: int | None = None, **more: Any) -> Configuration:
        """How it is reached, through ``port`` if there is one."""
        told = {
            "url": f"http://{HOST}:{port or self.port}/graphql", "allowPlainHttp": True, "key": self.key,
            "institution": "AIR", "currency": "JADE", "scale": SCALE, "reserve": {"reference": RESERVE},
            "maximum": "10000", "answersWithinS": 3, **more,
        }  # fmt: skip
        return Configuration.model_validate(told)

    def enroll(self, reference: str) -> str:
        """A customer without points."""
        made = self.operator.do("enrollCustomer", institution="AIR", reference=reference)
        assert made["__typename"] == "Customer", made
        return reference

    def member(self, available: int, prefix: str = "") -> str:
        """A new member with so many smallest units, as another hub refers to it."""
        reference = f"M-{next(_numbers)}"
        self.enroll(f"{prefix}{reference}")
        self.issue(f"{prefix}{reference}", available)
        return reference

    def issue(self, reference: str, units: int) -> None:
        """Points for a customer."""
        to = {"institution": "AIR", "reference": reference}
        amount = render(units, SCALE)
        made = self.operator.do("issuePoints", idempotencyKey=key(), currency="JADE", to=to, amount=amount)
        assert made["__typename"] == "Issue", made

    def available(self, reference: str) -> int:
        """What a customer can spend, by its books."""
        document = 'query($r: String!) { customer(institution: "AIR", reference: $r) { balances { available } } }'
        balances = self.operator.ask(document, r=reference)["customer"]["balances"]
        return parse(balances[0]["available"], SCALE) if balances else 0


@dataclass(frozen=True)
class OtherHarness:
    """The second hub as the conformance suite tries it."""

    other: Other
    more: Mapping[str, Any]

    @property
    def exceptions(self) -> Mapping[str, str]:
        return {}

    @property
    def upstream(self) -> Upstream:
        return Upstream(HOST, self.other.port)

    async def connect(self, port: int | None) -> Partner:
        return HubPartner(self.other.configuration(port, **self.more))

    async def member(self, available: int) -> Seeded:
        reference = self.other.member(available)
        return Seeded(reference, {"reference": reference})

    async def available(self, partner: Partner, member: Seeded) -> int:
        return self.other.available(member.reference)

    async def settle(self) -> None:
        raise AssertionError("a hub has no night")


@pytest.fixture(scope="session")
def other(pattern: Pattern, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    """The second hub; its reserve has points enough for everybody."""
    folder = pattern.copy(tmp_path_factory.mktemp("other") / "hub")
    with served(folder, pattern.secret) as server:
        operator = Client(server.url, server.secret)
        told = operator.do("createInstitution", code="AIR", name="Air", kind="AIRLINE", autoEnroll=False)
        assert told["__typename"] == "Institution", told
        told = operator.do(
            "registerPointCurrency", code="JADE", name="Jade", issuer="AIR", scale=SCALE, transferable=True,
            unitValue={"amount": "0.05", "currency": "CNY"},
        )  # fmt: skip
        assert told["__typename"] == "PointCurrency", told
        trader = operator.do(
            "createCredential", institution="AIR", person="hub A", label="x", roles=["INSTITUTION_TRADER"]
        )
        found = Other(server.port, operator, trader["secret"])
        found.enroll(RESERVE)
        found.issue(RESERVE, 10**12)
        yield found


Connect = Callable[..., AbstractAsyncContextManager[HubPartner]]


@pytest.fixture
def connected(other: Other) -> Connect:
    """Connections to the second hub, with changes of the configuration."""

    @asynccontextmanager
    async def connect(port: int | None = None, **more: Any) -> AsyncIterator[HubPartner]:
        partner = HubPartner(other.configuration(port, **more))
        try:
            yield partner
        finally:
            await partner.close()

    return connect


@pytest.fixture
async def partner(connected: Connect) -> AsyncIterator[HubPartner]:
    """The second hub, connected as it is."""
    async with connected() as made:
        yield made


def order(
    operation: Operation, member: str, amount: int, of: Order | None = None, partner_of: str | None = None
) -> Order:
    """A new order of a currency with the second hub's decimals."""
    return Order(
        reference=f"PH-{next(_numbers):X}-T",
        operation=operation,
        member=member,
        amount=amount,
        currency="MILE",
        scale=SCALE,
        asked_at=datetime.now(UTC),
        of=None if of is None else of.reference,
        partner_of=partner_of,
    )
