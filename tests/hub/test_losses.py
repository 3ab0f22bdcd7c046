"""Losses: cycles in which an issuer pays more for points than it was paid to take them on. Pure."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from hub.currencies import Expiry, ExpiryKind, PointCurrency, RateConsent
from hub.losses import Edge, Losing, edges_at, losing_cycles
from hub.rates import Funding
from tests.hub.test_rates import NOW, bonus, rate

ONE = 10**12


def currency(id: int, issuer: int, unit_value: int = ONE, money: str = "CNY") -> PointCurrency:
    """A currency of which a point is worth 1.00."""
    expiry = Expiry(ExpiryKind.NEVER, None)
    return PointCurrency(
        id, f"C{id}", "", issuer, 0, unit_value, money, expiry, True, False, RateConsent.OPERATOR, "hosted"
    )


def edge(gain: str, paid: str, money: str = "CNY") -> Edge:
    return Edge(Fraction(gain), Fraction(paid), money)


CURRENCIES = {id: currency(id, issuer=10 * id) for id in (1, 2, 3)}


def test_who_takes_points_on_for_less_than_it_pays_to_be_rid_of_them_loses() -> None:
    # 1 → 2: issuer 10 pays 0.80 for the point that 20 takes on; 2 → 1: 20 pays 1.00. No points multiply.
    edges = {1: {2: edge("1", "0.8")}, 2: {1: edge("1", "1")}}
    [found] = losing_cycles(edges, CURRENCIES).cycles
    assert found == Losing((2, 1, 2), issuer=20, loss=Fraction("0.2"), money="CNY")
    fair = {1: {2: edge("1", "1")}, 2: {1: edge("1", "1")}}
    assert losing_cycles(fair, CURRENCIES).cycles == ()


def test_points_that_are_lost_on_the_way_are_worth_their_unit_value_to_the_first_issuer() -> None:
    # 1 → 2 halves the points; 10 pays 0.50 for the half and gets 0.50 back with it, of what was worth 1.00: it gains.
    edges = {1: {2: edge("1/2", "0.5")}, 2: {1: edge("1", "1")}}
    assert losing_cycles(edges, CURRENCIES).cycles == ()
    dear = {
        1: {2: edge("1/2", "1.25")},
        2: {1: edge("1", "2.5")},
    }  # 20 pays 2.50 for 1.25 and half a point
    assert [one.issuer for one in losing_cycles(dear, CURRENCIES).cycles] == [20]


def test_what_is_in_two_moneys_cannot_be_compared_and_one_s_own_points_cost_nothing() -> None:
    two = {1: {2: edge("1", "0.8", "USD")}, 2: {1: edge("1", "1")}}
    assert losing_cycles(two, CURRENCIES).cycles == ()  # each is down in one money and up in the other
    own = {**CURRENCIES, 2: currency(2, issuer=10)}
    assert losing_cycles({1: {2: edge("1", "0.8")}, 2: {1: edge("1", "1")}}, own).cycles == ()


def test_rates_in_force_give_the_edges_and_a_bonus_of_the_target_s_is_not_paid_for() -> None:
    given = bonus(10, funded_by=Funding.TARGET_ISSUER)
    paid = bonus(20)
    one = replace(rate("1:2", given, paid, price=ONE // 2), target=2)
    found = edges_at({(1, 2): (one,)}, CURRENCIES, NOW)
    # 0.5 and 30 % of it are 0.65, of which 0.60 are paid for at 0.50
    assert found == {1: {2: Edge(Fraction("0.65"), Fraction("0.3"), "CNY")}}
    assert edges_at({(1, 2): (one,)}, CURRENCIES, datetime(2000, 1, 1, tzinfo=UTC)) == {}


def test_a_search_that_is_cut_off_says_so_and_a_pair_names_its_own_cycles_alone() -> None:
    loses, fair = edge("1", "0.5"), edge("1", "1")
    edges = {1: {2: loses, 3: fair}, 2: {1: fair, 3: fair}, 3: {1: fair, 2: fair}}
    assert {one.currencies[:-1] for one in losing_cycles(edges, CURRENCIES, through=(3, 1)).cycles} == {(3, 1, 2)}
    assert not losing_cycles(edges, CURRENCIES, steps_max=3).is_whole
    assert losing_cycles(edges, CURRENCIES, through=(2, 9)).cycles == ()


parts = st.fractions(Fraction(1, 4), Fraction(2), max_denominator=4)
graphs = st.dictionaries(
    st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda pair: pair[0] != pair[1]),
    st.builds(Edge, parts, parts, st.sampled_from(["CNY", "CNY", "USD"])),
    max_size=12,
)


@given(
    graphs, st.lists(st.integers(10, 12), min_size=5, max_size=5), st.lists(st.integers(0, 4), min_size=5, max_size=5)
)
def test_every_losing_cycle_is_found_and_no_other(
    pairs: dict[tuple[int, int], Edge], issuers: list[int], values: list[int]
) -> None:
    """Against going around every ordering of currencies with plain sums."""
    of = {id: currency(id, issuers[id - 1], values[id - 1] * ONE // 2) for id in range(1, 6)}
    edges: dict[int, dict[int, Edge]] = {}
    for (source, target), one in pairs.items():
        edges.setdefault(source, {})[target] = one
    due = set()
    for size in range(2, 6):
        for turn in permutations(range(1, 6), size):
            steps = list(zip(turn, (*turn[1:], turn[0]), strict=True))
            if all(step in pairs for step in steps) and any_loses(turn, steps, pairs, of):
                due.add(frozenset(steps))
    found = losing_cycles(edges, of)
    named = [frozenset(pairwise(one.currencies)) for one in found.cycles]
    assert found.is_whole
    assert (set(named), len(named)) == (due, len(due))
    for cycle in named:
        for pair in cycle:
            assert cycle in {frozenset(pairwise(one.currencies)) for one in losing_cycles(edges, of, pair).cycles}


def any_loses(
    turn: tuple[int, ...],
    steps: list[tuple[int, int]],
    pairs: dict[tuple[int, int], Edge],
    of: dict[int, PointCurrency],
) -> bool:
    """Whether somebody is down in a money and up in none when a point of the first goes around."""
    moneys: dict[int, dict[str, Fraction]] = {}
    points = Fraction(1)
    for source, target in steps:
        one = pairs[source, target]
        for who, sign in ((of[source].issuer, -1), (of[target].issuer, 1)):
            mine = moneys.setdefault(who, {})
            mine[one.money] = mine.get(one.money, Fraction(0)) + sign * points * one.paid
        points *= one.gain
    first = moneys[of[turn[0]].issuer]
    first["CNY"] = first.get("CNY", Fraction(0)) + (1 - points) * Fraction(of[turn[0]].unit_value, ONE)
    return any(min(mine.values()) < 0 and max(mine.values()) <= 0 for mine in moneys.values())
