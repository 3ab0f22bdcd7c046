"""What is malformed, too much or too long is refused by name, touches no neighbour, and is never a fault of ours."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from tests.journeys.client import Client, Failed, Socket, key
from tests.journeys.network import Network, unique

ISSUE = (
    "mutation($v: IssuePointsInput!) { issuePoints(input: $v) { __typename ... on Issue { points { amount } }"
    " ... on Refused { reason message replayed details { key value } } } }"
)
BATCH = (
    "mutation($v: [IssuePointsInput!]!) { issuePointsBatch(input: $v) { __typename ... on Issue { points { amount } }"
    " ... on Refused { reason details { key value } } } }"
)


class Bank:
    """A bank with a currency of two decimal places, and a trader of it."""

    def __init__(self, network: Network) -> None:
        self.network, self.operator = network, network.operator
        self.code = network.institution("BANK")
        self.points = network.currency("P", self.code, scale=2)
        self.trader = network.person(self.code, "INSTITUTION_TRADER")

    def issue(self, amount: Any, **more: Any) -> dict[str, Any]:
        """Points for a customer."""
        to = {"institution": self.code, "reference": "c"}
        return {"idempotencyKey": key(), "currency": self.points, "to": to, "amount": amount} | more

    def circulation(self) -> str:
        """What there is of the currency: the sum of all that was issued."""
        query = "query($c: String!) { pointCurrency(code: $c) { circulation { amount } } }"
        return str(self.operator.ask(query, c=self.points)["pointCurrency"]["circulation"]["amount"])


@pytest.fixture
def bank(network: Network) -> Bank:
    return Bank(network)


def errors(client: Client, query: str, **variables: Any) -> list[str]:
    """The codes of all errors that a document ends in."""
    with pytest.raises(Failed) as failed:
        client.ask(query, **variables)
    return failed.value.codes


# --- documents --------------------------------------------------------------------------------------------------------


def nested(levels: int) -> str:
    """A query whose deepest field lies ``levels`` deep."""
    return '{ institution(code: "HUB") ' + "{ parent " * (levels - 2) + "{ code " + "}" * levels


def test_a_document_is_at_most_twelve_fields_deep(network: Network) -> None:
    assert network.operator.ask(nested(12))["institution"] == {"parent": None}
    assert errors(network.operator, nested(13)) == ["DOCUMENT_LIMIT"]
    fragment = "fragment F on Institution " + "{ parent " * 6 + "{ code " + "}" * 7
    around = '{ institution(code: "HUB") ' + "{ parent " * 6 + "{ ...F " + "}" * 8
    assert errors(network.operator, f"query {around} {fragment}") == ["DOCUMENT_LIMIT"]  # 7 and then 7


def test_a_document_has_at_most_thirty_aliases(network: Network) -> None:
    def aliased(count: int) -> str:
        return "{" + " ".join(f"a{n}: hub {{ name }}" for n in range(count)) + "}"

    assert len(network.operator.ask(aliased(30))) == 30
    assert errors(network.operator, aliased(31)) == ["DOCUMENT_LIMIT"]
    doubled = "query { ...A } fragment A on Query { ...B b: hub { name } } fragment B on Query { " + aliased(30)[1:]
    assert errors(network.operator, doubled) == ["DOCUMENT_LIMIT"]  # 30 + 1, through fragments


def test_a_document_has_at_most_a_thousand_fields_and_four_thousand_tokens(network: Network) -> None:
    assert errors(network.operator, "{ hub {" + " name" * 1_000 + "} }") == ["DOCUMENT_LIMIT"]  # and `hub`: 1,001
    assert network.operator.ask("{ hub {" + " name" * 500 + "} }")["hub"]["name"]
    assert errors(network.operator, "{ hub { name(" + "a: 1 " * 2_000 + ") } }") == ["PARSE_FAILED"]
    assert errors(network.operator, "{ hub { name } }" + " " * 100_000) == ["DOCUMENT_LIMIT"]


@pytest.mark.parametrize(
    "connection",
    [
        "institutions(first: {})",
        "pointCurrencies(first: {})",
        "rates(first: {})",
        "conversions(first: {})",
        "settlementWindows(first: {})",
        'movements(first: {}, customer: {{institution: "HUB", reference: "c"}}, currency: "X")',
    ],
)
def test_a_page_has_one_to_two_hundred_rows(network: Network, connection: str) -> None:
    for first, code in ((201, "BAD_PAGE"), (0, "BAD_PAGE"), (-1, "BAD_PAGE"), (2**31, "VALIDATION_FAILED")):
        found = network.operator.code("{ " + connection.format(first) + " { edges { cursor } } }")
        assert found == code, first
    for first in (1, 200):
        assert network.operator.code("{ " + connection.format(first) + " { edges { cursor } } }") is None


def test_cursors_that_no_list_has_made_are_refused_and_far_ones_are_the_end(network: Network) -> None:
    """The numbers of a cursor may be any: beyond the last row, or beyond what the database's column could hold."""
    after = "query($a: String) { settlementWindows(first: 1, after: $a) { edges { cursor node { number } } } }"
    first = network.operator.ask(after, a=None)["settlementWindows"]["edges"][0]
    assert first["node"] == {"number": 1}
    for wrong in ("", "x", "W10", first["cursor"] + "A", first["cursor"][:-2], "\0", "é", "A" * 2_000):
        assert errors(network.operator, after, a=wrong) == ["BAD_CURSOR"], wrong
    institutions = "query($a: String) { institutions(after: $a) { edges { cursor } } }"
    assert errors(network.operator, institutions, a=first["cursor"]) == ["BAD_CURSOR"]  # of another list
    for number, rows in ((2**31 - 1, 0), (2**31, 0), (2**40, 0), (2**63 - 1, 0), (-1, 1), (-(2**40), 1)):
        found = network.operator.ask(after, a=cursor(number))["settlementWindows"]["edges"]
        assert len(found) == rows, number
    assert errors(network.operator, after, a=cursor(2**63)) == ["BAD_CURSOR"]


