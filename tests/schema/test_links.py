"""Links through the API: two institutions make one, and nobody else sees it."""

from typing import Any

import pytest

from hub.access import Role
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.schema.acting import CONVERSION, REFUSED, act
from tests.schema.conftest import Caller, Client

LINK = """... on CustomerLink { id status replayed a { reference } b { reference institution { code } }
  changes { status institution { code } memo } }"""
LINKS = """query L($c: CustomerInput!, $status: CustomerLinkStatus) { customerLinks(customer: $c, status: $status) {
  edges { node { id status } } } }"""
NODE = "query N($id: ID!) { node(id: $id) { __typename id } }"


class Three:
    """BANK with alice, AIR with al and SHOP with a; a trader of each. NT of BANK is not transferable."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def found(self) -> "Three":
        hub = self.client.hub
        for code, reference in (("BANK", "alice"), ("AIR", "al"), ("SHOP", "a")):
            await hub.institution(code)
            await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party(code, reference)))
        await hub.currency("NT", "BANK", transferable=False)
        await hub.currency("MILE", "AIR")
        await hub.rate("NT", "MILE")
        await hub.issue("NT", "BANK", "alice", "100")
        self.bank, self.air, self.shop = [await self.trader(code) for code in ("BANK", "AIR", "SHOP")]
        return self

    async def trader(self, code: str) -> Caller:
        id, _ = await self.client.hub.key(code, Role.INSTITUTION_TRADER)
        return self.client.caller(id)

    async def propose(self, key: str = "p") -> Any:
        return await act(
            self.bank,
            "proposeCustomerLink",
            "ProposeCustomerLinkInput",
            LINK,
            idempotencyKey=key,
            a=party("BANK", "alice"),
            b=party("AIR", "al"),
            evidence="form 17",
        )

    async def convert(self, key: str) -> Any:
        return await act(
            self.bank,
            "convert",
            "ConvertInput",
            CONVERSION,
            idempotencyKey=key,
            source=party("BANK", "alice"),
            target=party("AIR", "al"),
            sourceCurrency="NT",
            targetCurrency="MILE",
            sourceAmount="10",
        )


def party(institution: str, reference: str) -> dict[str, str]:
    return {"institution": institution, "reference": reference}


async def change(caller: Caller, field: str, id: str, key: str, **more: str) -> Any:
    extra = "".join(f', {name}: "{value}"' for name, value in more.items())
    document = f"mutation M($id: ID!, $k: String!) {{ {field}(id: $id, idempotencyKey: $k{extra}) {{ __typename"
    return await caller.ask(f"{document} {LINK} {REFUSED} }} }}", id=id, k=key)


@pytest.fixture
async def three(client: Client) -> Three:
    return await Three(client).found()


async def test_a_link_from_its_proposal_to_its_end(three: Three) -> None:
    no = await three.convert("1")
    assert no["reason"] == "TRANSFER_FORBIDDEN"
    assert {"key": "requires", "value": "CUSTOMER_LINK"} in no["details"]
    assert "CUSTOMER_LINK" in no["message"]
    made = await three.propose()
    assert (made["status"], made["a"]["reference"], made["b"]["institution"]["code"]) == ("PROPOSED", "alice", "AIR")
    linked = await change(three.air, "acceptCustomerLink", made["id"], "a")
    assert (linked["id"], linked["status"]) == (made["id"], "ACTIVE")
    assert (await three.convert("2"))["__typename"] == "Conversion"
    ended = await change(three.air, "endCustomerLink", made["id"], "e", reason="no more")
    assert (ended["status"], ended["replayed"]) == ("ENDED", False)
    assert ended["changes"] == [
        {"status": "PROPOSED", "institution": {"code": "BANK"}, "memo": "form 17"},
        {"status": "ACTIVE", "institution": {"code": "AIR"}, "memo": None},
        {"status": "ENDED", "institution": {"code": "AIR"}, "memo": "no more"},
    ]
    again = await change(three.air, "endCustomerLink", made["id"], "e", reason="no more")
    assert again == ended | {"replayed": True}
    assert (await three.convert("3"))["reason"] == "TRANSFER_FORBIDDEN"
    assert (await three.convert("2"))["replayed"] is True


async def test_a_link_is_seen_from_both_sides_and_from_nowhere_else(three: Three) -> None:
    made = await three.propose()
    root = three.client.caller(three.client.hub.admin)
    shown = {"__typename": "CustomerLink", "id": made["id"]}
    row = {"edges": [{"node": {"id": made["id"], "status": "PROPOSED"}}]}
    for caller, sees in ((three.bank, True), (three.air, True), (root, True), (three.shop, False)):
        assert await caller.ask(NODE, id=made["id"]) == (shown if sees else None)
        for customer in (party("BANK", "alice"), party("AIR", "al")):
            assert await caller.ask(LINKS, c=customer) == (row if sees else {"edges": []})
    assert await three.bank.ask(LINKS, c=party("BANK", "alice"), status="ACTIVE") == {"edges": []}
    assert await three.bank.ask(LINKS, c=party("BANK", "nobody")) == {"edges": []}
    assert await three.bank.ask(LINKS, c=party("NONE", "alice")) == {"edges": []}


async def test_of_a_common_customer_each_side_sees_its_own_links_only(three: Three) -> None:
    """alice of BANK is linked with AIR and with SHOP; neither of them learns of the other."""
    with_air = await three.propose()
    with_shop = await act(
        three.shop,
        "proposeCustomerLink",
        "ProposeCustomerLinkInput",
        LINK,
        idempotencyKey="p",
        a=party("SHOP", "a"),
        b=party("BANK", "alice"),
    )
    found = {}
    for name, caller in (("bank", three.bank), ("air", three.air), ("shop", three.shop)):
        page = await caller.ask(LINKS, c=party("BANK", "alice"))
        found[name] = [edge["node"]["id"] for edge in page["edges"]]
    assert found == {
        "bank": [with_air["id"], with_shop["id"]],
        "air": [with_air["id"]],
        "shop": [with_shop["id"]],
    }


async def test_links_come_in_pages(three: Three) -> None:
    hub = three.client.hub
    made = []
    for number in range(3):
        made.append((await three.propose(f"p{number}"))["id"])
        await change(three.bank, "endCustomerLink", made[-1], f"e{number}", reason="no")
    paged = "query L($c: CustomerInput!, $a: String) { customerLinks(customer: $c, first: 2, after: $a) {"
    paged += " edges { node { id status } } pageInfo { hasNextPage endCursor } } }"
    first = await three.air.ask(paged, c=party("AIR", "al"))
    rest = await three.air.ask(paged, c=party("AIR", "al"), a=first["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for page in (first, rest) for edge in page["edges"]] == made
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert {edge["node"]["status"] for edge in first["edges"]} == {"REJECTED"}
    assert len(await hub.sql("SELECT 1 FROM customer_link")) == 6
