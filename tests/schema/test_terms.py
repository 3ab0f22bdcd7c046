"""Terms through the API: from the proposal to a redemption that shows them, to whom, and to the report's lines."""

import json
from typing import Any

from hub import tables
from hub.ledger import commands, window_rows
from settlement.legs import Legs
from settlement.lines import encode
from tests.schema.acting import act, holder
from tests.schema.conftest import Client

TERMS = """... on AcceptanceTerms { id version status awaiting currency { code } merchant { code }
  price { amount currency } feeFixed { amount } feePerPoint { amount } feePercent feeCap { amount }
  effectiveFrom effectiveUntil proposedBy acceptedBy decidedBy }"""
LIST = f"""query T($currency: String, $merchant: String, $at: DateTime, $status: RateStatus) {{
  acceptanceTerms(currency: $currency, merchant: $merchant, at: $at, status: $status) {{
    edges {{ node {{ {TERMS} }} }} }} }}"""
REDEEMED = """... on Redemption { id value { amount currency } fee { amount } terms { version merchant { code } } }"""
SOON = "2099-01-01T00:00:00Z"


def step(name: str, extra: str = "") -> str:
    """One of the steps that an identifier names."""
    refused = "... on Refused { reason message details { key value } }"
    return f"mutation T($id: ID!) {{ {name}(id: $id{extra}) {{ __typename {TERMS} {refused} }} }}"


async def test_terms_are_agreed_and_a_redemption_shows_them_to_the_parties(client: Client) -> None:
    hub, root = client.hub, client.caller(client.hub.admin)
    for code, parent in (("BANK", None), ("MALL", None), ("TEA", "MALL"), ("HOME", None)):
        await hub.institution(code, parent=parent)
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "HOME", "al", "5000")
    mall = await holder(client, root, "MALL", "Mo", "INSTITUTION_ADMIN")
    tea = await holder(client, root, "TEA", "Ti", "INSTITUTION_AUDITOR")
    home = await holder(client, root, "HOME", "Ho", "INSTITUTION_TRADER")
    asked: dict[str, Any] = {
        "currency": "BP", "merchant": "MALL", "price": {"amount": "0.009500", "currency": "CNY"},
        "feeFixed": {"amount": "0.01", "currency": "CNY"}, "feePerPoint": {"amount": "0.0001", "currency": "CNY"},
        "feePercent": "1.50", "feeCap": {"amount": "5", "currency": "CNY"},
    }  # fmt: skip
    made = await act(mall, "proposeAcceptanceTerms", "ProposeAcceptanceTermsInput", TERMS, **asked)
    assert made | {"id": ""} == {
        "__typename": "AcceptanceTerms", "id": "", "version": 1, "status": "PROPOSED", "awaiting": ["OPERATOR"],
        "currency": {"code": "BP"}, "merchant": {"code": "MALL"}, "price": {"amount": "0.0095", "currency": "CNY"},
        "feeFixed": {"amount": "0.01"}, "feePerPoint": {"amount": "0.0001"}, "feePercent": "1.5",
        "feeCap": {"amount": "5.00"}, "effectiveFrom": None, "effectiveUntil": None,
        "proposedBy": "Mo", "acceptedBy": [], "decidedBy": None,
    }  # fmt: skip
    assert (await tea.ask(LIST))["edges"] == []  # what is not approved is the parties' alone
    approved = await root.ask(step("approveTerms"), id=made["id"])
    assert (approved["status"], approved["decidedBy"]) == ("APPROVED", "root")
    later = await act(root, "proposeAcceptanceTerms", "ProposeAcceptanceTermsInput", TERMS, **asked, effectiveFrom=SOON)
    assert (later["version"], later["awaiting"]) == (2, ["MERCHANT", "OPERATOR"])
    assert (await mall.ask(step("acceptTerms"), id=later["id"]))["acceptedBy"] == ["Mo"]
    refused = await root.ask(step("approveTerms"), id=later["id"])
    assert (refused["reason"], refused["message"]) == (
        "SAME_APPROVER", "Whoever proposed it may not approve it; another person must."
    )  # fmt: skip

    def versions(page: Any) -> list[int]:
        return [edge["node"]["version"] for edge in page["edges"]]

    assert versions(await mall.ask(LIST)) == [1, 2]
    assert versions(await mall.ask(LIST, status="APPROVED", at=SOON, currency="BP", merchant="MALL")) == [1]
    assert versions(await mall.ask(LIST, merchant="TEA")) == []
    assert (versions(await tea.ask(LIST)), versions(await home.ask(LIST))) == ([1], [])
    node = "query N($id: ID!) { node(id: $id) { id } }"
    assert (await tea.ask(node, id=made["id"]), await home.ask(node, id=made["id"])) == ({"id": made["id"]}, None)
    assert (await root.ask(step("rejectTerms", ', reason: "dear"'), id=later["id"]))["status"] == "REJECTED"

    spent = {"currency": "BP", "customer": {"institution": "HOME", "reference": "al"}, "merchant": "TEA"}
    done = await act(home, "redeemPoints", "RedeemPointsInput", REDEEMED, idempotencyKey="r", amount="1000", **spent)
    # 1000 × 0.0095 = 9.50; 0.01 + 1000 × 0.0001 + 1.5 % of 9.50 = 0.2525
    assert (done["value"], done["fee"]) == ({"amount": "9.50", "currency": "CNY"}, {"amount": "0.2525"})
    assert done["terms"] is None  # what they agreed is not the customer's bank's business
    shown = f"query N($id: ID!) {{ node(id: $id) {{ {REDEEMED} }} }}"
    assert (await tea.ask(shown, id=done["id"]))["terms"] == {"version": 1, "merchant": {"code": "MALL"}}
    await hub.do(commands.Reverse(actor=hub.admin, key="b", id=int(done["id"][3:], 16), amount=None, reason="back"))
    withdrawn = await mall.ask(step("withdrawTerms", ', reason: "over"'), id=made["id"])
    assert withdrawn["status"] == "WITHDRAWN"

    policy = 'mutation P($p: PointsPolicyInput!) { setPointsPolicy(currency: "BP", policy: $p) { __typename'
    policy += " ... on PointCurrency { policy { needsTerms } } } }"
    assert (await root.ask(policy, p={"needsTerms": True}))["policy"] == {"needsTerms": True}
    home.language = "zh"
    refused = await act(home, "redeemPoints", "RedeemPointsInput", "", idempotencyKey="s", amount="1", **spent)
    assert (refused["reason"], refused["message"]) == ("NOT_ACCEPTED", "商户 TEA 不受理积分 BP。")

    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=window))
    async with hub.database.snapshot() as connection:
        closed = (await window_rows.windows(connection, tables.settlement_window.c.id == window))[window]
        legs = await Legs.of(connection, hub.engine.configuration, closed)
        lines = [json.loads(encode(line)) for line in await legs.page(connection, legs.start)]
    told = [(line["purpose"], line["amount"], line.get("price"), line.get("terms")) for line in lines]
    assert told == [
        ("settlement", "9.50", "0.0095", made["id"]),
        ("fee", "0.2525", None, made["id"]),
        ("settlement", "9.50", None, made["id"]),  # of the reversal: a share of an act, which has no price
        ("fee", "0.2525", None, made["id"]),
    ]


