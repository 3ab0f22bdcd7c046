"""An airline that keeps its members' points, on a real wire, and a bank whose points the hub keeps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import Registry
from hub.audit import audit
from hub.expiry import day_of
from hub.ledger import commands
from hub.ledger.records import Conversion, Movement
from hub.partners import Status
from hub.reconciliation import reconciling
from hub.reconciliation.breaks import Break, Ending, Run
from tests.adapters.conftest import Playing, playing
from tests.conftest import Hub, noon
from tests.exchange.world import AL, ALICE, MEMBER, connect, eventually, exchanging, registry_of
from tests.hub.ledger.test_exchanges import conversion
from tests.hub.reconciliation.writing import Row, write
from tests.properties import invariants


@dataclass
class Day:
    """A day of MILE: 25 BP = 1 MILE, 1 MILE = 20 BP. What is asked is done at once; the day counts as over."""

    hub: Hub
    airline: Playing
    registry: Registry
    folder: Path
    made: list[Conversion | Movement] = field(default_factory=list)

    @property
    def zone(self) -> str:
        return noon()

    @property
    def day(self) -> date:
        return day_of(datetime.now(UTC), self.zone)

    async def credit(self, miles: int) -> str:
        """Points of the hub's become MILE; the reference of the order, once it is done."""
        asked = conversion(self.hub, ALICE, AL, "BP>MILE", str(25 * miles), key=f"credit {len(self.made)}")
        return f"PH-{await self._done(asked):X}-C"

    async def debit(self, miles: int) -> str:
        """MILE become points of the hub's; the reference of the order, once it is done."""
        asked = conversion(self.hub, AL, ALICE, "MILE>BP", str(miles), key=f"debit {len(self.made)}")
        return f"PH-{await self._done(asked):X}-D"

    async def reverse(self, of: str) -> str:
        """What became of an order is taken back; the reference of the order that reverses it, once it is done."""
        subject, letter = int(of.split("-")[1], 16), of[-1]
        reverse = commands.Reverse(actor=self.hub.admin, key=f"back {of}", id=subject, amount=None, reason="back")
        return f"PH-{await self._done(reverse):X}-{'D' if letter == 'C' else 'C'}"

    async def _done(self, command: commands.Command) -> int:
        """Which exchange does it, once it has ended."""
        made = await self.hub.do(command)
        self.made.append(made)

        async def done() -> bool | None:
            rows = await self.hub.sql(
                "SELECT 1 FROM exchange WHERE id = $1 AND state IN ('COMPLETED', 'REFUSED')", made.id
            )
            return True if rows else None

        await eventually(done)
        return int(made.id)

    def plant(self, statement: str, *given: object) -> None:
        """Change what the airline has in its books."""
        assert self.airline.store._books.execute(statement, given).rowcount == 1

    async def run(self, file: list[Row] | None = None, **more: Any) -> Run:
        """Compare the day, with a file if there is one."""
        given = {}
        if file is not None:
            given[self.day] = write(self.folder / "day.csv", file, "MILE", self.day)
        at = datetime.now(UTC) + timedelta(days=1)
        door = more.pop("door", self.hub)
        return await reconciling.reconcile(
            door.database, door.engine, self.registry, "MILE", self.day, given, at=at, **more
        )

    async def breaks(self) -> dict[str, dict[str, Any]]:
        """What stands of breaks, by reference."""
        return {row["reference"]: dict(row) for row in await self.hub.sql("SELECT * FROM reconciliation_break")}

    async def history(self, reference: str) -> list[str]:
        rows = await self.hub.sql(
            "SELECT s.kind FROM break_step s JOIN reconciliation_break b ON b.id = s.break_id WHERE b.reference = $1"
            " ORDER BY s.id",
            reference,
        )
        return [row["kind"] for row in rows]

    async def propose(self, reference: str, ending: Ending) -> tuple[int, int]:
        """The break and the proposal."""
        id = (await self.breaks())[reference]["id"]
        found = await self.hub.do(
            commands.ProposeBreakEnd(actor=self.hub.admin, id=id, ending=ending, text="Their statement of the day.")
        )
        assert isinstance(found, Break)
        return id, found.proposal or 0

    async def end(self, reference: str, ending: Ending) -> Break:
        """End a break by two persons."""
        id, proposal = await self.propose(reference, ending)
        ended = await self.hub.do(commands.ApproveBreakEnd(actor=self.hub.second, id=id, proposal=proposal))
        assert isinstance(ended, Break)
        return ended

    async def stands(self, kind: int) -> int:
        """The balance of MILE's issuance (2), breakage (3) or partner's account (9)."""
        rows = await self.hub.sql(
            "SELECT credits_posted - debits_posted AS b FROM account WHERE currency = 'MILE' AND kind = $1", kind
        )
        return sum(row["b"] for row in rows)

    async def answered(self, reference: str, status: Status) -> None:
        host = self.hub.engine.configuration.host.id
        await self.hub.do(commands.ReportOrder(actor=host, reference=reference, status=status))


@pytest.fixture
async def day(hub: Hub, tmp_path: Path) -> AsyncIterator[Day]:
    """Afterwards the books are in order."""
    async with AsyncExitStack() as stack:
        airline = await stack.enter_async_context(playing())
        await airline.enroll(MEMBER, "100000")
        registry = registry_of()
        stack.push_async_callback(registry.close)
        for code in ("BANK", "AIR"):
            await hub.institution(code)
        await hub.currency("BP", "BANK")
        await connect(hub, registry, "MILE", "AIR", airline.url, time_zone=noon())
        await hub.issue("BP", "BANK", "alice", "1000000")
        await hub.rate("BP", "MILE", "1:25")
        await hub.rate("MILE", "BP", "20:1")
        async with exchanging(hub, registry):
            yield Day(hub, airline, registry, tmp_path)
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
