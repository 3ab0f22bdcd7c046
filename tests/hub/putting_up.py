"""How tests put up what an institution pays with at once."""

import itertools

from hub.cover import Pot
from hub.ledger import commands
from tests.conftest import Hub

_numbers = itertools.count(1)


async def put_up(hub: Hub, of: str, amount: str, currency: str = "CNY") -> None:
    """What the bank moved, recorded by one person and approved by another."""
    entry = await hub.do(
        commands.RecordCoverEntry(
            actor=hub.admin,
            institution=of,
            pot=Pot.LIQUIDITY,
            currency=currency,
            amount=amount,
            value_date=None,
            reference=f"bank {next(_numbers)}",
        )
    )
    await hub.do(commands.ApproveCoverEntry(actor=hub.second, id=entry.id))
