"""Rates: which version is in force, and what it makes of an amount, against exact fractions and printed examples."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.errors import AboveMaximum, AmountTooSmall, BelowMinimum, InvalidAmount, NotAMultiple
from hub.points import AMOUNT_MAX
from hub.rates import Bonus, Figures, Funding, Rate, figures
from hub.versions import VersionStatus, in_force

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HUNDRED_PERCENT = 100 * 10**6
MILLIONTH = 1
CNY = 10**6  # millionths
PRICE = 10**12


def bonus(
    percent: int | None = None,
    *,
    per_block: int | None = None,
    block: int | None = None,
    cap: int | None = None,
    funded_by: Funding = Funding.SOURCE_ISSUER,
    starts: datetime | None = None,
    ends: datetime | None = None,
) -> Bonus:
    """A bonus of whole ``percent``, or per block."""
    return Bonus(None if percent is None else percent * 10**6, per_block, block, cap, funded_by, starts, ends)


def rate(
    ratio: str = "1:1",
    *bonuses: Bonus,
    price: int = PRICE,
    minimum: int | None = None,
    maximum: int | None = None,
    step: int | None = None,
    fee_fixed: int | None = None,
    fee_per_point: int | None = None,
    fee_percent: int | None = None,
    fee_cap: int | None = None,
    starts: datetime | None = NOW,
    ends: datetime | None = None,
    id: int = 1,
) -> Rate:
    """An approved rate of ``ratio`` target points per source points."""
    exact = Fraction(*map(int, ratio.split(":")))
    return Rate(
        id=id,
        source=1,
        target=2,
        version=1,
        status=VersionStatus.APPROVED,
        numerator=exact.numerator,
        denominator=exact.denominator,
        minimum=minimum,
        maximum=maximum,
        step=step,
        money="CNY",
        fee_fixed=fee_fixed,
        fee_per_point=fee_per_point,
        fee_percent=fee_percent,
        fee_cap=fee_cap,
        price=price,
        bonuses=bonuses,
        starts=starts,
        ends=ends,
        awaiting=(),
        proposed_by="p",
        proposed_by_credential=1,
        proposed_by_institution=1,
        accepted_by=(),
        decided_by="d",
        reason=None,
    )


def of(terms: Rate, source: int, headroom: tuple[int, ...] | None = None) -> Figures:
    """Figures in whole points, with all of every cap left."""
    left = tuple(one.cap or 0 for one in terms.bonuses) if headroom is None else headroom
    return figures(terms, source, 0, 0, left, NOW)


# --- the published examples, requirements section 3 -------------------------------------------------------------------


def test_example_1_minimum_and_step() -> None:
    five_to_four = rate("4:5", minimum=1000, step=1000)
    assert of(five_to_four, 3000).target == 2400  # 3000 × 4 / 5
    with pytest.raises(NotAMultiple) as uneven:
        of(five_to_four, 2500)
    assert uneven.value.details == {"step": "1000"}
    with pytest.raises(BelowMinimum) as small:
        of(five_to_four, 500)
    assert small.value.details == {"minimum": "1000"}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (59_000, 19_666),  # ⌊59,000 / 3⌋
        (60_000, 25_000),  # 20,000 + 5,000
        (119_999, 44_999),  # 39,999 + 5,000
        (120_000, 50_000),  # 40,000 + 2 × 5,000
    ],
)
def test_example_2_a_fixed_bonus_for_each_whole_block(source: int, target: int) -> None:
    assert of(rate("1:3", bonus(per_block=5000, block=60_000)), source).target == target


@pytest.mark.parametrize(
    ("source", "cents"),
    [(10_000, 600), (50_000, 3000), (165_000, 9900), (200_000, 9900)],  # × 0.0006, at most 99.00
)
def test_example_3_a_fee_per_point_with_a_cap(source: int, cents: int) -> None:
    terms = rate("1:1", fee_per_point=6 * PRICE // 10_000, fee_cap=99 * CNY)
    assert of(terms, source).fee == cents * CNY // 100


@pytest.mark.parametrize(
    ("source", "target", "bonus_points"),
    [(10_000, 13_000, 3_000), (80_000, 95_000, 15_000)],  # 30 % of 10,000; of 50,000
)
def test_example_4_a_percent_bonus_with_a_cap(source: int, target: int, bonus_points: int) -> None:
    found = of(rate("1:1", bonus(30, cap=50_000)), source)
    assert (found.target, found.bonus) == (target, bonus_points)


def test_example_5_nothing_credited_is_refused_and_splitting_never_helps() -> None:
    three_to_one = rate("1:3")
    with pytest.raises(AmountTooSmall) as refused:
        of(three_to_one, 2)
    assert refused.value.details == {"source": "2"}
    assert of(three_to_one, 3).target == 1
    with pytest.raises(AmountTooSmall):  # each third of it is worth nothing
        of(three_to_one, 1)


def test_example_6_the_settlement_value_and_the_hubs_percent() -> None:
    found = of(rate("1:25", price=PRICE * 5 // 100, fee_percent=10**6), 50_000)
    assert found.target == 2000  # 50,000 / 25
    assert found.settlement == 100 * CNY  # 2,000 × 0.05
    assert found.fee == 1 * CNY  # 1 % of it


# --- figures in general -----------------------------------------------------------------------------------------------


def test_the_residue_is_what_rounding_the_base_leaves() -> None:
    found = of(rate("2:3"), 100)
    assert found.target == 66  # 200 / 3 = 66 + 2/3
    assert found.residue == Fraction(2, 3)


def test_the_base_and_each_bonus_are_rounded_down_by_themselves() -> None:
    found = of(rate("1:2", bonus(50), bonus(50)), 3)
    # base 1.5 → 1; each bonus 0.75 → 0; together they would have been 3
    assert (found.target, found.bonus) == (1, 0)


def test_a_bonus_that_the_targets_issuer_gives_is_not_paid_for() -> None:
    terms = rate("1:1", bonus(10), bonus(20, funded_by=Funding.TARGET_ISSUER), fee_percent=10**6)
    found = of(terms, 100)
    assert (found.target, found.bonus) == (130, 30)
    assert found.settlement == 110 * CNY  # 100 and the source's issuer's 10
    assert found.fee == 110 * CNY // 100  # 1 % of that


def test_a_bonus_counts_only_while_it_is_live() -> None:
    assert of(rate("1:1", bonus(50, starts=NOW, ends=NOW + TICK)), 100).target == 150
    for off in (bonus(50, starts=NOW + TICK), bonus(50, ends=NOW)):
        found = of(rate("1:1", off), 100)
        assert (found.target, found.eligible) == (100, (0,))


@pytest.mark.parametrize(
    ("price", "settlement"),
    [
        (499_999, 0),  # 0.499999 millionths
        (500_000, MILLIONTH),  # the half goes up
        (1_499_999, MILLIONTH),
        (1_500_000, 2 * MILLIONTH),
    ],
)
def test_the_settlement_value_is_rounded_half_up_at_the_millionth(price: int, settlement: int) -> None:
    assert of(rate("1:1", price=price), 1).settlement == settlement


def test_the_fee_is_rounded_once_after_its_parts_are_added() -> None:
    # 0.3 + 0.2 millionths = 0.5 → 1; each by itself would be nothing
    terms = rate("1:1", price=20_000_000, fee_per_point=300_000, fee_percent=10**6)
    assert of(terms, 1).fee == 1
    assert of(replace(terms, fee_fixed=7), 1).fee == 8
    assert of(replace(terms, fee_fixed=7, fee_cap=5), 1).fee == 5
    assert of(replace(terms, fee_fixed=7, fee_cap=0), 1).fee == 0


def test_the_fees_percent_is_of_the_exact_value_not_of_the_rounded_one() -> None:
    # the value is 0.4 millionths and settles as 0, but 100 % of 0.4 with 0.1 fixed per point is 0.5 → 1
    terms = rate("1:1", price=400_000, fee_percent=HUNDRED_PERCENT, fee_per_point=100_000)
    found = of(terms, 1)
    assert (found.settlement, found.fee) == (0, 1)


def test_bounds_are_inclusive_and_shown_in_whole_points() -> None:
    terms = rate("1:1", minimum=100, maximum=500, step=50)
    assert [figures(terms, source, 2, 2, (), NOW).target for source in (100, 500)] == [100, 500]
    for source, noun, details in (
        (50, BelowMinimum, {"minimum": "1.00"}),
        (550, AboveMaximum, {"maximum": "5.00"}),
        (125, NotAMultiple, {"step": "0.50"}),
    ):
        with pytest.raises(noun) as refused:
            figures(terms, source, 2, 2, (), NOW)
        assert refused.value.details == details


def test_large_amounts_lose_nothing() -> None:
    assert of(rate("1:1", price=1), 2**53 + 1).target == 2**53 + 1  # 2**53 as a float
    assert of(rate("29:100"), 100).target == 29  # 28 as a float
    assert of(rate("1:1", bonus(7)), 1100).bonus == 77  # 78 in a well-known system


def test_figures_that_the_ledger_cannot_carry_are_refused() -> None:
    with pytest.raises(InvalidAmount):
        of(rate("1000000:1"), AMOUNT_MAX)
    with pytest.raises(InvalidAmount):
        of(rate("1:1", price=10**21), AMOUNT_MAX)
    # 10**12 CNY are the most, as many points at one each
    assert of(rate("1:1", price=10**12), 10**12).settlement == 10**18
    with pytest.raises(InvalidAmount):
        of(rate("1:1", price=10**12), 10**12 + 1)


def test_a_point_of_one_scale_becomes_points_of_another() -> None:
    # 1.23 points of scale 2 at 1:3 are 0.41 points; of scale 3: 410 units
    assert figures(rate("1:3"), 123, 2, 3, (), NOW).target == 410
    # of scale 0 nothing
    with pytest.raises(AmountTooSmall):
        figures(rate("1:3"), 123, 2, 0, (), NOW)


# --- laws -------------------------------------------------------------------------------------------------------------

scales = st.integers(0, 6)
small = st.integers(1, 10**6)
sides = st.sampled_from(Funding)


@st.composite
def bonuses(draw: st.DrawFn) -> Bonus:
    live = draw(st.sampled_from([(None, None), (NOW, None), (None, NOW + TICK), (NOW + TICK, None), (None, NOW)]))
    cap = draw(st.none() | st.integers(1, 10**5))
    if draw(st.booleans()):
        return Bonus(draw(st.integers(1, 10**10)), None, None, cap, draw(sides), *live)
    return Bonus(None, draw(small), draw(st.integers(1, 10**4)), cap, draw(sides), *live)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    optional = st.none() | st.integers(0, 10**9)
    terms = rate(
        f"{draw(small)}:{draw(small)}",
        *draw(st.lists(bonuses(), max_size=3)),
        price=draw(st.integers(0, 10**15)),
        fee_fixed=draw(optional),
        fee_per_point=draw(optional),
        fee_cap=draw(optional),
    )
    return replace(terms, fee_percent=draw(st.none() | st.integers(0, HUNDRED_PERCENT)))


def headrooms(draw: st.DataObject, terms: Rate) -> list[int]:
    return [draw.draw(st.integers(0, one.cap or 0)) for one in terms.bonuses]


@given(rates(), st.integers(1, 10**7), scales, scales, st.data())
def test_figures_equal_an_independent_computation_in_fractions(
    terms: Rate, source: int, source_scale: int, target_scale: int, data: st.DataObject
) -> None:
    headroom = headrooms(data, terms)
    points = Fraction(source, 10**source_scale)
    unit = 10**target_scale
    exact_ratio = Fraction(terms.numerator, terms.denominator)
    base = floor(points * exact_ratio * unit)
    gifts, counted = [], []
    for one, left in zip(terms.bonuses, headroom, strict=True):
        live = (one.starts is None or one.starts <= NOW) and (one.ends is None or one.ends > NOW)
        counts = 0 if not live else source if one.cap is None else min(source, left)
        counted.append(counts)
        if one.percent is not None:
            gift = floor(Fraction(counts, 10**source_scale) * exact_ratio * Fraction(one.percent, 10**8) * unit)
        else:
            assert one.per_block is not None
            assert one.block is not None
            gift = counts // one.block * one.per_block
        gifts.append(gift)
    target = base + sum(gifts)
    if target == 0:
        with pytest.raises(AmountTooSmall):
            figures(terms, source, source_scale, target_scale, headroom, NOW)
        return
    paid = base + sum(
        gift for gift, one in zip(gifts, terms.bonuses, strict=True) if one.funded_by is Funding.SOURCE_ISSUER
    )
    value = Fraction(paid, unit) * Fraction(terms.price, 10**12) * 10**6  # in millionths
    fee = points * Fraction(terms.fee_per_point or 0, 10**12) * 10**6 + value * Fraction(terms.fee_percent or 0, 10**8)
    half = Fraction(1, 2)
    charged = (terms.fee_fixed or 0) + floor(fee + half)
    if terms.fee_cap is not None:
        charged = min(charged, terms.fee_cap)
    settlement = floor(value + half)
    if max(target, settlement, charged) > 10**18:
        with pytest.raises(InvalidAmount):
            figures(terms, source, source_scale, target_scale, headroom, NOW)
        return
    assert figures(terms, source, source_scale, target_scale, headroom, NOW) == Figures(
        source=source,
        target=target,
        bonus=sum(gifts),
        fee=charged,
        settlement=settlement,
        eligible=tuple(counted),
        residue=points * exact_ratio * unit - base,
    )


@given(rates(), st.integers(1, 10**7), scales, scales, st.data())
def test_rounding_never_gains_points(
    terms: Rate, source: int, source_scale: int, target_scale: int, data: st.DataObject
) -> None:
    try:
        found = figures(terms, source, source_scale, target_scale, headrooms(data, terms), NOW)
    except (AmountTooSmall, InvalidAmount):
        return
    most = Fraction(source, 10**source_scale) * terms.yield_at(NOW, source_scale, target_scale)
    assert Fraction(found.target, 10**target_scale) <= most


@given(rates(), st.lists(st.integers(1, 10**6), min_size=2, max_size=6), scales, scales, st.data())
def test_splitting_never_beats_one_go(
    terms: Rate, parts: list[int], source_scale: int, target_scale: int, data: st.DataObject
) -> None:
    headroom = headrooms(data, terms)
    try:
        whole = figures(terms, sum(parts), source_scale, target_scale, headroom, NOW)
    except AmountTooSmall:
        whole = None
    except InvalidAmount:  # more than can be asked for in one go
        assume(False)
    credited, bonus_credited, left = 0, 0, list(headroom)
    for part in parts:
        try:
            found = figures(terms, part, source_scale, target_scale, left, NOW)
        except AmountTooSmall:
            continue
        credited += found.target
        bonus_credited += found.bonus
        left = [room - counted for room, counted in zip(left, found.eligible, strict=True)]
    assert credited <= (whole.target if whole else 0)
    assert bonus_credited <= (whole.bonus if whole else 0)


@given(rates(), st.integers(1, 10**6), st.integers(1, 10**6), scales, scales)
def test_more_never_brings_less(terms: Rate, source: int, more: int, source_scale: int, target_scale: int) -> None:
    headroom = [one.cap or 0 for one in terms.bonuses]
    try:
        less = figures(terms, source, source_scale, target_scale, headroom, NOW)
        greater = figures(terms, source + more, source_scale, target_scale, headroom, NOW)
    except (AmountTooSmall, InvalidAmount):
        assume(False)
    assert greater.target >= less.target


# --- which version is in force ----------------------------------------------------------------------------------------


def hours(number: int) -> datetime:
    return NOW + timedelta(hours=number)


def test_a_campaign_overrides_and_afterwards_the_base_is_back() -> None:
    base = rate("1:2", starts=hours(-5), id=1)
    campaign = rate("1:1", starts=hours(0), ends=hours(2), id=2)
    for order in ((base, campaign), (campaign, base)):
        found = [in_force(order, at) for at in (hours(-6), hours(-1), hours(0), hours(2) - TICK, hours(2))]
        assert [one and one.id for one in found] == [None, 1, 2, 2, 1]


def test_a_version_holds_from_its_start_until_before_its_end() -> None:
    only = rate(starts=hours(0), ends=hours(1))
    assert in_force([only], hours(0)) is only
    assert in_force([only], hours(1) - TICK) is only
    assert in_force([only], hours(1)) is None
    assert in_force([only], hours(0) - TICK) is None
    assert in_force([], hours(0)) is None
    assert in_force([rate(starts=None)], hours(0)) is None  # not approved yet


spans = st.tuples(st.integers(0, 20), st.none() | st.integers(1, 10))


@given(st.lists(spans, max_size=8, unique_by=lambda span: span[0]), st.integers(-1, 32), st.randoms())
def test_in_force_is_the_one_that_started_last_whatever_the_order(
    of_spans: list[tuple[int, int | None]], at: int, shuffler: random.Random
) -> None:
    versions = [
        rate(starts=hours(start), ends=None if length is None else hours(start + length), id=start)
        for start, length in of_spans
    ]
    holding = sorted(start for start, length in of_spans if start <= at and (length is None or at < start + length))
    shuffler.shuffle(versions)
    found = in_force(iter_of(versions), hours(at))
    assert (found.id if found else None) == (holding[-1] if holding else None)


def iter_of(versions: list[Rate]) -> Iterator[Rate]:
    yield from versions
