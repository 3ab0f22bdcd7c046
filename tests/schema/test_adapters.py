"""Currencies whose points a partner keeps: registered with a configuration whose secrets nobody sees again."""

from dataclasses import dataclass
from typing import Any

import pytest

from adapters.registry import Installed, Registry
from hub.access import Role
from tests.schema.acting import act
from tests.schema.conftest import Caller, Client

SECRET = "token-5ecret"
REFUSED = "... on Refused { reason message retryable details { key value } }"
REGISTER = f"""mutation($input: RegisterPointCurrencyInput!) {{ registerPointCurrency(input: $input) {{ __typename
  ... on PointCurrency {{ id code adapter scale }} {REFUSED} }} }}"""
SET = f"""mutation($currency: String!, $config: JSON!) {{ setAdapterConfig(currency: $currency, adapterConfig: $config)
  {{ __typename ... on PointCurrency {{ code adapter }} {REFUSED} }} }}"""


def configuration(**changes: Any) -> dict[str, Any]:
    return {
        "baseUrl": "https://points.jade.example",
        "unit": "MILES",
        "scale": 2,
        "auth": {"scheme": "bearer", "token": SECRET},
        "orders": [{"operations": ["DEBIT", "CREDIT"], "call": {"path": "/v1/orders", "body": {"r": "{reference}"}}}],
        "answer": {"status": "status", "statuses": {"OK": "SUCCEEDED"}, "reference": "r"},
        **changes,
    }


def currency(**changes: Any) -> dict[str, Any]:
    return {
        "code": "MILE", "name": "Jade Miles", "issuer": "AIR", "scale": 2, "rateConsent": "OPERATOR",
        "unitValue": {"amount": "0.05", "currency": "CNY"}, "adapter": "http_json", "adapterConfig": configuration(),
        **changes,
    }  # fmt: skip


@dataclass
class Air:
    client: Client
    root: Caller
    admin: Caller

    async def register(self, **changes: Any) -> Any:
        return await self.admin.ask(REGISTER, input=currency(**changes))

    def details(self, refused: Any) -> dict[str, str]:
        assert refused["__typename"] == "Refused"
        return {detail["key"]: detail["value"] for detail in refused["details"]}


@pytest.fixture
async def air(client: Client) -> Air:
    await client.hub.institution("AIR")
    await client.hub.institution("BANK")
    await client.hub.currency("BP", "BANK", scale=2)
    admin, _ = await client.hub.key("AIR", Role.INSTITUTION_ADMIN)
    return Air(client, client.caller(client.hub.admin), client.caller(admin))


async def test_a_currency_is_registered_with_an_adapter(air: Air) -> None:
    made = await air.register()
    assert (made["code"], made["adapter"], made["scale"]) == ("MILE", "http_json", 2)
    kept = air.client.hub.engine.configuration.currency("MILE")
    assert kept is not None
    partner = await air.client.adapters.partner("MILE", kept.adapter, kept.connection)
    assert partner.capabilities.unit == "MILES"


async def test_the_secret_is_nowhere_in_clear(air: Air) -> None:
    made = await air.register()
    assert SECRET not in str(made)
    after = await air.admin.ask(SET, currency="MILE", config=configuration(auth={"scheme": "none"}))
    assert SECRET not in str(after)
    dump = await air.client.hub.sql("SELECT document FROM configuration_change")
    assert sum("points.jade.example" in row["document"] for row in dump) == 2
    assert not any(SECRET in row["document"] for row in dump)
    tables = await air.client.hub.sql(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    for table in tables:
        rows = await air.client.hub.sql(f'SELECT t::text AS row FROM "{table["name"]}" t')
        assert not any(SECRET in row["row"] for row in rows), table


async def test_a_wrong_configuration_is_refused_by_its_fields_and_never_by_its_values(air: Air) -> None:
    wrong = configuration(auth={"scheme": "bearer", "token": SECRET, "tokens": SECRET}, scale=9, unit=5)
    refused = await air.register(adapterConfig=wrong)
    assert refused["reason"] == "INVALID_INPUT"
    assert set(air.details(refused)) == {
        "adapterConfig.auth.tokens",
        "adapterConfig.scale",
        "adapterConfig.unit",
    }
    assert SECRET not in str(refused)
    assert set(air.details(await air.register(adapterConfig=None))) == {
        f"adapterConfig.{name}" for name in ("baseUrl", "unit", "orders", "answer")
    }
    assert air.client.hub.engine.configuration.currency("MILE") is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"adapter": "carrier-pigeon"}, "adapter"),
        ({"adapter": "hosted"}, "adapterConfig"),
        ({"adapterConfig": "x"}, "adapterConfig"),
    ],
)
async def test_what_is_no_adapter_or_no_configuration_is_refused(air: Air, changes: dict[str, Any], field: str) -> None:
    refused = await air.register(**changes)
    assert (refused["reason"], list(air.details(refused))) == ("INVALID_INPUT", [field])


async def test_a_currency_does_not_count_more_finely_than_its_partner(air: Air) -> None:
    """Points with three decimals cannot be told to a partner that has two."""
    refused = await air.register(scale=3)
    assert (refused["reason"], air.details(refused)) == ("INVALID_INPUT", {"scale": "3", "maximum": "2"})
    assert (await air.register(scale=0))["scale"] == 0


