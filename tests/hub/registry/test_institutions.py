"""Institutions and caps as they are configured."""

from typing import Any

import pytest

from hub.access import Role
from hub.errors import Duplicate, Forbidden, InvalidAmount, InvalidInput, NotFound, UnknownCurrency
from hub.institutions import Kind, Status
from hub.ledger import commands
from tests.conftest import Hub
from tests.hub.registry.asking import institution


@pytest.mark.parametrize(
    ("changes", "noun"),
    [
        ({"code": "HUB"}, Duplicate),
        ({"code": ""}, InvalidInput),
        ({"code": "a b"}, InvalidInput),
        ({"code": "银行"}, InvalidInput),
        ({"code": "-BANK"}, InvalidInput),
        ({"code": "B" * 33}, InvalidInput),
        ({"name": " "}, InvalidInput),
        ({"name": "n" * 201}, InvalidInput),
        ({"kind": Kind.OPERATOR}, InvalidInput),
        ({"parent": "NOBODY"}, NotFound),
        ({"zones": ("",)}, InvalidInput),
        ({"zones": ("\ud800",)}, InvalidInput),
    ],
)
async def test_an_institution_that_is_none_is_refused(hub: Hub, changes: dict[str, Any], noun: type[Exception]) -> None:
    with pytest.raises(noun):
        await hub.do(institution(hub, **changes))
    configuration = await hub.reading.refresh()
    assert [one.code for one in configuration.institutions.values()] == ["HUB"]


async def test_the_tree_is_the_operators_work(hub: Hub) -> None:
    await hub.do(institution(hub))
    with pytest.raises(Duplicate):
        await hub.do(institution(hub))
    admin, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    for command in (
        institution(hub, actor=admin, code="SUB", parent="BANK"),
        commands.MoveInstitution(actor=admin, code="BANK", parent="HUB"),
        commands.SetInstitutionStatus(actor=admin, code="BANK", status=Status.CLOSED, reason="r"),
        commands.SetDebitCap(actor=admin, institution="BANK", currency="CNY", amount=None),
    ):
        with pytest.raises(Forbidden):
            await hub.do(command)
    with pytest.raises(InvalidInput):
        await hub.do(commands.SetInstitutionStatus(actor=hub.admin, code="HUB", status=Status.CLOSED, reason="r"))


@pytest.mark.parametrize(
    ("amount", "money", "noun"),
    [
        ("-1", "CNY", InvalidAmount),
        ("0.0000001", "CNY", InvalidAmount),
        ("1000000000001", "CNY", InvalidAmount),
        ("1", "XAU", UnknownCurrency),
        ("1", "cny", UnknownCurrency),
    ],
)
async def test_a_cap_that_is_none_is_refused(hub: Hub, amount: str, money: str, noun: type[Exception]) -> None:
    await hub.do(institution(hub))
    with pytest.raises(noun):
        await hub.cap("BANK", amount, money)
