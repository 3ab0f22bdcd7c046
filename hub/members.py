"""Members: customers as the partner who keeps a currency finds them, asked for at the partner.

Only the fields that the partner asks for are sent to it, as its adapter's JSON Schema has them. What is found is not
kept. No transaction is open while the partner is asked.
"""

import asyncio
from collections.abc import Collection, Mapping

from hub.currencies import HOSTED, PointCurrency
from hub.errors import InvalidInput, PartnerUnavailable
from hub.exchange import Connections
from hub.partners import ANSWER_S_MAX, Member
from hub.partners import PartnerUnavailable as NotReached

FIELD_MAX = 200  # characters of what is sent of a field


async def find(connections: Connections, of: PointCurrency, fields: Mapping[str, object]) -> tuple[Member, int] | None:
    """The member that the fields name at the partner who keeps ``of``, or None; with the decimals of what it can spend.

    Raises:
        InvalidInput: the hub keeps the balances itself, the partner finds nobody, or the fields are not those that it
            asks for.
        PartnerUnavailable: it cannot be asked now.
    """
    if of.adapter == HOSTED:
        raise InvalidInput(adapter=of.adapter)
    try:
        partner = await connections.partner(of.code, of.adapter, of.connection)
        asked = partner.capabilities.lookup
        if asked is None:
            raise InvalidInput(currency=of.code, lookup="This partner finds nobody.")
        found = _checked(fields, asked.get("properties", {}).keys(), asked.get("required", ()))
        async with asyncio.timeout(min(partner.capabilities.answers_within_s, ANSWER_S_MAX)):
            member = await partner.lookup(found)
        return None if member is None else (member, partner.capabilities.scale)
    except (NotReached, TimeoutError):
        raise PartnerUnavailable(currency=of.code) from None


async def form(connections: Connections, of: PointCurrency) -> Mapping[str, object] | None:
    """The JSON Schema of the fields by which the partner who keeps ``of`` finds a member; None: it finds nobody."""
    if of.adapter == HOSTED:
        return None
    try:
        return (await connections.partner(of.code, of.adapter, of.connection)).capabilities.lookup
    except NotReached:
        return None


def _checked(fields: Mapping[str, object], known: Collection[str], required: Collection[str]) -> dict[str, str]:
    """The fields as they are sent.

    Raises:
        InvalidInput: with the first field that is missing, unknown, or no short text.
    """
    for name in required:
        if not fields.get(name):
            raise InvalidInput(field=name)
    found: dict[str, str] = {}
    for name, value in fields.items():
        if name not in known or not isinstance(value, str) or len(value) > FIELD_MAX:
            raise InvalidInput(field=name[:60])
        found[name] = value
    return found
