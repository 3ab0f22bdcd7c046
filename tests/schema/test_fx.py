"""FX rates through the API, and a window that is settled in one currency: preview, nets, reports and payments."""

import json
from datetime import UTC, datetime
from typing import Any

from hub import postgres
from hub.ledger import commands
from hub.ledger.commands import Party
from settlement.audit import audit
from settlement.signing import take_apart
from tests.hub.audited import tampered
from tests.schema.acting import act, holder
from tests.schema.conftest import Client

RATE = """... on FxRate { id version status base quote rate source quotedOn effectiveFrom proposedBy decidedBy
  endReason }
  ... on Refused { reason }"""
LISTED = """query F($s: RateStatus, $at: DateTime) { fxRates(base: "USD", quote: "CNY", at: $at, status: $s) {
  edges { node { version status rate } } } }"""
NET = """institution { code } currency net payable due paid paymentReference
  exchanges { net { amount currency } value { amount currency } fxRate { id rate quotedOn source } }"""
PREVIEW = f"query P($w: ID!) {{ settlementPreview(windowId: $w) {{ {NET} }} }}"
CLOSED = f"... on SettlementWindow {{ id status nets {{ {NET} }} }}"
REPORT = f"""query R($w: ID!, $i: String!) {{ settlementReport(windowId: $w, institution: $i) {{
  jws nets {{ {NET} }} }} }}"""
TERMS = {"base": "USD", "quote": "CNY", "rate": "7.20", "source": "PBOC", "quotedOn": "2026-01-05"}


