"""Nets over a tree, against an oracle in exact fractions that knows nothing of how they are made."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.levels import NoTree, roll_up
from hub.netting import NotBalanced

CENT = 10_000  # millionths


def test_a_parents_net_is_its_own_acts_and_its_childrens_nets() -> None:
    # BANK's own +2.00; its branch EAST -5.00 with the shop E1 +1.00 below it; AIR takes the rest: 5 - 2 - 1 = 2
    found = roll_up(
        {"BANK": 200 * CENT, "EAST": -500 * CENT, "E1": 100 * CENT, "AIR": 200 * CENT},
        {"EAST": "BANK", "E1": "EAST"},
        CENT,
    )
    assert {code: of.net for code, of in found.items()} == {
        "E1": 100 * CENT,
        "EAST": -400 * CENT,  # -5 + 1
        "AIR": 200 * CENT,
        "BANK": -200 * CENT,  # 2 - 4
    }
    assert list(found) == ["E1", "EAST", "AIR", "BANK"]  # from the leaves upward
    bank, east = found["BANK"], found["EAST"]
    assert (bank.own, bank.below_debit, bank.below_credit) == (200 * CENT, 400 * CENT, 0)
    assert (east.own, east.below_debit, east.below_credit, east.parent) == (-500 * CENT, 0, 100 * CENT, "BANK")


def test_a_parent_without_acts_of_its_own_passes_on_what_its_children_bring() -> None:
    found = roll_up({"LEAF": 7 * CENT, "AIR": -7 * CENT}, {"LEAF": "MIDDLE", "MIDDLE": "TOP"}, CENT)
    assert {code: (of.own, of.net) for code, of in found.items()} == {
        "LEAF": (7 * CENT, 7 * CENT),
        "MIDDLE": (0, 7 * CENT),
        "AIR": (-7 * CENT, -7 * CENT),
        "TOP": (0, 7 * CENT),
    }


def test_rounding_adds_up_at_every_level_and_does_not_grow_with_the_number_of_children() -> None:
    # Ten shops with 0.004 each: 0.04 below BANK, and AIR owes it. Each shop by itself would round to nothing.
    shops = {f"S{number}": 4_000 for number in range(10)}
    found = roll_up(shops | {"AIR": -40_000}, dict.fromkeys(shops, "BANK"), CENT)
    assert found["BANK"].net == 4 * CENT
    assert found["AIR"].net == -4 * CENT
    # The four cents go to the lowest codes, because all remainders are equal.
    assert [found[code].net for code in sorted(shops)] == [CENT] * 4 + [0] * 6


def test_without_levels_the_nets_are_the_flat_ones() -> None:
    # floors: A -0.02 (.007), B 0.00 (.006), C 0.00 (.007); two cents are missing: A and C have lost most
    found = roll_up({"A": -13_000, "B": 6_000, "C": 7_000}, {}, CENT)
    assert {code: of.net for code, of in found.items()} == {"A": -CENT, "B": 0, "C": CENT}
    assert all(of.own == of.net and of.depth == 0 and of.parent is None for of in found.values())
    assert roll_up({}, {"A": "B"}, CENT) == {}


def test_a_circle_and_amounts_that_do_not_sum_to_zero_are_refused() -> None:
    with pytest.raises(NoTree):
        roll_up({"A": 0}, {"A": "B", "B": "C", "C": "B"}, CENT)
    with pytest.raises(NoTree):
        roll_up({"A": 0}, {"A": "A"}, CENT)
    with pytest.raises(NotBalanced):
        roll_up({"A": 1}, {"A": "B"}, CENT)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, str], int]:
    """Amounts that sum to zero over a forest of any depth, and a minor unit."""
    size = draw(st.integers(2, 14))
    names = draw(st.permutations([f"N{number:02}" for number in range(size)]))
    parents: dict[str, str] = {}
    for place in range(1, size):
        above = draw(st.integers(-1, place - 1))
        if above >= 0:
            parents[names[place]] = names[above]
    unit = draw(st.sampled_from([1, 3, CENT, 1_000_000]))
    amounts = draw(st.lists(st.integers(-3 * unit, 3 * unit), min_size=size - 1, max_size=size - 1))
    amounts.append(-sum(amounts))
    idle = draw(st.sets(st.sampled_from(names)))
    own = {name: amount for name, amount in zip(names, amounts, strict=True) if amount or name not in idle}
    return own, parents, unit


def exact_below(code: str, own: dict[str, int], parents: dict[str, str]) -> Fraction:
    """What a node and all below it come to."""
    children = [child for child, parent in parents.items() if parent == code]
    return Fraction(own.get(code, 0)) + sum((exact_below(child, own, parents) for child in children), Fraction())


@given(trees())
def test_every_level_adds_up_and_nobody_is_a_unit_away(drawn: tuple[dict[str, int], dict[str, str], int]) -> None:
    own, parents, unit = drawn
    found = roll_up(own, parents, unit)
    assert sum(of.net for code, of in found.items() if code not in parents) == 0
    assert sum(of.own for of in found.values()) == 0
    for code, of in found.items():
        children = [child for child in found if parents.get(child) == code]
        assert of.net == of.own + sum(found[child].net for child in children)
        assert of.below_credit - of.below_debit == sum(found[child].net for child in children)
        assert of.net % unit == 0
        assert of.own % unit == 0
        assert abs(of.net - exact_below(code, own, parents)) < unit
        assert abs(of.own - own.get(code, 0)) < unit
        if exact_below(code, own, parents) % unit == 0:
            assert of.net == exact_below(code, own, parents)
    seen: set[str] = set()
    for code in found:  # children before their parents
        assert parents.get(code) not in seen
        seen.add(code)
    assert seen == set(own) | {above for code in own for above in chain(code, parents)}


def chain(code: str, parents: dict[str, str]) -> list[str]:
    """All above a node."""
    above = parents.get(code)
    return [] if above is None else [above, *chain(above, parents)]


@given(trees(), st.randoms(use_true_random=False))
def test_the_order_in_which_amounts_and_parents_come_does_not_matter(
    drawn: tuple[dict[str, int], dict[str, str], int], random: Random
) -> None:
    own, parents, unit = drawn
    mixed, turned = list(own.items()), list(parents.items())
    random.shuffle(mixed)
    random.shuffle(turned)
    assert list(roll_up(dict(mixed), dict(turned), unit).items()) == list(roll_up(own, parents, unit).items())


@given(trees())
def test_what_the_top_settles_does_not_depend_on_how_it_is_built_below(
    drawn: tuple[dict[str, int], dict[str, str], int],
) -> None:
    own, parents, unit = drawn
    tops: dict[str, int] = {}
    for code, amount in own.items():
        top = [code, *chain(code, parents)][-1]
        tops[top] = tops.get(top, 0) + amount
    flat = roll_up(tops, {}, unit)
    assert {code: of.net for code, of in roll_up(own, parents, unit).items() if code not in parents} == {
        code: of.net for code, of in flat.items()
    }