async def test_a_basket_shows_what_paid_for_it_to_those_whom_it_concerns(client: Client) -> None:
    hub, root = client.hub, client.caller(client.hub.admin)
    for code in ("BANK", "SHOP", "OTHER"):
        await hub.institution(code)
    for code in ("BP", "UP"):
        await hub.currency(code, "BANK", unit_value="0.01")
        await hub.issue(code, "BANK", "al", "500")
    shop, other = [await holder(client, root, code, code, "INSTITUTION_AUDITOR") for code in ("SHOP", "OTHER")]
    shown = """... on Basket { id replayed amount { amount currency } paid { amount } rest { amount }
      customer { reference } merchant { code } redemptions { id points { amount currency } value { amount } } }"""
    asked = {
        "idempotencyKey": "k", "customer": {"institution": "BANK", "reference": "al"}, "merchant": "SHOP",
        "amount": {"amount": "12.5", "currency": "CNY"}, "currencies": ["UP", "BP"], "leavesRest": True,
    }  # fmt: skip
    made = await act(root, "redeemBasket", "RedeemBasketInput", shown, **asked)
    redemptions = made.pop("redemptions")
    assert made == {
        "__typename": "Basket", "id": made["id"], "replayed": False, "amount": {"amount": "12.50", "currency": "CNY"},
        "paid": {"amount": "10.00"}, "rest": {"amount": "2.50"}, "customer": {"reference": "al"},
        "merchant": {"code": "SHOP"},
    }  # fmt: skip
    assert [(one["points"], one["value"]) for one in redemptions] == [
        ({"amount": "500", "currency": code}, {"amount": "5.00"}) for code in ("UP", "BP")
    ]
    again = await act(root, "redeemBasket", "RedeemBasketInput", "... on Basket { id replayed }", **asked)
    assert again == {"__typename": "Basket", "id": made["id"], "replayed": True}
    node = "query N($id: ID!) { node(id: $id) { id } }"
    assert await shop.ask(node, id=made["id"]) == {"id": made["id"]}
    assert await other.ask(node, id=made["id"]) is None


