"""The waterfall: who bears a loss, and who is made good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.waterfall import NotBorne, Share, Source, bear, make_good

CENT = 10_000
FEN = 1_000_000


def test_each_source_is_used_up_before_the_next() -> None:
    shares = bear(100 * FEN, "D", 30 * FEN, {"D": 10 * FEN, "X": 20 * FEN, "Y": 10 * FEN}, {"A": 60 * FEN}, CENT)
    assert shares == [
        Share(Source.COLLATERAL, "D", 30 * FEN),
        Share(Source.OWN_FUND, "D", 10 * FEN),
        Share(Source.FUND, "X", 20 * FEN),
        Share(Source.FUND, "Y", 10 * FEN),
        Share(Source.CUT, "A", 30 * FEN),  # 100 - 30 - 10 - 30
    ]


def test_shares_are_in_proportion_by_largest_remainder_and_ties_are_the_lower_code_s() -> None:
    # a third of 1.00 each: .33 with remainders of a third, the cent is A's
    cut = bear(FEN, "D", 0, {}, {"C": 5 * FEN, "A": 5 * FEN, "B": 5 * FEN}, CENT)
    assert [(one.of, one.amount // CENT) for one in cut] == [("A", 34), ("B", 33), ("C", 33)]
    fund = bear(50 * CENT, "D", 0, {"X": 60 * CENT, "Y": 41 * CENT}, {}, CENT)
    assert [(one.of, one.amount // CENT) for one in fund] == [("X", 30), ("Y", 20)]  # 29.7 and 20.3
    yen = bear(10 * FEN, "D", 0, {}, {"A": 7 * FEN, "B": 6 * FEN}, FEN)
    assert [(one.of, one.amount // FEN) for one in yen] == [("A", 5), ("B", 5)]  # 5.38 and 4.62


def test_what_comes_later_goes_the_other_way_round() -> None:
    borne = {
        Source.COLLATERAL: {"D": 30 * FEN},
        Source.OWN_FUND: {"D": 10 * FEN},
        Source.FUND: {"X": 20 * FEN, "Y": 10 * FEN},
        Source.CUT: {"A": 20 * FEN, "B": 10 * FEN},
    }
    shares, left = make_good(45 * FEN, borne, CENT)
    assert ([(one.source, one.of, one.amount // FEN) for one in shares], left) == (
        [(Source.CUT, "A", 20), (Source.CUT, "B", 10), (Source.FUND, "X", 10), (Source.FUND, "Y", 5)],
        0,
    )
    assert make_good(101 * FEN, borne, CENT)[1] == FEN


def test_a_loss_that_is_more_than_everything_is_nobody_s() -> None:
    with pytest.raises(NotBorne):
        bear(100 * FEN, "D", FEN, {"X": FEN}, {"A": 97 * FEN}, CENT)


codes = st.sampled_from(["A", "B", "C", "D", "E", "F"])
pots = st.dictionaries(codes, st.integers(0, 10**9).map(lambda units: units * CENT), max_size=6)


@given(data=st.data(), collateral=st.integers(0, 10**9), fund=pots, payouts=pots)
def test_nobody_bears_more_than_it_has_and_all_comes_back(
    data: st.DataObject, collateral: int, fund: dict[str, int], payouts: dict[str, int]
) -> None:
    able = {
        Source.COLLATERAL: {"D": collateral * CENT},
        Source.OWN_FUND: {"D": fund.get("D", 0)},
        Source.FUND: {code: amount for code, amount in fund.items() if code != "D"},
        Source.CUT: payouts,
    }
    whole = sum(sum(pot.values()) for pot in able.values())
    loss = data.draw(st.integers(0, whole // CENT)) * CENT
    shares = bear(loss, "D", collateral * CENT, fund, payouts, CENT)
    assert sum(share.amount for share in shares) == loss
    borne: dict[Source, dict[str, int]] = {source: {} for source in Source}
    for share in shares:
        assert 0 < share.amount <= able[share.source][share.of]
        assert share.amount % CENT == 0
        borne[share.source][share.of] = share.amount
    order = list(Source)
    for place, source in enumerate(order):
        taken, total = sum(borne[source].values()), sum(able[source].values())
        if taken < total:  # it was enough, so nothing after it is used
            assert not any(borne[later] for later in order[place + 1 :])
        for code, has in able[source].items():  # less than a cent from its exact part
            assert not total or abs(borne[source].get(code, 0) * total - taken * has) < CENT * total
    left = loss
    while left:
        paid = data.draw(st.integers(1, left // CENT)) * CENT
        back, beyond = make_good(paid, borne, CENT)
        assert (sum(share.amount for share in back), beyond) == (paid, 0)
        for share in back:
            assert 0 < share.amount <= borne[share.source][share.of]
            borne[share.source][share.of] -= share.amount
        for place, source in enumerate(order):  # none got something while a later one was not made good
            if any(share.source is source for share in back):
                assert not any(amount for later in order[place + 1 :] for amount in borne[later].values())
        left -= paid
    assert not any(amount for pot in borne.values() for amount in pot.values())
