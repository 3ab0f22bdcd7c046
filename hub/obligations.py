"""Obligations: what each two participants of a window owe one another, netted and rounded by themselves. Pure.

A participant is who settles with the hub: nobody stands above it for the window's money. All that two of them, with
everybody below them, owe one another comes to one amount, which who owes it pays to the other; what third ones owe has
no say in it, so the two can work it out alone. A participant's net is the sum of its obligations, and over all
participants these sum to zero by construction. One currency at a time, in millionths.
"""

from collections.abc import Iterable, Mapping

from hub.netting import round_nets

Pair = tuple[str, str]  # two participants by code, the lower one first


def pair_of(one: str, other: str) -> Pair:
    """The pair of two codes."""
    return (one, other) if one < other else (other, one)


def participants(parents: Mapping[str, str], codes: Iterable[str]) -> dict[str, str]:
    """With whose net each one's goes to be settled; ``parents``: to whom a net goes, without a circle."""
    found: dict[str, str] = {}
    for code in codes:
        top = code
        while (parent := parents.get(top)) is not None:
            top = parent
        found[code] = top
    return found


def net_pairs(owed: Mapping[Pair, int], minor_unit_millionths: int) -> dict[Pair, int]:
    """What each pair's exact balance, credit less debit of the first, comes to in whole minor units; more than zero:
    the second pays the first. Pairs that come to nothing are there with zero.

    Rounds to the nearest minor unit; of two that are as near, to the one that is better for the lower code. That is
    the largest remainder of the two (``hub.netting.round_nets``).

    Raises:
        ValueError: the minor unit is not positive.
    """
    nets = {}
    for (first, second), balance in owed.items():
        nets[first, second] = round_nets({first: balance, second: -balance}, minor_unit_millionths)[first]
    return nets


def nets_of(pairs: Mapping[Pair, int]) -> dict[str, int]:
    """Each participant's net: the sum of what its counterparties pay it, less what it pays them."""
    nets: dict[str, int] = {}
    for (first, second), net in pairs.items():
        nets[first] = nets.get(first, 0) + net
        nets[second] = nets.get(second, 0) - net
    return nets
