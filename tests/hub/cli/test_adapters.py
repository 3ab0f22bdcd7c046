"""``points-hub adapters``: an adapter that is installed beside the hub is checked, and certified as it was found."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.conformance.certificate import TYP
from adapters.conformance.checks import NAMES
from settlement.signing import CURRENT, SigningKey, is_signed_by, jwks, take_apart
from tests.hub.cli.here import Here
from tests.hub.cli.simulating import simulating

RUN = {"does-debit-or-refuses-it", "does-a-repeat-once", "lists-once-what-was-done", "survives-lost-answer"}
LEFT_OUT = dict.fromkeys(NAMES - RUN, "Tried in this process.")


@pytest.fixture
def hub(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> Here:
    """This process, beside which a distribution is installed that brings the guide's adapter."""
    info = tmp_path / "site" / "airline-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: airline\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[points_hub.adapters]\nairline = tests.adapters.example:kind\n")
    monkeypatch.syspath_prepend(info.parent)
    return here


def trial(folder: Path, url: str, **more: Any) -> str:
    path = folder / "trial.json"
    path.write_text(json.dumps({"configuration": {"url": url}, "sandbox": url, "address": "url", **more}))
    return str(path)


def test_an_adapter_is_checked_certified_and_listed(tmp_path: Path, hub: Here) -> None:
    before = json.loads(hub.run("adapters", "list", "--json").stdout)
    mine = {"adapter": "airline", "version": "airline 1.0", "certificate": "none", "at": None}
    assert mine in before
    with simulating(tmp_path / "other") as url:
        done = hub.run("adapters", "check", "airline", "--config", trial(tmp_path, url, exceptions=LEFT_OUT))
    assert done.returncode == 0, done.stdout + done.stderr
    counted = f"{len(RUN) + 1} passed, 0 failed, 0 beside, {len(LEFT_OUT)} excepted"
    assert f"airline conforms: {counted}." in done.stdout
    token = (hub.folder / "certificates" / "airline.jws").read_text().strip()
    [key] = jwks(hub.folder / "signing")["keys"]
    assert is_signed_by(token, key)
    assert take_apart(token).header["typ"] == TYP
    told = json.loads(take_apart(token).payload)
    assert {one["check"]: one["reason"] for one in told["checks"] if one["verdict"] == "EXCEPTED"} == LEFT_OUT
    [after] = [row for row in json.loads(hub.run("adapters", "list", "--json").stdout) if row["adapter"] == "airline"]
    assert after["certificate"] == f"conforms, {len(LEFT_OUT)} excepted"
    assert after["at"] is not None
    (hub.folder / "signing" / CURRENT).unlink()  # another hub's certificate counts for nothing
    for public in (hub.folder / "signing").glob("*.jwk.json"):
        public.unlink()
    forged = hub.run("adapters", "list")
    assert "not signed by this" in forged.stdout
    assert isinstance(SigningKey.from_file(hub.folder / "signing" / CURRENT), SigningKey)


def test_an_adapter_that_fails_a_check_is_told_so_and_certified_so(tmp_path: Path, hub: Here) -> None:
    only = dict.fromkeys(NAMES - {"does-hold-or-refuses-it", "does-debit-or-refuses-it"}, "Tried in this process.")
    with simulating(tmp_path / "other", "--without", "HOLD") as url:
        config = trial(tmp_path, url, exceptions=only)
        done = hub.run("adapters", "check", "airline", "--config", config, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["conforms"] is False
    [failed] = [one for one in told["checks"] if one["verdict"] == "FAILED"]
    assert failed["check"] == "does-hold-or-refuses-it"
    assert "NOT_SUPPORTED" in failed["reason"]
    assert "does not conform" in hub.run("adapters", "list", "--json").stdout


def test_a_wrong_call_is_explained(tmp_path: Path, hub: Here) -> None:
    for words, sentence in (
        (("check", "nobody", "--config", trial(tmp_path, "http://127.0.0.1:1")), "No adapter 'nobody' is installed"),
        (("check", "airline", "--config", trial(tmp_path, "x", surprise=1)), "surprise"),
    ):
        done = hub.run("adapters", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert not (hub.folder / "certificates").exists()
