"""Chapter 3: the terms at work on exact figures, then one customer's journey, each figure checked on the way."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.markup import escape

from hub.demo import documents
from hub.demo.client import Answer, Refusal, Row
from hub.demo.failure import expect
from hub.demo.network import OPERATOR, issuer, programme
from hub.demo.stage import Stage, columns, figure

SAMPLE = "SAMPLE"
SAMPLE_POINTS = Decimal(1_000_000)
LIN, LIN_BROTHER = "LINWEI", "LINBO"


@dataclass(frozen=True, slots=True)
class Case:
    """What a published rate must give: target points, fee and settlement in the target's money, or a reason."""

    source: str
    target: str
    sent: str
    gets: str | None = None
    fee: str = "0"
    settlement: str = "0"
    reason: str | None = None


# Base and bonus are rounded down by themselves; the settlement price is the target point's unit value.
CASES = (
    Case("GRAN", "HARB", "3000", "2400", "1.80", "144.00"),  # 3,000 x 4/5; 3,000 x 0.0006; 2,400 x 0.06
    Case("GRAN", "HARB", "2500", reason="NOT_A_MULTIPLE"),
    Case("GRAN", "HARB", "500", reason="BELOW_MINIMUM"),
    Case("GRAN", "HARB", "165000", "132000", "99.00", "7920.00"),  # 165,000 x 0.0006 = 99.00, just the cap
    Case("GRAN", "HARB", "200000", "160000", "99.00", "9600.00"),  # 120.00 is capped at 99.00
    Case("WILL", "JADE", "59000", "19666", "0", "983.30"),  # floor(59,000 / 3); no whole 60,000
    Case("WILL", "JADE", "60000", "25000", "0", "1250.00"),  # 20,000 + 5,000
    Case("WILL", "JADE", "119999", "44999", "0", "2249.95"),  # 39,999 + 5,000
    Case("WILL", "JADE", "120000", "50000", "0", "2500.00"),  # 40,000 + 2 x 5,000
    Case("WILL", "JADE", "2", reason="AMOUNT_TOO_SMALL"),
    Case("GRAN", "WILL", "10000", "13000", "0", "400.00"),  # 30 % more, which the hotel itself gives
    Case("GRAN", "WILL", "80000", "95000", "0", "3200.00"),  # 80,000 + 30 % of 50,000
    Case("NORTH", "JADE", "50000", "2000", "1.00", "100.00"),  # 50,000 / 25; 2,000 x 0.05; 1 % of 100.00
)


async def show_terms(stage: Stage) -> None:
    """Chapter 3, first half: previews of amounts at the edges of the published terms."""
    stage.chapter(
        3,
        "What the terms mean, and one customer's journey",
        "A preview binds nobody and shows the exact figures: "
        "points are rounded down, money is not rounded to the cent until a window closes.",
    )
    for source in sorted({case.source for case in CASES}):
        await _issue(stage, source, issuer(source), SAMPLE, SAMPLE_POINTS)
    table = columns("from", "to", "sent", "credited", "fee", "issuer owes", right=4)
    for case in CASES:
        answer = await stage.people[issuer(case.source)].act(documents.PREVIEW_CONVERSION, input=_request(stage, case))
        _compare(case, answer)
        sent, money = figure(case.sent), programme(case.target).money
        if isinstance(answer, Refusal):
            table.add_row(case.source, case.target, sent, f"[yellow]{answer.reason}[/]", "", "")
            continue
        fee, owed = (f"{figure(answer[name]['amount'])} {money}" for name in ("fee", "settlement"))
        table.add_row(case.source, case.target, sent, figure(answer["target"]["amount"]), fee, owed)
    stage.show(table)
    await _in_chinese(stage)


