"""A small world, random commands in it, and what the model makes of each: for the machine and the simulator.

Whoever draws asks the model to let time pass before each answer is judged.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import msgspec

from hub.access import Role
from hub.currencies import ExpiryKind
from hub.ledger import commands, decide
from hub.ledger.commands import BonusTerms, MoneyText, Party
from hub.points import render
from hub.rates import Funding, Life
from tests.conftest import Hub
from tests.properties import model
from tests.properties.model import Bonus, Currency, Kept, Model, Rate, Who
from tests.properties.purses import FOR_EVER

NO_HOLD = 777
Drawn = tuple[commands.Command, Callable[[], tuple[set[str], Any]]]

PARENTS = {"GROUP": "HUB", "BANK": "GROUP", "STORE": "GROUP", "AIR": "HUB", "SHOP": "AIR"}
BP = Currency("BP", "BANK", 0, Fraction("0.05"), ends="MONTHS_AFTER_EARNING", months=2, zone="Asia/Shanghai")
MI = Currency("MI", "AIR", 2, Fraction("0.0333"), ends="END_OF_MONTH", months=1, zone="America/Havana")
GP = Currency("GP", "STORE", 1, Fraction("0.123456789012"))
NT = Currency("NT", "BANK", 0, Fraction("0.01"), transferable=False, ends="END_OF_YEAR", zone="Africa/Cairo")
CURRENCIES = {one.code: one for one in (BP, MI, GP, NT)}
RATES = [
    Rate(
        BP,
        MI,
        Fraction(2, 3),
        MI.value,
        (Bonus(percent=Fraction(10), cap=500), Bonus(per_block=50, block=100, paid=False)),
        minimum=10,
        fee_per_point=Fraction("0.0006"),
        fee_percent=Fraction(1),
        fee_cap=Fraction("0.5"),
    ),
    Rate(MI, BP, Fraction(1, 1), BP.value, step=25, carried=True),
    Rate(BP, GP, Fraction(3, 7), Fraction("0.07"), fee_fixed=Fraction("0.003"), carried=True),
    Rate(GP, BP, Fraction(1, 1), BP.value, (Bonus(percent=Fraction("0.5")),)),
    Rate(
        GP,
        MI,
        Fraction(1, 3),
        MI.value,
        (Bonus(percent=Fraction(50), cap=100), Bonus(percent=Fraction(7), cap=60)),
        carried=True,
    ),
    Rate(NT, BP, Fraction(1, 10), BP.value, fee_percent=Fraction("33.333333")),
]
START = datetime(2031, 1, 29, 15, 30, tzinfo=UTC)  # before the month that has no 30th
PLACES = ["BANK", "STORE", "AIR", "SHOP"]


_TICK = timedelta(microseconds=1)  # as little as two batches are apart


class Clock:
    """The hub's time, which passes only when it is asked for, and jumps; ``told`` is all that it said."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.told: list[datetime] = []

    def __call__(self, _database: datetime) -> datetime:
        self.now += _TICK
        self.told.append(self.now)
        return self.now

    def jump(self, to: timedelta | datetime) -> None:
        """Let nothing happen for a while, or until then; never backwards."""
        target = self.now + to if isinstance(to, timedelta) else to - _TICK
        self.now = max(self.now, target)


