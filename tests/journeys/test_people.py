"""A card that changes hands, and one person at two institutions, through GraphQL over HTTP and two workers."""

from tests.journeys.client import key
from tests.journeys.network import Network


def test_a_card_credits_who_has_it_when_it_is_spent_on(network: Network) -> None:
    bank = network.institution("BANK")
    points = network.currency("P", bank)
    trader = network.person(bank, "INSTITUTION_TRADER")
    m, n, card = ({"institution": bank, "reference": name} for name in ("m", "n", "6217000000001111"))
    for customer in (m, n):
        trader.do("enrollCustomer", customer)

    def bind(customer: dict[str, str]) -> str:
        fields = {"institution": bank, "identifier": card["reference"], "customer": customer}
        answer = trader.do("bindIdentifier", fields | {"idempotencyKey": key()})
        return str(answer["reason"] if answer["__typename"] == "Refused" else answer["identifier"])

    def spend(amount: str) -> str:
        answer = trader.do("issuePoints", idempotencyKey=key(), currency=points, to=card, amount=amount)
        return str(answer["reason"] if answer["__typename"] == "Refused" else answer["__typename"])

    def balances() -> tuple[str, str]:
        return trader.balance(bank, "m", points), trader.balance(bank, "n", points)

    for round in range(1, 4):  # the workers take turns
        assert bind(m) == "****1111"
        assert spend("100") == "Issue"
        assert bind(n) == "ALREADY_BOUND"
        unbind = {"institution": bank, "identifier": card["reference"], "reason": "passed on"}
        assert trader.do("unbindIdentifier", unbind | {"idempotencyKey": key()})["memo"] == "passed on"
        assert spend("1") == "NOT_FOUND"
        assert bind(n) == "****1111"
        assert spend("7") == "Issue"
        assert balances() == (str(100 * round), str(7 * round))  # earlier ones stay where they were
        trader.do("unbindIdentifier", unbind | {"idempotencyKey": key()})


def test_points_that_are_not_transferable_go_to_the_same_person_only(network: Network) -> None:
    bank, air = network.institution("BANK"), network.institution("AIR", "AIRLINE")
    own, miles = network.currency("OWN", bank, transferable=False), network.currency("MILE", air)
    network.rate(own, miles, 1, 2)
    network.issue(own, bank, "lin", "1000")
    for reference in ("wei", "another"):
        network.operator.do("enrollCustomer", institution=air, reference=reference)
    teller, clerk = network.person(bank, "INSTITUTION_TRADER"), network.person(air, "INSTITUTION_ADMIN")
    lin = {"institution": bank, "reference": "lin"}

    def convert(reference: str) -> str:
        answer = network.convert((bank, "lin"), (air, reference), (own, miles), "100")
        return str(answer["reason"] if answer["__typename"] == "Refused" else answer["target"]["amount"])

    assert convert("wei") == "TRANSFER_FORBIDDEN"
    asked = {"idempotencyKey": key(), "a": lin, "b": {"institution": air, "reference": "wei"}, "evidence": "form 17"}
    link = teller.do("proposeCustomerLink", asked)
    assert (link["status"], convert("wei")) == ("PROPOSED", "TRANSFER_FORBIDDEN")
    accepting = key()
    assert clerk.link("acceptCustomerLink", link["id"], accepting)["status"] == "ACTIVE"
    assert clerk.link("acceptCustomerLink", link["id"], accepting)["replayed"] is True
    assert (convert("wei"), convert("another")) == ("50", "TRANSFER_FORBIDDEN")  # 100 / 2
    ends = {
        "source": lin,
        "target": {"institution": air, "reference": "wei"},
        "sourceCurrency": own,
        "targetCurrency": miles,
        "sourceAmount": "100",
    }
    quote = teller.do("requestQuote", ends)
    assert quote["__typename"] == "Quote"
    assert clerk.link("endCustomerLink", link["id"], reason="she asked for it")["status"] == "ENDED"
    refused = teller.do("executeQuote", idempotencyKey=key(), quoteId=quote["id"])
    assert refused["reason"] == "TRANSFER_FORBIDDEN"
    assert {"key": "requires", "value": "CUSTOMER_LINK"} in refused["details"]
    assert network.operator.balance(air, "wei", miles) == "50"
