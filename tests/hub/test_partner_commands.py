"""The commands about partners: a simulator that is a program, an adapter that is installed beside the hub, and the
certificate that is signed for it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.conformance.certificate import TYP
from adapters.conformance.checks import NAMES
from settlement.signing import CURRENT, SigningKey, is_signed_by, jwks, take_apart
from tests.hub.programs import PROGRAM, environment

ROOT = Path(__file__).parents[2]
RUN = {"does-debit-or-refuses-it", "does-a-repeat-once", "lists-once-what-was-done", "survives-lost-answer"}
LEFT_OUT = dict.fromkeys(NAMES - RUN, "Tried in this process.")
RUN_S_MAX = 300


@contextmanager
def simulating(folder: Path, *arguments: str, end: int = signal.SIGTERM, **more: str) -> Iterator[str]:
    """The address of a simulator that runs as a program and ends when asked, or is killed."""
    words = [*PROGRAM, "simulator", "--port", "0", *arguments]
    environ = environment(folder, **more)
    with subprocess.Popen(words, env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.fullmatch(r"The simulator is at (http://127\.0\.0\.1:\d+)/\n", said)
        assert found, said + process.stderr.read()
        yield found[1]
        process.send_signal(end)
        assert process.wait(30) == (-end if end == signal.SIGKILL else 128 + end)
        assert process.stderr.read() == ""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a distribution in it that brings the guide's adapter."""
    info = tmp_path / "site" / "airline-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: airline\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[points_hub.adapters]\nairline = tests.adapters.example:kind\n")
    return info.parent


def adapters(folder: Path, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = environment(folder, PYTHONPATH=os.pathsep.join([str(installed), str(ROOT)]))
    return subprocess.run(
        [*PROGRAM, "adapters", *words], env=environ, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
    )


def trial(folder: Path, url: str, **more: Any) -> str:
    path = folder / "trial.json"
    path.write_text(json.dumps({"configuration": {"url": url}, "sandbox": url, "address": "url", **more}))
    return str(path)


def test_an_adapter_is_checked_certified_and_listed(tmp_path: Path, installed: Path) -> None:
    hub = tmp_path / "hub"
    before = json.loads(adapters(hub, installed, "list", "--json").stdout)
    mine = {"adapter": "airline", "version": "airline 1.0", "certificate": "none", "at": None}
    assert mine in before
    with simulating(tmp_path / "other") as url:
        done = adapters(hub, installed, "check", "airline", "--config", trial(tmp_path, url, exceptions=LEFT_OUT))
    assert done.returncode == 0, done.stdout + done.stderr
    counted = f"{len(RUN) + 1} passed, 0 failed, 0 beside, {len(LEFT_OUT)} excepted"
    assert f"airline conforms: {counted}." in done.stdout
    token = (hub / "certificates" / "airline.jws").read_text().strip()
    [key] = jwks(hub / "signing")["keys"]
    assert is_signed_by(token, key)
    assert take_apart(token).header["typ"] == TYP
    told = json.loads(take_apart(token).payload)
    assert {one["check"]: one["reason"] for one in told["checks"] if one["verdict"] == "EXCEPTED"} == LEFT_OUT
    [after] = [
        row for row in json.loads(adapters(hub, installed, "list", "--json").stdout) if row["adapter"] == "airline"
    ]
    assert after["certificate"] == f"conforms, {len(LEFT_OUT)} excepted"
    assert after["at"] is not None
    (hub / "signing" / CURRENT).unlink()  # another hub's certificate counts for nothing
    for public in (hub / "signing").glob("*.jwk.json"):
        public.unlink()
    forged = adapters(hub, installed, "list")
    assert "not signed by this" in forged.stdout
    assert isinstance(SigningKey.from_file(hub / "signing" / CURRENT), SigningKey)


def test_an_adapter_that_fails_a_check_is_told_so_and_certified_so(tmp_path: Path, installed: Path) -> None:
    only = dict.fromkeys(NAMES - {"does-hold-or-refuses-it", "does-debit-or-refuses-it"}, "Tried in this process.")
    hub = tmp_path / "hub"
    with simulating(tmp_path / "other", "--without", "HOLD") as url:
        config = trial(tmp_path, url, exceptions=only)
        done = adapters(hub, installed, "check", "airline", "--config", config, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["conforms"] is False
    [failed] = [one for one in told["checks"] if one["verdict"] == "FAILED"]
    assert failed["check"] == "does-hold-or-refuses-it"
    assert "NOT_SUPPORTED" in failed["reason"]
    assert "does not conform" in adapters(hub, installed, "list", "--json").stdout


def test_a_wrong_call_is_explained(tmp_path: Path, installed: Path) -> None:
    hub = tmp_path / "hub"
    for words, sentence in (
        (("check", "nobody", "--config", trial(tmp_path, "http://127.0.0.1:1")), "No adapter 'nobody' is installed"),
        (("check", "airline", "--config", trial(tmp_path, "x", surprise=1)), "surprise"),
    ):
        done = adapters(hub, installed, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert not (hub / "certificates").exists()


def test_a_simulator_keeps_its_books_and_its_secret(tmp_path: Path) -> None:
    books = str(tmp_path / "books.db")
    with simulating(tmp_path, "--data", books, "--unit", "STARS", "--scale", "0") as url:
        body = {"member": "M-1", "familyName": "Li", "available": "70"}
        assert httpx2.post(f"{url}/sandbox/members", json=body, trust_env=False).status_code == 200
    with simulating(
        tmp_path, "--data", books, "--scale", "0", "--authentication", "bearer", SIMULATOR_SECRET="s3cret"
    ) as url:
        asked = f"{url}/v1/members?membershipNumber=M-1&familyName=Li"
        assert httpx2.get(asked, trust_env=False).status_code == 401
        headers = {"authorization": "Bearer s3cret"}
        assert httpx2.get(asked, headers=headers, trust_env=False).json()["available"] == "70"


def test_what_a_killed_simulator_answered_is_in_its_books(tmp_path: Path) -> None:
    books = ("--data", str(tmp_path / "books.db"))
    order = {"operation": "DEBIT", "member": "M-1", "amount": "1", "unit": "MILES"}
    with simulating(tmp_path, *books, end=signal.SIGKILL) as url, httpx2.Client(base_url=url, trust_env=False) as http:
        http.post("/sandbox/members", json={"member": "M-1", "available": "70"})
        told = [http.post("/v1/orders", json={**order, "reference": f"PH-{n}"}).json() for n in range(20)]
    with simulating(tmp_path, *books) as url, httpx2.Client(base_url=url, trust_env=False) as http:
        assert [http.get(f"/v1/orders/{one['reference']}").json() for one in told] == told
        assert http.get("/sandbox/members/M-1").json()["available"] == "50.00"  # 70 - 20


@pytest.mark.parametrize(
    ("arguments", "said"), [(("--nightly", "25:00"), "25:00"), (("--authentication", "hmac"), "needs a secret")]
)
def test_a_simulator_that_cannot_be_is_said_so(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    words = [*PROGRAM, "simulator", "--port", "0", *arguments]
    done = subprocess.run(words, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
