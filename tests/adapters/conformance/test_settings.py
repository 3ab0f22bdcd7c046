"""The trial's file: what is wrong with it is told by its place and never with its values."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from adapters.conformance.settings import FileHarness, TrialSettings, WrongTrial, read
from tests.adapters.conftest import Playing
from tests.adapters.example import Airline, kind

MEMBER = {"member": "M-1", "lookup": {"membershipNumber": "M-1", "familyName": "Li"}}


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ([], "the file"),
        ({"configuration": {}}, "'sandbox'"),
        ({"configuration": {}, "sandbox": 7}, "sandbox"),
        ({"configuration": {}, "sandbox": "x", "surprise": 1}, "surprise"),
        ({"configuration": {"url": 7}, "sandbox": "x", "address": "url"}, "'url'"),
        ({"configuration": {}, "sandbox": "x", "address": "url"}, "'url'"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path: Path, trial: object, said: str) -> None:
    path = tmp_path / "trial.json"
    path.write_text(json.dumps(trial))
    with pytest.raises(WrongTrial, match=said):
        read(path)


class _Secret(BaseModel):
    url: str
    token: SecretStr


class _SecretKind:
    configuration = _Secret
    connect = Airline


def test_a_wrong_configuration_is_told_without_its_values() -> None:
    with pytest.raises(WrongTrial) as wrong:
        FileHarness(_SecretKind(), TrialSettings(configuration={"token": 9876543210}, members=[]))
    assert "url" in str(wrong.value)
    assert "9876543210" not in str(wrong.value)


@pytest.mark.parametrize(
    ("url", "upstream", "by_tls"),
    [
        ("http://127.0.0.1:9000/a", ("127.0.0.1", 9000), False),
        ("https://partner.example/b", ("partner.example", 443), True),
    ],
)
def test_the_proxy_is_put_before_the_address(url: str, upstream: tuple[str, int], by_tls: bool) -> None:
    settings = TrialSettings(configuration={"url": url}, sandbox="x", address="url")
    found = FileHarness(kind, settings).upstream
    assert found is not None
    assert ((found.host, found.port), found.tls is not None) == (upstream, by_tls)


async def test_a_live_partner_s_members_are_used_in_turn_and_looked_up(simulator: Playing) -> None:
    await simulator.enroll("M-2", "5")
    others = {"member": "M-2", "lookup": {"membershipNumber": "M-2", "familyName": "Li"}}
    trial = TrialSettings.model_validate({"configuration": {"url": simulator.url}, "members": [MEMBER, others]})
    harness = FileHarness(kind, trial)
    partner = await harness.connect(None)
    members = [await harness.member(1) for _ in range(3)]
    assert [member.reference for member in members] == ["M-1", "M-2", "M-1"]
    assert [await harness.available(partner, member) for member in members[:2]] == [100_000, 500]
    await partner.close()
