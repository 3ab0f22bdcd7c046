"""Freezes and debts in the model."""

from tests.properties.model.calendar import FOR_EVER
from tests.properties.model.customers import ALL
from tests.properties.model.holds import Holds
from tests.properties.model.purses import Who
from tests.properties.model.records import Promise, cut


class Freezes(Holds):
    """Points and accounts that wait for a decision, and what is owed after it."""

    def freeze(self, code: str, who: Who, text: str) -> tuple[set[str], Promise | None]:
        """As far as there is; the rest is kept as a shortfall."""
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        reasons = self._unknown(who) | ({"INVALID_AMOUNT"} if units is None else set())
        if reasons or units is None:
            return reasons, None
        purse = self.purses[who, code]
        there = min(units, purse.available)
        pins = purse.choose(there, self.now)
        purse.pin(pins)
        return set(), Promise(who, of, there, FOR_EVER, pins, frozen=True, shortfall=units - there)

    def resolve(self, number: int, *, removes: bool) -> tuple[set[str], Promise | None]:
        """The points are free again; or gone, and the shortfall is taken from what there is besides, then owed or
        given up."""
        freeze = self.holds.get(number)
        if freeze is None or not freeze.frozen:
            return {"NOT_FOUND"}, None
        if freeze.status != "HELD":
            return {"FREEZE_RESOLVED"}, None
        who, of = freeze.who, freeze.currency
        self._meet("points are over that were frozen", any(part.end <= self.now for part in freeze.pins))
        if not removes:
            self._end(freeze, "RELEASED")
            self._lapse(who, of)
            return set(), freeze
        purse = self.purses[who, of.code]
        more = min(freeze.shortfall, purse.available)
        purse.take(purse.choose(more, self.now))
        self._end(freeze, "CAPTURED")
        purse.take(freeze.pins)
        freeze.captured = freeze.amount
        self._lack(who, of.code, freeze.shortfall - more, owes=self.policies[of.code].owes)
        return set(), freeze

    def _lack(self, who: Who, code: str, units: int, *, owes: bool) -> None:
        """Points were to be taken that are not there."""
        self.missing[code][0 if owes else 1] += units
        self._meet("points are missing and owed" if owes else "points are missing and given up", units)
        self.debts[who, code] += units if owes else 0

    def freeze_account(self, who: Who, code: str) -> tuple[set[str], None]:
        reasons = self._nobody(who, code) | ({"DUPLICATE"} if (who, code) in self.frozen else set())
        if not reasons:
            self.frozen.add((who, code))
        return reasons, None

    def unfreeze_account(self, who: Who, code: str) -> tuple[set[str], None]:
        reasons = self._nobody(who, code) | ({"NOT_FOUND"} if (who, code) not in self.frozen else set())
        self.frozen.discard((who, code))
        return reasons, None

    def _nobody(self, who: Who, code: str) -> set[str]:
        unknown = code != ALL and code not in self.currencies
        return self._unknown(who) | ({"UNKNOWN_CURRENCY"} if unknown else set())

    def write_off(self, code: str, who: Who, text: str | None) -> tuple[set[str], None]:
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        debt = self.debts[who, code]
        units = debt if text is None else cut(text, self.currencies[code].scale)
        reasons = self._unknown(who) | ({"INVALID_AMOUNT"} if units is None else set())
        reasons |= {"EXCEEDS_DEBT"} if units is not None and not 0 < units <= debt else set()
        if not reasons and units is not None:
            self.debts[who, code] -= units
            self._meet("a debt is written off")
        return reasons, None
