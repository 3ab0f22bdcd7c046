"""Share plans through the API: two persons make one, and each sees of it, and of what it splits, what is its own."""

from hub import ids
from hub.access import Role
from hub.shares import Act
from tests.hub.agreed import acceptance, agree
from tests.hub.ledger.test_fees import convert, levels, network, plan, redemption
from tests.schema.acting import act, holder
from tests.schema.conftest import Client

PLAN = """... on SharePlan { id version status act zone money proposedBy decidedBy source { code } target { code }
  institution { code } shares { level institution { code } percent amount { amount currency } } }"""
SHARES = """query($id: ID!) { conversion(id: $id) { fee { amount } feeShares { planId kept institution { code }
  amount { amount currency } } } }"""
MINE = "{ sharePlans { edges { node { id shares { level institution { code } percent } } } } }"


async def test_a_plan_is_proposed_approved_and_withdrawn_and_told_to_those_whom_it_names(client: Client) -> None:
    root, hub = client.caller(client.hub.admin), client.hub
    second = client.caller(hub.second)
    await network(hub)
    asked = {
        "act": "CONVERSION",
        "source": "CP",
        "institution": "BANK",
        "money": "CNY",
        "shares": [
            {"institution": "AGENT", "amount": "0.09"},
            {"level": 0, "percent": "50"},
            {"level": 1, "percent": "30"},
            {"level": 2, "percent": "20"},
        ],
    }
    proposed = await act(root, "proposeSharePlan", "ProposeSharePlanInput", PLAN, **asked)
    assert proposed["shares"] == [
        {
            "level": None,
            "institution": {"code": "AGENT"},
            "percent": None,
            "amount": {"amount": "0.09", "currency": "CNY"},
        },
        {"level": 0, "institution": None, "percent": "50", "amount": None},
        {"level": 1, "institution": None, "percent": "30", "amount": None},
        {"level": 2, "institution": None, "percent": "20", "amount": None},
    ]
    assert {name: proposed[name] for name in ("version", "status", "act", "source", "target", "institution")} == {
        "version": 1,
        "status": "PROPOSED",
        "act": "CONVERSION",
        "source": {"code": "CP"},
        "target": None,
        "institution": {"code": "BANK"},
    }
    approve = (
        "mutation($id: ID!) { approveSharePlan(id: $id)"
        " { ... on SharePlan { status decidedBy } ... on Refused { reason } } }"
    )
    assert (await root.ask(approve, id=proposed["id"]))["reason"] == "SAME_APPROVER"
    bank, agent, air = [
        await holder(client, root, code, code, "INSTITUTION_AUDITOR") for code in ("BANK", "AGENT", "AIR")
    ]
    assert (await agent.ask(MINE))["edges"] == []  # what is only proposed is the operator's
    assert (await second.ask(approve, id=proposed["id"]))["status"] == "APPROVED"
    made = await convert(hub, "one")
    id = ids.text(ids.CONVERSION, made.id)

    def shared(of: str, amount: str) -> dict[str, object]:
        money = {"amount": amount, "currency": "CNY"}
        return {"planId": proposed["id"], "kept": False, "institution": {"code": of}, "amount": money}

    # 1.99 − 0.09 = 1.90: 0.95, 0.57, 0.38
    due = [shared("AGENT", "0.09"), shared("HUB", "0.95"), shared("BANK", "0.57"), shared("BRANCH", "0.38")]
    assert await root.ask(SHARES, id=id) == {"fee": {"amount": "1.99"}, "feeShares": due}
    assert (await bank.ask(SHARES, id=id))["feeShares"] == due[2:]
    assert (await air.ask(SHARES, id=id))["feeShares"] == []
    await hub.institution("SHOP")
    shop, _ = await hub.key("SHOP", Role.INSTITUTION_ADMIN, person="Sun")
    await agree(hub, acceptance(hub, "SHOP", "0.01", currency="CP", fee_fixed="1.99"), shop)
    other = await plan(hub, levels("50", "30", "20"), act=Act.REDEMPTION)
    redeemed = ids.text(ids.REDEMPTION, (await hub.do(redemption(hub, "spent"))).id)
    of = "... on Redemption { feeShares { institution { code } amount { amount } } }"
    spent = f"query($id: ID!) {{ node(id: $id) {{ {of} }} }}"
    told = (await client.caller(shop).ask(spent, id=redeemed))["feeShares"]  # who pays the fee sees all of it
    assert [(one["institution"]["code"], one["amount"]["amount"]) for one in told] == [
        ("HUB", "0.99"),
        ("BANK", "0.60"),
        ("BRANCH", "0.40"),
    ]
    assert len((await bank.ask(spent, id=redeemed))["feeShares"]) == 2
    [[seen], [own]] = [[edge["node"]["shares"] for edge in (await one.ask(MINE))["edges"]] for one in (bank, agent)]
    assert [share["percent"] for share in seen] == [None, "50", "30", "20"]
    assert own == [{"level": None, "institution": {"code": "AGENT"}, "percent": None}]
    assert (await air.ask(MINE))["edges"] == []
    withdraw = 'mutation($id: ID!) { withdrawSharePlan(id: $id, reason: "over") { ... on SharePlan { status } } }'
    assert (await root.ask(withdraw, id=proposed["id"]))["status"] == "WITHDRAWN"
    at = "query($t: DateTime) { sharePlans(at: $t) { edges { node { id } } } }"
    left = [edge["node"]["id"] for edge in (await root.ask(at, t="2999-01-01T00:00:00Z"))["edges"]]
    assert left == [ids.text(ids.SHARE_PLAN, other.id)]
    again = await act(root, "proposeSharePlan", "ProposeSharePlanInput", PLAN, **asked)
    reject = 'mutation($id: ID!) { rejectSharePlan(id: $id, reason: "no") { ... on SharePlan { status version } } }'
    assert await root.ask(reject, id=again["id"]) == {"status": "REJECTED", "version": 2}
    wrong = await act(root, "proposeSharePlan", "ProposeSharePlanInput", PLAN, shares=[{"level": 0}])
    assert wrong["reason"] == "INVALID_INPUT"
