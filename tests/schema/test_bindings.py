"""Bindings through the API: an identifier is named in full on its way in, and masked on every way out."""

from typing import Any

import pytest

from hub.access import Role
from tests.schema.acting import CUSTOMER, act
from tests.schema.conftest import Caller, Client

BINDING = """... on Binding { id identifier from until memo replayed institution { code }
  customer { reference identifiers { identifier since } } }"""
CARD = "6217000000001111"
HISTORY = """query B($c: CustomerInput!, $first: Int, $after: String) {
  bindings(customer: $c, first: $first, after: $after) {
  edges { node { id identifier from until customer { reference } } } pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
async def bank(client: Client) -> Caller:
    """A trader of BANK, whose customers m and n are enrolled and whose points are BP."""
    hub = client.hub
    await hub.institution("BANK")
    await hub.institution("AIR")
    await hub.currency("BP", "BANK")
    id, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    caller = client.caller(id)
    for reference in ("m", "n"):
        await caller.ask(
            "mutation E($c: CustomerInput!) { enrollCustomer(input: $c) { __typename } }", c=party(reference)
        )
    return caller


def party(reference: str) -> dict[str, str]:
    return {"institution": "BANK", "reference": reference}


async def bind(caller: Caller, key: str, reference: str, card: str = CARD) -> Any:
    return await act(
        caller,
        "bindIdentifier",
        "BindIdentifierInput",
        BINDING,
        idempotencyKey=key,
        institution="BANK",
        identifier=card,
        customer=party(reference),
    )


async def unbind(caller: Caller, key: str) -> Any:
    return await act(
        caller,
        "unbindIdentifier",
        "UnbindIdentifierInput",
        BINDING,
        idempotencyKey=key,
        institution="BANK",
        identifier=CARD,
        reason="lost",
    )


async def spend(caller: Caller, key: str) -> str:
    made = await act(
        caller,
        "issuePoints",
        "IssuePointsInput",
        "... on Issue { customer { reference } }",
        idempotencyKey=key,
        currency="BP",
        to=party(CARD),
        amount="10",
    )
    return str(made["customer"]["reference"] if made["__typename"] == "Issue" else made["reason"])


async def test_example_30_through_the_api(bank: Caller) -> None:
    bound = await bind(bank, "1", "m")
    assert (bound["identifier"], bound["until"], bound["replayed"]) == ("****1111", None, False)
    assert bound["customer"] == {
        "reference": "m",
        "identifiers": [{"identifier": "****1111", "since": bound["from"]}],
    }
    assert await spend(bank, "s1") == "m"
    no = await bind(bank, "2", "n")
    assert no["reason"] == "ALREADY_BOUND"
    assert no["message"] == "****1111 is bound to a customer already."
    assert no["details"] == [{"key": "identifier", "value": "****1111"}, {"key": "institution", "value": "BANK"}]
    ended = await unbind(bank, "3")
    assert (ended["id"], ended["memo"], ended["customer"]["identifiers"]) == (bound["id"], "lost", [])
    assert ended["until"] > ended["from"]
    assert await spend(bank, "s2") == "NOT_FOUND"
    await bind(bank, "4", "n")
    assert await spend(bank, "s3") == "n"
    assert await spend(bank, "s1") == "m"  # the same request, the same answer
    totals = [
        (await bank.ask(CUSTOMER, institution="BANK", reference=one))["balances"][0]["total"] for one in ("m", "n")
    ]
    assert totals == ["10", "10"]
    again = await bind(bank, "1", "m")
    assert again | {"replayed": False} == bound | {
        "until": ended["until"],
        "memo": "lost",
        "customer": {"reference": "m", "identifiers": []},
    }


async def test_a_refusal_is_said_in_chinese(client: Client, bank: Caller) -> None:
    await bind(bank, "1", "m")
    chinese = Caller(client, bank.credential, "zh")
    assert (await bind(chinese, "2", "n"))["message"] == "****1111 已绑定客户，请先解绑。"


async def test_the_history_is_a_page_of_the_newest_first(bank: Caller) -> None:
    first = await bind(bank, "1", "m")
    await unbind(bank, "2")
    second = await bind(bank, "3", "m")
    third = await bind(bank, "4", "m", "short")
    await bind(bank, "5", "n", "6217000000002222")
    page = await bank.ask(HISTORY, c=party("m"), first=2)
    assert [edge["node"]["id"] for edge in page["edges"]] == [third["id"], second["id"]]
    assert [edge["node"]["identifier"] for edge in page["edges"]] == ["****", "****1111"]
    assert page["pageInfo"]["hasNextPage"]
    rest = await bank.ask(HISTORY, c=party(CARD), after=page["pageInfo"]["endCursor"])  # named by what it asks about
    [last] = rest["edges"]
    assert (last["node"]["id"], last["node"]["until"] is None) == (first["id"], False)
    assert await bank.ask(HISTORY, c=party("nobody")) == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "endCursor": None},
    }


async def test_a_binding_is_a_node_for_who_sees_the_customer_from_within(client: Client, bank: Caller) -> None:
    bound = await bind(bank, "1", "m")
    stranger, _ = await client.hub.key("AIR", Role.INSTITUTION_TRADER)
    node = "query N($id: ID!) { node(id: $id) { __typename id } }"
    assert await bank.ask(node, id=bound["id"]) == {"__typename": "Binding", "id": bound["id"]}
    assert await client.caller(stranger).ask(node, id=bound["id"]) is None
    assert (await bank.ask(CUSTOMER, institution="BANK", reference=CARD))["reference"] == "m"
    assert await client.caller(stranger).ask(CUSTOMER, institution="BANK", reference=CARD) is None