def lines(nets: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Whose net, in what, what it is, and what is to be paid."""
    return [(one["institution"]["code"], one["currency"], one["net"], one["payable"]) for one in nets]


async def redeem(client: Client, currency: str, of: str, at: str, amount: str) -> None:
    hub = client.hub
    await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key=f"{currency} {amount}",
            currency=currency,
            customer=Party(of, "alice"),
            merchant=at,
            amount=amount,
            memo=None,
        )
    )


async def test_what_two_owe_each_other_in_two_currencies_is_paid_as_one_net_at_an_approved_rate(
    client: Client, postgres_server: postgres.Server
) -> None:
    hub, root, second = client.hub, client.caller(client.hub.admin), client.caller(client.hub.second)
    for code, money in (("A", "CNY"), ("B", "USD")):
        await hub.institution(code)
        await hub.currency(f"{code}P", code, unit_value="1", money=money)
        await hub.issue(f"{code}P", code, "alice", "5000")
    # A owes B 1,200.00 CNY, B owes A 50.00 USD. By themselves: two lines each.
    await redeem(client, "AP", "A", "B", "1200")
    await redeem(client, "BP", "B", "A", "50")
    window = (await root.ask("{ settlementWindows(status: OPEN) { edges { node { id } } } }"))["edges"][0]["node"]["id"]
    assert lines(await root.ask(PREVIEW, w=window)) == [
        ("A", "CNY", "-1200.00", "-1200.00"),
        ("B", "CNY", "1200.00", "1200.00"),
        ("A", "USD", "50.00", "50.00"),
        ("B", "USD", "-50.00", "-50.00"),
    ]
    model = await act(
        root,
        "proposeSettlementModel",
        "ProposeSettlementModelInput",
        "... on SettlementModel { id settleIn }",
        code="default",
        name="All in yuan",
        settleIn="CNY",
    )
    assert model["settleIn"] == "CNY"
    await second.ask("mutation A($id: ID!) { approveSettlementModel(id: $id) { __typename } }", id=model["id"])
    # Without a rate the window does not close, and nothing is lost.
    [error] = (await root.execute(PREVIEW, w=window)).errors or []
    assert error.extensions == {"code": "FX_RATE_MISSING", "base": "USD", "quote": "CNY"}
    closing = {"idempotencyKey": "c1", "windowId": window}
    refused = await act(root, "closeSettlementWindow", "CloseWindowInput", CLOSED, **closing)
    assert (refused["reason"], "USD" in refused["message"]) == ("FX_RATE_MISSING", True)
    # A rate is proposed by one person of the operator's, and approved by another.
    asked = await act(root, "proposeFxRate", "ProposeFxRateInput", RATE, **TERMS)
    assert (asked["status"], asked["rate"], asked["quotedOn"], asked["effectiveFrom"]) == (
        *("PROPOSED", "7.2", "2026-01-05"),
        None,
    )
    bank = await holder(client, root, "A", "Ann", "INSTITUTION_AUDITOR")
    assert (await bank.ask(LISTED, s=None, at=None))["edges"] == []
    approve = f"mutation A($id: ID!) {{ approveFxRate(id: $id) {{ {RATE} }} }}"
    assert (await root.ask(approve, id=asked["id"]))["reason"] == "SAME_APPROVER"
    made = await second.ask(approve, id=asked["id"])
    assert (made["status"], made["proposedBy"], made["decidedBy"]) == ("APPROVED", "root", "second")
    shown = {"node": {"version": 1, "status": "APPROVED", "rate": "7.2"}}
    assert (await bank.ask(LISTED, s=None, at=datetime.now(UTC).isoformat()))["edges"] == [shown]
    # 1,200.00 − 50.00 × 7.20 = 840.00, as the preview says.
    exchange = {
        "net": {"amount": "50.00", "currency": "USD"},
        "value": {"amount": "360.00", "currency": "CNY"},
        "fxRate": {"id": made["id"], "rate": "7.2", "quotedOn": "2026-01-05", "source": "PBOC"},
    }
    expected = [
        ("A", "CNY", "-1200.00", "-840.00"),
        ("B", "CNY", "1200.00", "840.00"),
        ("A", "USD", "50.00", "0.00"),
        ("B", "USD", "-50.00", "0.00"),
    ]
    before = await root.ask(PREVIEW, w=window)
    closed = await act(root, "closeSettlementWindow", "CloseWindowInput", CLOSED, **{**closing, "idempotencyKey": "c2"})
    assert lines(before) == lines(closed["nets"]) == expected
    assert [one["exchanges"] for one in closed["nets"] if one["institution"]["code"] == "A"] == [[exchange]] * 2
    assert [one["paymentReference"] is None for one in closed["nets"]] == [False, False, True, True]
    # A's report shows each net as it was, and the one that it pays, with the rate's identifier.
    report = await bank.ask(REPORT, w=window, i="A")
    assert lines(report["nets"]) == [expected[0], expected[2]]
    document = json.loads(take_apart(report["jws"]).payload)
    [line] = document["settlement"]["exchanges"]
    assert (line["net"], line["rateId"], line["rate"], line["quotedOn"], line["value"]) == (
        *("50.00", made["id"], "7.2", "2026-01-05"),
        "360.00",
    )
    assert document["settlement"]["payables"] == [{"institution": "A", "amount": "-840.00"}]
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    # Only the one net is paid.
    payment = {"windowId": window, "reference": "bank", "valueDate": None}
    paid = {"idempotencyKey": "p1", "institution": "A", "currency": "USD", "amount": "50.00", **payment}
    answer = await act(root, "confirmSettlement", "ConfirmSettlementInput", CLOSED, **paid)
    assert answer["reason"] == "DUPLICATE"
    for code, amount, status in (("A", "-840.00", "SETTLING"), ("B", "840.00", "SETTLED")):
        paid = {"idempotencyKey": f"p{code}", "institution": code, "currency": "CNY", "amount": amount, **payment}
        answer = await act(root, "confirmSettlement", "ConfirmSettlementInput", CLOSED, **paid)
        assert answer["status"] == status
    withdraw = f'mutation W($id: ID!) {{ withdrawFxRate(id: $id, reason: "over") {{ {RATE} }} }}'
    ended = await root.ask(withdraw, id=made["id"])
    assert (ended["status"], ended["endReason"]) == ("WITHDRAWN", "over")
    assert (await root.ask("query N($id: ID!) { node(id: $id) { id } }", id=made["id"])) == {"id": made["id"]}
    assert (await bank.ask(LISTED, s="WITHDRAWN", at=None))["edges"][0]["node"]["version"] == 1  # reports name it
    again = await act(root, "proposeFxRate", "ProposeFxRateInput", RATE, **TERMS)
    reject = f'mutation R($id: ID!) {{ rejectFxRate(id: $id, reason: "no") {{ {RATE} }} }}'
    assert (await second.ask(reject, id=again["id"]))["status"] == "REJECTED"
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    async with tampered(postgres_server, hub) as connection:
        await connection.exec_driver_sql("UPDATE net_exchange SET value = 359000000 WHERE value = 360000000")
        codes = {finding.code for finding in (await audit(connection)).findings}
    assert {"NET_EXCHANGE", "REPORT_SETTLEMENT"} <= codes
