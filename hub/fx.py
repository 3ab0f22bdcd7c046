"""FX rates, and what nets become at them. Pure.

A rate is an approved version of what one unit of a currency (``base``) is worth in another (``quote``), as an exact
decimal, with who published it and for which day. One is in force from an instant on; if it is withdrawn, none is until
another starts, because the one before was never approved for that time. Nets of several currencies become one by the
rates in force at a closing, and still sum to zero; what this file does not do: post them (``hub.windows``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from hub.errors import FxRateMissing
from hub.netting import round_nets, round_parts
from hub.points import PRICE_SCALE, normalise, render
from hub.versions import Version, VersionStatus

_ONE: Final = 10**PRICE_SCALE

Pair = tuple[str, str]  # base, quote
Place = tuple[str, str]  # an institution's code, a currency


class FxStep(StrEnum):
    """Whose word a proposed rate still needs."""

    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRate(Version):
    """One version. ``rate``: 10^-12 of ``quote`` for one ``base``. ``source``: who published it, as of the day
    ``quoted_on``."""

    base: str
    quote: str
    rate: int
    source: str
    quoted_on: date
    awaiting: tuple[FxStep, ...] = ()

    @property
    def pair(self) -> Pair:
        """What it is for."""
        return self.base, self.quote

    @property
    def text(self) -> str:
        """The rate as a decimal without trailing zeros: 7.2."""
        return normalise(render(self.rate, PRICE_SCALE))


FxRates = Mapping[Pair, tuple[FxRate, ...]]  # the approved versions, also those withdrawn since


def with_rate(known: tuple[FxRate, ...], one: FxRate) -> tuple[FxRate, ...]:
    """A pair's versions that were ever approved, after ``one`` has become what it is."""
    others = tuple(other for other in known if other.id != one.id)
    return (*others, one) if one.status in (VersionStatus.APPROVED, VersionStatus.WITHDRAWN) else others


def rate_in_force(versions: Iterable[FxRate], at: datetime) -> FxRate | None:
    """The rate in force at ``at``: the one that started last; None if that one was withdrawn, or there is none."""
    best: tuple[datetime, bool] | None = None
    found: FxRate | None = None
    for one in versions:
        order = (
            one.starts or at,
            one.status is VersionStatus.APPROVED,
        )  # what replaces a withdrawn one may start with it
        if one.holds(at) and (best is None or order > best):
            best, found = order, one
    return found if found is not None and found.status is VersionStatus.APPROVED else None


def rates_into(rates: FxRates, quote: str, at: datetime) -> dict[str, FxRate]:
    """The rates in force into a currency, by their bases, in order."""
    found = ((pair[0], rate_in_force(versions, at)) for pair, versions in sorted(rates.items()) if pair[1] == quote)
    return {base: rate for base, rate in found if rate is not None}


def state_of(rates: FxRates, quote: str, at: datetime) -> str:
    """A short text that is another whenever other rates are in force into a currency."""
    ids = " ".join(f"{rate.id:x}" for rate in rates_into(rates, quote, at).values())
    return sha256(ids.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A net in millionths of its own currency, and what it has become in whole minor units of the other one."""

    net: int
    rate: FxRate
    value: int


def exchange(
    nets: Mapping[Place, int], into: str, rates: Mapping[str, FxRate], minor_unit_millionths: int
) -> dict[Place, Exchanged]:
    """What each net in another currency than ``into`` has become by the ``rates`` of their bases, as ``worth`` says.

    Raises:
        FxRateMissing: a net that is not zero has no rate.
        NotBalanced: the nets of a currency do not sum to zero.
    """
    for (_, currency), net in sorted(nets.items()):
        if currency != into and net and currency not in rates:
            raise FxRateMissing(base=currency, quote=into)
    values = worth(nets, into, {base: rate.rate for base, rate in rates.items()}, minor_unit_millionths)
    return {place: Exchanged(nets[place], rates[place[1]], value) for place, value in values.items()}


def worth(
    nets: Mapping[Place, int], into: str, rates: Mapping[str, int], minor_unit_millionths: int
) -> dict[Place, int]:
    """What each net in another currency is in ``into``, in whole minor units (in millionths), by institution and
    currency, in their order; not of those that are zero.

    ``nets``: those that settle with the hub, in millionths; those of each currency sum to zero. ``rates``: in 10^-12,
    by base. Rounding goes down, as over levels: first what each institution's nets come to in all, to a sum of zero,
    then that into its nets, both by largest remainder, ties to the lower code. So neither an institution's total nor
    any net of it is a minor unit away from its exact value, a net that was in ``into`` stays as it is, and no order
    matters.

    Raises:
        KeyError: a net that is not zero has no rate.
        NotBalanced: the nets of a currency do not sum to zero.
    """
    parts: dict[str, dict[str, int]] = {}  # in 10^-12 of a millionth of ``into``
    for (institution, currency), net in sorted(nets.items()):
        if net:
            parts.setdefault(institution, {})[currency] = net * (_ONE if currency == into else rates[currency])
    unit = minor_unit_millionths * _ONE
    totals = round_nets({institution: sum(of.values()) for institution, of in parts.items()}, unit)
    found: dict[Place, int] = {}
    for institution, of in parts.items():
        rounded = round_parts(of, unit, totals[institution])
        found.update(((institution, currency), rounded[currency] // _ONE) for currency in of if currency != into)
    return found
