"""Prices and invoices through the API: agreed by both sides, seen by whose they are, and credited by the operator."""

from hub import billing
from tests.conftest import Pass
from tests.hub.test_billing import act as work
from tests.hub.test_billing import now_month, pass_to
from tests.schema.acting import act, holder
from tests.schema.conftest import Client

SCHEDULE = """... on FeeSchedule { id version status awaiting vatPercent gross proposedBy acceptedBy decidedBy
  institution { code } membership { amount currency } perMovement { amount } perPoint { amount } }"""
INVOICES = """query($i: String, $p: String) { invoices(institution: $i, period: $p) { edges { node {
  id number reference period creditReason institution { code } of { reference } net { amount } vat { amount }
  gross { amount currency } credited { amount } schedule { version }
  lines { item currency quantity price { amount } amount { amount } } } } } }"""
NODE = "query($id: ID!) { node(id: $id) { id ... on Invoice { reference } ... on FeeSchedule { version } } }"


async def test_prices_are_agreed_a_month_is_billed_and_a_part_of_it_given_back(client: Client, pass_: Pass) -> None:
    root, hub = client.caller(client.hub.admin), client.hub
    second = client.caller(hub.second)
    for code, parent in (("BANK", "HUB"), ("BRANCH", "BANK"), ("AIR", "HUB"), ("FREE", "HUB")):
        await hub.institution(code, parent=parent)
    await hub.currency("BP", "BANK", scale=1)
    await hub.currency("FP", "FREE")
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_ADMIN")
    air, branch = [await holder(client, root, code, code, "INSTITUTION_ADMIN") for code in ("AIR", "BRANCH")]
    asked = {
        "institution": "BANK",
        "membership": {"amount": "500", "currency": "CNY"},
        "perMovement": {"amount": "0.02", "currency": "CNY"},
        "perPoint": {"amount": "0.001", "currency": "CNY"},
        "vatPercent": "6",
    }
    made = await act(root, "proposeFeeSchedule", "ProposeFeeScheduleInput", SCHEDULE, **asked)
    assert {name: made[name] for name in ("version", "status", "awaiting", "vatPercent", "gross")} == {
        "version": 1,
        "status": "PROPOSED",
        "awaiting": ["INSTITUTION", "OPERATOR"],
        "vatPercent": "6",
        "gross": False,
    }
    assert (made["membership"], made["perPoint"]) == ({"amount": "500.00", "currency": "CNY"}, {"amount": "0.001"})
    change = "mutation($id: ID!) {{ {}(id: $id) {{ {} ... on Refused {{ reason }} }} }}"
    accept, approve = [change.format(name, SCHEDULE) for name in ("acceptFeeSchedule", "approveFeeSchedule")]
    assert (await air.ask(accept, id=made["id"]))["reason"] == "NOT_FOUND"
    assert (await second.ask(approve, id=made["id"]))["reason"] == "NOT_ACCEPTED"
    assert (await bank.ask(accept, id=made["id"]))["acceptedBy"] == ["Ben"]
    assert (await second.ask(approve, id=made["id"]))["status"] == "APPROVED"
    listed = "{ feeSchedules { edges { node { institution { code } version } } } }"
    for caller, count in ((root, 1), (bank, 1), (air, 0), (branch, 0)):
        assert len((await caller.ask(listed))["edges"]) == count

    month = (await now_month(hub)).next
    await pass_to(hub, pass_, month)
    await work(hub, 1)
    await pass_to(hub, pass_, month.next)
    await billing.bill(hub.reading, hub.engine, month, "UTC")
    [edge] = (await bank.ask(INVOICES, i=None, p=str(month)))["edges"]
    invoice = edge["node"]
    lines = [(line["item"], line["quantity"], line["price"], line["amount"]) for line in invoice.pop("lines")]
    # 3 movements and 170.0 points in all, as in the tests of billing
    assert lines == [
        ("MEMBERSHIP", "1", {"amount": "500.00"}, {"amount": "500.00"}),
        ("MOVEMENTS", "3", {"amount": "0.02"}, {"amount": "0.06"}),
        ("POINTS", "170.0", {"amount": "0.001"}, {"amount": "0.17"}),
    ]
    id = invoice.pop("id")
    assert invoice == {
        "number": 1,
        "reference": "INV-00000001",
        "period": str(month),
        "creditReason": None,
        "institution": {"code": "BANK"},
        "of": None,
        "net": {"amount": "500.23"},
        "vat": {"amount": "30.01"},
        "gross": {"amount": "530.24", "currency": "CNY"},
        "credited": {"amount": "0.00"},
        "schedule": {"version": 1},
    }
    credit = {"idempotencyKey": "one", "invoiceId": id, "amount": "30.24", "reason": "late start"}
    selection = (
        "... on Invoice { id reference creditReason replayed gross { amount } of { reference credited { amount } } }"
    )
    for replayed in (False, True):
        note = await act(root, "creditInvoice", "CreditInvoiceInput", selection, **credit)
        assert (note["reference"], note["creditReason"], note["replayed"]) == ("CN-00000002", "late start", replayed)
        assert note["of"] == {"reference": "INV-00000001", "credited": {"amount": "30.24"}}
    refused = await act(
        root, "creditInvoice", "CreditInvoiceInput", selection, **credit | {"idempotencyKey": "two", "amount": "501"}
    )
    assert refused["reason"] == "EXCEEDS_ORIGINAL"
    # everybody sees their own: the operator all, others nothing of BANK's
    for caller, count in ((root, 2), (bank, 2), (air, 0), (branch, 0)):
        for institution in (None, "BANK"):
            assert len((await caller.ask(INVOICES, i=institution, p=None))["edges"]) == count
        for node in (id, note["id"], made["id"]):
            found = await caller.ask(NODE, id=node)
            assert (found is None) == (count == 0)
    assert (await root.ask(INVOICES, i="NOBODY", p=None))["edges"] == []
    assert (await root.ask(INVOICES, i=None, p="2020-01"))["edges"] == []
    end = 'mutation($id: ID!) {{ {}FeeSchedule(id: $id, reason: "over") {{ ... on FeeSchedule {{ status }} }} }}'
    assert (await root.ask(end.format("withdraw"), id=made["id"]))["status"] == "WITHDRAWN"
    again = await act(root, "proposeFeeSchedule", "ProposeFeeScheduleInput", SCHEDULE, **asked)
    assert (await bank.ask(end.format("reject"), id=again["id"]))["status"] == "REJECTED"
