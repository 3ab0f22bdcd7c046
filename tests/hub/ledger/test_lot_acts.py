"""Lots and holds through the engine: what ends when, what is spent first, and what is promised meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.currencies import ExpiryKind
from hub.errors import ExceedsHeld, HoldResolved, InsufficientPoints
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub, Pass

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Keys:
    made = 0

    def __call__(self) -> str:
        self.made += 1
        return f"key-{self.made}"


key = Keys()


def issue(hub: Hub, to: str, amount: int, *, currency: str = "BP", **times: Any) -> commands.Issue:
    return commands.Issue(
        actor=hub.admin,
        key=key(),
        currency=currency,
        to=Party("BANK", to),
        amount=str(amount),
        **{"earned_at": None, "expires_at": None, "memo": None, **times},
    )


def transfer(hub: Hub, source: str, target: str, amount: int) -> commands.Transfer:
    return commands.Transfer(
        actor=hub.admin,
        key=key(),
        currency="BP",
        source=Party("BANK", source),
        target=Party("BANK", target),
        amount=str(amount),
        memo=None,
    )


def hold(hub: Hub, customer: str, amount: int, until: datetime) -> commands.HoldPoints:
    return commands.HoldPoints(
        actor=hub.admin,
        key=key(),
        currency="BP",
        customer=Party("BANK", customer),
        amount=str(amount),
        expires_at=until,
        memo=None,
    )


def capture(hub: Hub, id: int, amount: int | None = None, to: str | None = None, merchant: str | None = None) -> Any:
    return commands.CaptureHold(
        actor=hub.admin,
        key=key(),
        hold=id,
        amount=None if amount is None else str(amount),
        target=None if to is None else Party("BANK", to),
        merchant=merchant,
    )


def reverse(hub: Hub, id: int, amount: int | None = None) -> commands.Reverse:
    return commands.Reverse(
        actor=hub.admin, key=key(), id=id, amount=None if amount is None else str(amount), reason="test"
    )


async def lots(hub: Hub, customer: str) -> list[tuple[int, int, str]]:
    """Amount, of it held, and the day before the end, of a customer's lots in the order of their ends."""
    rows = await hub.sql(
        """SELECT l.amount, l.held, l.expires_at FROM lot l
           JOIN account a ON a.id = l.account_id JOIN customer_reference r ON r.customer_id = a.owner_id
           WHERE r.reference = $1 ORDER BY l.expires_at, l.earned_at, l.id""",
        customer,
    )
    return [(row[0], row[1], (row[2] - DAY).date().isoformat()) for row in rows]


