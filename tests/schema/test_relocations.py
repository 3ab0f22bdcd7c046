"""Relocations over the API: proposed with a partner that answers, approved, fixed, compared, completed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate

from adapters.registry import Checked
from hub import ids, keepers, relocations
from hub.access import Role
from hub.partners import Capabilities, Operation
from schema.api import api
from tests.hub.moved import Moving, One, Played
from tests.schema.acting import REFUSED, act
from tests.schema.conftest import Caller, Client

FIELDS = """... on Relocation { id status leaves adapter startsAt memo proposedBy approvedBy round customers ours theirs
  differing more less accepted moved endedAt currency { code adapter } waitsFor { what count } }"""


class Adapters(One):
    """The one adapter that there is, whose configuration is anything."""

    def schemas(self) -> list[tuple[str, dict[str, Any]]]:
        return []

    async def check(self, name: str, configuration: object, /) -> Checked:
        can = self.played.capabilities
        return Checked("{}", can.scale, tuple(one.value for one in can.operations), ())


@dataclass
class Desk:
    client: Client
    bank: Moving
    root: Caller
    second: Caller
    issuer: Caller

    async def propose(self, caller: Caller, **more: Any) -> Any:
        asked = {"currency": "BP", "adapter": "played", "adapterConfig": {}, "reason": "A new system."}
        return await act(caller, "proposeRelocation", "ProposeRelocationInput", FIELDS, **(asked | more))

    async def do(self, caller: Caller, name: str, id: str, more: str = "") -> Any:
        return await caller.ask(
            f"mutation($id: ID!) {{ {name}(id: $id{more}) {{ __typename {FIELDS} {REFUSED} }} }}", id=id
        )

    async def compared(self, id: str) -> None:
        run = await relocations.by_id(self.bank.hub.database, ids.number(id, ids.RELOCATION) or 0)
        assert run is not None
        await self.bank.compare(run)


@pytest.fixture
async def desk(client: Client) -> Desk:
    bank = await Moving(client.hub, Played({"alice": 31_000, "bob": 20_000, "carol": 5_000})).open()
    client.adapters = Adapters(bank.partner)  # type: ignore[assignment]
    admin, _ = await client.hub.key("BANK", Role.INSTITUTION_ADMIN, person="Lin")
    hub = client.hub
    return Desk(client, bank, client.caller(hub.admin), client.caller(hub.second), client.caller(admin))


async def test_a_currency_moves_from_proposal_to_completion(desk: Desk) -> None:
    made = await desk.propose(desk.issuer)
    assert (made["status"], made["leaves"], made["adapter"]) == ("PROPOSED", "hosted", "played")
    assert (made["proposedBy"], made["waitsFor"]) == (None, [])  # who the persons are is for the operator's eyes
    assert desk.bank.partner.asked == [keepers.NOBODY]
    approved = await desk.do(desk.root, "approveRelocation", made["id"])
    assert (approved["status"], approved["proposedBy"], approved["approvedBy"]) == ("APPROVED", "Lin", "root")
    halts = await desk.issuer.ask('{ pointCurrency(code: "BP") { haltsAt } }')
    assert halts["haltsAt"] >= approved["startsAt"]
    refused = await act(
        desk.client.caller(desk.client.hub.admin, "zh"), "issuePoints", "IssuePointsInput", "... on Issue { id }",
        idempotencyKey="k", currency="BP", amount="1", to={"institution": "BANK", "reference": "alice"},
    )  # fmt: skip
    assert (refused["reason"], refused["retryable"]) == ("CURRENCY_MOVING", True)
    assert refused["message"] == "BP 的余额正在迁移，请在迁移完成后再试。"
    assert (await desk.do(desk.root, "fixBalances", made["id"]))["status"] == "FIXED"
    await desk.compared(made["id"])
    told = await desk.issuer.ask(
        """query($id: ID!) { relocation(id: $id) { status customers ours theirs differing more less
          differences(first: 1) {
            edges { node { ours theirs customer { reference } } } pageInfo { hasNextPage } } } }""",
        id=made["id"],
    )
    assert told == {
        "status": "COMPARED", "customers": 3, "ours": "550", "theirs": "560", "differing": 1, "more": "10", "less": "0",
        "differences": {
            "edges": [{"node": {"ours": "300", "theirs": "310", "customer": {"reference": "alice"}}}],
            "pageInfo": {"hasNextPage": False},
        },
    }  # fmt: skip
    assert (await desk.do(desk.root, "completeRelocation", made["id"]))["reason"] == "NOT_ACCEPTED"
    accepting = {"relocationId": made["id"], "differing": 1, "more": "10", "less": "0"}
    for caller, accepted in ((desk.root, False), (desk.second, True)):
        after = await act(caller, "acceptDifferences", "AcceptDifferencesInput", FIELDS, **accepting)
        assert after["accepted"] is accepted
    begun = await desk.do(desk.root, "completeRelocation", made["id"])
    assert begun["status"] == "MOVING"
    [moving] = await relocations.moving(desk.client.hub.database)
    await relocations.work_off(desk.client.hub.database, desk.client.hub.engine, moving)
    listed = await desk.issuer.ask(
        '{ relocations(currency: "BP") { edges { node {'
        " id status moved currency { adapter circulation { amount } } } } } }"
    )
    assert listed["edges"] == [
        {
            "node": {
                "id": made["id"], "status": "DONE", "moved": "550",
                "currency": {"adapter": "played", "circulation": {"amount": "560"}},
            }
        }
    ]  # fmt: skip


async def test_nothing_is_proposed_to_a_partner_that_does_not_answer(desk: Desk) -> None:
    desk.client.adapters.is_reached = False  # type: ignore[attr-defined]
    assert (await desk.propose(desk.issuer))["reason"] == "PARTNER_UNAVAILABLE"
    desk.client.adapters.is_reached = True  # type: ignore[attr-defined]
    desk.bank.partner.capabilities = Capabilities(operations=frozenset({Operation.CREDIT}), unit="P", scale=2)
    refused = await desk.propose(desk.issuer)
    assert (refused["reason"], refused["details"][0]["value"]) == ("INVALID_INPUT", "The partner cannot do DEBIT.")
    assert (await desk.propose(desk.issuer, currency="NONE"))["reason"] == "UNKNOWN_CURRENCY"


async def test_what_a_relocation_waits_for_is_told(desk: Desk) -> None:
    made = await desk.propose(desk.root)
    await act(
        desk.root, "requestQuote", "RequestQuoteInput", "... on Quote { id }",
        source={"institution": "BANK", "reference": "alice"}, target={"institution": "SHOP", "reference": "carol"},
        sourceCurrency="BP", targetCurrency="MILE", sourceAmount="5",
    )  # fmt: skip
    approved = await desk.do(desk.second, "approveRelocation", made["id"])
    assert approved["waitsFor"] == [{"what": "quotes", "count": 1}]
    refused = await desk.do(desk.root, "fixBalances", made["id"])
    assert refused["reason"] == "CURRENCY_MOVING"
    assert refused["message"] == "The balances of BP cannot be fixed yet: something is still under way (quotes 1)."
    cancelled = await desk.do(desk.issuer, "cancelRelocation", made["id"], ', reason: "not now"')
    assert (cancelled["status"], cancelled["waitsFor"]) == ("CANCELLED", [])


def test_what_the_guide_asks_is_what_the_api_answers() -> None:
    guide = Path("docs/guides/move-a-currency.md").read_text(encoding="utf-8")
    documents = re.findall(r"```graphql\n(.*?)```", guide, re.S)
    assert len(documents) == 6
    for document in documents:
        assert validate(api._schema, parse(document)) == [], document
