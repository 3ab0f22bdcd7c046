"""Acting: what is done to a hub beside drawn commands, with the model alongside: settlement, and configuration."""

from datetime import timedelta
from typing import Any

import pytest

from hub.currencies import AccountMode, HeldExpiry, Shortfall
from hub.errors import LimitExceeded
from hub.institutions import Status
from hub.ledger import commands
from hub.money import format_millionths
from tests.conftest import Hub
from tests.properties.founding import Founding, shown
from tests.properties.model.terms import Policy, Version
from tests.properties.world import CURRENCIES, Clock


class Acting(Founding):
    """A drawing that also configures its hub, and lets it settle."""

    def __init__(self, hub: Hub, clock: Clock, seed: int) -> None:
        super().__init__(hub.admin, seed)
        self.hub = hub
        self.clock = clock
        self.windows: dict[int, int] = {}  # number to identifier

    async def do(self, command: commands.Command) -> Any:
        """A command that is not refused."""
        done = await self.hub.do(command)
        self.model.pass_time(self.clock.now)
        return done

    async def confirm(self) -> None:
        window = self.dice.choice(list(self.windows))
        due = [one for one in sorted(self.model.nets) if one not in self.model.settled]
        if due and self.dice.random() < 0.85:
            window = due[0]
        nets = self.model.nets.get(window, {})
        node = self.dice.choice([*nets, "GROUP"])
        parents = self.model.parents_in[window]
        unpaid = [
            one for one in nets if (window, one) not in self.model.paid and len(self.model.levels(one, parents)) == 1
        ]
        if unpaid and self.dice.random() < 0.8:
            node = self.dice.choice(unpaid)
        amount = nets.get(node, 10_000) + self.dice.choice([0, 0, 0, 0, 10_000])
        outcome = await self.hub.try_(
            commands.ConfirmSettlement(
                actor=self.hub.admin,
                key=self.key(),
                window=self.windows[window],
                institution=node,
                currency="CNY",
                amount=format_millionths(amount, "CNY"),
                value_date=None,
                reference="bank",
            )
        )
        self.model.pass_time(self.clock.now)
        reasons = self.model.confirm(window, node, amount)
        got = None if outcome.refusal is None else outcome.refusal.code
        assert (got in reasons) if reasons else (got is None)
        self.saw(f"confirm {got}")

    async def configure(self) -> None:
        hub, dice = self.hub, self.dice
        match dice.randrange(10):
            case 0 | 1:
                node = dice.choice(["GROUP", "BANK", "STORE", "AIR", "SHOP"])
                cap = dice.choice([None, self.model.exposure(node) + dice.randint(0, 30) * 10**6, 0])
                amount = None if cap is None else format_millionths(cap, "CNY")
                above = [self.model.caps.get(one) for one in self.model.above(node, self.model.parents) if one != node]
                if cap is not None and any(bound is not None and cap > bound for bound in above):
                    with pytest.raises(LimitExceeded):  # no cap is above that of a level above
                        await hub.cap(node, amount)
                    return
                await hub.cap(node, amount)
                if cap is None:
                    self.model.caps.pop(node, None)
                else:
                    self.model.caps[node] = cap
            case 2:
                node = dice.choice(["GROUP", "STORE", "AIR", "SHOP"])
                status = dice.choice([Status.ACTIVE, Status.ACTIVE, Status.CLOSED, Status.SUSPENDED])
                await self.stand(node, status)
            case 3:
                node, parent = dice.choice([("STORE", "AIR"), ("STORE", "GROUP"), ("SHOP", "HUB"), ("SHOP", "GROUP")])
                await self.do(commands.MoveInstitution(actor=hub.admin, code=node, parent=parent))
                self.model.parents[node] = parent
            case 4 | 5 | 6:
                await self.keep(dice.choice(list(CURRENCIES)))
            case 7 | 8:
                await self.bound()
            case _:
                pair = dice.choice(list(self.model.in_force))
                rate_id, cancel = self.model.in_force[pair], dice.random() < 0.5
                # A rate that hides no other is not in force any more; an institution that is not active cannot propose.
                await self.do(
                    commands.WithdrawRate(actor=hub.admin, id=rate_id, reason="because", cancel_quotes=cancel)
                )
                if cancel:
                    for offer in self.model.offers.values():
                        if offer.rate_id == rate_id and self.model._is_open(offer):
                            offer.cancelled = True
                del self.model.in_force[pair]
                terms = self.model.rates[rate_id]
                if not self.model.standing(terms.source.issuer, terms.target.issuer):
                    await self.approve(hub, terms)

    async def keep(self, code: str) -> None:
        """Change how a currency's points are kept."""
        dice = self.dice
        new = Policy(
            dice.choice([1, 30, 30, 30]),
            dice.random() < 0.6,
            dice.choice([0, 0, 3, 40]),
            dice.random() < 0.5,
            dice.random() < 0.7,
            dice.random() < 0.4,
        )
        terms = commands.PolicyTerms(
            hold_days_max=new.hold_days,
            held_expiry=HeldExpiry.HONOUR if new.honours else HeldExpiry.EXPIRE,
            grace_days=new.grace_days,
            keeps_age=new.keeps_age,
            shortfall=Shortfall.DEBT if new.owes else Shortfall.WRITE_OFF,
            accounts=AccountMode.CHANNEL if new.by_channel else AccountMode.UNIFIED,
        )
        await self.do(commands.SetPointsPolicy(actor=self.hub.admin, currency=code, policy=terms))
        self.model.policies[code] = new

    async def bound(self) -> None:
        """Give some limit another amount, now or later, or lift it."""
        dice = self.dice
        family = dice.choice(list(self.model.limits))
        limit = self.model.limits[family]
        if self.model.standing(CURRENCIES[limit.currency].issuer):
            return
        starts = None if dice.random() < 0.7 else self.clock.now + timedelta(seconds=dice.randint(1, 9 * 86_400))
        most = None if dice.random() < 0.2 else self.most(limit)
        if most is None:
            made = await self.do(commands.LiftLimit(actor=self.hub.admin, id=family, starts=starts))
        else:
            made = await self.do(
                commands.SetLimit(
                    actor=self.hub.admin,
                    currency=limit.currency,
                    code=limit.code,
                    amount=shown(limit, most),
                    starts=starts,
                    terms=None,
                )
            )
        limit.versions.append(Version(made.id, made.starts, most))

    async def stand(self, node: str, status: Status) -> None:
        command = commands.SetInstitutionStatus(actor=self.hub.admin, code=node, status=status, reason="because")
        await self.do(command)
        self.model.status[node] = status
