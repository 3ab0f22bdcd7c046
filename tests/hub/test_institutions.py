"""The tree of institutions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.institutions import Institution, Kind, Placement, Status, ancestry, is_below, settlement_path, status_of


def node(number: int, parent: int | None, status: Status = Status.ACTIVE) -> Institution:
    placements = () if parent is None else (Placement(1, parent),)
    return Institution(number, f"I{number}", f"I{number}", Kind.OTHER, status, parent, placements, (), True)


# 1 the operator; 2 an alliance with the bank 3, its branch 4; 5 a telecom
TREE = {one.id: one for one in (node(1, None), node(2, 1), node(3, 2), node(4, 3), node(5, 1))}


def test_an_institution_stands_below_itself_and_all_above_it() -> None:
    assert [one.id for one in ancestry(TREE, 4)] == [4, 3, 2, 1]
    assert all(is_below(TREE, 4, top) for top in (4, 3, 2, 1))
    assert not is_below(TREE, 4, 5)
    assert not is_below(TREE, 3, 4)


def test_the_worst_status_above_counts() -> None:
    assert status_of(TREE, 4) is Status.ACTIVE
    closed = TREE | {2: replace(TREE[2], status=Status.CLOSED)}
    assert status_of(closed, 4) is Status.CLOSED
    assert status_of(closed, 5) is Status.ACTIVE
    both = closed | {4: replace(TREE[4], status=Status.SUSPENDED)}
    assert status_of(both, 4) is Status.SUSPENDED
    assert status_of(both, 3) is Status.CLOSED


def test_a_move_changes_the_path_of_money_from_its_window_on() -> None:
    moved = TREE | {4: replace(TREE[4], parent=5, placements=(Placement(1, 3), Placement(7, 5)))}
    assert settlement_path(moved, 4, 6) == [4, 3, 2, 1]
    assert settlement_path(moved, 4, 7) == [4, 5, 1]
    assert settlement_path(moved, 4, 99) == [4, 5, 1]
    assert settlement_path(moved, 1, 7) == [1]


@pytest.mark.parametrize("window", [1, 2, 5, 9])
@given(st.data())
def test_every_window_has_one_path_from_each_node_to_the_operator(window: int, data: st.DataObject) -> None:
    # Nodes are numbered so that parents come first: whatever moves happen, each window's tree is one.
    count = data.draw(st.integers(2, 8))
    nodes = {1: node(1, None)}
    for number in range(2, count + 1):
        starts = sorted({1, *data.draw(st.lists(st.integers(2, 9), max_size=3))})
        places = tuple(Placement(start, data.draw(st.integers(1, number - 1))) for start in starts)
        nodes[number] = replace(node(number, places[-1].parent), placements=places)
    for number in nodes:
        path = settlement_path(nodes, number, window)
        assert (path[0], path[-1]) == (number, 1)
        assert len(set(path)) == len(path)
