"""Arbitrage: whether points could multiply around a cycle of approved rates.

Around any cycle, at any instant from now on, the product of the best yields must not exceed 1, in exact
fractions. Fees, minimums, steps and rounding are left out: they only take. Yields are constant between the instants at
which a version or a bonus starts or ends, so one look at the beginning of each such interval is a look at all of time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from hub.rates import Rate
from hub.versions import in_force

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle of currencies, the first one repeated at the end, with the product of its yields, which exceeds 1."""

    currencies: tuple[int, ...]
    product: Fraction
    at: datetime


def gaining_cycle(
    approved: Mapping[Pair, tuple[Rate, ...]], pair: Pair, scales: Mapping[int, int], now: datetime
) -> Cycle | None:
    """A gaining cycle through ``pair`` at any instant from ``now``, or None.

    ``approved`` must be free of gaining cycles that do not use ``pair``: then the best way back from the pair's target
    to its source is a simple path, and only the cycles that it closes can be new.
    """
    for at in _instants(approved, now):
        edges: dict[int, dict[int, Fraction]] = {}
        for (source, target), versions in approved.items():
            rate = in_force(versions, at)
            if rate is not None:
                edges.setdefault(source, {})[target] = rate.yield_at(at, scales[source], scales[target])
        first = edges.get(pair[0], {}).get(pair[1])
        if first is None:
            continue
        best, path = _best_path(edges, pair[1], pair[0])
        if best is not None and first * best > 1:
            return Cycle((pair[0], *path), first * best, at)
    return None


def _instants(approved: Mapping[Pair, tuple[Rate, ...]], now: datetime) -> list[datetime]:
    """``now`` and every later instant at which a yield may change."""
    return sorted({now, *(instant for instant in _changes(approved.values()) if instant > now)})


def _changes(versions_by_pair: Iterable[tuple[Rate, ...]]) -> Iterable[datetime]:
    for versions in versions_by_pair:
        for rate in versions:
            ends = [rate.starts, rate.ends]
            for bonus in rate.bonuses:
                ends += [bonus.starts, bonus.ends]
            yield from (instant for instant in ends if instant is not None)


def _best_path(
    edges: Mapping[int, Mapping[int, Fraction]], start: int, goal: int
) -> tuple[Fraction | None, tuple[int, ...]]:
    """The path from ``start`` to ``goal`` with the greatest product, by relaxation (Bellman 1958) over a queue.

    ``goal`` is never left, so that the cycles through the pair itself are not walked; the rest has no gaining cycle,
    so that relaxation ends.
    """
    best: dict[int, Fraction] = {start: Fraction(1)}
    came: dict[int, int] = {}
    queue = [start]
    while queue:
        following: list[int] = []
        for node in queue:
            if node == goal:
                continue
            for target, gain in edges.get(node, {}).items():
                product = best[node] * gain
                if target != start and (target not in best or product > best[target]):
                    best[target], came[target] = product, node
                    following.append(target)
        queue = list(dict.fromkeys(following))
    if goal not in best:
        return None, ()
    path = [goal]
    while path[-1] != start:
        path.append(came[path[-1]])
    return best[goal], tuple(reversed(path))
