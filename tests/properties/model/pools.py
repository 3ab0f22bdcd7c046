"""Pools in the model: whose points members share."""

from dataclasses import replace

from tests.properties.model.limits import Side
from tests.properties.model.purses import MAIN, Lot, Who, placed
from tests.properties.model.records import Act, Pool, Refused, Way, cut
from tests.properties.model.reversals import Reversals

RIGHTS = frozenset({"CONTRIBUTE", "SPEND", "MANAGE"})


class Pools(Reversals):
    """Who is in which pool, and what goes in and out again."""

    def create_pool(self, pool: Who, owner: Who) -> tuple[set[str], None]:
        reasons = self.standing(pool[0]) | self._no_person(pool, owner)
        reasons |= {"DUPLICATE"} if pool in self.customers else set()
        if not reasons:
            self.customers.add(pool)
            self.pools[pool] = Pool(owner, {owner: RIGHTS})
        return reasons, None

    def join(self, pool: Who, member: Who, rights: frozenset[str], by: Who) -> tuple[set[str], None]:
        reasons = self._not_managed(pool, by) | self._no_person(pool, member)
        if pool in self.pools:
            reasons |= {"DUPLICATE"} if member in self.pools[pool].rights else set()
        if not reasons:
            self.pools[pool].rights[member] = rights
        return reasons, None

    def set_rights(self, pool: Who, member: Who, rights: frozenset[str], by: Who) -> tuple[set[str], None]:
        reasons = self._not_managed(pool, by) | self._not_in(pool, member)
        reasons |= {"INVALID_INPUT"} if pool in self.pools and member == self.pools[pool].owner else set()
        if not reasons:
            self.pools[pool].rights[member] = rights
        return reasons, None

    def leave(self, pool: Who, member: Who, by: Who | None) -> tuple[set[str], None]:
        """What is left of what the member put in, and is not held, is his again."""
        reasons = self._not_in(pool, member)
        reasons |= self.standing(pool[0]) if by in (None, member) else self._not_managed(pool, by)
        if pool not in self.pools:
            return reasons, None
        reasons |= {"INVALID_INPUT"} if member == self.pools[pool].owner else set()
        own: dict[str, list[Lot]] = {}
        for code, of in self.currencies.items():
            lots = [lot for lot in self.purses[pool, code].in_order() if lot.part.giver == member and lot.free]
            if lots:
                own[code] = lots
                reasons |= {"FROZEN"} if self.is_frozen(pool, code) else set()
                reasons |= self.standing(of.issuer, member[0], keeping_promises=True)
        if not reasons:
            for code, lots in own.items():
                parts = [replace(lot.part, amount=lot.free) for lot in lots]
                self.purses[pool, code].take(parts)
                self._give(member, code, placed(parts, self.now, MAIN), "a member's leaving")
                self._meet("a member takes points along")
            del self.pools[pool].rights[member]
        return reasons, None

    def contribute(
        self, code: str, pool: Who, member: Who, text: str, channel: str | None
    ) -> tuple[set[str], Act | None]:
        """The points remember who gave them."""
        if code not in self.currencies:
            return {"UNKNOWN_CURRENCY"}, None
        of = self.currencies[code]
        units = cut(text, of.scale)
        way = Way(channel)
        reasons = self.standing(of.issuer, member[0], pool[0]) | self._may_spend(member, of, units, way)
        reasons |= self._not_in(pool, member)
        if pool in self.pools and "CONTRIBUTE" not in self.pools[pool].rights.get(member, RIGHTS):
            reasons |= {"POOL_RIGHT_MISSING"}
        if reasons or units is None:
            return reasons, None
        try:
            counted = self._count(Side("TRANSFER", of, member, units))
        except Refused:
            return {"LIMIT_EXCEEDED"}, None
        spent = self._spend(member, code, units, way)
        made = placed(spent, self.now, self._part(code, channel), giver=member)
        act = Act("contribute", units, of, member, pool, (of, units), [], {member[0], pool[0]}, spent, made)
        act.repaid, act.counted = self._give(pool, code, made, "a contribution"), counted
        return set(), self._use(act)

    def _not_managed(self, pool: Who, by: Who | None) -> set[str]:
        reasons = self.standing(pool[0]) | self._not_in(pool, by)
        if pool in self.pools and by is not None and "MANAGE" not in self.pools[pool].rights.get(by, RIGHTS):
            reasons |= {"POOL_RIGHT_MISSING"}
        return reasons

    def _no_person(self, pool: Who, one: Who) -> set[str]:
        """Why somebody cannot be a member: only a person of the pool's institution, or of one below it, can."""
        reasons = self._unknown(one) | ({"INVALID_INPUT"} if one in self.pools else set())
        return reasons | (set() if pool[0] in self.above(one[0], self.parents) else {"INVALID_INPUT"})
