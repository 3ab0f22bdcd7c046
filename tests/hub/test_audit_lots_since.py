"""The audit of a hub that had a history before points that end were kept in lots."""

from typing import Any

import pytest

from hub.audit import audit
from hub.currencies import ExpiryKind
from hub.ledger import ageing, commands
from hub.ledger.commands import Party
from hub.ledger.records import Piece
from tests.conftest import Hub

ANN, BEN = Party("BANK", "ann"), Party("BANK", "ben")


async def findings(hub: Hub) -> set[str]:
    async with hub.database.snapshot() as connection:
        return {one.code for one in (await audit(connection)).findings}


class Teller:
    """Acts with points of EP, which end a year after they were earned, and of GP, which end with the year after."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = 0

    async def act(self, kind: type[commands.Keyed], **of: Any) -> Any:
        self._keys += 1
        return await self.hub.do(kind(actor=self.hub.admin, key=f"since-{self._keys}", **of))

    async def issue(self, amount: str) -> Any:
        told: dict[str, Any] = {"earned_at": None, "expires_at": None, "memo": None}
        return await self.act(commands.Issue, currency="EP", to=ANN, amount=amount, **told)

    async def give(self, amount: str) -> Any:
        return await self.act(commands.Transfer, currency="EP", source=ANN, target=BEN, amount=amount, memo=None)

    async def convert(self, source: str, target: str, amount: str) -> Any:
        deal: dict[str, Any] = {"source_currency": source, "target_currency": target, "amount": amount}
        return await self.act(commands.Convert, source=ANN, target=ANN, minimum_target=None, **deal)

    async def reverse(self, id: int, amount: str | None = None) -> None:
        await self.act(commands.Reverse, id=id, amount=amount, reason="sent back")


@pytest.fixture
async def teller(hub: Hub) -> Teller:
    await hub.institution("BANK")
    await hub.institution("SHOP")
    await hub.currency("EP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=12)
    await hub.currency("GP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=12)
    await hub.rate("EP", "GP")
    await hub.rate("GP", "EP")
    return Teller(hub)


async def test_what_was_issued_before_lots_were_kept_has_no_end_and_is_no_finding(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = teller.hub

    def without(*_of: object) -> tuple[Piece, ...]:
        return ()

    with monkeypatch.context() as before:
        before.setattr(ageing, "issued", without)
        before.setattr(ageing, "converted", without)
        granted = await teller.issue("100")
        given = await teller.give("30")
        changed = await teller.convert("EP", "GP", "20")
    assert await hub.sql("SELECT * FROM lot_entry") == []
    assert await findings(hub) == {"LOT_LIFE"}  # as if they had been left out
    [[head]] = await hub.sql("SELECT batch FROM journal_head")
    await hub.sql("INSERT INTO lots_since VALUES (1, $1)", head + 1)
    assert await findings(hub) == set()

    await teller.issue("40")  # which ends, beside 100 - 30 - 20 = 50 that never do
    await teller.give("60")  # 40 that end, and 20
    await teller.convert("EP", "GP", "10")
    await teller.convert("GP", "EP", "5")
    await teller.reverse(given.id, "10")
    await teller.reverse(changed.id)
    await teller.reverse(granted.id, "15")
    assert await findings(hub) == set()


async def test_from_then_on_lives_are_audited(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = teller.hub
    [[head]] = await hub.sql("SELECT batch FROM journal_head")
    await hub.sql("INSERT INTO lots_since VALUES (1, $1)", head + 1)
    await teller.issue("40")
    assert await findings(hub) == set()
    with monkeypatch.context() as wrong:
        wrong.setattr(ageing, "issued", lambda *_of: ())
        await teller.issue("1")
    assert await findings(hub) == {"LOT_LIFE"}
