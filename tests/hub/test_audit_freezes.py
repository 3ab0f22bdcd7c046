"""A history of freezes, debts and cancellations is clean; then it is tampered with, each time in a transaction that is
rolled back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import postgres
from hub.audit import audit
from hub.currencies import ExpiryKind, Shortfall
from hub.ledger import commands
from hub.ledger.commands import FreezeOutcome, Party, ReversalShortfall
from tests.conftest import Hub, NewHub
from tests.hub import audited


class Story:
    """BANK's points: P never end, E end; x owes of both, y has left, z is frozen."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = 0

    async def act(self, kind: type[commands.Keyed], **of: Any) -> Any:
        self._keys += 1
        return await self.hub.do(kind(actor=self.hub.admin, key=f"freezes-{self._keys}", **of))

    async def issue(self, to: str, amount: int, currency: str, **more: Any) -> Any:
        told = {"earned_at": None, "expires_at": None, "memo": None, **more}
        return await self.act(commands.Issue, currency=currency, to=Party("BANK", to), amount=str(amount), **told)

    async def transfer(self, source: str, target: str, amount: int, currency: str) -> Any:
        ends: dict[str, Any] = {"source": Party("BANK", source), "target": Party("BANK", target), "memo": None}
        return await self.act(commands.Transfer, currency=currency, amount=str(amount), **ends)

    async def freeze(self, who: str, amount: int, currency: str) -> Any:
        terms: dict[str, Any] = {"customer": Party("BANK", who), "currency": currency, "reason": "return"}
        return (await self.act(commands.FreezePoints, amount=str(amount), **terms)).hold

    async def decide(self, freeze: Any, outcome: FreezeOutcome) -> Any:
        return await self.act(commands.ResolveFreeze, freeze=freeze.id, outcome=outcome, reason="checked")

    async def reverse(self, act: Any, amount: int | None, shortfall: ReversalShortfall) -> Any:
        part = None if amount is None else str(amount)
        return await self.act(commands.Reverse, id=act.id, amount=part, reason="wrong", shortfall=shortfall)

    async def restrict(self, kind: type[commands.Keyed], who: str, currency: str | None) -> Any:
        return await self.act(kind, customer=Party("BANK", who), currency=currency, reason="suspicion")

    async def tell(self) -> None:
        hub = self.hub
        await hub.institution("BANK")
        await hub.currency("P", "BANK")
        await hub.currency("E", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=120)
        soon = datetime.now(UTC) + timedelta(days=400)
        for currency in ("P", "E"):
            await self.issue("x", 500, currency, record="R")
            await self.issue("w", 1_000, currency)
            await self.decide(await self.freeze("x", 120, currency), FreezeOutcome.RELEASE)
            await self.decide(await self.freeze("x", 120, currency), FreezeOutcome.REMOVE)
            await self.transfer("x", "w", 300, currency)
            await self.decide(await self.freeze("x", 100, currency), FreezeOutcome.REMOVE)  # 20 are owed
            gift = await self.transfer("w", "x", 15, currency)
            await self.reverse(gift, 8, ReversalShortfall.REFUSE)
            issued = await self.issue("x", 40, currency, **({"expires_at": soon} if currency == "E" else {}))
            await self.transfer("x", "w", 5, currency)
            await self.reverse(issued, 30, ReversalShortfall.DEBT)
            await self.reverse(issued, None, ReversalShortfall.WRITE_OFF)
            await self.issue("v", 25, currency, record="R")
            await self.act(
                commands.CancelRecord, currency=currency, record="R", shortfall=ReversalShortfall.DEBT, reason="wrong"
            )
            terms: dict[str, Any] = {"customer": Party("BANK", "x"), "currency": currency, "reason": "goodwill"}
            await self.act(commands.WriteOffDebt, amount="3", **terms)
            await self.issue("z", 9, currency)
            await self.issue("y", 7, currency)
        await hub.do(
            commands.SetPointsPolicy(
                actor=hub.admin, currency="P", policy=commands.PolicyTerms(shortfall=Shortfall.WRITE_OFF)
            )
        )
        await self.decide(await self.freeze("z", 11, "P"), FreezeOutcome.REMOVE)
        await self.issue("z", 5, "P")
        await self.freeze("z", 2, "P")
        nothing = await self.freeze("v", 4, "E")
        await self.issue("v", 1, "E")
        await self.decide(nothing, FreezeOutcome.REMOVE)
        await self.restrict(commands.FreezeAccount, "z", "P")
        await self.restrict(commands.FreezeAccount, "z", None)
        await self.restrict(commands.UnfreezeAccount, "z", "P")
        await self.restrict(commands.FreezeAccount, "w", "E")
        await self.restrict(commands.FreezeAccount, "v", None)
        await self.restrict(commands.UnfreezeAccount, "v", None)
        await self.act(commands.CloseCustomer, customer=Party("BANK", "y"), reason="left")