def cursor(number: int) -> str:
    """A cursor as the server makes them for settlement windows, of any number."""
    spelled = json.dumps([2, "settlement_windows", [number]], separators=(",", ":"))
    return urlsafe_b64encode(spelled.encode()).decode().rstrip("=")


# --- amounts ----------------------------------------------------------------------------------------------------------

MALFORMED: list[Any] = [
    1, 1.5, 0, True, None, [], {}, "", " ", " 1", "1 ", "1 000", "+1", "--1", "1e3", "1E3", "1.", ".5", "01", "-01",
    "1,5", "0x10", "NaN", "nan", "Infinity", "-Infinity", "１２", "٣", "1\u00a0", "1\n", "\u22121", "1" * 41,
]  # fmt: skip


@pytest.mark.parametrize("amount", MALFORMED, ids=repr)
def test_a_malformed_decimal_fails_the_request(network: Network, shared: Bank, amount: Any) -> None:
    good = shared.issue("1")
    before = shared.circulation()
    assert errors(shared.trader, ISSUE, v=shared.issue(amount)) == ["BAD_INPUT"]
    assert errors(shared.trader, BATCH, v=[good, shared.issue(amount)]) == ["BAD_INPUT"]
    assert shared.circulation() == before  # nothing of the batch was looked at


@pytest.fixture(scope="module")
def shared(network: Network) -> Bank:
    return Bank(network)


@pytest.mark.parametrize("literal", ["1", "1.5", "1e3", '"1e3"', "true", "ONE", '" 1"', '""'])
def test_a_malformed_decimal_in_the_document_fails_the_request(shared: Bank, literal: str) -> None:
    document = (
        f'mutation {{ issuePoints(input: {{ idempotencyKey: "{key()}", currency: "{shared.points}",'
        f' to: {{ institution: "{shared.code}", reference: "c" }}, amount: {literal} }}) {{ __typename }} }}'
    )
    assert shared.trader.code(document) == "BAD_INPUT"


