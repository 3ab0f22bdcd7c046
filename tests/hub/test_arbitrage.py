"""No cycle of approved rates multiplies points."""

import random
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hub.arbitrage import gaining_cycle
from hub.errors import AmountTooSmall, InvalidAmount
from hub.rates import Bonus, Rate, figures
from hub.versions import in_force
from tests.hub.test_rates import NOW, TICK, bonus, hours, rate

A, B, C = 1, 2, 3
NO_SCALES = {A: 0, B: 0, C: 0}
Approved = dict[tuple[int, int], tuple[Rate, ...]]


def test_example_7_a_cycle_above_one_is_named_with_its_product() -> None:
    approved: Approved = {(A, B): (rate("8:10"),), (B, C): (rate("5:10"),), (C, A): (rate("26:10"),)}
    found = gaining_cycle(approved, (C, A), NO_SCALES, NOW)
    assert found is not None
    assert found.currencies == (C, A, B, C)
    assert found.product == Fraction(104, 100)  # 2.6 × 0.8 × 0.5
    assert found.at == NOW


def test_example_7_a_bonus_that_makes_a_cycle_gain_is_refused() -> None:
    around: Approved = {(B, C): (rate("5:10"),), (C, A): (rate("22:10"),)}
    without = around | {(A, B): (rate("8:10"),)}
    assert gaining_cycle(without, (A, B), NO_SCALES, NOW) is None  # 0.8 × 0.5 × 2.2 = 0.88
    found = gaining_cycle(around | {(A, B): (rate("8:10", bonus(30)),)}, (A, B), NO_SCALES, NOW)
    assert found is not None
    assert found.product == Fraction(1144, 1000)  # 0.8 × 1.3 × 0.5 × 2.2


def test_exactly_one_is_no_gain() -> None:
    approved: Approved = {(A, B): (rate("3:7"),), (B, A): (rate("7:3"),)}
    assert gaining_cycle(approved, (A, B), NO_SCALES, NOW) is None
    above: Approved = {(A, B): (rate("3:7"),), (B, A): (rate("7000000000000001:3000000000000000"),)}
    assert gaining_cycle(above, (A, B), NO_SCALES, NOW) is not None


def test_a_bonus_per_block_counts_in_whole_points_of_each_scale() -> None:
    # 1:1 and 50.00 per 100.0: scales 2 and 1, so 5000 units per 1000 units; the way back at 2:3 makes 1.5 × 2/3 = 1
    there = rate("1:1", bonus(per_block=5000, block=1000))
    scales = {A: 1, B: 2}
    assert there.yield_at(NOW, 1, 2) == Fraction(3, 2)
    assert gaining_cycle({(A, B): (there,), (B, A): (rate("2:3"),)}, (A, B), scales, NOW) is None
    assert gaining_cycle({(A, B): (there,), (B, A): (rate("201:300"),)}, (A, B), scales, NOW) is not None


def test_a_campaign_in_the_future_is_looked_at_when_it_starts() -> None:
    campaign = rate("2:1", starts=hours(5), ends=hours(6), id=2)
    approved: Approved = {(A, B): (rate("1:1"), campaign), (B, A): (rate("1:1"),)}
    found = gaining_cycle(approved, (A, B), NO_SCALES, NOW)
    assert found is not None
    assert found.at == hours(5)
    assert gaining_cycle(approved, (A, B), NO_SCALES, hours(6)) is None  # over


def test_a_bonus_in_the_future_is_looked_at_when_it_starts() -> None:
    approved: Approved = {(A, B): (rate("1:1", bonus(1, starts=hours(3))),), (B, A): (rate("1:1"),)}
    found = gaining_cycle(approved, (A, B), NO_SCALES, NOW)
    assert found is not None
    assert found.at == hours(3)


def test_versions_that_never_hold_together_make_no_cycle() -> None:
    approved: Approved = {
        (A, B): (rate("2:1", ends=hours(1)),),
        (B, A): (rate("1:1", starts=hours(1)),),
    }
    assert gaining_cycle(approved, (B, A), NO_SCALES, NOW) is None
    overlapping = approved | {(A, B): (rate("2:1", ends=hours(1) + TICK),)}
    assert gaining_cycle(overlapping, (B, A), NO_SCALES, NOW) is not None


def test_a_base_that_comes_back_after_a_campaign_is_looked_at() -> None:
    # The modest campaign hides a generous base until hour 2.
    approved: Approved = {
        (A, B): (rate("3:1", starts=hours(-1)), rate("1:1", ends=hours(2), id=2)),
        (B, A): (rate("1:1"),),
    }
    found = gaining_cycle(approved, (B, A), NO_SCALES, NOW)
    assert found is not None
    assert found.at == hours(2)


