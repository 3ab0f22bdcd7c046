"""Bills: what the operator charges institutions for a month, by approved schedules. Pure.

A schedule is a history of versions for one institution, which stands for its subtree as far as nobody below has one of
its own. A month is billed by the versions in force at its first instant, for all institutions at once and once for
ever, so that no movement is billed twice. What this file does not do: count (``hub.billing``), or post
(``hub.ledger.billing``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from hub.institutions import Institution, ancestry
from hub.points import MONEY_SCALE, PERCENT_SCALE, PRICE_SCALE, half_up, render
from hub.versions import Version, in_force

_TO_MONEY: Final = 10 ** (PRICE_SCALE - MONEY_SCALE)
_WHOLE: Final = 100 * 10**PERCENT_SCALE  # a hundred percent


class Step(StrEnum):
    """Whose word a proposed schedule still needs."""

    INSTITUTION = "INSTITUTION"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule(Version):
    """One version of an institution's prices in ``money``: for being a member for a month in millionths, for each
    movement and for each whole point that it moves in 10^-12. ``vat``: 10^-6 percent; ``gross``: whether the prices
    include it."""

    institution: int
    money: str
    membership: int
    per_movement: int
    per_point: int
    vat: int
    gross: bool
    awaiting: tuple[Step, ...] = ()


class Item(StrEnum):
    """What a line of an invoice is for."""

    MEMBERSHIP = "MEMBERSHIP"
    MOVEMENTS = "MOVEMENTS"
    POINTS = "POINTS"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was done for an institution in a month with one point currency: how many acts, and smallest units in all."""

    institution: int
    currency: str
    acts: int
    units: int


@dataclass(frozen=True, slots=True)
class BillLine:
    """``quantity`` months, acts, or smallest units of ``currency``, at ``price`` (10^-12) a month, act or whole point;
    ``amount`` in millionths, whole minor units, net or gross as the schedule's prices are."""

    item: Item
    currency: str | None
    quantity: int
    price: int
    amount: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What an invoice comes to, in millionths: ``gross`` is ``net`` and ``vat``."""

    net: int
    vat: int
    gross: int


def lines_of(
    schedule: FeeSchedule, used: Iterable[Usage], scales: Mapping[str, int], minor_unit: int
) -> tuple[BillLine, ...]:
    """An invoice's lines: the membership, the movements in all, and the points of each currency by code. Each amount is
    rounded HALF_UP to the minor unit; what comes to nothing has no line."""
    acts, units = 0, dict[str, int]()
    for one in used:
        acts += one.acts
        units[one.currency] = units.get(one.currency, 0) + one.units
    found = [
        _line(Item.MEMBERSHIP, None, 1, schedule.membership * _TO_MONEY, 0, minor_unit),
        _line(Item.MOVEMENTS, None, acts, schedule.per_movement, 0, minor_unit),
        *(
            _line(Item.POINTS, code, units[code], schedule.per_point, scales[code], minor_unit)
            for code in sorted(units)
        ),
    ]
    return tuple(line for line in found if line.amount)


def _line(item: Item, currency: str | None, quantity: int, price: int, scale: int, minor_unit: int) -> BillLine:
    amount = half_up(price * quantity, 10**scale * _TO_MONEY * minor_unit) * minor_unit
    return BillLine(item, currency, quantity, price, amount)


def quantity_text(line: BillLine, scale: int) -> str:
    """A line's quantity for people: points with the digits of their ``scale``, all else in whole numbers."""
    return render(line.quantity, scale if line.item is Item.POINTS else 0)


def totals_of(lines: Sequence[BillLine], vat: int, minor_unit: int, *, gross: bool) -> Totals:
    """What lines come to with VAT, which is reckoned once, on their sum, HALF_UP to the minor unit: on top of net
    prices, or out of gross ones."""
    amount = sum(line.amount for line in lines)
    if gross:
        tax = half_up(amount * vat, (_WHOLE + vat) * minor_unit) * minor_unit
        return Totals(amount - tax, tax, amount)
    tax = half_up(amount * vat, _WHOLE * minor_unit) * minor_unit
    return Totals(amount, tax, amount + tax)


def credited(invoice: Totals, before: int, after: int, minor_unit: int) -> Totals:
    """The part of an invoice that is credited when its credits go from ``before`` to ``after`` of its gross amount: VAT
    in proportion, rounded down to the minor unit, cumulative, so that what is credited in all has all of the VAT."""
    whole = invoice.vat // minor_unit
    tax = (whole * after // invoice.gross - whole * before // invoice.gross) * minor_unit
    return Totals(after - before - tax, tax, after - before)


def payers(
    schedules: Mapping[int, Sequence[FeeSchedule]], institutions: Mapping[int, Institution], at: datetime
) -> dict[int, FeeSchedule]:
    """By which schedule each institution's movements of a month are billed, which begins at ``at``: the nearest one at
    it or above it that is in force then. Who is missing is billed for nothing."""
    live = {node: found for node, versions in schedules.items() if (found := in_force(versions, at)) is not None}
    if not live:
        return {}
    return {
        node: live[above]
        for node in institutions
        if (above := next((one.id for one in ancestry(institutions, node) if one.id in live), None)) is not None
    }


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month that ``2026-11`` names.

        Raises:
            ValueError: it names none.
        """
        if len(text) != 7:
            raise ValueError(f"{text!r} is no month such as 2026-11.")
        found = datetime.strptime(text, "%Y-%m")
        if not MINYEAR < found.year < MAXYEAR:  # its bounds are instants in every time zone
            raise ValueError(f"{text!r} is at an end of the calendar.")
        return cls(found.year, found.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def next(self) -> "Month":
        """The month after."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def starts(self, zone: str) -> datetime:
        """Its first instant in a time zone."""
        return datetime(self.year, self.month, 1, tzinfo=ZoneInfo(zone))

    def ends(self, zone: str) -> datetime:
        """The first instant after it."""
        return self.next.starts(zone)


def month_of(at: datetime, zone: str) -> Month:
    """The month that an instant is in."""
    local = at.astimezone(ZoneInfo(zone))
    return Month(local.year, local.month)


def months_over(after: Month, at: datetime, zone: str) -> Iterator[Month]:
    """The months after one that are over at an instant, in order."""
    month = after.next
    while month.ends(zone) <= at:
        yield month
        month = month.next
