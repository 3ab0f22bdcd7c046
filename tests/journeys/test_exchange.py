"""The exchange examples of published programmes, through GraphQL over HTTP, exactly."""

import time
from decimal import Decimal

import pytest

from tests.journeys.client import key
from tests.journeys.network import Network, unique


class Pair:
    """Two institutions, their currencies, and customers that a conversion goes between."""

    def __init__(self, network: Network, *, unit_value: str = "0.05") -> None:
        self.network = network
        self.bank, self.air = network.institution("BANK"), network.institution("AIR", "AIRLINE")
        self.source = network.currency("SRC", self.bank)
        self.target = network.currency("TGT", self.air, unit_value)

    def convert(self, amount: str, *, holding: str | None = None) -> dict[str, object]:
        """A new customer with points converts ``amount`` of them."""
        reference = unique("c")
        self.network.issue(self.source, self.bank, reference, holding or amount)
        answer: dict[str, object] = self.network.convert(
            (self.bank, reference), (self.air, reference), (self.source, self.target), amount
        )
        return answer

    def request(self, reference: str, amount: str) -> dict[str, object]:
        """What a quote or a conversion of a customer's is asked with."""
        return {
            "source": {"institution": self.bank, "reference": reference},
            "target": {"institution": self.air, "reference": reference},
            "sourceCurrency": self.source,
            "targetCurrency": self.target,
            "sourceAmount": amount,
        }

    def credited(self, amount: str) -> str:
        """The target points that ``amount`` becomes."""
        answer = self.convert(amount)
        assert answer["__typename"] == "Conversion", answer
        return str(answer["target"]["amount"])  # type: ignore[index]


def reason(answer: dict[str, object]) -> object:
    """The reason of a refusal."""
    assert answer["__typename"] == "Refused", answer
    return answer["reason"]


def test_steps_and_minimum_of_a_five_to_four_rate(network: Network) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 4, 5, minimum="1000", step="1000")
    assert pair.credited("3000") == "2400"  # 3,000 × 4/5
    refused = pair.convert("2500")
    assert reason(refused) == "NOT_A_MULTIPLE"
    assert {"key": "step", "value": "1000"} in refused["details"]  # type: ignore[operator]
    assert reason(pair.convert("500")) == "BELOW_MINIMUM"


@pytest.mark.parametrize(
    ("sent", "credited"),
    [
        ("59000", "19666"),  # ⌊59,000 / 3⌋
        ("60000", "25000"),  # 20,000 + 5,000
        ("119999", "44999"),  # 39,999 + 5,000
        ("120000", "50000"),  # 40,000 + 10,000
    ],
)
def test_a_fixed_bonus_for_every_whole_block(network: Network, sent: str, credited: str) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 1, 3, bonuses=[{"perBlock": "5000", "block": "60000"}])
    assert pair.credited(sent) == credited


def test_a_fee_per_point_with_a_cap(network: Network) -> None:
    pair = Pair(network)
    money = {"currency": "CNY"}
    network.rate(
        pair.source, pair.target, 1, 1, feePerPoint={"amount": "0.0006"} | money, feeCap={"amount": "99"} | money
    )
    fees = {}
    for sent in ("10000", "50000", "165000", "200000"):
        fees[sent] = pair.convert(sent)["fee"]
    assert fees == {
        "10000": {"amount": "6.00", "currency": "CNY"},  # 10,000 × 0.0006
        "50000": {"amount": "30.00", "currency": "CNY"},
        "165000": {"amount": "99.00", "currency": "CNY"},  # exactly the cap
        "200000": {"amount": "99.00", "currency": "CNY"},  # 120.00, capped
    }


def test_a_percent_bonus_counts_at_most_its_cap(network: Network) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 1, 1, bonuses=[{"percent": "30", "cap": "50000"}])
    assert pair.credited("10000") == "13000"  # 10,000 + 30 %
    assert pair.credited("80000") == "95000"  # 80,000 + 30 % of 50,000


def test_a_conversion_to_nothing_is_refused_and_debits_nothing(network: Network) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 1, 3)
    reference = unique("c")
    network.issue(pair.source, pair.bank, reference, "5")
    ends = (pair.bank, reference), (pair.air, reference), (pair.source, pair.target)
    assert reason(network.convert(*ends, "2")) == "AMOUNT_TOO_SMALL"
    assert network.operator.balance(pair.bank, reference, pair.source) == "5"
    for _ in range(3):  # 1 + 1 + 1 must not beat 3, which is worth 1
        assert reason(network.convert(*ends, "1")) == "AMOUNT_TOO_SMALL"
    assert network.convert(*ends, "3")["target"]["amount"] == "1"


def test_settlement_value_and_percent_fee_fall_on_positions(network: Network) -> None:
    pair = Pair(network, unit_value="0.05")
    network.rate(pair.source, pair.target, 1, 25, feePercent="1")
    answer = pair.convert("50000")
    assert answer["target"] == {"amount": "2000"}  # 50,000 / 25
    assert answer["settlement"] == {"amount": "100.00", "currency": "CNY"}  # 2,000 × 0.05
    assert answer["fee"] == {"amount": "1.00", "currency": "CNY"}  # 1 % of 100.00
    query = "query($c: String!) { institution(code: $c) { positions { currency own exposure } } }"
    bank = network.operator.ask(query, c=pair.bank)["institution"]["positions"]
    air = network.operator.ask(query, c=pair.air)["institution"]["positions"]
    assert bank == [{"currency": "CNY", "own": "-101.00", "exposure": "101.00"}]
    assert air == [{"currency": "CNY", "own": "100.00", "exposure": "0.00"}]


