"""Acceptance terms: which node's are the nearest, and what points come to under them. Pure."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.acceptance_terms import AcceptanceTerms, payment
from hub.institutions import Institution, Kind, Status
from hub.terms import nearest
from hub.versions import VersionStatus

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POINT = 10**12  # a price of 1.00
CNY = 10**6


def node(id: int, parent: int | None) -> Institution:
    """An institution with nothing but a place in the tree."""
    return Institution(id, str(id), str(id), Kind.OTHER, Status.ACTIVE, parent, (), (), True)


NODES = {one.id: one for one in (node(1, None), node(2, 1), node(3, 2), node(4, 1))}  # 3 below 2, beside 4


def terms(id: int, of: int, price: int = POINT, starts: datetime = NOW, **more: Any) -> AcceptanceTerms:
    """An approved version for node ``of``."""
    fixed: dict[str, Any] = {
        "id": id,
        "currency": 9,
        "node": of,
        "money": "CNY",
        "price": price,
        "starts": starts,
        "ends": None,
    }
    return AcceptanceTerms(**{**fixed, "status": VersionStatus.APPROVED, **more})


def test_the_nearest_node_with_a_version_in_force_rules() -> None:
    above, own = terms(1, 2), terms(2, 3, starts=NOW + DAY, ends=NOW + 2 * DAY)
    by_node = {2: (above,), 3: (own,)}
    found = [nearest(by_node, NODES, 3, NOW + days * DAY / 2) for days in (-1, 0, 1, 2, 3, 4)]
    assert found == [None, above, above, own, own, above]  # its own for a day, then what is above is back
    assert nearest(by_node, NODES, 2, NOW + DAY) is above  # what is below is nobody else's
    assert nearest(by_node, NODES, 4, NOW + DAY) is None
    assert nearest({1: (terms(3, 1),)}, NODES, 4, NOW) is not None  # the operator's are everybody's


def test_a_payment_is_price_times_points_and_its_fee_has_all_four_parts() -> None:
    # 1,000.00 points (scale 2) at 0.009500000001: 9.500000001, rounded to 9.500000
    # 0.10 + 1000 × 0.0001 + 2 % of 9.500000001 = 0.1 + 0.1 + 0.19000000002 = 0.390000
    whole: dict[str, Any] = {"fee_fixed": CNY // 10, "fee_per_point": POINT // 10_000, "fee_percent": 2 * 10**6}
    paid = payment(terms(1, 2, 9_500_000_001, **whole), 100_000, 2)
    assert (paid.money, paid.value, paid.fee, paid.terms) == ("CNY", 9_500_000, 390_000, 1)
    assert payment(terms(1, 2, 9_500_000_001, **whole, fee_cap=200_000), 100_000, 2).fee == 200_000
    assert payment(terms(1, 2, 500_000), 1, 0).value == 1  # 0.0000005 is half a millionth, and goes up
    assert payment(terms(1, 2, 499_999), 1, 0).value == 0


@given(st.integers(0, 10**14), st.integers(1, 10**9), st.integers(0, 6), st.integers(0, 100 * 10**6))
def test_value_and_fee_are_rounded_once_each(price: int, units: int, scale: int, percent: int) -> None:
    paid = payment(terms(1, 2, price, fee_percent=percent), units, scale)
    exact = Fraction(price * units, 10 ** (scale + 6))
    assert paid.value == floor(exact + Fraction(1, 2))
    assert paid.fee == floor(exact * Fraction(percent, 100 * 10**6) + Fraction(1, 2))  # of the unrounded value
