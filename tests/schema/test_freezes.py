"""Freezes, restrictions, debts and cancellations over the API, as when an order is returned; who sees what of it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hub.access import Role
from tests.schema.acting import act
from tests.schema.conftest import Caller, Client

FREEZE = """... on Freeze { id points { amount currency } frozen shortfall status removed debt writtenOff replayed
  customer { reference } }"""
BALANCE = """query B($c: String!, $r: String!) { customer(institution: $c, reference: $r) {
  balances { currency { code } total available held frozen debt } } }"""


class Bank:
    """BANK issues P, and COOP below it has customers; AIR issues MILE. ``root`` is the operator's administrator."""

    def __init__(self, client: Client) -> None:
        self.client, self.root = client, client.caller(client.hub.admin)
        self._keys = 0

    async def found(self) -> "Bank":
        hub = self.client.hub
        await hub.institution("BANK")
        await hub.institution("COOP", parent="BANK")
        await hub.institution("AIR")
        await hub.currency("P", "BANK")
        await hub.currency("MILE", "AIR", scale=1)
        self.bank, self.coop, self.air = [await self.trader(code) for code in ("BANK", "COOP", "AIR")]
        return self

    async def trader(self, code: str) -> Caller:
        id, _ = await self.client.hub.key(code, Role.INSTITUTION_TRADER, Role.INSTITUTION_ADMIN, person=code)
        return self.client.caller(id)

    def key(self) -> str:
        self._keys += 1
        return f"k{self._keys}"

    async def issue(self, reference: str, amount: str, **more: Any) -> Any:
        return await act(
            self.root,
            "issuePoints",
            "IssuePointsInput",
            "... on Issue { id record }",
            **{"idempotencyKey": self.key(), "currency": "P", "to": party(reference), "amount": amount, **more},
        )

    async def freeze(self, reference: str, amount: str, caller: Caller | None = None, **more: Any) -> Any:
        given = {"idempotencyKey": self.key(), "currency": "P", "customer": party(reference), "amount": amount}
        return await act(
            caller or self.root, "freezePoints", "FreezePointsInput", FREEZE, **given, **{"reason": "return", **more}
        )

    async def decide(self, id: str, outcome: str, caller: Caller | None = None, **more: Any) -> Any:
        given = {"idempotencyKey": self.key(), "freezeId": id, "outcome": outcome, "reason": "verified", **more}
        return await act(caller or self.root, "resolveFreeze", "ResolveFreezeInput", FREEZE, **given)

    async def balance(self, reference: str, caller: Caller | None = None) -> dict[str, str]:
        found = await (caller or self.root).ask(BALANCE, c="COOP", r=reference)
        [only] = found["balances"]
        assert only.pop("currency") == {"code": "P"}
        return dict(only)


def party(reference: str, institution: str = "COOP") -> dict[str, str]:
    return {"institution": institution, "reference": reference}


def shown(total: int, available: int, frozen: int = 0, debt: int = 0) -> dict[str, str]:
    return {
        "total": str(total),
        "available": str(available),
        "held": "0",
        "frozen": str(frozen),
        "debt": str(debt),
    }


@pytest.fixture
async def bank(client: Client) -> Bank:
    return await Bank(client).found()


async def test_a_return_freezes_what_the_order_earned(bank: Bank) -> None:
    """Of 500 points 120 were earned by the order that is returned."""
    await bank.issue("x", "500")
    opened = await bank.freeze("x", "120")
    assert opened == {
        "__typename": "Freeze",
        "id": opened["id"],
        "points": {"amount": "120", "currency": "P"},
        "frozen": "120",
        "shortfall": "0",
        "status": "FROZEN",
        "removed": "0",
        "debt": "0",
        "writtenOff": "0",
        "replayed": False,
        "customer": {"reference": "x"},
    }
    assert await bank.balance("x") == shown(500, 380, frozen=120)
    rejected = await bank.decide(opened["id"], "RELEASE")
    assert (rejected["status"], rejected["removed"]) == ("RELEASED", "0")
    assert await bank.balance("x") == shown(500, 500)
    again = await bank.freeze("x", "120")
    refunded = await bank.decide(again["id"], "REMOVE")
    assert (refunded["status"], refunded["removed"], refunded["debt"]) == ("REMOVED", "120", "0")
    assert await bank.balance("x") == shown(380, 380)
    refused = await bank.decide(again["id"], "RELEASE")
    assert refused["reason"] == "FREEZE_RESOLVED"
    assert refused["details"] == [{"key": "status", "value": "REMOVED"}]


