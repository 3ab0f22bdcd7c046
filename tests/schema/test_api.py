"""The whole story through the API: a tree of institutions, points, rates with consent, conversions and settlement."""

import json
from typing import Any

from tests.schema.acting import CONVERSION, CUSTOMER, REFUSED, act, currency, holder, institution
from tests.schema.conftest import Caller, Client


async def test_the_whole_story(client: Client) -> None:
    root = client.caller(client.hub.admin)
    second = client.caller(client.hub.second)

    # Who takes part
    made = await institution(root, "BANK", zones=["east"])
    assert made["parent"] == {"code": "HUB"}
    assert made["zones"] == ["east"]
    await institution(root, "AIR", "AIRLINE")
    await institution(root, "SHOP", "MERCHANT", parent="BANK")
    again = await institution(root, "BANK")
    assert (again["reason"], again["message"]) == ("DUPLICATE", "BANK exists already.")
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
    air = await holder(client, root, "AIR", "Ann", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
    viewer = await bank.ask("{ viewer { credential { person } institution { code } roles } }")
    assert viewer == {
        "credential": {"person": "Ben"},
        "institution": {"code": "BANK"},
        "roles": ["INSTITUTION_ADMIN", "INSTITUTION_TRADER"],
    }

    # What is exchanged
    points = await currency(bank, "BP", "BANK", scale=2)
    assert points["unitValue"] == {"amount": "0.05", "currency": "CNY"}
    assert points["expiry"] == {"kind": "NEVER", "months": None}
    assert points["circulation"] == {"amount": "0.00", "currency": "BP"}
    await currency(air, "MILE", "AIR", expiry={"kind": "MONTHS_AFTER_EARNING", "months": 24})
    proposed = await act(
        bank,
        "proposeRate",
        "ProposeRateInput",
        "... on Rate { id version status awaiting ratio { numerator denominator } minimum step feePercent "
        "feeFixed { amount } feePerPoint { amount currency } settlementPrice { amount currency } effectiveFrom "
        "bonuses { percent cap fundedBy } proposedBy acceptedBy source { code } target { code } }",
        source="BP",
        target="MILE",
        ratio={"numerator": "2", "denominator": "50"},
        minimum="25.00",
        step="25",
        feePercent="1.50",
        feePerPoint={"amount": "0.000000000001", "currency": "CNY"},
        settlementPrice={"amount": "0.06", "currency": "CNY"},
        bonuses=[{"percent": "10", "cap": "1000", "fundedBy": "TARGET_ISSUER"}],
    )
    assert proposed | {"id": ""} == {
        "__typename": "Rate",
        "id": "",
        "version": 1,
        "status": "PROPOSED",
        "awaiting": ["TARGET_ISSUER", "OPERATOR"],
        "ratio": {"numerator": "1", "denominator": "25"},
        "minimum": "25.00",
        "step": "25.00",
        "feePercent": "1.5",
        "feeFixed": None,
        "feePerPoint": {"amount": "0.000000000001", "currency": "CNY"},
        "settlementPrice": {"amount": "0.06", "currency": "CNY"},
        "effectiveFrom": None,
        "bonuses": [{"percent": "10", "cap": "1000.00", "fundedBy": "TARGET_ISSUER"}],
        "proposedBy": "Ben",
        "acceptedBy": [],
        "source": {"code": "BP"},
        "target": {"code": "MILE"},
    }
    decide = "mutation D($id: ID!) { %s(id: $id) { __typename ... on Rate { status acceptedBy decidedBy } %s } }"
    early = await second.ask(decide % ("approveRate", REFUSED), id=proposed["id"])
    assert (early["reason"], early["retryable"]) == ("NOT_ACCEPTED", True)
    accepted = await air.ask(decide % ("acceptRate", REFUSED), id=proposed["id"])
    assert accepted["acceptedBy"] == ["Ann"]
    approved = await second.ask(decide % ("approveRate", REFUSED), id=proposed["id"])
    assert (approved["status"], approved["decidedBy"]) == ("APPROVED", "second")

    # Points, and what becomes of them
    issue = {"idempotencyKey": "i1", "currency": "BP", "to": {"institution": "BANK", "reference": "alice"}}
    selection = "... on Issue { id points { amount currency } replayed sequence customer { reference } }"
    issued = await act(bank, "issuePoints", "IssuePointsInput", selection, **issue, amount="1000.5", memo="welcome")
    assert issued["points"] == {"amount": "1000.50", "currency": "BP"}
    assert issued["customer"] == {"reference": "alice"}
    replay = await act(bank, "issuePoints", "IssuePointsInput", selection, **issue, amount="1000.50", memo="welcome")
    assert replay == issued | {"replayed": True}
    conflict = await act(bank, "issuePoints", "IssuePointsInput", selection, **issue, amount="1")
    assert conflict["reason"] == "IDEMPOTENCY_CONFLICT"

    convert = {
        "source": {"institution": "BANK", "reference": "alice"},
        "target": {"institution": "AIR", "reference": "al"},
        "sourceCurrency": "BP",
        "targetCurrency": "MILE",
    }
    preview = """query P($input: RequestQuoteInput!) { previewConversion(input: $input) { __typename
      ... on Preview { target { amount } bonus { amount } fee { amount } settlement { amount } rate { version } }
      ... on Refused { reason details { key value } } } }"""
    # 250 / 25 = 10 miles, and 10 % of them: 11. The target's issuer gives the bonus, so 10 × 0.06 = 0.60 are paid,
    # and 1.5 % of that with 250 × 10^-12, half up to the millionth: 0.009.
    looked = await bank.ask(preview, input={**convert, "sourceAmount": "250"})
    assert looked == {
        "__typename": "Preview",
        "target": {"amount": "11"},
        "bonus": {"amount": "1"},
        "fee": {"amount": "0.009"},
        "settlement": {"amount": "0.60"},
        "rate": {"version": 1},
    }
    too_little = await bank.ask(preview, input={**convert, "sourceAmount": "20"})
    assert too_little["details"] == [{"key": "minimum", "value": "25.00"}]
    quote = await act(
        bank,
        "requestQuote",
        "RequestQuoteInput",
        "... on Quote { id target { amount } expiresAt usedBy { id } }",
        **convert,
        sourceAmount="250",
    )
    assert (quote["target"], quote["usedBy"]) == ({"amount": "11"}, None)
    executed = await act(
        bank, "executeQuote", "ExecuteQuoteInput", CONVERSION, idempotencyKey="q1", quoteId=quote["id"]
    )
    assert executed["status"] == "COMPLETED"
    assert executed["window"] == {"number": 1, "status": "OPEN"}
    assert executed["refusal"] is None
    used = await air.ask("query Q($id: ID!) { quote(id: $id) { usedBy { id target { amount } } } }", id=quote["id"])
    assert used == {"usedBy": {"id": executed["id"], "target": {"amount": "11"}}}
    converted = await act(
        bank,
        "convert",
        "ConvertInput",
        CONVERSION,
        idempotencyKey="c1",
        **convert,
        sourceAmount="100",
        minTargetAmount="4",
    )
    assert converted["target"] == {"amount": "4", "currency": "MILE"}
    slipped = await act(
        bank,
        "convert",
        "ConvertInput",
        CONVERSION,
        idempotencyKey="c2",
        **convert,
        sourceAmount="100",
        minTargetAmount="5",
    )
    assert (slipped["reason"], slipped["details"]) == (
        "SLIPPAGE",
        [{"key": "minimum", "value": "5"}, {"key": "target", "value": "4"}],
    )

    moved = await act(
        bank,
        "transferPoints",
        "TransferPointsInput",
        "... on Transfer { id from { reference } to { reference institution { code } } points { amount } postedAt }",
        idempotencyKey="t1",
        currency="BP",
        **{"from": {"institution": "BANK", "reference": "alice"}, "to": {"institution": "SHOP", "reference": "bob"}},
        amount="50",
    )
    assert (moved["from"], moved["to"]["institution"]) == ({"reference": "alice"}, {"code": "SHOP"})
    redeemed = await act(
        air,
        "redeemPoints",
        "RedeemPointsInput",
        "... on Redemption { id points { amount } value { amount currency } fee { amount } merchant { code } "
        "customer { reference } replayed }",
        idempotencyKey="r1",
        currency="MILE",
        customer={"institution": "AIR", "reference": "al"},
        merchant="SHOP",
        amount="5",
        memo="coffee",
    )
    assert (redeemed["value"], redeemed["fee"]) == ({"amount": "0.25", "currency": "CNY"}, {"amount": "0.00"})
    reversal = await act(
        bank,
        "reverse",
        "ReverseInput",
        "... on Reversal { id points { amount currency } of { __typename id } replayed }",
        idempotencyKey="rev1",
        id=converted["id"],
        reason="a mistake",
    )
    assert reversal["points"] == {"amount": "4", "currency": "MILE"}
    assert reversal["of"] == {"__typename": "Conversion", "id": converted["id"]}
    status = await bank.ask("query S($id: ID!) { conversion(id: $id) { status } }", id=converted["id"])
    assert status == {"status": "REVERSED"}
    live = await act(
        bank,
        "convert",
        "ConvertInput",
        CONVERSION,
        idempotencyKey="c1",
        **convert,
        sourceAmount="100.0",
        minTargetAmount="4",
    )
    assert (live["replayed"], live["status"], live["target"]["amount"]) == (True, "REVERSED", "4")

    # What they hold: 1000.50 - 250 - 100 + 100 - 50 = 700.50, and 11 + 4 - 4 - 5 = 6
    alice = await bank.ask(CUSTOMER, institution="BANK", reference="alice")
    assert alice["balances"] == [
        {
            "currency": {"code": "BP"},
            "total": "700.50",
            "available": "700.50",
            "held": "0.00",
            "lots": [{"amount": "700.50"}],
        }
    ]
    circulation = await air.ask('{ pointCurrency(code: "BP") { circulation { amount } } }')
    assert circulation == {"circulation": {"amount": "750.50"}}
    statement = """query M($customer: CustomerInput!, $after: String) {
      movements(customer: $customer, currency: "BP", first: 2, after: $after) {
        edges { node { id kind points { amount } direction balanceAfter memo } }
        pageInfo { hasNextPage endCursor } } }"""
    customer = {"institution": "BANK", "reference": "alice"}
    lines, after = [], None
    while True:
        page = await bank.ask(statement, customer=customer, after=after)
        lines += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [
        (one["kind"], one["direction"], one["points"]["amount"], one["balanceAfter"], one["memo"]) for one in lines
    ] == [
        ("REVERSE", "CREDIT", "100.00", "700.50", "a mistake"),
        ("TRANSFER", "DEBIT", "50.00", "600.50", None),
        ("CONVERT", "DEBIT", "100.00", "650.50", None),
        ("CONVERT", "DEBIT", "250.00", "750.50", None),
        ("ISSUE", "CREDIT", "1000.50", "1000.50", "welcome"),
    ]
    line = await bank.ask(
        "query N($id: ID!) { node(id: $id) { id ... on Movement { balanceAfter } } }", id=lines[3]["id"]
    )
    assert line == {"id": lines[3]["id"], "balanceAfter": "750.50"}

    # What they owe: 0.60 + 0.009 for the quote; the merchant below the bank is owed 0.25 by the airline
    positions = await bank.ask(
        '{ institution(code: "BANK") { '
        "positions { institution { code } currency own subtree exposure debitCap available } "
        "children { code positions { own } } pointCurrencies { code } } }"
    )
    assert positions == {
        "positions": [
            {
                "institution": {"code": "BANK"},
                "currency": "CNY",
                "own": "-0.609",
                "subtree": "-0.359",
                "exposure": "0.359",
                "debitCap": None,
                "available": None,
            }
        ],
        "children": [{"code": "SHOP", "positions": [{"own": "0.25"}]}],
        "pointCurrencies": [{"code": "BP"}],
    }
    capped = await act(
        root,
        "setDebitCap",
        "SetDebitCapInput",
        "... on Position { institution { code } currency exposure debitCap available }",
        institution="BANK",
        currency="CNY",
        amount="0.4",
    )
    assert capped == {
        "__typename": "Position",
        "institution": {"code": "BANK"},
        "currency": "CNY",
        "exposure": "0.359",
        "debitCap": "0.40",
        "available": "0.041",
    }
    over = await act(bank, "convert", "ConvertInput", CONVERSION, idempotencyKey="c3", **convert, sourceAmount="100")
    assert over["reason"] == "LIMIT_EXCEEDED"

    await settle(client, root, bank, air)


async def interim(root: Caller, bank: Caller, air: Caller, window: str) -> None:
    """What the open window comes to so far, and between whom."""
    statement = """query I($window: ID!, $institution: String!) { interimStatement(windowId: $window,
      institution: $institution) { institution { code } window { status } batch payload jws digest linesUrl
      nets { institution { code } debit credit net due confirmed } children { institution { code } net }
      renderings { name url } bilateral: renderings(counterparty: "AIR") { name url } } }"""
    found = await bank.ask(statement, window=window, institution="BANK")
    assert json.loads(found["payload"])["type"] == "points-hub/interim-statement"
    assert found["jws"].count(".") == 2
    assert found["nets"] == [
        {"institution": {"code": "BANK"}, "debit": "0.8526", "credit": "0.4936", "net": "-0.36", "due": "0.00"}
        | {"confirmed": False}
    ]
    assert found["children"] == [{"institution": {"code": "SHOP"}, "net": "0.25"}]
    place = f"https://hub.example/settlement/{window}/BANK/interim/{found['batch']}"
    assert found["linesUrl"] == f"{place}/lines.ndjson"
    files = ["report.pdf", "report.xlsx", "report.csv", "lines.csv", "lines.parquet"]  # camt.053 is of what is booked
    assert [one["name"] for one in found["renderings"]] == files
    assert found["renderings"][0]["url"] == f"{place}/report.pdf?language=en"
    assert [one["name"] for one in found["bilateral"]] == ["report.pdf", "report.xlsx", "lines.csv"]
    assert await bank.ask(statement, window=window, institution="AIR") is None
    every = await root.ask(statement, window=window, institution="HUB")
    assert [net["institution"]["code"] for net in every["nets"]] == ["AIR", "BANK", "HUB"]
    figures = """query B($window: ID!, $institution: String!, $other: String) {
      bilateralFigures(windowId: $window, institution: $institution, counterparty: $other)
      { counterparty { code } currency count debit credit balance } }"""
    # 0.60 and 0.24 for what was converted, the latter given back; and its fees: together 0.8526 and 0.2436, as above.
    assert [tuple(one.values())[1:] for one in await bank.ask(figures, window=window, institution="BANK")] == [
        ("CNY", 3, "0.84", "0.24", "-0.60"),
        ("CNY", 3, "0.0126", "0.0036", "-0.009"),
    ]
    assert await bank.ask(figures, window=window, institution="AIR") is None
    assert len(await air.ask(figures, window=window, institution="AIR", other="BANK")) == 1
    assert await air.ask(figures, window=window, institution="AIR", other="NOBODY") == []


async def settle(client: Client, root: Caller, bank: Caller, air: Caller) -> None:
    """Close the window, confirm its nets, and read its reports."""
    window = await root.ask("{ hub { window { id number } } }")
    await interim(root, bank, air, window["window"]["id"])
    nets = "nets { institution { code } currency debit credit net confirmed }"
    close = {"idempotencyKey": "close", "windowId": window["window"]["id"]}
    closed = await act(
        root,
        "closeSettlementWindow",
        "CloseWindowInput",
        f"... on SettlementWindow {{ id status closedAt {nets} }}",
        **close,
    )
    # exactly AIR 0.60 - 0.25, BANK -0.609 and 0.25 of SHOP below it, HUB 0.009; rounded down, BANK's -0.36 leaves 0.001
    # over and HUB's 0.00 leaves 0.009, so the cent that is missing goes to HUB
    assert {net["institution"]["code"]: net["net"] for net in closed["nets"]} == {
        "AIR": "0.35",
        "BANK": "-0.36",
        "HUB": "0.01",
    }
    mine = await bank.ask(f"query W($id: ID!) {{ settlementWindow(id: $id) {{ status {nets} }} }}", id=closed["id"])
    assert [net["institution"]["code"] for net in mine["nets"]] == ["BANK", "SHOP"]
    report = """query R($window: ID!, $institution: String!) {
      settlementReport(windowId: $window, institution: $institution)
      { id payload jws digest previousDigest linesUrl window { number } institution { code } nets { net } } }"""
    signed = await bank.ask(report, window=closed["id"], institution="BANK")
    assert json.loads(signed["payload"])["institution"]["code"] == "BANK"
    assert signed["jws"].count(".") == 2
    assert signed["nets"] == [{"net": "-0.36"}]
    levels = """query L($window: ID!) { settlementReport(windowId: $window, institution: "BANK") {
      nets { parent { code } debit credit ownDebit ownCredit net } children { institution { code } parent { code } net }
    } }"""
    assert await bank.ask(levels, window=closed["id"]) == {
        "nets": [
            {
                "parent": None,
                "debit": "0.8526",
                "credit": "0.4936",  # 0.2436 that a reversal gave back, and 0.25 of SHOP
                "ownDebit": "0.8526",
                "ownCredit": "0.2436",
                "net": "-0.36",
            }
        ],
        "children": [{"institution": {"code": "SHOP"}, "parent": {"code": "BANK"}, "net": "0.25"}],
    }
    assert await root.ask(
        "query E($id: ID!) { settlementWindow(id: $id) { nets(everyLevel: true) { institution { code } net } } }",
        id=closed["id"],
    ) == {
        "nets": [
            {"institution": {"code": code}, "net": net}
            for code, net in (("HUB", "0.01"), ("BANK", "-0.36"), ("AIR", "0.35"), ("SHOP", "0.25"))
        ]
    }
    assert signed["linesUrl"] == f"https://hub.example/settlement/{closed['id']}/BANK/lines.ndjson"
    assert await bank.ask(report, window=closed["id"], institution="SHOP") is not None
    assert await bank.ask(report, window=closed["id"], institution="AIR") is None
    assert len((await root.ask(report, window=closed["id"], institution="HUB"))["nets"]) == 3
    found = await bank.ask(
        "query N($id: ID!) { node(id: $id) { ... on SettlementReport { digest } } }", id=signed["id"]
    )
    assert found == {"digest": signed["digest"]}
    assert await air.ask("query N($id: ID!) { node(id: $id) { id } }", id=signed["id"]) is None

    confirm = "... on SettlementWindow { status settledAt }"
    wrong = {"institution": "BANK", "currency": "CNY", "amount": "0.61", "reference": "bank/1"}
    no = await act(
        root,
        "confirmSettlement",
        "ConfirmSettlementInput",
        confirm,
        idempotencyKey="p0",
        windowId=closed["id"],
        **wrong,
    )
    assert no["reason"] == "INVALID_AMOUNT"
    answer: Any = None
    for place, net in enumerate(closed["nets"]):
        answer = await act(
            root,
            "confirmSettlement",
            "ConfirmSettlementInput",
            confirm,
            idempotencyKey=f"p{place + 1}",
            windowId=closed["id"],
            institution=net["institution"]["code"],
            currency=net["currency"],
            amount=net["net"],
            valueDate="2026-01-31",
            reference=f"bank/{place}",
        )
        assert answer["status"] == ("SETTLED" if place == 2 else "SETTLING")
    assert answer["settledAt"] is not None
    replayed = await act(
        root, "closeSettlementWindow", "CloseWindowInput", f"... on SettlementWindow {{ status {nets} }}", **close
    )
    assert replayed["status"] == "SETTLED"
    assert all(net["confirmed"] for net in replayed["nets"])
    windows = await air.ask("{ settlementWindows { edges { node { number status } } } }")
    assert [edge["node"] for edge in windows["edges"]] == [
        {"number": 1, "status": "SETTLED"},
        {"number": 2, "status": "OPEN"},
    ]
