"""What can be reversed, and what is final, through the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.schema.acting import act, currency, institution
from tests.schema.conftest import Client

ANN, BEN = ({"institution": "BANK", "reference": one} for one in ("ann", "ben"))


class Shop:
    """BANK's customers ann, with 100 BP, and ben; points are worth 0.05 CNY at SHOP."""

    def __init__(self, client: Client) -> None:
        self.hub = client.hub
        self.root = client.caller(client.hub.admin)
        self._keys = 0

    async def do(self, field: str, selection: str = "__typename", /, **fields: Any) -> Any:
        self._keys += 1
        kind = f"{field[0].upper()}{field[1:]}Input"
        return await act(self.root, field, kind, selection, idempotencyKey=f"k{self._keys}", **fields)

    async def reverse(self, id: str, **more: Any) -> Any:
        selection = "... on Reversal { id points { amount } of { id } }"
        return await self.do("reverse", selection, id=id, reason="in error", **more)

    async def hold(self, amount: str) -> str:
        until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        made = await self.do(
            "holdPoints", "... on Hold { id }", currency="BP", customer=ANN, amount=amount, expiresAt=until
        )
        return str(made["id"])

    async def freeze(self, amount: str) -> str:
        made = await self.do(
            "freezePoints", "... on Freeze { id }", currency="BP", customer=ANN, amount=amount, reason="suspicion"
        )
        return str(made["id"])

    async def lots(self, reference: str = "ann") -> list[tuple[str, str | None]]:
        document = """query C($reference: String!) { customer(institution: "BANK", reference: $reference) {
          balances { lots { amount expiresAt } } } }"""
        found = await self.root.ask(document, reference=reference)
        return [
            (lot["amount"], lot["expiresAt"] and lot["expiresAt"][:4])
            for balance in found["balances"]
            for lot in balance["lots"]
        ]

    async def position(self) -> int:
        """What the shop has got over all windows, in millionths of CNY."""
        [[units]] = await self.hub.sql(
            "SELECT coalesce(sum(credits - debits), 0)::bigint FROM position WHERE institution_id = $1",
            self.hub.engine.configuration.institution_codes["SHOP"],
        )
        return int(units)


@pytest.fixture
async def shop(client: Client) -> Shop:
    made = Shop(client)
    await institution(made.root, "BANK")
    await institution(made.root, "SHOP")
    await currency(made.root, "BP", "BANK")
    for reference in ("ann", "ben"):
        await made.hub.do(commands.EnrollCustomer(actor=made.hub.admin, customer=Party("BANK", reference)))
    await made.do("issuePoints", currency="BP", to=ANN, amount="60", expiresAt="2095-01-01T00:00:00Z")
    await made.do("issuePoints", currency="BP", to=ANN, amount="40", expiresAt="2096-01-01T00:00:00Z")
    return made


@pytest.mark.parametrize(
    ("into", "worth"),
    [({"to": BEN}, 0), ({"merchant": "SHOP"}, 3_500_000), ({}, 0)],
    ids=["customer", "shop", "burned"],
)
async def test_a_captured_hold_is_reversed_in_parts(shop: Shop, into: dict[str, Any], worth: int) -> None:
    hold = await shop.hold("80")
    assert (await shop.reverse(hold))["reason"] == "NOT_FOUND"  # nothing was taken yet
    await shop.do("captureHold", holdId=hold, amount="70", **into)  # 60 of 2095, 10 of 2096; 70 * 0.05 CNY
    assert (await shop.lots(), await shop.position()) == ([("30", "2096")], worth)
    part = await shop.reverse(hold, amount="30")
    assert (part["points"], part["of"]) == ({"amount": "30"}, {"id": hold})
    assert await shop.lots() == [("20", "2095"), ("40", "2096")]  # what was used last comes back first
    assert await shop.position() == worth * 4 // 7
    assert (await shop.reverse(hold, amount="41"))["reason"] == "EXCEEDS_ORIGINAL"
    assert (await shop.reverse(hold))["points"] == {"amount": "40"}
    assert (await shop.lots(), await shop.lots("ben")) == ([("60", "2095"), ("40", "2096")], [])
    assert await shop.position() == 0
    assert (await shop.reverse(hold))["reason"] == "ALREADY_REVERSED"
    async with shop.hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_the_end_of_something_is_final(shop: Shop) -> None:
    released, removed, freed = await shop.hold("10"), await shop.freeze("10"), await shop.freeze("5")
    await shop.do("releaseHold", holdId=released)
    await shop.do("resolveFreeze", freezeId=removed, outcome="REMOVE", reason="fraud")
    await shop.do("resolveFreeze", freezeId=freed, outcome="RELEASE", reason="no fraud")
    gift = await shop.do(
        "transferPoints", "... on Transfer { id }", currency="BP", amount="5", **{"from": ANN, "to": BEN}
    )
    back = await shop.reverse(gift["id"])
    movements = await shop.hub.sql("SELECT id FROM movement WHERE kind NOT IN (1, 2)")  # issues and transfers
    assert len(movements) == 7  # a hold, two freezes, the end of each, a reversal
    named = [back["id"], released, removed, freed]
    numbers = [int(one.partition("_")[2], 16) for one in named] + [row["id"] for row in movements]
    for number in numbers:
        for prefix in ("is", "tr", "rd", "cv", "ho", "pb", "tk", "rv", "fz"):
            assert (await shop.reverse(f"{prefix}_{number:x}"))["reason"] == "NOT_FOUND", (prefix, number)
