"""Prepaid blocks over the API: offered, bought, drawn on, brought back to, handed back, and what the books say."""

from tests.schema.acting import act, currency, holder, institution
from tests.schema.conftest import Client

BLOCK = """... on PrepaidBlock { id status points { amount currency } price { amount currency } left { amount }
  drawn { amount } refunded { amount } holder { code } issuer { code } currency { code } proposalId
  offeredBy movement }"""
REFUSED = "... on Refused { reason message details { key value } }"


async def test_a_block_is_bought_drawn_on_shown_and_handed_back(client: Client) -> None:
    root, second = client.caller(client.hub.admin), client.caller(client.hub.second)
    for code in ("BANK", "TEL", "AIR"):
        await institution(root, code)
    await currency(root, "BP", "BANK", scale=1)
    bank = await holder(client, root, "BANK", "bo", "INSTITUTION_ADMIN")
    tel = await holder(client, root, "TEL", "tao", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
    air = await holder(client, root, "AIR", "an", "INSTITUTION_ADMIN")
    price = {"amount": "0.03", "currency": "CNY"}
    terms = "... on GrantTerms { id prepaidOnly }"
    asked = {"currency": "BP", "grantor": "TEL", "price": price, "prepaidOnly": True}
    made = await act(tel, "proposeGrantTerms", "ProposeGrantTermsInput", terms, **asked)
    assert made["prepaidOnly"] is True
    step = f"mutation($id: ID!) {{ STEP(id: $id) {{ __typename {REFUSED} }} }}"
    assert (await bank.ask(step.replace("STEP", "acceptTerms"), id=made["id"]))["__typename"] == "GrantTerms"
    assert (await second.ask(step.replace("STEP", "approveTerms"), id=made["id"]))["__typename"] == "GrantTerms"

    offer = {"currency": "BP", "holder": "TEL", "points": "100.5", "price": {"amount": "2.01", "currency": "CNY"}}
    offered = await act(bank, "offerPrepaidBlock", "OfferPrepaidBlockInput", BLOCK, **offer)
    assert offered == {
        "__typename": "PrepaidBlock",
        "id": offered["id"],
        "status": "OFFERED",
        "points": {"amount": "100.5", "currency": "BP"},
        "price": {"amount": "2.01", "currency": "CNY"},
        "left": {"amount": "0.0"},
        "drawn": {"amount": "0.0"},
        "refunded": {"amount": "0.0"},
        "holder": {"code": "TEL"},
        "issuer": {"code": "BANK"},
        "currency": {"code": "BP"},
        "proposalId": None,
        "offeredBy": "bo",
        "movement": None,
    }
    other = await act(bank, "offerPrepaidBlock", "OfferPrepaidBlockInput", BLOCK, **offer)
    decline = f'mutation($id: ID!) {{ declinePrepaidBlock(id: $id, reason: "enough") {{ {BLOCK} }} }}'
    assert (await bank.ask(decline, id=other["id"]))["status"] == "DECLINED"
    accept = f"mutation($id: ID!) {{ acceptPrepaidBlock(id: $id) {{ __typename {BLOCK} {REFUSED} }} }}"
    assert (await air.ask(accept, id=offered["id"]))["reason"] == "NOT_FOUND"
    bought = await tel.ask(accept, id=offered["id"])
    assert (bought["status"], bought["left"]) == ("SOLD", {"amount": "100.5"})
    stock = "... on PrepaidStock { holder { code } currency { code } left { amount } threshold { amount } low }"
    notice = {"currency": "BP", "holder": "TEL", "threshold": "50"}
    told = await act(tel, "setPrepaidNotice", "SetPrepaidNoticeInput", stock, **notice)
    assert (told["left"], told["low"]) == ({"amount": "100.5"}, False)

    grant = {"currency": "BP", "to": {"institution": "TEL", "reference": "al"}, "amount": "60", "grantor": "TEL"}
    shown = "... on Issue { id value { amount } movementId: id }"
    issued = await act(tel, "issuePoints", "IssuePointsInput", shown, **grant, idempotencyKey="1")
    assert issued["value"] == {"amount": "0.00"}  # all of it was prepaid
    refused = await act(tel, "issuePoints", "IssuePointsInput", "", **grant, idempotencyKey="2")
    assert (refused["reason"], refused["retryable"]) == ("INSUFFICIENT_PREPAID", True)
    assert refused["message"] == "Of the prepaid points 40.5 BP are left, and 60.0 are needed."
    back = {"id": issued["id"], "amount": "9.5", "reason": "returned", "idempotencyKey": "3"}
    await act(tel, "reverse", "ReverseInput", "", **back)
    propose = f'mutation($id: ID!) {{ proposePrepaidRefund(id: $id, points: "0.5") {{ {BLOCK} }} }}'
    proposed = await bank.ask(propose, id=offered["id"])
    take = "mutation($id: ID!, $p: ID!) { acceptPrepaidRefund(id: $id, proposalId: $p) { __typename BLOCK } }"
    handed = await tel.ask(take.replace("BLOCK", f"{BLOCK} {REFUSED}"), id=offered["id"], p=proposed["proposalId"])
    assert (handed["left"], handed["drawn"], handed["refunded"]) == (
        {"amount": "49.5"},  # 100.5 - 50.5 - 0.5
        {"amount": "50.5"},
        {"amount": "0.5"},
    )
    again = await tel.ask(propose, id=offered["id"])
    end = 'mutation($id: ID!, $p: ID!) { declinePrepaidRefund(id: $id, proposalId: $p, reason: "no") { BLOCK } }'
    ended = await bank.ask(end.replace("BLOCK", BLOCK), id=offered["id"], p=again["proposalId"])
    assert ended["proposalId"] is None

    query = """query($after: String, $id: ID!) { node(id: $id) { ... on PrepaidBlock {
        history { kind person points { amount } reason }
        draws(first: 1, after: $after) { pageInfo { endCursor hasNextPage }
          edges { node { points { amount } } } } } } }"""
    first = await tel.ask(query, id=offered["id"])
    assert [(one["kind"], one["person"], one["points"], one["reason"]) for one in first["history"]] == [
        ("SOLD", "tao", None, None),
        ("REFUND_PROPOSED", "bo", {"amount": "0.5"}, None),
        ("REFUNDED", "tao", {"amount": "0.5"}, None),
        ("REFUND_PROPOSED", "tao", {"amount": "0.5"}, None),
        ("REFUND_DECLINED", "bo", None, "no"),
    ]
    then = await tel.ask(query, id=offered["id"], after=first["draws"]["pageInfo"]["endCursor"])
    pages = [page["draws"]["edges"][0]["node"]["points"]["amount"] for page in (first, then)]
    assert (pages, then["draws"]["pageInfo"]["hasNextPage"]) == (["60.0", "-9.5"], False)
    assert await air.ask(query, id=offered["id"]) is None
    listed = '{ prepaidBlocks(holder: "TEL", status: SOLD) { edges { node { id } } } }'
    mine = {"edges": [{"node": {"id": offered["id"]}}]}
    assert [await one.ask(listed) for one in (tel, bank, root, air)] == [mine, mine, mine, {"edges": []}]
    stocks = "{ prepaidStocks { holder { code } left { amount } threshold { amount } low } }"
    seen = [{"holder": {"code": "TEL"}, "left": {"amount": "49.5"}, "threshold": {"amount": "50.0"}, "low": True}]
    assert [await one.ask(stocks) for one in (tel, air)] == [seen, []]
    asked_for = "received { amount } refunded { amount } recognised { amount } lapsed { amount } liability { amount }"
    books = f"{{ prepaidLiabilities {{ currency {{ code }} issuer {{ code }} {asked_for} }} }}"
    assert await bank.ask(books) == [
        {
            "currency": {"code": "BP"},
            "issuer": {"code": "BANK"},
            "received": {"amount": "2.01"},
            "refunded": {"amount": "0.01"},  # 0.5 × 2.01 / 100.5
            "recognised": {"amount": "1.01"},  # 50.5 × 0.02
            "lapsed": {"amount": "0.00"},
            "liability": {"amount": "0.99"},  # 49.5 × 0.02
        }
    ]
    assert await tel.ask(books) == []
    assert await bank.ask(books.replace("prepaidLiabilities", 'prepaidLiabilities(at: "2020-01-01T00:00:00Z")')) == []
