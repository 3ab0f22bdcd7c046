"""Trading: drawn commands on points of customers, and their opposite."""

from datetime import timedelta
from typing import Any

from hub.ledger import commands
from hub.ledger.commands import Party, ReversalShortfall
from hub.points import render
from tests.properties.model.records import Way
from tests.properties.picking import Drawn, Picking
from tests.properties.world import PLACES, POOLS, RATES


def spent(way: Way) -> dict[str, Any]:
    """How it is spent, in the words of commands."""
    return {"channel": way.channel, "by": None if way.by is None else Party(*way.by)}


class Trading(Picking):
    """Issues, transfers, redemptions, conversions and reversals."""

    def issue(self) -> Drawn:
        code, to = self.currency(), self.who()
        text = self.fitting("ISSUE", code, to, 5000)
        now, dice = self.model.now, self.dice
        earned, ends = None, None
        if dice.random() < 0.25:
            earned = dice.choice([now - timedelta(hours=dice.randint(1, 1500)), now + timedelta(days=1)])
        if dice.random() < 0.3:
            ends = dice.choice([self.later(20), self.later(60), now - timedelta(hours=1)])
        channel = self.channel()
        command = commands.Issue(
            actor=self.actor,
            key=self.key(),
            currency=code,
            to=Party(*to),
            amount=text,
            earned_at=earned,
            expires_at=ends,
            memo=self.dice.choice([None, "memo 中"]),
            channel=channel,
        )
        return command, lambda: self.model.issue(code, to, text, earned, ends, channel)

    def transfer(self) -> Drawn:
        code, taker = self.currency(), self.who()
        giver = self.giver(code)
        text, way = self.fitting("TRANSFER", code, giver, 600), self.way(giver)
        command = commands.Transfer(
            actor=self.actor,
            key=self.key(),
            currency=code,
            source=Party(*giver),
            target=Party(*taker),
            amount=text,
            memo=None,
            **spent(way),
        )
        return command, lambda: self.model.transfer(code, giver, taker, text, way)

    def redeem(self) -> Drawn:
        code = self.currency()
        giver = self.giver(code)
        merchant = self.dice.choice([*PLACES, *PLACES, "HUB", "GROUP", "NOBODY"])
        text, way = self.fitting("REDEEM", code, giver, 600), self.way(giver)
        command = commands.Redeem(
            actor=self.actor,
            key=self.key(),
            currency=code,
            customer=Party(*giver),
            merchant=merchant,
            amount=text,
            memo=None,
            **spent(way),
        )
        return command, lambda: self.model.redeem(code, giver, merchant, text, way)

    def pair(self) -> tuple[str, str]:
        if self.dice.random() < 0.05:
            return self.currency(), self.currency()
        terms = self.dice.choice(RATES)
        return terms.source.code, terms.target.code

    def quote(self) -> Drawn:
        (source, target), taker = self.pair(), self.who()
        giver = self.giver(source)
        taker = giver if self.dice.random() < 0.3 else taker
        text, seconds = self.amount(source, 400), 0 if self.dice.random() < 0.2 else 3600
        command = commands.RequestQuote(
            actor=self.actor,
            source=Party(*giver),
            target=Party(*taker),
            source_currency=source,
            target_currency=target,
            amount=text,
            ttl_seconds=seconds,
        )
        return command, lambda: self.model.quote(source, target, giver, taker, text, seconds)

    def execute(self) -> Drawn:
        known = list(self.model.offers)[-8:]
        if not known and self.dice.random() > 0.03:
            return self.quote()
        if self.dice.random() < 0.8:
            known = [number for number in known if not self.model.offers[number].used]
        number = self.dice.choice(known) if known and self.dice.random() > 0.03 else 12345
        offer = self.model.offers.get(number)
        way = Way() if offer is None else self.way(offer.giver)
        command = commands.ExecuteQuote(actor=self.actor, key=self.key(), quote=number, **spent(way))
        return command, lambda: self.model.execute(number, way)

    def convert(self) -> Drawn:
        (source, target), taker = self.pair(), self.who()
        giver = self.giver(source)
        taker = giver if self.dice.random() < 0.3 else taker
        to = self.model.currencies.get(target)
        unit = "1" if to is None else render(1, to.scale)
        text, least = self.amount(source, 400), self.dice.choice([None, None, None, unit, "100"])
        way = self.way(giver)
        command = commands.Convert(
            actor=self.actor,
            key=self.key(),
            source=Party(*giver),
            target=Party(*taker),
            source_currency=source,
            target_currency=target,
            amount=text,
            minimum_target=least,
            **spent(way),
        )
        return command, lambda: self.model.convert(source, target, giver, taker, text, least, way)

    def telling(self) -> list[int]:
        """Acts of a pool, what went into one, or acts of who owes by now: what comes back of these meets something."""
        acts, model = self.model.acts.items(), self.model
        match self.dice.randrange(5):
            case 0 | 1:
                return [number for number, act in acts if act.giver in POOLS]
            case 2:
                return [number for number, act in acts if act.kind == "contribute" and act.reversed < act.total]
        return [number for number, act in acts if act.giver and model.debts[act.giver, act.given[0].code]]

    def reverse(self) -> Drawn:
        known = list(self.model.acts)[-30:]
        if self.dice.random() < 0.85:
            known = [number for number in known if self.model.acts[number].reversed < self.model.acts[number].total]
        if self.dice.random() < 0.3:
            known = self.telling() or known
        number = self.dice.choice(known) if known and self.dice.random() > 0.03 else 54321
        if self.final and self.dice.random() < 0.02:
            number = self.dice.choice(self.final)
        act = self.model.acts.get(number)
        text = None
        if act is not None and self.dice.random() < 0.8:
            text = self.dice.choice(
                [
                    render(self.dice.randint(1, act.total), act.currency.scale),
                    render(max(1, act.total // 3), act.currency.scale),
                    self.amount(act.currency.code, act.total),
                ]
            )
        taken_back = act is not None and act.kind == "issue" and self.dice.random() < 0.4
        shortfall = ReversalShortfall.REFUSE
        if taken_back or self.dice.random() < 0.02:
            shortfall = self.dice.choice([ReversalShortfall.DEBT, ReversalShortfall.DEBT, ReversalShortfall.WRITE_OFF])
        command = commands.Reverse(
            actor=self.actor, key=self.key(), id=number, amount=text, reason="returned", shortfall=shortfall
        )
        return command, lambda: self.model.reverse(number, text, shortfall.value)