@pytest.mark.parametrize(("policy", "debt", "written_off"), [("DEBT", "90", "0"), ("WRITE_OFF", "0", "90")])
async def test_a_return_of_what_has_been_spent(bank: Bank, policy: str, debt: str, written_off: str) -> None:
    """Only 30 of the 120 remain."""
    document = """mutation S($policy: PointsPolicyInput!) {
      setPointsPolicy(currency: "P", policy: $policy) { ... on PointCurrency { code } } }"""
    assert await bank.bank.ask(document, policy={"shortfall": policy}) == {"code": "P"}
    await bank.issue("x", "30")
    opened = await bank.freeze("x", "120")
    assert (opened["frozen"], opened["shortfall"]) == ("30", "90")
    assert await bank.balance("x") == shown(30, 0, frozen=30)
    refunded = await bank.decide(opened["id"], "REMOVE", idempotencyKey="once")
    assert (refunded["removed"], refunded["debt"], refunded["writtenOff"]) == ("30", debt, written_off)
    assert await bank.decide(opened["id"], "REMOVE", idempotencyKey="once") == refunded | {"replayed": True}
    assert await bank.balance("x") == shown(0, 0, debt=int(debt))
    await bank.issue("x", "100")
    left = 100 - int(debt)
    assert await bank.balance("x") == shown(left, left)
    lines = await bank.root.ask(
        'query L($c: CustomerInput!) { movements(customer: $c, currency: "P") { edges { node {'
        " kind direction points { amount } balanceAfter memo } } } }",
        c=party("x"),
    )
    found = [tuple(e["node"][k] for k in ("kind", "direction", "balanceAfter", "memo")) for e in lines["edges"]]
    repaid = [("ISSUE", "DEBIT", "10", None)] if debt == "90" else []
    assert found[: 1 + len(repaid)] == [*repaid, ("ISSUE", "CREDIT", "100", None)]
    assert ("REMOVE", "DEBIT", "0", "verified") in found


async def test_two_decide_one_freeze_at_once(bank: Bank) -> None:
    """The operator's two administrators, each through an engine of its own."""
    hub = bank.client.hub
    beside = hub.beside()
    other = replace(bank.client, hub=beside)
    try:
        for turn in range(5):
            await bank.issue("x", "10")
            opened = await bank.freeze("x", "10")
            callers = [bank.root, other.caller(hub.second)]
            answers = await asyncio.gather(
                *(
                    bank.decide(opened["id"], outcome, caller, idempotencyKey=f"{turn}{outcome}")
                    for outcome, caller in zip(("REMOVE", "RELEASE"), callers, strict=True)
                )
            )
            assert sorted(one["__typename"] for one in answers) == ["Freeze", "Refused"]
            [refused] = [one for one in answers if one["__typename"] == "Refused"]
            assert refused["reason"] == "FREEZE_RESOLVED"
            [won] = [one for one in answers if one["__typename"] == "Freeze"]
            total = int((await bank.balance("x"))["total"])
            assert total == (0 if won["status"] == "REMOVED" else 10)
            if total:
                await bank.decide((await bank.freeze("x", "10"))["id"], "REMOVE")
    finally:
        await beside.close()


