"""The audit of quotes: which are cancelled follows from the withdrawals of their rates, whatever their rows say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub import postgres
from hub.audit import audit
from hub.errors import InvalidInput, QuoteCancelled
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub, NewHub
from tests.hub.audited import check_every, tampered


async def quote(hub: Hub, target: str) -> Any:
    asked = commands.RequestQuote(
        actor=hub.admin,
        source=Party("BANK", "alice"),
        target=Party("AIR", "al"),
        source_currency="BP",
        target_currency=target,
        amount="100",
        ttl_seconds=900,
    )
    return await hub.do(asked)


async def execute(hub: Hub, offer: Any) -> Any:
    return await hub.do(commands.ExecuteQuote(actor=hub.admin, key=f"x{offer.id}", quote=offer.id))


async def withdraw(hub: Hub, rate: Any, *, cancels: bool) -> None:
    await hub.do(commands.WithdrawRate(actor=hub.admin, id=rate.id, reason="over", cancel_quotes=cancels))


@pytest.fixture(scope="module")
async def quoted(hubs: NewHub) -> AsyncIterator[Hub]:
    """A quote that was executed and one that was cancelled with the rate to MILE; one that outlived the rate to COIN;
    one that was executed after the rate to TOKEN ended, and one that was cancelled after that; and one of the rate to
    STAR that is open."""
    async with hubs() as hub:
        await hub.institution("BANK")
        await hub.institution("AIR")
        await hub.currency("BP", "BANK")
        await hub.issue("BP", "BANK", "alice", "100000")
        rates = {}
        for code in ("MILE", "COIN", "TOKEN", "STAR"):
            await hub.currency(code, "AIR")
            rates[code] = await hub.rate("BP", code, "1:2")
        await execute(hub, await quote(hub, "MILE"))
        await quote(hub, "MILE")
        await withdraw(hub, rates["MILE"], cancels=True)
        await quote(hub, "COIN")
        await withdraw(hub, rates["COIN"], cancels=False)
        honoured, standing = await quote(hub, "TOKEN"), await quote(hub, "TOKEN")
        await withdraw(hub, rates["TOKEN"], cancels=False)
        await execute(hub, honoured)
        with pytest.raises(InvalidInput):
            await withdraw(hub, rates["TOKEN"], cancels=False)
        await withdraw(hub, rates["TOKEN"], cancels=True)
        with pytest.raises(InvalidInput):
            await withdraw(hub, rates["TOKEN"], cancels=True)
        with pytest.raises(QuoteCancelled):
            await execute(hub, standing)
        await quote(hub, "STAR")
        yield hub


_OF = "rate_id = (SELECT rate_id FROM quote ORDER BY id {} LIMIT 1)"
TAMPERED = {
    "a cancelled quote that lives again": ("UPDATE quote SET cancelled = false WHERE cancelled", "QUOTE"),
    "a quote that was honoured": (
        "UPDATE quote SET cancelled = true WHERE id = (SELECT id FROM quote ORDER BY id OFFSET 2 LIMIT 1)",
        "QUOTE",
    ),
    "an open quote": (f"UPDATE quote SET cancelled = true WHERE {_OF.format('DESC')}", "QUOTE"),
}


async def test_a_quote_that_was_cancelled_otherwise_than_by_its_rate_is_found(
    quoted: Hub, postgres_server: postgres.Server
) -> None:
    await check_every(TAMPERED, quoted, postgres_server)


async def test_a_cancelled_quote_that_was_executed_is_found(hub: Hub, postgres_server: postgres.Server) -> None:
    await hub.institution("BANK")
    await hub.institution("AIR")
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR")
    await hub.issue("BP", "BANK", "alice", "100000")
    rate = await hub.rate("BP", "MILE", "1:2")
    offer = await quote(hub, "MILE")
    await withdraw(hub, rate, cancels=True)
    async with tampered(postgres_server, hub, stays=True) as connection:
        await connection.exec_driver_sql("UPDATE quote SET cancelled = false")
    conversion = await execute(hub, offer)
    async with hub.database.snapshot() as connection:
        told = {one.sentence for one in (await audit(connection)).findings}
    assert told == {
        f"Quote {offer.id} is not cancelled, though its rate's withdrawal cancelled it.",
        f"Conversion {conversion.id} is by quote {offer.id}, which had been cancelled.",
    }