@pytest.fixture
async def bank(hub: Hub) -> Hub:
    await hub.institution("BANK")
    await hub.institution("SHOP")
    await hub.currency("BP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=120)
    return hub


async def test_points_of_one_day_are_one_lot_and_end_as_the_policy_has_it(bank: Hub) -> None:
    early, late = at("2024-02-29T08:00:00"), at("2024-02-29T23:00:00")
    await bank.do(issue(bank, "x", 300, earned_at=early))
    await bank.do(issue(bank, "x", 50, earned_at=late))
    await bank.do(issue(bank, "x", 10, earned_at=at("2024-03-10T00:00:00")))
    assert await lots(bank, "x") == [(350, 0, "2034-02-28"), (10, 0, "2034-03-10")]


async def test_a_gift_takes_what_ends_first_and_keeps_the_ends(bank: Hub) -> None:
    await bank.batch(
        [
            issue(bank, "x", 400, expires_at=at("2095-07-01T00:00:00")),
            issue(bank, "x", 300, expires_at=at("2095-02-01T00:00:00")),
        ]
    )
    gift = await bank.do(transfer(bank, "x", "y", 500))
    assert await lots(bank, "y") == [(300, 0, "2095-01-31"), (200, 0, "2095-06-30")]
    assert await lots(bank, "x") == [(200, 0, "2095-06-30")]
    await bank.do(reverse(bank, gift.id, 250))
    # what was used last comes back first
    assert await lots(bank, "x") == [(50, 0, "2095-01-31"), (400, 0, "2095-06-30")]
    assert await lots(bank, "y") == [(250, 0, "2095-01-31")]
    await bank.do(reverse(bank, gift.id))
    assert await lots(bank, "x") == [(300, 0, "2095-01-31"), (400, 0, "2095-06-30")]
    assert await lots(bank, "y") == []


async def test_a_hold_pins_lots_and_is_captured_in_part(bank: Hub) -> None:
    await bank.do(issue(bank, "x", 300, expires_at=at("2095-02-01T00:00:00")))
    await bank.do(issue(bank, "x", 400, expires_at=at("2095-07-01T00:00:00")))
    held = (await bank.do(hold(bank, "x", 500, now() + 3 * DAY))).hold
    assert await lots(bank, "x") == [(300, 300, "2095-01-31"), (400, 200, "2095-06-30")]
    with pytest.raises(InsufficientPoints):
        await bank.do(transfer(bank, "x", "y", 201))
    await bank.do(transfer(bank, "x", "y", 200))
    with pytest.raises(ExceedsHeld):
        await bank.do(capture(bank, held.id, 501))
    taken = await bank.do(capture(bank, held.id, 350, merchant="SHOP"))
    assert taken.hold.captured == 350
    assert await lots(bank, "x") == [(150, 0, "2095-06-30")]
    with pytest.raises(HoldResolved):
        await bank.do(capture(bank, held.id, 1))
    await bank.do(reverse(bank, held.id))
    assert await lots(bank, "x") == [(300, 0, "2095-01-31"), (200, 0, "2095-06-30")]


async def test_points_that_are_over_cannot_be_spent_and_go_to_breakage(bank: Hub, pass_: Pass) -> None:
    soon = now() + timedelta(hours=1)
    await bank.do(issue(bank, "x", 300, expires_at=soon))
    await bank.do(issue(bank, "x", 100))
    held = (await bank.do(hold(bank, "x", 50, now() + 3 * DAY))).hold
    pass_(timedelta(hours=1))
    with pytest.raises(InsufficientPoints) as refusal:
        await bank.do(transfer(bank, "x", "y", 101))
    assert refusal.value.details["available"] == "100"
    [breakage] = await bank.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 3")
    assert breakage[0] == 250
    await bank.do(capture(bank, held.id))  # honoured
    await bank.do(transfer(bank, "x", "y", 100))
    assert await lots(bank, "x") == []


async def test_a_quote_spends_what_ends_first(bank: Hub) -> None:
    await bank.institution("AIR")
    await bank.currency("MILE", "AIR")
    await bank.rate("BP", "MILE", "1:1")
    await bank.do(issue(bank, "x", 400, expires_at=at("2095-07-01T00:00:00")))
    await bank.do(issue(bank, "x", 300, expires_at=at("2095-02-01T00:00:00")))
    offer = await bank.do(
        commands.RequestQuote(
            actor=bank.admin,
            source=Party("BANK", "x"),
            target=Party("AIR", "z"),
            source_currency="BP",
            target_currency="MILE",
            amount="500",
            ttl_seconds=60,
        )
    )
    await bank.do(commands.ExecuteQuote(actor=bank.admin, key=key(), quote=offer.id))
    assert await lots(bank, "x") == [(200, 0, "2095-06-30")]


async def test_points_that_come_back_after_their_end_go_to_breakage(bank: Hub, pass_: Pass) -> None:
    soon = now() + timedelta(hours=1)
    await bank.do(issue(bank, "x", 300, expires_at=soon))
    gift = await bank.do(transfer(bank, "x", "y", 300))
    burned = await bank.do(
        commands.Redeem(
            actor=bank.admin,
            key=key(),
            currency="BP",
            customer=Party("BANK", "y"),
            merchant="SHOP",
            amount="200",
            memo=None,
        )
    )
    pass_(timedelta(hours=1))
    await bank.do(reverse(bank, burned.id))
    [breakage] = await bank.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 3")
    assert breakage[0] == 300  # the 100 that were left, and the 200 that came back
    assert await lots(bank, "y") == []
    with pytest.raises(InsufficientPoints):
        await bank.do(reverse(bank, gift.id))