async def test_who_sees_a_freeze_and_who_decides_it(bank: Bank) -> None:
    await bank.issue("x", "100")
    mine = await bank.freeze("x", "10", bank.coop)
    theirs = await bank.freeze("x", "10", bank.bank)
    assert mine["__typename"] == theirs["__typename"] == "Freeze"
    document = "query F($id: ID!) { freeze(id: $id) { id } node(id: $id) { id } }"
    listed = "query F($c: CustomerInput!) { freezes(customer: $c) { edges { node { id } } } }"
    for caller in (bank.root, bank.bank, bank.coop):
        found = await caller.ask(document, id=theirs["id"])
        assert found == {"freeze": {"id": theirs["id"]}, "node": {"id": theirs["id"]}}
        page = await caller.ask(listed, c=party("x"))
        assert [edge["node"]["id"] for edge in page["edges"]] == [theirs["id"], mine["id"]]
    assert await bank.air.ask(document, id=theirs["id"]) == {"freeze": None, "node": None}
    assert (await bank.air.ask(listed, c=party("x")))["edges"] == []
    assert (await bank.decide(theirs["id"], "RELEASE", bank.air))["reason"] == "NOT_FOUND"
    hold = await bank.root.ask("query H($id: ID!) { hold(id: $id) { id } }", id=theirs["id"].replace("fz", "ho"))
    assert hold is None
    resolve = "mutation R($v: ResolveFreezeInput!) { resolveFreeze(input: $v) { __typename } }"
    for id, outcome in ((mine["id"], "REMOVE"), (theirs["id"], "RELEASE")):
        value = {"idempotencyKey": bank.key(), "freezeId": id, "outcome": outcome, "reason": "r"}
        assert await bank.coop.codes(resolve, v=value) == ["FORBIDDEN"]
    assert (await bank.decide(mine["id"], "RELEASE", bank.coop))["status"] == "RELEASED"
    assert (await bank.decide(theirs["id"], "REMOVE", bank.bank))["status"] == "REMOVED"


RESTRICTION = "... on Restriction { id kind customer { reference } currency { code } by { code } cleared { amount } }"


async def test_an_account_is_frozen_and_freed(bank: Bank) -> None:
    await bank.issue("x", "100")
    value = {"customer": party("x"), "currency": "P", "reason": "suspicion"}
    frozen = await act(
        bank.coop, "freezeAccount", "FreezeAccountInput", RESTRICTION, idempotencyKey=bank.key(), **value
    )
    assert (frozen["kind"], frozen["currency"], frozen["by"]) == ("FREEZE", {"code": "P"}, {"code": "COOP"})
    assert await bank.balance("x") == shown(100, 0, frozen=100)
    refused = await act(
        bank.client.caller(bank.client.hub.admin, "zh"),
        "redeemPoints",
        "RedeemPointsInput",
        "__typename",
        idempotencyKey=bank.key(),
        currency="P",
        customer=party("x"),
        merchant="AIR",
        amount="1",
    )
    assert (refused["reason"], refused["message"]) == ("FROZEN", "账户已冻结。")
    freed = await act(
        bank.bank, "unfreezeAccount", "FreezeAccountInput", RESTRICTION, idempotencyKey=bank.key(), **value
    )
    assert freed["kind"] == "UNFREEZE"
    assert await bank.balance("x") == shown(100, 100)
    document = "query R($c: CustomerInput!) { restrictions(customer: $c, first: 1) { edges { cursor node { id } } } }"
    [last] = (await bank.coop.ask(document, c=party("x")))["edges"]
    assert last["node"]["id"] == freed["id"]
    assert (await bank.air.ask(document, c=party("x")))["edges"] == []
    assert await bank.air.ask("query N($id: ID!) { node(id: $id) { id } }", id=freed["id"]) is None