async def test_a_secret_is_rotated_by_the_issuers_administrator_or_the_operator(air: Air) -> None:
    await air.register()
    hub = air.client.hub
    texts = []
    for caller, token in ((air.admin, "second-token"), (air.root, "third-token")):
        changed = configuration(auth={"scheme": "bearer", "token": token})
        assert await caller.ask(SET, currency="MILE", config=changed) == {
            "__typename": "PointCurrency", "code": "MILE", "adapter": "http_json",
        }  # fmt: skip
        kept = hub.engine.configuration.currency("MILE")
        assert kept is not None
        texts.append(kept.connection)
    assert len(set(texts)) == 2
    trader, _ = await hub.key("AIR", Role.INSTITUTION_TRADER)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    for stranger in (trader, bank):
        asked = air.client.caller(stranger)
        assert await asked.codes(SET, currency="MILE", config=configuration()) == ["FORBIDDEN"]
        assert await asked.codes(REGISTER, input=currency(code="MILE2")) == ["FORBIDDEN"]
    nobody = air.client.caller(None)
    assert await nobody.codes(SET, currency="MILE", config=configuration()) == ["UNAUTHENTICATED"]
    assert await nobody.codes(REGISTER, input=currency(code="MILE2")) == ["UNAUTHENTICATED"]


async def test_a_new_configuration_is_held_against_the_currency(air: Air) -> None:
    await air.register()
    ask = air.admin.ask
    coarse = await ask(SET, currency="MILE", config=configuration(scale=1))
    assert air.details(coarse) == {"scale": "2", "maximum": "1"}
    assert set(air.details(await ask(SET, currency="MILE", config={}))) >= {"adapterConfig.baseUrl"}
    unknown = await ask(SET, currency="NOPE", config=configuration())
    assert unknown["reason"] == "UNKNOWN_CURRENCY"
    hosted = await air.root.ask(SET, currency="BP", config=configuration())
    assert (hosted["reason"], list(air.details(hosted))) == ("INVALID_INPUT", ["adapterConfig"])


async def test_the_adapters_and_what_they_need_are_told_to_whoever_has_a_key(air: Air) -> None:
    found = await air.admin.ask("{ adapters { name configurationSchema } }")
    [http] = [one for one in found if one["name"] == "http_json"]
    assert "hosted" not in [one["name"] for one in found]
    assert http["configurationSchema"]["required"] == ["baseUrl", "unit", "orders", "answer"]
    assert http["configurationSchema"]["$defs"]["BearerAuth"]["properties"]["token"]["format"] == "password"
    assert await air.client.caller(None).codes("{ adapters { name } }") == ["UNAUTHENTICATED"]


async def test_an_adapter_that_is_not_installed_any_more_is_told_when_it_is_needed(air: Air) -> None:
    await air.register()
    air.client.adapters = Registry(Installed({}), air.client.adapters._sealer)
    refused = await air.admin.ask(SET, currency="MILE", config=configuration())
    assert air.details(refused) == {"adapter": "http_json"}


JADE = {"institution": "AIR", "reference": "J-1"}
NORTH = {"institution": "BANK", "reference": "C-1"}
BETWEEN: dict[str, Any] = {"currency": "MILE", "from": JADE, "to": {**JADE, "reference": "J-2"}}
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("issuePoints", "IssuePointsInput", {"currency": "MILE", "to": JADE}),
    ("transferPoints", "TransferPointsInput", BETWEEN),
    ("redeemPoints", "RedeemPointsInput", {"currency": "MILE", "customer": JADE, "merchant": "BANK"}),
]
NOT_HERE: list[tuple[str, str, dict[str, Any], str]] = [
    ("holdPoints", "HoldPointsInput", {"customer": JADE, "expiresAt": "2999-01-01T00:00:00Z"}, "HOLD"),
    ("freezePoints", "FreezePointsInput", {"customer": JADE, "reason": "r"}, "FREEZE"),
    ("contributeToPool", "ContributeToPoolInput", {"member": JADE, "pool": JADE}, "POOL"),
]


async def test_points_that_a_partner_keeps_are_not_moved_by_posting(air: Air) -> None:
    await air.register()
    for mutation, kind, input in ASKED:
        made = await act(
            air.root, mutation, kind, "... on Act { status }", **input, idempotencyKey=mutation, amount="1"
        )
        assert made["status"] == "PENDING"
    for mutation, kind, input, named in NOT_HERE:
        refused = await act(air.root, mutation, kind, "", **input, currency="MILE", idempotencyKey=mutation, amount="1")
        assert (refused["reason"], refused["retryable"]) == ("NOT_HOSTED", False)
        assert air.details(refused) == {"currency": "MILE", "act": named}
    assert await air.client.hub.sql("SELECT 1 FROM leg WHERE phase = 1") == []
    of = air.client.hub.engine.configuration.currency("MILE")
    assert of is not None
    assert (of.operations, of.partial) == (("CREDIT", "DEBIT"), ())  # what the adapter declares


async def test_whoever_may_not_act_is_told_that_and_not_who_keeps_the_points(air: Air) -> None:
    await air.register()
    bank, _ = await air.client.hub.key("BANK", Role.INSTITUTION_TRADER)
    document = "mutation($input: IssuePointsInput!) { issuePoints(input: $input) { __typename } }"
    asked = {"idempotencyKey": "k", "currency": "MILE", "to": JADE, "amount": "1"}
    assert await air.client.caller(bank).codes(document, input=asked) == ["FORBIDDEN"]
