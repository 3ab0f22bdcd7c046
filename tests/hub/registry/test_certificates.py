"""Registering certificates: the operator alone, each once, and never an earlier one in a later one's place."""

from datetime import timedelta

import msgspec
import pytest

from hub.access import Role
from hub.configuration import Configuration
from hub.errors import Duplicate, Forbidden, InvalidInput
from hub.ledger import commands, rows
from tests.conftest import Hub
from tests.hub.test_certificates import FOUND


async def test_the_operator_registers_a_certificate_and_a_later_one_takes_its_place(hub: Hub) -> None:
    made = await hub.do(commands.RegisterCertificate(actor=hub.admin, found=FOUND))
    assert (made.found, made.of) == (FOUND, ("http_json", FOUND.configuration))
    later = msgspec.structs.replace(FOUND, token="later", checked_at=FOUND.checked_at + timedelta(seconds=1))
    other = msgspec.structs.replace(FOUND, token="other", configuration="another")
    for found in (later, other):
        await hub.do(commands.RegisterCertificate(actor=hub.admin, found=found))
    assert {one.found.token for one in hub.engine.configuration.certificates.values()} == {"later", "other"}
    with pytest.raises(Duplicate):
        await hub.do(commands.RegisterCertificate(actor=hub.admin, found=later))
    with pytest.raises(InvalidInput):
        await hub.do(commands.RegisterCertificate(actor=hub.admin, found=FOUND))
    now = hub.engine.configuration
    async with hub.database.snapshot() as connection:
        kept = await rows.refresh(connection, Configuration(), now.version)
    assert kept.certificates == now.certificates


async def test_nobody_else_does(hub: Hub) -> None:
    await hub.institution("BANK")
    actors = [await hub.key("BANK", Role.INSTITUTION_ADMIN), await hub.key("HUB", Role.OPERATOR_AUDITOR)]
    for actor, _ in actors:
        with pytest.raises(Forbidden):
            await hub.do(commands.RegisterCertificate(actor=actor, found=FOUND))
