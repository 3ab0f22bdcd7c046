"""How a fee is split, by figures that are worked out beside it and by properties; and which plan is for an act."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.shares import WEIGHTS, Act, Acting, Part, Scope, Share, divide, fits, parts, rank

CENT = 10_000  # millionths
OPERATOR, HQ, BRANCH, AGENT = 1, 2, 3, 9
PATH = (BRANCH, HQ, OPERATOR)


def _weighted(*percents: str) -> list[Share]:
    """Shares over levels from the operator downward, by percents."""
    return [Share(level, None, int(Fraction(text) * WEIGHTS / 100), None) for level, text in enumerate(percents)]


@pytest.mark.parametrize(
    ("fee", "percents", "due"),
    [
        # 1.99: .995 .597 .398; down .99 .59 .39 are 1.97, two cents are missing: .008 and .007 have lost most
        (1_990_000, ("50", "30", "20"), [990_000, 600_000, 400_000]),
        # 0.01: .005 .003 .002, the one cent goes to who has lost most
        (10_000, ("50", "30", "20"), [10_000, 0, 0]),
        # 100.00 in thirds: 33.333.. each, one cent is missing; the weight of the first is a millionth more
        (100_000_000, ("33.3334", "33.3333", "33.3333"), [33_340_000, 33_330_000, 33_330_000]),
        # 0.004 below the cent: in millionths, 2,000 1,200 800
        (4_000, ("50", "30", "20"), [2_000, 1_200, 800]),
        # 0.014: the cent to the first, as above, and .004 by itself
        (14_000, ("50", "30", "20"), [12_000, 1_200, 800]),
        (1, ("50", "50"), [1, 0]),
    ],
)
def test_a_fee_is_split_by_largest_remainder(fee: int, percents: tuple[str, ...], due: list[int]) -> None:
    assert divide(fee, _weighted(*percents), CENT) == due


def test_three_equal_shares_of_a_hundred_lose_nothing() -> None:
    equal = [Share(level, None, 1, None) for level in range(3)]
    assert divide(100_000_000, equal, CENT) == [33_340_000, 33_330_000, 33_330_000]


def test_a_currency_without_cents_is_split_in_whole_units_of_its_own() -> None:
    # 101 yen in halves: 50.5 each; the odd yen is the first one's
    assert divide(101_000_000, _weighted("50", "50"), 1_000_000) == [51_000_000, 50_000_000]


def test_fixed_amounts_come_first_and_take_no_more_than_there_is() -> None:
    plan = [Share(None, AGENT, None, 300_000), *_weighted("50", "50")]
    assert divide(1_000_000, plan, CENT) == [300_000, 350_000, 350_000]
    assert divide(200_000, plan, CENT) == [200_000, 0, 0]
    two = [Share(None, AGENT, None, 300_000), Share(1, None, None, 300_000)]
    assert divide(400_000, two, CENT) == [300_000, 100_000]


def test_what_fixed_amounts_leave_is_the_operators() -> None:
    plan = [Share(None, AGENT, None, 300_000), Share(1, None, None, 200_000)]
    found = parts(1_000_000, plan, PATH, CENT)
    assert found == [Part(0, AGENT, 300_000), Part(1, HQ, 200_000), Part(2, OPERATOR, 500_000)]


def test_a_level_is_one_of_the_acting_institutions_path() -> None:
    plan = _weighted("50", "30", "20")
    assert [part.payee for part in parts(1_000_000, plan, PATH, CENT)] == [OPERATOR, HQ, BRANCH]
    # A member that acts itself has no branch below it: the branch's part stays with it.
    assert [part.payee for part in parts(1_000_000, plan, (HQ, OPERATOR), CENT)] == [OPERATOR, HQ, HQ]
    assert [part.payee for part in parts(1_000_000, plan, (OPERATOR,), CENT)] == [OPERATOR] * 3


_AMOUNTS = st.integers(0, 10**12)
_PLANS = st.lists(
    st.one_of(
        st.builds(Share, st.integers(0, 4), st.none(), st.integers(1, WEIGHTS), st.none()),
        st.builds(Share, st.none(), st.just(AGENT), st.none(), st.integers(1, 10**9)),
    ),
    min_size=1,
    max_size=8,
)
_MINOR = st.sampled_from([1_000_000, 10_000, 1_000])


@given(_AMOUNTS, _PLANS, _MINOR)
def test_nothing_is_lost_or_made(fee: int, plan: list[Share], minor: int) -> None:
    found = parts(fee, plan, PATH, minor)
    assert sum(part.amount for part in found) == fee
    assert all(part.amount > 0 for part in found)
    assert [part.place for part in found] == sorted({part.place for part in found})


@given(_AMOUNTS, st.lists(st.integers(1, WEIGHTS), min_size=1, max_size=8), _MINOR)
def test_nobody_is_a_minor_unit_away_from_the_exact_share_and_who_weighs_more_gets_no_less(
    fee: int, weights: list[int], minor: int
) -> None:
    amounts = divide(fee, [Share(0, None, weight, None) for weight in weights], minor)
    for amount, weight in zip(amounts, weights, strict=True):
        assert abs(amount - Fraction(fee * weight, sum(weights))) < minor + 1
    by_weight = sorted(zip(weights, amounts, strict=True))
    assert all(one[1] <= other[1] for one, other in pairwise(by_weight) if one[0] < other[0])


@given(_AMOUNTS, st.permutations([1, 20, 300, 4_000]), _MINOR)
def test_the_order_of_shares_has_no_say_but_where_remainders_are_equal(fee: int, order: list[int], minor: int) -> None:
    whole = 4_321
    for total in divmod(fee, minor):
        assume(len({total * weight % whole for weight in order}) == len(order))
    in_order, permuted = (
        divide(fee, [Share(0, None, weight, None) for weight in weights], minor) for weights in (sorted(order), order)
    )
    assert dict(zip(sorted(order), in_order, strict=True)) == dict(zip(order, permuted, strict=True))


NORTH, JADE = 70, 80
OF = Acting(Act.CONVERSION, NORTH, JADE, "CNY", PATH, "DELTA")
# From the least specific to the most: each decides over all that were said before it.
_LADDER = [
    Scope(),
    Scope(money="CNY"),
    Scope(act=Act.CONVERSION),
    Scope(act=Act.CONVERSION, money="CNY"),
    Scope(source=NORTH),
    Scope(source=NORTH, act=Act.CONVERSION),
    Scope(target=JADE),
    Scope(source=NORTH, target=JADE),
    Scope(zone="DELTA"),
    Scope(zone="DELTA", source=NORTH, target=JADE),
    Scope(institution=OPERATOR),
    Scope(institution=HQ),
    Scope(institution=BRANCH),
    Scope(institution=BRANCH, zone="DELTA", source=NORTH, target=JADE, act=Act.CONVERSION, money="CNY"),
]


def test_the_most_specific_plan_counts_and_no_two_are_equal() -> None:
    assert all(fits(scope, OF) for scope in _LADDER)
    ranks = [rank(scope, OF) for scope in _LADDER]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(act=Act.REDEMPTION),
        Scope(source=JADE),
        Scope(target=NORTH),
        Scope(institution=AGENT),
        Scope(zone="RIVER"),
        Scope(money="HKD"),
        Scope(institution=BRANCH, money="HKD"),
    ],
)
def test_a_plan_for_something_else_is_for_no_act_of_this_kind(scope: Scope) -> None:
    assert not fits(scope, OF)
