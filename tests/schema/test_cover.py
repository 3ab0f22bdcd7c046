"""Cover over the API: terms, what is put up, and the refusal for want of it."""

from tests.schema.acting import act, currency, holder, institution
from tests.schema.conftest import Client

COVER = """... on Cover { institution { code } currency collateral fund recovered exposure available
  terms { needed line haircutPercent fund dueDays } proposal { id proposedBy terms { line } } }"""
ENTRY = "... on CoverEntry { id pot amount currency status reference recordedBy decidedBy rejection }"


async def test_collateral_is_put_up_by_two_persons_and_what_it_does_not_cover_is_refused(client: Client) -> None:
    root, second = client.caller(client.hub.admin), client.caller(client.hub.second)
    for code in ("BANK", "SHOP"):
        await institution(root, code)
    await currency(root, "BP", "BANK")
    await client.hub.issue("BP", "BANK", "alice", "1000")
    bank = await holder(client, root, "BANK", "bai", "INSTITUTION_TRADER")
    terms = {"institution": "BANK", "currency": "CNY", "needed": True}
    agreed = await act(root, "setCover", "SetCoverInput", COVER, **terms, line="1", haircutPercent="12.5", fund="3")
    assert agreed == {
        "__typename": "Cover",
        "institution": {"code": "BANK"},
        "currency": "CNY",
        "collateral": "0.00",
        "fund": "0.00",
        "recovered": "0.00",
        "exposure": "0.00",
        "available": "1.00",
        "terms": {"needed": True, "line": "1.00", "haircutPercent": "12.5", "fund": "3.00", "dueDays": 1},
        "proposal": None,
    }
    eased = await act(root, "setCover", "SetCoverInput", COVER, **terms, line="2", haircutPercent="12.5", fund="3")
    assert (eased["terms"]["line"], eased["proposal"]["terms"], eased["proposal"]["proposedBy"]) == (
        "1.00",
        {"line": "2.00"},
        "root",
    )
    approve = f"mutation($id: ID!) {{ approveCover(id: $id) {{ __typename {COVER} ... on Refused {{ reason }} }} }}"
    assert (await root.ask(approve, id=eased["proposal"]["id"]))["reason"] == "SAME_APPROVER"
    assert (await second.ask(approve, id=eased["proposal"]["id"]))["terms"]["line"] == "2.00"
    asked = {"institution": "BANK", "currency": "CNY", "pot": "COLLATERAL", "amount": "8", "reference": "b-1"}
    made = await act(root, "recordCoverEntry", "RecordCoverEntryInput", ENTRY, **asked)
    assert made == {
        "__typename": "CoverEntry",
        "id": made["id"],
        "pot": "COLLATERAL",
        "amount": "8.00",
        "currency": "CNY",
        "status": "PROPOSED",
        "reference": "b-1",
        "recordedBy": "root",
        "decidedBy": None,
        "rejection": None,
    }
    approve = (
        f"mutation($id: ID!) {{ approveCoverEntry(id: $id) {{ __typename {ENTRY} ... on Refused {{ reason }} }} }}"
    )
    assert (await root.ask(approve, id=made["id"]))["reason"] == "SAME_APPROVER"
    assert (await second.ask(approve, id=made["id"]))["status"] == "POSTED"
    customer = {"institution": "BANK", "reference": "alice"}
    spend = {"currency": "BP", "customer": customer, "merchant": "SHOP", "amount": "200"}
    refused = await act(bank, "redeemPoints", "RedeemPointsInput", "", **spend, idempotencyKey="1")
    told = {detail["key"]: detail["value"] for detail in refused["details"]}
    assert (refused["reason"], refused["retryable"]) == ("INSUFFICIENT_LIQUIDITY", True)
    # 200 × 0.05 = 10.00; 2 + 8 × 0.875 = 9.00
    assert (told["exposure"], told["cover"], told["collateral"], told["line"]) == ("10.00", "9.00", "8.00", "2.00")
    assert refused["message"] == "This would take BANK to 10.00 CNY, beyond its cover of 9.00."
    done = await act(bank, "redeemPoints", "RedeemPointsInput", "", **spend | {"amount": "180"}, idempotencyKey="2")
    assert done["__typename"] == "Redemption"
    trial = """query($a: Decimal!) { capTrial(institution: "BANK", currency: "CNY", amount: $a) {
        exposure headroom peak refused acts { kind exposure } } }"""
    assert await bank.ask(trial, a="8.99") == {
        "exposure": "9.00",
        "headroom": "-0.01",
        "peak": "9.00",
        "refused": 1,
        "acts": [{"kind": "REDEEM", "exposure": "9.00"}],
    }
    assert (await bank.ask(trial, a="9"))["refused"] == 0
    assert await bank.codes(trial, a="-1") == ["BAD_INPUT"]
    back = asked | {"amount": "-0.01", "reference": "b-2"}
    refused = await act(client.caller(client.hub.admin, "zh"), "recordCoverEntry", "RecordCoverEntryInput", "", **back)
    assert refused["reason"] == "INSUFFICIENT_LIQUIDITY"
    assert refused["message"] == "支取后 BANK 在 COLLATERAL 中的余额将低于要求，现有 8.00 CNY。"
    other = await act(root, "recordCoverEntry", "RecordCoverEntryInput", ENTRY, **asked | {"reference": "b-3"})
    reject = f'mutation($id: ID!) {{ rejectCoverEntry(id: $id, reason: "came back") {{ {ENTRY} }} }}'
    assert (await root.ask(reject, id=other["id"]))["rejection"] == "came back"
    listed = """query($after: String) { coverEntries(currency: "CNY", first: 1, after: $after) {
        pageInfo { endCursor } edges { node { reference status } } } }"""
    first = await bank.ask(listed)
    assert [edge["node"] for edge in first["edges"]] == [{"reference": "b-3", "status": "REJECTED"}]
    then = await bank.ask(listed, after=first["pageInfo"]["endCursor"])
    assert [edge["node"] for edge in then["edges"]] == [{"reference": "b-1", "status": "POSTED"}]
    shop = await holder(client, root, "SHOP", "shen", "INSTITUTION_AUDITOR")
    assert (await shop.ask(listed))["edges"] == []
    covers = "{ covers { institution { code } available } }"
    assert (await bank.ask(covers), await shop.ask(covers)) == (
        [{"institution": {"code": "BANK"}, "available": "0.00"}],
        [],
    )


