"""Terms that are agreed, with whatever a test does not care about filled in."""

from typing import Any

from hub.ledger import commands
from hub.ledger.commands import MoneyText
from tests.conftest import Hub


def acceptance(
    hub: Hub, merchant: str, price: str, money: str = "CNY", **terms: Any
) -> commands.ProposeAcceptanceTerms:
    """A proposal by the operator of terms on which BP is taken; ``fee_fixed``, ``fee_per_point`` and ``fee_cap`` as
    text, in the same money unless ``fee_money`` is another."""
    charged = terms.pop("fee_money", money)
    for part in ("fee_fixed", "fee_per_point", "fee_cap"):
        terms[part] = None if terms.get(part) is None else MoneyText(terms[part], charged)
    usual = {"actor": hub.admin, "currency": "BP", "fee_percent": None, "starts": None, "ends": None}
    asked: dict[str, Any] = {**usual, "merchant": merchant, "price": MoneyText(price, money), **terms}
    return commands.ProposeAcceptanceTerms(**asked)


def grant(hub: Hub, grantor: str, price: str, money: str = "CNY", **terms: Any) -> commands.ProposeGrantTerms:
    """A proposal by the operator of terms on which BP is granted."""
    usual: dict[str, Any] = {"actor": hub.admin, "currency": "BP", "starts": None, "ends": None}
    return commands.ProposeGrantTerms(**{**usual, "grantor": grantor, "price": MoneyText(price, money), **terms})


def unit_value(hub: Hub, value: str, money: str = "CNY", **terms: Any) -> commands.ProposeUnitValue:
    """A proposal by the operator of what a point of BP is worth."""
    usual: dict[str, Any] = {"actor": hub.admin, "currency": "BP", "starts": None, "ends": None}
    return commands.ProposeUnitValue(**{**usual, "value": MoneyText(value, money), **terms})


async def agree(hub: Hub, proposal: commands.Command, *parties: int) -> Any:
    """The version that was proposed, accepted by the keys of ``parties``, and approved."""
    proposed = await hub.do(proposal)
    for party in parties:
        await hub.do(commands.AcceptTerms(actor=party, id=proposed.id))
    return await hub.do(commands.ApproveTerms(actor=hub.second, id=proposed.id))
