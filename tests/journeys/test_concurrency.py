"""Many requests at once, over connections that both workers serve: every effect once, every cap held, nothing lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import httpx2
import pytest

from tests.conftest import noon
from tests.hub.programs import Served, children
from tests.journeys.client import ANSWERS, REFUSED, Client, key
from tests.journeys.network import Network, unique

CONNECTIONS = 8  # handed to the two workers in turn, four to each


class Crowd:
    """Kept connections of one key."""

    def __init__(self, url: str, connections: Sequence[httpx2.AsyncClient]) -> None:
        self.url = f"{url}/graphql"
        self.connections = connections

    async def do(self, at: int, mutation: str, value: Any) -> Any:
        """A mutation's answer over connection number ``at``, modulo their number."""
        argument, kind, selection = ANSWERS[mutation]
        query = f"mutation($v: {kind}) {{ {mutation}({argument}: $v) {{ __typename {selection} {REFUSED} }} }}"
        connection = self.connections[at % len(self.connections)]
        answer = (await connection.post(self.url, json={"query": query, "variables": {"v": value}})).json()
        assert "errors" not in answer, answer
        return answer["data"][mutation]

    async def at_once(self, mutation: str, values: Sequence[Any]) -> list[Any]:
        """The answers to all, each over the next connection."""
        return list(await asyncio.gather(*(self.do(at, mutation, value) for at, value in enumerate(values))))


@asynccontextmanager
async def crowd(client: Client) -> AsyncIterator[Crowd]:
    """Connections that are open: each has asked once, one after the other, so that the workers got them in turn."""
    one = httpx2.Limits(max_connections=1)
    headers = {"authorization": f"Bearer {client.secret}"}
    async with AsyncExitStack() as stack:
        # Without certificates, which nobody shows here and which take longer to load than all that is asked.
        made = [httpx2.AsyncClient(headers=headers, limits=one, timeout=60, verify=False) for _ in range(CONNECTIONS)]
        for connection in made:
            await stack.enter_async_context(connection)
            answer = await connection.post(f"{client.url}/graphql", json={"query": "{ viewer { roles } }"})
            assert answer.status_code == 200
        yield Crowd(client.url, made)


class Bank:
    """A bank with one currency, of two decimal places, and a trader."""

    def __init__(self, network: Network, *, scale: int = 2) -> None:
        self.network, self.operator = network, network.operator
        self.code = network.institution("BANK")
        self.points = network.currency("P", self.code, scale=scale)
        self.trader = network.person(self.code, "INSTITUTION_TRADER")

    def transfer(self, giver: str, taker: str, amount: str, name: str | None = None) -> dict[str, Any]:
        """A transfer between two of its customers."""
        return {
            "idempotencyKey": name or key(),
            "currency": self.points,
            "from": {"institution": self.code, "reference": giver},
            "to": {"institution": self.code, "reference": taker},
            "amount": amount,
        }

    def balance(self, reference: str) -> str:
        """What a customer holds."""
        return self.operator.balance(self.code, reference, self.points)


async def test_one_key_sent_twenty_times_at_once_has_one_effect_and_one_answer(network: Network) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "100")
    async with crowd(bank.trader) as many:
        answers = await many.at_once("transferPoints", [bank.transfer("a", "b", "3.00", "same")] * 20)
    assert {answer["__typename"] for answer in answers} == {"Transfer"}
    assert len({answer["id"] for answer in answers}) == 1
    assert Counter(answer["replayed"] for answer in answers) == {False: 1, True: 19}
    assert (bank.balance("a"), bank.balance("b")) == ("97.00", "3.00")


