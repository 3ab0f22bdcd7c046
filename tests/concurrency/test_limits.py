"""Limits under two engines and in one batch: what is left is granted once."""

from collections import Counter
from typing import Any

import pytest

from hub.audit import audit
from hub.ledger import commands
from hub.limits import Act, Measure, Mode, Period, Subject
from tests.concurrency.world import code, convert, found, gathered, issue, redeem, transfer, two
from tests.conftest import Hub
from tests.properties import invariants


async def clean(hub: Hub) -> None:
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_two_of_eighty_in_one_batch_are_a_hundred(hub: Hub) -> None:
    await found(hub, 0)
    await hub.limit("day", "100", mode=Mode.CLIP)
    first, second, third = await hub.batch([issue(hub, key, "u0", "80") for key in "abc"])
    assert [code(one) for one in (first, second, third)] == ["OK", "OK", "LIMIT_EXCEEDED"]
    assert await hub.balance("BP", "BANK", "u0") == 100  # 80 and 20
    await clean(hub)


async def test_two_of_eighty_in_one_batch_do_not_both_pass_where_a_limit_refuses(hub: Hub) -> None:
    await found(hub, 2, "1000")
    await hub.limit("give", "100", act=Act.TRANSFER)
    answers = await hub.batch([transfer(hub, key, 0, 1, 80) for key in "ab"])
    assert [code(one) for one in answers] == ["OK", "LIMIT_EXCEEDED"]
    await clean(hub)


async def test_two_of_eighty_through_two_engines_never_pass_a_hundred(hub: Hub) -> None:
    await found(hub, 20, "1000")
    await hub.limit("day", "100", mode=Mode.CLIP)
    await hub.limit("give", "100", act=Act.TRANSFER, subject=Subject.ACCOUNT)
    async with two(hub, batch_max=3) as (one, other):
        for round in range(20):
            name = f"n{round}"
            outcomes = await gathered(
                [
                    one.try_(issue(hub, f"a{round}", name, "80")),
                    other.try_(issue(hub, f"b{round}", name, "80")),
                    one.try_(transfer(hub, f"c{round}", round, (round + 1) % 20, 80)),
                    other.try_(transfer(hub, f"d{round}", round, (round + 1) % 20, 80)),
                ]
            )
            assert sorted(outcome.result.amount for outcome in outcomes[:2]) == [20, 80]
            assert sorted(map(code, outcomes[2:])) == ["LIMIT_EXCEEDED", "OK"]
    await clean(hub)


@pytest.mark.parametrize("batch_max", [1, 4, 1_000])
async def test_a_crowd_under_limits_of_everybody_uses_exactly_what_there_is(hub: Hub, batch_max: int) -> None:
    """Four acts at once, by ten customers, through two engines, with reversals in between."""
    await found(hub, 10, "100000")
    await hub.limit("issued", "500", period=Period.MONTH, mode=Mode.CLIP, subject=Subject.PROGRAMME)
    await hub.limit("moved", "300", act=Act.TRANSFER, subject=Subject.INSTITUTION)
    await hub.limit("spent", "10", act=Act.REDEEM, measure=Measure.MONEY, subject=Subject.PROGRAMME)  # 200 BP
    await hub.limit("changed", "1000", act=Act.CONVERT, subject=Subject.PROGRAMME)
    async with two(hub, batch_max=batch_max) as doors:
        acts: list[commands.Command] = []
        for number in range(10):
            acts += [
                issue(hub, f"i{number}", f"u{number}", "70"),
                transfer(hub, f"t{number}", number, (number + 1) % 10, 40),
                redeem(hub, f"r{number}", number, 30),
                convert(hub, f"c{number}", number, 150),
            ]
        outcomes = await gathered(doors[place % 2].try_(one) for place, one in enumerate(acts))
        granted = [one.result.amount for one in outcomes[::4] if one.refusal is None]
        assert sum(granted) == 500  # 7 × 70 and 10
        passed = Counter(place % 4 for place, one in enumerate(outcomes) if one.refusal is None)
        assert [passed[kind] for kind in (1, 2, 3)] == [7, 6, 6]  # 7 × 40, 6 × 30 and 6 × 150 fit
        assert {code(one) for one in outcomes} == {"OK", "LIMIT_EXCEEDED"}
        done = [one.result for one in outcomes if one.refusal is None]
        await gathered(doors[place % 2].try_(reverse(hub, f"x{place}", one)) for place, one in enumerate(done))
    assert {row["used"] for row in await hub.sql("SELECT used FROM limit_use")} == {0}
    await clean(hub)


def reverse(hub: Hub, key: str, act: Any) -> commands.Reverse:
    return commands.Reverse(actor=hub.admin, key=key, id=act.id, amount=None, reason="returned")


async def test_a_limit_that_one_engine_sets_binds_the_other_at_once(hub: Hub) -> None:
    await found(hub, 1)
    async with two(hub) as (one, other):
        assert (await other.do(issue(hub, "a", "u0", "80"))).amount == 80
        await one.limit("day", "50", mode=Mode.CLIP)
        assert (await other.do(issue(hub, "b", "u0", "80"))).amount == 50
    await clean(hub)
