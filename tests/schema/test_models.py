"""Settlement models through the API: proposed, approved, seen by their members, what closing gives, and when."""

from datetime import datetime
from typing import Any

from hub.calendars import Calendar, next_cut_off
from hub.ledger import commands
from hub.ledger.commands import Party
from settlement import confirming
from settlement.confirming import Confirming
from tests.schema.acting import act, holder
from tests.schema.conftest import Client

SHOWN = """... on SettlementModel { id code kind version status currencies effectiveFrom proposedBy decidedBy endReason
  members { code } calendar { timeZone cutOffs weekdays holidays } window { number model closesAt dueAt } }
  ... on Refused { reason details { key value } }"""
LISTED = """query M($c: String, $after: String) { settlementModels(code: $c, first: 1, after: $after) {
  edges { cursor node { version status } } pageInfo { hasNextPage } } }"""
WINDOWS = (
    """query W($m: String) { settlementWindows(model: $m) { edges { node { model number status nets { net } } } } }"""
)
PREVIEW = (
    "query P($w: ID!) { settlementPreview(windowId: $w) { institution { code } debit credit net confirmed paid } }"
)


async def test_a_model_is_proposed_and_approved_and_its_members_see_it_and_its_windows(client: Client) -> None:
    hub, root, second = client.hub, client.caller(client.hub.admin), client.caller(client.hub.second)
    for code in ("BANK", "AIR", "SHOP"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "100")
    calendar = {
        "timeZone": "Asia/Shanghai",
        "cutOffs": ["16:30", "11:00"],
        "weekdays": [5, 1],
        "holidays": ["2026-10-01"],
    }
    terms = {"code": "CARD", "name": "Cards", "members": ["BANK", "AIR"], "currencies": ["CNY"]}
    asked = await act(root, "proposeSettlementModel", "ProposeSettlementModelInput", SHOWN, **terms, calendar=calendar)
    assert (asked["status"], asked["window"], asked["proposedBy"]) == ("PROPOSED", None, "root")
    approve = f"mutation A($id: ID!) {{ approveSettlementModel(id: $id) {{ {SHOWN} }} }}"
    assert (await root.ask(approve, id=asked["id"]))["reason"] == "SAME_APPROVER"
    made = await second.ask(approve, id=asked["id"])
    assert (made["status"], made["decidedBy"], made["version"]) == ("APPROVED", "second", 1)
    assert made["members"] == [{"code": "BANK"}, {"code": "AIR"}]
    assert made["calendar"] == calendar | {"cutOffs": ["11:00", "16:30"], "weekdays": [1, 5]}
    [model] = hub.engine.configuration.models["CARD"]
    assert isinstance(model.calendar, Calendar)
    due = next_cut_off(model.calendar, datetime.fromisoformat(made["effectiveFrom"]))
    assert datetime.fromisoformat(made["window"]["closesAt"]) == due
    wrong = {**terms, "calendar": calendar | {"cutOffs": ["25:00"]}}
    refused = await act(root, "proposeSettlementModel", "ProposeSettlementModelInput", SHOWN, **wrong)
    assert (refused["reason"], refused["details"]) == ("INVALID_INPUT", [{"key": "cutOffs", "value": "25:00"}])
    # A second version, which the operator alone sees as long as it is proposed, and which is then ended.
    again = await act(root, "proposeSettlementModel", "ProposeSettlementModelInput", SHOWN, **terms)
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_AUDITOR")
    shop = await holder(client, root, "SHOP", "Sue", "INSTITUTION_AUDITOR")
    page = await root.ask(LISTED, c="CARD", after=None)
    assert page["pageInfo"] == {"hasNextPage": True}
    page = await root.ask(LISTED, c="CARD", after=page["edges"][0]["cursor"])
    assert [edge["node"] for edge in page["edges"]] == [{"version": 2, "status": "PROPOSED"}]
    assert [edge["node"]["version"] for edge in (await bank.ask(LISTED, c=None, after=None))["edges"]] == [1]
    assert (await shop.ask(LISTED, c=None, after=None))["edges"] == []
    reject = f'mutation R($id: ID!) {{ rejectSettlementModel(id: $id, reason: "no") {{ {SHOWN} }} }}'
    assert (await root.ask(reject, id=again["id"]))["status"] == "REJECTED"
    # 40 BP at AIR, 0.05 each: what is owed is in CARD, and only its members see that.
    await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key="r",
            currency="BP",
            customer=Party("BANK", "alice"),
            merchant="AIR",
            amount="40",
            memo=None,
        )
    )
    window = (await root.ask('{ settlementModel(code: "CARD") { window { id } } }'))["window"]["id"]
    nets = [
        {
            "institution": {"code": "BANK"},
            "debit": "2.00",
            "credit": "0.00",
            "net": "-2.00",
            "confirmed": False,
            "paid": False,
        },
        {
            "institution": {"code": "AIR"},
            "debit": "0.00",
            "credit": "2.00",
            "net": "2.00",
            "confirmed": False,
            "paid": False,
        },
    ]
    assert await root.ask(PREVIEW, w=window) == nets
    assert await bank.ask(PREVIEW, w=window) == nets[:1]
    assert await shop.ask(PREVIEW, w=window) is None
    closed = await act(
        root,
        "closeSettlementWindow",
        "CloseWindowInput",
        "... on SettlementWindow { nets { net } }",
        idempotencyKey="c",
        windowId=window,
    )
    assert closed["nets"] == [{"net": "-2.00"}, {"net": "2.00"}]
    assert await root.ask(PREVIEW, w=window) is None
    found = [edge["node"] for edge in (await bank.ask(WINDOWS, m="CARD"))["edges"]]
    assert [(one["number"], one["status"], one["nets"]) for one in found] == [
        (1, "CLOSED", [{"net": "-2.00"}]),
        (2, "OPEN", []),
    ]
    assert [edge["node"]["model"] for edge in (await shop.ask(WINDOWS, m=None))["edges"]] == ["default"]
    assert (await shop.ask(WINDOWS, m="CARD"))["edges"] == []
    withdraw = f'mutation W($id: ID!) {{ withdrawSettlementModel(id: $id, reason: "over") {{ {SHOWN} }} }}'
    ended = await second.ask(withdraw, id=made["id"])
    assert (ended["status"], ended["endReason"], ended["window"]["closesAt"]) == ("WITHDRAWN", "over", None)
    assert await root.ask('{ settlementModel(code: "CARD") { id } }') is None


