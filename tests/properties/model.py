"""An independent model of the hub's core, in exact fractions, from the architecture's text.

It shares nothing with the code that decides: no function of ``hub`` is called here. For each act it says which reasons
there are to refuse it (whoever refuses may name any of them), and if there is none, what comes of it.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from tests.properties.purses import FOR_EVER, Part, Purse, between, dawn, end_of_life, local_day, together, total

HALF = Fraction(1, 2)
MILLION = 10**6
LARGEST = 10**15
QUOTES_OPEN_MAX = 5
Who = tuple[str, str]  # institution and reference


@dataclass(frozen=True)
class Currency:
    code: str
    issuer: str
    scale: int
    value: Fraction  # of one point, in money
    transferable: bool = True
    ends: str = "NEVER"
    months: int | None = None
    zone: str = "UTC"


@dataclass
class Policy:
    """How a currency's points are kept now."""

    hold_days: int = 30
    honours: bool = True
    grace_days: int = 0
    keeps_age: bool = False


@dataclass(frozen=True)
class Bonus:
    percent: Fraction | None = None
    per_block: int | None = None  # target units
    block: int | None = None  # source units
    cap: int | None = None  # source units
    paid: bool = True


@dataclass(frozen=True)
class Rate:
    source: Currency
    target: Currency
    ratio: Fraction
    price: Fraction
    bonuses: tuple[Bonus, ...] = ()
    minimum: int | None = None
    step: int | None = None
    fee_fixed: Fraction = Fraction(0)
    fee_per_point: Fraction = Fraction(0)
    fee_percent: Fraction = Fraction(0)
    fee_cap: Fraction | None = None
    carried: bool = False


@dataclass(frozen=True)
class Figures:
    source: int
    target: int
    bonus: int
    fee: int
    settlement: int
    eligible: tuple[int, ...]
    residue: Fraction


@dataclass
class Offer:
    rate_id: int
    giver: Who
    taker: Who
    figures: Figures
    until: datetime
    used: bool = False
    cancelled: bool = False


@dataclass
class Act:
    """What was done: points and money by side, and how much of it was reversed. ``total``: credited points.

    ``spent``: what the giver's points were, in the order of use; ``made``: what the taker's became.
    """

    kind: str
    total: int
    currency: Currency
    giver: Who | None
    taker: Who | None
    given: tuple[Currency, int]
    money: list[tuple[str, str, int]]  # payer, payee, millionths: the settlement, then the fee
    homes: set[str]
    spent: list[Part] = field(default_factory=list)
    made: list[Part] = field(default_factory=list)
    rate_id: int = 0
    eligible: tuple[int, ...] = ()
    reversed: int = 0


@dataclass
class Promise:
    """A hold, and what it pins."""

    who: Who
    currency: Currency
    amount: int
    until: datetime
    pins: list[Part]
    status: str = "HELD"
    captured: int = 0


def cut(text: str, scale: int) -> int | None:
    """Whole units of a plain positive decimal; None if it is none, too long or too large."""
    whole, point, digits = text.partition(".")
    if (
        not (text.isascii() and whole.isdigit())
        or (point and not digits.isdigit())
        or (len(whole) > 1 and whole[0] == "0")
    ):
        return None
    units = Fraction(text) * 10**scale
    return int(units) if units.denominator == 1 and 0 < units <= LARGEST else None


class Refused(Exception):
    """Raised to undo what an act began."""


def _nothing() -> list[int]:
    return [0, 0]