async def test_the_operator_sees_who_would_lose_by_a_rate_before_it_approves_it(client: Client) -> None:
    hub, root = client.hub, client.caller(client.hub.admin)
    for code, points in (("BANK", "BP"), ("AIR", "MILE")):
        await hub.institution(code)
        await hub.currency(points, code, unit_value="1")
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_ADMIN")
    await hub.rate("BP", "MILE", settlement_price=commands.MoneyText("0.75", "CNY"))
    back = await hub.do(hub.proposal("MILE", "BP", settlement_price=commands.MoneyText("0.8", "CNY")))
    cycles = "losingCycles { isWhole cycles { currencies { code } issuer { code } loss { amount currency } } }"
    node = f"query N($id: ID!) {{ node(id: $id) {{ ... on Rate {{ {cycles} }} }} }}"
    query = f"{{ {cycles} }}"
    nobody = {"isWhole": True, "cycles": []}
    # AIR takes a mile on for 0.75 and pays 0.80 to be rid of it.
    air = {
        "currencies": [{"code": code} for code in ("MILE", "BP", "MILE")], "issuer": {"code": "AIR"},
        "loss": {"amount": "0.05", "currency": "CNY"},
    }  # fmt: skip
    assert await root.ask(query) == nobody
    assert (await root.ask(node, id=f"rt_{back.id:x}"))["losingCycles"] == {"isWhole": True, "cycles": [air]}
    assert (await bank.ask(node, id=f"rt_{back.id:x}"))["losingCycles"] == nobody
    approve = f"mutation A($id: ID!) {{ approveRate(id: $id) {{ ... on Rate {{ status {cycles} }} }} }}"
    approved = await client.caller(hub.second).ask(approve, id=f"rt_{back.id:x}")
    assert approved == {"status": "APPROVED", "losingCycles": {"isWhole": True, "cycles": [air]}}  # it is not refused
    assert (await root.ask(query), await bank.ask(query)) == ({"isWhole": True, "cycles": [air]}, nobody)


async def test_grants_and_unit_values_are_agreed_and_shown(client: Client) -> None:
    hub, root, second = client.hub, client.caller(client.hub.admin), client.caller(client.hub.second)
    for code in ("BANK", "TEL", "OTHER"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    tel = await holder(client, root, "TEL", "Ti", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
    other = await holder(client, root, "OTHER", "Oz", "INSTITUTION_TRADER")
    grant = "... on GrantTerms { id version awaiting grantor { code } price { amount } }"
    asked = {"currency": "BP", "grantor": "TEL", "price": {"amount": "0.03", "currency": "CNY"}}
    made = await act(tel, "proposeGrantTerms", "ProposeGrantTermsInput", grant, **asked)
    assert made | {"id": ""} == {
        "__typename": "GrantTerms", "id": "", "version": 1, "awaiting": ["OPERATOR"], "grantor": {"code": "TEL"},
        "price": {"amount": "0.03"},
    }  # fmt: skip
    await root.ask(step("approveTerms"), id=made["id"])
    given = {"idempotencyKey": "g", "currency": "BP", "to": {"institution": "OTHER", "reference": "o"}, "amount": "100"}
    shown = "... on Issue { id grantor { code } value { amount currency } terms { id } }"
    issued = await act(tel, "issuePoints", "IssuePointsInput", shown, **given, grantor="TEL")
    assert issued | {"id": ""} == {
        "__typename": "Issue", "id": "", "grantor": {"code": "TEL"},
        "value": {"amount": "3.00", "currency": "CNY"}, "terms": {"id": made["id"]},
    }  # fmt: skip
    assert (await other.ask(f"query N($id: ID!) {{ node(id: $id) {{ {shown} }} }}", id=issued["id"]))["terms"] is None
    own = await act(root, "issuePoints", "IssuePointsInput", shown, **{**given, "idempotencyKey": "h"})
    assert (own["grantor"], own["value"], own["terms"]) == ({"code": "BANK"}, None, None)
    rows = "mutation B($rows: [IssuePointsInput!]!) { issuePointsBatch(input: $rows) { __typename } }"
    batch = [{**given, "idempotencyKey": key, "grantor": grantor} for key, grantor in (("i", "TEL"), ("j", "OTHER"))]
    refused = await tel.execute(rows, rows=batch)  # one row of another's refuses the whole call
    assert refused.errors is not None
    assert await tel.ask(rows, rows=batch[:1]) == [{"__typename": "Issue"}]

    value = "... on UnitValue { id version awaiting price { amount currency } }"
    worth = {"currency": "BP", "value": {"amount": "0.0400", "currency": "CNY"}}
    proposed = await act(root, "proposeUnitValue", "ProposeUnitValueInput", value, **worth)
    assert (proposed["version"], proposed["awaiting"]) == (1, ["OPERATOR"])
    now = '{ pointCurrency(code: "BP") { unitValue { amount } } }'
    listed = '{ unitValues(currency: "BP") { edges { node { price { amount } } } } }'
    assert (await other.ask(now), await other.ask(listed)) == ({"unitValue": {"amount": "0.05"}}, {"edges": []})
    await second.ask(step("approveTerms"), id=proposed["id"])
    assert await other.ask(now) == {"unitValue": {"amount": "0.04"}}
    assert await other.ask(listed) == {"edges": [{"node": {"price": {"amount": "0.04"}}}]}
    grants = "{ grantTerms { edges { node { version } } } }"
    assert [len((await one.ask(grants))["edges"]) for one in (root, tel, other)] == [1, 1, 0]
