"""What a bill comes to, by figures that are worked out beside it and by properties."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.bills import FeeSchedule, Item, Month, Totals, Usage, credited, lines_of, month_of, months_over, totals_of

CENT = 10_000  # millionths
PICO = 10**12


def schedule(**changes: Any) -> FeeSchedule:
    prices = {"membership": 500_000_000, "per_movement": PICO // 50, "per_point": PICO // 1_000}  # 500.00, 0.02, 0.001
    terms = {"vat": 6_000_000, "gross": False}
    return FeeSchedule(
        **{"id": 1, "starts": None, "ends": None, "institution": 2, "money": "CNY", **prices, **terms, **changes}
    )


USED = [Usage(2, "BP", 100, 12_345), Usage(3, "BP", 23, 55), Usage(2, "MILE", 7, 1_000)]


def test_an_invoice_has_a_line_for_the_membership_the_movements_and_each_currencys_points() -> None:
    lines = lines_of(schedule(), USED, {"BP": 0, "MILE": 1}, CENT)
    assert [(line.item, line.currency, line.quantity, line.amount) for line in lines] == [
        (Item.MEMBERSHIP, None, 1, 500_000_000),
        (Item.MOVEMENTS, None, 130, 2_600_000),  # 130 × 0.02
        (Item.POINTS, "BP", 12_400, 12_400_000),  # 12,400 × 0.001
        (Item.POINTS, "MILE", 1_000, 100_000),  # 100.0 points × 0.001 = 0.10
    ]
    # 515.10 net; 6 % are 30.906, half up 30.91
    assert totals_of(lines, 6_000_000, CENT, gross=False) == Totals(515_100_000, 30_910_000, 546_010_000)
    # gross: 515.10 × 6 / 106 = 29.1566.., half up 29.16
    assert totals_of(lines, 6_000_000, CENT, gross=True) == Totals(485_940_000, 29_160_000, 515_100_000)


def test_each_line_is_rounded_half_up_to_the_cent() -> None:
    lines = lines_of(schedule(membership=0, per_movement=0), [Usage(2, "BP", 1, 5)], {"BP": 0}, CENT)
    assert [line.amount for line in lines] == [10_000]  # 5 × 0.001 = 0.005
    assert lines_of(schedule(membership=0, per_movement=0), [Usage(2, "BP", 1, 4)], {"BP": 0}, CENT) == ()


def test_a_credit_in_parts_gives_back_all_of_the_vat_at_the_end() -> None:
    invoice = Totals(1_000_000, 60_000, 1_060_000)
    # 0.35 of 1.06: 6 cents × 35 / 106 = 1.98, down to 1 cent; then the rest of both
    assert credited(invoice, 0, 350_000, CENT) == Totals(340_000, 10_000, 350_000)
    assert credited(invoice, 350_000, 1_060_000, CENT) == Totals(660_000, 50_000, 710_000)


@given(
    st.integers(0, 10**9), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 100 * 10**6), st.booleans(),
    st.integers(0, 10**6), st.integers(0, 10**9), st.lists(st.integers(0, 10**7), max_size=4),
)  # fmt: skip
def test_net_and_vat_are_the_gross_amount_in_whole_cents_and_credits_never_exceed_them(
    membership: int, per_movement: int, per_point: int, vat: int, gross: bool, acts: int, units: int, parts: list[int]
) -> None:
    of = schedule(membership=membership, per_movement=per_movement, per_point=per_point)
    lines = lines_of(of, [Usage(2, "BP", acts, units)], {"BP": 2}, CENT)
    made = totals_of(lines, vat, CENT, gross=gross)
    assert made.net + made.vat == made.gross
    assert all(amount % CENT == 0 and amount >= 0 for amount in (made.net, made.vat, made.gross))
    assert (made.gross if gross else made.net) == sum(line.amount for line in lines)
    if not made.gross:
        return
    ways = sorted({part * CENT for part in parts if part * CENT < made.gross} | {0, made.gross})
    notes = [credited(made, before, after, CENT) for before, after in pairwise(ways)]
    assert sum(note.vat for note in notes) == made.vat
    assert sum(note.net for note in notes) == made.net
    assert all(note.net + note.vat == note.gross and note.vat >= 0 for note in notes)


def test_months_begin_and_end_in_a_time_zone() -> None:
    month = Month.parse("2026-12")
    assert (str(month), str(month.next)) == ("2026-12", "2027-01")
    assert month.starts("Asia/Shanghai") == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert month.ends("UTC") == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_of(datetime(2026, 11, 30, 16, tzinfo=UTC), "Asia/Shanghai") == month
    over = months_over(Month(2026, 9), datetime(2026, 12, 1, tzinfo=UTC), "UTC")
    assert [str(one) for one in over] == ["2026-10", "2026-11"]
    assert list(months_over(Month(2026, 11), datetime(2026, 12, 31, tzinfo=UTC), "UTC")) == []


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-01", "2026/01", "2026-001", "", "9999-12", "0001-01"])
def test_what_is_no_month_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|match|data|calendar"):
        Month.parse(text)
