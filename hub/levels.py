"""Levels: the nets of a window over the tree, from the leaves upward. Pure.

Everybody's own acts come to an exact amount. What a node and all below it come to goes to its parent as one net; who
has no parent here settles with the hub. Rounding is done from the top down, so that it adds up at every level: first
the amounts that settle with the hub, to zero; then each net into the node's own acts and its children's nets. So a
node's net is its own acts' plus its children's nets to the minor unit, every figure is less than one minor unit from
its exact value however deep the tree, and only what is a node's own is ever rounded. One currency at a time; nothing is
posted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.netting import round_nets, round_parts


class NoTree(ValueError):
    """The parents make a circle."""

    code = "NO_TREE"


@dataclass(frozen=True, slots=True)
class LevelNet:
    """A node's figures in millionths: ``own`` acts, exact and rounded; what its children bring, apart by sign; and the
    ``net`` of all that, in whole minor units."""

    parent: str | None
    depth: int  # how many stand above it
    own_exact: int
    own: int
    below_debit: int
    below_credit: int
    net: int


def roll_up(
    own: Mapping[str, int],
    parents: Mapping[str, str],
    minor_unit_millionths: int,
    settled: Mapping[str, int] | None = None,
) -> dict[str, LevelNet]:
    """The net of every node with own acts, and of all above these, by code; children stand before their parents, and
    nodes of one depth in the order of their codes.

    ``own``: each node's exact credits less debits in millionths; they sum to zero. ``parents``: to whom a node's net
    goes; a node without one settles with the hub. Ties are the lower code's; a node's own acts stand under its code.
    ``settled``: the nets of those without a parent, where each two of them have netted by themselves
    (``hub.obligations``); who is missing has none. Each was rounded with each of its counterparties, so it may be more
    than a minor unit from its exact value; what is beyond stands with its own acts, and no child bears it.

    Raises:
        NotBalanced: the amounts do not sum to zero.
        NoTree: the parents make a circle.
        ValueError: the minor unit is not positive.
    """
    depths = _depths(own, parents)
    exact = {code: own.get(code, 0) for code in depths}
    children: dict[str, list[str]] = {}
    upward = sorted(depths, key=lambda code: (-depths[code], code))
    for code in upward:
        parent = parents.get(code)
        if parent is not None:
            exact[parent] += exact[code]
            children.setdefault(parent, []).append(code)
    tops = {code: exact[code] for code in upward if code not in parents}
    nets = round_nets(tops, minor_unit_millionths) if settled is None else {code: settled.get(code, 0) for code in tops}
    owned: dict[str, int] = {}
    for code in reversed(upward):
        below = children.get(code, ())
        parts = {child: exact[child] for child in below} | {code: own.get(code, 0)}
        given = settled is not None and code in tops
        total = exact[code] - exact[code] % minor_unit_millionths if given else nets[code]
        shares = round_parts(parts, minor_unit_millionths, total)
        owned[code] = shares[code] + nets[code] - total
        nets.update((child, shares[child]) for child in below)
    return {
        code: LevelNet(
            parent=parents.get(code),
            depth=depths[code],
            own_exact=own.get(code, 0),
            own=owned[code],
            below_debit=sum(max(0, -nets[child]) for child in children.get(code, ())),
            below_credit=sum(max(0, nets[child]) for child in children.get(code, ())),
            net=nets[code],
        )
        for code in upward
    }


def _depths(own: Mapping[str, int], parents: Mapping[str, str]) -> dict[str, int]:
    """The nodes with own acts and all above them, and how many stand above each."""
    depths: dict[str, int] = {}
    for start in own:
        path, node = [], start
        while node not in depths:
            path.append(node)
            if len(path) > len(parents) + 1:
                raise NoTree
            above = parents.get(node)
            if above is None:
                depths[node] = 0
                path.pop()
                break
            node = above
        depth = depths[node]
        for below in reversed(path):
            depth += 1
            depths[below] = depth
    return depths
