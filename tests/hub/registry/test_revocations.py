"""Revoking a signing key: who may, from when on, and that it is never taken back."""

from datetime import timedelta

import pytest

from hub.access import Role
from hub.clock import now
from hub.errors import Forbidden, InvalidInput
from hub.ledger import commands
from hub.revocations import Revocation, RevocationReason
from tests.conftest import Hub


async def revoke(hub: Hub, hours: float, reason: RevocationReason = RevocationReason.COMPROMISED) -> Revocation:
    """Revoke the key K from so many hours ago on."""
    since = now() - timedelta(hours=hours)
    told = commands.RevokeSigningKey(actor=hub.admin, kid="K", since=since, reason=reason)
    found: Revocation = await hub.do(told)
    return found


async def test_a_revocation_moves_to_earlier_instants_only(hub: Hub) -> None:
    first = await revoke(hub, 2)
    assert first.since.microsecond == 0  # a part of a second counts as revoked
    assert await revoke(hub, 1, RevocationReason.UNSPECIFIED) == first
    earlier = await revoke(hub, 5, RevocationReason.SUPERSEDED)
    assert (earlier.id, earlier.reason) == (first.id, RevocationReason.SUPERSEDED)
    assert earlier.since < first.since
    assert hub.engine.configuration.revocations == {"K": earlier}


async def test_what_is_to_come_is_not_revoked_and_only_the_operator_revokes(hub: Hub) -> None:
    with pytest.raises(InvalidInput):
        await revoke(hub, -1)
    await hub.institution("BANK")
    admin, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    told = commands.RevokeSigningKey(actor=admin, kid="K", since=now(), reason=RevocationReason.COMPROMISED)
    with pytest.raises(Forbidden):
        await hub.do(told)
    assert hub.engine.configuration.revocations == {}