async def test_a_net_that_is_not_paid_is_shown_with_who_bears_it(client: Client) -> None:
    root, second = client.caller(client.hub.admin), client.caller(client.hub.second)
    for code in ("BANK", "SHOP", "AIR"):
        await institution(root, code)
    await currency(root, "BP", "BANK")
    await client.hub.issue("BP", "BANK", "alice", "10000")
    shop = await holder(client, root, "SHOP", "shen", "INSTITUTION_AUDITOR")
    air = await holder(client, root, "AIR", "an", "INSTITUTION_AUDITOR")
    none = {"institution": "BANK", "currency": "CNY", "needed": False, "dueDays": 0}
    await act(root, "setCover", "SetCoverInput", "", **none)
    customer = {"institution": "BANK", "reference": "alice"}
    spend = {"currency": "BP", "customer": customer, "merchant": "SHOP", "amount": "200", "idempotencyKey": "1"}
    await act(root, "redeemPoints", "RedeemPointsInput", "", **spend)
    window = (await root.ask("{ hub { window { id } } }"))["window"]["id"]
    await act(root, "closeSettlementWindow", "CloseWindowInput", "", idempotencyKey="c", windowId=window)
    shown = "... on Default { id status amount outstanding repaid }"
    asked = {"windowId": window, "institution": "BANK", "currency": "CNY", "reason": "nothing came"}
    made = await act(root, "proposeDefault", "ProposeDefaultInput", shown, **asked)
    approve = f"mutation($id: ID!) {{ approveDefault(id: $id) {{ __typename {shown} ... on Refused {{ reason }} }} }}"
    assert (await root.ask(approve, id=made["id"]))["reason"] == "SAME_APPROVER"
    assert (await second.ask(approve, id=made["id"]))["status"] == "DECLARED"
    out = {"windowId": window, "institution": "SHOP", "currency": "CNY", "reference": "b"}
    waits = await act(
        root, "confirmSettlement", "ConfirmSettlementInput", "", idempotencyKey="w", amount="10.00", **out
    )
    assert (waits["reason"], waits["retryable"]) == ("PAY_OUT_WAITS", True)
    assert waits["message"] == "Somebody has not paid in CNY; pay-outs go on when it is settled who bears that."
    entry = {"institution": "AIR", "currency": "CNY", "pot": "FUND", "amount": "4", "reference": "f"}
    put = await act(root, "recordCoverEntry", "RecordCoverEntryInput", ENTRY, **entry)
    await second.ask(f"mutation($id: ID!) {{ approveCoverEntry(id: $id) {{ {ENTRY} }} }}", id=put["id"])
    cover = """mutation($w: ID!) { coverDefaults(windowId: $w, currency: "CNY") {
        ... on SettlementWindow { status nets { institution { code } net due } } } }"""
    assert await root.ask(cover, w=window) == {
        "status": "SETTLING",
        "nets": [
            {"institution": {"code": "BANK"}, "net": "-10.00", "due": "0.00"},
            {"institution": {"code": "SHOP"}, "net": "10.00", "due": "4.00"},  # 4 of the fund, 6 cut
        ],
    }
    again = {"defaultId": made["id"], "amount": "7", "reference": "late", "valueDate": "2026-02-01"}
    assert (await act(root, "repayDefault", "RepayDefaultInput", shown, **again))["outstanding"] == "3.00"
    told = """{ defaults { edges { node { institution { code } status outstanding window { number }
        shares { source institution { code } amount repaid advanced }
        steps { kind amount person text reference } } } } }"""
    cut = {"source": "CUT", "institution": {"code": "SHOP"}, "amount": "6.00", "repaid": "6.00", "advanced": False}
    fund = {"source": "FUND", "institution": {"code": "AIR"}, "amount": "4.00", "repaid": "1.00", "advanced": False}
    [edge] = (await root.ask(told))["edges"]
    assert edge["node"]["shares"] == [fund, cut]
    assert [
        (one["kind"], one["amount"], one["person"], one["text"], one["reference"]) for one in edge["node"]["steps"]
    ] == [
        ("PROPOSED", "10.00", "root", "nothing came", None),
        ("DECLARED", "10.00", "second", None, None),
        ("FUND", "4.00", "root", None, None),
        ("CUT", "6.00", "root", None, None),
        ("COVERED", "10.00", "root", None, None),
        ("REPAID", "7.00", "root", None, "late"),
    ]
    for caller, share in ((shop, cut), (air, fund)):  # each sees its own
        [edge] = (await caller.ask(told))["edges"]
        assert (edge["node"]["shares"], edge["node"]["steps"], edge["node"]["outstanding"]) == ([share], [], "3.00")
    other = await holder(client, root, "HUB", "ou", "OPERATOR_AUDITOR")
    assert len((await other.ask(told))["edges"]) == 1
    await institution(root, "ELSE")
    other = await holder(client, root, "ELSE", "el", "INSTITUTION_AUDITOR")
    assert (await other.ask(told))["edges"] == []
    # A window shows the same, and the supplements to its reports are as many as were said of each.
    shown = "query($w: ID!) { settlementWindow(id: $w) { defaults { outstanding window { id } shares { amount } } } }"
    seen = [{"outstanding": "3.00", "window": {"id": window}, "shares": [{"amount": "6.00"}]}]
    assert await shop.ask(shown, w=window) == {"defaults": seen}
    assert await other.ask(shown, w=window) == {"defaults": []}
    supplements = """query($w: ID!, $v: String!) { settlementSupplements(windowId: $w, institution: $v) {
        number digest previousDigest jws payload } }"""
    counts = {}
    for code, caller in (("HUB", root), ("BANK", root), ("SHOP", shop), ("AIR", air), ("ELSE", other)):
        found = await caller.ask(supplements, w=window, v=code)
        counts[code] = [one["number"] for one in found]
        assert [one["previousDigest"] for one in found] == [None, *(one["digest"] for one in found)][: len(found)]
    assert counts == {"HUB": [1, 2, 3], "BANK": [1, 2, 3], "SHOP": [1, 2], "AIR": [1, 2], "ELSE": []}
    for code in ("HUB", "BANK", "AIR"):
        assert await shop.ask(supplements, w=window, v=code) == []
