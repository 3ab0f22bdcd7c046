"""Terms of cover: how far they reach, and what eases them."""

import pytest

from hub.cover import NO_TERMS, CoverTerms, eases, reach

CNY = 1_000_000
NEEDED = CoverTerms(needed=True, line=50 * CNY, haircut=100_000, fund=20 * CNY, due_days=1)


def test_what_is_left_of_the_collateral_after_the_haircut_and_the_line_are_the_reach() -> None:
    assert reach(NEEDED, 200 * CNY) == 230 * CNY  # 50 + 200 × 0.9
    assert reach(CoverTerms(needed=True), 7) == 7
    assert reach(CoverTerms(needed=True, haircut=1), 1) == 0  # 0.999999 of a millionth, rounded down
    assert reach(CoverTerms(needed=True, line=3, haircut=1_000_000), 10**18) == 3


@pytest.mark.parametrize(
    ("before", "after", "eased"),
    [
        (NO_TERMS, NEEDED, False),  # nothing had to be covered before
        (NEEDED, NEEDED, False),
        (NEEDED, CoverTerms(False, 50 * CNY, 100_000, 20 * CNY, 1), True),
        (NEEDED, CoverTerms(True, 51 * CNY, 100_000, 20 * CNY, 1), True),
        (NEEDED, CoverTerms(True, 49 * CNY, 99_999, 20 * CNY, 1), True),  # one part eases, another tightens
        (NEEDED, CoverTerms(True, 50 * CNY, 100_000, 19 * CNY, 1), True),
        (NEEDED, CoverTerms(True, 50 * CNY, 100_000, 20 * CNY, 2), True),
        (NEEDED, CoverTerms(True, 49 * CNY, 100_001, 21 * CNY, 0), False),
        (NO_TERMS, CoverTerms(line=CNY), False),  # of which nothing follows
        (NO_TERMS, CoverTerms(due_days=2), True),
    ],
)
def test_terms_are_eased_by_whatever_asks_for_less(before: CoverTerms, after: CoverTerms, eased: bool) -> None:
    assert eases(before, after) is eased
