"""Losses: cycles of rates in which an issuer loses money each time somebody goes around, though no points multiply.

Somebody converts one point of the first currency of a cycle, and what it becomes, until it is the first one again. At
each step the issuer of what is given pays the settlement price of what is credited, and the issuer of that is paid. Who
takes points on for less than it pays to be rid of them loses; the first issuer has the points back that were lost on
the way, and they count at their unit value. Fees are left out: they are the operator's, whoever converts. Bonuses count
at their best, as they do for ``hub.arbitrage``. All figures are exact.

Simple cycles are more than can be counted where everybody exchanges with everybody, so the search ends after so many
steps and says so; shorter cycles come first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.points import PERCENT_SCALE, PRICE_SCALE
from hub.rates import Funding, Rate
from hub.versions import VersionStatus, in_force

Pair = tuple[int, int]
STEPS_MAX = 10_000  # some tenths of a second


@dataclass(frozen=True, slots=True)
class Edge:
    """A rate of the moment: whole target points credited for one source point, and what the source's issuer pays to the
    target's for one source point, in ``money``."""

    gain: Fraction
    paid: Fraction
    money: str


@dataclass(frozen=True, slots=True)
class Losing:
    """A cycle of currencies, the first one repeated at the end, of which one point of the first makes ``issuer`` lose
    ``loss`` of ``money``."""

    currencies: tuple[int, ...]
    issuer: int
    loss: Fraction
    money: str


@dataclass(frozen=True, slots=True)
class Found:
    """The losing cycles, shorter ones first; ``is_whole``: whether there was time to look at all cycles."""

    cycles: tuple[Losing, ...]
    is_whole: bool


def edges_at(
    approved: Mapping[Pair, Iterable[Rate]], currencies: Mapping[int, PointCurrency], at: datetime
) -> dict[int, dict[int, Edge]]:
    """What every rate in force at ``at`` makes of one source point, by source and target."""
    found: dict[int, dict[int, Edge]] = {}
    for (source, target), versions in approved.items():
        rate = in_force(versions, at)
        if rate is not None:
            found.setdefault(source, {})[target] = _edge(rate, currencies[source].scale, currencies[target].scale, at)
    return found


def _edge(rate: Rate, source_scale: int, target_scale: int, at: datetime) -> Edge:
    unpaid = Fraction(0)  # what the target's issuer gives without being paid for it
    base = Fraction(rate.numerator, rate.denominator)
    for bonus in rate.bonuses:
        if bonus.funded_by is not Funding.TARGET_ISSUER or not bonus.is_live(at):
            continue
        if bonus.percent is not None:
            unpaid += base * Fraction(bonus.percent, 100 * 10**PERCENT_SCALE)
        if bonus.per_block is not None and bonus.block is not None:
            unpaid += Fraction(bonus.per_block * 10**source_scale, bonus.block * 10**target_scale)
    gain = rate.yield_at(at, source_scale, target_scale)
    return Edge(gain, (gain - unpaid) * Fraction(rate.price, 10**PRICE_SCALE), rate.money)


def losing_cycles(
    edges: Mapping[int, Mapping[int, Edge]],
    currencies: Mapping[int, PointCurrency],
    through: Pair | None = None,
    steps_max: int = STEPS_MAX,
) -> Found:
    """Every simple cycle of at most ``steps_max`` steps of search in which an issuer loses, each named once, by the
    start from which the loss of one point is the greatest share of what that issuer pays; with ``through`` only those
    that use this pair. ``currencies`` are to have the unit values of the moment.

    An issuer loses if it is down in one money and up in none, because what is not in one money cannot be compared.
    """
    cycles, is_whole = _cycles(edges, through, steps_max)
    found = []
    for cycle in cycles:
        turns = (cycle[place:] + cycle[:place] for place in range(len(cycle)))
        losses = [loss for turn in turns for loss in _losses(edges, currencies, turn)]
        if losses:
            found.append(max(losses, key=lambda loss: (loss[1], loss[0].currencies))[0])
    return Found(tuple(found), is_whole)


def _losses(
    edges: Mapping[int, Mapping[int, Edge]], currencies: Mapping[int, PointCurrency], turn: tuple[int, ...]
) -> Iterator[tuple[Losing, Fraction]]:
    """What issuers lose if one point of the first currency goes around, with the share of it in what they pay."""
    around = (*turn, turn[0])
    gained: dict[tuple[int, str], Fraction] = {}
    spent: dict[tuple[int, str], Fraction] = {}
    points = Fraction(1)
    for source, target in pairwise(around):
        edge = edges[source][target]
        payer, payee = currencies[source].issuer, currencies[target].issuer
        paid = points * edge.paid
        points *= edge.gain
        if payer != payee:
            gained[payer, edge.money] = gained.get((payer, edge.money), Fraction(0)) - paid
            gained[payee, edge.money] = gained.get((payee, edge.money), Fraction(0)) + paid
            spent[payer, edge.money] = spent.get((payer, edge.money), Fraction(0)) + paid
    first = currencies[turn[0]]
    retired = (1 - points) * Fraction(first.unit_value, 10**PRICE_SCALE)
    gained[first.issuer, first.money] = gained.get((first.issuer, first.money), Fraction(0)) + retired
    for (issuer, money), amount in gained.items():
        if amount < 0 and all(other <= 0 for (who, _), other in gained.items() if who == issuer):
            yield Losing(around, issuer, -amount, money), -amount / (spent.get((issuer, money)) or Fraction(1))


def _cycles(
    edges: Mapping[int, Mapping[int, Edge]], through: Pair | None, steps_max: int
) -> tuple[list[tuple[int, ...]], bool]:
    """Simple cycles, shorter ones first, each from its least currency on or from the pair; and whether they are all."""
    found: list[tuple[int, ...]] = []
    steps = 0
    level: list[tuple[int, ...]] = [(start,) for start in sorted(edges)] if through is None else []
    if through is not None and through[1] in edges.get(through[0], {}):
        level = [through]
    while level:
        following: list[tuple[int, ...]] = []
        for path in level:
            for target in sorted(edges.get(path[-1], ())):
                steps += 1
                if steps > steps_max:
                    return found, False
                if target == path[0]:
                    found.append(path)
                elif target not in path and (through is not None or target > path[0]):
                    following.append((*path, target))
        level = following
    return found, True


def losing_at(configuration: Configuration, at: datetime) -> Found:
    """The losing cycles of the rates that are in force at ``at``."""
    currencies = _valued(configuration, at)
    return losing_cycles(edges_at(configuration.approved, currencies, at), currencies)


def losing_with(configuration: Configuration, rate: Rate, now: datetime) -> Found:
    """The losing cycles through a rate's pair, as all stands when the rate is in force, approved or not."""
    at = now if rate.starts is None else max(now, rate.starts)
    approved = replace(rate, status=VersionStatus.APPROVED, starts=at, ends=None)
    pair = (rate.source, rate.target)
    currencies = _valued(configuration, at)
    edges = edges_at({**configuration.approved, pair: (approved,)}, currencies, at)
    return losing_cycles(edges, currencies, pair)


def _valued(configuration: Configuration, at: datetime) -> dict[int, PointCurrency]:
    return {id: configuration.valued(of, at) for id, of in configuration.currencies.items()}
