"""Debts between owners: goods of one owner for the points of another, over the API, through closing and the reports."""

import json
from typing import Any

from tests.schema.acting import CUSTOMER, act, currency, holder, institution
from tests.schema.conftest import Caller, Client

WINDOW = """... on SettlementWindow { id status nets { institution { code } net ownDebit ownCredit confirmed } }"""
REPORT = """query($w: ID!, $v: String!) { settlementReport(windowId: $w, institution: $v) {
  payload nets { debit credit net } children { institution { code } net } } }"""


async def close(root: Caller, key: str) -> Any:
    window = (await root.ask("{ hub { window { id } } }"))["window"]["id"]
    return await act(root, "closeSettlementWindow", "CloseWindowInput", WINDOW, idempotencyKey=key, windowId=window)


async def test_who_issued_the_points_owes_who_gave_the_goods_at_the_agreed_value(client: Client) -> None:
    """A member of O1 buys goods in STORE, below MALL, below O2, for 5,000 points at 0.02 CNY: O1 owes O2 100.00."""
    root = client.caller(client.hub.admin)
    await institution(root, "O1")
    await institution(root, "O2")
    await institution(root, "MALL", "MERCHANT", parent="O2")
    await institution(root, "STORE", "STORE", parent="MALL")
    await currency(root, "P1", "O1", unitValue={"amount": "0.02", "currency": "CNY"})
    await client.hub.issue("P1", "O1", "alice", "8000")
    trader = await holder(client, root, "O1", "tao", "INSTITUTION_TRADER")
    store = await holder(client, root, "STORE", "shen", "INSTITUTION_AUDITOR")
    owner = await holder(client, root, "O2", "ou", "INSTITUTION_AUDITOR")
    goods = await act(
        trader,
        "redeemPoints",
        "RedeemPointsInput",
        "... on Redemption { id points { amount currency } value { amount currency } }",
        idempotencyKey="goods",
        currency="P1",
        customer={"institution": "O1", "reference": "alice"},
        merchant="STORE",
        amount="5000",
    )
    assert (goods["points"], goods["value"]) == (
        {"amount": "5000", "currency": "P1"},
        {"amount": "100.00", "currency": "CNY"},  # 5,000 × 0.02
    )
    alice = await trader.ask(CUSTOMER, institution="O1", reference="alice")
    assert [(one["currency"]["code"], one["total"]) for one in alice["balances"]] == [("P1", "3000")]

    closed = await close(root, "first")
    assert {one["institution"]["code"]: one["net"] for one in closed["nets"]} == {"O1": "-100.00", "O2": "100.00"}
    mine = await owner.ask(f"query($id: ID!) {{ node(id: $id) {{ {WINDOW} }} }}", id=closed["id"])
    assert [(one["institution"]["code"], one["net"], one["ownCredit"]) for one in mine["nets"]] == [
        ("O2", "100.00", "0.00"),  # nothing of its own: what its merchant brought
        ("MALL", "100.00", "0.00"),
        ("STORE", "100.00", "100.00"),
    ]
    debtor = await trader.ask(REPORT, w=closed["id"], v="O1")
    assert (debtor["nets"], debtor["children"]) == ([{"debit": "100.00", "credit": "0.00", "net": "-100.00"}], [])
    creditor = await owner.ask(REPORT, w=closed["id"], v="O2")
    assert creditor["nets"] == [{"debit": "0.00", "credit": "100.00", "net": "100.00"}]
    assert creditor["children"] == [{"institution": {"code": "MALL"}, "net": "100.00"}]
    assert (await store.ask(REPORT, w=closed["id"], v="STORE"))["nets"] == creditor["nets"]
    lines = {
        code: json.loads((await root.ask(REPORT, w=closed["id"], v=code))["payload"])["lines"]["count"]
        for code in ("O1", "O2", "STORE")
    }
    assert lines == {"O1": "1", "O2": "0", "STORE": "1"}  # who did the act, on either side
    for code, amount in (("O1", "-100"), ("O2", "100")):
        paid = await act(
            root,
            "confirmSettlement",
            "ConfirmSettlementInput",
            WINDOW,
            idempotencyKey=f"paid {code}",
            windowId=closed["id"],
            institution=code,
            currency="CNY",
            amount=amount,
            reference=code,
        )
    assert paid["status"] == "SETTLED"

    back = await act(
        trader,
        "reverse",
        "ReverseInput",
        "... on Reversal { id }",
        idempotencyKey="r",
        id=goods["id"],
        reason="returned",
    )
    assert back["__typename"] == "Reversal"
    alice = await trader.ask(CUSTOMER, institution="O1", reference="alice")
    assert alice["balances"][0]["total"] == "8000"
    again = await close(root, "second")  # in the window that was open then, the other way round
    assert {one["institution"]["code"]: one["net"] for one in again["nets"]} == {"O1": "100.00", "O2": "-100.00"}
