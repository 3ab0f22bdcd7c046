"""Issues, transfers and redemptions in the model."""

from datetime import datetime

from tests.properties.model.calendar import FOR_EVER, end_of_life, local_day
from tests.properties.model.limits import Limits, Side
from tests.properties.model.purses import Part, Who, placed
from tests.properties.model.records import Act, Refused, Way, cut

PLAIN = Way()


class Moves(Limits):
    """What is done with points of one currency."""

    def issue(
        self,
        code: str,
        to: Who,
        text: str,
        earned_at: datetime | None = None,
        ends_at: datetime | None = None,
        channel: str | None = None,
    ) -> tuple[set[str], Act | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        asked = cut(text, of.scale)
        reasons = self.standing(of.issuer, to[0]) | self._credited(to)
        reasons |= {"INVALID_AMOUNT"} if asked is None else set()
        earned = earned_at or self.now
        end = ends_at or end_of_life(of.ends, of.months, of.zone, earned)
        reasons |= {"INVALID_INPUT"} if end <= self.now or earned > self.now else set()
        if asked is None:
            return reasons, None
        units, by = self._fitting(Side("ISSUE", of, to, asked))
        if reasons or not units:
            return reasons | (set() if units else {"LIMIT_EXCEEDED"}), None
        try:
            counted = self._count(Side("ISSUE", of, to, units))
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        part = Part(units) if end == FOR_EVER else Part(units, end, earned)
        if self._by_day(of, earned, end) or (end == FOR_EVER and earned_at is not None):
            part = Part(units, end, earned, day=local_day(earned, of.zone).isoformat())
        self.customers.add(to)
        made = placed([part], self.now, self._part(code, channel))
        act = Act("issue", units, of, None, to, (of, units), [], {of.issuer, to[0]}, made=made, counted=counted)
        act.repaid = self._give(to, code, made, "an issue")
        act.clipped = None if by is None else (by, asked)
        self._meet("an issue is clipped", by)
        return set(), self._use(act)

    def transfer(self, code: str, giver: Who, taker: Who, text: str, way: Way = PLAIN) -> tuple[set[str], Act | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self.standing(of.issuer, giver[0], taker[0]) | self._credited(taker)
        reasons |= self._may_spend(giver, of, units, way)
        reasons |= {"INVALID_INPUT"} if giver == taker else set()
        reasons |= {"TRANSFER_FORBIDDEN"} if not of.transferable else set()
        if reasons or units is None:
            return reasons, None
        try:
            counted = self._count(Side("TRANSFER", of, giver, units), Side("RECEIVE", of, taker, units))
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        self.customers.add(taker)
        spent = self._spend(giver, code, units, way)
        made = placed(spent, self.now, self._part(code, way.channel))
        act = Act("transfer", units, of, giver, taker, (of, units), [], {giver[0], taker[0]}, spent, made)
        act.repaid, act.counted = self._give(taker, code, made, "a transfer"), counted
        return set(), self._use(act)

    def redeem(self, code: str, giver: Who, merchant: str, text: str, way: Way = PLAIN) -> tuple[set[str], Act | None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        if merchant not in self.status:
            return {"NOT_FOUND"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self.standing(of.issuer, giver[0], merchant) | self._may_spend(giver, of, units, way)
        if reasons or units is None:
            return reasons, None
        money = [(of.issuer, merchant, self._worth(of, units))]
        try:
            counted = self._count(Side("REDEEM", of, giver, units, money[0][2]))
            self.pay(money)
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        homes = {giver[0], of.issuer, merchant}
        spent = self._spend(giver, code, units, way)
        return set(), self._use(
            Act("redeem", units, of, giver, None, (of, units), money, homes, spent, counted=counted)
        )
