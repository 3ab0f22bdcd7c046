"""Reversals in the model."""

from dataclasses import replace
from datetime import timedelta

from tests.properties.model.calendar import dawn, local_day
from tests.properties.model.conversions import Conversions
from tests.properties.model.purses import Part, Who, between, together, total
from tests.properties.model.records import Act, Refused, cut
from tests.properties.model.terms import Currency

REFUSE, DEBT = "REFUSE", "DEBT"


class Reversals(Conversions):
    """The opposite of what was done, in parts; each cumulative share is rounded down."""

    def __init__(self, parents: dict[str, str], currencies: list[Currency], closed_to_strangers: set[str]) -> None:
        super().__init__(parents, currencies, closed_to_strangers)
        self.acts: dict[int, Act] = {}

    def reverse(
        self, number: int, text: str | None, shortfall: str = REFUSE
    ) -> tuple[set[str], tuple[int, list[int]] | None]:
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
        reasons |= {"INVALID_INPUT"} if shortfall != REFUSE and act.kind != "issue" else set()

        def part(whole: int, more: int) -> int:
            return whole * (act.reversed + more) // act.total - whole * act.reversed // act.total

        if act.only_of is not None and act.taker is not None:
            reasons |= self._not_in(act.taker, act.only_of)
            self._meet("who has left is to get a contribution back", "NOT_A_MEMBER" in reasons)
        if units and act.taker is not None and shortfall == REFUSE:
            there = self._takable(act, act.taker)
            reasons |= {"INSUFFICIENT_POINTS"} if there + part(act.repaid, units) < units else set()
            reasons |= {"FROZEN"} if self.is_frozen(act.taker, act.currency.code) else set()
        if reasons or units is None:
            return reasons, None
        money = [part(amount, units) for _, _, amount in act.money]
        try:
            self.pay((payee, payer, back) for (payer, payee, _), back in zip(act.money, money, strict=True))
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        if act.taker is not None:
            self._take_back(act, act.taker, units, part(act.repaid, units), owes=shortfall == DEBT)
        if act.giver is not None:
            self._give_back(act, act.giver, units)
            for place, counted in enumerate(act.eligible):
                if self.rates[act.rate_id].bonuses[place].cap is not None:
                    self.bonus_used[act.rate_id, place, act.giver] -= part(counted, units)
        for key, counted in act.counted:
            self.used[key] -= part(counted, units)
            over = self.limits[key[0]].period_at(self.now) != key[2]
            self._meet("headroom comes back to a period that is over", over and part(counted, units))
        act.reversed += units
        return set(), (units, money)

    def _take_back(self, act: Act, taker: Who, units: int, owed: int, *, owes: bool) -> None:
        """What went into a debt is owed again, and pays for as much. The rest comes from the lots that the act made,
        the last first; what these do not hold any more comes from the others, as if it were spent; and what is not
        there at all is missing. Out of a pool only what the giver put in is there."""
        purse, code = self.purses[taker, act.currency.code], act.currency.code
        wanted = min(units - owed, self._takable(act, taker))
        self.debts[taker, code] += owed
        self._meet("a repaid debt is owed again", owed)
        self._lack(taker, code, units - owed - wanted, owes=owes)
        lots = [
            part for part in between(act.made, act.reversed, act.reversed + units, from_the_end=True) if not part.plain
        ]
        lots = between(lots, 0, wanted)
        parts, lacking = [], 0
        for part in [*lots, Part(wanted - total(lots))]:
            lot = purse.lots.get(part.tag)
            there = purse.plain - purse.plain_held if part.plain else 0
            if lot is not None and part.end > self.now:
                there = lot.free
            there = min(there, part.amount)
            lacking += part.amount - there
            parts += [replace(part, amount=there)] if there else []
        self._meet("a contribution comes back after some of it was spent", act.only_of and lacking)
        self._meet("what a contribution repaid is owed again", act.only_of and owed)
        purse.take(together([*parts, *purse.choose(lacking, self.now, but=parts, giver=act.only_of)]))

    def _takable(self, act: Act, taker: Who) -> int:
        """What there is that the act can take back."""
        purse = self.purses[taker, act.currency.code]
        return purse.available if act.only_of is None else purse.available_of(act.only_of)

    def _give_back(self, act: Act, giver: Who, units: int) -> None:
        """To the lots that they were, the last used first; what has ended meanwhile gets the days of grace, or goes."""
        of, whole = act.given

        def share(of_total: int) -> int:
            return whole * of_total // act.total

        parts = between(act.spent, share(act.reversed), share(act.reversed + units), from_the_end=True)
        if grace := self.policies[of.code].grace_days:
            until = dawn(local_day(self.now, of.zone) + timedelta(days=grace + 1), of.zone)
            parts = [part if part.end > self.now else replace(part, end=until) for part in parts]
        self._give(giver, of.code, parts, "a reversal")
        members = self.pools[giver].rights if giver in self.pools else {}
        left = [part.giver for part in parts if part.giver is not None and part.giver not in members]
        self._meet("points of a member who has left come back to the pool", left)
        self._lapse(giver, of)
