"""Quotes and conversions in the model, in exact fractions."""

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from math import floor

from tests.properties.model.calendar import FOR_EVER, end_of_life, local_day
from tests.properties.model.customers import HALF, MILLION
from tests.properties.model.freezes import Freezes
from tests.properties.model.limits import Side
from tests.properties.model.moves import PLAIN
from tests.properties.model.purses import Part, Who, placed, together
from tests.properties.model.records import Act, Figures, Offer, Refused, Way, cut
from tests.properties.model.terms import Currency, Rate

QUOTES_OPEN_MAX = 5


class Conversions(Freezes):
    """What points of one currency become in another."""

    def __init__(self, parents: dict[str, str], currencies: list[Currency], closed_to_strangers: set[str]) -> None:
        super().__init__(parents, currencies, closed_to_strangers)
        self.rates: dict[int, Rate] = {}
        self.in_force: dict[tuple[str, str], int] = {}
        self.linked: set[frozenset[Who]] = set()  # who are one person
        self.bonus_used: dict[tuple[int, int, Who], int] = defaultdict(int)
        self.offers: dict[int, Offer] = {}

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
        self, source: str, target: str, giver: Who, taker: Who, text: str, least: str | None, way: Way = PLAIN
    ) -> tuple[set[str], tuple[Act, Figures] | None]:
        reasons, rate_id, figures = self._deal(source, target, giver, taker, text)
        if source in self.currencies:
            of = self.currencies[source]
            reasons |= self._may_spend(giver, of, cut(text, of.scale), way)
        if figures is not None and least is not None:
            wanted = Fraction(least) * 10 ** self.currencies[target].scale
            reasons |= {"SLIPPAGE"} if figures.target < wanted else set()
        if reasons or figures is None:
            return reasons, None
        return self._converted(rate_id, giver, taker, figures, way)

    def execute(self, number: int, way: Way = PLAIN) -> tuple[set[str], tuple[Act, Figures] | None]:
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
        reasons |= self._may_spend(offer.giver, rate.source, offer.figures.source, way)
        if reasons:
            return reasons, None
        wrong, done = self._converted(offer.rate_id, offer.giver, offer.taker, offer.figures, way)
        offer.used = done is not None
        return wrong, done

    def _converted(
        self, rate_id: int, giver: Who, taker: Who, figures: Figures, way: Way
    ) -> tuple[set[str], tuple[Act, Figures] | None]:
        rate = self.rates[rate_id]
        of, to = rate.source, rate.target
        money = [(of.issuer, to.issuer, figures.settlement), (of.issuer, "HUB", figures.fee)]
        spent = self.purses[giver, of.code].choose(figures.source, self.now, part=self._from(of.code, way))
        made = self._become(rate, spent, figures)
        if made is None:
            return {"POINTS_EXPIRED", "LIMIT_EXCEEDED"}, None
        try:
            counted = self._count(
                Side("CONVERT", of, giver, figures.source, figures.settlement, to.code),
                Side("CONVERT_IN", to, taker, figures.target),
            )
            self.pay(money)
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        self.customers.add(taker)
        self._spend(giver, of.code, figures.source, way)
        made = placed(made, self.now, self._part(to.code, way.channel))
        for place, bonus in enumerate(rate.bonuses):
            if bonus.cap is not None:
                self.bonus_used[rate_id, place, giver] += figures.eligible[place]
        homes = {giver[0], taker[0], of.issuer, to.issuer}
        if figures.fee and of.issuer != "HUB":
            homes.add("HUB")
        act = Act("convert", figures.target, to, giver, taker, (of, figures.source), money, homes, spent, made)
        act.repaid, act.counted = self._give(taker, to.code, made, "a conversion"), counted
        act.rate_id, act.eligible = rate_id, figures.eligible
        return set(), (self._use(act), figures)

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