async def travel(stage: Stage) -> None:
    """Chapter 3, second half: Lin Wei's points, from the card to miles, to a brother and to a shop."""
    bank = stage.people["NORTHBANK"]
    stage.say("\n[bold]Lin Wei[/] is a customer of North Bank's East Branch and flies with Jade Airlines.")
    table = columns("what happens", "North Points", "Jade Miles", "North Bank's position, CNY", right=3)

    async def row(what: str, north: str, jade: str | None, position: str) -> None:
        """Check both balances and the bank's position against the arithmetic, then show them."""
        await _holds(stage, "NORTHBANK", "NBEAST", "NORTH", north)
        if jade is not None:
            await _holds(stage, "JADEAIR", "JADEAIR", "JADE", jade)
        await _position(stage, position)
        table.add_row(what, figure(north), figure(jade or "0"), figure(position))

    await _issue(stage, "NORTH", "NBEAST", LIN, Decimal(60_000))
    await row("the bank grants 60,000 for a year's spending", "60000", None, "0")

    case = Case("NORTH", "JADE", "50000", "2000", "1.00", "100.00")
    quote = await bank.must(documents.REQUEST_QUOTE, input=_request(stage, case, "NBEAST", LIN))
    _compare(case, quote)
    key = {"idempotencyKey": f"lin-1{stage.suffix}", "quoteId": quote["id"]}
    conversion = await bank.must(documents.EXECUTE_QUOTE, input=key)
    _compare(case, conversion)
    expect(conversion["status"] == "COMPLETED", f"Lin Wei's conversion is {conversion['status']}, not COMPLETED.")
    stage.book.converted("NORTH", "JADE", Decimal(50_000), conversion)
    await row("a firm quote, then executed: 50,000 at 25:1; 2,000 x 0.05 and 1 % fee", "10000", "2000", "-101.00")

    again = await bank.must(documents.EXECUTE_QUOTE, input=key)
    expect(again["replayed"] and again["id"] == conversion["id"], "The same request a second time was not recognised.")
    await row("the same request by mistake once more: answered, not done again", "10000", "2000", "-101.00")

    transfer = {"idempotencyKey": f"lin-2{stage.suffix}", "currency": stage.code("NORTH"), "amount": "5000"}
    ends = {"from": stage.customer("NBEAST", LIN), "to": stage.customer("NBWEST", LIN_BROTHER)}
    await bank.must(documents.TRANSFER_POINTS, input=transfer | ends)
    await row("5,000 to a brother at the West Branch: points only, no money", "5000", "2000", "-101.00")

    await _redeem(stage)
    await row("2,000 at Basket River Street: worth 4.00 to the shop", "3000", "2000", "-105.00")

    await _give_back(stage, conversion)
    await row("500 of the 2,000 miles given back: a quarter of all of it", "15500", "1500", "-79.75")
    stage.show(table)
    stage.good("Every figure of this table was asked of the hub and agrees with the arithmetic.")


async def _redeem(stage: Stage) -> None:
    sold = {
        "idempotencyKey": f"lin-3{stage.suffix}",
        "currency": stage.code("NORTH"),
        "customer": stage.customer("NBEAST", LIN),
        "merchant": stage.code("BASKETRIVER"),
        "amount": "2000",
        "memo": "a kettle",
    }
    redemption = await stage.people["NORTHBANK"].must(documents.REDEEM_POINTS, input=sold)
    value = Decimal(redemption["value"]["amount"])
    expect(value == Decimal("4.00"), f"2,000 points at 0.002 are worth 4.00 CNY, but the hub says {value}.")
    stage.book.redeemed("NORTH", Decimal(2_000), "BASKETRIVER", redemption)


