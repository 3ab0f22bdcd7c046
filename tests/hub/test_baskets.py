"""Baskets: how an amount is split over purses. Pure."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from hub.baskets import Purse, split

CENT = 10_000
PRICE = 10**10  # 0.01 a point


def test_brand_points_go_first_and_universal_ones_pay_what_is_left() -> None:
    # 6.00: 500 × 0.01 = 5.00, then 100 × 0.01 = 1.00
    assert split(600 * CENT, [Purse(500, 0, PRICE), Purse(100, 0, PRICE)]) == ([500, 100], 0)
    assert split(400 * CENT, [Purse(500, 0, PRICE), Purse(100, 0, PRICE)]) == ([400, 0], 0)
    assert split(700 * CENT, [Purse(500, 0, PRICE), Purse(100, 0, PRICE)]) == ([500, 100], 100 * CENT)


def test_what_no_unit_fits_into_is_the_rest() -> None:
    # 1.00 at 0.03: 33 points are 0.99, and 0.01 is left, which one of 0.005 pays with two
    assert split(100 * CENT, [Purse(50, 0, 3 * PRICE)]) == ([33], CENT)
    assert split(100 * CENT, [Purse(50, 0, 3 * PRICE), Purse(9, 0, PRICE // 2)]) == ([33, 2], 0)
    assert split(100 * CENT, [Purse(50, 0, 0)]) == ([0], 100 * CENT)  # what is worth nothing pays nothing


purses = st.lists(
    st.builds(Purse, st.integers(0, 10**6), st.integers(0, 6), st.integers(0, 10**13)), min_size=1, max_size=4
)


@given(st.integers(1, 10**12), purses)
def test_the_parts_and_the_rest_are_the_amount_and_no_unit_more_would_fit(amount: int, of: list[Purse]) -> None:
    spent, rest = split(amount, of)
    assert rest >= 0
    assert sum(purse.worth(units) for purse, units in zip(of, spent, strict=True)) + rest == amount
    left = amount
    for purse, units in zip(of, spent, strict=True):
        assert 0 <= units <= purse.available
        if units < purse.available and purse.price:
            assert Fraction(purse.price * (units + 1), 10 ** (purse.scale + 6)) > left  # exact, not as rounded
        left -= purse.worth(units)
