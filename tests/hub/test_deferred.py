"""Deferred revenue: what is allocated to points and what of it has become revenue, after IFRS 15."""

from hypothesis import given
from hypothesis import strategies as st

from hub.currencies import Expiry, ExpiryKind, PointCurrency, RateConsent
from hub.deferred import Points, deferred_revenue, observed_breakage

PERCENT = 10**6


def currency(scale: int, unit_value: int) -> PointCurrency:
    return PointCurrency(
        id=1,
        code="BP",
        name="BP",
        issuer=1,
        scale=scale,
        unit_value=unit_value,
        money="CNY",
        expiry=Expiry(ExpiryKind.NEVER, None),
        transferable=True,
        cashable=False,
        rate_consent=RateConsent.ISSUER,
        adapter="hosted",
    )


BP = currency(0, 10**12 // 20)  # 0.05 CNY a point


def test_points_become_revenue_as_those_expected_are_redeemed() -> None:
    # of 10,000 points 5 % are expected never to be redeemed: 9,500 x 0.05 = 475.00; 4,500 x 0.05 = 225.00 are
    made = deferred_revenue(BP, Points(10_000, 4_500, 0), 5 * PERCENT)
    assert (made.expected_redeemed, made.is_estimated) == (9_500, True)
    assert (made.allocated, made.recognised, made.deferred) == (475_000_000, 225_000_000, 250_000_000)
    # a year later the estimate is 3 %: 9,700 x 0.05 = 485.00; 8,500 x 0.05 = 425.00
    made = deferred_revenue(BP, Points(10_000, 8_500, 0), 3 * PERCENT)
    assert (made.allocated, made.recognised, made.deferred) == (485_000_000, 425_000_000, 60_000_000)


def test_without_an_estimate_breakage_is_what_has_been_seen() -> None:
    # of 4,000 points whose fate is known 1,000 have expired: 25 %, so 7,500 of 10,000 are expected
    made = deferred_revenue(BP, Points(10_000, 3_000, 1_000), None)
    assert (made.breakage, made.is_estimated, made.expected_redeemed) == (25 * PERCENT, False, 7_500)
    assert made.deferred == (7_500 - 3_000) * 50_000
    assert observed_breakage(Points(10, 0, 0)) == 0


def test_no_estimate_contradicts_what_has_happened() -> None:
    assert deferred_revenue(BP, Points(100, 90, 0), 50 * PERCENT).expected_redeemed == 90
    assert deferred_revenue(BP, Points(100, 20, 60), 0).expected_redeemed == 40
    assert deferred_revenue(BP, Points(0, 0, 0), None).deferred == 0


@given(
    issued=st.integers(0, 10**15),
    shares=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    breakage=st.none() | st.integers(0, 100 * PERCENT),
    scale=st.integers(0, 6),
    unit_value=st.integers(0, 10**13),
)
def test_what_is_deferred_is_at_most_what_customers_hold_at_the_unit_value(
    issued: int, shares: tuple[int, int], breakage: int | None, scale: int, unit_value: int
) -> None:
    points = Points(issued, issued * shares[0] // 200, issued * shares[1] // 200)
    made = deferred_revenue(currency(scale, unit_value), points, breakage)
    assert made.allocated == made.recognised + made.deferred
    assert points.redeemed <= made.expected_redeemed <= points.issued - points.expired
    # exactly, in 10^-(scale + 12) of the money; both roundings together are less than a millionth
    assert 0 <= made.deferred * 10 ** (scale + 6) <= points.outstanding * unit_value + 10 ** (scale + 6)