async def _give_back(stage: Stage, conversion: Row) -> None:
    """500 of 2,000 credited: 50,000 x 500 / 2,000 = 12,500 points, 25.00 of 100.00 and 0.25 of the fee come back."""
    bank = stage.people["NORTHBANK"]
    part = {"id": conversion["id"], "amount": "500", "reason": "booked too many"}
    await bank.must(documents.REVERSE, input=part | {"idempotencyKey": f"lin-4{stage.suffix}"})
    stage.book.unconverted("NORTH", "JADE", Decimal(12_500), Decimal(500))
    stage.book.paid_back("JADEAIR", "NORTHBANK", Decimal("25.00"), "CNY")
    stage.book.paid_back(OPERATOR, "NORTHBANK", Decimal("0.25"), "CNY")
    too_much = part | {"idempotencyKey": f"lin-5{stage.suffix}", "amount": "1600"}
    # 500 + 1,600 is more than the 2,000 that were credited.
    await bank.refused("EXCEEDS_ORIGINAL", documents.REVERSE, input=too_much)


async def _issue(stage: Stage, currency: str, institution: str, reference: str, amount: Decimal) -> None:
    entry = {
        "idempotencyKey": f"first-{currency}-{reference}{stage.suffix}",
        "currency": stage.code(currency),
        "to": stage.customer(institution, reference),
        "amount": str(amount),
    }
    await stage.people[issuer(currency)].must(documents.ISSUE_POINTS, input=entry)
    stage.book.issued(currency, amount)


async def _in_chinese(stage: Stage) -> None:
    """The same refusal for a reader of Chinese: the reason stays, the sentence changes."""
    case = next(case for case in CASES if case.reason == "NOT_A_MULTIPLE")
    messages = []
    for language in ("en", "zh-CN"):
        person = await stage.connect(stage.secrets[issuer(case.source)], language)
        answer = await person.refused("NOT_A_MULTIPLE", documents.PREVIEW_CONVERSION, input=_request(stage, case))
        messages.append(escape(answer.message))
    stage.say(f"A refusal says why, in the caller's language: {case.reason}: {' / '.join(messages)}")


def _request(stage: Stage, case: Case, institution: str | None = None, reference: str = SAMPLE) -> dict[str, Any]:
    return {
        "source": stage.customer(institution or issuer(case.source), reference),
        "target": stage.customer(issuer(case.target), reference),
        "sourceCurrency": stage.code(case.source),
        "targetCurrency": stage.code(case.target),
        "sourceAmount": case.sent,
    }


def _compare(case: Case, answer: Answer) -> None:
    """Stop unless the hub says exactly what the published terms say."""
    what = f"{figure(case.sent)} {case.source} to {case.target}"
    if isinstance(answer, Refusal):
        expect(answer.reason == case.reason, f"{what} was refused as {answer.reason}: {answer.message}")
        return
    expect(case.reason is None, f"{what} should be refused as {case.reason}, but was not.")
    told = {"target": case.gets or "0", "fee": case.fee, "settlement": case.settlement}
    for name, amount in told.items():
        said = answer[name]["amount"]
        expect(Decimal(said) == Decimal(amount), f"{what}: the {name} should be {amount}, but the hub says {said}.")


async def _holds(stage: Stage, viewer: str, institution: str, currency: str, amount: str) -> None:
    where = {"institution": stage.code(institution), "reference": LIN}
    customer = await stage.people[viewer].ask(documents.CUSTOMER, **where)
    expect(customer is not None, f"{viewer} cannot see Lin Wei.")
    balances = {balance["currency"]["code"]: Decimal(balance["available"]) for balance in customer["balances"]}
    held = balances.get(stage.code(currency), Decimal(0))
    expect(held == Decimal(amount), f"Lin Wei should have {amount} {currency}, but the hub says {held}.")


async def _position(stage: Stage, amount: str) -> None:
    bank = await stage.people["NORTHBANK"].ask(documents.POSITIONS, code=stage.code("NORTHBANK"))
    own = {position["currency"]: Decimal(position["own"]) for position in bank["positions"]}
    said = own.get("CNY", Decimal(0))
    expect(said == Decimal(amount), f"North Bank's position should be {amount} CNY, but the hub says {said}.")
