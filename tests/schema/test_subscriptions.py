"""Subscriptions tell what changes, to those who may see it, and miss nothing when a connection is lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from strawberry.types.execution import ExecutionResult

from hub import lookups
from hub.access import Role
from hub.channels import Channel
from hub.ledger import commands
from hub.reading import Reader
from schema.faults import formatted
from tests.conftest import counted
from tests.schema.conftest import Caller, Client

CONVERSION = "subscription C($id: ID!) { conversionUpdated(id: $id) { id status window { number } } }"
WINDOW = "subscription { windowUpdated { number status } }"
WAIT_S_MAX = 60


class Stream:
    """What a subscriber hears."""

    def __init__(self, results: AsyncGenerator[ExecutionResult, None]) -> None:
        self._results = results

    async def next(self) -> Any:
        """The next event's value, or the code of the error that ends the stream."""
        async with asyncio.timeout(WAIT_S_MAX):
            result = await anext(self._results)
        if result.errors:
            return formatted(result.errors, "BAD_INPUT")[0]["extensions"]["code"]
        assert result.data is not None
        return next(iter(result.data.values()))

    async def close(self) -> None:
        await self._results.aclose()


@asynccontextmanager
async def subscribed(caller: Caller, document: str, **variables: Any) -> AsyncIterator[Stream]:
    stream = Stream(await caller.client.operations.stream(document, variables, caller.context()))
    try:
        yield stream
    finally:
        await stream.close()


@pytest.fixture
async def conversion(client: Client) -> str:
    """A conversion from BANK to AIR."""
    hub = client.hub
    for code in ("BANK", "AIR", "OTHER"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR")
    await hub.rate("BP", "MILE")
    await hub.issue("BP", "BANK", "alice", "100")
    made = await hub.do(
        commands.Convert(
            actor=hub.admin,
            key="c",
            source=commands.Party("BANK", "alice"),
            target=commands.Party("AIR", "al"),
            source_currency="BP",
            target_currency="MILE",
            amount="10",
            minimum_target=None,
        )
    )
    return f"cv_{made.id:x}"


async def test_a_conversion_is_told_as_it_is_and_when_it_changes(
    client: Client, conversion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, looks = client.hub, counted(monkeypatch, lookups, "conversion_changed_in")
    air, _ = await hub.key("AIR", Role.INSTITUTION_AUDITOR)
    async with subscribed(client.caller(air), CONVERSION, id=conversion) as stream:
        first = await stream.next()
        assert first == {"id": conversion, "status": "COMPLETED", "window": {"number": 1}}
        waiting = asyncio.create_task(stream.next())
        async with client.updates.subscribe(Channel.BATCHES) as told:
            for _ in range(20):  # batches that change no act
                await hub.issue("BP", "BANK", "bob", "1")
                await anext(told)
        reverse = commands.Reverse(actor=hub.admin, key="r", id=int(conversion[3:], 16), amount=None, reason="no")
        await hub.do(reverse)
        assert (await waiting)["status"] == "REVERSED"
    assert looks() <= 3  # at first, when it had connected, and when it was reversed


@pytest.mark.parametrize("id", ["cv_1", "nonsense", "sw_1"])
async def test_what_does_not_exist_for_the_caller_is_not_found(client: Client, id: str) -> None:
    async with subscribed(client.caller(client.hub.admin), CONVERSION, id=id) as stream:
        assert await stream.next() == "NOT_FOUND"


async def test_a_conversion_of_others_is_not_found_either(client: Client, conversion: str) -> None:
    other, _ = await client.hub.key("OTHER", Role.INSTITUTION_TRADER)
    async with subscribed(client.caller(other), CONVERSION, id=conversion) as stream:
        assert await stream.next() == "NOT_FOUND"


@pytest.mark.parametrize("document", [CONVERSION, WINDOW])
async def test_without_a_key_nothing_is_told(client: Client, document: str) -> None:
    variables = {"id": "cv_1"} if document == CONVERSION else {}
    async with subscribed(client.caller(None), document, **variables) as stream:
        assert await stream.next() == "UNAUTHENTICATED"


async def test_windows_are_told_when_they_change_and_a_revoked_key_hears_no_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, looked, look = client.hub, asyncio.Event(), lookups.windows_changed_in

    async def windows_changed_in(reader: Reader) -> int:
        found = await look(reader)
        looked.set()
        return found

    monkeypatch.setattr(lookups, "windows_changed_in", windows_changed_in)
    member, _ = await hub.key("HUB", Role.OPERATOR_AUDITOR)
    async with subscribed(client.caller(member), WINDOW) as stream:
        waiting = asyncio.create_task(stream.next())
        await looked.wait()
        await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window()))
        # a window without acts is settled at once
        assert [await waiting, await stream.next()] == [
            {"number": 1, "status": "SETTLED"},
            {"number": 2, "status": "OPEN"},
        ]
        waiting = asyncio.create_task(stream.next())
        await hub.do(commands.RevokeCredential(actor=hub.admin, id=member))
        assert await waiting == "UNAUTHENTICATED"