def test_an_amount_that_no_act_may_have_refuses_its_row_and_no_other(bank: Bank) -> None:
    amounts = ["0", "0.00", "-0", "-1", "1.001", "0.001", "10000000000000.01", "9" * 40, "1" + "0" * 30]
    rows = []
    for amount in amounts:
        rows += [bank.issue(amount), bank.issue("1.50")]
    answers = bank.trader.ask(BATCH, v=rows)["issuePointsBatch"]
    refused, issued = answers[::2], answers[1::2]
    assert [answer.get("reason") for answer in refused] == ["INVALID_AMOUNT"] * len(amounts)
    assert issued == [{"__typename": "Issue", "points": {"amount": "1.50"}}] * len(amounts)
    assert bank.circulation() == "13.50"  # 9 × 1.50
    most = bank.trader.ask(ISSUE, v=bank.issue("10000000000000.00"))["issuePoints"]  # 10^15 smallest units
    assert most == {"__typename": "Issue", "points": {"amount": "10000000000000.00"}}
    exact = bank.trader.ask(ISSUE, v=bank.issue("1.500000"))["issuePoints"]  # zeros at the end are no digits
    assert exact["points"] == {"amount": "1.50"}


# --- texts ------------------------------------------------------------------------------------------------------------


def test_an_idempotency_key_has_one_to_two_hundred_characters(bank: Bank) -> None:
    for name, kind in (("", "Refused"), ("k" * 201, "Refused"), ("k" * 200, "Issue"), ("键" * 200, "Issue")):
        answer = bank.trader.ask(ISSUE, v=bank.issue("1", idempotencyKey=name))["issuePoints"]
        assert answer["__typename"] == kind, answer
        if kind == "Refused":
            assert (answer["reason"], answer["replayed"]) == ("INVALID_INPUT", False)
            assert answer["details"] == [{"key": "idempotencyKey", "value": "1 to 200 characters"}]
            again = bank.trader.ask(ISSUE, v=bank.issue("1", idempotencyKey=name))["issuePoints"]
            assert again == answer  # it is kept under no key
    assert errors(bank.trader, ISSUE, v=bank.issue("1", idempotencyKey=None)) == ["BAD_INPUT"]


def test_texts_that_cannot_be_stored_refuse_their_row_and_no_other(bank: Bank) -> None:
    wrong: list[dict[str, Any]] = [
        {"memo": "a\0b"},
        {"memo": "m" * 2_001},
        {"to": {"institution": bank.code, "reference": "\0"}},
        {"to": {"institution": bank.code, "reference": "r" * 201}},
        {"to": {"institution": bank.code, "reference": ""}},
        {"to": {"institution": bank.code, "reference": " \t"}},
        {"idempotencyKey": "k\0"},
    ]
    rows = []
    for more in wrong:
        rows += [bank.issue("1", **more), bank.issue("2")]
    answers = bank.trader.ask(BATCH, v=rows)["issuePointsBatch"]
    assert [answer.get("reason") for answer in answers[::2]] == ["INVALID_INPUT"] * len(wrong)
    assert [answer["__typename"] for answer in answers[1::2]] == ["Issue"] * len(wrong)
    assert bank.circulation() == "14.00"  # 7 × 2
    fine = {"memo": "备注 \u202e😀", "to": {"institution": bank.code, "reference": "r" * 199 + "😀"}}
    assert bank.trader.ask(ISSUE, v=bank.issue("1", **fine))["issuePoints"]["__typename"] == "Issue"
    assert bank.trader.code(ISSUE, v=bank.issue("1", currency="\0")) is None
    for query in (
        'query($t: String!) { customer(institution: "HUB", reference: $t) { id } }',
        "query($t: String!) { customer(institution: $t, reference: $t) { id } }",
        "query($t: String!) { institution(code: $t) { id } }",
        "query($t: String!) { pointCurrency(code: $t) { id } }",
        "query($t: ID!) { node(id: $t) { id } }",
        "query($t: ID!) { quote(id: $t) { id } }",
    ):
        assert list(bank.trader.ask(query, t="\0").values()) == [None]


