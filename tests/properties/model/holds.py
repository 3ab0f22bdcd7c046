"""Holds in the model."""

from datetime import datetime, timedelta

from tests.properties.model.limits import Side
from tests.properties.model.moves import PLAIN, Moves
from tests.properties.model.purses import MAIN, Who, between, placed, total
from tests.properties.model.records import Act, Money, Promise, Refused, Way, cut


class Holds(Moves):
    """Points that are promised until an instant."""

    def hold(
        self, code: str, who: Who, text: str, until: datetime, way: Way = PLAIN
    ) -> tuple[set[str], Promise | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self.standing(of.issuer, who[0]) | self._may_spend(who, of, units, way)
        latest = self.now + timedelta(days=self.policies[code].hold_days)
        reasons |= set() if self.now < until <= latest else {"INVALID_INPUT"}
        if reasons or units is None:
            return reasons, None
        purse = self.purses[who, code]
        pins = purse.choose(units, self.now, part=self._from(code, way))
        purse.pin(pins)
        self._by(who, way)
        return set(), Promise(who, of, units, until, pins)

    def _not_held(self, number: int) -> tuple[set[str], Promise | None]:
        hold = self.holds.get(number)
        if hold is None or hold.frozen:
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
        reasons |= {"FROZEN"} if self.is_frozen(hold.who, of.code) else set()
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
        homes = {hold.who[0], of.issuer, *([] if taker is None else [taker[0]])}
        money: list[Money] = []
        if merchant is not None:
            money, homes = [(of.issuer, merchant, self._worth(of, units))], homes | {merchant}
        if taker is None:
            sides = [Side("REDEEM", of, hold.who, units, money[0][2] if money else None)]
        else:
            sides = [Side("TRANSFER", of, hold.who, units), Side("RECEIVE", of, taker, units)]
        try:
            counted = self._count(*sides)
            self._meet("a capture counts under a limit", counted)
            self.pay(money)
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        spent = between(good, 0, units)
        purse = self._end(hold, "CAPTURED")
        hold.captured = units
        purse.take(spent)
        act = Act("capture", units, of, hold.who, taker, (of, units), money, homes, spent, counted=counted)
        if taker is not None:
            self.customers.add(taker)
            act.made = placed(spent, self.now, MAIN)
            act.repaid = self._give(taker, of.code, act.made, "a capture")
        self._lapse(hold.who, of)
        return set(), (hold, self._use(act))