async def test_requests_that_fail_halfway_leave_no_transaction_open_for_those_after_them(network: Network) -> None:
    """A field that fails cancels those beside it, also while their transaction begins. What is answered afterwards is
    committed, and what is read is of now, whichever connection of the database it comes over."""
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "100")
    auditor = network.person(bank.code, "INSTITUTION_AUDITOR")
    customer = f'institution: "{bank.code}", reference: "a"'
    at_once = f"{{ customer({customer}) {{ id }} bad: institutions(first: 0) {{ edges {{ cursor }} }} }}"
    later = (
        f'query($at: DateTime!) {{ balanceAt(customer: {{ {customer} }}, currency: "{bank.points}", at: $at)'
        f' {{ total }} bad: trialBalance(day: "2026-11-20") {{ day }} }}'
    )
    async with crowd(auditor) as many, crowd(bank.trader) as traders:

        async def ask(connection: httpx2.AsyncClient, query: str, **variables: Any) -> Any:
            answer = await connection.post(many.url, json={"query": query, "variables": variables})
            return answer.json()

        async def spoil(connection: httpx2.AsyncClient) -> None:
            for _ in range(20):
                assert "errors" in await ask(connection, at_once)
                now = datetime.now(UTC) - timedelta(milliseconds=2)
                assert "errors" in await ask(connection, later, at=now.isoformat())

        async def read(connection: httpx2.AsyncClient) -> list[str]:
            query = f"{{ customer({customer}) {{ balances {{ total }} }} }}"
            return [(await ask(connection, query))["data"]["customer"]["balances"][0]["total"] for _ in range(3)]

        for left in (99, 98, 97):
            await asyncio.gather(*map(spoil, many.connections))
            answer = await traders.do(left, "transferPoints", bank.transfer("a", "b", "1"))
            assert answer["__typename"] == "Transfer", answer
            found = await asyncio.gather(*map(read, many.connections))
            assert Counter(chain(*found)) == {f"{left}.00": 3 * CONNECTIONS}


async def test_one_key_with_two_requests_at_once_has_the_effect_of_one_and_conflicts_for_the_other(
    network: Network,
) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "100")
    for round_ in range(5):
        name = f"two{round_}"
        async with crowd(bank.trader) as many:
            values = [bank.transfer("a", "b", amount, name) for amount in ("1", "2")]
            answers = await many.at_once("transferPoints", values)
        kinds = sorted(answer["__typename"] for answer in answers)
        assert kinds == ["Refused", "Transfer"]
        refused = next(answer for answer in answers if answer["__typename"] == "Refused")
        assert (refused["reason"], refused["retryable"]) == ("IDEMPOTENCY_CONFLICT", False)
        winner = answers.index(next(answer for answer in answers if answer["__typename"] == "Transfer"))
        again = bank.trader.do("transferPoints", values[winner])
        assert again == answers[winner] | {"replayed": True}
        loser = bank.trader.do("transferPoints", values[1 - winner])
        assert loser["reason"] == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize("other", ["1.00", "1"])
async def test_the_same_amount_in_other_digits_is_the_same_request(network: Network, other: str) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "5")
    values = [bank.transfer("a", "b", amount, "digits") for amount in ("1.0", other)]
    async with crowd(bank.trader) as many:
        first, second = await many.at_once("transferPoints", values)
    assert first["id"] == second["id"]
    assert {first["replayed"], second["replayed"]} == {True, False}
    assert first["points"] == second["points"] == {"amount": "1.00", "currency": bank.points}
    assert (bank.balance("a"), bank.balance("b")) == ("4.00", "1.00")
    conflict = bank.trader.do("transferPoints", bank.transfer("a", "b", "1.01", "digits"))
    assert conflict["reason"] == "IDEMPOTENCY_CONFLICT"


