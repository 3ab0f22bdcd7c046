"""Baskets paid with brand points and universal ones: what each pays, what is refused, and what the audit compares."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from hub import postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import (
    Forbidden,
    InsufficientPoints,
    InvalidAmount,
    InvalidInput,
    NotAccepted,
    NotAMultiple,
    NotHosted,
)
from hub.ledger import commands
from hub.ledger.commands import MoneyText, Party, PolicyTerms
from hub.limits import Act
from tests.conftest import Hub
from tests.hub.agreed import acceptance, agree
from tests.hub.audited import tampered
from tests.hub.ledger.test_exchanges import REMOTE, owed

CNY = 1_000_000
AL = Party("CLOUD", "al")


@pytest.fixture
async def cloud(hub: Hub) -> AsyncIterator[Hub]:
    """A wallet with 500 brand points, which only shop A takes, and 100 universal ones, at 0.01 CNY each."""
    for code in ("CLOUD", "A", "B"):
        await hub.institution(code)
    await hub.currency("BRAND", "A", unit_value="0.02", policy=PolicyTerms(needs_terms=True))
    await hub.currency("UNI", "CLOUD", unit_value="0.01")
    shop, _ = await hub.key("A", Role.INSTITUTION_ADMIN)
    await agree(hub, acceptance(hub, "A", "0.01", currency="BRAND", fee_percent="1"), shop)
    await hub.issue("BRAND", "CLOUD", "al", "500")
    await hub.issue("UNI", "CLOUD", "al", "100")
    yield hub
    assert await found_by_audit(hub) == []


async def found_by_audit(hub: Hub) -> list[str]:
    async with hub.database.snapshot() as connection:
        return [one.code for one in (await audit(connection)).findings]


def basket(hub: Hub, amount: str, *currencies: str, merchant: str = "A", **more: Any) -> commands.RedeemBasket:
    usual: dict[str, Any] = {
        "actor": hub.admin, "key": f"{amount} at {merchant} with {currencies}", "customer": AL, "memo": None,
        "leaves_rest": False, "amount": MoneyText(amount, more.pop("money", "CNY")),
        "currencies": currencies or ("BRAND", "UNI"),
    }  # fmt: skip
    return commands.RedeemBasket(**{**usual, "merchant": merchant, **more})


async def wallet(hub: Hub) -> tuple[int, int]:
    return await hub.balance("BRAND", "CLOUD", "al"), await hub.balance("UNI", "CLOUD", "al")


async def test_a_basket_at_shop_a_takes_brand_points_first_and_shop_b_refuses_them(
    cloud: Hub, postgres_server: postgres.Server
) -> None:
    with pytest.raises(NotAccepted) as refusal:
        await cloud.do(basket(cloud, "6", merchant="B"))
    assert refusal.value.details == {"currency": "BRAND", "merchant": "B"}
    assert await wallet(cloud) == (500, 100)
    asked = basket(cloud, "6", memo="tea")
    paid = await cloud.do(asked)
    assert [(one.currency, one.amount, one.value, one.fee) for one in paid.redemptions] == [
        ("BRAND", 500, 5 * CNY, 50_000),  # 5.00, of which A pays 1 %
        ("UNI", 100, 1 * CNY, 0),  # at the unit value
    ]
    assert (paid.amount, paid.rest) == (6 * CNY, 0)
    assert await wallet(cloud) == (0, 0)
    # A pays itself for its own points, so that no leg is posted; for the universal ones the cloud pays it 1.00.
    assert await owed(cloud) == {"CLOUD": -1 * CNY, "A": 950_000, "HUB": 50_000}
    again = await cloud.try_(asked)
    assert (again.replayed, again.result) == (True, paid)
    back = commands.Reverse(actor=cloud.admin, key="b", id=paid.redemptions[1].id, amount="40", reason="returned")
    await cloud.do(back)
    assert await wallet(cloud) == (0, 40)

    for change in ("amount = amount + 1", "last_id = last_id - 1", "merchant_id = merchant_id + 1", "rest = 1"):
        async with tampered(postgres_server, cloud) as connection:
            await connection.execute(text(f"UPDATE basket SET {change}"))
            assert "BASKET" in {one.code for one in (await audit(connection)).findings}, change


async def test_what_points_do_not_reach_for_is_refused_or_left(cloud: Hub) -> None:
    refusals: list[tuple[commands.RedeemBasket, type[Exception], dict[str, str] | None]] = [
        (basket(cloud, "6.01"), InsufficientPoints, {"rest": "0.01", "currency": "CNY"}),
        (basket(cloud, "0.001"), InvalidAmount, None),
        (basket(cloud, "0"), InvalidAmount, None),
        (basket(cloud, "6", "UNI", "UNI"), InvalidInput, None),
        (basket(cloud, "6", *(f"C{place}" for place in range(11))), InvalidInput, None),
        (basket(cloud, "6", money="USD"), InvalidInput, {"currency": "BRAND", "money": "CNY"}),
    ]
    for asked, refusal, details in refusals:
        with pytest.raises(refusal) as refused:
            await cloud.do(asked)
        assert details in (None, refused.value.details), refused.value.details  # type: ignore[attr-defined]
    trader, _ = await cloud.key("B", Role.INSTITUTION_TRADER)
    with pytest.raises(Forbidden):
        await cloud.do(basket(cloud, "6", actor=trader))
    assert await wallet(cloud) == (500, 100)
    paid = await cloud.do(basket(cloud, "7.50", leaves_rest=True))
    assert (paid.rest, len(paid.redemptions)) == (1_500_000, 2)  # 7.50 - 5.00 - 1.00
    with pytest.raises(InsufficientPoints):  # nothing at all
        await cloud.do(basket(cloud, "1", leaves_rest=True))


async def test_a_rest_into_which_no_unit_fits_and_a_limit_refuse_the_whole_basket(cloud: Hub) -> None:
    await cloud.currency("ODD", "CLOUD", unit_value="0.03")
    await cloud.currency("HALF", "CLOUD", unit_value="0.005")
    await cloud.currency("AWAY", "CLOUD", **REMOTE)
    await cloud.issue("ODD", "CLOUD", "al", "50")
    await cloud.issue("HALF", "CLOUD", "al", "1")
    with pytest.raises(NotAMultiple) as odd:
        await cloud.do(basket(cloud, "1", "ODD"))
    assert odd.value.details == {"rest": "0.01", "currency": "CNY"}
    with pytest.raises(NotAMultiple) as half:  # 0.02 - 0.005 is no whole number of cents
        await cloud.do(basket(cloud, "0.02", "HALF", leaves_rest=True))
    assert half.value.details["rest"] == "0.015"
    with pytest.raises(NotHosted):
        await cloud.do(basket(cloud, "1", "AWAY"))
    await cloud.limit("SPENT", "50", currency="UNI", act=Act.REDEEM)
    refused = await cloud.try_(basket(cloud, "6"))
    assert refused.refusal is not None
    assert refused.refusal.code == "LIMIT_EXCEEDED"
    assert await wallet(cloud) == (500, 100)  # the brand's part is not paid either
