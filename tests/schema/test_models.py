"""Settlement models through the API: proposed, approved, seen by their members, what closing gives, and when."""

from datetime import datetime

from hub.calendars import Calendar, next_cut_off
from hub.ledger import commands
from hub.ledger.commands import Party
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
