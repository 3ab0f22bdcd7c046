"""A small network that a journey builds for itself, so that journeys share a server and nothing else."""

from decimal import Decimal
from typing import Any

from tests.hub.programs import Served
from tests.journeys.client import Client, key

_made = iter(range(1_000_000))


def unique(prefix: str) -> str:
    """A code that no other journey uses."""
    return f"{prefix}{next(_made)}"


class Network:
    """The operator's two persons, and what they set up."""

    def __init__(self, operator: Client, second: Client) -> None:
        self.operator = operator
        self.second = second

    def institution(self, prefix: str, kind: str = "BANK", parent: str | None = None) -> str:
        """A new institution's code."""
        code = unique(prefix)
        made = self.operator.do("createInstitution", code=code, name=f"{prefix} {code}", kind=kind, parent=parent)
        assert made["__typename"] == "Institution", made
        return code

    def person(self, institution: str, *roles: str, name: str = "someone") -> Client:
        """A client with a new key of an institution's."""
        made = self.operator.do("createCredential", institution=institution, person=name, label="test", roles=roles)
        return Client(self.operator.url, made["secret"])

    def currency(self, prefix: str, issuer: str, value: str = "0.05", **more: Any) -> str:
        """A new currency's code, with rates left to the operator."""
        code = unique(prefix)
        fields = {"rateConsent": "OPERATOR", "unitValue": {"amount": value, "currency": "CNY"}} | more
        made = self.operator.do("registerPointCurrency", code=code, name=code, issuer=issuer, **fields)
        assert made["__typename"] == "PointCurrency", made
        return code

    def propose(self, source: str, target: str, numerator: int, denominator: int, **terms: Any) -> Any:
        """The operator's proposal of a rate."""
        ratio = {"numerator": str(numerator), "denominator": str(denominator)}
        return self.operator.do("proposeRate", source=source, target=target, ratio=ratio, **terms)

    def rate(self, source: str, target: str, numerator: int, denominator: int, **terms: Any) -> str:
        """An approved rate's id."""
        proposed = self.propose(source, target, numerator, denominator, **terms)
        assert proposed["__typename"] == "Rate", proposed
        approved = self.second.rate("approveRate", proposed["id"])
        assert approved["__typename"] == "Rate", approved
        return str(approved["id"])

    def model(self, code: str, members: list[str], currencies: list[str], **terms: Any) -> str:
        """The id of an approved version of a settlement model."""
        proposed = self.operator.do(
            "proposeSettlementModel", code=code, name=code, members=members, currencies=currencies, **terms
        )
        assert proposed["__typename"] == "SettlementModel", proposed
        document = (
            "mutation($id: ID!) { approveSettlementModel(id: $id) { ... on SettlementModel { status window { id } } } }"
        )
        approved = self.second.ask(document, id=proposed["id"])["approveSettlementModel"]
        assert approved["status"] == "APPROVED"
        return str(proposed["id"])

    def issue(self, currency: str, institution: str, reference: str, amount: str) -> str:
        """Points issued to a customer; the issue's id."""
        to = {"institution": institution, "reference": reference}
        made = self.operator.do("issuePoints", idempotencyKey=key(), currency=currency, to=to, amount=amount)
        assert made["__typename"] == "Issue", made
        return str(made["id"])

    def convert(self, giver: tuple[str, str], taker: tuple[str, str], pair: tuple[str, str], amount: str) -> Any:
        """A conversion at the rate of the moment."""
        return self.operator.do(
            "convert",
            idempotencyKey=key(),
            source={"institution": giver[0], "reference": giver[1]},
            target={"institution": taker[0], "reference": taker[1]},
            sourceCurrency=pair[0],
            targetCurrency=pair[1],
            sourceAmount=amount,
        )

    def open_window(self) -> str:
        """The open window's id."""
        return str(self.operator.ask("{ hub { window { id } } }")["hub"]["window"]["id"])

    def close_window(self) -> Any:
        """The open window, closed."""
        closed = self.operator.do("closeSettlementWindow", idempotencyKey=key(), windowId=self.open_window())
        assert closed["__typename"] == "SettlementWindow", closed
        return closed

    def unsettled(self) -> list[Any]:
        """The closed windows that are not settled, in the order of their numbers, with their nets."""
        found: list[Any] = []
        for status in ("SETTLING", "CLOSED"):  # windows are settled in order, so one being settled comes first
            query = (
                "query($s: WindowStatus) { settlementWindows(status: $s, first: 200) { edges { node { id number"
                " nets { institution { code } currency net confirmed due } } } } }"
            )
            edges = self.operator.ask(query, s=status)["settlementWindows"]["edges"]
            found += [edge["node"] for edge in edges]
        return sorted(found, key=lambda window: int(window["number"]))

    def confirm(self, window: str, net: Any, **other: Any) -> Any:
        """The answer to the bank's word that it moved a net."""
        payment = {
            "idempotencyKey": key(),
            "windowId": window,
            "institution": net["institution"]["code"],
            "currency": net["currency"],
            "amount": net["net"],
            "reference": "bank",
        }
        return self.operator.do("confirmSettlement", payment | other)

    def settle(self) -> None:
        """Confirm every net of every closed window, in order."""
        for window in self.unsettled():
            for net in window["nets"]:
                if Decimal(net["due"]):
                    answer = self.confirm(window["id"], net)
                    assert answer["__typename"] == "SettlementWindow", answer


def network_of(server: Served) -> Network:
    """The operator's two persons at a new server."""
    operator = Client(server.url, server.secret)
    made = operator.do(
        "createCredential", institution="HUB", person="second", label="approves", roles=["OPERATOR_ADMIN"]
    )
    return Network(operator, Client(server.url, made["secret"]))
