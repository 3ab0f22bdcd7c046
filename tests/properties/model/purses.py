"""Purses: one customer's points of one currency in the model. Shares nothing with ``hub``."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from tests.properties.model.calendar import FOR_EVER

Who = tuple[str, str]  # institution and reference
Was = tuple[tuple[str, datetime], ...]  # earlier currencies, and when the points would have ended there
Tag = tuple[datetime, Was, str | None, Who | None, str]
MAIN = ""


@dataclass(frozen=True)
class Part:
    """Some points: those that never end and are of nowhere in particular are plain, and in no lot. ``giver``: who put
    them into a pool; ``part``: which of the customer's accounts they are in."""

    amount: int
    end: datetime = FOR_EVER
    earned: datetime = FOR_EVER
    was: Was = ()
    day: str | None = None
    giver: Who | None = None
    part: str = MAIN

    @property
    def tag(self) -> Tag:
        return self.end, self.was, self.day, self.giver, self.part

    @property
    def plain(self) -> bool:
        return self.tag == (FOR_EVER, (), None, None, MAIN)


def total(parts: Iterable[Part]) -> int:
    return sum(part.amount for part in parts)


def between(parts: list[Part], start: int, stop: int, *, from_the_end: bool = False) -> list[Part]:
    """The units ``start`` to ``stop`` of the parts, laid out in a row."""
    found, passed = [], 0
    for part in reversed(parts) if from_the_end else parts:
        units = min(stop, passed + part.amount) - max(start, passed)
        passed += part.amount
        if units > 0:
            found.append(replace(part, amount=units))
    return found


def together(parts: Iterable[Part]) -> list[Part]:
    """Parts of one lot as one, at the place of the first; the plain ones last."""
    found: dict[Tag, Part] = {}
    for part in parts:
        before = found.get(part.tag)
        if before is not None:
            part = replace(part, amount=part.amount + before.amount, earned=min(part.earned, before.earned))
        if part.amount:
            found[part.tag] = part
    return sorted(found.values(), key=lambda part: part.plain)


def placed(parts: list[Part], now: datetime, part: str, giver: Who | None = None) -> list[Part]:
    """Parts as they are in another purse. Plain ones that need a lot there count as earned now."""
    return together(replace(one, part=part, giver=giver, earned=now if one.plain else one.earned) for one in parts)


_made = count()


@dataclass
class Lot:
    """Points that end together; ``made`` orders lots that are otherwise alike."""

    part: Part
    held: int = 0
    made: int = field(default_factory=lambda: next(_made))

    @property
    def free(self) -> int:
        return self.part.amount - self.held

    def order(self) -> tuple[datetime, datetime, int]:
        return self.part.end, self.part.earned, self.made


class Purse:
    """Lots, and the plain points beside them."""

    def __init__(self) -> None:
        self.lots: dict[Tag, Lot] = {}
        self.plain = 0
        self.plain_held = 0

    @property
    def balance(self) -> int:
        return self.plain + sum(lot.part.amount for lot in self.lots.values())

    @property
    def available(self) -> int:
        """What may be spent, once what is over is gone."""
        return self.plain - self.plain_held + sum(lot.free for lot in self.lots.values())

    def available_in(self, part: str | None) -> int:
        """The same of one part of it; None: of all."""
        if part is None:
            return self.available
        apart = {name: 0 for name in (lot.part.part for lot in self.lots.values()) if name != MAIN}
        for lot in self.lots.values():
            if lot.part.part != MAIN:
                apart[lot.part.part] += lot.free
        return self.available - sum(apart.values()) if part == MAIN else apart.get(part, 0)

    def available_of(self, giver: Who) -> int:
        """What somebody put in, and may be spent."""
        return sum(lot.free for lot in self.lots.values() if lot.part.giver == giver)

    def in_order(self) -> list[Lot]:
        return sorted(self.lots.values(), key=Lot.order)

    def choose(
        self,
        amount: int,
        now: datetime,
        but: Iterable[Part] = (),
        part: str | None = None,
        giver: Who | None = None,
    ) -> list[Part]:
        """What ``amount`` is spent from, out of one part of it, or of what one giver put in, if these are named: what
        ends first, of that what was earned first, then what was made first; plain points last. ``but``: what is taken
        already."""
        left = {one.tag: one.amount for one in but}
        found = []
        for lot in self.in_order():
            units = min(amount, lot.free - left.get(lot.part.tag, 0))
            if units > 0 and lot.part.end > now and part in (None, lot.part.part) and giver in (None, lot.part.giver):
                found.append(replace(lot.part, amount=units))
                amount -= units
        return [*found, Part(amount)] if amount else found

    def take(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._change(part, -part.amount)

    def put(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._change(part, part.amount)

    def _change(self, part: Part, units: int) -> None:
        if part.plain:
            self.plain += units
            return
        lot = self.lots.get(part.tag)
        if lot is None:
            lot = self.lots[part.tag] = Lot(replace(part, amount=0))
        earned = min(lot.part.earned, part.earned) if units > 0 else lot.part.earned
        lot.part = replace(lot.part, amount=lot.part.amount + units, earned=earned)
        if not lot.part.amount:
            del self.lots[part.tag]

    def pin(self, parts: Iterable[Part], sign: int = 1) -> None:
        for part in parts:
            if part.plain:
                self.plain_held += sign * part.amount
            else:
                self.lots[part.tag].held += sign * part.amount

    def lapse(self, now: datetime) -> int:
        """Drop what is over and not held; answers how much that was."""
        over = [replace(lot.part, amount=lot.free) for lot in self.lots.values() if lot.part.end <= now and lot.free]
        self.take(over)
        return total(over)
