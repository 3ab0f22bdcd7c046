"""Outflow limits: how many target points a rate credits in one settlement window, at once and over partners."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub import ids, postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import InvalidAmount, LimitExceeded
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.partners import Status
from tests.conftest import Hub
from tests.hub.audited import tampered
from tests.hub.ledger.test_exchanges import AL, ALICE, answer, conversion, network

BO = Party("AIR", "bo")


@pytest.fixture
async def flowing(hub: Hub) -> AsyncIterator[Hub]:
    """4 BP become 1 CAFE, of which at most 50 in a window; whatever was done is in order afterwards."""
    await network(hub)
    await hub.institution("CAFE")
    await hub.currency("CAFE", "CAFE")
    await hub.rate("BP", "CAFE", "1:4", outflow_limit="50")
    yield hub
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def convert(hub: Hub, amount: str, key: str | None = None, **more: Any) -> commands.Convert:
    giver = more.pop("giver", ALICE)
    return conversion(hub, giver, Party("CAFE", "bo"), "BP>CAFE", amount, key=key or f"convert {amount}", **more)


async def used(hub: Hub) -> list[int]:
    return [row["used"] for row in await hub.sql("SELECT used FROM limit_use ORDER BY period")]


async def test_more_than_a_window_s_outflow_is_refused_and_a_reversal_gives_back(
    flowing: Hub, postgres_server: postgres.Server
) -> None:
    rate = next(iter(flowing.engine.configuration.outflows))
    made = await flowing.do(convert(flowing, "120"))  # 30 of 50
    batch = [convert(flowing, "60"), convert(flowing, "24"), convert(flowing, "20")]  # 15, 6 and 5 beside 30
    answers: list[Any] = await flowing.batch(batch)
    assert [one.refusal and one.refusal.details for one in answers] == [
        None,
        {
            "rate": ids.text(ids.RATE, rate), "outflowLimit": "50", "currency": "CAFE", "requested": "6",
            "available": "5",
        },
        None,
    ]  # fmt: skip
    stranger, _ = await flowing.key("HOTEL", Role.INSTITUTION_TRADER)
    await flowing.issue("BP", "HOTEL", "al", "100")
    with pytest.raises(LimitExceeded) as refusal:  # the limit is in the rate for all to see, what is used is not
        await flowing.do(convert(flowing, "4", "s", actor=stranger, giver=Party("HOTEL", "al")))
    assert "available" not in refusal.value.details
    assert refusal.value.details["outflowLimit"] == "50"

    back = commands.Reverse(actor=flowing.admin, key="back", id=made.id, amount="10", reason="returned")
    await flowing.do(back)
    offer = await flowing.do(
        commands.RequestQuote(
            actor=flowing.admin, source=ALICE, target=Party("CAFE", "bo"), source_currency="BP",
            target_currency="CAFE", amount="44", ttl_seconds=60,
        )
    )  # fmt: skip
    execute = commands.ExecuteQuote(actor=flowing.admin, key="x", quote=offer.id)
    refused = await flowing.try_(execute)
    assert refused.refusal is not None  # 11 where 10 are left: what is offered reserves nothing
    assert (await flowing.do(convert(flowing, "40"))).figures.target == 10
    assert await used(flowing) == [50]

    await flowing.do(commands.CloseWindow(actor=flowing.admin, key="close", window=await flowing.window()))
    await flowing.do(convert(flowing, "200", "all"))  # a new window has its own
    late = commands.Reverse(actor=flowing.admin, key="late", id=made.id, amount="5", reason="returned")
    await flowing.do(late)
    assert await used(flowing) == [45, 50]  # what comes back of the closed window makes no room in the open one

    for change, codes in (
        (f"UPDATE limit_entry SET amount = 29 WHERE limit_id = {rate} AND amount = 30", {"LIMIT_ENTRY", "LIMIT_USE"}),
        (f"DELETE FROM limit_entry WHERE limit_id = {rate} AND amount = -5", {"LIMIT_ENTRY"}),
        (f"UPDATE limit_use SET used = 44 WHERE limit_id = {rate} AND used = 45", {"LIMIT_USE"}),
        ("UPDATE configuration_change SET document = replace(document, '\"outflow_limit\":50', '\"outflow_limit\":49')"
         f" WHERE key = {rate}", {"LIMIT"}),
    ):  # fmt: skip
        async with tampered(postgres_server, flowing) as connection:
            assert (await connection.exec_driver_sql(change)).rowcount, change
            found = {one.code for one in (await audit(connection)).findings}
        assert codes <= found, (change, found)


async def test_what_partners_are_asked_for_counts_when_it_is_accepted_and_not_if_they_refuse(flowing: Hub) -> None:
    with pytest.raises(InvalidAmount):
        await flowing.do(flowing.proposal("MILE", "STAY", "3:2", outflow_limit="0"))
    await flowing.rate("MILE", "STAY", "3:2", outflow_limit="300")
    han = Party("HOTEL", "han")
    first = await flowing.do(conversion(flowing, AL, han, "MILE>STAY", "200"))  # all 300
    with pytest.raises(LimitExceeded):
        await flowing.do(conversion(flowing, AL, han, "MILE>STAY", "2"))
    await answer(flowing, f"PH-{first.id:X}-D", Status.REFUSED)
    second = await flowing.do(conversion(flowing, AL, han, "MILE>STAY", "100"))
    await answer(flowing, f"PH-{second.id:X}-D", Status.SUCCEEDED, partner_reference="A-1")
    await answer(flowing, f"PH-{second.id:X}-C", Status.SUCCEEDED, partner_reference="H-1")
    assert await used(flowing) == [150]
