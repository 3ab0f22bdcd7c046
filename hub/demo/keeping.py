"""Chapter 3, third part: points that end, a gift of them, a hold, a limit, a freeze and a statement, each checked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hub.demo import documents
from hub.demo.failure import expect
from hub.demo.stage import Stage, columns, figure

MEI, MEI_SISTER = "LINMEI", "LINAN"
ISSUER, CURRENCY = "WILLOW", "WILL"


async def keep(stage: Stage) -> None:
    """Lin Mei's hotel nights: earned on two days, given, held for a room, and paid with."""
    hotel = stage.people[ISSUER]
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    stage.say("\n[bold]Lin Mei[/] collects Willow Nights, which end 24 months after they were earned.")
    table = columns("what happens", "available", "held or frozen", "her lots, as they end", right=2)

    async def row(what: str, available: str, held: str, lots: list[str], reference: str = MEI) -> None:
        """Check what she has, and in which lots, then show it."""
        found = await hotel.ask(documents.HOLDINGS, institution=stage.code(ISSUER), reference=reference)
        [balance] = [one for one in found["balances"] if one["currency"]["code"] == stage.code(CURRENCY)]
        kept = str(Decimal(balance["held"]) + Decimal(balance["frozen"]))
        said = (balance["available"], kept, [lot["amount"] for lot in balance["lots"]])
        expect(said == (available, held, lots), f"{reference} should have {available}, {held}, {lots}; not {said}.")
        ends = " ".join(f"{figure(lot['amount'])} ({lot['expiresAt'][:10]})" for lot in balance["lots"])
        table.add_row(what, figure(available), figure(held), ends)

    for number, (amount, days) in enumerate((("400", 100), ("300", 500))):
        earned = (today - timedelta(days=days)).isoformat()
        entry = _act(stage, f"mei-{number}", amount) | {"to": stage.customer(ISSUER, MEI), "earnedAt": earned}
        await hotel.must(documents.ISSUE_POINTS, input=entry)
        stage.book.issued(CURRENCY, Decimal(amount))
    await row("400 for a stay this summer, 300 for one last year", "700", "0", ["300", "400"])

    ends = {"from": stage.customer(ISSUER, MEI), "to": stage.customer(ISSUER, MEI_SISTER)}
    await hotel.must(documents.TRANSFER_POINTS, input=_act(stage, "mei-gift", "100") | ends)
    await row("100 to her sister: what ends first goes first", "600", "0", ["200", "400"])
    await row("what the sister got ends when it would have ended", "100", "0", ["100"], MEI_SISTER)

    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    held = await hotel.must(
        documents.HOLD_POINTS,
        input=_act(stage, "mei-hold", "500") | {"customer": stage.customer(ISSUER, MEI), "expiresAt": until},
    )
    await row("500 held for a room: still hers, not to be spent", "100", "500", ["200", "400"])
    too_much = _act(stage, "mei-more", "101") | ends
    await hotel.refused("INSUFFICIENT_POINTS", documents.TRANSFER_POINTS, input=too_much)

    taken = {"holdId": held["id"], "amount": "350", "merchant": stage.code("BASKETRIVER")}
    captured = await hotel.must(documents.CAPTURE_HOLD, input=taken | {"idempotencyKey": f"mei-capture{stage.suffix}"})
    expect(captured["status"] == "CAPTURED", f"Lin Mei's hold is {captured['status']}, not CAPTURED.")
    nothing = {"amount": "0", "currency": "CNY"}
    # 350 x 0.04 = 14.00: the hotel pays the shop when the hold is captured.
    stage.book.redeemed(
        CURRENCY, Decimal(350), "BASKETRIVER", {"value": {"amount": "14.00", "currency": "CNY"}, "fee": nothing}
    )
    await row("350 of it taken for a voucher, the rest is free again", "250", "0", ["250"])
    await _limited(stage)
    await row("150 of a campaign, and 120 more: 50 fit under 200 a day", "450", "0", ["250", "200"])
    doubtful = _act(stage, "mei-doubt", "120") | {"customer": stage.customer(ISSUER, MEI), "reason": "a stay cancelled"}
    freeze = await hotel.must(documents.FREEZE_POINTS, input=doubtful)
    await row("a stay is cancelled: 120 are frozen until it is clear", "330", "120", ["250", "200"])
    clear = {"idempotencyKey": f"mei-clear{stage.suffix}", "freezeId": freeze["id"], "outcome": "RELEASE"}
    await hotel.must(documents.RESOLVE_FREEZE, input=clear | {"reason": "she did stay"})
    await row("she did stay after all: they are hers again", "450", "0", ["250", "200"])
    stage.show(table)
    await _stated(stage)
    stage.good("Every lot of this table was asked of the hub and agrees with the arithmetic.")


async def _limited(stage: Stage) -> None:
    """At most 200 a day for a customer: 150, then 120 of which 70 are clipped."""
    hotel = stage.people[ISSUER]
    terms = {"act": "ISSUE", "subject": "CUSTOMER", "period": "DAY", "mode": "CLIP", "timeZone": "Asia/Shanghai"}
    limit = {"currency": stage.code(CURRENCY), "code": "campaign", "amount": "200", "terms": terms}
    made = await hotel.must(documents.SET_LIMIT, input=limit)
    for number, (asked, granted) in enumerate((("150", "150"), ("120", "50"))):
        entry = _act(stage, f"mei-campaign-{number}", asked) | {"to": stage.customer(ISSUER, MEI)}
        issue = await hotel.must(documents.ISSUE_POINTS, input=entry)
        said = issue["points"]["amount"]
        expect(said == granted, f"Of {asked} under the limit {granted} should be granted, but the hub says {said}.")
        stage.book.issued(CURRENCY, Decimal(granted))
    await hotel.must(documents.LIFT_LIMIT, id=made["id"])


async def _stated(stage: Stage) -> None:
    """Her statement adds up: opening + credits - debits = closing."""
    now = datetime.now(UTC)
    statement = await stage.people[ISSUER].ask(
        documents.STATEMENT,
        customer=stage.customer(ISSUER, MEI),
        currency=stage.code(CURRENCY),
        since=(now - timedelta(days=1)).isoformat(),
        until=now.isoformat(),
    )
    figures = tuple(statement[name] for name in ("opening", "credits", "debits", "closing"))
    expect(figures == ("0", "900", "450", "450"), f"Lin Mei's statement says {figures}.")
    opening, credits, debits, closing = (figure(one) for one in figures)
    stage.say(f"Her statement of the day: {opening} + {credits} - {debits} = {closing}.")


def _act(stage: Stage, key: str, amount: str) -> dict[str, object]:
    return {"idempotencyKey": f"{key}{stage.suffix}", "currency": stage.code(CURRENCY), "amount": amount}
