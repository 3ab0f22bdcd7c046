"""Shares: approved plans by which the fee of an act is split over levels and third parties. Pure.

A plan is a family of versions that say the same of what they are for (``Scope``); a version is never edited, and which
one is in force is computed. Of several plans that fit an act the most specific one counts. Nothing is lost or made: the
shares of a fee sum to it, whatever the weights. What this file does not do: ask who may propose or approve
(``hub.registry.shares``), or post (``hub.ledger.fees``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.institutions import Institution
from hub.netting import split
from hub.versions import Version, in_force
from hub.zones import counted_in

WEIGHTS: Final = 1_000_000  # what the weights of a plan sum to


class Act(StrEnum):
    """The acts that have fees."""

    CONVERSION = "CONVERSION"
    REDEMPTION = "REDEMPTION"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan is for; None: whatever it is. Point currencies and the institution are ids; the institution stands
    for its subtree. ``money``: what the fee is in."""

    act: Act | None = None
    source: int | None = None
    target: int | None = None
    institution: int | None = None
    zone: str | None = None
    money: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a fee. It goes to a ``level`` of the acting institution's path (0 is the operator, 1 its member, and
    so on downward), or to the ``institution`` that is named; it is ``fixed`` millionths, or has a ``weight``."""

    level: int | None
    institution: int | None
    weight: int | None
    fixed: int | None


class Step(StrEnum):
    """Whose word a proposed plan still needs."""

    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePlan(Version):
    """One version of the plan for a scope. Its weights, if it has any, sum to ``WEIGHTS``; fixed amounts are in the
    scope's money."""

    scope: Scope
    shares: tuple[Share, ...]
    awaiting: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What a share comes to: ``place`` of the plan's shares, from 0."""

    place: int
    payee: int
    amount: int


@dataclass(frozen=True, slots=True)
class Acting:
    """An act with a fee, as plans see it: ``path``, the acting institution and all above it, up to the operator, as
    they stand for the default's open window; ``zone``, in which it is counted at the act."""

    act: Act
    source: int
    target: int | None
    money: str
    path: tuple[int, ...]
    zone: str | None


def acting(
    act: Act,
    source: int,
    target: int | None,
    money: str,
    path: Sequence[int],
    institutions: Mapping[int, Institution],
    at: datetime,
) -> Acting:
    """An act of the institution with which ``path`` begins, at an instant."""
    return Acting(act, source, target, money, tuple(path), counted_in(institutions[path[0]], at))


def fits(scope: Scope, of: Acting) -> bool:
    """Whether a plan is for an act."""
    return (
        scope.act in (None, of.act)
        and scope.source in (None, of.source)
        and scope.target in (None, of.target)
        and (scope.institution is None or scope.institution in of.path)
        and scope.zone in (None, of.zone)
        and scope.money in (None, of.money)
    )


def rank(scope: Scope, of: Acting) -> tuple[int, ...]:
    """How specific a plan is that fits an act; the greater is the more specific one, and no two plans that fit are
    equal. What is said first decides: the institution (the deeper the more), the zone, the pair (both of its
    currencies, the target alone, the source alone), the act, the money."""
    depth = 0 if scope.institution is None else len(of.path) - of.path.index(scope.institution)
    pair = (scope.source is not None) + 2 * (scope.target is not None)
    return depth, scope.zone is not None, pair, scope.act is not None, scope.money is not None


def plan_for(approved: Mapping[Scope, Iterable[SharePlan]], of: Acting, at: datetime) -> SharePlan | None:
    """The plan by which an act's fee is split at ``at``: of the versions in force of all plans that are for it, the one
    of the most specific plan. None: there is none."""
    fitting = [in_force(versions, at) for scope, versions in approved.items() if fits(scope, of)]
    found = [plan for plan in fitting if plan is not None]
    return max(found, key=lambda plan: rank(plan.scope, of)) if found else None


def divide(fee: int, shares: Sequence[Share], minor_unit: int) -> list[int]:
    """What each share of a plan comes to, in their order; all in millionths, ``minor_unit`` too.

    Fixed amounts come first, in their order, each as far as the fee goes. What is left is split by the weights: its
    whole minor units by largest remainder, ties to the lower position, and what is below the minor unit by itself, in
    millionths, by the same rule. Without weights what is left is nobody's here, see ``parts``.
    """
    amounts = [0] * len(shares)
    left = fee
    for place, share in enumerate(shares):
        if share.fixed is not None:
            amounts[place] = min(left, share.fixed)
            left -= amounts[place]
    weights = [share.weight or 0 for share in shares]
    if left and any(weights):
        units, below = divmod(left, minor_unit)
        for place, (whole, rest) in enumerate(zip(split(units, weights), split(below, weights), strict=True)):
            amounts[place] += whole * minor_unit + rest
    return amounts


def parts(fee: int, shares: Sequence[Share], path: Sequence[int], minor_unit: int) -> list[Part]:
    """The parts of a fee that come to something, in the order of the plan's shares; they sum to the fee.

    ``path`` is the acting institution's, up to the operator. A level that it does not reach is the acting institution
    itself. What no share takes, because a plan has fixed amounts alone, is the operator's, in a place after all others.
    """
    amounts = divide(fee, shares, minor_unit)
    found = [
        Part(place, _payee(share, path), amount)
        for place, (share, amount) in enumerate(zip(shares, amounts, strict=True))
        if amount
    ]
    if rest := fee - sum(amounts):
        found.append(Part(len(shares), path[-1], rest))
    return found


def _payee(share: Share, path: Sequence[int]) -> int:
    if share.institution is not None:
        return share.institution
    return path[max(0, len(path) - 1 - (share.level or 0))]


def third_parties(plans: Iterable[SharePlan]) -> set[int]:
    """The institutions that plans name as such."""
    return {share.institution for plan in plans for share in plan.shares if share.institution is not None}