def test_half_a_surrogate_pair_fails_the_request_over_http(bank: Bank) -> None:
    """JSON can spell it, UTF-8 cannot."""
    value = bank.issue("1", memo="MARK")
    body = json.dumps({"query": BATCH, "variables": {"v": [bank.issue("1"), value]}}).replace("MARK", "a\\ud800b")
    headers = {"authorization": f"Bearer {bank.trader.secret}", "content-type": "application/json"}
    answer = httpx2.post(f"{bank.operator.url}/graphql", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert bank.circulation() == "0.00"
    literal = 'query { institution(code: "\\ud800") { id } }'
    assert bank.trader.code(literal) == "PARSE_FAILED"


def test_half_a_surrogate_pair_over_a_websocket_is_no_message(bank: Bank) -> None:
    half = "a\ud800b"
    node = "query($r: ID!) { node(id: $r) { id } }"
    for query, variables in (
        (BATCH, {"v": [bank.issue("1", memo=half), bank.issue("2"), bank.issue("1", idempotencyKey=half)]}),
        (node, {"r": half}),
        (half, {}),
    ):
        with Socket(bank.trader) as socket:
            assert socket.hear() == {"type": "connection_ack"}
            socket.subscribe("q", query, **variables)
            with pytest.raises(ConnectionClosed) as closed:
                socket.hear()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4400
    assert bank.circulation() == "0.00"


# --- batches and bodies -----------------------------------------------------------------------------------------------


def test_a_batch_has_at_most_ten_thousand_rows(bank: Bank) -> None:
    row = bank.issue("1")
    assert errors(bank.trader, BATCH, v=[row] * 10_001) == ["BAD_INPUT"]
    assert bank.circulation() == "0.00"
    assert bank.trader.ask(BATCH, v=[])["issuePointsBatch"] == []
    answers = bank.trader.ask(BATCH, v=[row] * 3)["issuePointsBatch"]  # one key thrice in one batch is one act
    assert answers == [{"__typename": "Issue", "points": {"amount": "1.00"}}] * 3
    assert bank.circulation() == "1.00"


def test_a_body_has_at_most_sixteen_mebibytes(bank: Bank) -> None:
    answer = bank.trader.post("{ hub { name } }", {"filling": "x" * (16 << 20)})
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["extensions"]["code"] == "BODY_TOO_LARGE"


def test_instants_need_a_zone_and_sense(bank: Bank) -> None:
    for wrong in ("2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "now", 0, "2026-01-01T25:00:00Z"):
        assert errors(bank.trader, ISSUE, v=bank.issue("1", expiresAt=wrong)) == ["BAD_INPUT"], wrong
    for more in ({"expiresAt": "2000-01-01T00:00:00Z"}, {"earnedAt": "9999-01-01T00:00:00Z"}):
        assert bank.trader.ask(ISSUE, v=bank.issue("1", **more))["issuePoints"]["reason"] == "INVALID_INPUT"


# --- languages --------------------------------------------------------------------------------------------------------


def test_a_refusal_speaks_the_caller_s_language_replayed_or_not(bank: Bank) -> None:
    transfer = {
        "idempotencyKey": key(),
        "currency": bank.points,
        "from": {"institution": bank.code, "reference": "c"},
        "to": {"institution": bank.code, "reference": "d"},
        "amount": "5",
    }
    bank.trader.ask(ISSUE, v=bank.issue("1.25"))
    said: dict[str, str] = {}
    for language in ("zh-CN,zh;q=0.9,en;q=0.5", "en", "fr", "en;q=0.1, zh-Hant"):
        client = Client(bank.trader.url, bank.trader.secret, language)
        answer = client.do("transferPoints", transfer)
        assert (answer["reason"], answer["replayed"]) == ("INSUFFICIENT_POINTS", bool(said))
        said[language] = answer["message"]
    english, chinese = "The customer has 1.25 points available, not enough.", "客户可用积分为 1.25，余额不足。"
    assert list(said.values()) == [chinese, english, english, chinese]


def test_every_refusal_that_names_figures_says_them_in_both_languages(network: Network) -> None:
    bank, operator = Bank(network), network.operator
    issued = network.issue(bank.points, bank.code, "c", "10")
    back = {"id": issued, "reason": "r", "amount": "4"}
    assert operator.do("reverse", back | {"idempotencyKey": key()})["__typename"] == "Reversal"
    over = back | {"idempotencyKey": key(), "amount": "7"}
    said = {
        language: Client(operator.url, operator.secret, language).do("reverse", over)["message"]
        for language in ("en", "zh")
    }
    assert said == {
        "en": "The reversals together would be more than the original; 6.00 is left to reverse.",  # 10 - 4
        "zh": "累计冲正数额超过原交易，剩余可冲正数额为 6.00。",
    }
    unknown = bank.issue("1", currency=unique("NONE"))
    answer = bank.trader.ask(ISSUE, v=unknown)["issuePoints"]
    assert answer["message"] == f"There is no currency {unknown['currency']}."