async def test_a_customer_leaves(bank: Bank) -> None:
    await bank.issue("x", "100")
    value = {"idempotencyKey": "leave", "customer": party("x"), "reason": "left the programme"}
    left = await act(
        bank.coop, "closeCustomer", "CloseCustomerInput", RESTRICTION + " ... on Restriction { replayed }", **value
    )
    assert (left["kind"], left["currency"], left["cleared"]) == ("CLOSE", None, [{"amount": "100"}])
    again = await act(
        bank.coop, "closeCustomer", "CloseCustomerInput", RESTRICTION + " ... on Restriction { replayed }", **value
    )
    assert again == left | {"replayed": True}
    assert await bank.balance("x") == shown(0, 0)
    assert (await bank.issue("x", "1"))["reason"] == "CUSTOMER_CLOSED"


async def test_what_was_granted_for_a_record_is_found_and_cancelled(bank: Bank) -> None:
    first = await bank.issue("x", "60", record="order-7")
    second = await bank.issue("y", "40", record="order-7")
    await bank.issue("x", "5", record="order-8")
    assert first["record"] == "order-7"
    query = """query I($after: String) { issues(currency: "P", record: "order-7", first: 1, after: $after) {
      edges { cursor node { id record } } pageInfo { hasNextPage endCursor } } }"""
    page = await bank.bank.ask(query)
    assert [edge["node"]["id"] for edge in page["edges"]] == [first["id"]]
    page = await bank.bank.ask(query, after=page["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for edge in page["edges"]] == [second["id"]]
    assert not page["pageInfo"]["hasNextPage"]
    assert (await bank.coop.ask(query))["edges"] == []
    seen = await bank.coop.ask("query N($id: ID!) { node(id: $id) { ... on Issue { record } } }", id=first["id"])
    assert seen == {"record": None}
    await bank.freeze("y", "30")
    cancelled = await act(
        bank.bank,
        "cancelRecord",
        "CancelRecordInput",
        "... on RecordCancellation { id issues points { amount } debt writtenOff replayed }",
        idempotencyKey="cancel",
        currency="P",
        record="order-7",
        shortfall="DEBT",
        reason="the order was none",
    )
    assert {key: value for key, value in cancelled.items() if key != "id"} == {
        "__typename": "RecordCancellation",
        "issues": 2,
        "points": {"amount": "100"},
        "debt": "30",
        "writtenOff": "0",
        "replayed": False,
    }
    assert await bank.balance("x") == shown(5, 5)
    assert await bank.balance("y") == shown(30, 0, frozen=30, debt=30)
    node = "query N($id: ID!) { node(id: $id) { ... on RecordCancellation { issues } } }"
    assert await bank.bank.ask(node, id=cancelled["id"]) == {"issues": 2}
    assert await bank.coop.ask(node, id=cancelled["id"]) is None


async def test_a_debt_is_written_off(bank: Bank) -> None:
    issue = await bank.issue("x", "60")
    await bank.decide((await bank.freeze("x", "60"))["id"], "REMOVE")
    reversal = await act(
        bank.bank,
        "reverse",
        "ReverseInput",
        "... on Reversal { id debt writtenOff points { amount } }",
        idempotencyKey=bank.key(),
        id=issue["id"],
        reason="granted twice",
        shortfall="DEBT",
    )
    assert (reversal["debt"], reversal["writtenOff"], reversal["points"]) == ("60", "0", {"amount": "60"})
    done = await act(
        bank.bank,
        "writeOffDebt",
        "WriteOffDebtInput",
        "... on DebtWriteOff { id points { amount } customer { reference } }",
        idempotencyKey=bank.key(),
        customer=party("x"),
        currency="P",
        amount="20",
        reason="goodwill",
    )
    assert (done["points"], done["customer"]) == ({"amount": "20"}, {"reference": "x"})
    assert await bank.balance("x") == shown(0, 0, debt=40)
    node = "query N($id: ID!) { node(id: $id) { id } }"
    assert await bank.bank.ask(node, id=done["id"]) == {"id": done["id"]}
    assert await bank.air.ask(node, id=done["id"]) is None
