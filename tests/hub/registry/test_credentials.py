"""Credentials as they are made and revoked."""

from datetime import timedelta

import msgspec
import pytest

from hub.access import Role
from hub.clock import now
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.ledger import commands
from tests.conftest import Hub
from tests.hub.registry.asking import credential, institution


async def test_operator_roles_are_for_the_operators_people_and_given_by_them(hub: Hub) -> None:
    await hub.do(institution(hub))
    clerk, _ = await hub.key("HUB", Role.INSTITUTION_ADMIN)
    for role in (Role.OPERATOR_ADMIN, Role.OPERATOR_AUDITOR):
        with pytest.raises(InvalidInput):
            await hub.do(credential(hub, role))
        with pytest.raises(Forbidden):
            await hub.do(credential(hub, role, of="HUB", actor=clerk))
    with pytest.raises(InvalidInput):
        await hub.do(credential(hub))
    with pytest.raises(InvalidInput):
        await hub.do(credential(hub, Role.INSTITUTION_TRADER, expires_at=now() - timedelta(seconds=1)))
    for role in (Role.OPERATOR_ADMIN, Role.OPERATOR_AUDITOR):  # nor ends such a key who may not make one
        other, _ = await hub.key("HUB", role, person="other")
        with pytest.raises(Forbidden):
            await hub.do(commands.RevokeCredential(actor=clerk, id=other))
        assert (await hub.do(commands.RevokeCredential(actor=hub.admin, id=other))).revoked_at is not None
    made = await hub.do(credential(hub, Role.INSTITUTION_TRADER, Role.INSTITUTION_TRADER))
    assert made.roles == (Role.INSTITUTION_TRADER,)


async def test_one_person_is_written_in_one_way(hub: Hub) -> None:
    await hub.do(institution(hub))
    made = await hub.do(credential(hub, Role.INSTITUTION_ADMIN, person="Zoë Lin"))
    assert (await hub.do(credential(hub, Role.INSTITUTION_TRADER, person="Zoë Lin"))).person == made.person
    await hub.do(credential(hub, Role.INSTITUTION_TRADER, person="\u674e\u5a1c"))
    await hub.do(
        credential(hub, Role.INSTITUTION_TRADER, person="\u674e\u5a1c\uff08\u603b\u90e8\uff09")
    )  # a post beside it
    same = (
        " Zoë Lin",
        "Zoë Lin ",
        "Zoë  Lin",
        "Zoë\u00a0Lin",
        "Zoe\u0308 Lin",
        "Zoë Lin\u200b",
        "\uff3aoë Lin",
        "zoë LIN",
    )
    for other in same:
        with pytest.raises(InvalidInput) as refused:
            await hub.do(credential(hub, Role.INSTITUTION_ADMIN, person=other))
        assert refused.value.details["person"] == other
    clerk = credential(hub, Role.INSTITUTION_ADMIN, of="HUB", person="zoë LIN")
    assert (await hub.do(clerk)).person == "zoë LIN"  # a namesake elsewhere


async def test_an_administrator_makes_and_ends_keys_of_its_own_and_of_those_below(hub: Hub) -> None:
    for code, parent in (("BANK", None), ("BRANCH", "BANK"), ("AIR", None)):
        await hub.do(institution(hub, code=code, parent=parent))
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    branch, _ = await hub.key("BRANCH", Role.INSTITUTION_ADMIN)
    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN)
    trader, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    await hub.do(credential(hub, Role.INSTITUTION_TRADER, of="BRANCH", actor=bank))
    with pytest.raises(Forbidden):
        await hub.do(credential(hub, Role.INSTITUTION_TRADER, of="BANK", actor=branch))
    with pytest.raises(NotFound):
        await hub.do(commands.RevokeCredential(actor=air, id=trader))
    with pytest.raises(NotFound):
        await hub.do(commands.RevokeCredential(actor=branch, id=trader))
    await hub.do(commands.RevokeCredential(actor=trader, id=trader))  # everybody ends their own
    again = await hub.do(commands.RevokeCredential(actor=bank, id=trader))
    assert again.revoked_at is not None
    host = next(one for one in hub.engine.configuration.credentials.values() if not one.secret_hash)
    with pytest.raises(NotFound):
        await hub.do(commands.RevokeCredential(actor=hub.admin, id=host.id))


async def test_no_secret_is_in_the_database(hub: Hub) -> None:
    _, secret = await hub.key("HUB", Role.OPERATOR_AUDITOR)
    tables = await hub.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for row in tables:
        for kept in (secret, hub.secret):
            assert await hub.sql(f"SELECT 1 FROM {row[0]} t WHERE strpos(t::text, $1) > 0", kept) == []
    document = await hub.sql("SELECT document FROM configuration_change WHERE noun = 'credential'")
    assert len(msgspec.json.decode(document[0][0])["secret_hash"]) == 64
