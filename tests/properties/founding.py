"""Founding: the world is made, in the hub and in the model."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hub.access import Role
from hub.currencies import ExpiryKind
from hub.ledger import commands
from hub.ledger.commands import BonusTerms, FreezeOutcome, Party
from hub.ledger.records import PoolKind, PoolRight
from hub.limits import Act, Measure, Mode, Period, Subject
from hub.points import render
from hub.rates import Funding, Life
from tests.conftest import Hub
from tests.properties.drawing import Drawing
from tests.properties.model.moves import PLAIN
from tests.properties.model.pools import RIGHTS
from tests.properties.model.purses import Who
from tests.properties.model.records import Way
from tests.properties.model.terms import Limit, Rate, Version
from tests.properties.trading import spent
from tests.properties.world import CURRENCIES, HOMES_OF_POOLS, PARENTS, POOLS, RATES, Clock, decimal, money

Asked = Callable[[], tuple[set[str], Any]]  # what the model makes of a command
LIMITS = 8
ACTS = [Act.ISSUE, Act.ISSUE, Act.TRANSFER, Act.RECEIVE, Act.CONVERT, Act.CONVERT_IN, Act.REDEEM]


def shown(limit: Limit, units: int) -> str:
    """An amount of a limit as text."""
    return render(units, 6 if limit.of_money else CURRENCIES[limit.currency].scale)


class Founding(Drawing):
    """A drawing that makes its world."""

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
        soon, later, last = (clock.now + timedelta(days=days) for days in (12, 25, 50))
        for code in CURRENCIES:
            for home in ("BANK", "STORE", "AIR"):
                for amount, ends in (("1500", None), ("300", soon), ("400", later), ("500", last)):
                    await self.grant(hub, clock, code, (home, "c0"), amount, ends)
        for code, home in (("BP", "STORE"), ("MI", "AIR"), ("GP", "BANK")):
            await self.indebt(hub, clock, code, (home, "c1"))
        for pool in POOLS:
            await self.share(hub, clock, pool)
        for number in range(LIMITS):
            await self.limit(hub, f"l{number}")
        for one, other in (("BANK", "AIR"), ("BANK", "STORE"), ("AIR", "STORE")):
            await self.link(hub, (one, "c0"), (other, "c0"))

    async def act(self, hub: Hub, clock: Clock, command: commands.Command, ask_model: Asked) -> int:
        """Have something done, which is not refused; answers its number."""
        outcome = await hub.try_(command)
        self.model.pass_time(clock.now)
        assert self.judge(command, outcome, *ask_model()), outcome.refusal
        return int(getattr(outcome.result, "id", 0))

    async def grant(
        self, hub: Hub, clock: Clock, code: str, to: Who, amount: str, ends: datetime | None = None
    ) -> None:
        told: dict[str, Any] = {"earned_at": None, "expires_at": ends, "memo": None}
        command = commands.Issue(actor=hub.admin, key=self.key(), currency=code, to=Party(*to), amount=amount, **told)
        await self.act(hub, clock, command, lambda: self.model.issue(code, to, amount, None, ends))

    async def indebt(self, hub: Hub, clock: Clock, code: str, who: Who, way: Way = PLAIN) -> None:
        """Spend 60 of 100 points that end soon, and take 500 away: 460 are owed, and what comes back repays them."""
        await self.grant(hub, clock, code, who, "100", clock.now + timedelta(days=20))
        spend: dict[str, Any] = {"customer": Party(*who), "merchant": "SHOP", "currency": code, "amount": "60"}
        redeem = commands.Redeem(actor=hub.admin, key=self.key(), **spend, memo=None, **spent(way))
        await self.act(hub, clock, redeem, lambda: self.model.redeem(code, who, "SHOP", "60", way))
        freeze = commands.FreezePoints(
            actor=hub.admin, key=self.key(), currency=code, customer=Party(*who), amount="500", reason="return"
        )
        await self.act(hub, clock, freeze, lambda: self.model.freeze(code, who, "500"))
        number = max(self.model.holds)
        remove = commands.ResolveFreeze(
            actor=hub.admin, key=self.key(), freeze=number, outcome=FreezeOutcome.REMOVE, reason="returned"
        )
        await self.act(hub, clock, remove, lambda: self.model.resolve(number, removes=True))

    async def share(self, hub: Hub, clock: Clock, pool: Who) -> None:
        """A pool with two members. One has put something in twice, and what ends first is spent; what the other has
        put in repaid a debt for the most part."""
        first, second = ((home, "c0") for home in HOMES_OF_POOLS[pool[0]])
        of, owner, member = Party(*pool), Party(*first), Party(*second)
        create = commands.CreatePool(actor=hub.admin, key=self.key(), pool=of, kind=PoolKind.FAMILY, owner=owner)
        await self.act(hub, clock, create, lambda: self.model.create_pool(pool, first))
        join = commands.JoinPool(actor=hub.admin, pool=of, member=member, rights=tuple(PoolRight), by=owner)
        await self.act(hub, clock, join, lambda: self.model.join(pool, second, RIGHTS, first))
        await self.grant(hub, clock, "MI", second, "200", clock.now + timedelta(days=1))
        await self.put(hub, clock, "MI", pool, second, "200")
        await self.grant(hub, clock, "MI", second, "900")
        await self.put(hub, clock, "MI", pool, second, "800")
        spend: dict[str, Any] = {"customer": of, "merchant": "SHOP", "currency": "MI", "amount": "600"}
        way = Way(by=first)
        redeem = commands.Redeem(actor=hub.admin, key=self.key(), **spend, memo=None, **spent(way))
        await self.act(hub, clock, redeem, lambda: self.model.redeem("MI", pool, "SHOP", "600", way))
        await self.indebt(hub, clock, "NT", pool, way)
        await self.put(hub, clock, "NT", pool, first, "600")

    async def put(self, hub: Hub, clock: Clock, code: str, pool: Who, member: Who, amount: str) -> None:
        told: dict[str, Any] = {"currency": code, "amount": amount, "memo": None, "channel": None}
        command = commands.ContributeToPool(
            actor=hub.admin, key=self.key(), pool=Party(*pool), member=Party(*member), **told
        )
        await self.act(hub, clock, command, lambda: self.model.contribute(code, pool, member, amount, None))

    async def limit(self, hub: Hub, code: str) -> None:
        """A limit of some kind."""
        pick, act = self.dice.choice, self.dice.choice(ACTS)
        of, period, subject = (
            pick(["BP", "BP", "BP", "MI", "GP"]),
            pick(["DAY", "DAY", "MONTH", "YEAR"]),
            pick(list(Subject)),
        )
        measure, mode = pick([Measure.POINTS, Measure.POINTS, Measure.MONEY]), Mode.REFUSE
        if act in (Act.ISSUE, Act.RECEIVE, Act.CONVERT_IN) and self.dice.random() < 0.3:
            period, subject = "BALANCE", pick([Subject.CUSTOMER, Subject.ACCOUNT])
        if act is Act.ISSUE and measure is Measure.POINTS and self.dice.random() < 0.7:
            mode = Mode.CLIP
        limit = Limit(
            code=code,
            act=act.value,
            currency=of,
            subject=subject.value,
            period=period,
            of_money=measure is Measure.MONEY,
            clips=mode is Mode.CLIP,
            zone=pick(["UTC", "Asia/Tokyo", "America/New_York"]),
            target=pick([None, "MI"]) if act is Act.CONVERT and of != "MI" else None,
            institution=pick([None, None, "BANK", "GROUP", "AIR"]),
        )
        most = self.most(limit)
        made = await hub.limit(
            code,
            shown(limit, most),
            of,
            act=act,
            period=Period(period),
            subject=subject,
            measure=measure,
            mode=mode,
            target=limit.target,
            institution=limit.institution,
            zone=limit.zone,
        )
        limit.versions.append(Version(made.id, made.starts, most))
        self.model.limits[made.family] = limit

    def most(self, limit: Limit) -> int:
        """An amount for it: nothing, something that is reached soon, or later."""
        units = self.dice.choice([0, *[self.dice.randint(100, 8000) for _ in range(7)]])
        units *= 5 if limit.act == "ISSUE" or limit.period == "BALANCE" else 1
        units *= 1 if limit.subject in ("CUSTOMER", "ACCOUNT") else 3
        return (
            int(units * CURRENCIES[limit.currency].value / 10 ** CURRENCIES[limit.currency].scale * 10**6)
            if (limit.of_money)
            else units
        )

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