class Model:
    def __init__(self, parents: dict[str, str], currencies: list[Currency], closed_to_strangers: set[str]) -> None:
        self.parents = dict(parents)
        self.parents_in = {1: dict(parents)}
        self.status = dict.fromkeys([*parents, "HUB"], "ACTIVE")
        self.closed_to_strangers = closed_to_strangers
        self.currencies = {currency.code: currency for currency in currencies}
        self.rates: dict[int, Rate] = {}
        self.in_force: dict[tuple[str, str], int] = {}
        self.customers: set[Who] = set()
        self.linked: set[frozenset[Who]] = set()  # who are one person
        self.purses: dict[tuple[Who, str], Purse] = defaultdict(Purse)
        self.breakage: dict[str, int] = defaultdict(int)
        self.policies = {code: Policy() for code in self.currencies}
        self.holds: dict[int, Promise] = {}
        self.now = FOR_EVER
        self.caps: dict[str, int] = {}
        self.bonus_used: dict[tuple[int, int, Who], int] = defaultdict(int)
        self.offers: dict[int, Offer] = {}
        self.acts: dict[int, Act] = {}
        self.window = 1
        self.own: dict[tuple[int, str], list[int]] = defaultdict(_nothing)
        self.nets: dict[int, dict[str, int]] = {}
        self.unpaid: dict[int, dict[str, int]] = {}
        self.settled: set[int] = set()

    # --- time ---------------------------------------------------------------------------------------------------------

    def pass_time(self, now: datetime) -> None:
        """It is ``now``: holds whose time is over hold nothing, and points that are over and not held are gone."""
        self.now = now
        for hold in self.holds.values():
            if hold.status == "HELD" and hold.until <= now:
                self._end(hold, "EXPIRED")
        for (_, code), purse in self.purses.items():
            self.breakage[code] += purse.lapse(now)

    def _end(self, hold: Promise, status: str) -> Purse:
        purse = self.purses[hold.who, hold.currency.code]
        purse.pin(hold.pins, -1)
        hold.status = status
        return purse

    def _lapse(self, who: Who, of: Currency) -> None:
        self.breakage[of.code] += self.purses[who, of.code].lapse(self.now)

    # --- the tree and what is owed in it ------------------------------------------------------------------------------

    def above(self, node: str, parents: dict[str, str]) -> Iterator[str]:
        yield node
        while node in parents:
            node = parents[node]
            yield node

    def standing(self, *nodes: str, keeping_promises: bool = False) -> set[str]:
        for node in nodes:
            statuses = {self.status[one] for one in self.above(node, self.parents)}
            if "SUSPENDED" in statuses or ("CLOSED" in statuses and not keeping_promises):
                return {"SUSPENDED"}
        return set()

    def subtree(self, window: int, node: str) -> int:
        """What the hub owes the subtree of a window and has not settled."""
        parents = self.parents_in[window]
        below = [one for one in [*self.parents, "HUB"] if node in self.above(one, parents)]
        if window in self.unpaid:
            return sum(self.unpaid[window].get(one, 0) for one in below)
        return sum(self.own[window, one][1] - self.own[window, one][0] for one in below)

    def exposure(self, node: str) -> int:
        live = [window for window in self.parents_in if window not in self.settled]
        return sum(max(0, -self.subtree(window, node)) for window in live)

    @contextmanager
    def within_caps(self) -> Iterator[None]:
        """Undo the money of the block if it worsens the exposure of a node above its cap."""
        before = {node: self.exposure(node) for node in self.caps}
        kept = {key: list(sides) for key, sides in self.own.items()}
        yield
        for node, cap in self.caps.items():
            if cap < self.exposure(node) > before[node]:
                self.own.clear()
                self.own.update(kept)
                raise Refused("LIMIT_EXCEEDED")

    def pay(self, payer: str, payee: str, amount: int) -> None:
        if payer != payee and amount:
            self.own[self.window, payer][0] += amount
            self.own[self.window, payee][1] += amount

    # --- acts ---------------------------------------------------------------------------------------------------------

    def _unknown(self, *customers: Who) -> set[str]:
        return {"NOT_FOUND" for who in customers if who not in self.customers}

    def _credited(self, who: Who) -> set[str]:
        stranger = who not in self.customers and who[0] in self.closed_to_strangers
        return {"NOT_FOUND"} if stranger else set()

    def _short(self, who: Who, currency: Currency, units: int | None) -> set[str]:
        lacks = units is not None and who in self.customers and self.purses[who, currency.code].available < units
        return {"INSUFFICIENT_POINTS"} if lacks else set()

    def _by_day(self, of: Currency, earned: datetime, end: datetime) -> bool:
        """Whether points are kept apart by their day: if the policy has it so, or their end does not tell it."""
        return self.policies[of.code].keeps_age or end != end_of_life(of.ends, of.months, of.zone, earned)

    def issue(
        self, code: str, to: Who, text: str, earned_at: datetime | None = None, ends_at: datetime | None = None
    ) -> tuple[set[str], Act | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = (
            self.standing(of.issuer, to[0]) | self._credited(to) | ({"INVALID_AMOUNT"} if units is None else set())
        )
        earned = earned_at or self.now
        end = ends_at or end_of_life(of.ends, of.months, of.zone, earned)
        reasons |= {"INVALID_INPUT"} if end <= self.now or earned > self.now else set()
        if reasons or units is None:
            return reasons, None
        aged = self._by_day(of, earned, end) or (end == FOR_EVER and earned_at is not None)
        part = Part(units) if end == FOR_EVER else Part(units, end, earned)
        if aged:
            part = Part(units, end, earned, day=local_day(earned, of.zone).isoformat())
        self.customers.add(to)
        self.purses[to, code].put([part])
        return set(), Act("issue", units, of, None, to, (of, units), [], {of.issuer, to[0]}, made=[part])

    def transfer(self, code: str, giver: Who, taker: Who, text: str) -> tuple[set[str], Act | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self.standing(of.issuer, giver[0], taker[0]) | self._unknown(giver) | self._credited(taker)
        reasons |= self._short(giver, of, units)
        reasons |= {"INVALID_AMOUNT"} if units is None else set()
        reasons |= {"INVALID_INPUT"} if giver == taker else set()
        reasons |= {"TRANSFER_FORBIDDEN"} if not of.transferable else set()
        if reasons or units is None:
            return reasons, None
        self.customers.add(taker)
        spent = self._spend(giver, code, units)
        self.purses[taker, code].put(spent)
        return set(), Act("transfer", units, of, giver, taker, (of, units), [], {giver[0], taker[0]}, spent, spent)

    def _spend(self, who: Who, code: str, units: int) -> list[Part]:
        purse = self.purses[who, code]
        parts = purse.choose(units, self.now)
        purse.take(parts)
        return parts

    def redeem(self, code: str, giver: Who, merchant: str, text: str) -> tuple[set[str], Act | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        if merchant not in self.status:
            return {"NOT_FOUND"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self.standing(of.issuer, giver[0], merchant) | self._unknown(giver) | self._short(giver, of, units)
        reasons |= {"INVALID_AMOUNT"} if units is None else set()
        if reasons or units is None:
            return reasons, None
        value = self._worth(of, units)
        try:
            with self.within_caps():
                self.pay(of.issuer, merchant, value)
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        spent, homes = self._spend(giver, code, units), {giver[0], of.issuer, merchant}
        return set(), Act("redeem", units, of, giver, None, (of, units), [(of.issuer, merchant, value)], homes, spent)

    @staticmethod
    def _worth(of: Currency, units: int) -> int:
        return floor(Fraction(units, 10**of.scale) * of.value * MILLION + HALF)

    # --- holds --------------------------------------------------------------------------------------------------------

    def hold(self, code: str, who: Who, text: str, until: datetime) -> tuple[set[str], Promise | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self.standing(of.issuer, who[0]) | self._unknown(who) | self._short(who, of, units)
        reasons |= {"INVALID_AMOUNT"} if units is None else set()
        latest = self.now + timedelta(days=self.policies[code].hold_days)
        reasons |= set() if self.now < until <= latest else {"INVALID_INPUT"}
        if reasons or units is None:
            return reasons, None
        pins = self.purses[who, code].choose(units, self.now)
        self.purses[who, code].pin(pins)
        return set(), Promise(who, of, units, until, pins)

    def _not_held(self, number: int) -> tuple[set[str], Promise | None]:
        hold = self.holds.get(number)
        if hold is None:
            return {"NOT_FOUND"}, None
        over = {"HELD": set(), "EXPIRED": {"HOLD_EXPIRED"}}.get(hold.status, {"HOLD_RESOLVED"})
        return over | self.standing(hold.who[0], keeping_promises=True), hold

    def release(self, number: int) -> tuple[set[str], Promise | None]:
        reasons, hold = self._not_held(number)
        if reasons or hold is None:
            return reasons, None
        self._end(hold, "RELEASED")
        self._lapse(hold.who, hold.currency)
        return set(), hold

    def capture(
        self, number: int, text: str | None, taker: Who | None, merchant: str | None
    ) -> tuple[set[str], tuple[Promise, Act] | None]:
        """Burned, unless somebody takes the points. What has ended meanwhile can only be burned, where the currency
        honours it."""
        reasons, hold = self._not_held(number)
        if hold is None:
            return reasons, None
        of = hold.currency
        if taker is not None and merchant is not None:
            reasons |= {"INVALID_INPUT"}
        if merchant is not None and merchant not in self.status:
            return reasons | {"NOT_FOUND"}, None
        reasons |= self.standing(of.issuer, keeping_promises=True)
        reasons |= set() if merchant is None else self.standing(merchant)
        all_good = taker is None and self.policies[of.code].honours
        good = [part for part in hold.pins if all_good or part.end > self.now]
        units = total(good) if text is None else cut(text, of.scale)
        reasons |= {"INVALID_AMOUNT"} if units is None else set()
        reasons |= {"EXCEEDS_HELD"} if units is not None and units > total(good) else set()
        reasons |= {"POINTS_EXPIRED"} if units == 0 else set()
        if taker is not None:
            reasons |= self.standing(taker[0]) | self._credited(taker)
            reasons |= {"INVALID_INPUT"} if taker == hold.who else set()
            reasons |= set() if of.transferable else {"TRANSFER_FORBIDDEN"}
        if reasons or units is None:
            return reasons, None
        homes, money = {hold.who[0], of.issuer}, []
        if merchant is not None:
            money, homes = [(of.issuer, merchant, self._worth(of, units))], homes | {merchant}
            try:
                with self.within_caps():
                    self.pay(*money[0])
            except Refused:
                return {"LIMIT_EXCEEDED"}, None
        spent = between(good, 0, units)
        purse = self._end(hold, "CAPTURED")
        hold.captured = units
        purse.take(spent)
        if taker is not None:
            self.customers.add(taker)
            homes.add(taker[0])
            self.purses[taker, of.code].put(spent)
        self._lapse(hold.who, of)
        made = [] if taker is None else spent
        return set(), (hold, Act("capture", units, of, hold.who, taker, (of, units), money, homes, spent, made))

    # --- conversions --------------------------------------------------------------------------------------------------

    def figures(self, rate_id: int, giver: Who, units: int) -> tuple[set[str], Figures | None]:
        rate = self.rates[rate_id]
        reasons = set()
        if rate.minimum is not None and units < rate.minimum:
            reasons.add("BELOW_MINIMUM")
        if rate.step is not None and units % rate.step:
            reasons.add("NOT_A_MULTIPLE")
        points, unit = Fraction(units, 10**rate.source.scale), 10**rate.target.scale
        exact = points * rate.ratio * unit
        base, paid, gifts, counted = floor(exact), floor(exact), 0, []
        for place, bonus in enumerate(rate.bonuses):
            counts = units
            if bonus.cap is not None:
                reserved = sum(
                    offer.figures.eligible[place]
                    for offer in self.offers.values()
                    if offer.rate_id == rate_id and offer.giver == giver and self._is_open(offer)
                )
                counts = min(units, max(0, bonus.cap - self.bonus_used[rate_id, place, giver] - reserved))
            counted.append(counts)
            if bonus.percent is not None:
                gift = floor(Fraction(counts, 10**rate.source.scale) * rate.ratio * bonus.percent / 100 * unit)
            else:
                assert bonus.block is not None
                assert bonus.per_block is not None
                gift = counts // bonus.block * bonus.per_block
            gifts += gift
            paid += gift if bonus.paid else 0
        if base + gifts == 0:
            reasons.add("AMOUNT_TOO_SMALL")
        value = Fraction(paid, unit) * rate.price
        fee = rate.fee_fixed + points * rate.fee_per_point + value * rate.fee_percent / 100
        fee = fee if rate.fee_cap is None else min(fee, rate.fee_cap)
        if reasons:
            return reasons, None
        settlement, charged = floor(value * MILLION + HALF), floor(fee * MILLION + HALF)
        return set(), Figures(units, base + gifts, gifts, charged, settlement, tuple(counted), exact - base)

    def _is_open(self, offer: Offer) -> bool:
        return not (offer.used or offer.cancelled or offer.until <= self.now)

    def _deal(
        self, source: str, target: str, giver: Who, taker: Who, text: str
    ) -> tuple[set[str], int, Figures | None]:
        if source not in self.currencies or target not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, 0, None
        of, to = self.currencies[source], self.currencies[target]
        reasons = self.standing(of.issuer, to.issuer, giver[0], taker[0]) | self._unknown(giver) | self._credited(taker)
        if giver != taker and not of.transferable and frozenset((giver, taker)) not in self.linked:
            reasons.add("TRANSFER_FORBIDDEN")
        units, rate_id = cut(text, of.scale), self.in_force.get((source, target))
        if units is None:
            reasons.add("INVALID_AMOUNT")
        if rate_id is None:
            reasons.add("NO_RATE")
        if units is None or rate_id is None:
            return reasons, 0, None
        wrong, figures = self.figures(rate_id, giver, units)
        return reasons | wrong, rate_id, figures

    def quote(
        self, source: str, target: str, giver: Who, taker: Who, text: str, seconds: int
    ) -> tuple[set[str], Offer | None]:
        reasons, rate_id, figures = self._deal(source, target, giver, taker, text)
        open_ones = [
            offer
            for offer in self.offers.values()
            if offer.giver == giver and self._is_open(offer) and self._pair(offer.rate_id) == (source, target)
        ]
        if len(open_ones) >= QUOTES_OPEN_MAX:
            reasons |= {"TOO_MANY_QUOTES"}
        if reasons or figures is None:
            return reasons, None
        self.customers.add(taker)
        return set(), Offer(rate_id, giver, taker, figures, self.now + timedelta(seconds=seconds))

    def _pair(self, rate_id: int) -> tuple[str, str]:
        return self.rates[rate_id].source.code, self.rates[rate_id].target.code

    def convert(
        self, source: str, target: str, giver: Who, taker: Who, text: str, least: str | None
    ) -> tuple[set[str], tuple[Act, Figures] | None]:
        reasons, rate_id, figures = self._deal(source, target, giver, taker, text)
        if source in self.currencies:
            of = self.currencies[source]
            reasons |= self._short(giver, of, cut(text, of.scale))
        if figures is not None and least is not None:
            wanted = Fraction(least) * 10 ** self.currencies[target].scale
            reasons |= {"SLIPPAGE"} if figures.target < wanted else set()
        if reasons or figures is None:
            return reasons, None
        return self._converted(rate_id, giver, taker, figures)

    def execute(self, number: int) -> tuple[set[str], tuple[Act, Figures] | None]:
        offer = self.offers.get(number)
        if offer is None:
            return {"NOT_FOUND"}, None
        rate = self.rates[offer.rate_id]
        reasons = {
            reason
            for reason, holds in (
                ("QUOTE_USED", offer.used),
                ("QUOTE_CANCELLED", offer.cancelled),
                ("QUOTE_EXPIRED", offer.until <= self.now),
            )
            if holds
        }
        homes = (rate.source.issuer, rate.target.issuer, offer.giver[0], offer.taker[0])
        reasons |= self.standing(*homes, keeping_promises=True)
        reasons |= self._short(offer.giver, rate.source, offer.figures.source)
        if reasons:
            return reasons, None
        wrong, done = self._converted(offer.rate_id, offer.giver, offer.taker, offer.figures)
        offer.used = done is not None
        return wrong, done

    def _converted(
        self, rate_id: int, giver: Who, taker: Who, figures: Figures
    ) -> tuple[set[str], tuple[Act, Figures] | None]:
        rate = self.rates[rate_id]
        money = [(rate.source.issuer, rate.target.issuer, figures.settlement), (rate.source.issuer, "HUB", figures.fee)]
        spent = self.purses[giver, rate.source.code].choose(figures.source, self.now)
        made = self._become(rate, spent, figures)
        if made is None:
            return {"POINTS_EXPIRED", "LIMIT_EXCEEDED"}, None
        try:
            with self.within_caps():
                for leg in money:
                    self.pay(*leg)
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        self.customers.add(taker)
        self.purses[giver, rate.source.code].take(spent)
        self.purses[taker, rate.target.code].put(made)
        for place, bonus in enumerate(rate.bonuses):
            if bonus.cap is not None:
                self.bonus_used[rate_id, place, giver] += figures.eligible[place]
        homes = {giver[0], taker[0], rate.source.issuer, rate.target.issuer}
        if figures.fee and rate.source.issuer != "HUB":
            homes.add("HUB")
        act = Act(
            "convert",
            figures.target,
            rate.target,
            giver,
            taker,
            (rate.source, figures.source),
            money,
            homes,
            spent,
            made,
            rate_id,
            figures.eligible,
        )
        return set(), (act, figures)

    def _become(self, rate: Rate, spent: list[Part], figures: Figures) -> list[Part] | None:
        """What the spent points are in the target currency, part by part; None if some come back to a currency in which
        they are over. Each part's share is what all up to it come to, less what those before it came to."""
        to, found, passed = rate.target, [], 0
        for part in spent:
            before, passed = Fraction(passed * figures.target, figures.source), passed + part.amount
            units = floor(Fraction(passed * figures.target, figures.source)) - floor(before)
            if not units:
                continue
            was = dict(part.was)
            if part.end != FOR_EVER or rate.source.ends != "NEVER":
                was[rate.source.code] = part.end
            earned = self.now if part.plain else part.earned
            if to.code in was:
                end = was.pop(to.code)
                if end <= self.now:
                    return None
            elif rate.carried and part.end != FOR_EVER:
                end = part.end
            else:
                earned = self.now
                end = end_of_life(to.ends, to.months, to.zone, earned)
            day = local_day(earned, to.zone).isoformat() if self._by_day(to, earned, end) else None
            found.append(Part(units, end, earned, tuple(sorted(was.items())), day))
        return together(found)

    def reverse(self, number: int, text: str | None) -> tuple[set[str], tuple[int, list[int]] | None]:
        """Answers the points that are reversed and the money of each leg."""
        act = self.acts.get(number)
        if act is None:
            return {"NOT_FOUND"}, None
        left = act.total - act.reversed
        units = left if text is None else cut(text, act.currency.scale)
        reasons = self.standing(*act.homes, keeping_promises=True)
        reasons |= {"ALREADY_REVERSED"} if left == 0 else set()
        reasons |= {"INVALID_AMOUNT"} if units is None and left else set()
        reasons |= {"EXCEEDS_ORIGINAL"} if units is not None and left and units > left else set()
        if units and act.taker is not None and self.purses[act.taker, act.currency.code].available < units:
            reasons |= {"INSUFFICIENT_POINTS"}
        if reasons or units is None:
            return reasons, None

        def part(whole: int) -> int:
            return whole * (act.reversed + units) // act.total - whole * act.reversed // act.total

        money = [part(amount) for _, _, amount in act.money]
        try:
            with self.within_caps():
                for (payer, payee, _), amount in zip(act.money, money, strict=True):
                    self.pay(payee, payer, amount)
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        if act.taker is not None:
            self._take_back(act, units)
        if act.giver is not None:
            self._give_back(act, units)
            for place, counted in enumerate(act.eligible):
                if self.rates[act.rate_id].bonuses[place].cap is not None:
                    self.bonus_used[act.rate_id, place, act.giver] -= part(counted)
        act.reversed += units
        return set(), (units, money)

    def _take_back(self, act: Act, units: int) -> None:
        """From the lots that the act made, the last first; what these do not hold any more comes from the others, as
        if it were spent."""
        assert act.taker is not None
        purse = self.purses[act.taker, act.currency.code]
        parts, lacking = [], 0
        for part in between(act.made, act.reversed, act.reversed + units, from_the_end=True):
            lot = purse.lots.get(part.tag)
            there = purse.plain - purse.plain_held if part.plain else 0
            if lot is not None and part.end > self.now:
                there = lot.free
            there = min(there, part.amount)
            lacking += part.amount - there
            parts += [replace(part, amount=there)] if there else []
        purse.take(together([*parts, *purse.choose(lacking, self.now, but=parts)]))

    def _give_back(self, act: Act, units: int) -> None:
        """To the lots that they were, the last used first; what has ended meanwhile gets the days of grace, or goes."""
        assert act.giver is not None
        of, whole = act.given

        def share(of_total: int) -> int:
            return whole * of_total // act.total

        parts = between(act.spent, share(act.reversed), share(act.reversed + units), from_the_end=True)
        if grace := self.policies[of.code].grace_days:
            until = dawn(local_day(self.now, of.zone) + timedelta(days=grace + 1), of.zone)
            parts = [part if part.end > self.now else replace(part, end=until) for part in parts]
        self.purses[act.giver, of.code].put(parts)
        self._lapse(act.giver, of)

    # --- settlement ---------------------------------------------------------------------------------------------------

    def close(self, cent: int = 10_000) -> None:
        """Net the open window to whole cents that sum to zero, and open the next."""
        exact = {
            node: sides[1] - sides[0]
            for (window, node), sides in self.own.items()
            if window == self.window and any(sides)
        }
        nets = {node: value // cent * cent for node, value in exact.items()}
        short = -sum(nets.values()) // cent
        losers = sorted(exact, key=lambda node: (nets[node] - exact[node], node))
        for node in losers[:short]:
            nets[node] += cent
        self.nets[self.window] = nets
        self.unpaid[self.window] = dict(nets)
        self.window += 1
        self.parents_in[self.window] = dict(self.parents)
        self._settle()

    def confirm(self, window: int, node: str, amount: int) -> set[str]:
        earlier = [one for one in self.nets if one < window and one not in self.settled]
        if earlier:
            return {"WINDOW_ORDER"}
        if window == self.window:
            return {"INVALID_INPUT"}
        if node not in self.nets[window]:
            return {"NOT_FOUND"}
        if self.unpaid[window][node] == 0:
            return {"DUPLICATE"}
        if amount != self.nets[window][node]:
            return {"INVALID_AMOUNT"}
        self.unpaid[window][node] = 0
        self._settle()
        return set()

    def _settle(self) -> None:
        for window in sorted(self.nets):
            if any(self.unpaid[window].values()):
                return
            self.settled.add(window)


@dataclass
class Kept:
    """What stands under a key."""

    command: Any
    reason: str | None
    details: dict[str, str] = field(default_factory=dict)
    number: int | None = None