COUNT = 5
pairs = st.tuples(st.integers(1, COUNT), st.integers(1, COUNT)).filter(lambda pair: pair[0] != pair[1])
low = st.integers(1, 12)
gifts = st.none() | st.builds(lambda percent, cap: bonus(percent, cap=cap), st.integers(1, 60), st.none() | low)
blocks = st.builds(lambda per, block: bonus(per_block=per, block=block), low, st.integers(1, 30))


@st.composite
def proposals(draw: st.DrawFn) -> tuple[tuple[int, int], Rate]:
    start = draw(st.integers(0, 6))
    length = draw(st.none() | st.integers(1, 6))
    given_bonus: Bonus | None = draw(gifts | blocks)
    return draw(pairs), rate(
        f"{draw(low)}:{draw(low)}",
        *([] if given_bonus is None else [given_bonus]),
        starts=hours(start),
        ends=None if length is None else hours(start + length),
    )


@given(
    st.lists(proposals(), max_size=30),
    st.lists(st.integers(0, 3), min_size=COUNT, max_size=COUNT),
    st.randoms(use_true_random=False),
)
def test_no_walk_over_approved_rates_ever_gains(
    proposed: list[tuple[tuple[int, int], Rate]], of_scales: list[int], walker: random.Random
) -> None:
    scales = dict(enumerate(of_scales, start=1))
    approved: Approved = {}
    for pair, terms in proposed:
        after = approved | {pair: (*approved.get(pair, ()), terms)}
        if any(other.starts == terms.starts for other in approved.get(pair, ())):
            continue
        if gaining_cycle(after, pair, scales, NOW) is None:
            approved = after
    for _ in range(20):
        at = hours(walker.randrange(0, 14)) + timedelta(minutes=walker.randrange(60))
        home = walker.randint(1, COUNT)
        here, began = home, walker.randrange(1, 10**6)
        units = began
        for _ in range(8):
            ways = {pair[1]: in_force(versions, at) for pair, versions in approved.items() if pair[0] == here}
            open_ways = {there: terms for there, terms in ways.items() if terms is not None}
            if not open_ways:
                break
            there = walker.choice(sorted(open_ways))
            terms = open_ways[there]
            room = [one.cap or 0 for one in terms.bonuses]  # a fresh customer at every step: the most that a cap gives
            try:
                units = figures(terms, units, scales[here], scales[there], room, at).target
            except (AmountTooSmall, InvalidAmount):
                break
            here = there
            if here == home:
                assert units <= began


@given(st.lists(proposals(), max_size=14), st.lists(st.integers(0, 3), min_size=COUNT, max_size=COUNT))
def test_the_check_agrees_with_looking_at_every_cycle(
    proposed: list[tuple[tuple[int, int], Rate]], of_scales: list[int]
) -> None:
    scales = dict(enumerate(of_scales, start=1))
    approved: Approved = {}
    for pair, terms in proposed:
        if any(other.starts == terms.starts for other in approved.get(pair, ())):
            continue
        after = approved | {pair: (*approved.get(pair, ()), terms)}
        found = gaining_cycle(after, pair, scales, NOW)
        assert (found is not None) == any_cycle_gains(after, scales)
        if found is None:
            approved = after
        else:
            assert found.product > 1
            assert found.currencies[0] == found.currencies[-1]
            assert product_along(after, scales, found.currencies, found.at) == found.product


def product_along(approved: Approved, scales: dict[int, int], cycle: tuple[int, ...], at: datetime) -> Fraction:
    product = Fraction(1)
    for source, target in pairwise(cycle):
        terms = in_force(approved.get((source, target), ()), at)
        assert terms is not None
        product *= terms.yield_at(at, scales[source], scales[target])
    return product


def any_cycle_gains(approved: Approved, scales: dict[int, int]) -> bool:
    """Every simple cycle at the beginning and in the middle of each hour."""
    for half_hour in range(28):
        at = NOW + timedelta(minutes=30 * half_hour)
        edges: dict[int, dict[int, Fraction]] = {}
        for (source, target), versions in approved.items():
            terms = in_force(versions, at)
            if terms is not None:
                edges.setdefault(source, {})[target] = terms.yield_at(at, scales[source], scales[target])
        if any(gains_from(edges, start, start, Fraction(1), {start}) for start in edges):
            return True
    return False


def gains_from(edges: dict[int, dict[int, Fraction]], start: int, here: int, product: Fraction, seen: set[int]) -> bool:
    for there, gain in edges.get(here, {}).items():
        if there == start and product * gain > 1:
            return True
        if there not in seen and gains_from(edges, start, there, product * gain, seen | {there}):
            return True
    return False
