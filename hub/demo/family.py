"""Chapter 3, fourth part: a family's pool with two cards, into which both earn, and from which who may may spend."""

from decimal import Decimal
from typing import Any

from hub.demo import documents
from hub.demo.failure import expect
from hub.demo.stage import Stage, columns, figure

BANK, HOME, CURRENCY = "NORTHBANK", "NBEAST", "NORTH"
POOL, MOTHER, SON = "ZHAO-FAMILY", "ZHAOMIN", "ZHAOLE"
CARDS = ("6217000000004417", "6217000000009023")


async def collect(stage: Stage) -> None:
    """The Zhaos' points: two cards, one balance."""
    bank = stage.people[BANK]
    stage.say("\n[bold]The Zhaos[/], a mother and her son, collect together, each with a card.")
    table = columns("what happens", "the family's North Points", right=1)

    async def row(what: str, available: str) -> None:
        """Check the pool's one balance, then show it."""
        found = await bank.ask(documents.CUSTOMER, institution=stage.code(HOME), reference=POOL)
        balances = [one["available"] for one in found["balances"] if one["currency"]["code"] == stage.code(CURRENCY)]
        expect(balances == [available], f"The family should have {available} points, but has {balances}.")
        table.add_row(what, figure(available))

    pool, mother, son = (stage.customer(HOME, reference) for reference in (POOL, MOTHER, SON))
    for member in (mother, son):
        await bank.must(documents.ENROLL_CUSTOMER, input=member)
    made = {"institution": stage.code(HOME), "reference": POOL, "kind": "FAMILY", "owner": mother}
    await bank.must(documents.CREATE_POOL, input=made | {"idempotencyKey": f"zhao-pool{stage.suffix}"})
    joins = {"pool": pool, "member": son, "rights": ["CONTRIBUTE"], "by": mother}
    await bank.must(documents.JOIN_POOL, input=joins)
    for number, card in enumerate(CARDS):
        bound = {"institution": stage.code(HOME), "identifier": card, "customer": pool}
        await bank.must(
            documents.BIND_IDENTIFIER, input=bound | {"idempotencyKey": f"zhao-card-{number}{stage.suffix}"}
        )

    await _earn(stage, CARDS[0], "3000")
    await row(f"3,000 on the mother's card, …{CARDS[0][-4:]}", "3000")
    await _earn(stage, CARDS[1], "2000")
    await row(f"2,000 on the son's, …{CARDS[1][-4:]}: another card, the same balance", "5000")
    await bank.refused("POOL_RIGHT_MISSING", documents.REDEEM_POINTS, input=_sale(stage, "son") | {"by": son})
    await row("the son would spend 1,500, and may not: he may only put in", "5000")
    sold = await bank.must(documents.REDEEM_POINTS, input=_sale(stage, "mother") | {"by": mother})
    stage.book.redeemed(CURRENCY, Decimal(1_500), "BASKETRIVER", sold)
    await row("his mother may: 1,500 at Basket River Street", "3500")
    stage.show(table)


async def _earn(stage: Stage, card: str, amount: str) -> None:
    earned = {
        "idempotencyKey": f"zhao-{card}{stage.suffix}",
        "currency": stage.code(CURRENCY),
        "to": stage.customer(HOME, card),
        "amount": amount,
    }
    await stage.people[BANK].must(documents.ISSUE_POINTS, input=earned)
    stage.book.issued(CURRENCY, Decimal(amount))


def _sale(stage: Stage, key: str) -> dict[str, Any]:
    return {
        "idempotencyKey": f"zhao-sale-{key}{stage.suffix}",
        "currency": stage.code(CURRENCY),
        "customer": stage.customer(HOME, POOL),
        "merchant": stage.code("BASKETRIVER"),
        "amount": "1500",
    }
