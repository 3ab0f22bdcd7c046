"""Settlement models: which money is settled together, in which way, and when its windows close.

A model's windows are numbered by themselves. It takes the money of acts between its members, who are direct children of
the operator, and of all below them, in its currencies; the operator takes part in each. What no model takes is the
default's: deferred net settlement of everybody, in every currency. A member's money of one currency is in one model at
a time. What may be said of a model comes into force by versions; its code and its kind never change, and it never ends:
one without a version in force takes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.calendars import Calendar
from hub.versions import Version, in_force

DEFAULT_MODEL = "default"


class ModelKind(StrEnum):
    """How a window's money is settled. DEFERRED_NET_MULTILATERAL: each participant pays or is paid one net;
    DEFERRED_NET_BILATERAL: each two participants net with one another, and who owes pays the other; IMMEDIATE_GROSS:
    each act is paid as it is done, out of what the payer has put up for it."""

    DEFERRED_NET_MULTILATERAL = "DEFERRED_NET_MULTILATERAL"
    DEFERRED_NET_BILATERAL = "DEFERRED_NET_BILATERAL"
    IMMEDIATE_GROSS = "IMMEDIATE_GROSS"


# In windows of these kinds it is counted what each two participants come to with one another.
IN_PAIRS = frozenset({ModelKind.DEFERRED_NET_BILATERAL, ModelKind.IMMEDIATE_GROSS})


class ModelStep(StrEnum):
    """Whose word a proposed version still needs."""

    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementModel(Version):
    """One version of a model. ``members``: institutions; the default's are none, and neither are its currencies.
    Without a ``calendar`` its windows are closed by somebody. ``settle_in``: the one currency that nets are exchanged
    into when a window closes; None: each currency is paid by itself."""

    code: str
    name: str
    kind: ModelKind
    members: tuple[int, ...]
    currencies: tuple[str, ...]
    calendar: Calendar | None
    settle_in: str | None = None
    awaiting: tuple[ModelStep, ...] = ()


Models = Mapping[str, tuple[SettlementModel, ...]]  # the approved versions, by code


def taking(models: Models, currency: str, at: datetime) -> list[SettlementModel]:
    """The models that take a currency at an instant, besides the default, by code."""
    found = (in_force(versions, at) for code, versions in sorted(models.items()) if code != DEFAULT_MODEL)
    return [one for one in found if one is not None and currency in one.currencies]


def takes(model: SettlementModel, members: Collection[int], operator: int) -> bool:
    """Whether a model takes what is owed between two members, or by and to the operator; within one member, too."""
    return {*members} <= {*model.members, operator} and {*members} != {operator}


def kind_of(versions: Iterable[SettlementModel], code: str) -> ModelKind:
    """The kind of a model, which is that of all its versions; the default is multilateral."""
    return next((one.kind for one in versions if one.code == code), ModelKind.DEFERRED_NET_MULTILATERAL)


def contested(models: Models, at: datetime) -> tuple[SettlementModel, SettlementModel] | None:
    """Two models that would take the same member's money of the same currency at some instant from ``at`` on."""
    every = [one for versions in models.values() for one in versions]
    changes = {at} | {edge for one in every for edge in (one.starts, one.ends) if edge is not None and edge > at}
    for instant in sorted(changes):
        taken: dict[tuple[int, str], SettlementModel] = {}
        for one in _in_force(models, instant):
            for place in ((member, currency) for member in one.members for currency in one.currencies):
                if place in taken:
                    return taken[place], one
                taken[place] = one
    return None


def _in_force(models: Models, at: datetime) -> Iterable[SettlementModel]:
    found = (in_force(versions, at) for _, versions in sorted(models.items()))
    return [one for one in found if one is not None]