class Drawing:
    """Draws commands by a seed, and judges what is answered to them."""

    def __init__(self, actor: int, seed: int) -> None:
        self.actor = actor
        self.dice = random.Random(seed)
        self.model = Model(PARENTS, list(CURRENCIES.values()), {"SHOP"})
        self.kept: dict[str, Kept] = {}
        self.seen: dict[str, int] = {}  # how often each verdict came, for the test of the test

    def saw(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    async def found(self, hub: Hub, clock: Clock) -> None:
        """Make the world, in the hub and in the model."""
        for code, parent in PARENTS.items():
            await hub.institution(code, parent=parent, auto_enroll=code != "SHOP")
        for of in CURRENCIES.values():
            await hub.currency(
                of.code,
                of.issuer,
                scale=of.scale,
                unit_value=decimal(of.value),
                transferable=of.transferable,
                expiry=ExpiryKind(of.ends),
                months=of.months,
                time_zone=of.zone,
            )
        for terms in RATES:
            await self.approve(hub, terms)
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party("SHOP", "c0")))
        self.model.customers.add(("SHOP", "c0"))
        soon = clock.now + timedelta(days=12)
        for code in CURRENCIES:
            for home in ("BANK", "STORE", "AIR"):
                for amount, ends in (("1500", None), ("500", soon)):
                    issued = await hub.do(
                        commands.Issue(
                            actor=hub.admin,
                            key=f"founding {code} {home} {amount}",
                            currency=code,
                            to=Party(home, "c0"),
                            amount=amount,
                            earned_at=None,
                            expires_at=ends,
                            memo=None,
                        )
                    )
                    self.model.pass_time(clock.now)
                    reasons, act = self.model.issue(code, (home, "c0"), amount, None, ends)
                    assert not reasons
                    assert act is not None
                    self.model.acts[issued.id] = act
        for one, other in (("BANK", "AIR"), ("BANK", "STORE"), ("AIR", "STORE")):
            await self.link(hub, (one, "c0"), (other, "c0"))

    async def link(self, hub: Hub, one: Who, other: Who) -> None:
        """Have two customers known for one person."""
        trader, _ = await hub.key(other[0], Role.INSTITUTION_TRADER)
        a, b = Party(*one), Party(*other)
        made = await hub.do(commands.ProposeLink(actor=hub.admin, key=f"link{one}{other}", a=a, b=b, evidence=None))
        await hub.do(commands.AcceptLink(actor=trader, key=f"link{one}{other}", id=made.id))
        self.model.linked.add(frozenset((one, other)))

    async def approve(self, hub: Hub, terms: Rate) -> None:
        approved = await hub.rate(
            terms.source.code,
            terms.target.code,
            f"{terms.ratio.numerator}:{terms.ratio.denominator}",
            minimum=None if terms.minimum is None else render(terms.minimum, terms.source.scale),
            step=None if terms.step is None else render(terms.step, terms.source.scale),
            fee_fixed=money(terms.fee_fixed),
            fee_per_point=money(terms.fee_per_point),
            fee_percent=decimal(terms.fee_percent),
            fee_cap=None if terms.fee_cap is None else money(terms.fee_cap),
            settlement_price=money(terms.price),
            life=Life.CARRIED if terms.carried else Life.TARGET_POLICY,
            bonuses=tuple(
                BonusTerms(
                    None if one.percent is None else decimal(one.percent),
                    None if one.cap is None else render(one.cap, terms.source.scale),
                    None if one.per_block is None else render(one.per_block, terms.target.scale),
                    None if one.block is None else render(one.block, terms.source.scale),
                    Funding.SOURCE_ISSUER if one.paid else Funding.TARGET_ISSUER,
                    None,
                    None,
                )
                for one in terms.bonuses
            ),
        )
        self.model.rates[approved.id] = terms
        self.model.in_force[terms.source.code, terms.target.code] = approved.id

    # --- drawing ---------------------------------------------------------------------------------------------------

    def who(self) -> Who:
        """Mostly somebody with points; at SHOP, where nobody is enrolled by himself, c1 stays unknown."""
        return self.dice.choice([*PLACES, "BANK", "AIR", "STORE"]), self.dice.choice(["c0", "c0", "c0", "c1"])

    def currency(self) -> str:
        return self.dice.choice(["BP", "BP", "MI", "GP", "NT"]) if self.dice.random() > 0.02 else "NONE"

    def amount(self, code: str, typical: int) -> str:
        scale = CURRENCIES[code].scale if code in CURRENCIES else 0
        if self.dice.random() < 0.06:
            return self.dice.choice(["0", "-5", "1e3", "", "01", "1.0001", str(10**16), "٣", "0.001"])
        text = render(self.dice.choice([1, self.dice.randint(1, typical), self.dice.randint(1, typical * 3)]), scale)
        return text + "0" * self.dice.randrange(3) if "." in text else text

    def draw(self) -> Drawn:
        """A command, and what the model makes of it when its turn comes."""
        kinds: dict[Callable[[], Drawn], int] = {
            self.issue: 14,
            self.transfer: 12,
            self.redeem: 10,
            self.quote: 8,
            self.execute: 8,
            self.convert: 20,
            self.reverse: 18,
            self.hold: 14,
            self.capture: 16,
            self.release: 3,
        }
        return self.dice.choices(list(kinds), list(kinds.values()))[0]()

    def key(self) -> str:
        return f"k{self.dice.getrandbits(60)}"

    def issue(self) -> Drawn:
        code, to = self.currency(), self.who()
        text = self.amount(code, 5000)
        now, dice = self.model.now, self.dice
        earned, ends = None, None
        if dice.random() < 0.25:
            earned = dice.choice([now - timedelta(hours=dice.randint(1, 1500)), now + timedelta(days=1)])
        if dice.random() < 0.3:
            ends = dice.choice([self.later(20), self.later(60), now - timedelta(hours=1)])
        command = commands.Issue(
            actor=self.actor,
            key=self.key(),
            currency=code,
            to=Party(*to),
            amount=text,
            earned_at=earned,
            expires_at=ends,
            memo=self.dice.choice([None, "memo 中"]),
        )
        return command, lambda: self.model.issue(code, to, text, earned, ends)

    def transfer(self) -> Drawn:
        code, giver, taker = self.currency(), self.who(), self.who()
        text = self.amount(code, 600)
        command = commands.Transfer(
            actor=self.actor,
            key=self.key(),
            currency=code,
            source=Party(*giver),
            target=Party(*taker),
            amount=text,
            memo=None,
        )
        return command, lambda: self.model.transfer(code, giver, taker, text)

    def redeem(self) -> Drawn:
        code, giver = self.currency(), self.who()
        merchant = self.dice.choice([*PLACES, *PLACES, "HUB", "GROUP", "NOBODY"])
        text = self.amount(code, 600)
        command = commands.Redeem(
            actor=self.actor,
            key=self.key(),
            currency=code,
            customer=Party(*giver),
            merchant=merchant,
            amount=text,
            memo=None,
        )
        return command, lambda: self.model.redeem(code, giver, merchant, text)

    def pair(self) -> tuple[str, str]:
        if self.dice.random() < 0.05:
            return self.currency(), self.currency()
        terms = self.dice.choice(RATES)
        return terms.source.code, terms.target.code

    def quote(self) -> Drawn:
        (source, target), giver, taker = self.pair(), self.who(), self.who()
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
        if self.dice.random() < 0.6:
            known = [number for number in known if not self.model.offers[number].used]
        number = self.dice.choice(known) if known and self.dice.random() > 0.03 else 12345
        command = commands.ExecuteQuote(actor=self.actor, key=self.key(), quote=number)
        return command, lambda: self.model.execute(number)

    def convert(self) -> Drawn:
        (source, target), giver, taker = self.pair(), self.who(), self.who()
        text, least = self.amount(source, 400), self.dice.choice([None, None, None, "0", "100"])
        command = commands.Convert(
            actor=self.actor,
            key=self.key(),
            source=Party(*giver),
            target=Party(*taker),
            source_currency=source,
            target_currency=target,
            amount=text,
            minimum_target=least,
        )
        return command, lambda: self.model.convert(source, target, giver, taker, text, least)

    def reverse(self) -> Drawn:
        known = list(self.model.acts)[-30:]
        if self.dice.random() < 0.85:
            known = [number for number in known if self.model.acts[number].reversed < self.model.acts[number].total]
        number = self.dice.choice(known) if known and self.dice.random() > 0.03 else 54321
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
        command = commands.Reverse(actor=self.actor, key=self.key(), id=number, amount=text, reason="returned")
        return command, lambda: self.model.reverse(number, text)

    def later(self, days: int) -> datetime:
        """An instant within so many days; often one at which something ends already."""
        ends = self.ends()
        if ends and self.dice.random() < 0.3:
            return self.dice.choice(ends)
        return self.model.now + timedelta(seconds=self.dice.randint(1, days * 86_400))

    def ends(self) -> list[datetime]:
        """When something ends from now on, soon first."""
        found = {hold.until for hold in self.model.holds.values() if hold.status == "HELD"}
        found |= {lot.part.end for purse in self.model.purses.values() for lot in purse.lots.values()}
        return sorted(end for end in found if self.model.now < end < FOR_EVER)[:6]

    def jump(self) -> timedelta | datetime:
        """How long nothing happens now, or until when: just before an end, at it, or after it."""
        promised = [one for one in self.model.holds.values() if one.status == "HELD"]
        pinned = {part.end for one in promised for part in one.pins if self.model.now < part.end < one.until}
        if pinned and self.dice.random() < 0.5:
            return min(pinned)  # points end that are held
        if (ends := self.ends()) and self.dice.random() < 0.5:
            return self.dice.choice(ends[:3]) + timedelta(microseconds=self.dice.choice([-1, 0, 0, 1]))
        return timedelta(hours=self.dice.choice([1, 5, 24, 24, 24 * 9, 24 * 9, 24 * 40]))

    def hold(self) -> Drawn:
        code, who = self.currency(), self.who()
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
        )
        return command, lambda: self.model.hold(code, who, text, until)

    def promised(self) -> int:
        """A hold, mostly one that is open."""
        known = list(self.model.holds)[-20:]
        if self.dice.random() < 0.85:
            known = [number for number in known if self.model.holds[number].status == "HELD"]
        return self.dice.choice(known) if known and self.dice.random() > 0.03 else NO_HOLD

    def capture(self) -> Drawn:
        number, dice = self.promised(), self.dice
        if number == NO_HOLD and dice.random() > 0.03:
            return self.hold()
        promise = self.model.holds.get(number)
        text = None
        if promise is not None and dice.random() < 0.7:
            units = dice.choice([dice.randint(1, promise.amount), promise.amount, promise.amount + 1])
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

    # --- judging -----------------------------------------------------------------------------------------------------

    def twist(self, command: Any) -> Any:
        match command:
            case commands.ExecuteQuote():
                return msgspec.structs.replace(command, quote=99)
            case commands.ReleaseHold():
                return msgspec.structs.replace(command, hold=99)
        return msgspec.structs.replace(command, amount="77777")

    def judge(self, command: Any, answer: decide.Outcome, reasons: set[str], expected: Any) -> int:
        got = None if answer.refusal is None else answer.refusal.code
        self.saw(got or type(command).__name__)
        assert not answer.replayed
        assert (got in reasons) if reasons else (got is None), (command, got, reasons)
        number = getattr(answer.result, "id", None)
        if isinstance(command, commands.Keyed):
            details = {} if answer.refusal is None else answer.refusal.details
            self.kept[command.key] = Kept(command, got, details, number)
        if reasons:
            return 0
        result: Any = answer.result
        assert number is not None
        if isinstance(expected, model.Offer):
            assert of_figures(result.figures) == expected.figures
            self.model.offers[number] = expected
        elif isinstance(expected, model.Act):
            assert result.amount == expected.total
            assert (result.value or 0) == sum(amount for _, _, amount in expected.money)
            self.model.acts[number] = expected
        elif isinstance(command, commands.HoldPoints | commands.ReleaseHold | commands.CaptureHold):
            promise, act = expected if isinstance(expected, tuple) else (expected, None)
            held = result.hold
            assert (held.amount, held.captured, held.expires_at) == (promise.amount, promise.captured, promise.until)
            assert held.status == promise.status
            self.model.holds[held.id] = promise
            if act is not None:
                self.model.acts[held.id] = act
        elif isinstance(command, commands.Reverse):
            units, amounts = expected
            assert result.amount == units
            assert [result.value or 0, result.fee or 0][: len(amounts)] == amounts
        else:
            act, figures = expected
            assert of_figures(result.figures) == figures
            self.model.acts[number] = act
        return 1

    def check_replay(self, command: Any, answer: Any) -> None:
        kept = self.kept[command.key]
        assert answer.replayed
        assert (answer.refusal and answer.refusal.code) == kept.reason
        assert list((answer.refusal.details if answer.refusal else {}).items()) == list(kept.details.items())
        assert getattr(answer.result, "id", None) == kept.number
        self.saw("replay")


def of_figures(found: Any) -> model.Figures:
    return model.Figures(
        found.source, found.target, found.bonus, found.fee, found.settlement, tuple(found.eligible), found.residue
    )


def decimal(value: Fraction) -> str:
    """A fraction of ten's powers as text."""
    units = value * 10**12
    assert units.denominator == 1
    return render(int(units), 12)


def money(value: Fraction) -> MoneyText:
    return MoneyText(decimal(value), "CNY")
