"""A small world for the tests of this folder, and the commands that are asked in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from hub.errors import Fault
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.waiting import Answer
from tests.conftest import Hub

CNY = 1_000_000


async def found(hub: Hub, customers: int = 3, points: str = "1000") -> None:
    """BANK with BP at 0.05 CNY, AIR with MILE, SHOP, a rate of 25 BP for a MILE with 1 % fee; ``customers`` of BANK's,
    ``u0`` and so on, with ``points`` each."""
    for code in ("BANK", "AIR", "SHOP"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR")
    await hub.rate("BP", "MILE", "1:25", fee_percent="1")
    issued = await hub.batch([issue(hub, f"founding-{number}", f"u{number}", points) for number in range(customers)])
    assert all(passed(answer) for answer in issued)


def bank(number: int) -> Party:
    return Party("BANK", f"u{number}")


def issue(hub: Hub, key: str, reference: str, amount: str) -> commands.Issue:
    return commands.Issue(
        actor=hub.admin,
        key=key,
        currency="BP",
        to=Party("BANK", reference),
        amount=amount,
        earned_at=None,
        expires_at=None,
        memo=None,
    )


def transfer(hub: Hub, key: str, source: int, target: int, amount: int) -> commands.Transfer:
    return commands.Transfer(
        actor=hub.admin,
        key=key,
        currency="BP",
        source=bank(source),
        target=bank(target),
        amount=str(amount),
        memo=None,
    )


def redeem(hub: Hub, key: str, customer: int, amount: int, merchant: str = "SHOP") -> commands.Redeem:
    return commands.Redeem(
        actor=hub.admin,
        key=key,
        currency="BP",
        customer=bank(customer),
        merchant=merchant,
        amount=str(amount),
        memo=None,
    )


def convert(hub: Hub, key: str, customer: int, amount: int) -> commands.Convert:
    return commands.Convert(
        actor=hub.admin,
        key=key,
        source=bank(customer),
        target=Party("AIR", f"u{customer}"),
        source_currency="BP",
        target_currency="MILE",
        amount=str(amount),
        minimum_target=None,
    )


def passed(answer: Answer) -> bool:
    return isinstance(answer, Outcome) and answer.refusal is None


def code(answer: Answer) -> str:
    """A refusal's code, a fault's name, or OK."""
    if isinstance(answer, Fault):
        return type(answer).__name__
    return "OK" if answer.refusal is None else answer.refusal.code


async def gathered(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    return list(await asyncio.gather(*calls))


@asynccontextmanager
async def two(hub: Hub, *, batch_max: int = 1_000) -> AsyncIterator[tuple[Hub, Hub]]:
    """The hub through two engines."""
    other = hub.beside(batch_max=batch_max)
    try:
        yield hub, other
    finally:
        await other.close()
