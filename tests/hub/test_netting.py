import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.netting import InvalidWeights, NotBalanced, round_nets, split

CENT = 10_000  # millionths


def test_the_largest_remainders_get_the_missing_units() -> None:
    # floors: -0.01, 0.00, 0.00; remainders .004, .002, .004; one cent is missing: A and C tie, A is lower
    assert round_nets({"C": 4_000, "A": -6_000, "B": 2_000}, CENT) == {"A": 0, "B": 0, "C": 0}
    # floors: A -0.02 (.007), B 0.00 (.006), C 0.00 (.007); two cents are missing: A and C have lost most
    assert round_nets({"A": -13_000, "B": 6_000, "C": 7_000}, CENT) == {"A": -CENT, "B": 0, "C": CENT}


def test_whole_minor_units_stay_as_they_are() -> None:
    positions = {"A": -50 * CENT, "B": 20 * CENT, "C": 30 * CENT, "D": 0}
    assert round_nets(positions, CENT) == positions
    assert round_nets({}, CENT) == {}


def test_a_currency_without_decimals_is_rounded_to_whole_units() -> None:
    # floors -2, 0, 0 with remainders .5, .75, .75; two units are missing: B and C
    assert round_nets({"A": -1_500_000, "B": 750_000, "C": 750_000}, 1_000_000) == {
        "A": -2_000_000,
        "B": 1_000_000,
        "C": 1_000_000,
    }


def test_positions_that_do_not_balance_are_not_rounded() -> None:
    with pytest.raises(NotBalanced) as refused:
        round_nets({"A": 1, "B": 1}, CENT)
    assert refused.value.total_millionths == 2
    with pytest.raises(ValueError, match="more than zero"):
        round_nets({"A": 1, "B": -1}, 0)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), st.integers(-(10**12), 10**12), max_size=12),
    st.sampled_from([1_000_000, 10_000, 1_000, 100]),
    st.randoms(use_true_random=False),
)
def test_rounding_keeps_the_sum_stays_close_and_knows_no_order(
    positions: dict[str, int], unit: int, shuffler: random.Random
) -> None:
    balanced = {**positions, "zz-balance": -sum(positions.values())}
    rounded = round_nets(balanced, unit)
    assert sum(rounded.values()) == 0
    assert rounded.keys() == balanced.keys()
    assert all(value % unit == 0 for value in rounded.values())
    assert all(abs(rounded[code] - balanced[code]) < unit for code in balanced)
    items = list(balanced.items())
    shuffler.shuffle(items)
    assert list(round_nets(dict(items), unit).items()) == list(rounded.items())


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (199, [50, 30, 20], [99, 60, 40]),  # 99.5, 59.7, 39.8: two cents left, to the third and the second
        (1, [50, 30, 20], [1, 0, 0]),
        (10_000, [1, 1, 1], [3_334, 3_333, 3_333]),
        (0, [1, 2], [0, 0]),
        (5, [0, 1, 0], [0, 5, 0]),
        (-199, [50, 30, 20], [-99, -60, -40]),
        (7, [1], [7]),
    ],
)
def test_a_fee_is_split_by_largest_remainder(total: int, weights: list[int], shares: list[int]) -> None:
    assert split(total, weights) == shares


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1], [-1, -1]])
def test_weights_must_be_able_to_share(weights: list[int]) -> None:
    with pytest.raises(InvalidWeights):
        split(1, weights)


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_shares_sum_to_the_total_and_are_within_one_unit(total: int, weights: list[int]) -> None:
    shares = split(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)
        assert weight or not share
