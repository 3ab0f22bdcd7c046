"""Point currencies as they are configured."""

from typing import Any

import pytest

from hub.access import Role
from hub.currencies import Expiry, ExpiryKind
from hub.errors import Duplicate, Forbidden, InvalidAmount, InvalidInput, NotFound, Suspended, UnknownCurrency
from hub.institutions import Status
from hub.ledger import commands
from hub.ledger.commands import Connection, MoneyText
from tests.conftest import Hub
from tests.hub.registry.asking import currency, institution


@pytest.mark.parametrize(
    ("changes", "noun"),
    [
        ({"code": "CNY"}, InvalidInput),  # a code of money
        ({"code": "XAU"}, InvalidInput),
        ({"issuer": "NOBODY"}, NotFound),
        ({"scale": 7}, InvalidInput),
        ({"scale": -1}, InvalidInput),
        ({"adapter": "other"}, InvalidInput),  # without a connection
        ({"connection": Connection("sealed", 2)}, InvalidInput),  # of which the hub has none
        ({"adapter": "other", "connection": Connection("sealed", 1)}, InvalidInput),  # of fewer decimals
        ({"adapter": "other", "connection": Connection("x" * 65_537, 2)}, InvalidInput),
        ({"adapter": "other", "connection": Connection("\x00", 2)}, InvalidInput),
        ({"unit_value": MoneyText("0", "CNY")}, InvalidAmount),
        ({"unit_value": MoneyText("0.0000000000001", "CNY")}, InvalidAmount),
        ({"unit_value": MoneyText("1000000001", "CNY")}, InvalidAmount),
        ({"unit_value": MoneyText("1", "BP")}, UnknownCurrency),
        ({"expiry_months": 3}, InvalidInput),
        ({"expiry": ExpiryKind.MONTHS_AFTER_EARNING}, InvalidInput),
        ({"expiry": ExpiryKind.MONTHS_AFTER_EARNING, "expiry_months": 0}, InvalidInput),
        ({"expiry": ExpiryKind.END_OF_YEAR, "expiry_months": -1}, InvalidInput),
    ],
)
async def test_a_currency_that_is_none_is_refused(hub: Hub, changes: dict[str, Any], noun: type[Exception]) -> None:
    await hub.do(institution(hub))
    with pytest.raises(noun):
        await hub.do(currency(hub, **changes))
    assert hub.engine.configuration.currencies == {}


async def test_a_currency_is_registered_once_by_its_issuers_administrator(hub: Hub) -> None:
    await hub.do(institution(hub))
    await hub.do(institution(hub, code="AIR"))
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN)
    with pytest.raises(Forbidden):
        await hub.do(currency(hub, actor=air))
    made = await hub.do(currency(hub, actor=bank, expiry=ExpiryKind.END_OF_YEAR, expiry_months=1))
    assert (made.unit_value, made.expiry) == (1, Expiry(ExpiryKind.END_OF_YEAR, 1))
    with pytest.raises(Duplicate):
        await hub.do(currency(hub, issuer="AIR", actor=hub.admin))
    same_batch: list[Any] = await hub.batch([currency(hub, code="X"), currency(hub, code="X", issuer="AIR")])
    assert [getattr(one.refusal, "code", None) for one in same_batch] == [None, "DUPLICATE"]
    await hub.do(commands.SetInstitutionStatus(actor=hub.admin, code="AIR", status=Status.SUSPENDED, reason="r"))
    with pytest.raises(Suspended):
        await hub.do(currency(hub, code="Y", issuer="AIR"))


async def test_a_connection_may_be_longer_than_other_texts_and_is_kept_as_it_is(hub: Hub) -> None:
    await hub.do(institution(hub))
    made = await hub.do(currency(hub, adapter="other", connection=Connection("x" * 65_536, 2)))
    assert (made.adapter, made.connection) == ("other", "x" * 65_536)
    told = commands.SetAdapterConfig(actor=hub.admin, currency="BP", connection=Connection("y", 3))
    assert (await hub.do(told)).connection == "y"
    assert hub.engine.configuration.currencies[made.id].connection == "y"


async def test_what_the_hub_keeps_itself_gets_no_connection(hub: Hub) -> None:
    await hub.do(institution(hub))
    await hub.do(currency(hub))
    with pytest.raises(InvalidInput):
        await hub.do(commands.SetAdapterConfig(actor=hub.admin, currency="BP", connection=Connection("y", 3)))
