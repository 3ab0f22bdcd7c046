"""Reading: who looks, and at which instant."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.access import Role, new_secret
from hub.errors import Unauthenticated
from hub.ledger import commands
from hub.reading import sees
from tests.conftest import Hub


async def test_a_secret_opens_its_credential_and_nothing_else_does(hub: Hub) -> None:
    assert await hub.reading.authenticate(hub.secret) == hub.admin
    for wrong in (new_secret(), "", hub.secret[:-1], hub.secret.upper(), hub.secret + " "):
        with pytest.raises(Unauthenticated):
            await hub.reading.authenticate(wrong)


async def test_who_is_nobody_sees_nothing(hub: Hub) -> None:
    for viewer in (None, 0, 12345):
        with pytest.raises(Unauthenticated):
            async with hub.reading.open(viewer):
                pass


async def test_a_key_made_elsewhere_is_known_at_its_first_request(hub: Hub) -> None:
    other = hub.beside()
    try:
        made, secret = await hub.key("HUB", Role.OPERATOR_AUDITOR)
        assert await other.reading.authenticate(secret) == made
        await hub.do(commands.RevokeCredential(actor=hub.admin, id=made))
        with pytest.raises(Unauthenticated):
            async with other.reading.open(made):
                pass
        with pytest.raises(Unauthenticated):
            await other.reading.authenticate(secret)
    finally:
        await other.close()


async def test_a_read_sees_one_instant_and_can_write_nothing(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    count = text("SELECT count(*) FROM movement")
    async with hub.reading.open(hub.admin) as reader:
        before = (await reader.connection.execute(count)).scalar_one()
        await hub.issue("BP", "BANK", "alice", "5")
        await hub.institution("LATER")
        assert (await reader.connection.execute(count)).scalar_one() == before
        assert reader.configuration.institution("LATER") is None
        with pytest.raises(DBAPIError, match="read-only"):
            await reader.connection.execute(text("UPDATE journal_head SET batch = 0"))
    async with hub.reading.open(hub.admin) as reader:
        assert (await reader.connection.execute(count)).scalar_one() == before + 1
        assert reader.configuration.institution("LATER") is not None


async def test_an_institution_sees_itself_and_what_is_below_it(hub: Hub) -> None:
    for code, parent in (("BANK", None), ("BRANCH", "BANK"), ("AIR", None)):
        await hub.institution(code, parent=parent)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    auditor, _ = await hub.key("HUB", Role.OPERATOR_AUDITOR)
    clerk, _ = await hub.key("HUB", Role.INSTITUTION_TRADER)
    configuration = await hub.reading.refresh()
    codes = configuration.institution_codes

    def seen(viewer: int) -> set[str]:
        return {code for code in codes if sees(configuration, configuration.credentials[viewer], codes[code])}

    assert seen(bank) == {"BANK", "BRANCH"}
    assert seen(auditor) == seen(clerk) == set(codes)  # the second stands above everybody
    assert sees(configuration, configuration.credentials[bank], codes["AIR"], codes["BRANCH"])  # at one of both ends