OWED = """obligations { counterparty { code } amount currency paid confirmed paymentReference }"""
CLOSED = f"... on SettlementWindow {{ id status nets {{ institution {{ code }} net due paymentReference {OWED} }} }}"


async def test_a_triangle_is_one_net_each_among_all_and_an_obligation_for_each_pair_in_pairs(client: Client) -> None:
    """S-38: A owes B 100, B owes C 80, C owes A 50."""
    hub, root, second = client.hub, client.caller(client.hub.admin), client.caller(client.hub.second)
    for code in ("A", "B", "C"):
        await hub.institution(code)
        for money in ("CNY", "USD"):
            await hub.currency(f"{code}-{money}", code, unit_value="1", money=money)
            await hub.issue(f"{code}-{money}", code, "alice", "1000")
    kinds = {"CNY": "DEFERRED_NET_MULTILATERAL", "USD": "DEFERRED_NET_BILATERAL"}
    found: dict[str, Any] = {}
    for money, kind in kinds.items():
        terms = {"code": money, "name": money, "members": ["A", "B", "C"], "currencies": [money], "kind": kind}
        asked = await act(root, "proposeSettlementModel", "ProposeSettlementModelInput", SHOWN, **terms)
        made = await second.ask(
            f"mutation A($id: ID!) {{ approveSettlementModel(id: $id) {{ {SHOWN} }} }}", id=asked["id"]
        )
        assert (made["status"], made["kind"]) == ("APPROVED", kind)
        window = (await root.ask(f'{{ settlementModel(code: "{money}") {{ window {{ id }} }} }}'))["window"]["id"]
        for payer, payee, amount in (("A", "B", "100"), ("B", "C", "80"), ("C", "A", "50")):
            await hub.do(
                commands.Redeem(
                    actor=hub.admin,
                    key=f"{payer}{money}",
                    currency=f"{payer}-{money}",
                    customer=Party(payer, "alice"),
                    merchant=payee,
                    amount=amount,
                    memo=None,
                )
            )
        preview = await root.ask(f"query P($w: ID!) {{ settlementPreview(windowId: $w) {{ net {OWED} }} }}", w=window)
        keyed = {"idempotencyKey": money, "windowId": window}
        closed = await act(root, "closeSettlementWindow", "CloseWindowInput", CLOSED, **keyed)
        assert [one["net"] for one in closed["nets"]] == [one["net"] for one in preview] == ["-50.00", "20.00", "30.00"]
        said = [[(o["counterparty"]["code"], o["amount"]) for o in one["obligations"]] for one in closed["nets"]]
        assert said == [[(o["counterparty"]["code"], o["amount"]) for o in one["obligations"]] for one in preview]
        found[money] = (closed, said)
    closed, said = found["CNY"]
    assert said == [[], [], []]
    assert all(one["paymentReference"] for one in closed["nets"])
    closed, said = found["USD"]
    assert said == [
        [("B", "-100.00"), ("C", "50.00")],
        [("A", "100.00"), ("C", "-80.00")],
        [("A", "-50.00"), ("B", "80.00")],
    ]
    assert [(one["due"], one["paymentReference"]) for one in closed["nets"]] == [
        ("-50.00", None),
        ("20.00", None),
        ("30.00", None),
    ]
    alice = await holder(client, root, "A", "Ann", "INSTITUTION_AUDITOR")
    seen = await alice.ask(
        f"query W($w: ID!) {{ settlementWindow(id: $w) {{ nets {{ net {OWED} }} }} }}", w=closed["id"]
    )
    assert [one["net"] for one in seen["nets"]] == ["-50.00"]
    paying = {"windowId": closed["id"], "currency": "USD", "reference": "bank"}
    confirm = ("confirmSettlement", "ConfirmSettlementInput", CLOSED)
    refused = await act(root, *confirm, **paying, idempotencyKey="p0", institution="A", amount="-50.00")
    assert (refused["reason"], refused["details"]) == ("INVALID_INPUT", [{"key": "counterparty", "value": "missing"}])
    paid = await act(root, *confirm, **paying, idempotencyKey="p1", institution="A", counterparty="B", amount="-100.00")
    [of_b] = [one for one in paid["nets"] if one["institution"]["code"] == "B"]
    assert (paid["status"], of_b["due"]) == ("SETTLING", "-80.00")
    assert [(one["paid"], one["confirmed"]) for one in of_b["obligations"]] == [(True, True), (False, False)]
    # The rest comes in a bank's file: a row that is none of what is due, and then all of them.
    owed = {
        one["paymentReference"]: one["amount"] for net in paid["nets"] for one in net["obligations"] if not one["paid"]
    }
    rows = [f"{reference},USD,{amount.strip('-')}" for reference, amount in owed.items()]

    async def take(*rows: str) -> Confirming:
        content = "\n".join(("reference,currency,amount", *rows)).encode()
        return await confirming.confirm(hub.reading, hub.engine, client.reports, hub.admin, content, apply=True)

    wrong = await take(*rows[:1], rows[1].replace("USD", "CNY"))
    assert (wrong.taken, wrong.match.counts) == (False, {"DIFFERS": 1, "MATCHED": 1})
    assert (await take(*rows)).taken
    settled = await root.ask("query W($w: ID!) { settlementWindow(id: $w) { status } }", w=closed["id"])
    assert settled == {"status": "SETTLED"}
    assert (await take(rows[0])).match.counts == {"NOT_DUE": 1}
    # Among the same three each act is paid at once where their model says so.
    await hub.currency("A-EUR", "A", unit_value="1", money="EUR")
    await hub.issue("A-EUR", "A", "alice", "1000")
    terms = {"code": "EUR", "name": "EUR", "members": ["A", "B"], "currencies": ["EUR"], "kind": "IMMEDIATE_GROSS"}
    asked = await act(root, "proposeSettlementModel", "ProposeSettlementModelInput", SHOWN, **terms)
    await second.ask(f"mutation A($id: ID!) {{ approveSettlementModel(id: $id) {{ {SHOWN} }} }}", id=asked["id"])
    redeem = ("redeemPoints", "RedeemPointsInput", "... on Redemption { id }")
    what = {"customer": {"institution": "A", "reference": "alice"}, "currency": "A-EUR", "merchant": "B"}
    no = await act(root, *redeem, **what, amount="30", idempotencyKey="e1")
    assert (no["reason"], no["retryable"]) == ("INSUFFICIENT_LIQUIDITY", True)
    entry = {"institution": "A", "pot": "LIQUIDITY", "amount": "40", "currency": "EUR", "reference": "bank"}
    recorded = await act(root, "recordCoverEntry", "RecordCoverEntryInput", "... on CoverEntry { id }", **entry)
    approving = "mutation A($id: ID!) { approveCoverEntry(id: $id) { __typename } }"
    assert await second.ask(approving, id=recorded["id"]) == {"__typename": "CoverEntry"}
    await act(root, *redeem, **what, amount="30", idempotencyKey="e2")
    cover = "query C($i: String!) { covers(institution: $i) { currency liquidity } }"
    assert {"currency": "EUR", "liquidity": "10.00"} in await alice.ask(cover, i="A")
    window = (await root.ask('{ settlementModel(code: "EUR") { window { id } } }'))["window"]["id"]
    keyed = {"idempotencyKey": "EUR", "windowId": window}
    closed = await act(root, "closeSettlementWindow", "CloseWindowInput", CLOSED, **keyed)
    assert (closed["status"], [(one["net"], one["due"]) for one in closed["nets"]]) == (
        "SETTLED",
        [("0.00", "0.00")] * 2,
    )
    trial = """query T { capTrial(institution: "A", currency: "USD", amount: "1") { refused } }"""
    assert await root.codes(trial) == ["NOT_TRIED"]
