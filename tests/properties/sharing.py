"""Sharing: drawn commands on pools."""

from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import PoolKind, PoolRight
from tests.properties.holding import Holding
from tests.properties.model.purses import Who
from tests.properties.picking import Drawn
from tests.properties.world import POOLS


class Sharing(Holding):
    """Members come and go, put points in, and spend them (``Trading``)."""

    def pool(self) -> Who:
        return self.dice.choice(POOLS) if self.dice.random() < 0.95 else self.person()

    def contribute(self) -> Drawn:
        code, pool = self.currency(), self.pool()
        member, text, channel = self.member(pool), self.amount(code, 300), self.channel()
        command = commands.ContributeToPool(
            actor=self.actor,
            key=self.key(),
            pool=Party(*pool),
            member=Party(*member),
            currency=code,
            amount=text,
            memo=None,
            channel=channel,
        )
        return command, lambda: self.model.contribute(code, pool, member, text, channel)

    def join(self) -> Drawn:
        pool = self.pool()
        found = self.model.pools.get(pool)
        member, by = self.person(), found.owner if found and self.dice.random() < 0.9 else self.member(pool)
        if self.dice.random() < 0.5:
            member = self.member(pool)
        rights = self.rights()
        kind = commands.SetPoolRights if found and member in found.rights else commands.JoinPool
        command = kind(actor=self.actor, pool=Party(*pool), member=Party(*member), rights=rights, by=Party(*by))
        names = frozenset(right.value for right in rights)
        if kind is commands.JoinPool:
            return command, lambda: self.model.join(pool, member, names, by)
        return command, lambda: self.model.set_rights(pool, member, names, by)

    def rights(self) -> tuple[PoolRight, ...]:
        return tuple(right for right in PoolRight if self.dice.random() < 0.8)

    def leave(self) -> Drawn:
        pool = self.pool()
        member = self.member(pool)
        found = self.model.pools.get(pool)
        others = sorted(set(found.rights) - {found.owner}) if found else []
        if others and self.dice.random() < 0.8:
            member = self.dice.choice(others)
        by = self.member(pool) if self.dice.random() < 0.3 else None
        command = commands.LeavePool(
            actor=self.actor,
            key=self.key(),
            pool=Party(*pool),
            member=Party(*member),
            by=None if by is None else Party(*by),
        )
        return command, lambda: self.model.leave(pool, member, by)

    def create_pool(self) -> Drawn:
        home = self.dice.choice(["GROUP", "AIR", "HUB"])
        pool, owner = (home, self.dice.choice(["fam", "new", "c0"])), self.who()
        command = commands.CreatePool(
            actor=self.actor, key=self.key(), pool=Party(*pool), kind=PoolKind.FAMILY, owner=Party(*owner)
        )
        return command, lambda: self.model.create_pool(pool, owner)
