"""Certificates of adapters through the API: registered by the operator, shown with each kind and each currency."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.conformance import certificate as certificates
from adapters.conformance.check import Result, Verdict
from adapters.http_json.configuration import Configuration
from adapters.http_json.partner import HttpJsonPartner
from adapters.registry import Registry, digest, installed
from hub.sealing import SecretsKey
from settlement import signing
from settlement.signers import Signers
from tests.schema.conftest import Caller, Client
from tests.schema.test_adapters import SECRET, Air, air, configuration

__all__ = ["air"]
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
WITHOUT = ("allowPlainHttp", "baseUrl")
PASSED = Result("does-debit-or-refuses-it", Verdict.PASSED)
REGISTER = """mutation($file: String!) { registerAdapterCertificate(certificate: $file) { __typename
  ... on AdapterCertificate { id adapter version checkedBy checkedAt signer conforms passed failed excepted beside
    configuration without capabilities registeredAt file }
  ... on Refused { reason message details { key value } } } }"""
ADAPTERS = "{ adapters { name version certificates { checkedAt conforms version } } }"
CURRENCY = """{ pointCurrency(code: "MILE") {
  certification { standing certificate { configuration signer conforms } } } }"""


@pytest.fixture
def trusting(air: Air) -> Air:
    """The hub believes its own key, and who is put beside it."""
    client = air.client
    client.adapters = Registry(installed(), SecretsKey.of(client.settings), Signers.of(client.settings).verified)
    return air


def made(client: Client, given: dict[str, Any], **changes: Any) -> str:
    """A certificate of a configuration, signed by the hub."""
    model = Configuration.model_validate(given)
    usual: dict[str, Any] = {
        "adapter": "http_json",
        "version": client.adapters.versions["http_json"],
        "configuration": digest("http_json", model, WITHOUT),
        "without": WITHOUT,
        "hub": "Points Hub",
        "at": NOW,
        "capabilities": certificates.listed(HttpJsonPartner(model).capabilities),
        "results": (PASSED,),
    }
    token = certificates.payload(certificates.Certificate(**{**usual, **changes}))
    return Signers.of(client.settings).keys.current().sign(token, certificates.TYP)


async def standing(caller: Caller) -> Any:
    found = (await caller.ask(CURRENCY))["certification"]
    return found["standing"], found["certificate"] and found["certificate"]["conforms"]


async def test_a_certificate_is_registered_and_shown_with_its_kind_and_its_currency(trusting: Air) -> None:
    client, root = trusting.client, trusting.root
    await trusting.register()
    assert await standing(root) == ("NONE", None)
    # Checked at another address, over a plain line, and with another secret.
    checked = configuration(
        baseUrl="http://127.0.0.1:9000", allowPlainHttp=True, auth={"scheme": "bearer", "token": "another"}
    )
    file = made(client, checked)
    shown = await root.ask(REGISTER, file=file)
    assert (shown["adapter"], shown["conforms"], shown["passed"], shown["file"]) == ("http_json", True, 1, file)
    assert shown["signer"] == Signers.of(client.settings).keys.current().kid
    assert shown["without"] == list(WITHOUT)
    assert shown["capabilities"]["operations"] == ["CREDIT", "DEBIT"]
    assert datetime.fromisoformat(shown["checkedAt"]) == NOW
    assert await standing(trusting.admin) == ("CERTIFIED", True)
    [kind] = [one for one in await trusting.admin.ask(ADAPTERS) if one["name"] == "http_json"]
    assert kind["version"] == client.adapters.versions["http_json"]
    assert [one["conforms"] for one in kind["certificates"]] == [True]
    assert signing.is_signed_by(shown["file"], Signers.of(client.settings).keys.current().public_jwk())
    assert SECRET not in str(shown)


async def test_what_a_currency_stands_by_follows_its_configuration(trusting: Air) -> None:
    client, root = trusting.client, trusting.root
    await trusting.register()
    await root.ask(REGISTER, file=made(client, configuration(unit="STARS")))
    assert await standing(root) == ("OTHER_CONFIGURATION", True)
    failed = Result("does-a-repeat-once", Verdict.FAILED, "It was done twice.")
    await root.ask(REGISTER, file=made(client, configuration(), results=(PASSED, failed)))
    assert await standing(root) == ("FAILED", False)
    await root.ask(REGISTER, file=made(client, configuration(), at=NOW + timedelta(minutes=1)))
    assert await standing(root) == ("CERTIFIED", True)
    client.adapters.versions = {**client.adapters.versions, "http_json": "points-hub 99"}
    assert (await standing(root))[0] == "OUTDATED"
    # Where the hub keeps the balances there is no adapter.
    assert (await root.ask('{ pointCurrency(code: "BP") { certification { standing } } }'))["certification"] is None


async def test_what_is_not_believed_is_refused_in_the_callers_language(trusting: Air) -> None:
    client, root = trusting.client, trusting.root
    genuine = made(client, configuration())
    stranger = signing.SigningKey.generate()
    forged = stranger.sign(signing.take_apart(genuine).payload, certificates.TYP)
    another = Signers.of(client.settings).keys.current().sign(signing.take_apart(genuine).payload)
    for file, told in (
        (forged, "Nobody who is believed has signed it."),
        (f"{genuine[:-6]}AAAAAA", "Nobody who is believed has signed it."),
        (another, "It is something else that was signed."),
        (made(client, configuration(), version="points-hub 0"), "It is of points-hub 0, and"),
        (made(client, configuration(), adapter="till"), "The adapter till is not installed."),
        (made(client, configuration(), at=NOW + timedelta(days=1)), "It is of a time to come."),
    ):
        refused = await root.ask(REGISTER, file=file)
        assert (refused["reason"], refused["details"][0]["key"]) == ("INVALID_INPUT", "certificate")
        assert told in refused["details"][0]["value"]
    chinese = client.caller(client.hub.admin, "zh")
    refused = await chinese.ask(REGISTER, file=forged)
    assert refused["reason"] == "INVALID_INPUT"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused["message"])
    # Who is put beside the hub's own keys is believed as well.
    signing.publish(client.settings.data_dir / "certifiers", stranger)
    assert (await root.ask(REGISTER, file=forged))["signer"] == stranger.kid
    refused = await root.ask(REGISTER, file=forged)
    assert refused["reason"] == "DUPLICATE"


async def test_the_operator_alone_registers_and_nobody_else_learns_whether_it_would_be_believed(trusting: Air) -> None:
    for file in (made(trusting.client, configuration()), "x"):
        assert await trusting.admin.codes(REGISTER, file=file) == ["FORBIDDEN"]
