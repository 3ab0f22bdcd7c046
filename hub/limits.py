"""Limits: how much of a point currency may be issued, moved, converted, spent or held, and what an act counts.

A limit is a family of versions, never edited: of its versions the one that started last is in force, and one without an
amount lifts it. What a family counts is the same in all of its versions; what changes is the amount, and from when on.
Periods are calendar periods in the limit's time zone. What this file does not do: ask who may set a limit
(``hub.registry.limits``), or count an act (``hub.ledger.limiting``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub import ids
from hub.currencies import PointCurrency, worth
from hub.institutions import Institution, is_below
from hub.money import format_millionths
from hub.points import render
from hub.rates import Rate


class Act(StrEnum):
    """What is counted: one side of an act, seen from the customer whose points it changes."""

    ISSUE = "ISSUE"
    TRANSFER = "TRANSFER"  # the giver's side
    RECEIVE = "RECEIVE"  # the taker's side of a transfer
    CONVERT = "CONVERT"  # the source's side
    CONVERT_IN = "CONVERT_IN"  # the target's side
    REDEEM = "REDEEM"


CREDITS = frozenset({Act.ISSUE, Act.RECEIVE, Act.CONVERT_IN})  # after which a customer holds more


class Subject(StrEnum):
    """For whom a limit counts by itself; an account is a customer's in the limit's currency."""

    CUSTOMER = "CUSTOMER"
    ACCOUNT = "ACCOUNT"
    INSTITUTION = "INSTITUTION"  # the customer's own institution, with all of its customers
    PROGRAMME = "PROGRAMME"  # everybody whom the limit concerns, together


class Period(StrEnum):
    """How long a limit counts. BALANCE counts what the account holds, whenever it came."""

    DAY = "DAY"
    MONTH = "MONTH"
    YEAR = "YEAR"
    BALANCE = "BALANCE"


_KEY_LENGTHS = {Period.DAY: 10, Period.MONTH: 7, Period.YEAR: 4}  # of 2024-03-10


class Measure(StrEnum):
    """In what a limit counts: the currency's points, or the money in which its unit value is stated."""

    POINTS = "POINTS"
    MONEY = "MONEY"


class Mode(StrEnum):
    """What becomes of an act beyond a limit: the part that fits is granted, or it is refused whole."""

    CLIP = "CLIP"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True)
class Limit:
    """One version. ``family`` is the first version's id; ``amount`` in the currency's smallest units, or in millionths
    of its money; None: lifted. Currencies and institutions are ids; ``institution`` None: wherever the customer is."""

    id: int
    family: int
    version: int
    owner: int  # the institution that set it
    code: str
    name: str
    act: Act
    currency: int
    target: int | None
    institution: int | None
    subject: Subject
    period: Period
    measure: Measure
    mode: Mode
    zone: str
    notice_days: int
    amount: int | None
    starts: datetime
    configured_by: str
    configured_at: datetime


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """What a movement counts under a limit: ``amount`` units of its measure; below zero where a reversal gives back."""

    movement: int
    n: int
    limit: int  # the family
    subject: int
    period: str
    amount: int

    @property
    def key(self) -> "UseKey":
        """What it counts towards."""
        return (self.limit, self.subject, self.period)


@dataclass(frozen=True, slots=True)
class Clipping:
    """An issue that was asked for ``requested`` units and was granted what the limit's version left of them."""

    movement: int
    version: int
    requested: int


UseKey = tuple[int, int, str]  # family, subject, period


def outflow_key(rate: Rate, window: int) -> UseKey:
    """Under what a rate's outflow counts in a settlement window: as that of the whole programme of its target."""
    return (rate.id, rate.target, ids.text(ids.WINDOW, window))


def in_force(versions: Sequence[Limit], at: datetime) -> Limit | None:
    """The version in force at ``at`` of one family's ``versions``, which are in the order of their starts."""
    for limit in reversed(versions):
        if limit.starts <= at:
            return limit
    return None


def concerning(
    families: Iterable[Sequence[Limit]],
    institutions: Mapping[int, Institution],
    home: int,
    target: int | None,
    at: datetime,
) -> list[Limit]:
    """The versions in force at ``at`` that bound what a customer of institution ``home`` does; ``target``: the currency
    that the points become, for a conversion."""
    found = []
    for versions in families:
        limit = in_force(versions, at)
        if (
            limit is not None
            and limit.amount is not None
            and (limit.target is None or limit.target == target)
            and (limit.institution is None or is_below(institutions, home, limit.institution))
        ):
            found.append(limit)
    return found


def subject_of(limit: Limit, customer: int, account: int, home: int) -> int:
    """The identifier of whom a limit counts for, when a customer of institution ``home`` acts on an account."""
    match limit.subject:
        case Subject.CUSTOMER:
            return customer
        case Subject.ACCOUNT:
            return account
        case Subject.INSTITUTION:
            return home
        case Subject.PROGRAMME:
            return limit.currency


def is_known(limit: Limit, institutions: Mapping[int, Institution], viewer: int) -> bool:
    """Whether a limit's terms are open to the people of institution ``viewer``: to its owner and those above it, and to
    all whose customers it may concern. One that names no institution is open to all members."""
    return (
        limit.institution is None
        or is_below(institutions, limit.owner, viewer)
        or is_below(institutions, limit.institution, viewer)
        or is_below(institutions, viewer, limit.institution)
    )


@lru_cache(maxsize=1_024)
def period_of(period: Period, zone: str, at: datetime) -> str:
    """The calendar period of ``at`` in a time zone: ``2024-03-10``, ``2024-03`` or ``2024``; empty for BALANCE."""
    if period is Period.BALANCE:
        return ""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()[: _KEY_LENGTHS[period]]


def measured(limit: Limit, of: PointCurrency, points: int, money: str | None = None, value: int | None = None) -> int:
    """What ``points`` smallest units of the limit's currency count. In money: the settlement ``value`` if it is stated,
    in the currency's own ``money``; otherwise the unit value, HALF_UP to the millionth."""
    if limit.measure is Measure.POINTS:
        return points
    return value if value is not None and money == of.money else worth(of, points)


def unit_of(limit: Limit, of: PointCurrency) -> str:
    """The code of the currency that a limit's amounts are in; ``of``: the limit's point currency."""
    return of.code if limit.measure is Measure.POINTS else of.money


def shown(limit: Limit, of: PointCurrency, units: int) -> str:
    """``units`` of a limit as decimal text."""
    return render(units, of.scale) if limit.measure is Measure.POINTS else format_millionths(units, of.money)


def held(limit: Limit, of: PointCurrency, balance: int) -> int:
    """What a balance counts under a limit on what is held."""
    return balance if limit.measure is Measure.POINTS else worth(of, balance)
