"""Terms: what versions have in common that set the price of a currency's points with one institution.

A currency's issuer and the institution agree to them, and another person than the proposer approves them for the
operator. What each kind does with its price is in its own file: ``hub.acceptance_terms``, ``hub.grant_terms`` and
``hub.unit_values``; how one comes into force is in ``hub.registry.terms``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, TypeVar

from hub import ids
from hub.institutions import Institution, ancestry
from hub.versions import Version, in_force, with_version


class Step(StrEnum):
    """Whose word proposed terms still need."""

    ISSUER = "ISSUER"
    MERCHANT = "MERCHANT"
    GRANTOR = "GRANTOR"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Version):
    """``currency`` is a point currency's id, ``node`` that of the institution which the terms are agreed with: the
    merchant, who grants, or for a unit value the issuer itself. ``price`` in 10^-12 of ``money`` per whole point."""

    currency: int
    node: int
    money: str
    price: int
    awaiting: tuple[Step, ...] = ()

    prefix: ClassVar[str]  # of its identifiers

    @property
    def name(self) -> str:
        """How it is named outside."""
        return ids.text(self.prefix, self.id)

    @property
    def party(self) -> Step | None:
        """Whose consent is needed besides the issuer's; None: nobody's."""
        return None


T = TypeVar("T", bound=Terms)
ByNode = Mapping[int, tuple[T, ...]]  # one currency's approved versions, by the institution they are agreed with


def with_terms(by_node: ByNode[T], one: T) -> dict[int, tuple[T, ...]]:
    """One currency's approved versions after ``one`` has become what it is."""
    after = {**by_node, one.node: with_version(by_node.get(one.node, ()), one)}
    return {node: versions for node, versions in after.items() if versions}


def nearest(by_node: ByNode[T], nodes: Mapping[int, Institution], institution: int, at: datetime) -> T | None:
    """The version in force at ``at`` of the node nearest to ``institution`` that has one, itself or above it."""
    for node in ancestry(nodes, institution):
        found = in_force(by_node.get(node.id, ()), at)
        if found is not None:
            return found
    return None
