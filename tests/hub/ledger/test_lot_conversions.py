"""Converted points: by the target's policy, for what is left of the source's life, or back to the end that they had."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.currencies import Expiry, ExpiryKind
from hub.errors import CashoutForbidden, NoRate, PointsExpired, UnknownCurrency
from hub.expiry import end_of, start_of
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.rates import Life
from tests.conftest import Hub, Pass
from tests.hub.ledger.test_lot_acts import issue, key, now, reverse

SHANGHAI = "Asia/Shanghai"


def convert(hub: Hub, source: str, target: str, amount: int, customer: str = "m") -> commands.Convert:
    who = Party("BANK", customer)
    return commands.Convert(
        actor=hub.admin,
        key=key(),
        source=who,
        target=who,
        source_currency=source,
        target_currency=target,
        amount=str(amount),
        minimum_target=None,
    )


async def lots(hub: Hub, currency: str) -> list[tuple[int, datetime, datetime]]:
    rows = await hub.sql(
        "SELECT l.amount, l.expires_at, l.earned_at FROM lot l JOIN account a ON a.id = l.account_id"
        " WHERE a.currency = $1 ORDER BY l.expires_at, l.earned_at, l.id",
        currency,
    )
    return [tuple(row) for row in rows]


async def network(hub: Hub, *rates: tuple[str, str, str, Life], **policies: Any) -> None:
    await hub.institution("BANK")
    for code, (kind, months) in policies.items():
        await hub.currency(code, "BANK", expiry=kind, months=months, time_zone=SHANGHAI)
    for source, target, ratio, life in rates:
        await hub.rate(source, target, ratio, life=life)


YEAR = (ExpiryKind.MONTHS_AFTER_EARNING, 12)
TWO_YEARS = (ExpiryKind.MONTHS_AFTER_EARNING, 24)
NEVER = (ExpiryKind.NEVER, None)


async def test_clubs_that_are_fused_keep_what_is_left_of_each_life(hub: Hub) -> None:
    await network(
        hub,
        ("X", "U", "1:10", Life.CARRIED),
        ("Y", "U", "1:4", Life.CARRIED),
        X=(ExpiryKind.END_OF_YEAR, None),
        Y=YEAR,
        U=TWO_YEARS,
    )
    await hub.do(issue(hub, "m", 1000, currency="X"))
    await hub.do(issue(hub, "m", 480, currency="Y"))
    [(_, end_x, _)], [(_, end_y, _)] = await lots(hub, "X"), await lots(hub, "Y")
    assert (await hub.do(convert(hub, "X", "U", 1000))).figures.target == 100
    assert (await hub.do(convert(hub, "Y", "U", 480))).figures.target == 120
    assert [(amount, end) for amount, end, _ in await lots(hub, "U")] == sorted(
        [(100, end_x), (120, end_y)], key=lambda lot: lot[1]
    )
    await hub.do(issue(hub, "m", 30, currency="Y"))
    with pytest.raises(UnknownCurrency):  # a club that has not joined
        await hub.do(convert(hub, "Z", "U", 10))
    with pytest.raises(NoRate):  # one that has, but not in this direction
        await hub.do(convert(hub, "U", "Y", 10))
    assert [amount for amount, *_ in await lots(hub, "Y")] == [30]


async def test_no_round_trip_renews_a_life(hub: Hub) -> None:
    either = Life.TARGET_POLICY
    await network(
        hub,
        ("A", "B", "1:1", either),
        ("B", "C", "1:1", either),
        ("C", "A", "1:1", either),
        A=YEAR,
        B=TWO_YEARS,
        C=NEVER,
    )
    earned = now() - timedelta(days=100)
    await hub.do(issue(hub, "m", 600, currency="A", earned_at=earned))
    [(_, end, _)] = await lots(hub, "A")
    assert end == end_of(Expiry(*YEAR), SHANGHAI, earned)
    await hub.do(convert(hub, "A", "B", 600))
    [(_, fresh, _)] = await lots(hub, "B")
    assert fresh > end + timedelta(days=400)
    await hub.do(convert(hub, "B", "C", 500))
    [(amount, never, _)] = await lots(hub, "C")
    assert (amount, never.year) == (500, 9999)
    back = await hub.do(convert(hub, "C", "A", 400))
    assert [(amount, ends) for amount, ends, _ in await lots(hub, "A")] == [(400, end)]
    await hub.do(convert(hub, "A", "B", 150))  # and again: the end that they had in B, so one lot with the rest
    assert [(amount, ends) for amount, ends, _ in await lots(hub, "B")] == [(250, fresh)]
    await hub.do(issue(hub, "m", 1000, currency="A"))
    await hub.do(reverse(hub, back.id, 300))  # the lot holds 250, the other 50 come out of what ends next
    assert [amount for amount, *_ in await lots(hub, "A")] == [950]
    assert sum(amount for amount, *_ in await lots(hub, "C")) == 400


async def test_points_whose_time_is_over_where_they_would_return_are_not_lost(hub: Hub, pass_: Pass) -> None:
    await network(hub, ("A", "B", "1:1", Life.TARGET_POLICY), ("B", "A", "1:1", Life.TARGET_POLICY), A=YEAR, B=YEAR)
    await hub.do(issue(hub, "m", 10, currency="A", expires_at=now() + timedelta(hours=1)))
    await hub.do(convert(hub, "A", "B", 10))
    pass_(timedelta(hours=1))
    with pytest.raises(PointsExpired):
        await hub.do(convert(hub, "B", "A", 10))
    assert [amount for amount, *_ in await lots(hub, "B")] == [10]


async def test_the_target_is_shared_over_what_was_spent(hub: Hub) -> None:
    await network(hub, ("A", "U", "1:3", Life.CARRIED), A=NEVER, U=NEVER)
    first, second = (start_of((now() + timedelta(days=days)).date(), "UTC") for days in (30, 60))
    for amount, ends in ((4, second), (5, first)):
        await hub.do(issue(hub, "m", amount, currency="A", expires_at=ends))
    await hub.do(issue(hub, "m", 8, currency="A"))
    made = await hub.do(convert(hub, "A", "U", 17))
    # 17 at 3:1 is 5, of which 5, 9 and 17 seventeenths are 1, 2 and 5: 1 and 1 in lots, 3 that never end
    assert [(amount, ends) for amount, ends, _ in await lots(hub, "U")] == [(1, first), (1, second)]
    await hub.do(reverse(hub, made.id, 3))
    # of 5, 3 are back: 10 of 17; what never ends was used last and comes back first, then what ended later
    assert [(amount, ends) for amount, ends, _ in await lots(hub, "A")] == [(2, second)]
    await hub.do(reverse(hub, made.id))
    assert [(amount, ends) for amount, ends, _ in await lots(hub, "A")] == [(5, first), (4, second)]
    assert await lots(hub, "U") == []


async def test_cashable_points_come_of_cashable_points_or_where_the_rate_allows_it(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("A", "BANK")
    await hub.currency("CASH", "BANK", cashable=True)
    await hub.rate("A", "CASH", "1:1")
    await hub.do(issue(hub, "m", 10, currency="A"))
    with pytest.raises(CashoutForbidden):
        await hub.do(convert(hub, "A", "CASH", 10))
    await hub.rate("A", "CASH", "1:1", allows_cashout=True)
    await hub.do(convert(hub, "A", "CASH", 10))


async def test_points_without_an_end_are_kept_by_age_where_the_policy_says_so(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("A", "BANK", time_zone=SHANGHAI, policy=commands.PolicyTerms(keeps_age=True))
    for hour in (15, 17):  # 23:00 and 01:00 of the next day in Shanghai
        earned = datetime(2024, 12, 31, hour, tzinfo=UTC)
        await hub.do(issue(hub, "m", hour, currency="A", earned_at=earned))
    assert [(amount, earned.hour) for amount, _, earned in await lots(hub, "A")] == [(15, 15), (17, 17)]
