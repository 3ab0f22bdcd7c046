"""Adapters are found by name, their configurations are checked and kept sealed, and partners are connected once."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from adapters import registry as noun
from adapters.http_json import HttpJson
from adapters.registry import Installed, Registry, installed
from hub.errors import InvalidInput
from hub.partners import (
    Answer,
    Capabilities,
    Entry,
    Member,
    Operation,
    Order,
    Partner,
    PartnerUnavailable,
    Status,
)
from hub.sealing import SecretsKey


class Login(BaseModel):
    user: str
    password: SecretStr = Field(min_length=3)


class Till(BaseModel):
    """A configuration with secrets at several depths."""

    address: str
    scale: int = 2
    logins: list[Login] = Field(default=[])
    secrets: dict[str, SecretStr] = Field(default={})
    nothing: str | None = None

    @field_validator("address")
    @classmethod
    def _is_one(cls, address: str) -> str:
        if address == "here":
            raise ValueError("it is not here")
        return address


@dataclass
class TillPartner:
    configuration: Till
    closed: int = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(operations=frozenset({Operation.DEBIT}), unit="T", scale=self.configuration.scale)

    async def perform(self, order: Order) -> Answer:
        return Answer(status=Status.UNKNOWN)

    async def status(self, order: Order) -> Answer:
        return Answer(status=Status.UNKNOWN)

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        return None

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        return
        yield

    async def close(self) -> None:
        self.closed += 1


@dataclass
class TillKind:
    made: list[TillPartner] = field(default_factory=list)
    configuration: type[BaseModel] = Till

    def connect(self, configuration: Any) -> Partner:
        if configuration.address == "nowhere":
            raise RuntimeError(f"no way to {configuration!r} {configuration.logins[0].password.get_secret_value()}")
        self.made.append(TillPartner(configuration))
        return self.made[-1]


class NoKind:
    configuration = str


GOOD = {
    "address": "till.example",
    "logins": [{"user": "a", "password": "pass-a"}, {"user": "b", "password": "pass-b"}],
    "secrets": {"x/y~z": "pass-c"},
}


@pytest.fixture
def kind() -> TillKind:
    return TillKind()


@pytest.fixture
def registry(kind: TillKind, tmp_path: Path) -> Registry:
    return Registry(Installed({"till": kind}), SecretsKey(tmp_path / "secrets" / "key"))


async def refusal(registry: Registry, configuration: object, name: str = "till") -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        await registry.check(name, configuration)
    assert refused.value.__cause__ is None
    return refused.value.details


def test_ours_are_found_by_their_entry_points() -> None:
    found = installed()
    assert isinstance(found.kinds["http_json"], HttpJson)
    assert found.broken == {}
    assert "hosted" not in found.kinds


def test_a_broken_kind_is_reported_by_name_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    group = "points_hub.adapters"
    points = [
        EntryPoint("gone", "no_such_module:kind", group),
        EntryPoint("none", "tests.adapters.test_registry:NoKind", group),
        EntryPoint("till", "tests.adapters.test_registry:ENTRY", group),
        EntryPoint("twice", "tests.adapters.test_registry:ENTRY", group),
        EntryPoint("twice", "tests.adapters.test_registry:ENTRY", group),
        EntryPoint("hosted", "tests.adapters.test_registry:ENTRY", group),
    ]
    monkeypatch.setattr(noun, "entry_points", lambda *, group: points)
    found = installed()
    assert list(found.kinds) == ["till"]
    assert {name: reason.partition(":")[0] for name, reason in found.broken.items()} == {
        "gone": "ModuleNotFoundError",
        "none": "TypeError",
        "twice": "The name is taken.",
        "hosted": "The name is taken.",
    }


async def test_a_configuration_is_kept_with_its_secrets_sealed(registry: Registry, kind: TillKind) -> None:
    checked = await registry.check("till", GOOD)
    assert checked.scale == 2
    assert kind.made[0].closed == 1
    assert not any(secret in checked.sealed for secret in ("pass-a", "pass-b", "pass-c"))
    assert msgspec.json.decode(checked.sealed)["configuration"] == {
        "address": "till.example",
        "logins": [{"user": "a", "password": None}, {"user": "b", "password": None}],
        "secrets": {"x/y~z": None},
    }
    registry.connect("till", checked.sealed)
    assert kind.made[1].configuration == Till.model_validate(GOOD)


async def test_what_is_wrong_is_told_by_its_place_and_never_by_its_value(registry: Registry) -> None:
    details = await refusal(
        registry, {"scale": "hidden-1", "logins": [{"user": "a", "password": "h2"}], "secrets": {"x": 33}}
    )
    assert details == {
        "adapterConfig.address": "Field required",
        "adapterConfig.scale": "Input should be a valid integer, unable to parse string as an integer",
        "adapterConfig.logins.0.password": "Value should have at least 3 items after validation, not 2",
        "adapterConfig.secrets.x": "Input should be a valid string",
    }
    assert await refusal(registry, {"address": "here"}) == {"adapterConfig.address": "Value error, it is not here"}


@pytest.mark.parametrize("configuration", [None, "x", 5, [], float("nan"), 2**70, {1: {2}}])
async def test_what_is_no_object_is_refused(registry: Registry, configuration: object) -> None:
    assert list(await refusal(registry, configuration)) in (["adapterConfig"], ["adapterConfig.address"])


async def test_an_unknown_adapter_is_refused(registry: Registry) -> None:
    assert await refusal(registry, GOOD, "tills") == {"adapter": "tills"}


async def test_a_configuration_with_which_nothing_connects_is_refused_without_its_values(registry: Registry) -> None:
    details = await refusal(registry, {**GOOD, "address": "nowhere"})
    assert details == {"adapterConfig": "It cannot be connected with: RuntimeError."}


async def test_whoever_changes_what_is_open_does_not_get_the_secrets_sent_elsewhere(registry: Registry) -> None:
    kept = msgspec.json.decode((await registry.check("till", GOOD)).sealed)
    kept["configuration"]["address"] = "thief.example"
    with pytest.raises(PartnerUnavailable) as unavailable:
        registry.connect("till", msgspec.json.encode(kept).decode())
    assert unavailable.value.__cause__ is None
    other = msgspec.json.decode((await registry.check("till", {**GOOD, "address": "other.example"})).sealed)
    with pytest.raises(PartnerUnavailable):
        registry.connect("till", msgspec.json.encode({**other, "sealed": kept["sealed"]}).decode())


async def test_secrets_of_one_kind_are_not_opened_for_another(kind: TillKind, tmp_path: Path) -> None:
    registry = Registry(Installed({"till": kind, "tiller": kind}), SecretsKey(tmp_path / "secrets" / "key"))
    sealed = (await registry.check("till", GOOD)).sealed
    with pytest.raises(PartnerUnavailable):
        registry.connect("tiller", sealed)


async def test_without_its_key_or_its_kind_a_partner_is_unavailable(
    registry: Registry, kind: TillKind, tmp_path: Path
) -> None:
    sealed = (await registry.check("till", GOOD)).sealed
    with pytest.raises(PartnerUnavailable, match="SecretsKeyNotFound"):
        Registry(Installed({"till": kind}), SecretsKey(tmp_path / "lost" / "key")).connect("till", sealed)
    with pytest.raises(PartnerUnavailable, match="till is not installed"):
        Registry(Installed({}), SecretsKey(tmp_path / "secrets" / "key")).connect("till", sealed)


async def test_a_partner_is_connected_once_per_currency_and_configuration(registry: Registry, kind: TillKind) -> None:
    one = (await registry.check("till", GOOD)).sealed
    two = (await registry.check("till", GOOD)).sealed
    kind.made.clear()
    first = await registry.partner("MILE", "till", one)
    assert await registry.partner("MILE", "till", one) is first
    other = await registry.partner("CARD", "till", one)
    assert other is not first
    assert await registry.partner("MILE", "till", two) is not first
    assert [partner.closed for partner in kind.made] == [1, 0, 0]
    await registry.close()
    assert [partner.closed for partner in kind.made] == [1, 1, 1]
    assert await registry.partner("MILE", "till", two) is kind.made[3]
    await registry.close()


def test_the_schema_of_a_configuration_says_what_is_secret(registry: Registry) -> None:
    [(name, shape)] = registry.schemas()
    assert name == "till"
    assert shape["$defs"]["Login"]["properties"]["password"]["format"] == "password"


ENTRY = TillKind()
