"""A currency on its way to another keeper: a bank's points with customers of two institutions, and a partner that knows
members by one field."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hub import keepers, opening_files, relocations
from hub.audit import audit
from hub.currencies import HOSTED, ExpiryKind
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.opening import OpeningLot, Relocation
from hub.opening_files import Named
from hub.partners import Answer, Capabilities, Entry, Member, Operation, Order, Status
from hub.partners import PartnerUnavailable as NotReached
from tests.conftest import Hub

CONNECTION = commands.Connection("{}", 6)
LOOKUP = {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]}
NEXT_YEAR = datetime.now(UTC).replace(microsecond=0) + timedelta(days=365)


@dataclass
class Played:
    """A partner that has these units of its members' points, with two decimals."""

    units: dict[str, int] = field(default_factory=dict)
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(
            operations=frozenset({Operation.DEBIT, Operation.CREDIT}), unit="P", scale=2, lookup=LOOKUP
        )
    )
    asked: list[str] = field(default_factory=list)
    fails_at: str | None = None

    async def perform(self, order: Order) -> Answer:
        return Answer(status=Status.UNKNOWN)

    async def status(self, order: Order) -> Answer:
        return Answer(status=Status.UNKNOWN)

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        card = fields["card"]
        if card == self.fails_at:
            raise NotReached
        self.asked.append(card)
        return Member(reference=card, available=self.units[card]) if card in self.units else None

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        for one in list[Entry]():
            yield one

    async def close(self) -> None:
        pass


@dataclass
class One:
    """Where the one partner comes from, if it can be reached."""

    played: Played
    is_reached: bool = True

    async def partner(self, currency: str, name: str, sealed: str, /) -> Played:
        if not self.is_reached:
            raise NotReached
        return self.played


@dataclass
class Moving:
    """BP of BANK, kept by the hub: alice has 300 that never end, bob 200 that end in a year; carol of SHOP has 50."""

    hub: Hub
    partner: Played

    async def open(self, adapter: str = HOSTED) -> "Moving":
        hub = self.hub
        for code in ("BANK", "SHOP"):
            await hub.institution(code)
        terms: dict[str, Any] = {} if adapter == HOSTED else {"adapter": adapter, "connection": CONNECTION}
        await hub.currency("BP", "BANK", expiry=ExpiryKind.END_OF_YEAR, months=24, **terms)
        await hub.currency("MILE", "SHOP")
        await hub.rate("BP", "MILE")
        if adapter == HOSTED:
            await self.issue("BANK", "alice", "300", None)
            await self.issue("BANK", "bob", "200", NEXT_YEAR)
            await self.issue("SHOP", "carol", "50", None)
        return self

    async def issue(self, home: str, who: str, amount: str, ends: datetime | None) -> None:
        await self.hub.do(
            commands.Issue(
                actor=self.hub.admin, key=f"issue {home} {who} {amount}", currency="BP", to=Party(home, who),
                amount=amount, earned_at=None, expires_at=ends, memo=None,
            )
        )  # fmt: skip

    async def propose(self, adapter: str = "played", **more: Any) -> Relocation:
        asked: dict[str, Any] = {
            "actor": self.hub.admin,
            "currency": "BP",
            "adapter": adapter,
            "connection": None if adapter == HOSTED else CONNECTION,
            "starts_at": None,
            "reason": "They have a new system.",
        }
        made = await self.hub.do(commands.ProposeRelocation(**(asked | more)))
        assert isinstance(made, Relocation)
        return made

    async def approve(self, run: Relocation) -> Relocation:
        made: Relocation = await self.hub.do(commands.ApproveRelocation(actor=self.hub.second, id=run.id))
        return made

    async def fix(self, run: Relocation) -> Relocation:
        made: Relocation = await self.hub.do(commands.FixBalances(actor=self.hub.admin, id=run.id))
        return made

    async def fixed(self, adapter: str = "played") -> Relocation:
        return await self.fix(await self.approve(await self.propose(adapter)))

    async def compare(self, run: Relocation, control: int | None = None) -> Relocation:
        hub = self.hub
        keeper = await keepers.by_lookup(hub.database, One(self.partner), hub.engine.configuration, run, None, control)
        return await relocations.compare(hub.engine, run, keeper)

    def file(self, run: Relocation, units: dict[str, int]) -> keepers.ByFile:
        """A file of these customers, each without lots."""
        homes = {"carol": "SHOP"}
        rows = {(homes.get(who, "BANK"), who): [OpeningLot(amount)] for who, amount in units.items()}
        said = opening_files.told(opening_files.written(rows.items(), 0), 0)
        hub = self.hub
        return keepers.ByFile(hub.database, hub.engine.configuration, run, said)

    async def compare_file(self, run: Relocation, rows: dict[Named, list[OpeningLot]]) -> Relocation:
        hub = self.hub
        said = opening_files.told(opening_files.written(rows.items(), 0), 0)
        keeper = keepers.ByFile(hub.database, hub.engine.configuration, run, said)
        await keeper.prepare(hub.engine)
        return await relocations.compare(hub.engine, run, keeper)

    async def accept(self, run: Relocation, actor: int) -> Relocation:
        named: dict[str, Any] = {"differing": run.differing, "more": str(run.more), "less": str(run.less)}
        made: Relocation = await self.hub.do(commands.AcceptDifferences(actor=actor, id=run.id, **named))
        return made

    async def complete(self, run: Relocation, size: int = 2) -> Relocation:
        begun = await self.hub.do(commands.CompleteRelocation(actor=self.hub.admin, id=run.id))
        return await relocations.work_off(self.hub.database, self.hub.engine, begun, size=size)

    async def left(self, home: str, who: str) -> int:
        return await self.hub.balance("BP", home, who)

    def lots(self, units: int) -> tuple[OpeningLot, ...]:
        """A part that ends in a year and the rest, of which the partner says nothing."""
        return OpeningLot(units - 10, NEXT_YEAR), OpeningLot(10)

    async def contra(self, kind: int) -> int:
        """The balance of BP's account of a kind: 2 issuance, 9 the partner's."""
        [row] = await self.hub.sql(
            "SELECT coalesce(sum(credits_posted - debits_posted), 0)::bigint AS units FROM account"
            " WHERE currency = 'BP' AND kind = $1",
            kind,
        )
        return int(row["units"])

    async def is_in_order(self) -> None:
        async with self.hub.database.snapshot() as connection:
            assert (await audit(connection)).findings == ()
