"""Debts that count gross: what legal entities that forbid set-off owe, kept apart on the way up. Pure.

Who settles with the hub by itself below a member, because it or its parent forbids set-off, owes by itself: above it,
its debt counts whatever others there are owed. So each node above keeps two more counters than its subtree's sum: what
those below it that settle by themselves come to, and what of it they owe. Both change with each amount, so nothing
below a capped node is ever added up again.
"""

from collections.abc import Sequence

from hub.configuration import Configuration
from hub.institutions import pays_through


def settles_apart(configuration: Configuration, path: Sequence[int], window: int) -> int | None:
    """Whose net an institution's becomes a part of, by its place in the institution's path for the money of the
    window of ordinal ``window``; None: a member's or the operator's, above which nothing is kept apart."""
    nodes = configuration.institutions
    for place, node in enumerate(path[:-2]):
        if pays_through(nodes, node, window) is None:
            return place
    return None


def owed_by(balance: int) -> int:
    """What a balance owes."""
    return max(0, -balance)