@pytest.fixture(scope="module")
async def story(hubs: NewHub) -> AsyncIterator[Hub]:
    async with hubs() as hub:
        await Story(hub).tell()
        yield hub


@pytest.fixture
async def tampering(story: Hub, postgres_server: postgres.Server) -> AsyncIterator[AsyncConnection]:
    """A superuser's transaction, in which triggers sleep."""
    async with audited.tampered(postgres_server, story) as connection:
        yield connection


async def test_a_history_of_freezes_and_debts_is_clean(story: Hub) -> None:
    async with story.database.snapshot() as connection:
        done = await audit(connection)
    assert done.findings == ()
    for table in ("missing", "restriction", "cancellation", "hold"):
        [[count]] = await story.sql(f"SELECT count(*) FROM {table}")
        assert done.counts[table] == count > 0


DEBT = "(SELECT id FROM account WHERE kind = 8 AND currency = 'P' ORDER BY id LIMIT 1)"
REPAID = f"(SELECT min(movement_id) FROM leg WHERE credit_account_id = {DEBT})"
TAMPERED = {
    "a repayment that is gone": (
        f"DELETE FROM leg WHERE movement_id = {REPAID} AND credit_account_id = {DEBT}",
        {"ENTRY_CONTENT", "DEBT", "LEG_BALANCE", "ACCOUNT_COUNTERS"},
    ),
    "a repayment's amount": (
        f"UPDATE leg SET amount = amount - 1 WHERE movement_id = {REPAID} AND credit_account_id = {DEBT}",
        {"ENTRY_CONTENT", "DEBT", "LEG_BALANCE", "ACCOUNT_COUNTERS"},
    ),
    "a debt above zero": (
        f"UPDATE leg SET amount = 999999 WHERE movement_id = {REPAID} AND credit_account_id = {DEBT}",
        {"ENTRY_CONTENT", "DEBT", "BELOW_ZERO"},
    ),
    "what a debt came from": (
        f"DELETE FROM leg WHERE debit_account_id = {DEBT}",
        {"ENTRY_CONTENT", "DEBT", "LEG_BALANCE", "ACCOUNT_COUNTERS"},
    ),
    "what was missing": (
        "UPDATE missing SET debt = debt + 1 WHERE debt > 0",
        {"ENTRY_CONTENT", "DEBT", "MISSING", "CANCELLATION"},
    ),
    "what was missing, turned over": (
        "UPDATE missing SET debt = written_off, written_off = debt WHERE movement_id IN"
        " (SELECT id FROM movement WHERE kind = 15)",
        {"ENTRY_CONTENT", "DEBT", "MISSING"},
    ),
    "what was missing, gone": (
        "DELETE FROM missing WHERE movement_id IN (SELECT id FROM movement WHERE kind = 15)",
        {"ENTRY_CONTENT", "DEBT", "MISSING"},
    ),
    "what was missing, of nothing": (
        "UPDATE missing SET movement_id = movement_id + 900000",
        {"ENTRY_CONTENT", "MISSING"},
    ),
    "what was missing of a gift": (
        "UPDATE missing SET movement_id = (SELECT max(id) FROM movement WHERE kind = 2)"
        " WHERE movement_id = (SELECT min(movement_id) FROM missing)",
        {"ENTRY_CONTENT", "MISSING"},
    ),
    "a write-off's amount": (
        "UPDATE movement SET amount = amount + 1 WHERE kind = 13",
        {"ENTRY_CONTENT", "DEBT"},
    ),
    "a write-off of somebody else's debt": (
        "UPDATE movement SET to_customer_id = 7 WHERE kind = 13",
        {"ENTRY_CONTENT", "DEBT"},
    ),
    "a write-off whose leg is gone": (
        "DELETE FROM leg WHERE movement_id IN (SELECT id FROM movement WHERE kind = 13)",
        {"ENTRY_CONTENT", "DEBT", "LEG_BALANCE", "ACCOUNT_COUNTERS"},
    ),
    "a freeze's amount": (
        "UPDATE hold SET amount = amount + 1, captured = captured + 1 WHERE kind = 2 AND captured > 0",
        {"ENTRY_CONTENT", "HOLD", "ACT_LEGS"},
    ),
    "a freeze's shortfall": (
        "UPDATE hold SET shortfall = shortfall + 1 WHERE kind = 2 AND status = 'CAPTURED'",
        {"ENTRY_CONTENT", "MISSING"},
    ),
    "a freeze for a time": (
        "UPDATE hold SET expires_at = now() + interval '1 day' WHERE kind = 2",
        {"ENTRY_CONTENT", "HOLD_TERM"},
    ),
    "a freeze that is decided already": (
        "UPDATE hold SET status = 'HELD' WHERE kind = 2 AND status = 'CAPTURED'",
        {"HOLD_STATUS"},
    ),
    "a removed freeze that captured less": (
        "UPDATE hold SET captured = captured - 1 WHERE kind = 2 AND captured > 0",
        {"HOLD_STATUS"},
    ),
    "a removal that is a capture": (
        "UPDATE movement SET kind = 9 WHERE kind = 15",
        {"ENTRY_CONTENT", "HOLD"},
    ),
    "a removal's points": (
        "UPDATE movement SET amount = amount - 1 WHERE kind = 15 AND amount > 1",
        {"ENTRY_CONTENT", "ACT_LEGS", "MISSING"},
    ),
    "an account's marks": ("UPDATE account SET marks = 1 WHERE marks = 0 AND kind = 1", {"MARK"}),
    "marks that are gone": ("UPDATE account SET marks = 0 WHERE marks <> 0", {"MARK"}),
    "the mark of a debt": ("UPDATE account SET marks = marks - 4 WHERE marks & 4 <> 0", {"MARK"}),
    "a customer's marks": ("UPDATE customer_mark SET marks = marks + 16", {"MARK"}),
    "a customer's marks, gone": ("DELETE FROM customer_mark", {"MARK"}),
    "a restriction that is gone": (
        "DELETE FROM restriction WHERE kind = 1",
        {"ENTRY_CONTENT", "RESTRICTION", "MARK", "OUTCOME", "MEMO"},
    ),
    "a restriction's kind": (
        "UPDATE restriction SET kind = 2 WHERE kind = 1",
        {"ENTRY_CONTENT", "RESTRICTION", "MARK"},
    ),
    "a restriction's customer": (
        "UPDATE restriction SET customer_id = 7 WHERE kind = 1",
        {"ENTRY_CONTENT", "RESTRICTION", "MARK"},
    ),
    "a restriction that nobody asked for": (
        "DELETE FROM outcome WHERE subject_id IN (SELECT id FROM restriction)",
        {"ENTRY_CONTENT", "ACT_OUTCOME"},
    ),
    "an earlier freeze": (
        "UPDATE restriction SET customer_id = (SELECT owner_id FROM account a JOIN leg l ON l.debit_account_id = a.id"
        " JOIN movement m ON m.id = l.movement_id WHERE m.kind = 14 LIMIT 1) WHERE kind = 1 AND currency = ''",
        {"ENTRY_CONTENT", "RESTRICTION", "MARK"},
    ),
    "a clearing's points": (
        "UPDATE movement SET amount = amount + 1 WHERE kind = 14",
        {"ENTRY_CONTENT", "ACT_LEGS"},
    ),
    "a clearing of who has not left": (
        "UPDATE restriction SET kind = 1 WHERE kind = 3",
        {"ENTRY_CONTENT", "RESTRICTION", "MARK"},
    ),
    "a cancellation's count": (
        "UPDATE cancellation SET issues = issues + 1",
        {"ENTRY_CONTENT", "CANCELLATION"},
    ),
    "a cancellation's debt": ("UPDATE cancellation SET debt = debt + 1", {"ENTRY_CONTENT", "CANCELLATION"}),
    "a cancellation's reach": (
        "UPDATE cancellation SET last_id = id",
        {"ENTRY_CONTENT", "CANCELLATION", "ACT_OUTCOME"},
    ),
    "a cancellation that is gone": (
        "DELETE FROM cancellation",
        {"ENTRY_CONTENT", "ACT_OUTCOME", "OUTCOME"},
    ),
    "a record of nothing": ("UPDATE issue_record SET movement_id = movement_id + 900000", {"ISSUE_RECORD"}),
    "a record of another currency": ("UPDATE issue_record SET currency = 'Q'", {"ISSUE_RECORD"}),
    "a debt's owner": (
        f"UPDATE account SET owner_id = 7 WHERE id = {DEBT}",
        {"ENTRY_CONTENT", "ACCOUNT_OWNER", "DEBT", "MARK"},
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_found(tampering: AsyncConnection, what: str) -> None:
    statement, expected = TAMPERED[what]
    done = await tampering.exec_driver_sql(statement)
    assert done.rowcount != 0
    found = {finding.code for finding in (await audit(tampering)).findings}
    assert expected <= found
    if len(expected) == 1:
        assert found == expected


async def test_use_of_a_frozen_account_is_found(tampering: AsyncConnection) -> None:
    """A freeze of who makes the first gift, which stands right before it."""
    first = "(SELECT min(id) FROM movement WHERE kind = 2)"
    await tampering.exec_driver_sql(
        f"UPDATE restriction SET id = {first} - 1, currency = 'P',"
        f" customer_id = (SELECT from_customer_id FROM movement WHERE id = {first}) WHERE kind = 1 AND currency = 'E'"
    )
    assert "FROZEN" in {finding.code for finding in (await audit(tampering)).findings}


async def test_what_who_has_left_still_has_is_found(tampering: AsyncConnection) -> None:
    await tampering.exec_driver_sql("DELETE FROM leg WHERE movement_id IN (SELECT id FROM movement WHERE kind = 14)")
    assert "CLOSED" in {finding.code for finding in (await audit(tampering)).findings}