async def test_what_a_limit_leaves_is_granted_once_to_many_at_once(network: Network) -> None:
    """A hundred points a day for each customer, asked for by 40 requests of 8 through both workers."""
    bank = Bank(network, scale=0)
    terms = {"act": "ISSUE", "period": "DAY", "mode": "CLIP", "timeZone": noon()}
    made = network.operator.do("setLimit", currency=bank.points, code="day", amount="100", terms=terms)
    assert made["__typename"] == "Limit"
    issuer = network.person(bank.code, "INSTITUTION_TRADER")
    to = {"institution": bank.code, "reference": "a"}
    rows = [{"idempotencyKey": key(), "currency": bank.points, "to": to, "amount": "8"} for _ in range(40)]
    async with crowd(issuer) as many:
        answers = await many.at_once("issuePoints", rows)
    granted = Counter(answer["points"]["amount"] for answer in answers if answer["__typename"] == "Issue")
    assert granted == {"8": 12, "4": 1}  # 12 × 8 and 4
    assert Counter(answer.get("reason") for answer in answers) == {None: 13, "LIMIT_EXCEEDED": 27}
    assert bank.balance("a") == "100"
    first = next(answer for answer in answers if answer["__typename"] == "Issue")
    issuer.do("reverse", idempotencyKey=key(), id=first["id"], reason="returned")
    again = issuer.do("issuePoints", rows[0] | {"idempotencyKey": key(), "amount": "100"})
    assert again["points"]["amount"] == first["points"]["amount"]


async def test_one_key_for_two_operations_is_a_conflict(network: Network) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "5")
    bank.trader.do("transferPoints", bank.transfer("a", "b", "1", "op"))
    issue = {
        "idempotencyKey": "op",
        "currency": bank.points,
        "to": {"institution": bank.code, "reference": "b"},
        "amount": "1",
    }
    assert bank.trader.do("issuePoints", issue)["reason"] == "IDEMPOTENCY_CONFLICT"


