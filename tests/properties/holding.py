"""Holding: drawn commands on points and accounts that wait: holds, freezes, and what is owed after them."""

from datetime import timedelta

from hub.ledger import commands
from hub.ledger.commands import FreezeOutcome, Party
from hub.points import render
from tests.properties.model.customers import ALL
from tests.properties.picking import NO_HOLD, Drawn
from tests.properties.trading import Trading, spent
from tests.properties.world import PLACES


class Holding(Trading):
    """Holds, freezes, and debts."""

    def hold(self) -> Drawn:
        code = self.currency()
        who = self.giver(code)
        way = self.way(who)
        days = self.model.policies[code].hold_days if code in self.model.policies else 30
        text, until = self.amount(code, 400), self.later(days + 1)
        if self.dice.random() < 0.05:
            until = self.model.now - timedelta(seconds=1)
        command = commands.HoldPoints(
            actor=self.actor,
            key=self.key(),
            currency=code,
            customer=Party(*who),
            amount=text,
            expires_at=until,
            memo=None,
            **spent(way),
        )
        return command, lambda: self.model.hold(code, who, text, until, way)

    def capture(self) -> Drawn:
        number, dice = self.promised(), self.dice
        if number == NO_HOLD and dice.random() > 0.03:
            return self.hold()
        promise = self.model.holds.get(number)
        text = None
        if promise is not None and dice.random() < 0.7:
            units = dice.choice([dice.randint(1, promise.amount or 1), promise.amount, promise.amount + 1])
            text = render(units, promise.currency.scale)
        taker = self.who() if dice.random() < 0.4 else None
        merchant = dice.choice([*PLACES, "NOBODY"]) if dice.random() < (0.5 if taker is None else 0.03) else None
        command = commands.CaptureHold(
            actor=self.actor,
            key=self.key(),
            hold=number,
            amount=text,
            target=None if taker is None else Party(*taker),
            merchant=merchant,
        )
        return command, lambda: self.model.capture(number, text, taker, merchant)

    def release(self) -> Drawn:
        number = self.promised()
        return commands.ReleaseHold(actor=self.actor, key=self.key(), hold=number), lambda: self.model.release(number)

    # --- freezes -----------------------------------------------------------------------------------------------------

    def freeze(self) -> Drawn:
        code = self.currency()
        who = self.giver(code)
        text = self.amount(code, self.dice.choice([100, 400, 4000]))
        command = commands.FreezePoints(
            actor=self.actor, key=self.key(), currency=code, customer=Party(*who), amount=text, reason="suspected"
        )
        return command, lambda: self.model.freeze(code, who, text)

    def resolve(self) -> Drawn:
        number = self.promised(frozen=True)
        if number == NO_HOLD and self.dice.random() > 0.03:
            return self.freeze()
        outcome = self.dice.choice([FreezeOutcome.REMOVE, FreezeOutcome.REMOVE, FreezeOutcome.RELEASE])
        command = commands.ResolveFreeze(
            actor=self.actor, key=self.key(), freeze=number, outcome=outcome, reason="decided"
        )
        return command, lambda: self.model.resolve(number, removes=outcome is FreezeOutcome.REMOVE)

    def freeze_account(self) -> Drawn:
        code, who = ALL if self.dice.random() < 0.3 else self.currency(), self.who()
        command = commands.FreezeAccount(
            actor=self.actor, key=self.key(), customer=Party(*who), currency=code or None, reason="suspected"
        )
        return command, lambda: self.model.freeze_account(who, code)

    def unfreeze_account(self) -> Drawn:
        who, code = self.who(), self.currency()
        if self.model.frozen and self.dice.random() < 0.95:
            who, code = self.dice.choice(sorted(self.model.frozen))
        command = commands.UnfreezeAccount(
            actor=self.actor, key=self.key(), customer=Party(*who), currency=code or None, reason="cleared"
        )
        return command, lambda: self.model.unfreeze_account(who, code)

    def write_off(self) -> Drawn:
        owing = sorted(key for key, units in self.model.debts.items() if units)
        who, code = self.who(), self.currency()
        if owing and self.dice.random() < 0.9:
            who, code = self.dice.choice(owing)
        text = None
        if self.dice.random() < 0.7:
            text = self.amount(code, self.model.debts.get((who, code), 0) or 100)
        command = commands.WriteOffDebt(
            actor=self.actor, key=self.key(), currency=code, customer=Party(*who), amount=text, reason="given up"
        )
        return command, lambda: self.model.write_off(code, who, text)