def test_a_gaining_cycle_is_refused_with_its_path(network: Network) -> None:
    home = network.institution("BANK")
    a, b, c = (network.currency(name, home) for name in ("A", "B", "C"))
    network.rate(a, b, 8, 10)
    network.rate(b, c, 5, 10)
    refused = network.second.rate("approveRate", network.propose(c, a, 26, 10)["id"])  # 0.8 × 0.5 × 2.6 = 1.04
    assert reason(refused) == "RATE_CYCLE"
    details = {row["key"]: row["value"] for row in refused["details"]}
    assert details["cycle"] == f"{c}>{a}>{b}>{c}"
    assert details["product"] == "1.04"
    network.rate(c, a, 22, 10)  # 0.8 × 0.5 × 2.2 = 0.88
    bonus = network.propose(a, b, 8, 10, bonuses=[{"percent": "30"}])
    refused = network.second.rate("approveRate", bonus["id"])  # 0.8 × 1.3 × 0.5 × 2.2 = 1.144
    assert reason(refused) == "RATE_CYCLE"
    assert {"key": "product", "value": "1.144"} in refused["details"]


def test_a_quote_honours_its_rate_until_it_expires(network: Network) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 1, 2)
    network.issue(pair.source, pair.bank, "q", "1000")
    ask = pair.request("q", "400")
    operator = network.operator
    first, late = operator.do("requestQuote", ask), operator.do("requestQuote", ask)
    assert first["target"] == {"amount": "200"}
    network.rate(pair.source, pair.target, 1, 4)  # the rate changes inside the quote's time
    used = operator.do("executeQuote", idempotencyKey=key(), quoteId=first["id"])
    assert used["target"] == {"amount": "200"}
    assert reason(operator.do("executeQuote", idempotencyKey=key(), quoteId=first["id"])) == "QUOTE_USED"
    time.sleep(5.2)  # this server's quotes live five seconds
    assert reason(operator.do("executeQuote", idempotencyKey=key(), quoteId=late["id"])) == "QUOTE_EXPIRED"
    assert operator.balance(pair.bank, "q", pair.source) == "600"


def test_at_most_five_open_quotes_for_a_customer_and_pair(network: Network) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 1, 2)
    network.issue(pair.source, pair.bank, "q", "1000")
    ask = pair.request("q", "10")
    assert [network.operator.do("requestQuote", ask)["__typename"] for _ in range(5)] == ["Quote"] * 5
    assert reason(network.operator.do("requestQuote", ask)) == "TOO_MANY_QUOTES"


def test_an_emergency_withdrawal_cancels_quotes(network: Network) -> None:
    pair = Pair(network)
    rate = network.rate(pair.source, pair.target, 1, 2)
    network.issue(pair.source, pair.bank, "q", "1000")
    ask = pair.request("q", "10")
    quote = network.operator.do("requestQuote", ask)
    network.operator.rate("withdrawRate", rate, reason="emergency", cancelQuotes=True)
    refused = network.operator.do("executeQuote", idempotencyKey=key(), quoteId=quote["id"])
    assert reason(refused) == "QUOTE_CANCELLED"
    assert reason(network.operator.do("requestQuote", ask)) == "NO_RATE"


def test_reversal_in_parts_never_exceeds_the_original(network: Network) -> None:
    pair = Pair(network)
    network.rate(pair.source, pair.target, 1, 25)
    made = pair.convert("50000")
    operator = network.operator
    part = {"idempotencyKey": key(), "id": made["id"], "reason": "returned"}
    assert operator.do("reverse", part | {"amount": "1500"})["__typename"] == "Reversal"
    over = part | {"idempotencyKey": key(), "amount": "600"}
    assert reason(operator.do("reverse", over)) == "EXCEEDS_ORIGINAL"  # 1,500 + 600 > 2,000
    assert operator.do("reverse", part | {"idempotencyKey": key()})["points"]["amount"] == "500"
    assert reason(operator.do("reverse", part | {"idempotencyKey": key()})) == "ALREADY_REVERSED"


def test_small_amounts_are_owed_in_full_at_closing(network: Network) -> None:
    """1,250 conversions of 8 points at 0.0006 each: 8 × 0.0006 = 0.0048, and 1,250 × 0.0048 = 6.00."""
    pair = Pair(network, unit_value="0.0006")
    network.rate(pair.source, pair.target, 1, 1)
    network.issue(pair.source, pair.bank, "small", "10000")
    row = pair.request("small", "8")
    answers = network.operator.do("convertBatch", [row | {"idempotencyKey": key()} for _ in range(1250)])
    assert {answer["__typename"] for answer in answers} == {"Conversion"}
    window = network.operator.ask("{ hub { window { id } } }")["hub"]["window"]["id"]
    closed = network.operator.do("closeSettlementWindow", idempotencyKey=key(), windowId=window)
    nets = {row["institution"]["code"]: row for row in closed["nets"]}
    assert nets[pair.bank]["net"] == "-6.00"
    assert nets[pair.air]["net"] == "6.00"
    by_currency: dict[str, Decimal] = {}
    for row in closed["nets"]:
        by_currency[row["currency"]] = by_currency.get(row["currency"], Decimal(0)) + Decimal(row["net"])
    assert set(by_currency.values()) == {Decimal(0)}