class Capped:
    """A bank whose points are worth a yuan each, which may owe 100 CNY, and conversions that make it owe 80 each."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.bank, self.air = network.institution("BANK"), network.institution("AIR", "AIRLINE")
        self.a = network.currency("A", self.bank, "1.00")
        self.b = network.currency("B", self.air, "1.00")
        network.rate(self.a, self.b, 1, 1)
        for reference in ("x", "y"):
            network.issue(self.a, self.bank, reference, "80")
        network.operator.do("setDebitCap", institution=self.bank, currency="CNY", amount="100")
        self.rows = [
            {
                "idempotencyKey": key(),
                "source": {"institution": self.bank, "reference": reference},
                "target": {"institution": self.air, "reference": reference},
                "sourceCurrency": self.a,
                "targetCurrency": self.b,
                "sourceAmount": "80",
            }
            for reference in ("x", "y")
        ]

    def check(self, answers: Sequence[Any]) -> None:
        """80 passes; 80 + 80 = 160 > 100 does not."""
        assert sorted(answer["__typename"] for answer in answers) == ["Conversion", "Refused"]
        refused = next(answer for answer in answers if answer["__typename"] == "Refused")
        assert refused["reason"] == "LIMIT_EXCEEDED"
        details = {row["key"]: row["value"] for row in refused["details"]}
        assert details == {"institution": self.bank, "currency": "CNY", "cap": "100.00", "exposure": "160.00"}
        assert refused["message"] == f"This would take {self.bank} to 160.00, beyond its debit cap of 100.00."
        query = "query($c: String!) { institution(code: $c) { positions { own exposure available } } }"
        found = self.network.operator.ask(query, c=self.bank)["institution"]["positions"]
        assert found == [{"own": "-80.00", "exposure": "80.00", "available": "20.00"}]
        operator = self.network.operator
        left = sorted(operator.balance(self.bank, reference, self.a) for reference in ("x", "y"))
        assert left == ["0", "80"]


def test_a_cap_holds_between_the_rows_of_one_batch(network: Network) -> None:
    capped = Capped(network)
    answers = network.operator.do("convertBatch", capped.rows)
    capped.check(answers)
    assert answers[0]["__typename"] == "Conversion"  # in order


async def test_a_cap_holds_between_requests_at_once(network: Network) -> None:
    for _ in range(3):
        capped = Capped(network)
        async with crowd(network.operator) as many:
            capped.check(await many.at_once("convert", capped.rows))


async def test_rings_of_transfers_in_both_directions_conserve_points(network: Network) -> None:
    """10 customers with 1.00 each hand 0.60 around both ways: many run dry, none goes below zero, the sum is 10.00."""
    bank = Bank(network)
    people = [f"r{n}" for n in range(10)]
    for person in people:
        network.issue(bank.points, bank.code, person, "1.00")
    values = [bank.transfer(people[n % 10], people[(n + step) % 10], "0.60") for n in range(60) for step in (1, -1)]
    async with crowd(bank.trader) as many:
        answers = await many.at_once("transferPoints", values)
    reasons = Counter(answer.get("reason", answer["__typename"]) for answer in answers)
    assert reasons.keys() <= {"Transfer", "INSUFFICIENT_POINTS"}
    assert reasons["Transfer"] >= 10  # each could give once
    balances = dict.fromkeys(people, 100)
    for value, answer in zip(values, answers, strict=True):
        if answer["__typename"] == "Transfer":
            balances[value["from"]["reference"]] -= 60
            balances[value["to"]["reference"]] += 60
    assert all(units >= 0 for units in balances.values())
    assert {person: bank.balance(person) for person in people} == {
        person: f"{units // 100}.{units % 100:02d}" for person, units in balances.items()
    }
    query = "query($c: String!) { pointCurrency(code: $c) { circulation { amount } } }"
    assert bank.operator.ask(query, c=bank.points)["pointCurrency"]["circulation"] == {"amount": "10.00"}


async def test_a_currency_is_known_to_the_very_next_request_on_any_connection(network: Network) -> None:
    home = network.institution("BANK")
    async with crowd(network.operator) as many:
        for n in range(30):
            code = unique("NEW")
            value = {"amount": "0.05", "currency": "CNY"}
            new = {"code": code, "name": code, "issuer": home, "unitValue": value}
            assert (await many.do(n, "registerPointCurrency", new))["code"] == code
            issue = {
                "idempotencyKey": key(),
                "currency": code,
                "to": {"institution": home, "reference": "c"},
                "amount": "1",
            }
            if n % 2:  # alone
                assert (await many.do(n + 1, "issuePoints", issue))["__typename"] == "Issue"
            else:  # in a batch, whose rights are tested before
                assert (await many.do(n + 1, "issuePointsBatch", [issue]))[0]["__typename"] == "Issue"
            body = {"query": f'{{ pointCurrency(code: "{code}") {{ circulation {{ amount }} }} }}'}
            found = (await many.connections[(n + 2) % CONNECTIONS].post(many.url, json=body)).json()
            assert found == {"data": {"pointCurrency": {"circulation": {"amount": "1"}}}}


async def test_a_new_trader_may_act_at_once_on_any_connection(network: Network) -> None:
    """A batch tests rights with what the worker knows, which must not be older than the key."""
    bank = Bank(network)
    for n in range(6):
        trader = network.person(bank.code, "INSTITUTION_TRADER")
        issue = {
            "idempotencyKey": key(),
            "currency": bank.points,
            "to": {"institution": bank.code, "reference": f"n{n}"},
            "amount": "1",
        }
        assert trader.do("issuePointsBatch", [issue])[0]["__typename"] == "Issue"


def test_ten_thousand_transfers_in_one_request(network: Network) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "rich", "99.00")  # 9,900 transfers of 0.01
    rows = [bank.transfer("rich", f"t{n % 50}", "0.01") for n in range(10_000)]
    answers = bank.trader.do("transferPointsBatch", rows)
    found = [answer.get("reason", answer["__typename"]) for answer in answers]
    assert found == ["Transfer"] * 9_900 + ["INSUFFICIENT_POINTS"] * 100  # in order, each standing alone
    assert len({answer["id"] for answer in answers[:9_900]}) == 9_900
    assert bank.balance("rich") == "0.00"
    assert bank.balance("t0") == "1.98"  # 9,900 / 50 = 198
    again = bank.trader.do("transferPointsBatch", rows)
    assert [answer["replayed"] for answer in again] == [True] * 10_000
    assert [answer.get("id") for answer in again] == [answer.get("id") for answer in answers]
    assert bank.balance("t0") == "1.98"


def test_no_worker_is_lost_over_long_batches_of_new_customers(network: Network, running: Served) -> None:
    bank = Bank(network)
    at_work = children(running.process.pid)
    for first in range(0, 5_000, 1_000):
        rows = [
            {
                "idempotencyKey": key(),
                "currency": bank.points,
                "to": {"institution": bank.code, "reference": f"new-{n}"},
                "amount": "1",
            }
            for n in range(first, first + 1_000)
        ]
        assert {one["__typename"] for one in bank.trader.do("issuePointsBatch", rows)} == {"Issue"}
    assert children(running.process.pid) == at_work  # see ``running``: what is written beyond its own ends a worker


async def test_a_refused_key_stays_refused_when_the_points_have_come(network: Network) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "1")
    value = bank.transfer("a", "b", "5")
    first = bank.trader.do("transferPoints", value)
    assert (first["reason"], first["replayed"], first["retryable"]) == ("INSUFFICIENT_POINTS", False, True)
    network.issue(bank.points, bank.code, "a", "100")
    async with crowd(bank.trader) as many:
        again = await many.at_once("transferPoints", [value] * CONNECTIONS)
    assert again == [first | {"replayed": True}] * CONNECTIONS
    assert bank.balance("a") == "101.00"
    assert bank.trader.do("transferPoints", value | {"idempotencyKey": key()})["__typename"] == "Transfer"


async def test_a_quote_is_used_once_however_many_execute_it_at_once(network: Network) -> None:
    capped = Capped(network)
    ask = {name: part for name, part in capped.rows[0].items() if name != "idempotencyKey"} | {"sourceAmount": "10"}
    quote = network.operator.do("requestQuote", ask)["id"]
    async with crowd(network.operator) as many:
        values = [{"idempotencyKey": key(), "quoteId": quote} for _ in range(10)]
        answers = await many.at_once("executeQuote", values)
    found = Counter(answer.get("reason", answer["__typename"]) for answer in answers)
    assert found == {"Conversion": 1, "QUOTE_USED": 9}
    assert network.operator.balance(capped.bank, "x", capped.a) == "70"


async def test_reversals_at_once_never_give_back_more_than_was_credited(network: Network) -> None:
    bank = Bank(network)
    network.issue(bank.points, bank.code, "a", "10")
    sent = bank.trader.do("transferPoints", bank.transfer("a", "b", "10"))
    async with crowd(bank.trader) as many:
        values = [{"idempotencyKey": key(), "id": sent["id"], "amount": "3", "reason": "r"} for _ in range(8)]
        answers = await many.at_once("reverse", values)
    found = Counter(answer.get("reason", answer["__typename"]) for answer in answers)
    assert found == {"Reversal": 3, "EXCEEDS_ORIGINAL": 5}  # 3 × 3 = 9, and 9 + 3 > 10
    assert (bank.balance("a"), bank.balance("b")) == ("9.00", "1.00")
    refused = next(answer for answer in answers if answer["__typename"] == "Refused")
    assert refused["message"].startswith("The reversals together would be more than the original; 1.00 is left")


async def test_one_customer_enrolled_many_times_at_once_is_one_customer(network: Network) -> None:
    bank = Bank(network)
    async with crowd(bank.trader) as many:
        party = {"institution": bank.code, "reference": "one"}
        answers = await many.at_once("enrollCustomer", [party] * 12)
    found = Counter(answer.get("reason", answer["__typename"]) for answer in answers)
    assert found == {"Customer": 1, "DUPLICATE": 11}
